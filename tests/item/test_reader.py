# SPDX-License-Identifier: BSD-2-Clause
"""
Items as others see them: tests/item/reader.py, written from docs/format.md alone, lists the map and takes out every
frame's codestream at every level; OpenJPEG and OpenJPH decode those, and get what `mist decode` gets.
"""
import ast
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

import samples
from samples import decode_npy, items_of, mist, np, tool

SOURCE = pathlib.Path(os.environ["MIST_SOURCE"])
sys.path.insert(0, str(SOURCE / "tests" / "codec"))
import judges  # noqa: E402
import reader  # noqa: E402

judges.require("opj_decompress", "ojph_expand", "zstd")


def reduced(size, reduce):
    return -(-size // (1 << reduce))


class Items(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = pathlib.Path(tempfile.mkdtemp(prefix="mist-item-"))
        cls.expected = samples.write_sources(cls.work / "source")
        cls.store = cls.work / "store"
        mist("encode", cls.work / "source", "-o", cls.store, "--dataset", "d")
        cls.items = items_of(cls.store)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.work)

    def open(self, name):
        return reader.Item(self.items[name].read_bytes())

    def test_the_reader_is_independent(self):
        """It uses Python, numpy, libzstd and libxxhash, and nothing of MIST."""
        text = (SOURCE / "tests/item/reader.py").read_text()
        modules = set()
        for node in ast.walk(ast.parse(text)):
            modules |= {a.name for a in node.names} if isinstance(node, ast.Import) else set()
            modules |= {node.module} if isinstance(node, ast.ImportFrom) else set()
        self.assertEqual(modules, {"ctypes", "json", "math", "pathlib", "struct", "sys", "numpy"})
        self.assertNotIn("libmist", text)
        self.assertEqual(text.count("CDLL("), 2)

    def test_every_source_is_an_item(self):
        self.assertEqual(set(self.items), set(self.expected))
        for name, expected in self.expected.items():
            item = self.open(name)
            frames, rows, columns, components = expected.shape
            manifest = item.manifest
            self.assertEqual((item.frames, item.height, item.width, manifest["components"]),
                             (frames, rows, columns, components), name)
            self.assertEqual(manifest["type"], {"u": "u", "i": "s", "f": "f"}[expected.dtype.kind] +
                             str(8 * expected.dtype.itemsize), name)
            self.assertEqual(item.label, name.startswith("labels/"))
            self.assertEqual(item.damage(), [])
        kinds = {name: self.open(name).manifest["values"]["map"] for name in self.items}
        self.assertEqual((kinds["int16.nii.gz"], kinds["linear.nii.gz"], kinds["ordered.nii.gz"], kinds["double.nii"]),
                         ("identity", "linear", "ordered", "ordered"))

    def test_the_commands_of_the_reader(self):
        item, out = self.items["int16.nii.gz"], self.work / "extracted"
        out.mkdir()
        run = lambda *words: subprocess.run([sys.executable, SOURCE / "tests/item/reader.py", *words], check=True,
                                            capture_output=True, text=True).stdout
        rows = [tuple(map(int, line.split())) for line in run("list", item).splitlines()]
        opened = self.open("int16.nii.gz")
        self.assertEqual([row[:2] for row in rows], [(f, l) for f in range(5) for l in range(opened.levels)])
        self.assertEqual(sum(row[3] for row in rows), opened.ends[-1] - opened.head_size)
        run("extract", item, out)
        self.assertEqual({p.name for p in out.iterdir()}, {f"{f}-{l}.j2c" for f, l, *_ in rows})
        self.assertEqual(run("check", item), "")

    def test_info_says_what_the_reader_reads(self):
        for name, path in self.items.items():
            item = self.open(name)
            words = tool("info", path)[0].split()
            self.assertEqual(list(map(int, words[:5])), [item.levels, item.levels, 1, item.head_size, item.size], name)
            self.assertEqual((int(words[5], 16), [int(w) for w in words[7:]]), (item.id, list(item.ends)), name)

    def test_the_catalog(self):
        """Section 12, from the items and attachments themselves."""
        (self.work / "with" / "a").mkdir(parents=True)
        shutil.copytree(self.work / "source", self.work / "with" / "b")
        (self.work / "with" / "a" / "t.csv").write_text("x,y\n")
        (self.work / "with" / "empty").touch()
        mist("encode", self.work / "with", "-o", self.work / "catalog", "--dataset", "c")
        root = self.work / "catalog" / "c"
        text = subprocess.run(["zstd", "-dcq", root / "catalog.jsonl.zst"], check=True, capture_output=True).stdout
        header, *lines = map(json.loads, text.splitlines())
        items, files = [l for l in lines if "path" in l], [l for l in lines if "file" in l]
        self.assertEqual(lines, items + files)
        paths = {p.relative_to(root / "items").as_posix()[:-5]: p for p in (root / "items").rglob("*.mist")}
        self.assertEqual([l["path"] for l in items], sorted(paths, key=str.encode))
        named = b""
        for line in items:
            item = reader.Item(paths[line["path"]].read_bytes())
            named += line["path"].encode() + b"\0" + struct.pack("<QQ", item.size, item.id)
            expected = {key: item.manifest.get(key, False) for key in
                        ("format", "type", "precision", "width", "height", "frames", "components", "label", "source_bytes")}
            listed = [{"path": f["path"], "frames": f.get("frames", 1)} for f in item.manifest["files"]]
            expected |= {"path": line["path"], "levels": item.levels, "head_end": item.head_size,
                         "ends": list(item.ends), "size": item.size, "id": "%016x" % item.id}
            if any(item.manifest["geometry"]["spacing"]):
                expected["spacing"] = item.manifest["geometry"]["spacing"]
            if [f["path"] for f in listed] != [line["path"]]:
                expected["files"] = listed
            self.assertEqual(line, expected)
        named += b"\0"
        attachments = {"a/t.csv": b"x,y\n", "empty": b""}
        for line, (path, content) in zip(files, attachments.items(), strict=True):
            named += path.encode() + b"\0" + struct.pack("<QQ", len(content), reader.xxh3(content))
            self.assertEqual(line, {"file": path, "size": len(content), "checksum": "%016x" % reader.xxh3(content)})
        self.assertEqual(header, {
            "format": "mist-catalog", "version": 1, "dataset": "c", "items": len(items), "files": 2,
            "source_bytes": sum(l["source_bytes"] for l in items), "item_bytes": sum(l["size"] for l in items),
            "file_bytes": 4, "id": "%016x" % reader.xxh3(named)})

    def judge(self, name, frame, level, truth):
        """The frame's codestream of this level, alone and cut, by both judges; `truth`: samples of `mist decode`."""
        item = self.open(name)
        reduce = item.levels - 1 - level
        coded = None
        skips = {"alone": 0, "cut": 0 if item.label else reduce}
        for kind, skip in skips.items():
            data = item.codestream(frame, level, standalone=kind == "alone")
            data += b"" if data.endswith(b"\xff\xd9") else b"\xff\xd9"  # OpenJPEG does not do without
            path = str(self.work / f"{kind}.j2c")
            pathlib.Path(path).write_bytes(data)
            stream = judges.Codestream(data)
            if (stream.component[0][0] & 0x7f) + 1 < 32:
                got, said = judges.openjpeg(path, stream.components, skip)
            else:  # OpenJPEG stops at 31 bits: here the values are judged, not the codestream
                mist("decode", path, "-o", path + ".npy", "--reduce", skip)
                got, said = np.load(path + ".npy"), ""
                got = got.reshape(*got.shape[:2], stream.components)
            self.assertIsNotNone(got, f"{name}, frame {frame}, level {level}, {kind}: OpenJPEG: {said}")
            self.assertTrue(coded is None or np.array_equal(coded, got), f"{name}: cut and alone differ")
            coded = got
            if judges.openjph_can(stream):
                other, said = judges.openjph(path, skip)
                self.assertIsNotNone(other, f"{name}, frame {frame}, level {level}: OpenJPH: {said}")
                self.assertTrue(np.array_equal(coded, other), f"{name}, frame {frame}, level {level}: OpenJPH")
                self.seen += 1
        values = item.samples(coded, level)
        self.assertEqual(values.tobytes(), truth.astype(values.dtype).tobytes(), f"{name}, frame {frame}, {level}")

    def test_judges_decode_every_level(self):
        self.seen = 0
        for name, expected in self.expected.items():
            item = self.open(name)
            frames, rows, columns, components = expected.shape
            for level in range(item.levels):
                reduce = item.levels - 1 - level
                shape = (frames, reduced(rows, reduce), reduced(columns, reduce), components)
                truth = decode_npy(self.items[name], reduce, shape, self.work / "npy")
                if reduce == 0:
                    self.assertEqual(truth.tobytes(), expected.tobytes(), name)
                for frame in {0, frames // 2, frames - 1}:
                    self.judge(name, frame, level, truth[frame])
                if item.label:
                    step = 1 << reduce
                    self.assertEqual(truth.tobytes(), expected[:, ::step, ::step].tobytes())
        self.assertGreater(self.seen, 60)

    def test_codestreams_of_mist_are_those_of_the_reader(self):
        """`mist decode --format j2c` writes the same bytes as are put together here by the document."""
        for name in ("grey8.png", "rgb.png", "series/1.2.3.6", "int16-4d.nii", "double.nii"):
            item = self.open(name)
            for reduce in range(item.levels):
                out = self.work / "j2c"
                mist("decode", self.items[name], "-o", out, "--reduce", reduce, "--format", "j2c")
                found = sorted(out.rglob("*.j2c"))
                self.assertEqual(len(found), item.frames)
                files = [file["path"] for file in item.manifest["files"]]
                if len(files) == item.frames:  # a file each: in the order of the frames
                    found = [out / (os.path.splitext(path)[0] + ".j2c") for path in files]
                for frame, path in enumerate(found):
                    self.assertEqual(path.read_bytes(), item.codestream(frame, item.levels - 1 - reduce),
                                     (name, reduce, frame))
                shutil.rmtree(out)

    def test_reduced_codestreams_of_labels(self):
        """Made anew, of every 2^r-th sample."""
        name, out = "labels/blobs.nii.gz", self.work / "labels-j2c"
        for reduce in range(self.open(name).levels):
            mist("decode", self.items[name], "-o", out, "--reduce", reduce, "--format", "j2c")
            for frame, path in enumerate(sorted(out.rglob("*.j2c"))):
                got, said = judges.openjpeg(str(path), 1)
                self.assertIsNotNone(got, said)
                self.assertTrue(np.array_equal(got, self.expected[name][frame, ::1 << reduce, ::1 << reduce]))
            self.assertEqual(frame, 2)
            shutil.rmtree(out)

    def test_the_tail_gives_the_sources_back(self):
        """By section 9: prefix, samples, suffix are the content of the source file, and its checksums hold."""
        import gzip
        raw = 0
        for name, expected in self.expected.items():
            item, frame = self.open(name), 0
            for file, record in zip(item.manifest["files"], item.records()):
                count = file.get("frames", 1)
                pixels = expected[frame:frame + count]
                frame += count
                data = (self.work / "source" / file["path"]).read_bytes()
                data = gzip.decompress(data) if file["path"].endswith(".gz") else data
                self.assertEqual(record["samples"], reader.xxh3(pixels.tobytes()), name)
                self.assertEqual((record["content"], record["size"]), (reader.xxh3(data), len(data)), name)
                if record["raw"]:
                    raw += 1
                    body = pixels.astype(pixels.dtype.newbyteorder(">")) if record["big_endian"] else pixels
                    self.assertEqual(record["prefix"] + body.tobytes() + record["suffix"], data, name)
        self.assertGreater(raw, 10)

    def test_the_id_names_the_content(self):
        ids = {name: self.open(name).id for name in self.items}
        self.assertEqual(len(set(ids.values())), len(ids))
        again = self.work / "again"
        shutil.copytree(self.work / "source", again / "source")
        pixels = self.expected["grey8.png"][0, :, :, 0].copy()
        pixels[-1, -1] ^= 1
        samples.write_png(again / "source" / "grey8.png", pixels)
        mist("encode", again / "source", "-o", again / "store", "--dataset", "other", "-j", 1)
        for name, path in items_of(again / "store", "other").items():
            if name == "grey8.png":
                self.assertNotEqual(reader.Item(path.read_bytes()).id, ids[name])
            else:  # elsewhere, later, under another dataset's name, with one thread: the same bytes
                self.assertEqual(path.read_bytes(), self.items[name].read_bytes(), name)

    def test_threads_do_not_matter(self):
        for jobs in (1, 2, 3):
            store = self.work / f"jobs{jobs}"
            mist("encode", self.work / "source", "-o", store, "--dataset", "d", "-j", jobs)
            for name, path in items_of(store).items():
                self.assertEqual(path.read_bytes(), self.items[name].read_bytes(), (name, jobs))


if __name__ == "__main__":
    unittest.main()
