# SPDX-License-Identifier: BSD-2-Clause
"""A dataset at a size as one tar stream, read by GNU tar, Python's tarfile and libarchive, and by mist get from the folder."""
import hashlib
import io
import json
import pathlib
import shutil
import subprocess
import tarfile
import tempfile
import unittest
import urllib.parse

from hosting import EXAMPLES, Host, mist


def contents(directory):
    return {str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).digest() for path in directory.rglob("*") if path.is_file()}


class Archive(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = pathlib.Path(tempfile.mkdtemp(prefix="mist-archive-"))
        cls.addClassCleanup(shutil.rmtree, cls.work)
        source = cls.work / "source"
        shutil.copytree(EXAMPLES, source)
        odd = source / ("a" * 120) / "ü %2f\nend"
        odd.mkdir(parents=True)
        shutil.copy(source / "mr-brain" / "images" / "hippocampus_001.nii.gz", odd / "x.nii.gz")
        (odd / "empty.txt").write_bytes(b"")
        (source / "notes.bin").write_bytes(bytes(range(256)) * 2)
        mist("encode", source, "-o", cls.work / "store", "--dataset", "demo")
        cls.host = Host(cls.work / "store")
        cls.addClassCleanup(cls.host.stop)

    def archive(self, query):
        status, fields, body = self.host.request("/v1/datasets/demo/archive?" + query)
        self.assertEqual((status, fields["content-type"], fields["content-disposition"]), (200, "application/x-tar", 'attachment; filename="demo.tar"'))
        self.assertEqual(len(body) % 512, 0)
        return body

    def plan(self, query):
        lines = [json.loads(line) for line in self.host.request("/v1/datasets/demo/plan?" + query)[2].splitlines()]
        return lines[1:-1]

    def test_bytes(self):
        """What Python's tarfile finds is the plan's ranges of the store's own files, and zeros."""
        for query in ("size=128", "reduce=0", "reduce=2&include=cxr/*", "size=64&format=nii.gz", "reduce=1,1", "exclude=*"):
            with tarfile.open(fileobj=io.BytesIO(self.archive(query))) as tar:
                names = tar.getnames()
                self.assertEqual(len(names), len(set(names)))
                expected = {}
                for row in self.plan(query):
                    if "path" in row:
                        name, whole = f"items/{row['path']}.mist", (self.work / "store" / "demo" / f"items/{row['path']}.mist").read_bytes()
                        bytes_ = bytearray(len(whole))
                        for start, end in row["ranges"]: # in blocks of tar
                            start, end = start // 512 * 512, len(whole) if len(whole) - end < 512 else -(-end // 512) * 512
                            bytes_[start:end] = whole[start:end]
                    else:
                        name = f"files/{row['file']}"
                        bytes_ = (self.work / "store" / "demo" / name).read_bytes()
                    expected["demo/" + name] = bytes(bytes_)
                for name in ("catalog.jsonl.zst", "tree.jsonl.zst"):
                    if (self.work / "store" / "demo" / name).exists():
                        expected["demo/" + name] = (self.work / "store" / "demo" / name).read_bytes()
                self.assertEqual(set(names), set(expected), query)
                for name in names:
                    self.assertEqual(tar.extractfile(name).read(), expected[name], (query, name))
                    self.assertTrue(tar.getmember(name).mtime > 1.7e9)
        self.assertLess(len(self.archive("size=64&include=cxr/*")), 200000)

    def extract(self, body, *command):
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.work))
        subprocess.run([*command], input=body, cwd=folder, check=True)
        return folder

    def test_mist_get_from_the_folder(self):
        for size in ("128", "4096"):
            mist("get", f"{self.host.url}/demo", "--size", size, "-o", self.work / f"direct-{size}", "-q")
            commands = [["tar", "x"]] + [["bsdtar", "-x", "-f", "-"]] * bool(shutil.which("bsdtar"))
            for command in commands:
                folder = self.extract(self.archive("size=" + size), *command)
                mist("get", folder / "demo", "--size", size, "-o", folder / "out", "-q")
                self.assertEqual(contents(folder / "out"), contents(self.work / f"direct-{size}"))
        folder = self.extract(self.archive("size=128&" + urllib.parse.urlencode({"include": "cxr/*"})), "tar", "x")
        mist("get", folder / "demo", "--size", "128", "--include", "cxr/*", "-o", folder / "out", "-q")
        wanted = {name: digest for name, digest in contents(self.work / "direct-128").items() if name.startswith("cxr/")}
        self.assertEqual(contents(folder / "out"), wanted)
        # Larger than what was taken: said, and nothing half-made is written.
        result = mist("get", folder / "demo", "--size", "1024", "--include", "cxr/*.png", "-o", folder / "large", "-q", check=1)
        self.assertIn("cxr/", result.stderr)
        self.assertEqual(list((folder / "large").rglob("*.png")) if (folder / "large").exists() else [], [])

    def test_wrong_requests(self):
        for query in ("size=0", "hours=1", "size=128&reduce=1", "max-bytes=1", "limit=0", "exact=2", "format=doc"):
            for resource in ("archive", "plan"):
                self.assertEqual(self.host.request(f"/v1/datasets/demo/{resource}?{query}")[0], 400, (resource, query))
        self.assertEqual(self.host.request("/v1/datasets/none/archive")[0], 404)
        self.assertEqual(self.host.request("/v1/datasets/demo/archive", method="HEAD")[0], 200)

    def test_files_that_are_not_as_the_index_says(self):
        store = self.work / "changed"
        for change in (lambda path: path.unlink(), lambda path: path.write_bytes(path.read_bytes()[:-1]),
                       lambda path: path.write_bytes(path.read_bytes()[:8] + bytes(8) + path.read_bytes()[16:])):
            shutil.rmtree(store, ignore_errors=True)
            shutil.copytree(self.work / "store", store)
            change(next((store / "demo" / "items").rglob("00000150_002.png.mist")))
            host = Host(store)
            try:
                curl = subprocess.run(["curl", "-s", "-o", self.work / "cut.tar", f"{host.url}/v1/datasets/demo/archive?size=64"])
                self.assertNotEqual(curl.returncode, 0)
                self.assertNotEqual(subprocess.run(["tar", "tf", self.work / "cut.tar"], capture_output=True).returncode, 0)
                self.assertEqual(host.request("/healthz")[0], 200)
            finally:
                host.stop()


if __name__ == "__main__":
    unittest.main()
