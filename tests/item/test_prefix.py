# SPDX-License-Identifier: BSD-2-Clause
"""
Prefixes, other parts, and damage. A prefix that ends where a level ends is that level, one byte less is the level below; of
any ranges what they hold decodes, and the rest is said not to be here; every byte of an item counts, and `mist verify` says
of which part it is.
"""
import pathlib
import random
import re
import shutil
import subprocess
import tempfile
import unittest

import reader
import samples
import writer
from samples import decode_npy, items_of, mist, np, tool


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = pathlib.Path(tempfile.mkdtemp(prefix="mist-prefix-"))
        cls.expected = samples.write_sources(cls.work / "source")
        mist("encode", cls.work / "source", "-o", cls.work / "store", "--dataset", "d")
        cls.items = items_of(cls.work / "store")
        cls.expected = samples.as_stored(cls.expected, {n: reader.Item(p.read_bytes()) for n, p in cls.items.items()})

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
            near = {e + d for e in (0, 32, item.head_size, *item.range_ends, item.size) for d in (-2, -1, 0, 1, 2)}
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
            self.assertEqual(tool("info", path)[0].split()[2], str(level + 1))
            self.assertRegex(mist("verify", path).stdout, "good")
            mist("decode", path, "-o", self.work / "out", "--reduce", reduce)
            self.assertEqual((reader.Item(data[:end]).levels_present, reader.Item(data[:end - 1]).levels_present),
                             (level + 1, level))
            path.write_bytes(data[:end - 1])
            self.assertEqual(tool("info", path)[0].split()[2], str(level))
            said = mist("decode", path, "-o", self.work / "out", "--reduce", reduce, check=1).stderr
            self.assertIn(f"holds {level} of {item.levels} levels", said)
        path.write_bytes(data + b"\0")
        self.assertIn("longer", mist("verify", path, check=1).stderr)

    def test_a_boundary_that_is_off_by_one_is_refused(self):
        """Lengths that do not add up to the file's size, with the head's checksum right again."""
        data = self.items["int16.nii.gz"].read_bytes()
        item = reader.Item(data)
        path = self.work / "off.mist"
        stream = item.streams[0]
        for coded in range(stream.coded_levels):
            for change in (-1, 1):
                parts = writer.parts_of(item)
                last = len(stream.slots[0]) - 1
                parts["fields"]["map"] = writer.pack_map(
                    item, lambda s, k, t, slot, length: length + change * ((k, slot) == (coded, last)))
                bad = writer.build(**parts)
                path.write_bytes(bad)
                said = mist("verify", path, check=1).stderr
                level = stream.level_of(coded)
                if change < 0 and coded == stream.coded_levels - 1:
                    self.assertRegex(said, "longer than its head says|not those that were stored")
                self.assertNotIn("good", said)
                self.assertTrue(level <= item.levels)
                try:
                    self.assertTrue(reader.Item(bad).damage())
                except reader.Refused:
                    pass


class Pieces(Case):
    """Parts of items as mist_item_open_pieces() takes them."""

    def truth(self, name, item):
        """{(reduce, frame): checksum of its samples}"""
        lines = tool("pieces", self.items[name], f"0:{item.size}")
        self.assertEqual(lines[0], f"{item.levels} 1", name)
        truth = {tuple(map(int, line.split()[:2])): line.split()[2] for line in lines[1:]}
        self.assertEqual(set(truth), {(r, f) for r in range(item.levels) for f in range(item.frames)})
        self.assertTrue(all(len(value) == 16 for value in truth.values()), name)
        return truth

    def check(self, name, item, truth, places):
        """Of these (offset, size) of the file, decode exactly the frames whose chunks are there."""
        data = self.items[name].read_bytes()
        lines = tool("pieces", self.items[name], *(f"{offset}:{size}" for offset, size in places))
        part = reader.Item([(offset, data[offset:offset + size]) for offset, size in places])
        self.assertEqual(lines[0], f"{part.levels_present} {int(part.tail_present)}", (name, places))
        found = {tuple(map(int, line.split()[:2])): line.split()[2] for line in lines[1:]}
        here = {(r, f): all(part.holds(*chunk) for chunk in part.needs(f, r)) for r, f in truth}
        self.assertEqual(found, {key: truth[key] if here[key] else "truncated" for key in truth}, (name, places))
        return sum(here.values()), len(here)

    def test_any_ranges(self):
        """Every subset of the ranges of small items, and many of others'."""
        rng, tried, some = random.Random(2), 0, 0
        for name, path in self.items.items():
            item = reader.Item(path.read_bytes())
            truth, ranges = self.truth(name, item), item.ranges()
            count = len(ranges)
            subsets = range(1 << count) if count <= 3 else [0, *(rng.randrange(1 << count) for _ in range(8))]
            for subset in subsets:
                places = [(0, item.head_size), *(place for i, place in enumerate(ranges) if subset >> i & 1)]
                here, of = self.check(name, item, truth, joined(places))
                tried, some = tried + 1, some + (0 < here < of)
        self.assertGreater(tried, 150)
        self.assertGreater(some, 50)

    def test_chunks_without_bytes_are_always_here(self):
        """Of the even slices, which are empty, the higher level takes nothing: the lower one and the head are enough."""
        name = "labels/between.nii.gz"
        item = reader.Item(self.items[name].read_bytes())
        self.assertEqual((item.levels, item.steps, item.range_of(1, 1)[1]), (2, 1, 0))
        self.assertGreater(item.range_of(0, 0)[1], 0)
        here, _ = self.check(name, item, self.truth(name, item), joined([(0, item.head_size), item.range_of(0, 1)]))
        self.assertEqual(here, 32)  # at both levels

    def test_levels_at_a_slice_step(self):
        """What a client fetches for every 2^s-th slice: of each level one stretch, the classes S .. s."""
        for name in ("levels.nii.gz", "long/1.2.3.7", "steps-4d.nii.gz", "padded.nii.gz", "labels/steps.nii.gz",
                     "labels/long/1.2.3.8", "labels/series.nii.gz", "table-steps.nii.gz"):
            item = reader.Item(self.items[name].read_bytes())
            truth = self.truth(name, item)
            for step in range(item.steps + 1):
                for levels in range(1, item.levels + 1):
                    places, before = [(0, item.head_size)], item.head_size
                    for level in range(levels):
                        end = item.range_ends[level * (item.steps + 1) + item.steps - step]
                        places.append((before, end - before))
                        before = item.ends[level]
                    here, _ = self.check(name, item, truth, joined(places))
                    slices = -(-item.slices // (1 << step)) * item.volumes
                    self.assertEqual(here, slices * levels, (name, step, levels))

    def test_the_ranges_of_frames(self):
        """What mist_item_ranges() says is what those frames take, and no more than the chunks that they touch."""
        rng = random.Random(3)
        for name, path in self.items.items():
            item = reader.Item(path.read_bytes())
            truth = self.truth(name, item)
            for _ in range(6):
                reduce, first = rng.randrange(item.levels), rng.randrange(item.frames)
                count = rng.randint(1, min(4, item.frames - first))
                places = [tuple(map(int, line.split())) for line in tool("ranges", path, first, count, reduce)]
                for (a, size), (b, _) in zip(places, places[1:]):
                    self.assertLess(a + size, b, (name, first, count, reduce, places))
                needed = {p for f in range(first, first + count) for p in item.needs(f, reduce) if p[1]}
                holds = lambda offset, size: any(a <= offset and offset + size <= a + n for a, n in places)
                self.assertTrue(all(holds(*p) for p in needed), (name, first, count, reduce))
                self.assertEqual(sum(size for _, size in places), sum(size for _, size in needed), (name, first, count, reduce))
                self.check(name, item, truth, joined([(0, item.head_size), *places]))

    def test_pieces_that_are_none(self):
        path = self.items["int16.nii.gz"]
        item = reader.Item(path.read_bytes())
        for places in (["5:100"], [f"0:{item.head_size - 1}"], [f"0:{item.head_size}", f"{item.head_size - 1}:5"],
                       [f"0:{item.head_size}", "9:2"], []):
            done = subprocess.run([samples.TOOL, "pieces", path, *places], capture_output=True, text=True, timeout=60)
            self.assertEqual((done.returncode, done.stdout.count("\n")), (1, 1), (places, done.stdout))
            self.assertRegex(done.stdout, "do not ascend|ends within its head", places)


def joined(places):
    """Stretches that touch are one; those of no bytes are left out."""
    return [(offset, len(data)) for offset, data in reader.join([(o, bytes(n)) for o, n in places if n])]


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
        return r"bytes \d+ to \d+, in the archival tail,"

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
                users = {f for f in range(item.frames) if any(o <= offset < o + n for o, n in item.needs(f, 0))}
                self.assertTrue(users and int(found[1]) <= min(users) and max(users) <= int(found[2]),
                                (name, offset, users, sentence))
                start, end = map(int, re.search(r"bytes (\d+) to (\d+),", sentence).groups())
                self.assertTrue(start <= offset <= end, sentence)

    def test_every_byte_of_small_items(self):
        for name in ("int16.nii.gz", "tiny.png", "labels/blobs.nii.gz", "labels/series.nii.gz", "table.nii"):
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
            for offset in (3, 9, 17, 22, 27, 30, 70, item.head_size - 1, *(end - 1 for end in item.ends), item.size - 1):
                bad = bytearray(data)
                bad[offset] ^= 16
                path.write_bytes(bad)
                said = mist("verify", path, *arguments, check=1).stderr
                self.assertRegex(said.splitlines()[0], f"^mist verify: .*damaged.mist.*({self.part_of(item, offset)})")

    def test_a_sample_that_was_never_right(self):
        """Checksums that fit the bytes do not help bytes that are not the original's: the samples' checksum is left."""
        other = reader.Item(self.items["grey8.png"].read_bytes())
        work = self.work / "wrong"
        pixels = self.expected["grey8.png"][0, :, :, 0].copy()
        pixels[5, 5] ^= 8
        samples.write_png(work / "source/grey8.png", pixels)
        mist("encode", work / "source", "-o", work / "store", "--dataset", "d")
        item = reader.Item(items_of(work / "store")["grey8.png"].read_bytes())
        # The tail of the right item behind the head and pixels of the wrong one.
        parts, right = writer.parts_of(item), writer.parts_of(other)
        parts["tail"] = right["tail"]
        for field in ("tail_size", "group 0 content", "group 0 stored"):
            parts["fields"][field] = right["fields"][field]
        wrong = writer.build(**parts)
        path = self.work / "wrong.mist"
        path.write_bytes(wrong)
        self.assertIn("good", mist("verify", path, "--quick").stdout)
        self.assertIn("the samples of grey8.png are not those of the original", mist("verify", path, check=1).stderr)


if __name__ == "__main__":
    unittest.main()
