"""Columns from the tables of a dataset, and choosing by them and by lists of names: judged by csv, and by hand."""
import csv
import gzip
import json
import pathlib
import shutil
import tempfile
import unittest
import urllib.error
import urllib.parse
import urllib.request

import nibabel
import numpy
import PIL.Image

from datasets import clear, read_catalog, tree
from servers import Serve, mist

FINDINGS = ["No Finding", "Pneumonia", "Cardiomegaly|Pneumonia", "Emphysema|Mass", "Pneumonia|Pneumothorax"]


def png(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    y, x = numpy.mgrid[0:70, 0:66]
    PIL.Image.fromarray(((x * (seed % 7 + 1) + y * 3 + seed) % 256).astype("u1")).save(path)


def nifti(path, seed=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(numpy.arange(8 * 9 * 4).reshape(8, 9, 4).astype("i2") * seed, numpy.eye(4)), path)


def write_csv(path, head, rows, delimiter=","):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows([head, *rows])


class Case(unittest.TestCase):
    def setUp(self):
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="mist-tables-"))
        self.addCleanup(shutil.rmtree, self.base)
        self.source = self.base / "source"
        self.out = self.base / "out"

    def encode(self, *options, check=0):
        result = mist("encode", self.source, "-o", self.base / "store", "--dataset", "d", "--json", *options, check=check)
        self.said = result.stderr
        return json.loads(result.stdout)

    def columns(self):
        return {row["path"]: row.get("columns", {}) for row in read_catalog(self.base / "store/d") if "path" in row}

    def get(self, *options, check=0):
        result = mist("get", self.base / "store/d", "-o", self.out, "--json", *options, check=check)
        self.said = result.stderr
        return json.loads(result.stdout) if result.stdout else None

    def names(self, *options):
        """The files that come."""
        clear(self.out)
        self.get(*options)
        return set(tree(self.out))


class Nih(Case):
    """A folder of pictures, a table by file name with lists of findings, and lists of names."""

    def setUp(self):
        super().setUp()
        self.rows = []
        for i in range(40):
            name = f"{i // 3:08d}_{i % 3:03d}.png"
            png(self.source / "images" / name, i)
            self.rows.append([name, FINDINGS[i % 5], i % 3, i // 3, 20 + 2 * i, "FM"[i % 2]])
        write_csv(self.source / "Data_Entry_2017.csv", ["Image Index", "Finding Labels", "Follow-up #", "Patient ID", "Patient Age", "Sex"], self.rows)
        (self.source / "test_list.txt").write_text("\r\n".join(row[0] for row in self.rows[30:]))
        (self.source / "README").write_text("about")
        (self.source / "notes.bin").write_bytes(b"notes")
        self.come = {"Data_Entry_2017.csv", "README"}  # with whatever is selected

    def expected(self, holds):
        return {f"images/{row[0]}" for row in self.rows if holds(row)} | self.come

    def test_where(self):
        report = self.encode()
        self.assertEqual(report["tables"], [{"path": "Data_Entry_2017.csv", "key": "Image Index", "items": 40, "columns": 6}])
        for path, columns in self.columns().items():
            row = next(row for row in self.rows if path == f"images/{row[0]}")
            self.assertEqual(columns, dict(zip(["Finding Labels", "Follow-up #", "Patient ID", "Patient Age", "Sex"], map(str, row[1:]))))
        for conditions, holds in (
                (["Finding Labels=Pneumonia"], lambda row: "Pneumonia" in row[1].split("|")),
                (["Finding Labels=Cardiomegaly|Pneumonia"], lambda row: row[1] == "Cardiomegaly|Pneumonia"),
                (["Finding Labels!=Pneumonia"], lambda row: "Pneumonia" not in row[1].split("|")),
                (["Patient Age>=80"], lambda row: row[4] >= 80), (["Patient Age<100", "Sex=M"], lambda row: row[4] < 100 and row[5] == "M"),
                (["Patient ID=7"], lambda row: row[3] == 7), (["Patient Age>96.5"], lambda row: row[4] > 96.5)):
            options = [part for condition in conditions for part in ("--where", condition)]
            self.assertEqual(self.names(*options), self.expected(holds), conditions)
        with Running(self.base / "store") as server:
            for query, holds in ((["where=Finding Labels=Pneumonia"], lambda row: "Pneumonia" in row[1].split("|")),
                                 (["where=Patient Age<100", "where=Sex=M"], lambda row: row[4] < 100 and row[5] == "M")):
                lines = server.plan("d", *query)
                self.assertEqual({line.get("path") or line.get("file") for line in lines}, self.expected(holds))
            for query in ("where=Nothing=1", "where==1", "where=Sex", "sample=0", "sample=x", "limit=0", "seed=-1", "limit=99999999999999999999"):
                with self.assertRaises(urllib.error.HTTPError) as refused:
                    server.plan("d", query)
                self.assertEqual(refused.exception.code, 400, query)
                self.assertIn("error", json.loads(refused.exception.read()))

    def test_wrong_conditions(self):
        self.encode()
        for condition, word in (("Nothing=1", "no item has a column 'Nothing'; there is Finding Labels,"), ("=1", "is no condition"), ("Sex", "is no condition")):
            result = mist("get", self.base / "store/d", "-o", self.out, "--where", condition, check=None)
            self.assertIn(result.returncode, (1, 2), condition)
            self.assertIn(word, result.stderr)
        self.assertFalse(self.out.exists() and tree(self.out))

    def test_lists(self):
        self.encode()
        wanted = self.expected(lambda row: row in self.rows[30:])
        self.assertEqual(self.names("--include-from", self.source / "test_list.txt"), wanted)
        names = self.base / "names"
        for lines in ([f"images/{row[0]}" for row in self.rows[30:]], [row[0][:-4] for row in self.rows[30:]],
                      ["", "  "] + [f" {row[0]} " for row in self.rows[30:]]):
            names.write_text("\n".join(lines))
            self.assertEqual(self.names("--include-from", names), wanted)
        names.write_text("\n".join([row[0] for row in self.rows[30:]] + ["nothing.png", "0000"]))
        report = self.get("--include-from", names)
        self.assertEqual(report["unmatched"], 2)
        self.assertRegex(self.said, "2 of the names in --include-from name nothing here: (nothing.png|0000)")
        names.write_text("\n \n")
        self.assertIn("no name in it", mist("get", self.base / "store/d", "-o", self.out, "--include-from", names, check=2).stderr)
        self.assertIn("No such file", mist("get", self.base / "store/d", "-o", self.out, "--include-from", self.base / "none", check=None).stderr)

    def test_samples(self):
        self.encode()
        small, large = self.names("--sample", 5), self.names("--sample", 12)
        self.assertEqual((len(small - self.come), len(large - self.come)), (5, 12))
        self.assertLess(small, large)  # the larger one holds the smaller one
        self.assertEqual(self.names("--sample", 5), small)
        self.assertNotEqual(self.names("--sample", 5, "--seed", 1), small)
        self.assertEqual(self.names("--limit", 4), self.expected(lambda row: row in self.rows[:4]))
        chosen = self.names("--where", "Sex=M", "--sample", 3)
        self.assertEqual(len(chosen - self.come), 3)
        self.assertLess(chosen, self.expected(lambda row: row[5] == "M"))
        with Running(self.base / "store") as server:
            lines = server.plan("d", "sample=5")
            self.assertEqual({line.get("path") or line.get("file") for line in lines}, small)
        self.assertEqual(len(self.names("--sample", 1000)), 40 + len(self.come))

    def test_exclude_wins(self):
        self.encode()
        got = self.names("--where", "Sex=M", "--exclude", "*_000.png", "--exclude", "*.csv")
        self.assertEqual(got, {name for name in self.expected(lambda row: row[5] == "M") if not name.endswith(("_000.png", ".csv"))})

    def test_a_table_changes(self):
        """The columns follow the table, with no picture encoded anew."""
        self.encode()
        self.rows[0][1] = "Hernia"
        write_csv(self.source / "Data_Entry_2017.csv", ["Image Index", "Finding Labels"], [row[:2] for row in self.rows])
        self.assertEqual(self.encode()["items"], 0)
        self.assertEqual(self.columns()[f"images/{self.rows[0][0]}"], {"Finding Labels": "Hernia"})
        mist("index", self.base / "store")  # from the files alone, too
        self.assertEqual(self.columns()[f"images/{self.rows[0][0]}"], {"Finding Labels": "Hernia"})
        (self.source / "Data_Entry_2017.csv").unlink()
        self.encode("--prune")
        self.assertEqual(set(map(str, self.columns().values())), {"{}"})


class Layouts(Case):
    def test_by_directory_and_number(self):
        """BIDS: participants.tsv by the subject's directory; MIMIC: the patient's number behind a letter, gzipped."""
        for i in range(1, 7):
            nifti(self.source / f"sub-{i:02}/anat/sub-{i:02}_T1w.nii.gz")
            nifti(self.source / f"sub-{i:02}/anat/sub-{i:02}_dseg.nii.gz")
        write_csv(self.source / "participants.tsv", ["participant_id", "age", "group"], [[f"sub-{i:02}", 30 + i, "ab"[i % 2]] for i in range(1, 7)], "\t")
        self.encode()
        self.assertEqual(self.columns()["sub-03/anat/sub-03_T1w.nii.gz"], {"participant_id": "sub-03", "age": "33", "group": "b"})
        got = self.names("--where", "group=b")
        self.assertEqual({name for name in got if name.endswith("gz")},
                         {f"sub-{i:02}/anat/sub-{i:02}_{kind}.nii.gz" for i in (1, 3, 5) for kind in ("T1w", "dseg")})
        # A case is an image with its label map.
        self.assertEqual(len({name for name in self.names("--sample", 2) if name.endswith("gz")}), 4)

    def test_mimic(self):
        rows = []
        for subject in (10000032, 10000764, 10000898):
            for study in (1, 2):
                name = f"files/p10/p{subject}/s{subject}{study}/{subject:08x}-{study}.jpg"
                png(self.source / name, study)
                rows.append([f"{subject:08x}-{study}", subject, f"{subject}{study}", "PA" if study == 1 else "LATERAL"])
        for name, data in (("mimic-cxr-2.0.0-metadata.csv.gz", [["dicom_id", "subject_id", "study_id", "ViewPosition"], *rows]),):
            (self.source / name).write_bytes(gzip.compress("\n".join(",".join(map(str, row)) for row in data).encode()))
        self.encode()
        got = {name for name in self.names("--where", "ViewPosition=PA") if name.endswith("jpg")}
        self.assertEqual(got, {f"files/p10/p{row[1]}/s{row[2]}/{row[0]}.jpg" for row in rows if row[3] == "PA"})

    def test_json_and_quoting(self):
        for i in range(4):
            png(self.source / f"a{i}.png", i)
        (self.source / "about.json").write_text(json.dumps([{"file": f"a{i}.png", "note": f"line\n\"{i}\"", "n": i, "gone": None, "yes": True} for i in range(4)]))
        write_csv(self.source / "more.csv", ["name", "comma, and \"quote\"", "plain"], [[f"a{i}", f"x,{i}\r\ny", f"ü{i}"] for i in range(4)])
        self.encode()
        columns = self.columns()["a2.png"]
        self.assertEqual((columns["note"], columns["n"]), ("line\n\"2\"", "2"))
        self.assertEqual((columns["comma, and \"quote\""], columns["plain"]), ("x,2\r\ny", "ü2"))
        self.assertEqual({n for n in self.names("--where", "plain=ü2") if n.endswith("png")}, {"a2.png"})

    def test_two_tables(self):
        for i in range(4):
            png(self.source / f"a{i}.png", i)
        write_csv(self.source / "x.csv", ["file", "split", "score"], [[f"a{i}.png", "train", i] for i in range(4)])
        write_csv(self.source / "y.csv", ["file", "split"], [[f"a{i}.png", "test"] for i in range(4)])
        self.encode()
        self.assertRegex(self.said, r"y\.csv: another table says otherwise of 4 values, as of 'split', and is believed; --table chooses")
        self.assertEqual(self.columns()["a1.png"], {"split": "train", "score": "1"})
        self.encode("--table", "y.csv")
        self.assertEqual(self.columns()["a1.png"], {"split": "test"})
        self.encode()  # remembered
        self.assertEqual(self.columns()["a1.png"], {"split": "test"})
        self.assertEqual({n for n in self.names("--where", "split=test") if n.endswith("csv")}, {"y.csv"})  # it comes along
        self.encode("--table", "z.csv")
        self.assertRegex(self.said, r"z\.csv: there is no such table")

    def test_damaged(self):
        for i in range(4):
            png(self.source / f"a{i}.png", i)
        good = "file,n\n" + "".join(f"a{i}.png,{i}\n" for i in range(4))
        damaged = {"latin.csv": good.replace(",n", ",ä").encode("latin-1"), "cut.csv.gz": gzip.compress(good.encode())[:-12],
                   "quote.csv": good.encode() + b'a1.png,"open', "wide.csv": ("file," + ",".join(f"c{i}" for i in range(2000)) + "\na1.png" + ",1" * 2000).encode(),
                   "nul.csv": good.encode().replace(b"2", b"\0"), "not.json": b'[{"file": "a1.png"', "deep.json": b"[" * 100000, "empty.csv": b"", "head.csv": b"file,n\n"}
        for name, data in damaged.items():
            (self.source / name).write_bytes(data)
        (self.source / "good.csv").write_text(good)
        self.encode()
        self.assertEqual(self.columns()["a3.png"]["n"], "3")
        for line in self.said.splitlines():
            self.assertRegex(line, r"^mist encode: [\w.]+: (no columns are taken from this table: |another table says otherwise).{10,}")
        for name in ("latin.csv", "cut.csv.gz"):
            self.assertIn(f"mist encode: {name}: no columns are taken", self.said)
        self.assertEqual({name: (self.base / "store/d/files" / name).read_bytes() for name in damaged}, damaged)

    def test_many_names(self):
        """A list as long as NIH's: a hash, not a search for each item."""
        for i in range(30):
            png(self.source / f"{i:05}.png", i)
        self.encode()
        names = self.base / "names"
        names.write_text("".join(f"{i:05}.png\n" for i in range(10, 86534)))
        report = self.get("--include-from", names)
        self.assertEqual((report["items"], report["unmatched"]), (20, 86524 - 20))


class Running:
    def __init__(self, store):
        self.store = store

    def __enter__(self):
        self.server = Serve(self.store)
        return self

    def __exit__(self, *_):
        self.server.stop()

    def plan(self, dataset, *query):
        encoded = "&".join("=".join(map(urllib.parse.quote, part.split("=", 1))) for part in query)
        with urllib.request.urlopen(f"{self.server.url}/v1/datasets/{dataset}/plan?{encoded}") as answer:
            return [json.loads(line) for line in answer.read().splitlines()][1:-1]


if __name__ == "__main__":
    unittest.main()
