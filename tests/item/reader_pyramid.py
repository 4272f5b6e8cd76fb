# SPDX-License-Identifier: BSD-2-Clause
"""Sparse images, decoded in plain Python from docs/coder-pyramid.md alone: units of one frame, as items have them."""
from reader_lattice import Bits, State

CHILDREN = ((0, 0), (1, 0), (0, 1), (1, 1))  # x, y
AROUND = ((-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (1, -1), (-1, 1), (1, 1))
BEFORE = ((-1, 0), (-1, 1), (0, -1), (1, -1))


def kept(v, low, high):
    return min(max(v, low), high)


def cls(v):
    return abs(v).bit_length()


def towards_zero(v, by):
    return v // by if v >= 0 else -(-v // by)


class Level:
    def __init__(self, width, height, ground):
        self.width, self.height, self.ground = width, height, ground
        self.rows = [[ground] * width for _ in range(height)]

    def at(self, x, y):
        return self.rows[y][x] if 0 <= x < self.width and 0 <= y < self.height else self.ground


class Unit:
    def __init__(self, bits, signed):
        self.state, self.width, self.signed = State(), bits, signed
        self.least = -(1 << (bits - 1)) if signed else 0
        self.most = self.least + (1 << bits) - 1

    def mixed(self, first, second, weights):
        return self.bits.mixed(self.state.context(first), self.state.context(second),
                               self.state.weights.setdefault(weights, [29491, 29491]))

    def start(self, chunk):
        self.bits = Bits(chunk, self.state)

    def read_ground(self):
        value = 0
        for _ in range(self.width):
            value = 2 * value + self.bits.bit(32768)
        self.ground = value - (1 << self.width) if self.signed and value > self.most else value

    def lowest(self, level):
        g = self.ground
        for y in range(level.height):
            for x in range(level.width):
                west, north, corner = level.at(x - 1, y), level.at(x, y - 1), level.at(x - 1, y - 1)
                five = [west, north, g, corner, level.at(x + 1, y - 1)]
                near = sum((v == g) << i for i, v in enumerate(five)) + 32 + 64
                level.rows[y][x] = self.sample(self.least, self.most, 4, 0, 0,
                                               kept(west + north - corner, self.least, self.most), near, five)

    def further(self, below, level):
        for y in range(below.height):
            for x in range(below.width):
                self.block(below, level, x, y)

    def block(self, below, level, x, y):
        g, m = self.ground, below.at(x, y)
        places = [(2 * x + i, 2 * y + j, 2 * j + i) for i, j in CHILDREN if 2 * x + i < level.width and 2 * y + j < level.height]
        n = len(places)
        if n == 1:
            level.rows[2 * y][2 * x] = m
            return
        f = (m == g) + sum((below.at(x + i, y + j) == m) << k for k, (i, j) in enumerate(AROUND, 1))
        other = (m == g) + sum((level.at(2 * x + i, 2 * y + j) == m) << k for k, (i, j) in enumerate(BEFORE, 1))
        other += 0b111100000 * (m == g)
        if not self.mixed(("flat", 0, f), ("flat", 1, other), ("flat", m == g)):
            for column, row, _ in places:
                level.rows[row][column] = m
            return
        left, zeros = n * m - n // 2, 0
        for i, (column, row, place) in enumerate(places):
            o = n - 1 - i
            a = max(self.least, left - o * self.most)
            b = min(self.most, left + n - 1 - o * self.least)
            t = left + n // 2
            expected = (t, (t + 1) >> 1, towards_zero(t, 3), (t + 2) >> 2)[o]
            right, under = below.at(x + 1, y), below.at(x, y + 1)
            five = [level.at(column - 1, row), level.at(column, row - 1), g, level.at(column - 1, row - 1),
                    right if place == 3 else level.at(column + 1, row - 1)]
            near = sum((v == g) << k for k, v in enumerate([*five, right, under, g, g]))
            value = self.sample(a, b, place, 1 + zeros if i else 0, cls(m - g), expected, near, five)
            level.rows[row][column] = value
            left, zeros = left - value, zeros + (value == g)

    def sample(self, a, b, place, state, level, expected, near, five):
        g, span = self.ground, b - a
        if span == 0:
            return a
        if a <= g <= b and not self.mixed(("ground_near", place, near), ("ground_block", place, state, level, min(span, 7)),
                                          ("ground", place, near & 15 == 15)):
            return g
        others = [(v, 2 if i < 2 else 1) for i, v in enumerate(five) if v != g]
        beside = towards_zero(sum(v * w for v, w in others), sum(w for _, w in others)) if others else None
        energy = min(11, cls(max(others)[0] - min(others)[0])) if others else 0
        if span < 4:
            e = 0 if beside is None else kept(beside - a, -1, 4) + 1
            bit = lambda node: self.mixed(("last_near", beside is not None, e, node), ("last_block", state, span, node),
                                          ("last", node))
            high = bit(1) if span >= 2 else 0
            return a + 2 * high + (bit(2 + high) if span >= 2 * high + 1 else 0)
        x = kept(expected if beside is None else (expected + beside + 1) >> 1, a, b)
        lean = 1 if beside is None else (beside > expected) - (beside < expected) + 1
        block, around = (5 * place + state) * 18 + level, (12 * place + energy) * 3 + lean
        if not self.mixed(("zero", 0, block), ("zero", 1, around), ("zero", place)):
            return x
        below = x != a and (x == b or self.mixed(("sign", 0, around), ("sign", 1, state), ("sign", place)))
        k = 1
        while k < 17 and self.mixed(("class_energy", energy, bool(below), k), ("class_block", place, level, k), ("class", k)):
            k += 1
        magnitude = 1
        for i in range(k - 1):
            key = ("low", k, 0 if i == 0 else 1 + (magnitude & 1))
            magnitude = 2 * magnitude + (self.bits.adaptive(key) if i < 2 else self.bits.bit(32768))
        return kept(x - magnitude if below else x + magnitude, a, b)


def decode(chunk, width, height, bits, signed, levels, reduce=0):
    """Samples [row][column] of a frame at 1 / 2^reduce; `chunk(level)` gives the bytes of a chunk."""
    unit, below = Unit(bits, signed), None
    for level in range(levels - reduce):
        d = 1 << (levels - 1 - level)
        unit.start(chunk(level))
        if level == 0:
            unit.read_ground()
        grown = Level(-(-width // d), -(-height // d), unit.ground)
        if level:
            unit.further(below, grown)
        else:
            unit.lowest(grown)
        below = grown
    return below.rows
