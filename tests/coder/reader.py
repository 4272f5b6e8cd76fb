# SPDX-License-Identifier: BSD-2-Clause
"""Decoders of label maps and sparse images, written from docs/coder-lattice.md and docs/coder-pyramid.md alone."""
from collections import defaultdict


# ---- coder-lattice.md, 2: bits ----

def log2(v):
    r = v.bit_length() - 1
    y = v << 30 - r
    for _ in range(8):
        y = y * y >> 30
        o = y >> 31
        r, y = 2 * r + o, y >> o
    return r


STRETCH = [0] * 4096
for i in range(2048):
    STRETCH[4095 - i] = log2(8191 - 2 * i) - log2(2 * i + 1)
    STRETCH[i] = -STRETCH[4095 - i]
POWER = [1 << 30]
for i in range(255):
    POWER.append(POWER[-1] * 1070838486 >> 30)


def squash(s):
    if s < 0:
        return 65536 - squash(-s)
    return min(65520, (1 << 46) // ((1 << 30) + (POWER[s % 256] >> s // 256)))


def wrap(v):
    return (v + (1 << 31)) % (1 << 32) - (1 << 31)


class Context:
    def __init__(self, p=32768):
        self.P, self.n = p << 6, 0

    def learn(self, bit):
        rate = 131072 // (2 * self.n + 3)
        self.P += ((((1 << 22) - 1 if bit else 0) - self.P) * rate) >> 16
        self.n = min(self.n + 1, 255)

    def copy(self):
        other = Context()
        other.P, other.n = self.P, self.n
        return other


class Bits:
    """One chunk."""

    def __init__(self, data):
        self.data, self.at = data, 4
        self.range = (1 << 32) - 1
        self.code = int.from_bytes((data[:4] + bytes(4))[:4], 'big')

    def bit(self, p):
        bound = (self.range >> 16) * (65536 - p)
        if self.code < bound:
            bit, self.range = 0, bound
        else:
            bit, self.code, self.range = 1, self.code - bound, self.range - bound
        while self.range < 1 << 24:
            byte = self.data[self.at] if self.at < len(self.data) else 0
            self.at += 1
            self.range <<= 8
            self.code = (self.code << 8 | byte) % (1 << 32)
        return bit

    def plain(self):
        return self.bit(32768)

    def adaptive(self, context):
        bit = self.bit(min(max(context.P >> 6, 16), 65520))
        context.learn(bit)
        return bit

    def mixed(self, a, b, weights):
        x, y = STRETCH[a.P >> 10], STRETCH[b.P >> 10]
        p = squash(min(max((weights[0] * x + weights[1] * y) >> 16, -3071), 3071))
        bit = self.bit(p)
        e = (bit << 16) - p
        weights[0] = wrap(weights[0] + ((x * e + 16384) >> 15))
        weights[1] = wrap(weights[1] + ((y * e + 16384) >> 15))
        a.learn(bit)
        b.learn(bit)
        return bit


class State:
    """All contexts and weights, by name and indices; they begin when they are first asked for."""

    def __init__(self, begin=lambda key: 32768):
        self.begin, self.contexts, self.weights = begin, {}, {}

    def context(self, *key):
        if key not in self.contexts:
            self.contexts[key] = Context(self.begin(key))
        return self.contexts[key]

    def weight(self, *key):
        return self.weights.setdefault(key, [29491, 29491])

    def copy(self):
        other = State(self.begin)
        other.contexts = {key: context.copy() for key, context in self.contexts.items()}
        other.weights = {key: list(weights) for key, weights in self.weights.items()}
        return other


# ---- coder-lattice.md, 3 and 4 ----

NEAR = [[(-1, -1), (0, -1), (1, -1), (2, -1), (-4, 0), (-3, 0), (-2, 0), (-1, 0), (-1, -2), (0, -2), (1, -2), (2, -2)],
        [(-1, -2), (0, -2), (1, -2), (2, -2), (-4, 0), (-3, 0), (-2, 0), (-1, 0), (1, 0), (-1, 2), (3, 0), (1, 2)],
        [(-1, -1), (0, -1), (1, -1), (2, -1), (-1, 1), (0, 1), (1, 1), (2, 1), (-2, 0), (-1, 0), (0, -2), (1, -2)]]
SIDES = [[1, 7, 2, 0], [7, 8, 1], [1, 5, 9]]
VOTES = [[3, 3, 1, 1], [3, 3, 1], [3, 3, 3]]
FIVE = [(-1, 0), (0, 0), (1, 0), (0, -1), (0, 1)]
QUIET = [[(0, -1), (-1, -1), (1, -1)], [(-1, 0), (1, 0)], [(0, -1), (-1, -1), (1, -1), (0, 1), (-1, 1), (1, 1)]]
QUIET_ALONE = [[(0, -2), (2, -1)], [(-1, -2), (1, -2), (-1, 2), (1, 2)], []]


class Chunk:
    def __init__(self, data, state, symbols):
        self.bits, self.state, self.symbols, self.run_class = Bits(data), state, symbols, 41
        self.run = self.read_run()

    def read_run(self):
        """None: no end."""
        s, j = self.state, self.run_class
        if not self.bits.adaptive(s.context('ends', j)):
            return None
        m = 0
        while m < 40 and not self.bits.adaptive(s.context('class', j, m)):
            m += 1
        value, first = 1, 0
        for i in range(m):
            bit = (self.bits.adaptive(s.context('low', m, 0)) if i == 0 else
                   self.bits.adaptive(s.context('low', m, 1 + first)) if i == 1 else self.bits.plain())
            first = bit if i == 0 else first
            value = 2 * value + bit
        self.run_class = m
        return value - 1

    def missed(self, phase, near, others, tries, v):
        R, Z, kind = len(others), int(v == 0), min(tries, 1)
        N = sum((n == v) << i for i, n in enumerate(near))
        B, A = ([sum((n == v) << i for i, n in enumerate(o)) for o in others] + [0, 0])[:2]
        cut = lambda i, k: N >> i & (1 << k - i + 1) - 1
        a, b, c = (N >> i & 1 for i in SIDES[phase][:3])
        if R == 2:
            i, o = B + 32 * A + 1024 * (a + 2 * b + 4 * c), int(others[0][1] == v and others[1][1] == v)
        elif R == 1:
            i, o = B + 32 * (a + 2 * b + 4 * c), int(others[0][1] == v)
        else:
            M = [cut(0, 3) + 16 * cut(6, 7) + 64 * cut(8, 9),
                 cut(0, 2) + 8 * cut(6, 7) + 32 * cut(8, 9) + 128 * cut(11, 11),
                 cut(0, 2) + 8 * cut(4, 6) + 64 * cut(8, 9)][phase]
            i, o = Z + 2 * M, 0
        k = Z + 2 * (a and b) + 4 * o
        return self.bits.mixed(self.state.context('slices', kind, phase, R, i), self.state.context('wide', kind, phase, R, N),
                               self.state.weight(kind, phase, R, k))

    def others(self, phase, near, others, first):
        tried = [first]
        while True:
            if self.symbols == len(tried) + 1:
                return next(rank for rank in range(self.symbols) if rank not in tried)
            left = [v for v in [o[1] for o in others] + near if v not in tried]
            if len(tried) == 3 or not left:
                break
            if not self.missed(phase, near, others, len(tried), left[0]):
                return left[0]
            tried.append(left[0])
        f, m = 0, 1
        for i in reversed(range((self.symbols - 1).bit_length())):
            bit = 0
            if (2 * f + 1) << i < self.symbols:
                bit = self.bits.adaptive(self.state.context('rank', m)) if m < 256 else self.bits.plain()
            f, m = 2 * f + bit, 2 * m + bit
        return f

    def sample(self, phase, at, slices):
        """`at` and `slices` give samples by their places from this one."""
        near, others = [at(*place) for place in NEAR[phase]], [[s(*place) for place in FIVE] for s in slices]
        known = [at(*place) for place in QUIET[phase] + ([] if slices else QUIET_ALONE[phase])]
        if phase == 0 and slices:
            known = [others[0][1]] + known
        if all(v == known[0] for v in known + sum(others, [])):
            if self.run != 0:
                self.run = self.run and self.run - 1
                return known[0]
            value = self.others(phase, near, others, known[0])
            self.run = self.read_run()
            return value
        voters = [(o[1], 4 if len(others) == 2 else 5) for o in others]
        votes = list(VOTES[phase])
        if phase == 0 and not slices:
            votes[3] = -1
        voters += [(near[i], n) for i, n in zip(SIDES[phase], votes)]
        sums = defaultdict(int)
        for value, n in voters:
            sums[value] += n
        candidate = max(sums, key=lambda value: sums[value])  # the first of equals: dictionaries keep their order
        if not self.missed(phase, near, others, 0, candidate):
            return candidate
        return self.others(phase, near, others, candidate)


def lattice_decode(width, height, slices, levels, steps, symbols, chunks, reduce, step):
    """A list of slices, each a dictionary {(x, y): rank} in samples of the level, by their number in the unit."""
    begin = lambda key: {'slices': (6554, 19661), 'wide': (6554, 19661)}.get(key[0], (32768, 32768))[key[1] and 1]
    state, kept, planes = State(begin), None, {z: {} for z in range(0, slices, 1 << step)}
    for level in range(levels - reduce):
        d = 1 << levels - 1 - level
        w, h = -(-width // d), -(-height // d)
        for z in planes:
            planes[z] = {(2 * x, 2 * y): v for (x, y), v in planes[z].items()}
        if level:
            state = kept.copy()
        for t in range(steps, step - 1, -1):
            if symbols > 1:
                chunk = Chunk(chunks[level * (steps + 1) + t], state, symbols)
            for z in planes:
                if z % (1 << t) or (t < steps and z >> t & 1 == 0):
                    continue
                other = [planes[z - (1 << t)]] if z else []
                if t < steps and z + (1 << t) < slices:
                    other.append(planes[z + (1 << t)])
                order = [(0, x, y) for y in range(h) for x in range(w)] if level == 0 else \
                    [(1, x, y) for y in range(0, h, 2) for x in range(1, w, 2)] + \
                    [(2, x, y) for y in range(1, h, 2) for x in range(w)]
                look = lambda plane, x, y: lambda u, v: plane.get((x + u, y + v), 0)
                for phase, x, y in order:
                    planes[z][x, y] = chunk.sample(phase, look(planes[z], x, y), [look(o, x, y) for o in other]) \
                        if symbols > 1 else 0
            if t == steps:
                kept = state.copy()
    return planes


# ---- coder-pyramid.md ----

def size_class(v):
    return abs(v).bit_length()


def toward_zero(a, b):
    return abs(a) // b * (1 if a >= 0 else -1)


class Pyramid:
    def __init__(self, least, most):
        self.least, self.most, self.state, self.bits = least, most, State(), None

    def sample(self, place, state, level, expected, near, five, a, b):
        bits, s, g = self.bits, self.state, self.ground
        near |= sum((v == g) << i for i, v in enumerate(five))
        values = [v for v in five if v != g]
        weighed = [v for v in five[:2] + five if v != g]
        beside = toward_zero(sum(weighed), len(weighed)) if values else None
        energy = min(11, size_class(max(values) - min(values))) if values else 0
        kept = lambda v, low, high: min(max(v, low), high)
        if a == b:
            return a
        if a <= g <= b and not bits.mixed(s.context('near', place, near),
                                          s.context('block', place, state, level, min(b - a, 7)),
                                          s.weight('ground', place, near & 15 == 15)):
            return g
        if b - a < 4:
            h, e, k, node = beside is not None, 0, 0, 1
            if h:
                e = kept(beside - a, -1, 4) + 1
            for coded in (lambda: b - a >= 2, lambda: b - a >= 2 * k + 1):
                bit = coded() and bits.mixed(s.context('last_near', h, e, node), s.context('last_block', state, b - a, node),
                                             s.weight('last', node))
                k, node = 2 * k + bit, 2 * node + bit
            return a + k
        x, lean = expected, 1
        if beside is not None:
            x, lean = (expected + beside + 1) >> 1, kept(beside - expected, -1, 1) + 1
        x = kept(x, a, b)
        B, E = (5 * place + state) * 18 + level, (12 * place + energy) * 3 + lean
        if not bits.mixed(s.context('zero', 0, B), s.context('zero', 1, E), s.weight('zero', place)):
            return x
        below = 0 if x == a else 1 if x == b else bits.mixed(s.context('sign', 0, E), s.context('sign', 1, state),
                                                            s.weight('sign', place))
        k = 1
        while k < 17 and bits.mixed(s.context('energy', energy, below, k), s.context('class', place, level, k),
                                    s.weight('class', k)):
            k += 1
        value, first = 1, 0
        for i in range(k - 1):
            bit = (bits.adaptive(s.context('low', k, 0)) if i == 0 else
                   bits.adaptive(s.context('low', k, 1 + first)) if i == 1 else bits.plain())
            first = bit if i == 0 else first
            value = 2 * value + bit
        return kept(x - value if below else x + value, a, b)

    def first(self, w, h, plane, before):
        g = self.ground
        at = lambda x, y: plane.get((x, y), g)
        old = lambda x, y: before.get((x, y), g)
        for y in range(h):
            for x in range(w):
                expected = min(max(at(x - 1, y) + at(x, y - 1) - at(x - 1, y - 1), self.least), self.most)
                near = (old(x + 1, y) == g) << 5 | (old(x, y + 1) == g) << 6
                five = [at(x - 1, y), at(x, y - 1), old(x, y), at(x - 1, y - 1), at(x + 1, y - 1)]
                plane[x, y] = self.sample(4, 0, size_class(old(x, y) - g), expected, near, five, self.least, self.most)

    def block(self, X, Y, w, h, means, plane, before):
        g, m = self.ground, means[X, Y]
        mean = lambda x, y: means.get((x, y), g)
        at = lambda x, y: plane.get((x, y), g)
        old = lambda x, y: before.get((x, y), g)
        places = [(x, y) for y in (2 * Y, 2 * Y + 1) for x in (2 * X, 2 * X + 1) if x < w and y < h]
        n, x, y = len(places), 2 * X, 2 * Y
        around = [(-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (1, -1), (-1, 1), (1, 1)]
        F = [m == g] + [mean(X + u, Y + v) == m for u, v in around]
        G = [m == g] + [v == m for v in (at(x - 1, y), at(x - 1, y + 1), at(x, y - 1), at(x + 1, y - 1), old(x, y),
                                         old(x + 1, y), old(x, y + 1), old(x + 1, y + 1))]
        number = lambda flags: sum(flag << i for i, flag in enumerate(flags))
        if n == 1 or not self.bits.mixed(self.state.context('flat', 0, number(F)), self.state.context('flat', 1, number(G)),
                                         self.state.weight('flat', m == g)):
            plane.update({place: m for place in places})
            return
        left, grounds = n * m - n // 2, 0
        for i, (x, y) in enumerate(places):
            o, t = n - 1 - i, left + n // 2
            a, b = max(self.least, left - o * self.most), min(self.most, left + n - 1 - o * self.least)
            expected = [t, (t + 1) >> 1, toward_zero(t, 3), (t + 2) >> 2][o]
            place = 2 * (y - 2 * Y) + x - 2 * X
            near = ((mean(X + 1, Y) == g) << 5 | (mean(X, Y + 1) == g) << 6 | (old(x + 1, y) == g) << 7 |
                    (old(x, y + 1) == g) << 8)
            five = [at(x - 1, y), at(x, y - 1), old(x, y), at(x - 1, y - 1),
                    mean(X + 1, Y) if place == 3 else at(x + 1, y - 1)]
            value = self.sample(place, 1 + grounds if i else 0, size_class(m - g), expected, near, five, a, b)
            plane[x, y] = value
            grounds += value == g
            left -= value


def pyramid_decode(width, height, frames, levels, bits, signed, chunks, reduce):
    """For each frame {(x, y): sample}."""
    coder = Pyramid(-(1 << bits - 1) if signed else 0, (1 << bits - signed) - 1)
    planes = None
    for level in range(levels - reduce):
        d = 1 << levels - 1 - level
        w, h = -(-width // d), -(-height // d)
        coder.bits = Bits(chunks[level])
        if level == 0:
            g = 0
            for _ in range(bits):
                g = 2 * g + coder.bits.plain()
            coder.ground = g - (1 << bits) if signed and g >> bits - 1 else g
        means, planes = planes, [{} for _ in range(frames)]
        for i in range(frames):
            before = planes[i - 1] if i else {}
            if level == 0:
                coder.first(w, h, planes[i], before)
                continue
            for Y in range(-(-h // 2)):
                for X in range(-(-w // 2)):
                    coder.block(X, Y, w, h, means[i], planes[i], before)
    return planes
