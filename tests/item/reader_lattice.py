# SPDX-License-Identifier: BSD-2-Clause
"""Label maps and holes, decoded in plain Python from docs/coder-lattice.md alone. Slow: some 100,000 samples a second."""

MASK = (1 << 32) - 1
PLAIN = 32768


def logarithm(v):
    """256 log2(v), section 2.3."""
    r = v.bit_length() - 1
    y = v << (30 - r)
    for _ in range(8):
        y = y * y >> 30
        o = y >> 31
        r, y = 2 * r + o, y >> o
    return r


STRETCH = [0] * 4096
for _i in range(2048):
    STRETCH[4095 - _i] = logarithm(8191 - 2 * _i) - logarithm(2 * _i + 1)
    STRETCH[_i] = -STRETCH[4095 - _i]
_W = [1 << 30]
while len(_W) < 256:
    _W.append(_W[-1] * 1070838486 >> 30)


def squash(s):
    if s < 0:
        return 65536 - squash(-s)
    return min(65520, (1 << 46) // ((1 << 30) + (_W[s % 256] >> s // 256)))


SQUASH = [squash(s) for s in range(-3071, 3072)]
RATE = [131072 // (2 * n + 3) for n in range(256)]


class State:
    """What a unit has learned: contexts by name as [P, n], weights by name as [u, v]."""

    def __init__(self):
        self.contexts, self.weights = {}, {}

    def copy(self):
        other = State()
        other.contexts = {key: value[:] for key, value in self.contexts.items()}
        other.weights = {key: value[:] for key, value in self.weights.items()}
        return other

    def context(self, key, p=PLAIN):
        found = self.contexts.get(key)
        if found is None:
            found = self.contexts[key] = [p << 6, 0]
        return found


def learn(context, bit):
    probability, n = context
    context[0] = probability + (((4194303 if bit else 0) - probability) * RATE[n] >> 16)
    context[1] = min(n + 1, 255)


class Bits:
    """A chunk's bits."""

    def __init__(self, data, state):
        self.data, self.at, self.state = data, 4, state
        self.range = MASK
        self.code = int.from_bytes((data[:4] + bytes(4))[:4], "big")

    def bit(self, p):
        bound = (self.range >> 16) * (65536 - p)
        if self.code < bound:
            bit, self.range = 0, bound
        else:
            bit, self.code, self.range = 1, self.code - bound, self.range - bound
        while self.range < 1 << 24:
            byte = self.data[self.at] if self.at < len(self.data) else 0
            self.range, self.code, self.at = self.range << 8, (self.code << 8 | byte) & MASK, self.at + 1
        return bit

    def adaptive(self, key):
        context = self.state.context(key)
        bit = self.bit(min(max(context[0] >> 6, 16), 65520))
        learn(context, bit)
        return bit

    def mixed(self, first, second, weights):
        a, b = STRETCH[first[0] >> 10], STRETCH[second[0] >> 10]
        s = min(max((weights[0] * a + weights[1] * b) >> 16, -3071), 3071)
        p = SQUASH[s + 3071]
        bit = self.bit(p)
        error = (bit << 16) - p
        for i, of in enumerate((a, b)):
            weights[i] = min(max(weights[i] + ((of * error + 16384) >> 15), -1 << 20), 1 << 20)
        learn(first, bit)
        learn(second, bit)
        return bit

    def run(self, before):
        """(quiet samples as expected before one that is not, the class for the next run); None: all that are left."""
        if not self.adaptive(("ends", before)):
            return None, before
        m = 0
        while m < 40 and not self.adaptive(("class", before, m)):
            m += 1
        value = 1
        for i in range(m):
            key = ("low", m, 0 if i == 0 else 1 + (value & 1))
            value = 2 * value + (self.adaptive(key) if i < 2 else self.bit(PLAIN))
        return value - 1, m


# Section 4.1: neighbours as (x, y), by phase; and which of them are the sides a, b, c, d.
NEIGHBOURS = (((-1, -1), (0, -1), (1, -1), (2, -1), (-4, 0), (-3, 0), (-2, 0), (-1, 0), (-1, -2), (0, -2), (1, -2), (2, -2)),
              ((-1, -2), (0, -2), (1, -2), (2, -2), (-4, 0), (-3, 0), (-2, 0), (-1, 0), (1, 0), (-1, 2), (3, 0), (1, 2)),
              ((-1, -1), (0, -1), (1, -1), (2, -1), (-1, 1), (0, 1), (1, 1), (2, 1), (-2, 0), (-1, 0), (0, -2), (1, -2)))
SIDES = ((1, 7, 2, 0), (7, 8, 1), (1, 5, 9))
VOTES = ((3, 3, 1, 1), (3, 3, 1), (3, 3, 3))
CROSS = ((-1, 0), (0, 0), (1, 0), (0, -1), (0, 1))
QUIET = (((0, -1), (-1, -1), (1, -1)), ((-1, 0), (1, 0)), ((0, -1), (-1, -1), (1, -1), (0, 1), (-1, 1), (1, 1)))
QUIET_ALONE = (((0, -2), (2, -1)), ((-1, -2), (1, -2), (-1, 2), (1, 2)), ())
LEFT, RIGHT, ABOVE, BELOW = 4, 3, 2, 2


def all_are(q, data, c, offsets):
    for i in offsets:
        if data[c + i] != q:
            return False
    return True


class Plane:
    """A slice of a level, with zeros around it."""

    def __init__(self, width, height):
        self.width, self.height = width, height
        self.stride = LEFT + width + RIGHT
        self.data = [0] * (self.stride * (ABOVE + height + BELOW))

    def place(self, x, y):
        return (y + ABOVE) * self.stride + LEFT + x

    def rows(self):
        return [self.data[self.place(0, y):self.place(0, y) + self.width] for y in range(self.height)]


class Chunk:
    """The decoding of one chunk."""

    def __init__(self, data, state, symbols, stride):
        self.bits, self.state, self.symbols = Bits(data, state), state, symbols
        shift = lambda pairs: tuple(y * stride + x for x, y in pairs)
        self.neighbours = tuple(map(shift, NEIGHBOURS))
        self.quiet, self.quiet_alone = tuple(map(shift, QUIET)), tuple(map(shift, QUIET_ALONE))
        self.cross = shift(CROSS)
        self.left, self.run_class = self.bits.run(41)

    def slice(self, plane, others, level):
        width, height = plane.width, plane.height
        if level == 0:
            self.samples(plane, others, 0, ((x, y) for y in range(height) for x in range(width)))
        else:
            self.samples(plane, others, 1, ((x, y) for y in range(0, height, 2) for x in range(1, width, 2)))
            self.samples(plane, others, 2, ((x, y) for y in range(1, height, 2) for x in range(width)))

    def samples(self, plane, others, phase, places):
        data = plane.data
        others = [other.data for other in others]
        quiet = self.quiet[phase] + (() if others else self.quiet_alone[phase])
        for x, y in places:
            c = plane.place(x, y)
            q = others[0][c] if phase == 0 and others else data[c + quiet[0]]
            if all_are(q, data, c, quiet) and all([all_are(q, other, c, self.cross) for other in others]):
                data[c] = self.quiet_sample(data, others, phase, c, q)
            else:
                data[c] = self.sample(data, others, phase, c)

    def quiet_sample(self, data, others, phase, c, q):
        if self.left is None:
            return q
        if self.left:
            self.left -= 1
            return q
        value = self.further(self.around(data, others, phase, c), phase, q)
        self.left, self.run_class = self.bits.run(self.run_class)
        return value

    def around(self, data, others, phase, c):
        return [data[c + i] for i in self.neighbours[phase]], [[other[c + i] for i in self.cross] for other in others]

    def sample(self, data, others, phase, c):
        near, crosses = self.around(data, others, phase, c)
        voices = [(cross[1], 4 if len(crosses) == 2 else 5) for cross in crosses]
        voices += [(near[side], votes) for side, votes in zip(SIDES[phase], VOTES[phase])]
        if phase == 0 and not crosses:
            voices[-1] = voices[-1][0], -1
        sums = {}
        for value, votes in voices:
            sums[value] = sums.get(value, 0) + votes
        candidate = max(sums, key=sums.get)  # of equal ones the first
        if not self.missed(near, crosses, phase, 0, candidate):
            return candidate
        return self.further((near, crosses), phase, candidate)

    def missed(self, near, crosses, phase, which, v):
        r = len(crosses)
        bits = sum((n == v) << i for i, n in enumerate(near))
        a, b, *more = (near[side] == v for side in SIDES[phase])
        zero = int(v == 0)
        if r:
            index = sum((p == v) << i for i, p in enumerate(crosses[0]))
            if r == 2:
                index += 32 * sum((q == v) << i for i, q in enumerate(crosses[1]))
            index += 32 ** r * (a + 2 * b + 4 * more[0])
        else:
            part = lambda low, high: bits >> low & (1 << (high - low + 1)) - 1
            m = (part(0, 3) + 16 * part(6, 7) + 64 * part(8, 9) if phase == 0 else
                 part(0, 2) + 8 * part(6, 7) + 32 * part(8, 9) + 128 * part(11, 11) if phase == 1 else
                 part(0, 2) + 8 * part(4, 6) + 64 * part(8, 9))
            index = zero + 2 * m
        o = bool(crosses) and all(cross[1] == v for cross in crosses)
        begin = 19661 if which else 6554
        weights = self.state.weights.setdefault((phase, which, r, zero + 2 * (a and b) + 4 * o), [29491, 29491])
        return self.bits.mixed(self.state.context(("slices", phase, which, r, index), begin),
                               self.state.context(("wide", phase, which, r, bits), begin), weights)

    def further(self, around, phase, first):
        near, crosses = around
        tried = [first]
        while True:
            if len(tried) == self.symbols - 1:
                return next(rank for rank in range(self.symbols) if rank not in tried)
            candidates = [cross[1] for cross in crosses] + near
            candidate = next((n for n in candidates if n not in tried), None)
            if len(tried) == 3 or candidate is None:
                return self.rank()
            if not self.missed(near, crosses, phase, 1, candidate):
                return candidate
            tried.append(candidate)

    def rank(self):
        f, m = 0, 1
        for i in reversed(range((self.symbols - 1).bit_length())):
            bit = 0
            if (2 * f + 1) << i < self.symbols:
                bit = self.bits.adaptive(("rank", m)) if m < 256 else self.bits.bit(PLAIN)
            f, m = 2 * f + bit, 2 * m + bit
        return f


def class_of(z, steps):
    """Section 1."""
    return steps if z % (1 << steps) == 0 else (z & -z).bit_length() - 1


def decode(chunk, slices, height, width, symbols, levels, steps, reduce=0, step=0):
    """
    Ranks [slice][row][column] of every 2^reduce-th sample of every 2^step-th slice of a unit. `chunk(level, class)` gives
    the bytes of a chunk.
    """
    planes, state = {}, State()
    for level in range(levels - reduce):
        d = 1 << (levels - 1 - level)
        grown = {}
        for z in range(0, slices, 1 << step):
            grown[z] = plane = Plane(-(-width // d), -(-height // d))
            if level:
                for y, row in enumerate(planes[z].rows()):
                    at = plane.place(0, 2 * y)
                    plane.data[at:at + 2 * len(row):2] = row
        planes = grown
        stride, coarse = next(iter(planes.values())).stride, None
        for t in range(steps, step - 1, -1):
            if symbols == 1:
                break
            decoding = Chunk(chunk(level, t), state, symbols, stride)
            for z in (z for z in planes if class_of(z, steps) == t):
                near = [z - (1 << t)] if z else []
                near += [z + (1 << t)] if t < steps and z + (1 << t) < slices else []
                decoding.slice(planes[z], [planes[n] for n in near], level)
            if t == steps:
                coarse = state.copy()
        state = coarse
    return [plane.rows() for plane in planes.values()]
