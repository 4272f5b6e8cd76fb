# SPDX-License-Identifier: BSD-2-Clause
"""The worked example of docs/format.md says what is in tests/data/item/example.mist, and `mist` agrees with both."""
import pathlib
import shutil
import tempfile
import unittest

import example
import reader
from samples import items_of, mist, np


class Example(unittest.TestCase):
    def setUp(self):
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="mist-example-"))
        self.data = example.ITEM.read_bytes()

    def tearDown(self):
        shutil.rmtree(self.work)

    def test_the_document_shows_the_bytes_of_the_file(self):
        page = (example.ROOT / "docs" / "format.md").read_text()
        shown = page[page.index(example.START) + len(example.START):page.index(example.END)]
        self.assertEqual(shown, example.section(self.data), "tests/item/example.py --write brings it up to date")

    def test_mist_reads_it(self):
        self.assertIn("good", mist("verify", example.ITEM).stdout)
        item = reader.Item(self.data)
        mist("decode", example.ITEM, "-o", self.work / "npy", "--format", "npy")
        self.assertEqual(reader.xxh3(np.load(next((self.work / "npy").glob("*.npy"))).tobytes()),
                         item.records()[0]["samples"])

    def test_mist_still_writes_it(self):
        """But for what zstd makes of meta and tail, which another version of it may do otherwise."""
        (self.work / "source").mkdir()
        (self.work / "source/rings.png").write_bytes(example.picture())
        mist("encode", self.work / "source", "-o", self.work / "store", "--dataset", "d")
        now = reader.Item(items_of(self.work / "store")["rings.png"].read_bytes())
        then = reader.Item(self.data)
        self.assertEqual(now.meta.data, then.meta.data)
        self.assertEqual(now.data[now.head_size:now.ends[-1]], then.data[then.head_size:then.ends[-1]])
        self.assertEqual(now.records(), then.records())


if __name__ == "__main__":
    unittest.main()
