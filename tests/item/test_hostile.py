# SPDX-License-Identifier: BSD-2-Clause
"""Heads that lie, with every checksum right: one clear sentence, in bounded memory and time, and never more."""
import copy
import os
import pathlib
import re
import resource
import shutil
import struct
import subprocess
import tempfile
import unittest

import reader
import samples
import writer
from samples import items_of, mist, np

# Address space that a process gets; what a sanitizer needs for itself is beyond any limit.
LIMIT = int(os.environ.get("MIST_TEST_MEMORY", "0")) << 20


def confine():
    if LIMIT:
        resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class Hostile(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = pathlib.Path(tempfile.mkdtemp(prefix="mist-hostile-"))
        samples.write_sources(cls.work / "source")
        mist("encode", cls.work / "source", "-o", cls.work / "store", "--dataset", "d")
        cls.items = items_of(cls.work / "store")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.work)

    def parts(self, name="int16.nii.gz"):
        return copy.deepcopy(writer.parts_of(reader.Item(self.items[name].read_bytes())))

    def say(self, data, command=("verify",)):
        """Exit status and standard error of a command on these bytes."""
        path = self.work / "hostile.mist"
        path.write_bytes(data)
        done = subprocess.run([samples.MIST, command[0], path, *command[1:]], capture_output=True, text=True, timeout=60,
                              preexec_fn=confine, cwd=self.work)
        self.said = done.stderr
        self.assertIn(done.returncode, (0, 1), f"{command}: {done.returncode}: {done.stderr}")
        return done.returncode, done.stderr

    def refused(self, data, words, what=""):
        code, said = self.say(data)
        self.assertEqual(code, 1, f"{what}: taken")
        self.assertEqual(said.count("\n"), 1, f"{what}: {said}")
        self.assertRegex(said, f"^mist verify: .*hostile.mist: .*({words})", what)

    def test_what_is_built_here_is_good(self):
        """So that what follows fails for the reason that it says."""
        for name in self.items:
            data = writer.build(**self.parts(name))
            reader.Item(data)
            self.assertEqual(self.say(data), (0, ""), name)

    def agree(self, data, what):
        """Refused by MIST in one sentence and by the reader, or taken by both; whether it was taken."""
        code, said = self.say(data)
        self.assertTrue(said.count("\n") == code or code and self.decodes_wrong(said), f"{what}: {said}")
        try:
            damage = reader.Item(data).damage()
            self.assertTrue(code == 0 or damage or self.decodes_wrong(said), f"{what}: the reader takes it: {said}")
        except (reader.Refused, struct.error):
            self.assertEqual(code, 1, f"{what}: the reader refuses it")
        return code == 0

    def decodes_wrong(self, said):
        """What a sentence says that is not about the head, which is all that reader.Item() looks at."""
        return re.search("frame|unit|samples of|archival tail|compressed section|its format|does not know", said)

    def test_every_field_of_the_prologue(self):
        data = writer.build(**self.parts())
        fields = {"version": (16, 4), "head_size": (20, 4), "meta_stored": (24, 4), "meta_size": (28, 4)}
        for name, (at, size) in fields.items():
            now, top = int.from_bytes(data[at:at + size], "little"), (1 << 8 * size) - 1
            values = {0, 1, 2, 3, 31, 32, 33, 255, 1 << 16, 1 << 26, 1 << 28, (1 << 28) + 1, 1 << 31, top // 2,
                      top // 2 + 1, top - 1, top, now - 1, now + 1, now + 8, now - 8}
            head = int.from_bytes(data[20:24], "little")  # meta that goes to the head's end, and up to a prologue beyond it
            values |= {head - 33, head - 32, head - 31, head - 1, head, head + 1} if name == "meta_stored" else set()
            for value in sorted(v for v in values if 0 <= v <= top and v != now):
                bad = bytearray(data)
                bad[at:at + size] = value.to_bytes(size, "little")
                if name != "head_size" or 32 <= value <= len(data):
                    bad = writer.sign(bad)
                code, said = self.say(bytes(bad))
                self.assertEqual((code, said.count("\n")), (1, 1), f"{name} = {value}: {said}")
                self.assertRaises((reader.Refused, struct.error), reader.Item, bytes(bad))

    def test_bombs_of_zstd(self):
        parts = self.parts()
        bomb = writer.deflate(bytes(1 << 28))
        self.assertLess(len(bomb), 1 << 16)
        self.refused(writer.build(**parts, meta=bomb, meta_size=1 << 28), "the head is damaged: ")
        self.refused(writer.build(**parts, meta=bomb, meta_size=(1 << 28) + 1), "beyond the limits")
        self.refused(writer.build(**parts, meta=bomb, meta_size=36), "compressed section is damaged")
        content = b"".join(parts["fields"].values())
        good, size = writer.deflate(content), len(content)
        skippable = struct.pack("<II", 0x184d2a50, 4) + bytes(4)
        for meta in (b"", good + good, skippable + good, good + skippable, good[:-1], good + b"\0", good[1:]):
            data = writer.build(**parts, meta=meta, meta_size=size)
            self.refused(data, "compressed section is damaged")
            self.assertRaises(reader.Refused, reader.Item, data)
        self.assertEqual(self.say(writer.build(**parts, meta=good, meta_size=size)), (0, ""))
        self.assertEqual(self.say(writer.build(**parts, meta=content, meta_size=size)), (0, ""))  # stored plain

    def test_every_field_of_meta(self):
        """Each field with values at and beyond its limits, too long and too short, absent and twice."""
        sentence = ("the head is damaged|the map is damaged|value map|values? of|table|a stream|streams?|codestream|labels|"
                    "does not know|no parameters|compressed|the mapping of sample values|larger than|longer than|its parts do not add up")
        taken, tried = set(), 0
        for name in ("holes.nii.gz", "table-steps.nii.gz", "labels/steps.nii.gz"):
            parts = self.parts(name)
            kinds = {field: kind for field, _, _, kind, _ in reader.Item(writer.build(**parts)).fields}
            values = {"varint": [writer.varint(v) for v in (0, 1, 2, 3, 31, 34, 255, 65535, 65536, 10 ** 6, 1 << 28, 1 << 32,
                                                           1 << 44, (1 << 64) - 1)] + [b"\xff" * 10, b"\x80" * 11],
                      "byte": [bytes([v]) for v in (0, 1, 2, 3, 4, 7, 8, 11, 15, 27, 127, 255)],
                      "text": [b"\0", writer.text(b"x"), writer.varint(1 << 40), b"\xff" * 11, writer.text(b"\0"),
                               writer.text(b"\xff\xfe")],
                      "real": [b"\0" + struct.pack("<d", v) for v in (np.nan, np.inf, -np.inf)] +
                              [b"\1" + struct.pack("<f", np.inf), b"\2" + b"\xff" * 10, b"\3", b"\xff"],
                      "values": [bytes([v]) + parts["fields"]["value map"][1:] for v in range(0, 256, 7)] +
                                [bytes([v]) * 40 for v in (0, 1, 127, 128, 255)],
                      "rest": [b"", b"\0", parts["fields"]["map"][:-1], parts["fields"]["map"] + b"\0"]}
            for field, kind in kinds.items():
                now = parts["fields"][field]
                for value in [b"", now + now, *values[kind]]:
                    large = field in ("width", "height") and value == writer.varint(65535)  # good, but slow to decode
                    if value == now or large:
                        continue
                    tried += 1
                    data = writer.build(**{**parts, "fields": {**parts["fields"], field: value}})
                    with self.subTest(name=name, field=field, value=value[:20]):
                        if self.agree(data, field):
                            taken.add(field)
                        else:
                            self.assertRegex(self.said, sentence)
        self.assertGreater(tried, 700)
        # Fields in which other values may be right: what they say is not held anywhere else.
        self.assertLessEqual(taken, {"chunk_log2", "precision", "axes", "flags", "source_bytes", "file 0 path", "source head",
                                     "extra 0", "extra 0 tag", "format", "value map", "stream 0 unit", "stream 1 unit",
                                     "stream 0 coder",  # a stream of HTJ2K is one of JPEG 2000, too
                                     *(f"spacing {i}" for i in range(3)),
                                     *(f"affine {i}" for i in range(12))})

    def test_names_that_are_not_safe(self):
        parts = self.parts()
        good = parts["fields"]["file 0 path"]
        for name in (b"../x", b"/x", b"a//b", b"a/./b", b"a\\b", b"a\nb", b"a\0b", b"", b".", b"..", b"x/", b"\xff", b"n" * 256,
                     b"p/" * 600, "a\u0085b".encode(), b"\x7f"):
            data = writer.build(**{**parts, "fields": {**parts["fields"], "file 0 path": writer.text(name)}})
            self.refused(data, "the head is damaged: its path", repr(name))
            self.assertRaises(reader.Refused, reader.Item, data)
        for same in (1, 5, 1 << 20):  # of the first path nothing can be as before
            data = writer.build(**{**parts, "fields": {**parts["fields"], "file 0 same": writer.varint(same)}})
            self.refused(data, "the head is damaged: its path")
        self.assertEqual(writer.text(good[1:]), good)
        for name in (b"codestream", b"pnm", b"pgx", b"PNG", b"mist", b"", b"x" * 300):
            self.refused(writer.build(**{**parts, "fields": {**parts["fields"], "format": writer.text(name)}}), "its format")

    def test_two_files_of_one_name(self):
        parts = self.parts("series/1.2.3.6")
        first = parts["fields"]["file 0 path"][1:]
        parts["fields"]["file 1 same"] = writer.varint(len(first))
        parts["fields"]["file 1 path"] = b"\0"
        self.refused(writer.build(**parts), "its path")

    def test_extras(self):
        parts = self.parts("labels/flat.png")
        extra = lambda *tags: {**parts["fields"], "extras": writer.varint(len(tags)), "extra 0 tag": b"", "extra 0":
                               b"".join(bytes([tag]) + writer.text(b"x") for tag in tags)}
        for tags in ((1, 2), (1, 128), (1, 2, 3, 128, 200, 255), (200,), range(128, 160)):
            data = writer.build(**{**parts, "fields": extra(*tags)})
            self.assertEqual((self.say(data), reader.Item(data).extras.keys()), ((0, ""), set(tags)), tags)
        for tags in ((0,), (4,), (1, 1), (2, 1), (127,), (128, 128), range(128, 161)):
            data = writer.build(**{**parts, "fields": extra(*tags)})
            self.refused(data, "its extras", tags)
            self.assertRaises(reader.Refused, reader.Item, data)

    def test_maps_and_images_that_are_too_large(self):
        parts = self.parts("grey8.png")
        item = reader.Item(writer.build(**parts))
        coded = item.streams[0].coded_levels
        fields, levels = parts["fields"], len(parts["ranges"])
        # A million frames without a byte: the map alone is a bomb.
        many = {**fields, "slices": writer.varint(1000000), "file 0 frames": writer.varint(1000000)}
        no_bytes = [b""] * levels
        for packed in (bytes(1000000 * coded - 1), b"\x02" * (1000000 * coded), b"\xff" * (9 * 1000000 * coded)):
            self.refused(writer.build(**{**parts, "fields": {**many, "map": packed}, "ranges": no_bytes}), "the map is damaged|do not add up")
        # Lengths that overflow, or go below nothing.
        for first in (b"\xff" * 9 + b"\x01", b"\xff" * 10, b"\x80" * 10, b"\x01", writer.varint(2 ** 33), b"\x80"):
            self.refused(writer.build(**{**parts, "fields": {**fields, "map": first + fields["map"][1:]}}),
                         "the map is damaged" if first != b"\x80" else "longer than its head says|the map is damaged")
        self.refused(writer.build(**{**parts, "fields": {**fields, "map": fields["map"] + b"\0"}}), "the map is damaged")
        # The largest frame, of hardly any bytes: 2 GiB of samples are more than there is memory for here.
        header = bytearray(item.streams[0].headers[0])
        at = header.index(b"\xff\x51")
        for field, value in ((6, 65535), (10, 32767), (22, 65535), (26, 32767)):
            struct.pack_into(">I", header, at + field, value)
        deep = 10  # levels of 32767: ceil(log2(32767 / 32))
        header[header.index(b"\xff\x52") + 9] = deep - 1
        quantization = header.index(b"\xff\x5c")
        size, = struct.unpack_from(">H", header, quantization + 2)
        header[quantization:] = struct.pack(">HHB", 0xff5c, 4 + 3 * (deep - 1), header[quantization + 4]) + \
            b"\x48" * (3 * (deep - 1) + 1) + header[quantization + 2 + size:]
        large = {**fields, "width": writer.varint(65535), "height": writer.varint(32767), "levels": writer.varint(deep),
                 "stream 0 coded levels": writer.varint(deep), "stream 0 header 0": writer.text(bytes(header)), "map": bytes(deep)}
        data = writer.build(**{**parts, "fields": large, "ranges": [b""] * deep})
        reader.Item(data)  # the head is good
        if LIMIT:
            self.refused(data, "memory|samples of")

    def test_headers_that_do_not_belong(self):
        parts, other = self.parts("grey8.png"), reader.Item(self.items["int16-4d.nii"].read_bytes()).streams[0].headers[0]
        own = reader.Item(writer.build(**parts)).streams[0].headers[0]
        for header in (b"", b"\xff\x4f", other, own[:-1], own + bytes(4), own * 2, bytes(1 << 16)):
            code, said = self.say(writer.build(**{**parts, "fields": {**parts["fields"], "stream 0 header 0": writer.text(header)}}))
            self.assertEqual((code, said.count("\n")), (1, 1), said)

    def test_chunks_that_are_anything(self):
        """Checksums that fit bytes that no coder wrote: each frame is decoded, wrong, or refused with a sentence."""
        rng = np.random.default_rng(5)
        for name in ("holes.nii.gz", "table-steps.nii.gz", "labels/long/1.2.3.8", "labels/colour.png", "double.nii", "rgb.png",
                     "colours.npy"):
            parts = self.parts(name)
            for kind in range(3):
                ranges = [bytes(len(r)) if kind == 0 else b"\xff" * len(r) if kind == 1 else
                          rng.integers(0, 256, len(r)).astype("u1").tobytes() for r in parts["ranges"]]
                data = writer.build(**{**parts, "ranges": ranges})
                code, said = self.say(data)
                self.assertEqual(code, 1, (name, kind))
                self.assertRegex(said, "are not those of the original|frame|unit", (name, kind))
                code, said = self.say(data, ("decode", "-o", "out"))
                self.assertLessEqual(said.count("\n"), 1, said)

    def test_symbols_that_are_no_values(self):
        """More or fewer symbols than ranks, or holes."""
        for name in ("labels/flat.png", "holes.nii.gz"):
            for symbols in (0, 1, 2, 4, 7, 65535, 65536, 65537, 1 << 40):
                parts = self.parts(name)
                stream = 0 if name.startswith("labels") else 1
                parts["fields"][f"stream {stream} parameters"] = writer.text(writer.varint(symbols))
                self.refused(writer.build(**parts), "labels is damaged|its streams make")

    def test_tails_that_lie(self):
        parts = self.parts("series/1.2.3.6")
        files = reader.Item(writer.build(**parts)).groups[0][0]
        self.assertEqual(files, 6)

        def tailed(content, stored, files=6, content_size=None, groups=1):
            fields = {**parts["fields"], "tail_size": writer.varint(len(stored)), "groups": writer.varint(groups),
                      "group 0 files": writer.varint(files), "group 0 content": writer.varint(
                          len(content) if content_size is None else content_size), "group 0 stored": writer.varint(len(stored))}
            return writer.build(**{**parts, "fields": fields, "tail": stored})

        bomb, tail = writer.deflate(bytes(1 << 28)), parts["tail"]
        bad = [tailed(b"", bomb, content_size=size) for size in (1 << 28, (1 << 28) + 1, 1, 0)]
        bad += [tailed(b"", tail, content_size=size) for size in (0, 1, 7, 1 << 28, 2 ** 32 - 1, 2 ** 64 - 1)]
        good_size = reader.Item(writer.build(**parts)).groups[0][1]
        bad += [tailed(b"", tail, files, good_size) for files in (0, 1, 5, 7, 2 ** 32 + 6)]
        bad += [tailed(b"", tail, 6, good_size, groups) for groups in (0, 2, 7, 2 ** 40)]
        record = b"\1" + bytes(16)
        for content in (record, record + b"\0\0", record + writer.varints(0, 2 ** 63, 2 ** 63), b"\x10" + record[1:] + bytes(3),
                        b"\x08" + record[1:] + writer.varints(0, 1, 0) + b"x", (record + bytes(3)) * 7, (record + bytes(3)) * 5):
            bad.append(tailed(content, writer.deflate(content)))
            bad.append(tailed(content, content))
        for data in bad:
            for command in (("verify",), ("decode", "-o", "out")):
                code, said = self.say(data, command)
                self.assertEqual(code, 1, said)
                if command == ("verify",):
                    self.assertRegex(said, "archival tail|compressed section|tail index|the head is damaged|the map")
                self.assertLessEqual(said.count("\n"), 6, said)

    def test_formats_that_are_not_written(self):
        """A head may say "jpeg"; there is no tail that makes one of it, and that is said."""
        parts = self.parts("grey8.png")
        parts["fields"]["format"] = writer.text(b"jpeg")
        code, said = self.say(writer.build(**parts), ("decode", "-o", "out"))
        self.assertEqual((code, said.count("\n")), (1, 1), said)
        self.assertIn("jpeg", said)


if __name__ == "__main__":
    unittest.main()
