"""What the host's plan says, what a dry run says and what is transferred: the same to the byte, for all examples."""
import json
import pathlib
import shutil
import tempfile
import unittest
import urllib.parse
import urllib.request

import nibabel
import numpy

from datasets import clear, cache_of, tree
from servers import EXAMPLES, Serve, mist

CHOICES = [{}, {"size": "64"}, {"size": "128x100"}, {"size": "64x64x20"}, {"reduce": "1"}, {"reduce": "2,1"},
           {"spacing": "1.5"}, {"spacing": "2x2x4", "policy": "at-least"}]
FORMS = [{}, {"grid": "center"}, {"format": "npy"}, {"format": "mist"}, {"format": "png"}]
BUDGETS = [{}, {"max-bytes": "900000"}]


class Agreement(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.base = pathlib.Path(tempfile.mkdtemp(prefix="mist-select-"))
        source = cls.base / "source"
        shutil.copytree(EXAMPLES, source)
        (source / "labels").mkdir()
        x, y, z = numpy.meshgrid(*map(numpy.arange, (128, 130, 36)), indexing="ij")
        ball = ((x - 60) ** 2 + (y - 60) ** 2 + 9 * (z - 18) ** 2 < 2000).astype(numpy.uint8)
        nibabel.save(nibabel.Nifti1Image(ball, numpy.diag([1, 1, 2, 1])), source / "labels/ball.nii.gz")
        (source / "broken.png").write_bytes((EXAMPLES / "cxr/00000061_012.png").read_bytes()[:3000])
        mist("encode", source, "-o", cls.base / "store", "--dataset", "ex", check=None)
        cls.server = Serve(cls.base / "store")

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        shutil.rmtree(cls.base)

    def plan(self, asked):
        url = f"{self.server.url}/v1/datasets/ex/plan?{urllib.parse.urlencode(asked)}"
        with urllib.request.urlopen(url) as answer:
            lines = [json.loads(line) for line in answer.read().splitlines()]
        for line in lines[1:-1]:
            if "refused" in line:
                self.assertEqual(line["bytes"], 0)
            elif "path" in line:
                self.assertEqual(sum(end - start for start, end in line["ranges"]), line["bytes"])
        self.assertEqual(sum(line["bytes"] for line in lines[1:-1]), lines[-1]["bytes"])
        return lines[1:-1], lines[-1]["bytes"]

    def get(self, asked, *more, check=0):
        options = [part for name, value in asked.items()
                   for part in ([f"--{name}"] if name == "exact" else [f"--{name}", value])]
        return json.loads(mist("get", f"{self.server.url}/ex", "--json", *options, *more, check=check).stdout)

    def compare(self, asked, transfer):
        rows, planned = self.plan(asked)
        refused = sum("refused" in row for row in rows)
        dry = self.get(asked, "--dry-run", check=int(refused > 0))
        self.assertEqual(dry["failed"], refused)
        self.assertEqual((dry["planned_bytes"], dry["selected_bytes"]), (planned, planned), asked)
        if not transfer:
            return
        out = self.base / "out"
        try:
            done = self.get(asked, "-o", out)
            self.assertEqual((done["fetched_bytes"], done["failed"]), (planned, 0), asked)
            about = json.loads((cache_of(out) / "ex/delivered.json").read_text())
            self.assertEqual((about["dataset"], about["bytes"], about["files"]), ("ex", planned, done["files"]))
            larger = [row for row in rows if "not_reduced" in row]
            self.assertEqual(sum(one["bytes"] for one in done["larger"]), sum(row["bytes"] for row in larger), asked)
            self.assertEqual({one["why"] for one in done["larger"]}, {row["not_reduced"][:159] for row in larger})
        finally:
            clear(out)

    def test_plans(self):
        for choice in CHOICES:
            for form in FORMS:
                for budget in BUDGETS:
                    if not (form.get("format") == "mist" and form.get("grid")):
                        self.compare({**choice, **form, **budget}, False)
        for size in ("64", "100x90", "64x64x30"):
            self.compare({"size": size, "exact": "1"}, False)
        # Slices of a DICOM series between its own have no files: refused by both.
        self.assertEqual(sum("refused" in row for row in self.plan({"size": "64x64x30", "exact": "1"})[0]), 1)
        self.compare({"size": "64x64x30", "exact": "1", "format": "nii"}, False)

    def test_transfers(self):
        for asked in ({}, {"size": "64"}, {"reduce": "2,1"}, {"size": "64", "grid": "center"},
                      {"size": "50", "exact": "1"}, {"size": "64", "format": "npy"}, {"reduce": "1,1", "format": "mist"},
                      {"max-bytes": "900000"}, {"spacing": "2", "format": "png"}):
            self.compare(asked, True)


if __name__ == "__main__":
    unittest.main()
