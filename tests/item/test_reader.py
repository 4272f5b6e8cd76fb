# SPDX-License-Identifier: BSD-2-Clause
"""
Items as others see them: tests/item/reader.py, written from docs/ alone, lists the map, takes out every frame's codestream
at every level, and decodes label maps, holes and exact values; OpenJPEG and OpenJPH decode the codestreams, and all of it
together gets what `mist decode` gets.
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


FOUR_AXES = ("steps-4d.nii.gz", "labels/series.nii.gz")


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
        cls.expected = samples.as_stored(cls.expected, {n: reader.Item(p.read_bytes()) for n, p in cls.items.items()})

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.work)

    def open(self, name):
        return reader.Item(self.items[name].read_bytes())

    def test_the_reader_is_independent(self):
        """It uses Python, numpy, libzstd and libxxhash, and nothing of MIST."""
        modules, libraries = set(), 0
        for name in ("reader.py", "reader_values.py", "reader_lattice.py", "reader_pyramid.py"):
            text = (SOURCE / "tests/item" / name).read_text()
            for node in ast.walk(ast.parse(text)):
                modules |= {a.name for a in node.names} if isinstance(node, ast.Import) else set()
                modules |= {node.module} if isinstance(node, ast.ImportFrom) else set()
            self.assertNotIn("libmist", text)
            libraries += text.count("CDLL(")
        self.assertEqual(modules, {"ctypes", "math", "pathlib", "struct", "sys", "numpy", "reader_values",
                                   "reader_lattice", "reader_pyramid"})
        self.assertEqual(libraries, 2)

    def test_every_source_is_an_item(self):
        self.assertEqual(set(self.items), set(self.expected))
        for name, expected in self.expected.items():
            item = self.open(name)
            frames, rows, columns, components = expected.shape
            self.assertEqual((item.frames, item.height, item.width, item.components),
                             (frames, rows, columns, components), name)
            self.assertEqual(item.volumes, 4 if name == "int16-4d.nii" else 2 if name in FOUR_AXES else 1, name)
            self.assertEqual(item.type_name, {"u": "u", "i": "s", "f": "f"}[expected.dtype.kind] +
                             str(8 * expected.dtype.itemsize), name)
            self.assertEqual(item.label, name.startswith("labels/"))
            self.assertEqual(item.extras.get(1), b"name" if item.label else None)
            self.assertEqual(item.centred, name.startswith("sparse"), name)
            self.assertEqual(item.centred, item.stream(reader.PICTURE).coder == reader.PYRAMID, name)
            self.assertEqual(item.damage(), [])
        kinds = {name: self.open(name).values.kind for name in self.items}
        for name, kind in (("int16.nii.gz", "identity"), ("rgb.png", "identity"), ("linear.nii.gz", "linear"),
                           ("int64.nii", "linear"), ("table.nii", "table"), ("holes.nii.gz", "quantised"),
                           ("double.nii", "quantised"), ("wide64.nii", "quantised"), ("colours.npy", "quantised")):
            self.assertEqual(kinds[name], kind, name)
        self.assertEqual({kinds[name] for name in self.items if name.startswith("labels/")}, {"ranks"})
        holes = {name: self.open(name).values.holes for name in self.items}
        self.assertEqual({name for name in holes if holes[name]}, {"holes.nii.gz", "padded.nii.gz", "colours.npy"})

    def test_turned_volumes(self):
        """Planes along the two longest axes of the file; the third one is its shortest."""
        axes = {name: self.open(name).axes for name in self.items}
        self.assertEqual({name for name in axes if axes[name] != [0, 1, 2]}, {"turned.nii.gz", "labels/turned.nii.gz"})
        self.assertEqual((axes["turned.nii.gz"], axes["labels/turned.nii.gz"]), ([0, 2, 1], [1, 2, 0]))

    def test_levels_and_steps(self):
        """As many as section 4 allows, where slices are places in space."""
        seen = set()
        for name in self.items:
            item = self.open(name)
            sides = min(item.width, item.height)
            self.assertEqual(item.levels, max(1, int(np.ceil(np.log2(sides / 32)))), name)
            steps = 0
            while -(-item.slices // (2 << steps)) >= 16:
                steps += 1
            self.assertEqual(item.steps, steps, name)
            seen.add((item.levels > 1, steps, item.volumes > 1, item.stream(reader.PICTURE).coder))
        # Of both coders: levels and no steps, steps, several volumes with steps.
        for coder in (reader.HTJ2K, reader.LATTICE):
            self.assertTrue({(True, 0, False, coder), (False, 2, False, coder), (False, 1, True, coder)} <= seen, seen)
        self.assertIn((True, 1, False, reader.LATTICE), seen)
        self.assertIn((True, 1, False, reader.HTJ2K), seen)

    def test_the_commands_of_the_reader(self):
        item, out = self.items["int16.nii.gz"], self.work / "extracted"
        out.mkdir()
        run = lambda *words: subprocess.run([sys.executable, SOURCE / "tests/item/reader.py", *words], check=True,
                                            capture_output=True, text=True).stdout
        rows = [tuple(map(int, line.split())) for line in run("list", item).splitlines()]
        opened = self.open("int16.nii.gz")
        stream = opened.streams[0]
        self.assertEqual(len(rows), stream.coded_levels * 5)
        self.assertEqual({(level, unit) for _, level, _, unit, *_ in rows}, {(l, f) for l in range(opened.levels) for f in range(5)})
        self.assertEqual(sum(row[5] for row in rows), opened.ends[-1] - opened.head_size)
        run("extract", item, out)
        self.assertEqual({p.name for p in out.iterdir()}, {f"{f}-{l}.j2c" for f in range(5) for l in range(opened.levels)})
        self.assertEqual(run("check", item), "")
        shutil.rmtree(out)
        out.mkdir()
        run("extract", self.items["labels/flat.png"], out)
        expected = self.expected["labels/flat.png"][0]
        self.assertTrue(np.array_equal(np.load(out / "0-1.npy"), expected))
        self.assertTrue(np.array_equal(np.load(out / "0-0.npy"), expected[::2, ::2]))

    def test_info_says_what_the_reader_reads(self):
        coders = {reader.HTJ2K: "htj2k", reader.LATTICE: "lattice", reader.PYRAMID: "pyramid"}
        for name, path in self.items.items():
            item = self.open(name)
            words, ends, ranges, *files = tool("info", path)
            words = words.split()
            self.assertEqual(list(map(int, words[:6])),
                             [item.levels, item.steps, item.levels, 1, item.head_size, item.size], name)
            self.assertEqual(words[6:], ["%016x" % item.id, item.extras.get(1, b"-").decode(), coders[item.streams[0].coder]])
            self.assertEqual([list(map(int, ends.split())), list(map(int, ranges.split()))], [item.ends, item.range_ends], name)
            first = 0
            for line, (file, frames) in zip(files, item.files, strict=True):
                self.assertEqual(line, f"{first} {frames} {file}")
                first += frames

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
            expected = {key: getattr(item, key) for key in
                        ("format", "precision", "width", "height", "slices", "components", "source_bytes", "levels")}
            expected |= {"path": line["path"], "type": item.type_name, "head_end": item.head_size,
                         "ends": item.range_ends, "size": item.size, "id": "%016x" % item.id}
            optional = {"volumes": (item.volumes, 1), "steps": (item.steps, 0), "axes": (item.axes, [0, 1, 2]),
                        "label": (item.extras.get(1, b"").decode(), ""), "kept": (item.extras.get(2, b"").decode(), ""),
                        "centred": (item.centred, False), "spacing": (item.spacing, [0, 0, 0]),
                        "files": ([{"path": f, "frames": n} for f, n in item.files], [{"path": line["path"], "frames": item.frames}])}
            expected |= {key: value for key, (value, usual) in optional.items() if value != usual}
            self.assertEqual(line, expected)
        named += b"\0"
        attachments = {"a/t.csv": b"x,y\n", "empty": b""}
        for line, (path, content) in zip(files, attachments.items(), strict=True):
            named += path.encode() + b"\0" + struct.pack("<QQ", len(content), reader.xxh3(content))
            self.assertEqual(line, {"file": path, "size": len(content), "checksum": "%016x" % reader.xxh3(content)})
        self.assertEqual(header.pop("tree"), self.the_tree_list(root, sorted([*attachments] + [f["path"] for l in items for f in l.get("files", [l])])))
        self.assertEqual(header, {
            "format": "mist-catalog", "version": 2, "dataset": "c", "items": len(items), "files": 2,
            "source_bytes": sum(l["source_bytes"] for l in items), "item_bytes": sum(l["size"] for l in items),
            "file_bytes": 4, "id": "%016x" % reader.xxh3(named)})

    def the_tree_list(self, root, paths):
        """Section 13: what the catalog's first line is to say of it."""
        data = (root / "tree.jsonl.zst").read_bytes()
        head, *lines = map(json.loads, subprocess.run(["zstd", "-dc"], input=data, capture_output=True, check=True).stdout.splitlines())
        self.assertEqual([l["path"] for l in lines], sorted((l["path"] for l in lines), key=str.encode))
        files = [l for l in lines if not l.get("directory") and "target" not in l]
        self.assertEqual(sorted(l["path"] for l in files), paths)
        for line in files:
            self.assertEqual(set(line), {"path", "mode", "mtime"})
        counts = {"files": len(files), "directories": sum("directory" in l for l in lines), "empty": sum("empty" in l for l in lines),
                  "links": sum("target" in l for l in lines)}
        self.assertEqual(head, {"format": "mist-tree", "version": 1, **counts})
        return {"size": len(data), "checksum": "%016x" % reader.xxh3(data), **counts}

    def coded(self, name, item, frame, level):
        """The frame's coded plane of this level by both judges, of its codestream alone and cut."""
        reduce = item.levels - 1 - level
        coded = None
        for kind, skip in {"alone": 0, "cut": reduce}.items():
            data = item.codestream(frame, level, standalone=kind == "alone")
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
        return coded

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
                for frame in {0, 1 % frames, frames // 2, frames - 1}:
                    htj2k = item.stream(reader.PICTURE).coder == reader.HTJ2K
                    coded = self.coded(name, item, frame, level) if htj2k else None
                    values = item.samples(frame, reduce, coded)
                    self.assertEqual(values.dtype, expected.dtype.newbyteorder("<"), name)
                    self.assertEqual(values.tobytes(), truth[frame].astype(values.dtype).tobytes(),
                                     f"{name}, frame {frame}, {level}")
                step = 1 << reduce
                if item.label:
                    self.assertEqual(truth.tobytes(), expected[:, ::step, ::step].tobytes())
                if expected.dtype.kind == "f":  # holes are sampled, and nothing else becomes one
                    where = ~np.isfinite(expected[:, ::step, ::step])
                    self.assertTrue(np.array_equal(~np.isfinite(truth), where), name)
                    self.assertEqual(truth[where].tobytes(), expected[:, ::step, ::step][where].tobytes(), name)
        self.assertGreater(self.seen, 60)

    def test_reduced_levels_are_like_the_image(self):
        """Values, not bit patterns, are averaged: a reduced level stays within some per cent of the range of what it shows."""
        for name in ("linear.nii.gz", "table.nii", "double.nii", "holes.nii.gz", "int64.nii", "wide64.nii", "int16.nii.gz"):
            expected = self.expected[name]
            shape = (len(expected), reduced(expected.shape[1], 1), reduced(expected.shape[2], 1), 1)
            truth = decode_npy(self.items[name], 1, shape, self.work / "npy").astype("f8")
            full = expected[:, ::2, ::2].astype("f8")
            known = np.isfinite(full)
            span = full[known].max() - full[known].min()
            far = np.abs(truth[known] - full[known]) / span
            self.assertLess(far.max(), 0.15, name)
            self.assertLess(far.mean(), 0.04, name)

    def test_steps_are_every_other_slice(self):
        """What export writes at a slice step is every 2^s-th slice of each volume of the complete item."""
        seen = 0
        for name, expected in self.expected.items():
            item = self.open(name)
            for step in range(1, item.steps + 1):
                for reduce in {0, item.levels - 1}:
                    out = self.work / "step"
                    tool("export", self.items[name], out, f"{reduce},{step}", "native", "npy")
                    path = next(out.rglob("*.npy"))
                    got, shape = np.load(path), (reduced(expected.shape[1], reduce), reduced(expected.shape[2], reduce), 1)
                    whole = decode_npy(self.items[name], reduce, (item.volumes, item.slices, *shape), self.work / "npy")
                    self.assertEqual(got.tobytes(), whole[:, ::1 << step].tobytes(), (name, reduce, step))
                    shutil.rmtree(out)
                    seen += 1
        self.assertGreater(seen, 6)

    def test_codestreams_of_mist_are_those_of_the_reader(self):
        """`mist decode --format j2c` writes the same bytes as are put together here by the document."""
        for name in ("grey8.png", "rgb.png", "series/1.2.3.6", "int16-4d.nii", "levels.nii.gz"):
            item = self.open(name)
            for reduce in range(item.levels):
                out = self.work / "j2c"
                mist("decode", self.items[name], "-o", out, "--reduce", reduce, "--format", "j2c")
                found = sorted(out.rglob("*.j2c"))
                self.assertEqual(len(found), item.frames)
                if len(item.files) == item.frames:  # a file each: in the order of the frames
                    found = [out / (os.path.splitext(path)[0] + ".j2c") for path, _ in item.files]
                for frame, path in enumerate(found):
                    self.assertEqual(path.read_bytes(), item.codestream(frame, item.levels - 1 - reduce),
                                     (name, reduce, frame))
                shutil.rmtree(out)

    def test_samples_that_no_codestream_holds(self):
        for name in ("int64.nii", "wide64.nii", "double.nii"):
            said = mist("decode", self.items[name], "-o", self.work / "j2c", "--format", "j2c", check=1).stderr
            self.assertRegex(said, "(s64|f64) samples do not fit into a codestream", name)

    def test_reduced_codestreams_of_labels(self):
        """Made anew, of every 2^r-th sample."""
        for name in ("labels/blobs.nii.gz", "labels/flat.png"):
            for reduce in range(self.open(name).levels):
                out = self.work / "labels-j2c"
                mist("decode", self.items[name], "-o", out, "--reduce", reduce, "--format", "j2c")
                frames = sorted(out.rglob("*.j2c"))
                self.assertEqual(len(frames), len(self.expected[name]))
                for frame, path in enumerate(frames):
                    got, said = judges.openjpeg(str(path), 1)
                    self.assertIsNotNone(got, said)
                    self.assertTrue(np.array_equal(got, self.expected[name][frame, ::1 << reduce, ::1 << reduce]))
                shutil.rmtree(out)

    def test_the_tail_gives_the_sources_back(self):
        """By section 9: prefix, samples, suffix are the content of the source file, and its checksums hold."""
        import gzip
        raw = 0
        for name, expected in self.expected.items():
            item, frame = self.open(name), 0
            for (file, count), record in zip(item.files, item.records(), strict=True):
                pixels = expected[frame:frame + count]
                frame += count
                data = (self.work / "source" / file).read_bytes()
                data = gzip.decompress(data) if file.endswith(".gz") else data
                self.assertEqual(record["samples"], reader.xxh3(pixels.tobytes()), name)
                self.assertEqual((record["content"], record["size"]), (reader.xxh3(data), len(data)), name)
                if record["raw"]:
                    raw += 1
                    body = samples.turn(pixels, item.axes, min(item.slices, count), back=True)
                    body = body.astype(body.dtype.newbyteorder(">")) if record["big_endian"] else body
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
