"""Exit codes and units of commands, on a store of two small pictures that needs no judge but arithmetic."""
import json
import os
import pathlib
import random
import shutil
import struct
import subprocess
import tempfile
import unittest
import zlib

MIST = os.environ["MIST_PROGRAM"]


def mist(*arguments, check=0):
    result = subprocess.run([MIST, *map(str, arguments)], capture_output=True, text=True, timeout=60)
    if result.returncode != check:
        raise AssertionError(f"mist {arguments} gave {result.returncode}, not {check}:\n{result.stdout}{result.stderr}")
    return result


def png(path, seed, size=300):
    noise = random.Random(seed)
    rows = b"".join(b"\0" + noise.randbytes(size) for _ in range(size))
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", size, size, 8, 0, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks))


class ExitCodes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = pathlib.Path(tempfile.mkdtemp(prefix="mist-exit-"))
        source = cls.work / "source"
        source.mkdir()
        png(source / "a.png", 1)
        png(source / "b.png", 2)
        (source / "large.bin").write_bytes(bytes(1_234_567))
        cls.store = cls.work / "store"
        mist("encode", source, "-o", cls.store, "--dataset", "d")
        cls.good = cls.store / "d/items/a.png.mist"
        cls.other = cls.store / "d/items/b.png.mist"
        cls.bad = cls.work / "bad.mist"
        data = bytearray(cls.good.read_bytes())
        data[len(data) // 2] ^= 1
        cls.bad.write_bytes(data)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.work)

    def test_verify_fails_if_anything_is_bad(self):
        """Whichever comes last; and all are looked at."""
        missing = self.work / "missing.mist"
        mist("verify", self.good, self.other)
        for order in [(self.bad, self.good), (self.good, self.bad), (self.good, self.bad, self.other),
                      (missing, self.good), (self.good, missing), (self.bad, self.store), (self.store, self.bad)]:
            result = mist("verify", *order, check=1)
            self.assertEqual(result.stdout.count("good"), len(order) - 1)
            self.assertIn(str(missing if missing in order else self.bad), result.stderr)

    def test_a_store_with_something_bad(self):
        store = self.work / "damaged"
        shutil.copytree(self.store, store)
        item = store / "d/items/a.png.mist"
        item.write_bytes(self.bad.read_bytes())
        for options in [], ["--quick"], ["--quiet"]:
            result = mist("verify", store, *options, check=1)
            self.assertIn("a.png", result.stderr)
            self.assertEqual("with problems" in result.stdout, options != ["--quiet"])

    def test_all_levels_but_the_last(self):
        ends = json.loads(mist("info", self.good, "--json").stdout)["ends"]
        part = self.work / "part.mist"
        part.write_bytes(self.good.read_bytes()[:ends[-2]])
        self.assertIn(f"levels 0 to {len(ends) - 2} of {len(ends)}", mist("verify", part).stdout)

    def test_the_last_one_counts(self):
        """Of an option that is given twice and has one value."""
        def planned(*options):
            return json.loads(mist("get", self.store / "d", "--dry-run", "--json", *options).stdout)["planned_bytes"]
        self.assertEqual(planned("--size", "32", "--size", "100"), planned("--size", "100"))
        self.assertNotEqual(planned("--size", "100"), planned("--size", "32"))

    def test_numbers(self):
        for value in ("inf", "nan", "-1", "0", "1e999", "0x", "1 "):
            result = mist("encode", self.work / "source/a.png", "-o", self.work / "x.j2c", "--irreversible", "--base-step", value, check=2)
            self.assertIn("--base-step", result.stderr, value)

    def test_exact_shrinks(self):
        """--exact takes the next larger level unless a policy is given: no picture is blown up."""
        def planned(*options):
            return json.loads(mist("get", self.store / "d", "--dry-run", "--json", *options).stdout)["planned_bytes"]
        larger, closest = planned("--size", "80", "--policy", "at-least"), planned("--size", "80")
        self.assertNotEqual(larger, closest)
        self.assertEqual(planned("--size", "80", "--exact"), larger)
        self.assertEqual(planned("--size", "80", "--exact", "--policy", "closest"), closest)

    def test_a_kilobyte_has_1000_bytes(self):
        text = mist("info", self.store).stdout
        self.assertIn("1 other files (1.2 MB)", text)
        size = self.good.stat().st_size
        self.assertGreater(size, 50_000)
        self.assertIn(f"{size / 1000:.0f} kB" if size >= 99_950 else f"{size / 1000:.1f} kB", mist("info", self.good).stdout)

    def test_units_of_a_budget(self):
        """The first number of units that is enough for full size, and one less."""
        def reduce(budget):
            report = json.loads(mist("get", self.store / "d", "-o", self.work / "out", "--dry-run", "--json",
                                     "--max-bytes", budget, "--include", "*.png").stdout)
            return report["budget_reduce"]
        whole = self.good.stat().st_size + self.other.stat().st_size
        for suffix, unit in [("", 1), ("B", 1), ("kB", 1000), ("k", 1000), ("KiB", 1024)]:
            enough = -(-whole // unit)
            self.assertEqual((reduce(f"{enough}{suffix}"), reduce(f"{enough - 1}{suffix}")), (0, 1), suffix)
        for text in ["0", "-1", "x", "1XB", "1e30", ""]:
            mist("get", self.store / "d", "-o", self.work / "out", "--dry-run", "--max-bytes", text, check=2)


if __name__ == "__main__":
    unittest.main()
