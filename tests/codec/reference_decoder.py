# SPDX-License-Identifier: BSD-2-Clause
"""
A reference decoder for what mist_encode() writes losslessly: slow and plain, written from the clauses of the standard
and sharing nothing with the C codec but the CxtVLC tables of 15444-15 Annex C as CSV. Samples and coefficients are
Python's integers, so no width is too small for them. Bits come one at a time from generators; a block's samples are
known by their place. What the standard requires of a codestream is asserted, not tolerated.

One tile at the origin, no sub-sampling, one layer, one HT cleanup pass a block down to bit-plane 0, the 5/3 wavelet,
RCT or none, NLT of type 3 or none.
"""
import csv
import os
from collections import Counter, namedtuple
from itertools import chain, repeat

import numpy as np

from judges import Codestream

TABLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'src', 'codec', 'tables')


def ceil_div(a, b):
    return -(-a // b)


# ---- the HT cleanup pass (15444-15, clause 7) ----

def read_table(name):
    """{(context, codeword, length): (rho, u_off, e_k, e_1)}; the first bit of a codeword is its least significant."""
    with open(os.path.join(TABLES, name), newline='', encoding='ascii') as file:
        rows = [{key: int(value, 0) for key, value in row.items()} for row in csv.DictReader(file)]
    return {(row['c_q'], row['codeword'], row['length']): tuple(row[k] for k in ('rho', 'u_off', 'e_k', 'e_1'))
            for row in rows}


FIRST_ROW, OTHER_ROWS = read_table('vlc_table0.csv'), read_table('vlc_table1.csv')
MEL_EXPONENT = [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5]  # Table 2


def forward_bits(data, behind, first_bit_on_top):
    """
    MagSgn bits (7.1.2; least significant first) or MEL bits (7.1.3): a byte after 0xFF has seven and a 0 on top. Behind
    the end there are `behind` bytes 0xFF.
    """
    last = 0
    for byte in chain(data, repeat(0xff, behind)):
        count = 7 if last == 0xff else 8
        for i in reversed(range(count)) if first_bit_on_top else range(count):
            yield byte >> i & 1
        last = byte
    raise AssertionError('the bits are used up')


def backward_bits(data):
    """VLC bits (7.1.4), from the last byte to the first. The first four are skipped: they stand where Scup is."""
    last = 0xff
    for n, byte in enumerate(reversed(data)):
        count = 7 if last > 0x8f and byte & 0x7f == 0x7f else 8
        for i in range(0 if n else 4, count):
            yield byte >> i & 1
        last = byte
    raise AssertionError('the VLC bits are used up')


def mel_events(bits):
    """Whether the next quad of context 0 is significant (7.3.3)."""
    state = 0
    while True:
        exponent = MEL_EXPONENT[state]
        if next(bits):
            yield from [0] * (1 << exponent)
            state = min(state + 1, 12)
        else:
            yield from [0] * sum(next(bits) << i for i in reversed(range(exponent)))
            yield 1
            state = max(state - 1, 0)


def number(bits, count):
    """`count` bits, the least significant first."""
    return sum(next(bits) << i for i in range(count))


def read_quad(context, table, mel, vlc):
    """rho, u_off, e_k, e_1 of a quad (7.3.5)."""
    if context == 0 and not next(mel):
        return 0, 0, 0, 0
    word = 0
    for length in range(1, 8):
        word |= next(vlc) << length - 1
        if (context, word, length) in table:
            return table[context, word, length]
    raise AssertionError('no codeword of context %d' % context)


def read_prefix(vlc):
    return 1 if next(vlc) else 2 if next(vlc) else 3 if next(vlc) else 5


def read_residuals(offsets, first_row, mel, vlc, seen):
    """u_q of two quads from their u_off (7.3.6): both prefixes, then both suffixes, then both extensions."""
    both = first_row and offsets == [1, 1]
    more = 2 if both and next(mel) else 0
    prefix, suffix, extension, one_bit = [0, 0], [0, 0], [0, 0], False
    if offsets[0]:
        prefix[0] = read_prefix(vlc)
    if both and not more and prefix[0] > 2:
        prefix[1], one_bit = 1 + next(vlc), True
    elif offsets[1]:
        prefix[1] = read_prefix(vlc)
    for i in (0, 1):
        suffix[i] = number(vlc, {3: 1, 5: 5}.get(prefix[i], 0))
    for i in (0, 1):
        extension[i] = number(vlc, 4) if suffix[i] >= 28 else 0
    extended = suffix[0] >= 28, suffix[1] >= 28
    if any(extended):
        seen[('extension', *extended, 'less 2' if more else 'one bit' if one_bit else 'first row' * first_row)] += 1
    return [prefix[i] + suffix[i] + 4 * extension[i] + (more if offsets[i] else 0) for i in (0, 1)]


class Block:
    """
    The cleanup segment of a code-block: .value, the coefficients that are not 0 by (x, y). .exponent is E of 7.3.2, the
    number of bits of 2 mu - 1, and .significant the places of `rho` bits.
    """

    def __init__(self, segment, width, height, seen):
        self.width, self.height, self.seen = width, height, seen
        self.value, self.exponent, self.significant = {}, {}, set()
        magsgn_size, tail = split_segment(segment)
        self.magsgn = forward_bits(segment[:magsgn_size], 1, False)
        self.mel, self.vlc = mel_events(forward_bits(tail, 4096, True)), backward_bits(tail[:-1])
        for y in range(0, height, 2):
            for x in range(0, width, 4):
                self.read_pair(x, y)

    def context(self, x, y):
        """c_q of the quad whose first sample is (x, y) (7.3.5)."""
        at = lambda *places: int(any((x + dx, y + dy) in self.significant for dx, dy in places))
        if y == 0:
            return at((-2, 0), (-2, 1)) + 2 * at((-1, 0)) + 4 * at((-1, 1))
        return at((-1, -1), (0, -1)) + 2 * at((-1, 0), (-1, 1)) + 4 * at((1, -1), (2, -1))

    def predictor(self, x, y, rho):
        """kappa_q (7.3.7), from the exponents of the line above where more than one sample is significant."""
        if y == 0 or bin(rho).count('1') < 2:
            return 1
        return max(1, max(self.exponent.get((x + dx, y - 1), 0) for dx in (-1, 0, 1, 2)) - 1)

    def read_pair(self, x, y):
        quads = []
        for left in (x, x + 2):
            if left >= self.width:
                quads.append((0, 0, 0, 0))
                continue
            quads.append(read_quad(self.context(left, y), OTHER_ROWS if y else FIRST_ROW, self.mel, self.vlc))
            for i in range(4):  # down the left column of the quad, then down the right one
                if quads[-1][0] >> i & 1:
                    assert left + i // 2 < self.width and y + i % 2 < self.height, 'a sample outside of the block'
                    self.significant.add((left + i // 2, y + i % 2))
        residuals = read_residuals([u_off for _, u_off, _, _ in quads], y == 0, self.mel, self.vlc, self.seen)
        for left, (rho, _, e_k, e_1), residual in zip((x, x + 2), quads, residuals):
            bound = self.predictor(left, y, rho) + residual
            for i in range(4):
                if rho >> i & 1:
                    self.read_sample(left + i // 2, y + i % 2, bound, e_k >> i & 1, e_1 >> i & 1)

    def read_sample(self, x, y, bound, known, top):
        """MagSgn (7.3.8): 2 (mu - 1) + sign in `bound` bits, of which e_k has told the highest."""
        count = bound - known
        value = number(self.magsgn, count) + (top << count)
        magnitude = (value >> 1) + 1
        self.exponent[x, y] = (2 * magnitude - 1).bit_length()
        self.value[x, y] = -magnitude if value & 1 else magnitude
        self.seen['exponent', self.exponent[x, y]] += 1


def split_segment(segment):
    """Size of the MagSgn bytes, and the MEL and VLC bytes with ones in the place of Scup (7.1.1)."""
    assert len(segment) >= 2 and segment[-1] != 0xff
    scup = segment[-1] << 4 | segment[-2] & 15
    assert 2 <= scup <= min(len(segment), 4079), 'Scup'
    assert all(a < 0xff or b <= 0x8f for a, b in zip(segment, segment[1:])), 'a marker in a segment'
    magsgn = segment[:len(segment) - scup]
    assert all(a < 0xff or b <= 0x7f for a, b in zip(magsgn, magsgn[1:])), 'a stuffed bit is set'
    return len(magsgn), segment[-scup:-2] + bytes([segment[-2] | 15, 0xff])


# ---- packets (15444-1 Annex B) ----

# A code-block that has data: kind is (0 or 1 for low- or high-pass across, the same down), (x, y) its place in the
# sub-band, `at` and `size` where its segment lies in the codestream.
Coded = namedtuple('Coded', 'component resolution kind x y width height at size')


class HeaderBits:
    """Bits of a packet header, the most significant first; after 0xFF a byte has seven (B.10.1)."""

    def __init__(self, data, at):
        self.data, self.at, self.byte, self.left = data, at, 0, 0

    def bit(self):
        if self.left == 0:
            self.left = 7 if self.byte == 0xff else 8
            self.byte = self.data[self.at]
            self.at += 1
            assert not self.byte >> self.left, 'a stuffed bit is set'
        self.left -= 1
        return self.byte >> self.left & 1

    def end(self):
        """Where the packet's body begins."""
        return self.at + (self.byte == 0xff)


class TagTree:
    """B.10.2. Nodes by (level, x, y): what is known so far of their value, and whether that is all."""

    def __init__(self, width, height):
        self.depth = max(width - 1, height - 1, 0).bit_length()
        self.least, self.final = Counter(), set()

    def below(self, bits, x, y, threshold):
        """The value of a leaf, or None if it is not below the threshold."""
        least = 0
        for level in reversed(range(self.depth + 1)):
            node = level, x >> level, y >> level
            least = max(least, self.least[node])
            while least < threshold and node not in self.final:
                if bits.bit():
                    self.final.add(node)
                else:
                    least += 1
            self.least[node] = least
        return least if least < threshold else None


def resolution_size(stream, resolution):
    scale = 1 << stream.decompositions - resolution
    return ceil_div(stream.width, scale), ceil_div(stream.height, scale)


def bands(stream, resolution):
    """Kind, Mb, width and height of the sub-bands of a resolution level (B-15)."""
    planes = stream.magnitude_planes()
    if resolution == 0:
        return [((0, 0), planes[0], *resolution_size(stream, 0))]
    scale = 1 << stream.decompositions - resolution + 1
    return [((across, down), planes[3 * resolution - 2 + n],
             ceil_div(stream.width - across * scale // 2, scale), ceil_div(stream.height - down * scale // 2, scale))
            for n, (across, down) in enumerate(((1, 0), (0, 1), (1, 1)))]


def packet_order(stream):
    """(component, resolution, precinct column, row) in the order of the progression (B.12)."""
    keys = []
    for resolution in range(stream.decompositions + 1):
        wide, high = stream.precincts[resolution] if stream.scod & 1 else (1 << 15, 1 << 15)
        width, height = resolution_size(stream, resolution)
        scale = 1 << stream.decompositions - resolution
        for component in range(stream.components):
            for row in range(ceil_div(height, high)):
                for column in range(ceil_div(width, wide)):
                    y, x, c, r = row * high * scale, column * wide * scale, component, resolution
                    key = [(r, c, y, x), (r, c, y, x), (r, y, x, c), (y, x, c, r), (c, y, x, r)][stream.progression]
                    keys.append((key, (component, resolution, column, row)))
    return [packet for _, packet in sorted(keys)]


def precinct_blocks(stream, band_width, band_height, resolution, column, row):
    """Places and sizes of the code-blocks of one precinct in one sub-band, row by row (B.7, B.9), as rows of rows."""
    wide, high = stream.precincts[resolution] if stream.scod & 1 else (1 << 15, 1 << 15)
    if resolution > 0:
        wide, high = wide // 2, high // 2
    assert wide > 0 and high > 0
    block_width, block_height = min(stream.block[0], wide), min(stream.block[1], high)
    right, bottom = min((column + 1) * wide, band_width), min((row + 1) * high, band_height)
    return [[(x, y, min(block_width, right - x), min(block_height, bottom - y))
             for x in range(column * wide, right, block_width)] for y in range(row * high, bottom, block_height)]


def read_block_header(bits, inclusion, zero_planes, x, y, planes):
    """The length of a block's segment; 0 if it has none (B.10.4 to B.10.7)."""
    if inclusion.below(bits, x, y, 1) is None:
        return 0
    threshold = 1
    while zero_planes.below(bits, x, y, threshold) is None:
        threshold += 1
        assert threshold <= planes, 'more zero bit-planes than there are'
    assert threshold == planes, 'the cleanup pass is to be at bit-plane 0'  # below Mb - 1 others
    assert bits.bit() == 0, 'one coding pass'
    length_bits = 3
    while bits.bit():
        length_bits += 1
    return int(''.join(str(bits.bit()) for _ in range(length_bits)), 2)


def read_packet(stream, at, component, resolution, column, row):
    """Where the packet that begins at `at` ends, and its blocks."""
    bits, found = HeaderBits(stream.data, at), []
    if bits.bit():
        for kind, planes, band_width, band_height in bands(stream, resolution):
            rows = precinct_blocks(stream, band_width, band_height, resolution, column, row)
            trees = [TagTree(len(rows[0]) if rows else 0, len(rows)) for _ in range(2)]
            for j, blocks in enumerate(rows):
                for i, (x, y, width, height) in enumerate(blocks):
                    size = read_block_header(bits, *trees, i, j, planes)
                    if size:
                        found.append(Coded(component, resolution, kind, x, y, width, height, 0, size))
    at = bits.end()
    for i, block in enumerate(found):
        found[i] = block._replace(at=at)
        at += block.size
    return at, found


def read_blocks(stream):
    """Every Coded of the codestream; its packets fill the tile-parts, none lies in two of them (A.4.2)."""
    order, found = iter(packet_order(stream)), []
    for start, size, _, _ in stream.parts:
        at, end = start + 14, start + size
        while at < end:
            at, blocks = read_packet(stream, at, *next(order))
            found += blocks
        assert at == end, 'a packet beyond its tile-part'
    assert next(order, None) is None, 'packets are missing'
    return found


# ---- samples ----

def merge53(low, high, axis):
    """1D_SR of the reversible filter (15444-1 F.3.8.2), for signals that begin at an even place."""
    low, high = np.moveaxis(low, axis, 0), np.moveaxis(high, axis, 0)
    n = len(low) + len(high)
    out = np.empty((n,) + low.shape[1:], dtype=object)
    if n == 1:
        return np.moveaxis(low, 0, axis)
    out[0::2], out[1::2] = low, high
    mirror = lambda i: -i if i < 0 else 2 * (n - 1) - i if i >= n else i
    for i in range(0, n, 2):
        out[i] = out[i] - (out[mirror(i - 1)] + out[mirror(i + 1)] + 2 >> 2)
    for i in range(1, n, 2):
        out[i] = out[i] + (out[mirror(i - 1)] + out[mirror(i + 1)] >> 1)
    return np.moveaxis(out, 0, axis)


def decode_component(stream, blocks, seen):
    """Coefficients of one component to samples before the colour transform (15444-1 F.3)."""
    plane = None
    for resolution in range(stream.decompositions + 1):
        level = {}
        for kind, planes, width, height in bands(stream, resolution):
            level[kind] = np.zeros((height, width), dtype=object)
            for block in (b for b in blocks if (b.resolution, b.kind) == (resolution, kind)):
                segment = stream.data[block.at:block.at + block.size]
                for (x, y), value in Block(segment, block.width, block.height, seen).value.items():
                    assert abs(value) < 1 << planes, 'more than Mb bit-planes'
                    level[kind][block.y + y, block.x + x] = value
        if resolution == 0:
            plane = level[0, 0]
        else:
            plane = merge53(merge53(plane, level[1, 0], 1), merge53(level[0, 1], level[1, 1], 1), 0)
    return plane


def check(stream):
    assert stream.layers == 1 and stream.block_style == 0x40 and stream.wavelet == 1 and stream.scod in (0, 1)
    assert stream.quantization == 0 and stream.progression < 5 and stream.transform in (0, 1)
    assert (stream.tile_width, stream.tile_height) == (stream.width, stream.height)
    assert all(c == stream.component[0] and c[1:] == (1, 1) for c in stream.component)
    assert len(stream.exponents) == 3 * stream.decompositions + 1
    assert max(stream.magnitude_planes()) <= stream.magb(), 'the bound in Ccap15'
    assert stream.nonlinearity in (None, (65535, stream.component[0][0], 3))


def decode(data, seen=None):
    """
    H x W x C of Python's integers: the samples; bit patterns as two's complement where NLT says that they are floats.
    `seen` (a Counter) is told which exponents and which rare codes there were.
    """
    stream = Codestream(data)
    check(stream)
    blocks = read_blocks(stream)
    planes = [decode_component(stream, [b for b in blocks if b.component == c], Counter() if seen is None else seen)
              for c in range(stream.components)]
    if stream.transform:  # G.2.2
        y, cb, cr = planes[:3]
        green = y - (cb + cr >> 2)
        planes[:3] = [cr + green, green, cb + green]
    samples = np.stack(planes, -1)
    signed, half = stream.component[0][0] >> 7, 1 << (stream.component[0][0] & 0x7f)
    if stream.nonlinearity:  # 15444-2: negative values count from the other end
        assert signed
        samples = np.where(samples < 0, -1 - half - samples, samples)
    if not signed:  # G.1.2
        samples = samples + half
    assert samples.min() >= (-half if signed else 0), 'below the range'
    assert samples.max() < (half if signed else 2 * half), 'beyond the range'
    return samples


def magsgn_place(data, block):
    """Where the MagSgn bytes of a Coded lie: the first, and behind the last."""
    return block.at, block.at + split_segment(data[block.at:block.at + block.size])[0]
