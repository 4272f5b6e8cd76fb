# SPDX-License-Identifier: BSD-2-Clause
"""Heads that lie, with every checksum right: one clear sentence, in bounded memory and time, and never more."""
import copy
import json
import os
import pathlib
import resource
import shutil
import struct
import subprocess
import tempfile
import unittest

import reader
import samples
import writer
from samples import items_of, mist

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

    def test_every_field_of_the_prologue(self):
        data = writer.build(**self.parts())
        item = reader.Item(data)
        fields = {"version": (16, 4), "flags": (20, 4), "head_size": (24, 4), "meta_stored": (28, 4),
                  "manifest_size": (32, 4), "source_head_size": (36, 4), "template_size": (40, 4), "map_size": (44, 4),
                  "levels": (48, 1), "coded_levels": (49, 1), "chunk_log2": (50, 1), "reserved": (51, 5),
                  "tail_size": (56, 8), **{f"end {l}": (64 + 8 * l, 8) for l in range(item.levels)}}
        for name, (at, size) in fields.items():
            now, top = int.from_bytes(data[at:at + size], "little"), (1 << 8 * size) - 1
            values = {0, 1, 2, 33, 34, 255, 1 << 16, 1 << 26, 1 << 28, (1 << 28) + 1, 1 << 31, 1 << 44, top // 2,
                      top // 2 + 1, top - 1, top, now - 1, now + 1, now + 8, now - 8}
            for value in sorted(v for v in values if 0 <= v <= top and v != now):
                bad = bytearray(data)
                bad[at:at + size] = value.to_bytes(size, "little")
                if name != "head_size" or 64 <= value <= len(data):
                    bad = writer.sign(bad)
                code, said = self.say(bytes(bad))
                harmless = name == "chunk_log2" and 16 <= value <= 26  # no range of this item is that long
                harmless |= name == "tail_size" and now < value <= 1 << 20  # a prefix without its tail
                self.assertEqual(code, 0 if harmless else 1, f"{name} = {value}: {said}")
                self.assertEqual(said.count("\n"), code, f"{name} = {value}: {said}")
                try:
                    reader.Item(bytes(bad))
                    self.assertTrue(harmless, f"{name} = {value}: the reader takes it")
                except (reader.Refused, struct.error):
                    self.assertFalse(harmless, f"{name} = {value}: the reader refuses it")

    def test_bombs_of_zstd(self):
        parts = self.parts()
        largest = [1 << 26, 1 << 26, 1 << 16, 1 << 27]
        bomb = writer.deflate(bytes(sum(largest)))
        self.assertLess(len(bomb), 1 << 16)
        self.refused(writer.build(**parts, meta=bomb, sizes=largest), "not JSON")
        self.refused(writer.build(**parts, meta=bomb, sizes=[1 << 26, 1 << 26, 1 << 16, (1 << 27) + 1]), "larger than")
        self.refused(writer.build(**parts, meta=bomb, sizes=[9, 9, 9, 9]), "compressed section is damaged")
        good = writer.deflate(b"{}" + bytes(7))
        skippable = struct.pack("<II", 0x184d2a50, 4) + bytes(4)
        for meta in (b"", good + good, skippable + good, good + skippable, good[:-1], good + b"\0"):
            self.refused(writer.build(**parts, meta=meta, sizes=[2, 2, 2, 3]), "compressed section is damaged")

    def test_bombs_of_json(self):
        parts = self.parts()
        for text in (b"[" * (1 << 20), b'{"a":' * (1 << 20), b'{"a":"' + b"x" * (60 << 20) + b'"}', b"", b"\xff\xfe",
                     b"1", b"null", b'"', b'"\\'):
            self.refused(writer.build(**{**parts, "manifest": text}), "the manifest is damaged", text[:20])
        # What would take a gigabyte and more once it is read.
        for text in (b"[" + b"1," * (30 << 20) + b"1]", b'{"files":[' + b"{}," * (20 << 20) + b"{}]}",
                     b"[" + b'"",' * (15 << 20) + b"1]", b"[" + b"[]," * (20 << 20) + b"1]",
                     json.dumps({**parts["manifest"], "more": [0] * (3 << 20)}).encode()):
            self.refused(writer.build(**{**parts, "manifest": text}), "more than 2097152 values", text[:20])
        quoted = {**parts["manifest"], "more": '\\",[' * (1 << 20)}  # in a string they are no values
        self.assertEqual(self.say(writer.build(**{**parts, "manifest": quoted})), (0, ""))
        twice = json.dumps(parts["manifest"])[:-1] + ',"width":80}'
        self.refused(writer.build(**{**parts, "manifest": twice.encode()}), "the manifest")

    def test_every_member_of_the_manifest(self):
        parts = self.parts("ordered.nii.gz")
        item = reader.Item(writer.build(**parts))

        def each(node, path=()):
            if path:
                yield path
            for key in list(node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()):
                yield from each(node[key], (*path, key))

        def change(path, value):
            manifest = copy.deepcopy(item.manifest)
            node = manifest
            for key in path[:-1]:
                node = node[key]
            if value is each:
                del node[path[-1]]
            else:
                node[path[-1]] = value
            return writer.build(**{**parts, "manifest": manifest})

        tried = 0
        for path in each(item.manifest):
            optional = path == ("geometry", "affine")  # may be absent
            for value in (each, None, "", [], {}, -1, True, 1e300, 2 ** 62, -2 ** 63):
                number = isinstance(value, (int, float)) and not isinstance(value, bool)
                free = path[0] == "geometry" and len(path) == 3 and number  # any number goes
                free |= path[0] == "values" and path[-1] in ("lowest", "highest", "finite_lowest", "finite_highest") and value == -1
                if optional and value is each or free or len(path) == 3 and path[0] == "geometry" and value is each:
                    continue
                code, said = self.say(change(path, value))
                self.assertEqual((code, said.count("\n")), (1, 1), f"{path} = {value}: {said}")
                self.assertRegex(said, "the manifest is damaged|its number of levels|the codestream header|"
                                       "the map is damaged|the mapping of sample values", (path, value))
                tried += 1
        self.assertGreater(tried, 150)
        for format_name in ("codestream", "pnm", "pgx", "PNG", "mist"):
            self.refused(change(("format",), format_name), '"format"')
        for name in ("../x", "/x", "a//b", "a/./b", "a\\b", "a\nb", "a\0b", "", ".", "x/", "\udcff", "n" * 256, "p/" * 600):
            self.refused(change(("files", 0, "path"), name), "the manifest is damaged", repr(name))

    def test_two_files_of_one_name(self):
        parts = self.parts("series/1.2.3.6")
        parts["manifest"]["files"][1]["path"] = parts["manifest"]["files"][0]["path"]
        self.refused(writer.build(**parts), '"path"')

    def test_maps_and_images_that_are_too_large(self):
        parts = self.parts("grey8.png")
        levels, coded = len(parts["levels"]), parts["coded_levels"]
        # A million frames without a byte: the map alone is a bomb.
        manifest = copy.deepcopy(parts["manifest"])
        manifest["frames"], manifest["files"] = 1000000, [{"path": "a", "frames": 1000000}]
        many = {**parts, "manifest": manifest, "levels": [b""] * levels}
        self.refused(writer.build(**{**many, "packed_map": bytes(1000000 * coded - 1)}), "the map is damaged")
        self.refused(writer.build(**{**many, "packed_map": b"\x02" * (1000000 * coded)}), "the map is damaged")
        self.refused(writer.build(**{**many, "packed_map": b"\xff" * (9 * 1000000 * coded)}), "the map is damaged")
        # Lengths that overflow, or go below nothing.
        for first in (b"\xff" * 9 + b"\x01", b"\xff" * 10, b"\x80" * 10, b"\x01", writer.varint(2 ** 33), b"\x80"):
            self.refused(writer.build(**{**parts, "packed_map": first + parts["packed_map"][1:]}), "the map is damaged")
        self.refused(writer.build(**{**parts, "packed_map": parts["packed_map"] + b"\0"}), "the map is damaged")
        # The largest frame, of hardly any bytes: 2 GiB of samples are more than there is memory for here.
        template = bytearray(parts["template"])
        at = template.index(b"\xff\x51")
        for field, value in ((6, 65535), (10, 32767), (22, 65535), (26, 32767)):
            struct.pack_into(">I", template, at + field, value)
        at = template.index(b"\xff\x52")
        manifest = {**parts["manifest"], "width": 65535, "height": 32767}
        deep = 10  # levels of 32767: ceil(log2(32767 / 32))
        template[at + 9] = deep - 1
        quantization = template.index(b"\xff\x5c")
        size, = struct.unpack_from(">H", template, quantization + 2)
        template[quantization:] = struct.pack(">HHB", 0xff5c, 4 + 3 * (deep - 1), template[quantization + 4]) + \
            b"\x48" * (3 * (deep - 1) + 1) + template[quantization + 2 + size:]
        large = {**parts, "manifest": manifest, "template": bytes(template), "levels": [b""] * deep,
                 "packed_map": bytes(deep), "coded_levels": deep}
        if LIMIT:
            self.refused(writer.build(**large), "memory|samples of")

    def test_templates_that_do_not_belong(self):
        parts, other = self.parts("grey8.png"), self.parts("int16-4d.nii")
        for template in (b"", b"\xff\x4f", other["template"], parts["template"][:-1], parts["template"] + bytes(4),
                         parts["template"] * 2, bytes(1 << 16)):
            code, said = self.say(writer.build(**{**parts, "template": template}))
            self.assertEqual((code, said.count("\n")), (1, 1), said)

    def test_tails_that_lie(self):
        parts = self.parts("series/1.2.3.6")
        tail = parts["tail"]
        index = struct.unpack_from("<III", tail, len(tail) - 16)
        bomb = writer.deflate(bytes((1 << 28) + 1))
        change = lambda offset, value: tail[:len(tail) - offset] + struct.pack("<I", value) + tail[len(tail) - offset + 4:]
        tails = [b"", b"\0", bytes(4), struct.pack("<I", 2 ** 32 - 1)]
        tails += [change(offset, value) for offset in (4, 8, 12, 16) for value in (0, 1, 7, 1 << 28, 2 ** 32 - 1)
                  if (offset, value) != (4, 1)]
        tails += [bomb + struct.pack("<IIII", index[0], (1 << 28) + 1, len(bomb), 1),
                  bomb + struct.pack("<IIII", index[0], 1 << 28, len(bomb), 1)]
        record = b"\1" + bytes(16)
        for content in (record, record + b"\0\0", record + varints(0, 2 ** 63, 2 ** 63), b"\x10" + record[1:] + bytes(3),
                        b"\x08" + record[1:] + varints(0, 1, 0) + b"x", (record + bytes(3)) * 7, (record + bytes(3)) * 5):
            group = writer.deflate(content)
            tails.append(group + struct.pack("<IIII", 6, len(content), len(group), 1))
        for bad in tails:
            data = writer.build(**{**parts, "tail": bad})
            for command in (("verify",), ("decode", "-o", "out")):
                code, said = self.say(data, command)
                self.assertEqual(code, 1, (bad[-40:], said))
                if command == ("verify",):
                    self.assertRegex(said, "archival tail|compressed section", bad[-40:])
                self.assertLessEqual(said.count("\n"), 6, said)

    def test_formats_that_are_not_written(self):
        """A manifest may say "jpeg"; there is no writer of it, and that is said."""
        parts = self.parts("grey8.png")
        parts["manifest"]["format"] = "jpeg"
        code, said = self.say(writer.build(**parts), ("decode", "-o", "out"))
        self.assertEqual((code, said.count("\n")), (1, 1), said)
        self.assertIn("'jpeg'", said)


def varints(*values):
    return b"".join(map(writer.varint, values))


if __name__ == "__main__":
    unittest.main()
