"""mist encode, index and verify on small trees: what becomes an item, what is kept, what is done again and what not."""
import gzip
import json
import os
import pathlib
import random
import resource
import re
import shutil
import signal
import sqlite3
import struct
import subprocess
import tempfile
import time
import unittest
import zlib

import unprivileged

MIST = os.environ["MIST_PROGRAM"]
EXAMPLES = pathlib.Path(os.environ["MIST_SOURCE"]) / "examples" / "data"


def mist(*arguments, check=None, **options):
    result = subprocess.run([MIST, *map(str, arguments)], capture_output=True, text=True, timeout=120, **options)
    if check is not None and result.returncode != check:
        raise AssertionError(f"mist {arguments} gave {result.returncode}, not {check}:\n{result.stdout}{result.stderr}")
    return result


def unprivileged_mist(*arguments, check):
    result = subprocess.run([*unprivileged.PREFIX, MIST, *map(str, arguments)], capture_output=True, text=True, timeout=120)
    if result.returncode != check:
        raise AssertionError(f"mist {arguments} gave {result.returncode}, not {check}:\n{result.stdout}{result.stderr}")
    return result


def png(path, seed=0, size=100, bits=8, level=-1, regions=False):
    """A grey PNG of smooth noise, or of what label maps have, written here so that nothing else is needed; of level 0
    all have one size."""
    rng = random.Random(seed)
    rows, step = [], bits // 8
    for y in range(size):
        row = bytes((x // 16 * 3 + y // 16) % 5 if regions else (x * y + rng.randrange(16)) & 255 for x in range(size * step))
        rows.append(b"\0" + row)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", size, size, bits, 0, 0, 0, 0)), (b"IDAT", zlib.compress(b"".join(rows), level)),
              (b"IEND", b"")]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(struct.pack(">I", len(body)) + name + body
                                          + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def catalog(store, dataset):
    data = subprocess.run(["zstd", "-dcq", f"{store}/{dataset}/catalog.jsonl.zst"], capture_output=True, check=True)
    lines = [json.loads(line) for line in data.stdout.splitlines()]
    return lines[0], {l["path"]: l for l in lines if "path" in l}, {l["file"]: l for l in lines if "file" in l}


def labels_of(items):
    """{path: why} of the label maps."""
    return {path: row["label"] for path, row in items.items() if "label" in row}


def tree(root):
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in pathlib.Path(root).rglob("*") if p.is_file()}


class Case(unittest.TestCase):
    def setUp(self):
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="mist-encode-"))
        self.source = self.work / "source"
        self.store = self.work / "store"

    def tearDown(self):
        shutil.rmtree(self.work)

    def encode(self, *arguments, check=0):
        result = mist("encode", self.source, "-o", self.store, "--dataset", "d", "--json", *arguments, check=check)
        return json.loads(result.stdout) if result.stdout else None, result.stderr

    def assert_consistent(self):
        """The catalog is what the index knows, what the files are, and what an index made anew says."""
        header, items, files = catalog(self.store, "d")
        self.assertEqual((header["items"], header["files"]), (len(items), len(files)))
        on_disk = {p[len("items/"):-len(".mist")] for p in tree(self.store / "d") if p.startswith("items/")}
        self.assertEqual(on_disk, set(items))
        self.assertEqual({p[len("files/"):] for p in tree(self.store / "d") if p.startswith("files/")}, set(files))
        for path, row in items.items():
            self.assertEqual((self.store / "d" / "items" / (path + ".mist")).stat().st_size, row["size"])
        before = (self.store / "d" / "catalog.jsonl.zst").read_bytes()
        mist("verify", self.store, check=0)
        copy = self.work / "copy"
        shutil.copytree(self.store, copy)
        (copy / "mist.sqlite").unlink()
        mist("index", copy, check=0)
        self.assertEqual((copy / "d" / "catalog.jsonl.zst").read_bytes(), before)
        for name in ["mist.sqlite", "d/catalog.jsonl.zst"]:
            (copy / name).unlink()
        mist("index", copy, check=0)
        if not any("kept" in row for row in files.values()):
            self.assertEqual((copy / "d" / "catalog.jsonl.zst").read_bytes(), before)
        else:  # why an image could not be encoded is nowhere else: that it could not be is
            _, items_again, files_again = catalog(copy, "d")
            self.assertEqual(items_again, items)
            self.assertEqual({name for name, row in files_again.items() if "kept" in row},
                             {name for name, row in files.items() if "kept" in row})
            self.assertEqual([row | {"kept": ""} for row in files_again.values()], [row | {"kept": ""} for row in files.values()])
        shutil.rmtree(copy)
        return items, files


class Encode(Case):
    def test_what_becomes_what(self):
        for name in ["ct-head", "mr-brain", "ct-angiography"]:
            shutil.copytree(EXAMPLES / name, self.source / name)
        png(self.source / "pictures" / "a.png", 1)
        png(self.source / "pictures" / "named-otherwise.txt", 2)
        (self.source / "pictures" / "no-image.png").write_text("just text")
        (self.source / "table.csv").write_text("a,b\n")
        (self.source / "empty").touch()
        report, errors = self.encode(check=1)
        self.assertIn("pictures/no-image.png: it is named like an image, but is none", errors)
        items, files = self.assert_consistent()
        series = [path for path in items if path.startswith("ct-head/")]
        self.assertEqual(len(series), 1)
        self.assertRegex(series[0], r"^ct-head/[0-9.]+$")
        self.assertEqual({f["path"] for f in items[series[0]]["files"]},
                         {f"ct-head/{p.name}" for p in (EXAMPLES / "ct-head").iterdir()})
        self.assertEqual(items[series[0]]["slices"], 6)
        self.assertIn("pictures/named-otherwise.txt", items)
        self.assertNotIn("files", items["pictures/a.png"])
        self.assertEqual(set(files), {"pictures/no-image.png", "table.csv", "empty"})
        self.assertEqual((self.store / "d/files/table.csv").read_bytes(), b"a,b\n")
        labels = labels_of(items)
        self.assertEqual(set(labels), {path for path in items if "/labels/" in path})
        self.assertEqual(set(labels.values()), {"name", "intent"})
        self.assertEqual(report["labels_by"], {why: list(labels.values()).count(why) for why in ("name", "intent")})
        self.assertEqual((report["items"], report["attachments"], report["failed"]), (len(items), 3, 1))

    def test_nothing_is_done_twice(self):
        for i in range(5):
            png(self.source / f"{i}.png", i)
        (self.source / "t.csv").write_text("1")
        self.encode()
        stamps = {p: p.stat().st_mtime_ns for p in self.store.rglob("*") if p.is_file() and "sqlite" not in p.name}
        report, _ = self.encode()
        self.assertEqual((report["items"], report["attachments"], report["unchanged"]), (0, 0, 6))
        self.assertEqual(stamps, {p: p.stat().st_mtime_ns for p in stamps})
        # Touched but the same: still nothing to do, but to note the time.
        os.utime(self.source / "0.png", (1, 1))
        report, _ = self.encode()
        self.assertEqual((report["items"], report["unchanged"]), (0, 6))
        times = {self.store / "d" / name for name in ("catalog.jsonl.zst", "tree.jsonl.zst")}
        self.assertEqual({p for p in stamps if p.stat().st_mtime_ns != stamps[p]}, times)
        self.assertEqual(self.encode()[0]["unchanged"], 6)

    def test_what_changed_is_done_again(self):
        for i in range(3):
            png(self.source / f"{i}.png", i)
        (self.source / "t.csv").write_text("1")
        self.encode()
        _, before, _ = catalog(self.store, "d")
        png(self.source / "1.png", 77, size=120)
        (self.source / "t.csv").write_text("22")
        png(self.source / "new.png", 9)
        report, _ = self.encode()
        self.assertEqual((report["items"], report["attachments"], report["unchanged"]), (2, 1, 2))
        items, files = self.assert_consistent()
        self.assertEqual(items["1.png"]["width"], 120)
        self.assertNotEqual(items["1.png"]["id"], before["1.png"]["id"])
        self.assertEqual(items["0.png"], before["0.png"])
        self.assertEqual(files["t.csv"]["size"], 2)
        # The same size at the same time is taken for the same file; a lost item is not taken for one that is there.
        (self.store / "d/items/0.png.mist").unlink()
        (self.store / "d/files/t.csv").unlink()
        report, _ = self.encode()
        self.assertEqual((report["items"], report["attachments"]), (1, 1))
        self.assert_consistent()

    def test_what_changed_at_the_same_size_is_done_again(self):
        """Another content of as many bytes, at another time: nothing but the bytes themselves tells them apart."""
        png(self.source / "a.png", 1, level=0)
        (self.source / "t.csv").write_text("1")
        self.encode()
        sizes = {p: p.stat().st_size for p in self.source.iterdir()}
        _, before, old_files = catalog(self.store, "d")
        png(self.source / "a.png", 2, level=0)
        (self.source / "t.csv").write_text("2")
        self.assertEqual(sizes, {p: p.stat().st_size for p in self.source.iterdir()})
        for path in sizes:
            os.utime(path, (1000, 1000))
        report, _ = self.encode()
        self.assertEqual((report["items"], report["attachments"], report["unchanged"]), (1, 1, 0))
        items, files = self.assert_consistent()
        self.assertNotEqual(items["a.png"]["id"], before["a.png"]["id"])
        self.assertNotEqual(files["t.csv"]["checksum"], old_files["t.csv"]["checksum"])
        self.assertEqual((self.store / "d/files/t.csv").read_text(), "2")

    def test_a_damaged_catalog_is_written_anew(self):
        png(self.source / "a.png", 1)
        (self.source / "t.csv").write_text("1")
        self.encode()
        path = self.store / "d/catalog.jsonl.zst"
        whole = path.read_bytes()
        middle = len(whole) // 2
        for damaged in [b"", b"x", whole[:-5], whole[:middle] + bytes([whole[middle] ^ 0x55]) + whole[middle + 1:],
                        whole + b"x", b"x" * len(whole)]:
            path.write_bytes(damaged)
            report, _ = self.encode()
            self.assertEqual((report["items"], report["unchanged"]), (0, 2))
            self.assertEqual(path.read_bytes(), whole)

    def test_names_that_files_being_written_have(self):
        """A file that is really called x.part is kept as any other, through every command that sweeps up."""
        names = ["x.part", "deep/y.part", "x", "p.png.part"]
        for name in names[:3]:
            (self.source / name).parent.mkdir(parents=True, exist_ok=True)
            (self.source / name).write_text(name)
        png(self.source / names[3], 1)
        self.encode()
        for again in ["one", "two"]:
            items, files = self.assert_consistent()
            self.assertEqual((set(items), set(files)), ({"p.png.part"}, set(names[:3])))
            for name in files:
                self.assertEqual((self.store / "d/files" / name).read_bytes(), (self.source / name).read_bytes(), name)
            (self.source / "x").write_text(again)  # written anew, beside x.part
            self.encode()
            mist("index", self.store, check=0)

    def test_what_failed_for_want_of_room_is_tried_again(self):
        """A full disk is no property of the source."""
        png(self.source / "small.png", 1)
        png(self.source / "large.png", 2, size=700)
        program = (f"ulimit -f 100; trap '' XFSZ;"
                   f" exec {MIST} encode {self.source} -o {self.store} --dataset d")
        result = subprocess.run(["bash", "-c", program], capture_output=True, text=True, timeout=60)
        self.assertEqual(result.returncode, 1)
        self.assertIn("File too large", result.stderr)
        report, _ = self.encode()
        items, _ = self.assert_consistent()
        self.assertEqual((report["failed"], set(items)), (0, {"small.png", "large.png"}))

    def test_an_image_becomes_none_and_back(self):
        png(self.source / "a.png")
        whole = (self.source / "a.png").read_bytes()
        self.encode()
        (self.source / "a.png").write_bytes(whole[:len(whole) // 2])
        report, errors = self.encode(check=1)
        self.assertIn("a.png", errors)
        self.assertIn("as an attachment", errors)
        self.assertEqual(report["failed"], 1)
        items, files = self.assert_consistent()
        self.assertEqual((list(items), list(files)), ([], ["a.png"]))
        self.assertEqual((self.store / "d/files/a.png").read_bytes(), whole[:len(whole) // 2])
        # Nothing new: named again, not tried again.
        report, errors = self.encode(check=1)
        self.assertIn("a.png", errors)
        self.assertEqual((report["attachments"], report["unchanged"], report["failed"]), (0, 1, 1))
        (self.source / "a.png").write_text("text")
        self.assertEqual(self.encode(check=1)[0]["attachments"], 1)  # it is still called an image
        self.assertEqual(list(self.assert_consistent()[1]), ["a.png"])
        (self.source / "a.png").write_bytes(whole)
        self.encode()
        items, files = self.assert_consistent()
        self.assertEqual((list(items), list(files)), (["a.png"], []))

    def test_one_bad_slice_does_not_cost_the_series(self):
        shutil.copytree(EXAMPLES / "ct-head", self.source / "ct")
        slices = sorted((self.source / "ct").iterdir())
        data = slices[2].read_bytes()
        slices[2].write_bytes(data[:len(data) - 100000])
        report, errors = self.encode(check=1)
        self.assertEqual((report["failed"], report["items"], report["attachments"]), (1, 1, 1))
        self.assertIn(f"ct/{slices[2].name}", errors)
        items, files = self.assert_consistent()
        self.assertEqual(list(files), [f"ct/{slices[2].name}"])
        self.assertEqual(list(items.values())[0]["slices"], 5)
        slices[2].write_bytes(data)
        self.encode()
        items, files = self.assert_consistent()
        self.assertEqual((list(items.values())[0]["slices"], files), (6, {}))

    def test_a_slice_that_ends_early_is_told_of(self):
        """Of the last rows a few are missing: it stays in its series, comes back as it is, and is named."""
        shutil.copytree(EXAMPLES / "ct-head", self.source / "ct")
        cut = sorted((self.source / "ct").iterdir())[2]
        data = cut.read_bytes()[:-1000]
        cut.write_bytes(data)
        report, errors = self.encode()
        items, files = self.assert_consistent()
        (path, row), = items.items()
        self.assertEqual((row["slices"], files, report["failed"]), (6, {}, 0))
        self.assertEqual(errors, f"mist encode: {path}: the last 1000 of 524288 bytes of pixel data are missing: {cut.name}\n")
        mist("get", self.store / "d", "-o", self.work / "out", check=0)
        self.assertEqual((self.work / "out" / "ct" / cut.name).read_bytes(), data)

    def test_images_that_are_no_items_are_named(self):
        """At encode, in the catalog, and by who downloads them at a reduced size."""
        png(self.source / "whole.png")
        png(self.source / "cut.png")
        cut = (self.source / "cut.png").read_bytes()[:-30]
        files = {"cut.png": cut, "empty.nii": b"", "a/slide.SVS": b"II*", "a/x.gif": b"GIF8", "a/y.gif": b"GIF8", "notes.txt": b"x",
                 "a/._whole.png": b"Finder"}
        for name, data in files.items():
            (self.source / name).parent.mkdir(exist_ok=True)
            (self.source / name).write_bytes(data)
        for again in False, True:
            report, errors = self.encode(check=1)
            self.assertEqual((report["failed"], report["unread"]), (2, {"svs": 1, "gif": 2}))
            unread = [] if again else ["a/slide.SVS", "a/x.gif", "a/y.gif"]  # said once, when they are taken in
            self.assertEqual(sorted(line.split(": ")[1] for line in errors.splitlines()), unread + ["cut.png", "empty.nii"])
        _, rows = self.assert_consistent()
        kept = {name: row.get("kept") for name, row in rows.items()}
        self.assertEqual({name for name, why in kept.items() if not why}, {"notes.txt", "a/._whole.png"})
        self.assertEqual(kept["a/x.gif"], "gif files are not read")
        for reduce, larger in ("1", {"svs files are not read": (1, 3), "gif files are not read": (2, 8),
                                     kept["cut.png"]: (1, len(cut)), kept["empty.nii"]: (1, 0)}), ("0", {}):
            got = json.loads(mist("get", self.store / "d", "-o", self.work / ("out" + reduce), "--reduce", reduce, "--json",
                                  check=0).stdout)
            self.assertEqual({one["why"]: (one["files"], one["bytes"]) for one in got["larger"]}, larger)

    def test_twenty_lines_unless_verbose(self):
        many = self.work / "many"
        many.mkdir()
        for i in range(25):
            (many / f"{i:02}.svs").write_bytes(b"no image")
        for option, lines in (([], 21), (["--verbose"], 25), (["-v"], 25)):
            done = subprocess.run([MIST, "encode", many, "-o", self.work / f"store{option}"] + option, capture_output=True, text=True)
            self.assertEqual((done.returncode, len(done.stderr.splitlines())), (0, lines), done.stderr)
            self.assertIn("00.svs: svs files are not read; kept byte for byte as an attachment", done.stderr)
            self.assertEqual("5 more files like these; --verbose names them all" in done.stderr, not option)
            self.assertIn("25 .svs", done.stdout)

    def test_names_as_long_as_file_systems_take(self):
        """They end nothing, and come back; what is too long for an item's file is told."""
        long = {"a" * 251 + ".png": 255, "é" * 125 + ".png": 254, "b" * 241 + ".png": 245, "c" * 255: 255, "d.png": 5}
        for name in long:
            png(self.source / name)
        report, errors = self.encode(check=1)
        self.assertEqual((report["items"], report["attachments"], report["failed"]), (2, 3, 3), errors)
        self.assertRegex(errors, r"a{251}\.png: its name has 255 bytes, and an item's file[^\n]*245")
        for reduce in "0", "1":
            out = self.work / ("long" + reduce)
            mist("get", self.store / "d", "-o", out, "--reduce", reduce, check=0)
            self.assertEqual({path.name for path in out.iterdir() if path.name in long}, set(long))
            for name, length in long.items():
                if length > 245:
                    self.assertEqual((out / name).read_bytes(), (self.source / name).read_bytes())
        self.assertFalse([path for path in self.store.rglob("*.part")])

    def test_a_large_series(self):
        """Large enough to be spooled, in a directory of the store that is not there yet."""
        series = pathlib.Path(os.environ["MIST_SHARED"]) / "data" / "ct-head-philips"
        if not series.exists():
            self.skipTest("no shared data")
        shutil.copytree(series, self.source / "deep" / "ct")
        report, errors = self.encode()
        self.assertEqual((report["items"], report["attachments"]), (1, 0))
        self.assertRegex(errors, r"\Amist encode: [^\n]*tilted by 18\.5 degrees[^\n]*\n\Z")  # the gantry was, and no more
        items, _ = self.assert_consistent()
        self.assertEqual([row["slices"] for row in items.values()], [54])
        self.assertEqual([row["levels"] for row in items.values()], [4])

    def test_directories_in_directories(self):
        """256 deep are walked; what is below is named and left out."""
        deep = self.source
        for depth in range(258):
            deep = deep / "d"
            if depth in (254, 255, 256, 257):
                png(deep / f"{depth}.png", size=20)
        png(self.source / "a.png")
        report, errors = self.encode(check=1)
        items = catalog(self.store, "d")[1]
        self.assertEqual({pathlib.PurePath(path).name for path in items}, {"a.png", "254.png", "255.png"})
        self.assertIn("nested too deeply", errors)

    def test_a_store_inside_of_its_source(self):
        png(self.source / "a.png")
        self.store = self.source / "store"
        for _ in range(2):
            self.encode()
            _, items, files = catalog(self.store, "d")
            self.assertEqual((set(items), files), ({"a.png"}, {}))

    def test_a_stored_item_that_was_cut_is_made_again(self):
        png(self.source / "a.png")
        self.encode()
        path = self.store / "d/items/a.png.mist"
        data = path.read_bytes()
        for end in (len(data) - 1, 0):
            path.write_bytes(data[:end])
            self.encode()
            self.assertEqual(path.read_bytes(), data)

    def test_a_slice_that_moves_to_another_series(self):
        """The item that it leaves is made without it, or goes."""
        first, second = (self.source / name for name in ("a.dcm", "b.dcm"))
        self.source.mkdir(parents=True)
        original = sorted((EXAMPLES / "ct-head").iterdir())[0].read_bytes()
        uid = re.search(rb"1\.3\.46\.670589\.33\.1\.7303547162003802183\.31761132431540865648", original)[0]
        first.write_bytes(original)
        self.encode()
        self.assertEqual(set(catalog(self.store, "d")[1]), {uid.decode()})
        other = uid[:-1] + b"9"
        first.write_bytes(original.replace(uid, other))
        second.write_bytes(original.replace(uid, uid[:-1] + b"7"))
        self.encode()
        items, _ = self.assert_consistent()
        self.assertEqual(set(items), {other.decode(), (uid[:-1] + b"7").decode()})

    def test_prune(self):
        shutil.copytree(EXAMPLES / "ct-head", self.source / "ct")
        for i in range(3):
            png(self.source / f"p/{i}.png", i)
        (self.source / "t.csv").write_text("1")
        self.encode()
        (self.source / "p/1.png").unlink()
        (self.source / "t.csv").unlink()
        gone = sorted((self.source / "ct").iterdir())[0]
        gone.unlink()
        report, _ = self.encode()
        self.assertEqual((report["vanished"], report["removed"], report["items"]), (3, 0, 0))
        self.assertEqual(len(self.assert_consistent()[0]), 4)
        report, _ = self.encode("--prune")
        self.assertEqual((report["vanished"], report["removed"], report["items"]), (2, 2, 1))
        items, files = self.assert_consistent()
        self.assertEqual((len(items), len(files)), (3, 0))
        self.assertEqual([row["slices"] for path, row in items.items() if path.startswith("ct/")], [5])
        shutil.rmtree(self.source / "p")
        self.encode("--prune")
        self.assertFalse((self.store / "d/items/p").exists())

    def test_prune_removes_nothing_when_a_source_cannot_be_read(self):
        png(self.source / "p/1.png")
        png(self.source / "q/2.png")
        self.encode()
        shutil.rmtree(self.source / "p")
        (self.source / "p").symlink_to("/nonexistent/disk")
        report, errors = self.encode("--prune", check=1)
        self.assertEqual((report["vanished"], report["removed"]), (1, 0))
        self.assertIn("nothing was removed", errors)
        self.assertEqual(len(catalog(self.store, "d")[1]), 2)

    def test_links(self):
        png(self.source / "a/1.png")
        (self.source / "a/self").symlink_to(".")
        (self.source / "a/up").symlink_to("..")
        (self.source / "b").symlink_to("a")
        (self.source / "file.png").symlink_to("a/1.png")
        os.mkfifo(self.source / "pipe")
        (self.source / "outside").symlink_to("../..")
        self.store = self.source / "store"  # inside what is encoded
        report, errors = self.encode(check=1)
        self.assertEqual(set(catalog(self.store, "d")[1]), {"a/1.png"})
        out = self.work / "out"
        mist("get", self.store / "d", "-o", out, check=0)
        self.assertEqual({str(p.relative_to(out)): os.readlink(p) for p in out.rglob("*") if p.is_symlink()},
                         {"a/self": ".", "a/up": "..", "b": "a", "file.png": "a/1.png"})
        self.assertEqual(report["failed"], 2)
        self.assertIn("pipe", errors)
        self.assertIn("outside", errors)
        self.encode(check=1)
        self.assertEqual(len(catalog(self.store, "d")[1]), 1)

    def test_labels_by_pattern(self):
        for name in ["a/x_seg.png", "a/x.png", "labelsTr/x.png", "labelsTr/not.png"]:
            png(self.source / name, regions=name != "labelsTr/not.png")
        png(self.source / "a/noise.png")
        report, _ = self.encode()
        by_name = {"labelsTr/x.png": "name", "a/x_seg.png": "name"}
        self.assertEqual(labels_of(catalog(self.store, "d")[1]), by_name)
        self.assertEqual((report["label_maps"], report["labels_by"]), (2, {"name": 2}))
        # What is doubtful is said: a/x.png looks like a label map, labelsTr/not.png is only called one.
        self.assertEqual((report["looks_like_labels"], report["named_like_labels_only"]), (1, 1))
        options = "--labels", "*/x.png", "--labels", "a/noise.png", "--images", "*Tr/*", "--images", "no*"
        report, _ = self.encode(*options)
        items, _ = self.assert_consistent()
        self.assertEqual(labels_of(items), {"a/x_seg.png": "name", "a/x.png": "option", "a/noise.png": "option"})
        self.assertEqual(report["items"], 4)  # labelsTr/not.png was asked about: it is looked at again
        self.assertEqual(self.encode(*options)[0]["items"], 0)

    def test_labels_by_the_names_in_a_dataset(self):
        """Names within the dataset say so; that of the source directory is not one of them."""
        for name in ["labels", "images"]:
            png(self.work / name / "x.png", regions=True)
            png(self.work / name / "labels.png", regions=True)
            png(self.work / name / "deep" / "groundTruth" / "y.png", regions=True)
            expected = {"labels.png": "name", "deep/groundTruth/y.png": "name"}
            for slash in ["", "/"]:
                dataset = name + (slash and "-slash")
                mist("encode", str(self.work / name) + slash, "-o", self.store, "--dataset", dataset, check=0)
                self.assertEqual(labels_of(catalog(self.store, dataset)[1]), expected, dataset)
        mist("encode", self.work / "labels", self.work / "images", "-o", self.store, "--dataset", "both", check=0)
        self.assertEqual(labels_of(catalog(self.store, "both")[1]),
                         {f"{name}/{path}": why for name in ["labels", "images"] for path, why in expected.items()})

    def test_several_sources_and_odd_names(self):
        first, second = self.work / "one" / "x", self.work / "two" / "y"
        png(first / "ä b/1'\"$.png")
        (second / "deep").mkdir(parents=True)
        (second / "deep" / "t").write_text("t")
        (first / os.fsdecode(b"\xff.txt")).write_text("not UTF-8")
        mist("encode", first, second, "-o", self.store, check=0)
        _, items, files = catalog(self.store, "x")
        self.assertEqual((list(items), list(files)), (["x/ä b/1'\"$.png"], ["x/\uf0ff.txt", "y/deep/t"]))
        (self.work / "three" / "x").mkdir(parents=True)
        result = mist("encode", first, self.work / "three" / "x", "-o", self.store, check=1)
        self.assertIn("same base name", result.stderr)
        mist("encode", first, "-o", self.store, "--dataset", "v1", check=2)
        mist("encode", first, check=2)
        self.assertIn("nowhere", mist("encode", self.work / "nowhere", "-o", self.store, check=1).stderr)

    def test_threads_do_not_matter(self):
        for i in range(12):
            png(self.source / f"{i % 3}/{i}.png", i, size=60 + 7 * i, bits=8 if i % 2 else 16)
        self.encode("-j", 1)
        one = tree(self.store / "d")
        self.store = self.work / "second"
        self.encode("-j", 4)
        self.assertEqual(tree(self.store / "d"), one)


class Interrupted(Case):
    def make(self, count):
        for i in range(count):
            png(self.source / f"{i // 10:02}/{i:03}.png", i, size=90)
            (self.source / f"{i // 10:02}/{i:03}.txt").write_text(str(i) * 50)

    def test_killed_and_run_again(self):
        self.make(60)
        reference = self.work / "reference"
        started = time.monotonic()
        mist("encode", self.source, "-o", reference, "--dataset", "d", check=0)
        whole, killed = time.monotonic() - started, 0
        for delay in (whole * share for share in (0.1, 0.3, 0.5, 0.7, 0.9)):  # however busy the machine is
            process = subprocess.Popen([MIST, "encode", self.source, "-o", self.store, "--dataset", "d", "-j", "2"],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(delay)
            killed += process.poll() is None
            process.kill()
            process.wait()
        self.assertGreater(killed, 0)
        # What a run that died in the middle of a write leaves behind.
        for name in ["items/00/000.png.mist.part", ".copy-3", ".probe-0"]:
            path = self.store / "d" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"half")
        with sqlite3.connect(self.store / "mist.sqlite") as database:
            database.execute("UPDATE dataset SET running = 1")
        self.encode()
        self.assertEqual(tree(self.store / "d"), tree(reference / "d"))
        self.assert_consistent()
        self.assertEqual(self.encode()[0]["unchanged"], 120)

    def test_killed_between_catalog_and_index(self):
        """The file is in place, the index still says what it said before. Fine, but only of a run that did not end."""
        self.make(3)
        self.encode()
        with sqlite3.connect(self.store / "mist.sqlite") as database:
            database.execute("UPDATE dataset SET content = content + 1, running = 1")
        mist("verify", self.store, check=0)
        self.assertIn("interrupted", mist("info", self.store).stdout)
        (self.store / "d/files/00/002.txt").write_text("other bytes")
        self.assertIn("mist verify: d: its last 'mist encode'", mist("verify", self.store, check=1).stderr)
        with sqlite3.connect(self.store / "mist.sqlite") as database:
            database.execute("UPDATE dataset SET running = 0")
        problems = mist("verify", self.store, check=1).stderr
        self.assertIn("d/catalog.jsonl.zst: not as the index says", problems)
        self.assertNotIn("its last 'mist encode'", problems)
        mist("index", self.store, check=0)
        mist("verify", self.store, check=0)
        self.assertNotIn("interrupted", mist("info", self.store).stdout)

    def test_asked_to_stop(self):
        self.make(60)
        stopped = False
        for delay in [0.05, 0.03, 0.02, 0.1, 0.2]:
            shutil.rmtree(self.store, ignore_errors=True)
            process = subprocess.Popen([MIST, "encode", self.source, "-o", self.store, "--dataset", "d", "-j", "1"],
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            time.sleep(delay)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
            if process.returncode == 1:
                stopped = True
                self.assertIn("run it again", errors)
                break
        self.assertTrue(stopped, "never caught in time")
        report, _ = self.encode()
        self.assertEqual(report["items"] + report["attachments"] + report["unchanged"], 120)
        self.assert_consistent()

    def test_two_at_a_time(self):
        self.make(60)
        processes = [subprocess.Popen([MIST, "encode", self.source, "-o", self.store, "--dataset", name],
                                      stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
                     for name in ["d", "d", "e", "f"]]
        results = [(p.communicate(timeout=60)[1], p.returncode) for p in processes]
        self.assertEqual([code for _, code in results[2:]], [0, 0])
        for errors, code in results[:2]:
            self.assertTrue(code == 0 or "another" in errors, errors)
        self.assertIn(0, [code for _, code in results[:2]])
        self.assert_consistent_all(["d", "e", "f"])

    def assert_consistent_all(self, names):
        for name in names:
            header, items, files = catalog(self.store, name)
            self.assertEqual((len(items), len(files)), (60, 60))
        mist("verify", self.store, check=0)


class IndexAndVerify(Case):
    def setUp(self):
        super().setUp()
        for i in range(4):
            png(self.source / f"{i}.png", i)
        (self.source / "t.csv").write_text("table")
        self.encode()

    def test_index_follows_the_files(self):
        shutil.copy(self.store / "d/items/0.png.mist", self.store / "d/items/copy.png.mist")
        (self.store / "d/items/1.png.mist").unlink()
        (self.store / "d/items/broken.png.mist").write_bytes(b"nothing")
        whole = (self.store / "d/items/2.png.mist").read_bytes()
        (self.store / "d/items/2.png.mist").write_bytes(whole[:-1])
        result = mist("index", self.store, check=1)
        self.assertIn("broken.png", result.stderr)
        self.assertIn("2.png", result.stderr)
        self.assertEqual(set(catalog(self.store, "d")[1]), {"0.png", "3.png", "copy.png"})
        # Encoding mends it; the copy stays until it is pruned.
        report, _ = self.encode()
        self.assertEqual((report["items"], report["unchanged"], report["vanished"]), (2, 3, 1))
        self.encode("--prune")
        (self.store / "d/items/broken.png.mist").unlink()
        self.assert_consistent()

    def test_encode_after_the_index_was_lost(self):
        (self.store / "mist.sqlite").unlink()
        report, _ = self.encode()
        self.assertEqual(report["items"], 4)
        self.assert_consistent()

    def test_verify_names_what_is_damaged(self):
        path = self.store / "d/items/1.png.mist"
        data = bytearray(path.read_bytes())
        data[-len(data) // 3] ^= 1
        path.write_bytes(data)
        (self.store / "d/files/t.csv").write_text("TABLE")
        (self.store / "d/items/2.png.mist").unlink()
        for arguments in [[], ["--quick"]]:
            result = mist("verify", self.store, *arguments, check=1)
            self.assertNotIn("/proc/", result.stderr, "a person knows no descriptors")
            lines = result.stderr.splitlines()
            for name in ["d/1.png", "d/t.csv", "d/2.png"]:
                self.assertTrue(any(name in line for line in lines), (name, lines))
            self.assertFalse(any("0.png" in line or "3.png" in line for line in lines), lines)
        path.unlink()
        (self.store / "d/catalog.jsonl.zst").write_bytes(b"")
        self.assertIn("catalog.jsonl.zst", mist("verify", self.store, check=1).stderr)

    def test_a_dataset_that_is_gone_is_forgotten(self):
        mist("encode", self.source, "-o", self.store, "--dataset", "e", check=0)
        shutil.rmtree(self.store / "d")
        mist("index", self.store, check=0)
        rows = [json.loads(line) for line in mist("info", self.store, "--json", check=0).stdout.splitlines()]
        self.assertEqual([row["dataset"] for row in rows], ["e"])

    def test_not_a_store(self):
        empty = self.work / "empty"
        empty.mkdir()
        for command in ["index", "verify", "info"]:
            result = mist(command, empty, check=1)
            self.assertIn("empty", result.stderr)
        self.assertEqual(list(empty.iterdir()), [])

    def test_what_the_machine_did_not_let_through_is_tried_again(self):
        """A disk (here: a limit) that has room for the file but not for its item, which is far larger; then it has."""
        first = bytes(v & 255 for x in range(600) for v in (x * 37, 0, x * 91))
        rows = b"\0" + first + 499 * (b"\2" + 600 * b"\0\13\0")  # filter 2: as the row above, but greener
        chunks = [(b"IHDR", struct.pack(">IIBBBBB", 600, 500, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")]
        (self.source / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks))
        limit = 200_000
        arguments = ("encode", self.source, "-o", self.store, "--dataset", "d", "-j", 1)
        told = mist(*arguments, check=1, restore_signals=False,  # without SIGXFSZ, as Python has it
                    preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
        self.assertRegex(told.stderr, "a.png: .*File too large; kept byte for byte as an attachment")
        self.assertEqual((self.store / "d/files/a.png").read_bytes(), (self.source / "a.png").read_bytes())
        mist(*arguments, check=0)
        self.assertGreater((self.store / "d/items/a.png.mist").stat().st_size, limit)
        self.assertFalse((self.store / "d/files/a.png").exists())

    def test_a_read_only_store_can_be_read(self):
        """By one who may not write anything there; and what would write says so."""
        if not unprivileged.stopped_by_modes():
            self.skipTest("nobody at hand is stopped by the modes of files")
        png(self.source / "a.png")
        self.encode()
        before = tree(self.store)
        paths = [self.store, *self.store.rglob("*")]
        modes = {path: path.stat().st_mode for path in paths}
        for path in paths:
            os.chmod(path, modes[path] & ~0o222)
        try:
            for arguments in [("info", self.store), ("info", self.store, "--items"), ("verify", self.store),
                              ("decode", self.store / "d/items/a.png.mist", "-o", self.work / "out"),
                              ("get", self.store / "d", "-o", self.work / "got", "-q")]:
                unprivileged_mist(*arguments, check=0)
            png(self.source / "b.png", 1)
            for arguments in [("encode", self.source, "-o", self.store, "--dataset", "d"), ("index", self.store)]:
                self.assertRegex(unprivileged_mist(*arguments, check=1).stderr, "(?i)read-?only|permission denied")
        finally:
            for path in paths:
                os.chmod(path, modes[path])
        self.assertEqual(tree(self.store), before)


if __name__ == "__main__":
    if not shutil.which("zstd"):
        print("skipped: the judge 'zstd' is not installed")
        raise SystemExit(77)
    unittest.main()
