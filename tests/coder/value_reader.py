"""Reads value maps, tables and remainders in plain Python, from docs/values.md alone."""
import struct
import subprocess

import numpy as np

TYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "f2", "f4", "f8", "i8", "u8"]
KINDS = ["identity", "linear", "table", "quantised", "ranks"]


class Bytes:
    def __init__(self, data):
        self.data, self.at = data, 0

    def byte(self):
        self.at += 1
        return self.data[self.at - 1]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return value

    def svarint(self):
        value = self.varint()
        return (value >> 1) ^ -(value & 1)

    def real(self):
        return struct.unpack("<d", self.varint().to_bytes(8, "big"))[0]


class Map:
    def __init__(self, data, components):
        read = Bytes(data)
        first, second = read.byte(), read.byte()
        self.kind, self.type = KINDS[first & 7], np.dtype(TYPES[first >> 3 & 15])
        self.precision, self.signed = (second & 31) + 1, bool(second & 32)
        self.remainder, self.components = bool(second & 64), components
        self.bits = 8 * self.type.itemsize
        self.lowest = -(1 << self.precision - 1) if self.signed else 0
        self.highest = self.lowest + (1 << self.precision) - 1
        if self.kind in ("linear", "table", "quantised"):
            self.a, self.b = read.real(), read.real()
        if second & 128:
            self.lowest = read.svarint()
            self.highest = self.lowest + read.varint()
        if self.kind == "ranks":
            whole = read.byte()
            assert whole & 127 == components
            count, runs = read.varint(), read.varint()
            numbers = [read.svarint()]
            for _ in range(runs):
                step, times = read.varint(), read.varint()
                for _ in range(times):
                    numbers.append(numbers[-1] + step)
            assert len(numbers) == count
        self.holes = []
        if first & 128:
            pattern = 0
            for _ in range(read.varint()):
                pattern += read.varint()
                self.holes.append(pattern)
        assert read.at == len(data)
        self.unsigned = np.dtype(f"u{self.type.itemsize}")
        if self.kind == "ranks" and whole & 128:
            self.rank = [int(r) for r in self.order(np.array(numbers, self.type).view(self.unsigned))]
        elif self.kind == "ranks":
            centre = 1 << self.bits - 1 if components == 1 and self.type.kind in "if" else 0
            self.rank = [(n + centre) % (1 << 64) for n in numbers]

    def order(self, patterns):
        top = self.unsigned.type(1 << self.bits - 1)
        if self.type.kind == "u":
            return patterns
        if self.type.kind == "i":
            return patterns ^ top
        return np.where(patterns & top, ~patterns, patterns | top)

    def pattern(self, codes):
        top = self.unsigned.type(1 << self.bits - 1)
        if self.type.kind == "u":
            return codes
        if self.type.kind == "i":
            return codes ^ top
        return np.where(codes & top, codes ^ top, ~codes)

    def scaled(self, k):
        value = np.float64(self.a) + np.float64(self.b) * k.astype(np.float64)
        if self.type.kind == "f":
            largest = np.finfo(self.type).max
            return np.clip(value, -np.float64(largest), np.float64(largest)).astype(self.type)
        limits = np.iinfo(self.type)
        return np.array([min(max(int(v), limits.min), limits.max) for v in np.rint(value).ravel()],
                        self.type).reshape(value.shape)

    def read_remainder(self, data, k):
        """k: the coded plane, component after component."""
        size, k = self.type.itemsize, k.ravel()
        classes = np.array([int(abs(int(v))).bit_length() for v in k]) if k.size else k
        order = np.argsort(classes, kind="stable")
        if not data:
            return np.zeros(k.size, self.unsigned)
        raw = np.frombuffer(subprocess.run(["zstd", "-dcq"], input=data, capture_output=True, check=True).stdout, np.uint8)
        folded, at = np.zeros(k.size, self.unsigned), 0
        for number in np.unique(classes):
            where = order[classes[order] == number]
            part = raw[at:at + where.size * size].reshape(size, -1).T
            folded[where] = np.ascontiguousarray(part).view(f"<u{size}").ravel()
            at += where.size * size
        assert at == raw.size
        one = self.unsigned.type(1)
        return (folded >> one) ^ (~(folded & one) + one)

    def read_table(self, data):
        k = np.arange(self.lowest, self.highest + 1)
        rest = self.read_remainder(data, np.zeros(k.size, np.int64))
        self.table = self.pattern(self.order(self.scaled(k).view(self.unsigned)) + rest)

    def decode(self, k, holes=None, remainder=None):
        """Full size: planes of components x height x width to samples of the same shape."""
        if self.kind == "identity":
            patterns = k.astype(self.type).view(self.unsigned)
        elif self.kind == "table":
            patterns = self.table[k.astype(np.int64) - self.lowest]
        elif self.kind == "ranks":
            values = np.array(self.rank, np.uint64)[k[0]]
            parts = [(values >> np.uint64(self.bits * c)).astype(self.unsigned) for c in range(self.components)]
            patterns = np.stack([self.pattern(p) for p in parts[::-1]])
        else:
            patterns = self.scaled(k).view(self.unsigned)
        if self.holes:
            patterns = np.where(holes, np.array([0] + self.holes, np.uint64)[holes].astype(self.unsigned), patterns)
        if self.remainder:
            patterns = self.pattern(self.order(patterns) + remainder.reshape(patterns.shape))
        return patterns.astype(self.unsigned).view(self.type)
