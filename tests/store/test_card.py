# SPDX-License-Identifier: BSD-2-Clause
"""What a dataset says of itself, and what is withdrawn from it: judged by reading the published catalog."""
import json
import os
import pathlib
import sys
import unittest

try:
    import numpy as np
    import PIL.Image
    import pydicom
except ImportError as missing:
    print(f"skipped: a judge is not installed: {missing}")
    sys.exit(77)

from test_encode import Case, catalog, mist, tree

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "format"))
import dicom_cases


class Base(Case):
    def picture(self, path, seed=1):
        path = self.source / path
        path.parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray((np.add.outer(np.arange(70), np.arange(66)) * seed % 256).astype("u1")).save(path)

    def run_encode(self, *options, check=0):
        return mist("encode", self.source, "-o", self.store, "--dataset", "d", *options, check=check)

    def card(self):
        return catalog(self.store, "d")[0].get("card", {})


class Card(Base):
    def setUp(self):
        super().setUp()
        self.picture("a.png")

    def write(self, **files):
        for name, text in files.items():
            (self.source / name.replace("__", ".")).write_text(text)

    def test_bids(self):
        self.write(dataset_description__json=json.dumps({"Name": "A study", "BIDSVersion": "1.8.0", "License": "CC0", "Authors": ["A", "B"],
                                                          "ReferencesAndLinks": ["Doe 2020", "other"], "DatasetDOI": "10.1/x"}))
        self.run_encode()
        self.assertEqual(self.card(), {"title": "A study", "licence": "CC0", "citation": "Doe 2020"})

    def test_decathlon_and_text(self):
        """dataset.json comes first; what it does not say, the text files do."""
        self.write(dataset__json=json.dumps({"name": "BRATS", "description": "Gliomas", "reference": "a paper", "licence": "CC-BY-SA 4.0", "release": "2.0 04/05/2018",
                                             "training": [], "labels": {"0": "background"}}),
                   LICENSE="\n  MIT License\n\nmore", README__md="# Other title\n\ntext", CITATION="Someone else\n")
        self.run_encode()
        self.assertEqual(self.card(), {"title": "BRATS", "version": "2.0 04/05/2018", "licence": "CC-BY-SA 4.0", "citation": "a paper", "description": "Gliomas"})
        (self.source / "dataset.json").unlink()
        self.run_encode("--prune")
        self.assertEqual(self.card(), {"title": "Other title", "licence": "MIT License", "citation": "Someone else", "description": "text"})

    def test_citation_file(self):
        self.write(CITATION__cff='cff-version: 1.2.0\ntitle: "The set"\nversion: 3\ndoi: 10.5281/zenodo.1\nlicense: CC-BY-4.0\nauthors:\n  - title: no\n')
        self.run_encode()
        self.assertEqual(self.card(), {"title": "The set", "version": "3", "licence": "CC-BY-4.0", "citation": "The set. 10.5281/zenodo.1"})

    def test_options_come_first_and_are_remembered(self):
        self.write(LICENSE="MIT License")
        self.run_encode("--license", "by agreement", "--citation", "Me 2026", "--title", "T", "--dataset-version", "1.1", "--description", "D")
        said = {"title": "T", "version": "1.1", "licence": "by agreement", "citation": "Me 2026", "description": "D"}
        self.assertEqual(self.card(), said)
        self.run_encode()
        mist("index", self.store)
        self.assertEqual(self.card(), said)
        self.run_encode("--citation", "Me 2027")
        self.assertEqual(self.card(), {**said, "citation": "Me 2027"})
        text = mist("info", self.store).stdout
        for line in ("  T, version 1.1", "  D", "  licence: by agreement", "  please cite: Me 2027"):
            self.assertIn(line + "\n", text)
        self.assertEqual(json.loads(mist("info", self.store, "--json").stdout)["card"], self.card())
        out = self.work / "out"
        text = mist("get", self.store / "d", "-o", out).stdout
        self.assertTrue(text.endswith("licence: by agreement\nplease cite: Me 2027\n"), text)
        self.assertEqual(json.loads(mist("get", self.store / "d", "-o", out, "--json").stdout)["card"], self.card())
        about = json.loads((self.work / "out.mist/d/delivered.json").read_text())
        self.assertEqual((about["licence"], about["citation"]), ("by agreement", "Me 2027"))

    def test_hostile_texts(self):
        """Cut between characters, on one line, without controls; nothing that is no text breaks anything."""
        self.write(README__md="# \x1b[31mred\u202e\n\n" + "ü" * 5000, LICENSE="\n" * 1000)
        (self.source / "CITATION").write_bytes(b"\xff\xfe broken \x00 text\n")
        (self.source / "dataset_description.json").write_text("[" * 100000)
        (self.source / "dataset.json").write_text('{"name": {"a": [1, 2]}, "licence": 7, "reference": [[], "x"], "release": null}')
        self.run_encode()
        card = self.card()
        self.assertEqual((card["title"], card.get("licence")), ("[31mred", None))
        self.assertEqual(card["description"], "ü" * 511)
        self.assertEqual(card["citation"], "?? broken text")
        self.assertNotIn("\x1b", mist("info", self.store).stdout)


class Remove(Base):
    def setUp(self):
        super().setUp()
        for name in ("a.png", "dir/b.png", "dir/c.png", "dir2/d.png"):
            self.picture(name, len(name))
        (self.source / "dir/notes.txt").write_text("notes")
        (self.source / "series").mkdir()
        dicom_cases.axial(self.source / "series")
        self.run_encode()
        self.series, = (path for path in catalog(self.store, "d")[1] if path.startswith("series/"))

    def left(self):
        header, items, files = catalog(self.store, "d")
        on_disk = {p.relative_to(self.store / "d" / kind).as_posix().removesuffix(".mist") for kind in ("items", "files")
                   for p in (self.store / "d" / kind).rglob("*") if p.is_file()}
        self.assertEqual(on_disk, set(items) | set(files))
        self.assertEqual((header["items"], header["files"]), (len(items), len(files)))
        return on_disk

    def test_goes_and_stays_away(self):
        everything = self.left()
        out = self.work / "out"
        mist("get", self.store / "d", "-o", out)
        said = mist("remove", self.store / "d", "dir/b.png", self.series).stdout
        self.assertEqual(said, "2 items and 0 other files withdrawn\n")
        rest = everything - {"dir/b.png", self.series}
        self.assertEqual(self.left(), rest)
        self.assertIn("all good", mist("verify", self.store).stdout)
        said = self.run_encode().stdout
        self.assertIn("6 left out that were withdrawn (mist remove)", said)
        self.assertEqual(self.left(), rest)
        mist("index", self.store)
        self.assertEqual(self.left(), rest)
        mist("get", self.store / "d", "-o", out, "--prune")
        self.assertEqual(set(tree(out)), rest)
        # And back.
        self.assertIn("may be taken in again", mist("remove", self.store / "d", "--undo", "dir/b.png", self.series, "series").stdout)
        self.run_encode()
        self.assertEqual(self.left(), everything)
        self.assertFalse((self.store / "d/withdrawn.txt").exists())

    def test_directories(self):
        """A directory takes what is below it, not what has a longer name."""
        everything = self.left()
        report = json.loads(mist("remove", self.store / "d/", "dir/", "--json").stdout)
        self.assertEqual(report, {"removed": 3, "items": 2, "attachments": 1, "failed": 0, "undone": 0})
        self.assertEqual(self.left(), {path for path in everything if not path.startswith("dir/")})

    def test_what_is_not_there(self):
        everything = self.left()
        for path, sentence in (("nothing.png", "nothing in the dataset is called so"), ("dir/b", "nothing in the dataset is called so"), ("../d/a.png", "nothing"),
                               ("series/i0001.dcm", f"it is one of the files of the item {self.series}, which goes as a whole")):
            self.assertIn(f"mist remove: {path}: {sentence}", mist("remove", self.store / "d", path, check=1).stderr)
        self.assertEqual(self.left(), everything)
        self.assertIn("no dataset 'e'", mist("remove", self.store / "e", "a.png", check=1).stderr)
        self.assertFalse((self.store / "e").exists())
        mist("remove", self.store / "d", check=2)
        self.assertIn("was not withdrawn", mist("remove", self.store / "d", "--undo", "a.png", check=1).stderr)

    def test_stopped_before_the_file_went(self):
        """The list and the catalog know; the file is still there: the same command again takes it away, index does not bring it back."""
        item = self.store / "d/items/a.png.mist"
        data = item.read_bytes()
        mist("remove", self.store / "d", "a.png")
        item.write_bytes(data)
        mist("index", self.store)
        self.assertNotIn("a.png", catalog(self.store, "d")[1])
        mist("remove", self.store / "d", "a.png")
        self.left()

    def test_somebody_else_is_at_it(self):
        import fcntl
        with open(self.store / "d/.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.assertIn("another", mist("remove", self.store / "d", "a.png", check=1).stderr)
        self.assertIn("a.png", self.left())


if __name__ == "__main__":
    unittest.main()
