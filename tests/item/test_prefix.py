# SPDX-License-Identifier: BSD-2-Clause
"""
Prefixes and damage. A prefix that ends where a level ends is that level, one byte less is the level below; every byte
of an item counts, and `mist verify` says of which part it is.
"""
import pathlib
import random
import re
import shutil
import tempfile
import unittest

import reader
import samples
from samples import decode_npy, items_of, mist, np, tool


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = pathlib.Path(tempfile.mkdtemp(prefix="mist-prefix-"))
        cls.expected = samples.write_sources(cls.work / "source")
        mist("encode", cls.work / "source", "-o", cls.work / "store", "--dataset", "d")
        cls.items = items_of(cls.work / "store")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.work)


class Prefixes(Case):
    def sums(self, name, item):
        """XXH3 of all samples at each level, as `mist decode` of the complete item gives them."""
        frames, rows, columns, components = self.expected[name].shape
        sums = []
        for level in range(item.levels):
            step = 1 << (item.levels - 1 - level)
            shape = frames, -(-rows // step), -(-columns // step), components
            sums.append(reader.xxh3(decode_npy(self.items[name], item.levels - 1 - level, shape,
                                               self.work / "npy").tobytes()))
        return sums

    def check_line(self, name, item, sums, line):
        words = line.split()
        size = int(words[0])
        if size < item.head_size:
            self.assertEqual(words[1:], ["refused", "truncated"], f"{name}: {line}")
            return
        levels = sum(end <= size for end in item.ends)
        expected = [str(levels), str(int(size == item.size)), "%016x" % (sums[levels - 1] if levels else 0)]
        self.assertEqual(words[1:], expected, f"{name}, of {item.size} bytes, ends {item.ends}: {line}")

    def test_every_prefix(self):
        """Every size near an end, and many between them."""
        rng = random.Random(1)
        for name, path in self.items.items():
            item = reader.Item(path.read_bytes())
            sums = self.sums(name, item)
            self.assertEqual(len(set(sums)), len(sums))
            near = {e + d for e in (0, 64, item.head_size, *item.ends, item.size) for d in (-2, -1, 0, 1, 2)}
            sizes = sorted(size for size in near | {rng.randrange(item.size) for _ in range(150)} if 0 <= size <= item.size)
            lines = tool("prefixes", path, 0, *sizes)
            self.assertEqual(len(lines), len(sizes))
            for line in lines:
                self.check_line(name, item, sums, line)

    def test_every_size_of_a_small_item(self):
        name = "int16.nii.gz"
        item = reader.Item(self.items[name].read_bytes())
        self.assertGreater(item.levels, 1)
        lines = tool("prefixes", self.items[name], 1)
        self.assertEqual(len(lines), item.size + 1)
        sums = self.sums(name, item)
        for line in lines:
            self.check_line(name, item, sums, line)

    def test_the_program_on_prefixes(self):
        """One byte less than a level is not that level, for info, verify and decode."""
        name = "grey8.png"
        data = self.items[name].read_bytes()
        item, path = reader.Item(data), self.work / "prefix.mist"
        for level, end in enumerate(item.ends):
            path.write_bytes(data[:end])
            reduce = item.levels - 1 - level
            self.assertEqual(tool("info", path)[0].split()[1], str(level + 1))
            self.assertRegex(mist("verify", path).stdout, "good")
            mist("decode", path, "-o", self.work / "out", "--reduce", reduce)
            self.assertEqual((reader.Item(data[:end]).levels_present, reader.Item(data[:end - 1]).levels_present),
                             (level + 1, level))
            path.write_bytes(data[:end - 1])
            self.assertEqual(tool("info", path)[0].split()[1], str(level))
            said = mist("decode", path, "-o", self.work / "out", "--reduce", reduce, check=1).stderr
            self.assertIn(f"holds {level} of {item.levels} levels", said)
        path.write_bytes(data + b"\0")
        self.assertIn("longer", mist("verify", path, check=1).stderr)

    def test_a_boundary_that_is_off_by_one_is_refused(self):
        """Ends that do not fit the map, with the head's checksum right again."""
        data = self.items["int16.nii.gz"].read_bytes()
        item = reader.Item(data)
        path = self.work / "off.mist"
        for level in range(item.levels):
            for change in (-1, 1):
                bad = bytearray(data)
                at = 64 + 8 * level
                bad[at:at + 8] = (item.ends[level] + change).to_bytes(8, "little")
                if level == item.levels - 1:  # the file as long as it then says
                    bad[56:64] = (item.tail_size - change).to_bytes(8, "little")
                bad[8:16] = reader.xxh3(bytes(bad[16:item.head_size])).to_bytes(8, "little")
                path.write_bytes(bad)
                said = mist("verify", path, check=1).stderr
                self.assertRegex(said, f"level {level} does not end where the head says|do not add up")
                self.assertRaises(reader.Refused, reader.Item, bytes(bad))


class Damage(Case):
    def part_of(self, item, offset):
        """What the sentence about a byte must say."""
        if offset < 8:
            return "not a MIST item file"
        if offset < item.head_size:
            return "head|version"
        for level, end in enumerate(item.ends):
            if offset < end:
                return rf"of level {level} in frames (\d+) to (\d+),"
        return "archival tail"

    def check_flips(self, name, path, step):
        item = reader.Item(path.read_bytes())
        lines = tool("flips", path, step)
        self.assertEqual(len(lines), -(-item.size // step))
        for line in lines:
            offset, sentence = line.split(" ", 1)
            offset = int(offset)
            found = re.search(self.part_of(item, offset), sentence)
            self.assertTrue(found, f"{name}, byte {offset} (head {item.head_size}, ends {item.ends}): {sentence}")
            if found.groups():
                level = next(l for l, end in enumerate(item.ends) if offset < end)
                frame = int(np.searchsorted(item.starts[level], offset, side="right")) - 1
                self.assertTrue(int(found[1]) <= frame <= int(found[2]), (name, offset, frame, sentence))
                start, end = map(int, re.search(r"bytes (\d+) to (\d+),", sentence).groups())
                self.assertTrue(start <= offset <= end, sentence)

    def test_every_byte_of_small_items(self):
        for name in ("int16.nii.gz", "tiny.png", "labels/blobs.nii.gz"):
            self.check_flips(name, self.items[name], 1)

    def test_bytes_of_all_items(self):
        for name, path in self.items.items():
            self.check_flips(name, path, max(1, path.stat().st_size // 150) | 1)

    def test_bytes_of_an_item_of_several_chunks(self):
        """A chunk has a megabyte; noise fills three of them at its highest level."""
        source = self.work / "large"
        noise = np.random.default_rng(3).integers(-32768, 32768, (1000, 1100, 2)).astype("i2")
        samples.write_nifti(source / "noise.nii", noise)
        mist("encode", source, "-o", self.work / "large-store", "--dataset", "d")
        path = items_of(self.work / "large-store")["noise.nii"]
        item = reader.Item(path.read_bytes())
        self.assertGreater(len(item.checksums), item.levels + 3)
        self.check_flips("noise.nii", path, path.stat().st_size // 25 | 1)

    def test_the_program_names_the_file_and_the_part(self):
        data = self.items["series/1.2.3.6"].read_bytes()
        item, path = reader.Item(data), self.work / "damaged.mist"
        for arguments in ([], ["--quick"]):
            for offset in (3, 9, 17, 30, 70, item.head_size - 1, *(end - 1 for end in item.ends), item.size - 1):
                bad = bytearray(data)
                bad[offset] ^= 16
                path.write_bytes(bad)
                said = mist("verify", path, *arguments, check=1).stderr
                self.assertRegex(said.splitlines()[0], f"^mist verify: .*damaged.mist.*({self.part_of(item, offset)})")

    def test_a_sample_that_was_never_right(self):
        """Checksums that fit the bytes do not help bytes that are not the original's: the samples' checksum is left."""
        data = bytearray(self.items["grey8.png"].read_bytes())
        other = reader.Item(self.items["grey8.png"].read_bytes())
        work = self.work / "wrong"
        pixels = self.expected["grey8.png"][0, :, :, 0].copy()
        pixels[5, 5] ^= 8
        samples.write_png(work / "source/grey8.png", pixels)
        mist("encode", work / "source", "-o", work / "store", "--dataset", "d")
        wrong = bytearray(items_of(work / "store")["grey8.png"].read_bytes())
        item = reader.Item(bytes(wrong))
        # The tail of the right item behind the head and pixels of the wrong one.
        tail = data[other.ends[-1]:]
        wrong[item.ends[-1]:] = tail
        wrong[56:64] = len(tail).to_bytes(8, "little")
        wrong[item.head_size - 8:item.head_size] = reader.xxh3(tail).to_bytes(8, "little")
        wrong[8:16] = reader.xxh3(wrong[16:item.head_size]).to_bytes(8, "little")
        path = self.work / "wrong.mist"
        path.write_bytes(wrong)
        self.assertIn("good", mist("verify", path, "--quick").stdout)
        self.assertIn("the samples of grey8.png are not those of the original", mist("verify", path, check=1).stderr)


if __name__ == "__main__":
    unittest.main()
