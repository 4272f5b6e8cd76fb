# SPDX-License-Identifier: BSD-2-Clause
"""mist page: what it writes beside a store's files, again and again, and when it refuses. Browsers look at it in tests/web."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

MIST = os.environ["MIST_PROGRAM"]
SOURCE = pathlib.Path(os.environ["MIST_SOURCE"])


def mist(*arguments):
    return subprocess.run([MIST, *map(str, arguments)], capture_output=True, text=True)


class Page(unittest.TestCase):
    def setUp(self):
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="mist-page-"))
        self.addCleanup(shutil.rmtree, self.work)
        (self.work / "source").mkdir()
        (self.work / "source/a.txt").write_text("a")
        self.store = self.work / "store"
        self.assertEqual(mist("encode", self.work / "source", "-o", self.store, "--dataset", "one", "-q").returncode, 0)

    def test_files(self):
        before = {path: path.stat().st_mtime_ns for path in self.store.rglob("*") if path.is_file() and "sqlite" not in path.name}
        for names in ["one"], ["one", "two"]:
            result = mist("page", self.store)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            self.assertIn("index.html", result.stdout)
            listed = json.loads((self.store / "datasets.json").read_text())["datasets"]
            self.assertEqual([row["dataset"] for row in listed], names)
            index = (self.store / "index.html").read_text()
            self.assertIn('data-store="files"', index)
            self.assertNotIn('"page/', index)
            for file in (SOURCE / "web").iterdir():
                if file.name != "index.html":
                    self.assertEqual((self.store / "mist-page" / file.name).read_bytes(), file.read_bytes())
            for name in "mist.wasm", "j2k.wasm":
                self.assertEqual((self.store / "mist-page" / name).read_bytes()[:4], b"\0asm")
            self.assertEqual(list(self.store.rglob("*.part")), [])
            mist("encode", self.work / "source", "-o", self.store, "--dataset", "two", "-q")
        for path, when in before.items():
            self.assertEqual(path.stat().st_mtime_ns, when, path)
        self.assertEqual(mist("verify", self.store).returncode, 0)
        listed = mist("info", self.store).stdout
        self.assertIn("one:", listed)
        self.assertNotIn("mist-page", listed)

    def test_refusals(self):
        result = mist("page", self.work / "nothing")
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertIn("nothing", result.stderr)
        self.assertEqual(mist("encode", self.work / "source", "-o", self.store, "--dataset", "mist-page", "-q").returncode, 0)
        result = mist("page", self.store)
        self.assertEqual(result.returncode, 1)
        self.assertIn("mist-page", result.stderr)
        self.assertFalse((self.store / "index.html").exists())
        self.assertTrue((self.store / "mist-page/catalog.jsonl.zst").exists())
        self.assertFalse((self.store / "mist-page/page.js").exists())


if __name__ == "__main__":
    if "without mist.wasm" in mist("page", tempfile.gettempdir()).stderr:
        print("skipped: this build has no mist.wasm; scripts/setup installs what it takes")
        sys.exit(77)
    unittest.main()
