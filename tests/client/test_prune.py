"""mist get, when the host no longer has what it had: what goes with --prune, what never goes, who may take its place."""
import json
import os
import pathlib
import shutil
import sqlite3
import tempfile
import sys
import unittest

import nibabel
import numpy

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "format"))
import dicom_cases
from datasets import Downloads, cache_of, clear, read_catalog, tree, write_catalog
from servers import EXAMPLES, mist

GONE = {"cxr/00000061_012.png", "ct-head/I200", "ct-head/I210", "ct-head/I220", "ct-head/I230", "ct-head/I240",
        "ct-head/I250", "notes/first.txt"}


class Case(Downloads):
    @classmethod
    def setUpClass(cls):
        """The dataset `ex` of `old` has all, that of `new` all but GONE."""
        cls.base = pathlib.Path(tempfile.mkdtemp(prefix="mist-prune-"))
        source = cls.base / "source"
        for name in ["cxr", "ct-head"]:
            shutil.copytree(EXAMPLES / name, source / name)
        (source / "notes").mkdir()
        (source / "notes/first.txt").write_text("first")
        (source / "second.txt").write_text("second")
        mist("encode", source, "-o", cls.base / "old", "--dataset", "ex")
        for path in GONE:
            (source / path).unlink()
        mist("encode", source, "-o", cls.base / "new", "--dataset", "ex")
        cls.old, cls.new = cls.base / "old/ex", cls.base / "new/ex"

    def get(self, url, *arguments, check=0):
        result = mist("get", url, "-o", self.out, "--size", "64", "--json", *arguments, check=check)
        return json.loads(result.stdout) if result.stdout else None, result.stderr

    def counts(self, url, *arguments, check=0):
        report, _ = self.get(url, *arguments, check=check)
        return report["vanished"], report["removed"]

    def made(self, name, rows, *items):
        """A dataset `ex` with these catalog rows; items: (path of an item file, name that the catalog has for it)."""
        dataset = self.base / name / "ex"
        self.addCleanup(shutil.rmtree, dataset.parent)
        rows = sorted(rows, key=lambda row: ("file" in row, row.get("path") or row["file"]))
        write_catalog(dataset, [json.dumps(row) for row in rows], sum("path" in r for r in rows),
                      sum("file" in r for r in rows))
        for source, path in items:
            (dataset / f"items/{path}.mist").parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, dataset / f"items/{path}.mist")
        return dataset


class Prune(Case):
    def test_what_goes(self):
        self.get(self.old)
        before = tree(self.out)
        self.assertLessEqual(GONE, set(before))
        (self.out / "cxr/mine.txt").write_text("not of the dataset")
        # Without --prune: counted, said, left alone.
        self.assertEqual(self.counts(self.new), (len(GONE), 0))
        said = mist("get", self.new, "-o", self.out, "--size", "64").stdout
        self.assertIn(f"; {len(GONE)} files kept that the host no longer has (--prune removes them)\n", said)
        self.assertLessEqual(GONE, set(tree(self.out)))
        # A dry run names them and touches nothing.
        report, _ = self.get(self.new, "--prune", "--dry-run")
        self.assertEqual((report["vanished"], report["removed"], set(report["removed_files"])),
                         (len(GONE), len(GONE), GONE))
        lines = mist("get", self.new, "-o", self.out, "--size", "64", "--prune", "--dry-run").stdout.splitlines()
        self.assertEqual({line for line in lines[:-1]}, {f"would remove {path}" for path in GONE})
        self.assertTrue(lines[-1].endswith(f"; {len(GONE)} files would go"), lines[-1])
        self.assertLessEqual(GONE, set(tree(self.out)))
        # They go, with the directories that this empties and what was fetched of them.
        report, stderr = self.get(self.new, "--prune")
        self.assertEqual((report["vanished"], report["removed"], set(report["removed_files"]), stderr),
                         (len(GONE), len(GONE), GONE, ""))
        self.assertEqual(tree(self.out), {**{p: d for p, d in before.items() if p not in GONE},
                                          "cxr/mine.txt": b"not of the dataset"})
        self.assertEqual({p.name for p in self.out.iterdir()}, {"cxr", "second.txt"})
        items = cache_of(self.out) / "ex/items"
        kept = {p.relative_to(items).as_posix() for p in items.rglob("*") if p.is_file()}
        self.assertEqual(kept, {f"{row['path']}.mist-part" for row in read_catalog(self.new) if "path" in row})
        self.assertEqual(self.counts(self.new, "--prune"), (0, 0))
        said = mist("get", self.new, "-o", self.out, "--size", "64", "--prune").stdout
        self.assertNotIn("host no longer", said)

    def test_summary(self):
        self.get(self.old)
        said = mist("get", self.new, "-o", self.out, "--size", "64", "--prune").stdout
        self.assertIn(f"; {len(GONE)} files removed\n", said)

    def test_what_was_changed_here_stays(self):
        self.get(self.old)
        (self.out / "ct-head/I200").write_bytes(b"mine now")
        touched = self.out / "cxr/00000061_012.png"
        os.utime(touched, ns=(1, touched.stat().st_mtime_ns + 1))
        (self.out / "ct-head/I210").unlink()
        (self.out / "ct-head/I220").unlink()
        (self.out / "ct-head/I220").mkdir()
        dry = self.get(self.new, "--prune", "--dry-run")
        report, stderr = self.get(self.new, "--prune")
        for other, said in [dry, (report, stderr)]:
            self.assertEqual((other["vanished"], other["removed"]), (len(GONE) - 2, len(GONE) - 4))
            self.assertEqual(said, "".join(f"mist get: {path}: the host no longer has it, but it was changed since it "
                                           "was downloaded; it is kept\n"
                                           for path in ["ct-head/I200", "cxr/00000061_012.png"]))
        self.assertEqual((self.out / "ct-head/I200").read_bytes(), b"mine now")
        self.assertTrue(touched.exists() and (self.out / "ct-head/I220").is_dir())
        # From now on they are nobody's but the user's.
        self.assertEqual(self.get(self.new, "--prune")[1], "")
        self.assertEqual(self.counts(self.new), (0, 0))

    def test_what_was_here_before_stays(self):
        """An attachment that was there with the right bytes was not put there by us."""
        (self.out / "notes").mkdir(parents=True)
        (self.out / "notes/first.txt").write_text("first")
        self.get(self.old)
        self.get(self.old)
        report, stderr = self.get(self.new, "--prune")
        self.assertEqual((report["vanished"], report["removed"]), (len(GONE), len(GONE) - 1))
        self.assertIn("notes/first.txt: the host no longer has it, but it may be your own", stderr)
        self.assertEqual((self.out / "notes/first.txt").read_text(), "first")
        # The other way round: what we wrote is ours, however often it is found there again.
        self.get(self.old)
        (self.out / "notes/first.txt").unlink()
        self.get(self.old)
        self.get(self.old)
        self.assertEqual(self.counts(self.new, "--prune"), (len(GONE), len(GONE)))

    def test_filters(self):
        """What the filters leave out has not vanished; what has vanished goes whatever they say."""
        self.get(self.old)
        before = tree(self.out)
        self.assertEqual(self.counts(self.old, "--prune", "--include", "second.txt"), (0, 0))
        self.assertEqual(self.counts(self.old, "--prune", "--exclude", "*"), (0, 0))
        self.assertEqual(tree(self.out), before)
        self.assertEqual(self.counts(self.new, "--prune", "--include", "second.txt"), (len(GONE), len(GONE)))
        self.assertEqual(set(tree(self.out)), set(before) - GONE)

    def test_nothing_goes_when_something_failed(self):
        self.get(self.old)
        row = next(row for row in read_catalog(self.new) if "path" in row)
        broken = self.made("broken", [row, {**row, "path": "nowhere", "files": [{"path": "n.png", "frames": 1}]}],
                           (self.new / f"items/{row['path']}.mist", row["path"]))
        report, stderr = self.get(broken, "--prune", check=1)
        self.assertEqual((report["failed"], report["removed"]), (1, 0))
        self.assertGreater(report["vanished"], len(GONE))
        self.assertIn("mist get: ex: nothing was removed, since not all", stderr)
        self.assertLessEqual(GONE, set(tree(self.out)))
        clear(self.out)
        self.get(broken, check=1)
        self.assertNotIn("nothing was removed", self.get(broken, "--prune", check=1)[1])

    def test_nothing_outside(self):
        """A directory that has become a link: what it leads to is not touched, though it is just as it was left."""
        self.get(self.old)
        outside = self.base / "outside"
        (self.out / "ct-head").rename(outside)
        self.addCleanup(shutil.rmtree, outside)
        (self.out / "ct-head").symlink_to(outside)
        self.assertEqual(self.counts(self.new, "--prune"), (len(GONE) - 6, len(GONE) - 6))
        self.assertEqual(len(tree(outside)), 6)

    def test_links_for_files(self):
        self.get(self.old)
        path = self.out / "ct-head/I200"
        path.rename(self.base / "moved")
        path.symlink_to(self.base / "moved")
        self.assertEqual(self.counts(self.new, "--prune"), (len(GONE) - 1, len(GONE) - 1))
        self.assertTrue(path.is_symlink() and (self.base / "moved").is_file())
        (self.base / "moved").unlink()

    def test_other_datasets_here(self):
        """Each dataset has its own record: one that is empty takes nothing of another's."""
        self.get(self.old)
        before = tree(self.out)
        other = self.base / "empty" / "other"
        self.addCleanup(shutil.rmtree, other.parent)
        write_catalog(other, [], 0, 0)
        self.assertEqual(self.counts(other, "--prune"), (0, 0))
        self.assertEqual(tree(self.out), before)

    def test_other_formats(self):
        self.get(self.old, "--format", "npy")
        made = {path for path in tree(self.out) if path.endswith(".npy")}
        self.get(self.new, "--format", "npy", "--prune")
        left = {f"cxr/{p.stem}.npy" for p in (self.base / "source/cxr").glob("*.png")}
        self.assertEqual({path for path in tree(self.out) if path.endswith(".npy")}, left)
        self.assertLess(left, made)

    def test_items_themselves(self):
        self.get(self.old, "--format", "mist")
        (self.out / "second.mist").write_text("mine")
        items = {f"{row['path']}.mist" for row in read_catalog(self.old) if "path" in row}
        left = {f"{row['path']}.mist" for row in read_catalog(self.new) if "path" in row}
        self.assertLess(left, items)
        self.assertLessEqual(items, set(tree(self.out)))
        # An upgrade is still what we wrote.
        mist("get", self.old, "-o", self.out, "--size", "128", "--format", "mist")
        removed = len(items - left) + 1
        self.assertEqual(self.counts(self.new, "--prune", "--format", "mist"), (removed, removed))
        self.assertEqual(set(tree(self.out)), left | {"second.mist", "second.txt"} |
                         {path for path in tree(self.out) if path.endswith(".csv")})

    def test_a_record_that_was_tampered_with(self):
        """Paths in it that lead outside are not followed."""
        self.get(self.old)
        victim = self.base / "victim"
        victim.write_text("precious")
        about = victim.stat()
        with sqlite3.connect(cache_of(self.out) / "ex/written.sqlite") as database:
            for path in ["../victim", str(victim), "cxr/../../victim", "a\0b", "x" * 2000, "", ".mist/ex/written.sqlite"]:
                database.execute("INSERT INTO file VALUES(?, 2, 'notes/first.txt', ?, ?)",
                                 (path, about.st_size, about.st_mtime_ns))
        database.close()
        self.get(self.new, "--prune")
        self.assertEqual(victim.read_text(), "precious")
        self.assertTrue((cache_of(self.out) / "ex/written.sqlite").exists())
        victim.unlink()


class Claims(Case):
    """Who may write a file that another item has written."""

    def setUp(self):
        super().setUp()
        self.row = next(row for row in read_catalog(self.old) if row.get("path") == "cxr/00000061_012.png")
        self.file = self.row["path"]
        self.item = self.old / f"items/{self.file}.mist"
        self.row["files"] = [{"path": self.file, "frames": 1}]

    def test_one_that_vanished_gives_way(self):
        first = self.made("first", [{**self.row, "path": "zebra"}], (self.item, "zebra"))
        second = self.made("second", [{**self.row, "path": "ape"}], (self.item, "ape"))
        self.get(first)
        report, stderr = self.get(second)
        self.assertEqual((report["files"], report["failed"], stderr), (1, 0, ""))
        # The file is the new one's: it has not vanished with the old one.
        self.assertEqual((report["vanished"], report["removed"]), (0, 0))
        self.assertEqual(self.counts(second, "--prune"), (0, 0))
        self.assertEqual(set(tree(self.out)), {self.file})

    def test_one_that_has_another_content_gives_way(self):
        """The old content's claim, though the new one has not been fetched yet."""
        other = next(row for row in read_catalog(self.old) if row.get("path") == "cxr/00000150_002.png")
        first = self.made("first", [{**self.row, "path": "zebra"}], (self.item, "zebra"))
        second = self.made("second", [{**self.row, "path": "ape"},
                                      {**other, "path": "zebra", "files": [{"path": other["path"], "frames": 1}]}],
                           (self.item, "ape"), (self.old / f"items/{other['path']}.mist", "zebra"))
        self.get(first)
        report, stderr = self.get(second, "--exclude", "zebra")
        self.assertEqual((report["files"], report["failed"], stderr), (1, 0, ""))
        report, stderr = self.get(second)
        self.assertEqual((report["files"], report["failed"], stderr), (1, 0, ""))
        self.assertEqual(set(tree(self.out)), {self.file, other["path"]})

    def test_the_host_still_has_the_file(self):
        """Under another item, which the filters leave out: it stays, converted or not."""
        first = self.made("first", [{**self.row, "path": "zebra"}], (self.item, "zebra"))
        second = self.made("second", [{**self.row, "path": "ape"}], (self.item, "ape"))
        for format in [[], ["--format", "npy"], ["--format", "nii.gz"], ["--format", "j2c"]]:
            self.get(first, *format)
            before = tree(self.out)
            self.assertEqual(len(before), 1)
            self.assertEqual(self.counts(second, "--exclude", "*.png", "--prune", *format), (0, 0))
            self.assertEqual(tree(self.out), before)
            clear(self.out)

    def test_numbered_files(self):
        """Of a volume written as a file a frame: its own numbers are known, others are not."""
        volume = self.base / "volume"
        (volume / "source").mkdir(parents=True)
        self.addCleanup(shutil.rmtree, volume)
        nibabel.save(nibabel.Nifti1Image(numpy.arange(64 * 64 * 3, dtype=numpy.int16).reshape(64, 64, 3), None),
                     volume / "source/v.nii.gz")
        mist("encode", volume / "source", "-o", volume / "store", "--dataset", "ex")
        row, = read_catalog(volume / "store/ex")
        row["files"] = [{"path": "v.nii.gz", "frames": 3}]
        item = volume / "store/ex/items/v.nii.gz.mist"
        first = self.made("first", [{**row, "path": "zebra"}], (item, "zebra"))
        second = self.made("second", [{**row, "path": "ape"}], (item, "ape"))
        self.get(first, "--format", "png")
        self.assertEqual(set(tree(self.out)), {f"v_000{n}.png" for n in (1, 2, 3)})
        keep = ["--exclude", "ape", "--prune", "--format", "png"]
        self.assertEqual(self.counts(second, *keep), (0, 0))
        with sqlite3.connect(cache_of(self.out) / "ex/written.sqlite") as database:
            database.execute("UPDATE file SET path = 'v_0004.png' WHERE path = 'v_0003.png'")
        database.close()
        (self.out / "v_0003.png").rename(self.out / "v_0004.png")
        self.assertEqual(self.counts(second, *keep), (1, 1))
        self.assertEqual(set(tree(self.out)), {"v_0001.png", "v_0002.png"})
        # The item gone altogether: all numbers go.
        empty = self.made("empty", [])
        self.assertEqual(self.counts(empty, "--prune", "--format", "png"), (2, 2))
        self.assertEqual(tree(self.out), {})

    def test_several_forms(self):
        """A file of a form that another run asked for is known by that form: depths of one format are forms, too."""
        volume = self.base / "depths"
        (volume / "source").mkdir(parents=True)
        self.addCleanup(shutil.rmtree, volume)
        nibabel.save(nibabel.Nifti1Image(numpy.arange(64 * 64 * 6, dtype=numpy.int16).reshape(64, 64, 6), None),
                     volume / "source/v.nii.gz")
        mist("encode", volume / "source", "-o", volume / "store", "--dataset", "ex")
        row, = read_catalog(volume / "store/ex")
        row["files"] = [{"path": "v.nii.gz", "frames": 6}]
        item = volume / "store/ex/items/v.nii.gz.mist"
        first = self.made("first", [{**row, "path": "zebra"}], (item, "zebra"))
        second = self.made("second", [{**row, "path": "ape"}], (item, "ape"))
        for depth in (8, 9):
            result = mist("get", first, "-o", self.out, "--format", "png", "--exact", "--size", f"64x64x{depth}")
        self.assertEqual(len(tree(self.out)), 9)
        self.assertEqual(self.counts(second, "--exclude", "ape", "--prune", "--format", "png"), (0, 0))
        self.assertEqual(len(tree(self.out)), 9)
        # Two forms among what has vanished: each file is known by its own.
        nibabel.save(nibabel.Nifti1Image(numpy.arange(64 * 64 * 6, dtype=numpy.int16).reshape(64, 64, 6), None),
                     volume / "source/a.nii.gz")
        mist("encode", volume / "source", "-o", volume / "store", "--dataset", "ex")
        rows = {row["path"]: {**row, "files": [{"path": row["path"], "frames": 6}]} for row in read_catalog(volume / "store/ex")
                if "path" in row}
        both = self.made("both", [{**rows["a.nii.gz"], "path": "yak"}, {**rows["v.nii.gz"], "path": "zebra"}],
                         (item.with_name("a.nii.gz.mist"), "yak"), (item, "zebra"))
        third = self.made("third", [{**rows["v.nii.gz"], "path": "ape"}], (item, "ape"))
        clear(self.out)
        for depth, chosen in ((8, "a.nii.gz"), (9, "v.nii.gz")):
            mist("get", both, "-o", self.out, "--format", "png", "--exact", "--size", f"64x64x{depth}", "--include", chosen)
        self.assertEqual(len(tree(self.out)), 17)
        self.assertEqual(self.counts(third, "--exclude", "ape", "--prune", "--format", "png"), (8, 8))
        self.assertEqual(len(tree(self.out)), 9)

    def test_volumes_of_a_series(self):
        """Files of a series' volumes have suffixes that only its head tells: while the series is there, they are."""
        source = self.base / "series"
        (source / "s/echoes").mkdir(parents=True)
        self.addCleanup(shutil.rmtree, source)
        dicom_cases.echoes(source / "s/echoes")
        mist("encode", source / "s", "-o", source / "store", "--dataset", "ex")
        row, = read_catalog(source / "store/ex")
        item = source / f"store/ex/items/{row['path']}.mist"
        first = self.made("first", [{**row, "path": "zebra"}], (item, "zebra"))
        second = self.made("second", [{**row, "path": "ape"}], (item, "ape"))
        self.get(first, "--format", "nii")
        written = set(tree(self.out))
        self.assertGreater(len([name for name in written if name.endswith(".nii")]), 1)
        self.assertEqual(self.counts(second, "--exclude", "ape", "--prune", "--format", "nii"), (0, 0))
        self.assertEqual(set(tree(self.out)), written)

    def test_a_lost_record(self):
        """Nothing is removed, and it is said; a damaged record, or a half-made one, is made again."""
        database = cache_of(self.out) / "ex/written.sqlite"
        for damage in (b"", b"SQLite format 3\0" + b"x" * 500, None):
            self.get(self.old)
            before = tree(self.out)
            database.unlink() if damage is None else database.write_bytes(damage)
            self.assertEqual(self.get(self.old, "--dry-run")[0]["failed"], 0)
            report, stderr = self.get(self.new, "--prune")
            self.assertEqual((report["vanished"], report["removed"], report["failed"]), (0, 0, 0))
            self.assertIn("nothing is removed", stderr)
            self.assertEqual(set(tree(self.out)), set(before))
            clear(self.out)

    def test_of_two_one_is_refused(self):
        """At different levels too: of one item 1/16 is wanted, of the other, which is small, all."""
        small = self.base / "small"
        self.addCleanup(shutil.rmtree, small)
        self.get(self.old, "--include", self.file)
        mist("encode", self.out, "-o", small, "--dataset", "ex")
        clear(self.out)
        row = next(row for row in read_catalog(small / "ex") if row.get("path") == self.file)
        both = self.made("both", [{**self.row, "path": "ape"},
                                  {**row, "path": "zebra", "files": self.row["files"]}],
                         (self.item, "ape"), (small / f"ex/items/{self.file}.mist", "zebra"))
        report, stderr = self.get(both, check=1)
        self.assertEqual((report["files"], report["failed"]), (1, 1))
        self.assertRegex(stderr, rf"^mist get: (ape|zebra): its file {self.file} is written by (ape|zebra) as well; "
                                 r"it was not written\n$")
        self.assertEqual(self.get(both, check=1)[0]["failed"], 1)


if __name__ == "__main__":
    unittest.main()
