# SPDX-License-Identifier: BSD-2-Clause
"""
Reads chunks of JPEG coefficients: written from docs/coder-jpeg.md alone. For small pictures; clear rather than fast.

    Reader([bytes of level 0, 1 ...]) has width, height, components and, for each component, either blocks
    (high x wide x 64, natural order, unquantised) or sums (DC over blocks) of depth `depth`.
"""
import math

import numpy as np

ZIGZAG = sorted(((row, column) for row in range(8) for column in range(8)),
                key=lambda at: (sum(at), at[0] if sum(at) % 2 else at[1]))
PLACES = sorted(ZIGZAG, key=lambda at: ((max(at) > 0) + (max(at) > 1) + (max(at) > 3), ZIGZAG.index(at)))
PLACE_OF = {at: place for place, at in enumerate(PLACES)}


class Range:
    """One stream, with its models by name."""

    def __init__(self, data):
        self.data, self.at, self.range, self.code, self.models = data, 0, 2**32 - 1, 0, {}
        for _ in range(4):
            self.code = self.code << 8 | self.byte()

    def byte(self):
        self.at += 1
        if self.at > len(self.data) + 8:
            raise ValueError("the chunk ends too early")
        return self.data[self.at - 1] if self.at <= len(self.data) else 0

    def bit(self, *name):
        p, n = self.models.get(name, (1 << 21, 0))
        bound = (self.range >> 16) * max(1, p >> 6)
        bit = int(self.code < bound)
        if bit:
            self.range = bound
        else:
            self.code -= bound
            self.range -= bound
        while self.range < 1 << 24:
            self.range <<= 8
            self.code = (self.code << 8 | self.byte()) & 0xFFFFFFFF
        p += (((1 << 22) - 1 if bit else 0) - p) * (2**17 // (2 * n + 3)) >> 16
        self.models[name] = p, min(n + 1, 127)
        return bit

    def magnitude(self, most, mantissa, *name):
        bits = 0
        while bits < most and self.bit("exponent", *name, bits):
            bits += 1
        value = 1
        for i in range(bits):
            value = value << 1 | self.bit("mantissa", *mantissa, bits, i > 0)
        return value

    def signed(self, *name):
        if self.bit("zero", *name):
            return 0
        negative = self.bit("sign", *name)
        value = self.magnitude(30, name, *name)
        return -value if negative else value


def divide(a, b):
    """Towards 0."""
    return abs(a) // b * (1 if a >= 0 else -1)


def activity(value):
    return min(13, int(value).bit_length())


def class_of(value, classes):
    if value >= 4:
        bits = value.bit_length() - 1
        value = 2 * bits + (value >> bits - 1 & 1)
    return min(classes - 1, value)


def sign(value):
    return int(value > 0) - int(value < 0) + 1


class Component:
    def __init__(self, identifier, h, v, quant):
        self.identifier, self.h, self.v = identifier, h, v
        self.quant = quant  # zigzag order
        self.stage = None


class Reader:
    def __init__(self, levels):
        at = self.read_head(levels[0])
        self.reduce = self.levels
        for level, data in enumerate(levels):
            self.reduce = self.levels - 1 - level
            stream = Range(data[at:] if level == 0 else data)
            for c, component in enumerate(self.components):
                self.climb(stream, int(c > 0), component)

    def read_head(self, data):
        self.flags, self.transform, self.orientation, at = data[1], data[2], data[3], 4
        assert data[0] == 1
        sizes = []
        for _ in range(2):
            value = shift = 0
            while True:
                value |= (data[at] & 127) << shift
                shift, at = shift + 7, at + 1
                if data[at - 1] < 128:
                    break
            sizes.append(value)
        self.width, self.height = sizes
        count, at = data[at], at + 1
        described = [data[at + 3 * c:at + 3 * c + 3] for c in range(count)]
        at += 3 * count
        self.components = []
        for identifier, factors, table in described:
            if table < 16:
                quant = self.components[table].quant
            elif table == 16:
                quant, at = list(data[at:at + 64]), at + 64
            else:
                quant, at = [data[at + 2 * k] << 8 | data[at + 2 * k + 1] for k in range(64)], at + 128
            self.components.append(Component(identifier, factors >> 4, factors & 15, quant))
        self.h_max = max(component.h for component in self.components)
        self.v_max = max(component.v for component in self.components)
        for c in self.components:
            alone = count == 1
            c.wide = -(-self.width // 8) if alone else -(-self.width // (8 * self.h_max)) * c.h
            c.high = -(-self.height // 8) if alone else -(-self.height // (8 * self.v_max)) * c.v
            twos = lambda ratio: (ratio & -ratio).bit_length() - 1
            c.shifts = twos(self.h_max // c.h), twos(self.v_max // c.v)
            c.q = [c.quant[ZIGZAG.index(place)] or 1 for place in PLACES]
        self.levels = max(1, math.ceil(math.log2(min(self.width, self.height) / 32)))
        return at

    def climb(self, stream, group, c):
        target = max(0, self.reduce - min(c.shifts)) if self.reduce <= 3 else max(3, self.reduce - max(c.shifts))
        if c.stage is None:
            c.stage = max(target, 3)
            self.lowest(stream, group, c)
        while c.stage > target:
            c.stage -= 1
            if c.stage >= 3:
                self.divide_sums(stream, group, c)
            else:
                self.band(stream, group, c, 3 - c.stage)
            if c.stage == 3:
                self.settle(c)

    def settle(self, c):
        """Blocks by place, with a frame of zeros around them."""
        c.places = np.zeros((c.high + 2, c.wide + 2, 64), np.int64)
        c.places[1:-1, 1:-1, 0] = c.sums

    def lowest(self, stream, group, c):
        depth = c.stage - 3
        high, wide = -(-c.high // (1 << depth)), -(-c.wide // (1 << depth))
        s = c.sums = np.zeros((high, wide), object)
        for y in range(high):
            for x in range(wide):
                left = s[y, x - 1] if x else s[y - 1, x] if y else 0
                up = s[y - 1, x] if y else left
                corner = s[y - 1, x - 1] if x and y else up if y else left
                right = s[y - 1, x + 1] if y and x + 1 < wide else up
                near = (abs(left - corner) + abs(up - corner) + abs(up - right)) // 2
                s[y, x] = sorted((left, up, left + up - corner))[1] + stream.signed("base", group, activity(near))
        if depth == 0:
            self.settle(c)

    def divide_sums(self, stream, group, c):
        depth = c.stage - 3
        coarse = c.sums
        high, wide = -(-c.high // (1 << depth)), -(-c.wide // (1 << depth))
        fine = c.sums = np.zeros((high, wide), object)
        full = coarse.copy()
        if wide % 2:
            full[:, -1] *= 2
        if high % 2:
            full[-1] *= 2
        for y in range(coarse.shape[0]):
            for x in range(coarse.shape[1]):
                two_columns, two_rows, total = 2 * x + 1 < wide, 2 * y + 1 < high, full[y, x]
                left = full[y, x - 1] if x else total
                up = full[y - 1, x] if y else total
                right = full[y, x + 1] if x + 1 < coarse.shape[1] else total
                down = full[y + 1, x] if y + 1 < coarse.shape[0] else total
                a = activity((abs(total - left) + abs(total - right) + abs(total - up) + abs(total - down)) // 8)
                rows = [coarse[y, x]]
                if two_rows:
                    slope = down - total
                    if y:
                        above = fine[2 * y - 1, 2 * x] + fine[2 * y - 1, 2 * x + 1 if two_columns else 2 * x]
                        slope = divide(3 * slope + 4 * (total - 2 * above), 3)
                    own = total if two_columns else total // 2
                    upper = (own >> 1) - divide(slope if two_columns else divide(slope, 2), 16)
                    upper += stream.signed("split", group, 0, a)
                    rows = [upper, own - upper]
                for i, row in enumerate(rows):
                    if two_columns:
                        slope = right - total
                        if x:
                            slope = divide(3 * slope + 8 * (row - 2 * fine[2 * y + i, 2 * x - 1]), 3)
                        first = (row >> 1) - divide(slope, 32) + stream.signed("split", group, 1, a)
                        fine[2 * y + i, 2 * x:2 * x + 2] = first, row - first
                    else:
                        fine[2 * y + i, 2 * x] = row

    def predictions(self, c, x, y):
        rows = [max(y - 1, 0), y, min(y + 1, c.high - 1)]
        columns = [max(x - 1, 0), x, min(x + 1, c.wide - 1)]
        d = [[int(c.places[row + 1, column + 1, 0]) for column in columns] for row in rows]
        values = [0, 36 * (d[1][0] - d[1][2]), 36 * (d[0][1] - d[2][1]), 5 * (d[0][0] - d[0][2] - d[2][0] + d[2][2]),
                  9 * (d[0][1] + d[2][1] - 2 * d[1][1]), 9 * (d[1][0] + d[1][2] - 2 * d[1][1])]
        return [divide(value * c.q[0], 64 * c.q[place]) for place, value in enumerate(values)] + [0] * 58

    def band(self, stream, group, c, band):
        first, end = 4 ** (band - 1), 4 ** band
        counts = np.zeros((c.high, c.wide), int)
        for y in range(c.high):
            for x in range(c.wide):
                predicted = self.predictions(c, x, y) if band < 3 else [0] * 64
                block = c.places[y + 1, x + 1]
                left, up = (counts[y, x - 1] if x else None), (counts[y - 1, x] if y else None)
                left, up = (up if left is None else left), (left if up is None else up)
                expected = int((left or 0) + (up or 0))
                if band == 1:
                    lower = class_of(abs(predicted[1]) + abs(predicted[2]), 12) // 2
                else:
                    lower = class_of(int(np.count_nonzero(block[first // 4:first])), 6)
                node = 1
                for _ in range(2 * band):
                    node = 2 * node + stream.bit("count", group, band, class_of(expected, 11), lower, node)
                counts[y, x] = node - (1 << 2 * band)
                self.coefficients(stream, group, c, (x, y), predicted, range(first, end), counts[y, x])

    def coefficients(self, stream, group, c, at, predicted, places, left):
        x, y = at
        around = c.places[y:y + 3, x:x + 3]
        block = around[1, 1]
        for place in places:
            if not left:
                break
            row, column = PLACES[place]
            sizes = np.abs(around[..., place])
            beside = int(2 * (sizes[1, 0] + sizes[0, 1]) + sizes[0, 0] + sizes[0, 2])
            near = lambda i, j: abs(int(block[PLACE_OF[i, j]])) if i >= 0 and j >= 0 and (i or j) else 0
            inside = 2 * (near(row - 1, column) + near(row, column - 1)) + near(row - 1, column - 1)
            if place < 6:
                inside = abs(predicted[place])
            if left < places.stop - place:
                if stream.bit("zero", group, place, min(left, 8), class_of(beside, 8), class_of(inside, 12) // 2):
                    continue
            signs = 3 * sign(around[1, 0, place]) + sign(around[0, 1, place])
            if place < 6:
                signs = class_of(abs(predicted[place]), 9)
            negative = stream.bit("sign", group, place, signs, sign(predicted[place]))
            value = stream.magnitude(14, (group, place), group, place, class_of(beside + inside, 16) // 2)
            block[place] = -value if negative else value
            left -= 1

    def samples(self, number):
        """A component's own samples at full size, before colour: floats of the plain inverse DCT, padding cut off."""
        c = self.components[number]
        blocks = np.zeros((c.high, c.wide, 8, 8))
        for place, (row, column) in enumerate(PLACES):
            blocks[:, :, row, column] = c.places[1:-1, 1:-1, place] * c.quant[ZIGZAG.index((row, column))]
        u, x = np.mgrid[0:8, 0:8]
        basis = np.cos((2 * x + 1) * u * np.pi / 16) * np.where(u == 0, np.sqrt(1 / 8), 0.5)
        pixels = np.einsum("ux,hwuv,vy->hxwy", basis, blocks, basis).reshape(8 * c.high, 8 * c.wide) + 128
        return pixels[:-(-self.height * c.v // self.v_max), :-(-self.width * c.h // self.h_max)]

    def means(self, number):
        """A component's samples where only DC or sums of it are known."""
        c = self.components[number]
        depth = max(c.stage - 3, 0)
        count = lambda size: np.minimum((np.arange(-(-size // (1 << depth))) + 1) << depth, size) - \
            (np.arange(-(-size // (1 << depth))) << depth)
        sums = c.places[1:-1, 1:-1, 0] if c.stage <= 3 else c.sums.astype(float)
        return sums * c.quant[0] / 8 / np.outer(count(c.high), count(c.wide)) + 128
