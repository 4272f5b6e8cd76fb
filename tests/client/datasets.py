"""Datasets for the tests, catalogs of their own making, and what a download has left."""
import json
import pathlib
import shutil
import struct
import subprocess
import tempfile
import unittest

from servers import EXAMPLES, Counting, mist


def tree(root):
    """Every file but those that mist get keeps for itself: path -> content."""
    root = pathlib.Path(root)
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*")
            if p.is_file() and ".mist" not in p.relative_to(root).parts}


def cache_of(out):
    """What mist get keeps beside its output."""
    out = pathlib.Path(out)
    return out.with_name(out.name + ".mist")


def clear(out):
    shutil.rmtree(out, ignore_errors=True)
    shutil.rmtree(cache_of(out), ignore_errors=True)


def held(part, size):
    """The ranges [start, end) that the list behind the item's `size` bytes says are here."""
    data = pathlib.Path(part).read_bytes()[size:]
    if data[:8] != b"MISTpart":
        return []
    count = struct.unpack_from("<Q", data, 16)[0]
    return [struct.unpack_from("<QQ", data, 24 + 16 * i) for i in range(count)]


def kept_bytes(part, size):
    """All bytes of the item, where all are here."""
    assert held(part, size) == [(0, size)], held(part, size)
    return pathlib.Path(part).read_bytes()[:size]


def write_catalog(dataset, lines, items, files):
    header = {"format": "mist-catalog", "version": 2, "dataset": dataset.name, "items": items, "files": files,
              "source_bytes": 0, "item_bytes": 0, "file_bytes": 0, "id": "0" * 16}
    dataset.mkdir(parents=True, exist_ok=True)
    with subprocess.Popen(["zstd", "-q", "-f", "-", "-o", str(dataset / "catalog.jsonl.zst")], stdin=subprocess.PIPE,
                          text=True) as process:
        process.stdin.write(json.dumps(header) + "\n")
        for line in lines:
            process.stdin.write(line + "\n")
    assert process.returncode == 0


def read_catalog(dataset):
    data = subprocess.run(["zstd", "-dcq", str(dataset / "catalog.jsonl.zst")], capture_output=True, check=True).stdout
    return [json.loads(line) for line in data.splitlines()][1:]


class Downloads(unittest.TestCase):
    """`base`, which setUpClass() makes, goes with all that is in it; `out` goes after each test."""

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.base)

    def setUp(self):
        self.out = self.base / "out"

    def tearDown(self):
        clear(self.out)


class Served(Downloads):
    """The chest X-rays are dataset `ex` of `store`; `server` serves it; `right` is what comes of it at `size`."""
    size = "256"

    @classmethod
    def setUpClass(cls):
        cls.base = pathlib.Path(tempfile.mkdtemp(prefix="mist-served-"))
        cls.store = cls.base / "store"
        source = cls.base / "source"
        shutil.copytree(EXAMPLES / "cxr", source / "cxr")
        mist("encode", source, "-o", cls.store, "--dataset", "ex")
        mist("get", cls.store / "ex", "-o", cls.base / "right", "--size", cls.size)
        cls.right = tree(cls.base / "right")

    def setUp(self):
        super().setUp()
        self.server = Counting(self.store)
        self.url = f"{self.server.url}/ex"

    def tearDown(self):
        self.server.stop()
        super().tearDown()

    def get(self, *arguments, check=0, url=None, env=None):
        """The report, or None, and what was said on standard error."""
        result = mist("get", url or self.url, "-o", self.out, "--json", *arguments, check=check, env=env or {})
        return json.loads(result.stdout) if result.stdout else None, result.stderr
