# SPDX-License-Identifier: BSD-2-Clause
"""Value maps: planes of integers become samples again, with numpy, from docs/values.md alone."""
import numpy as np

TYPES = ("u1", "i1", "u2", "i2", "u4", "i4", "f2", "f4", "f8", "i8", "u8")  # by number, as format.md has them
NAMES = ("u8", "s8", "u16", "s16", "u32", "s32", "f16", "f32", "f64", "s64", "u64")
KINDS = ("identity", "linear", "table", "quantised", "ranks")


class Refused(Exception):
    """The file breaks a rule of the format."""


def must(condition, what):
    if not condition:
        raise Refused(what)


def svarint(reader):
    z = reader.varint()
    return z >> 1 ^ -(z & 1)


def real(reader):
    value = np.frombuffer(reader.varint().to_bytes(8, "big"), "<f8")[0]
    must(np.isfinite(value), "a or b")
    return value


def order(patterns, dtype):
    """Order codes of patterns, both unsigned."""
    kind, bits = np.dtype(dtype).kind, 8 * np.dtype(dtype).itemsize
    top = patterns.dtype.type(1 << (bits - 1))
    if kind == "u":
        return patterns
    return np.where(patterns & top, ~patterns, patterns | top) if kind == "f" else patterns ^ top


def unorder(codes, dtype):
    kind, bits = np.dtype(dtype).kind, 8 * np.dtype(dtype).itemsize
    top = codes.dtype.type(1 << (bits - 1))
    if kind == "u":
        return codes
    return np.where(codes & top, codes ^ top, ~codes) if kind == "f" else codes ^ top


def to_type(value, dtype):
    """(type)v of binary64 numbers."""
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        largest = np.float64(np.finfo(dtype).max)
        return np.clip(value, -largest, largest).astype(dtype)
    limits = np.iinfo(dtype)
    whole = [min(max(int(v), limits.min), limits.max) for v in np.rint(np.clip(value, -1e300, 1e300)).ravel()]
    return np.array(whole, dtype).reshape(value.shape)


def unfold(content, counts, dtype):
    """Folded integers of classes of `counts` numbers, by class and by bytes -> what was folded, class after class."""
    size, at, parts = np.dtype(dtype).itemsize, 0, []
    for count in counts:
        planes = np.frombuffer(content, "u1", count * size, at).reshape(size, count)
        parts.append(np.ascontiguousarray(planes.T).view(f"<u{size}").ravel())
        at += count * size
    folded = np.concatenate(parts) if parts else np.zeros(0, dtype)
    one = folded.dtype.type(1)
    return np.where(folded & one, ~(folded >> one), folded >> one)


class ValueMap:
    def __init__(self, reader, components):
        first, second = reader.take(2)
        must(first & 7 < len(KINDS) and first >> 3 & 15 < len(TYPES), "kind or type of the value map")
        self.kind, self.type = KINDS[first & 7], first >> 3 & 15
        self.dtype = np.dtype("<" + TYPES[self.type])
        self.bits = 8 * self.dtype.itemsize
        self.precision, self.signed, self.remainder = (second & 31) + 1, bool(second & 32), bool(second & 64)
        self.components, self.pattern = components, None
        self.lowest = -(1 << (self.precision - 1)) if self.signed else 0
        self.highest = self.lowest + (1 << self.precision) - 1
        wide = self.dtype.itemsize == 8 or self.dtype.kind == "f"
        must({"identity": self.dtype.kind != "f" and self.bits <= 32, "linear": wide, "quantised": wide,
              "table": self.dtype.kind == "f", "ranks": components * self.bits <= 64}[self.kind], "the map's sample type")
        must(self.kind != "quantised" or self.remainder, "quantised without remainders")
        if self.kind in ("linear", "table", "quantised"):
            self.a, self.b = real(reader), real(reader)
            must(self.b > 0, "b")
        if second & 128:
            must(self.kind != "ranks", "ranks with a range")
            lowest = svarint(reader)
            highest = lowest + reader.varint()
            must(self.lowest <= lowest and highest <= self.highest, "the range")
            self.lowest, self.highest = lowest, highest
        must(self.kind != "table" or self.highest - self.lowest <= 65535, "the table's range")
        if self.kind == "ranks":
            must(not self.signed and not self.remainder and not first & 128, "ranks")
            self.read_ranks(reader)
        if first & 128:
            self.read_holes(reader)

    def read_ranks(self, reader):
        byte = reader.take(1)[0]
        must(byte & 127 == self.components, "components of ranks")
        whole, count, runs = bool(byte & 128), reader.varint(), reader.varint()
        must(not whole or self.components == 1 and self.dtype.kind == "f", "whole ranks")
        must(1 <= count <= 65536 and runs < count, "the number of ranks")
        numbers = [svarint(reader)]
        for _ in range(runs):
            step, times = reader.varint(), reader.varint()
            must(step >= 1 and 1 <= times <= count - len(numbers), "a run of ranks")
            numbers += [numbers[-1] + step * (i + 1) for i in range(times)]
        must(len(numbers) == count, "ranks")
        if whole:
            must(all(abs(n) <= 1 << 53 for n in numbers), "a whole rank")
            values = np.array(numbers, "f8")
            with np.errstate(over="ignore"):
                typed = values.astype(self.dtype)
            must(np.array_equal(typed.astype("f8"), values), "a whole rank")
            codes = order(typed.view(f"<u{self.dtype.itemsize}"), self.dtype).astype("u8")
        else:
            centre = 1 << (self.bits - 1) if self.components == 1 and self.dtype.kind != "u" else 0
            codes = [(n + centre) % (1 << 64) for n in numbers]
            must(max(codes) < 1 << self.bits * self.components and codes == sorted(set(codes)), "ranks ascend")
            codes = np.array(codes, "u8")
        must(count <= 1 << self.precision, "precision of ranks")
        self.rank, self.lowest, self.highest = codes, 0, count - 1

    def read_holes(self, reader):
        count = reader.varint()
        must(1 <= count <= 65535, "the number of holes")
        patterns = [reader.varint()]
        for _ in range(count - 1):
            distance = reader.varint()
            must(distance >= 1, "holes ascend")
            patterns.append(patterns[-1] + distance)
        must(patterns[-1] < 1 << self.bits, "a hole")
        self.pattern = np.array(patterns, "u8").astype(f"<u{self.dtype.itemsize}")

    @property
    def holes(self):
        return 0 if self.pattern is None else len(self.pattern)

    @property
    def coded_components(self):
        return 1 if self.kind == "ranks" else self.components

    def about(self, k):
        return to_type(np.float64(self.a) + np.float64(self.b) * k.astype(np.float64), self.dtype)

    def table(self, content):
        """The table of a map of that kind; `content`: its inflated chunk."""
        unsigned = f"<u{self.dtype.itemsize}"
        near = self.about(np.arange(self.lowest, self.highest + 1))
        codes = order(near.view(unsigned), self.dtype) + unfold(content, [len(near)], unsigned)
        return unorder(codes, self.dtype).view(self.dtype)

    def inverse(self, coded, reduced, table=None, holes=None, remainder=None):
        """
        Samples (rows, columns, components) of planes of that shape. `reduced`: of a lower level than the full one;
        `remainder`: its inflated bytes.
        """
        unsigned = f"<u{self.dtype.itemsize}"
        k = np.clip(coded.astype(np.int64), self.lowest, self.highest) if reduced else coded.astype(np.int64)
        if self.kind == "identity":
            samples = k.astype(self.dtype)
        elif self.kind == "ranks":
            codes = self.rank[k[:, :, 0]]
            shift = [np.uint64(self.bits * (self.components - 1 - c)) for c in range(self.components)]
            parts = np.stack([codes >> s for s in shift], axis=2).astype(unsigned)
            samples = unorder(parts, self.dtype).view(self.dtype)
        elif self.kind == "table" and not reduced:
            samples = table[k - self.lowest]
        else:
            samples = self.about(k)
        patterns = np.ascontiguousarray(samples).view(unsigned)
        if holes is not None:
            patterns = np.where(holes > 0, self.pattern[np.maximum(holes, 1).astype(np.int64) - 1], patterns)
        if remainder is not None and not reduced:
            codes = order(patterns, self.dtype) + self.remainders(remainder, k)
            patterns = unorder(codes, self.dtype)
        return patterns.astype(unsigned).view(self.dtype)

    def remainders(self, content, k):
        """The plane of remainders, from its inflated bytes, which are sorted by the classes of the coded plane."""
        planar = np.moveaxis(k, 2, 0).ravel()
        classes = np.array([int(v).bit_length() for v in np.abs(planar)])
        places = np.argsort(classes, kind="stable")
        plane = np.zeros(len(planar), f"<u{self.dtype.itemsize}")
        plane[places] = unfold(content, np.bincount(classes), plane.dtype)
        return np.moveaxis(plane.reshape(k.shape[2], *k.shape[:2]), 0, 2)
