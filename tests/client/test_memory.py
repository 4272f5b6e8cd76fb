"""Pictures whose decoding would take more memory than is allowed are refused by the catalog's dimensions."""
import json
import pathlib
import tempfile
import unittest
import urllib.request

from PIL import Image

from datasets import Downloads, tree
from servers import Counting, Serve, mist

SIDE = 3000  # a constant one takes 120 bytes, and 54 MB to decode


class Memory(Downloads):
    @classmethod
    def setUpClass(cls):
        cls.base = pathlib.Path(tempfile.mkdtemp(prefix="mist-memory-"))
        source = cls.base / "source"
        source.mkdir()
        Image.new("L", (SIDE, SIDE), 7).save(source / "huge.png")
        Image.new("L", (64, 48), 9).save(source / "small.png")
        cls.store = cls.base / "store"
        mist("encode", source, "-o", cls.store, "--dataset", "ex")

    def test_refused_before_anything_is_fetched(self):
        server = Counting(self.store)
        self.addCleanup(server.stop)
        result = mist("get", f"{server.url}/ex", "-o", self.out, "--max-memory", "20M", "--json", check=1)
        self.assertRegex(result.stderr, r"huge\.png: a picture of 3000 x 3000 takes about 54 MB .* 20 MB .*--max-memory")
        self.assertEqual(server.requests_for("huge.png"), [])
        self.assertEqual(list(tree(self.out)), ["small.png"])
        self.assertEqual(json.loads(result.stdout)["failed"], 1)

    def test_a_plan_refuses_it_too(self):
        small = (self.store / "ex" / "items" / "small.png.mist").stat().st_size
        result = mist("get", self.store / "ex", "--dry-run", "--max-memory", "20M", "--json", check=1)
        self.assertIn("--max-memory", result.stderr)
        self.assertEqual(json.loads(result.stdout)["planned_bytes"], small)

    def test_a_smaller_size_fits(self):
        mist("get", self.store / "ex", "-o", self.out, "--max-memory", "20M", "--size", "750")
        with Image.open(self.out / "huge.png") as image:
            self.assertEqual((image.size, image.getextrema()), ((750, 750), (7, 7)))

    def test_resampled_to_more_than_fits(self):
        result = mist("get", self.store / "ex", "-o", self.out, "--max-memory", "20M", "--exact", "--size", "3000x3000",
                      check=1)
        self.assertIn("2 failed", result.stdout)

    def test_items_themselves_are_not_decoded(self):
        mist("get", self.store / "ex", "-o", self.out, "--max-memory", "20M", "--format", "mist")
        self.assertTrue((self.out / "huge.png.mist").exists())

    def test_by_default_a_quarter_of_the_machine(self):
        mist("get", self.store / "ex", "-o", self.out)
        with Image.open(self.out / "huge.png") as image:
            self.assertEqual((image.size, image.getextrema()), ((SIDE, SIDE), (7, 7)))

    def test_the_host_plans_so(self):
        server = Serve(self.store)
        self.addCleanup(server.stop)
        url = f"{server.url}/v1/datasets/ex/plan"
        with urllib.request.urlopen(f"{url}?max-memory=20000000") as answer:
            rows = [json.loads(line) for line in answer]
        huge = next(row for row in rows if row.get("path") == "huge.png")
        self.assertIn("3000 x 3000", huge["refused"])
        self.assertEqual(huge["bytes"], 0)
        self.assertEqual(rows[-1]["bytes"], next(row for row in rows if row.get("path") == "small.png")["bytes"])
        with self.assertRaises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{url}?max-memory=0")
        self.assertEqual(refused.exception.code, 400)


if __name__ == "__main__":
    unittest.main(verbosity=2)
