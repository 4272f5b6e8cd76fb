# SPDX-License-Identifier: BSD-2-Clause
"""What the codec's tests know without MIST: marker segments, the 5/3 wavelet, and other people's decoders."""
import os
import shutil
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np

SKIP = 77


def require(*programs):
    missing = [p for p in programs if not shutil.which(p)]
    if missing:
        print('skipped: %s is not installed' % ', '.join(missing))
        sys.exit(SKIP)


def parallel(function, items):
    with ThreadPoolExecutor(max_workers=2) as pool:
        return list(pool.map(function, items))


# ---- marker segments (15444-1 Annex A) ----

class Codestream:
    """The main header's fields and the tile-parts of a codestream as mist_encode() writes it: checked as it is read."""

    def __init__(self, data):
        self.data = data
        self.order = []
        self.nonlinearity = None
        assert data[:2] == b'\xff\x4f', 'SOC'
        at = 2
        while data[at:at + 2] != b'\xff\x90':
            marker, length = struct.unpack_from('>HH', data, at)
            self.order.append(marker)
            payload = data[at + 4:at + 2 + length]
            assert len(payload) == length - 2
            reader = {0xff51: self.siz, 0xff50: self.cap, 0xff52: self.cod, 0xff5c: self.qcd, 0xff55: self.tlm,
                      0xff76: self.nlt}
            assert marker in reader, 'marker %04x in a main header' % marker
            reader[marker](payload, at)
            at += 2 + length
        self.header_end = at
        self.parts = []
        while data[at:at + 2] == b'\xff\x90':
            _, length, tile, size, index, count = struct.unpack_from('>HHHIBB', data, at)
            assert (length, tile) == (10, 0) and data[at + 12:at + 14] == b'\xff\x93'
            assert size >= 14 and at + size <= len(data)
            self.parts.append((at, size, index, count))
            at += size
        assert data[at:] == b'\xff\xd9', 'EOC and nothing behind it'

    def siz(self, p, at):
        (self.rsiz, self.width, self.height, x0, y0, self.tile_width, self.tile_height, tx, ty,
         self.components) = struct.unpack_from('>HIIIIIIIIH', p)
        assert (x0, y0, tx, ty) == (0, 0, 0, 0)
        self.ssiz_at = at + 4 + 36
        self.component = [tuple(p[36 + 3 * i:39 + 3 * i]) for i in range(self.components)]

    def cap(self, p, at):
        self.pcap, self.ccap15 = struct.unpack('>IH', p)

    def cod(self, p, at):
        (self.scod, self.progression, self.layers, self.transform, self.decompositions, xcb, ycb, self.block_style,
         self.wavelet) = struct.unpack_from('>BBHBBBBBB', p)
        self.block = (4 << xcb, 4 << ycb)
        self.precincts = [(1 << (b & 15), 1 << (b >> 4)) for b in p[10:]]

    def qcd(self, p, at):
        self.guard_bits, self.quantization = p[0] >> 5, p[0] & 31
        if self.quantization == 0:
            self.exponents = [b >> 3 for b in p[1:]]
        else:
            self.exponents = [v >> 11 for v in struct.unpack('>%dH' % ((len(p) - 1) // 2), p[1:])]

    def tlm(self, p, at):
        assert p[0] == 0, 'one TLM'
        tile_bytes, length_bytes = p[1] >> 4 & 3, 4 if p[1] & 64 else 2
        step = tile_bytes + length_bytes
        assert (len(p) - 2) % step == 0
        self.tlm_lengths = [int.from_bytes(p[i + tile_bytes:i + step], 'big') for i in range(2, len(p), step)]

    def nlt(self, p, at):
        """Components (65535: all), depth and sign, type (15444-2 A.3.10)."""
        self.nonlinearity = struct.unpack('>HBB', p)

    def magnitude_planes(self):
        """Mb by band, LL first (E-2)."""
        return [self.guard_bits + e - 1 for e in self.exponents]

    def magb(self):
        """The bound B on bit-planes that Ccap15 states (15444-15 A.3)."""
        p = self.ccap15 & 31
        return 8 if p == 0 else p + 8 if p < 20 else 4 * (p - 19) + 27 if p < 31 else 74


# ---- the reversible wavelet, from its definition (15444-1 F.4.8.1) ----

def split53(a, axis):
    a = np.moveaxis(np.asarray(a, dtype=object if a.dtype == object else np.int64), axis, 0)
    n = len(a)
    if n == 1:
        return np.moveaxis(a, 0, axis), np.moveaxis(a[:0], 0, axis)
    mirror = lambda i: -i if i < 0 else 2 * (n - 1) - i if i >= n else i
    x = a.copy()
    for i in range(1, n, 2):
        x[i] = a[i] - ((a[mirror(i - 1)] + a[mirror(i + 1)]) >> 1)
    for i in range(0, n, 2):
        x[i] = a[i] + ((x[mirror(i - 1)] + x[mirror(i + 1)] + 2) >> 2)
    return np.moveaxis(x[0::2], 0, axis), np.moveaxis(x[1::2], 0, axis)


def wavelet53(plane, decompositions):
    """[LL, HL, LH, HH, HL, ...] from the lowest level up; columns after rows as the standard's FDWT does."""
    bands, low = [], plane
    for _ in range(decompositions):
        top, bottom = split53(low, 0)
        low, hl = split53(top, 1)
        lh, hh = split53(bottom, 1)
        bands[:0] = [hl, lh, hh]
    return [low] + bands


def color53(planes):
    """RCT (15444-1 G.2)."""
    r, g, b = (p.astype(np.int64) for p in planes[:3])
    return [(r + 2 * g + b) >> 2, b - g, r - g] + [p.astype(np.int64) for p in planes[3:]]


def analysis_taps(n, decompositions, high):
    """What each of n samples counts in each sample of the deepest (high- or low-pass) band, rounding aside."""
    basis = np.eye(n)
    for level in range(decompositions):
        last, m = level == decompositions - 1, len(basis)
        mirror = lambda i: -i if i < 0 else 2 * (m - 1) - i if i >= m else i
        out = basis.copy()
        if m > 1:
            for i in range(1, m, 2):
                out[i] = basis[i] - (basis[mirror(i - 1)] + basis[mirror(i + 1)]) / 2
            for i in range(0, m, 2):
                out[i] = basis[i] + (out[mirror(i - 1)] + out[mirror(i + 1)]) / 4
        basis = out[1::2] if last and high and m > 1 else out[0::2]
    return basis


def analysis_signs(n, decompositions, high):
    """+-1 signal of n samples that drives one sample of the deepest (high- or low-pass) band to its maximum."""
    taps = analysis_taps(n, decompositions, high)
    best = taps[np.argmax(np.abs(taps).sum(axis=1))]
    return np.where(best < 0, -1, 1)


# ---- other people's decoders ----

def run(command):
    done = subprocess.run(command, capture_output=True, text=True, errors='replace')
    return done.returncode, done.stdout + done.stderr


def read_pgx(path):
    with open(path, 'rb') as f:
        head, _, body = f.read().partition(b'\n')
    words = head.replace(b'+', b'+ ').replace(b'-', b'- ').split()
    assert words[:2] == [b'PG', b'ML'], head
    signed, (precision, width, height) = words[2] == b'-', map(int, words[3:6])
    size = 1 if precision <= 8 else 2 if precision <= 16 else 4
    samples = np.frombuffer(body, dtype='>%s%d' % ('i' if signed else 'u', size))
    return samples.reshape(height, width).astype(np.int64), precision, signed


def openjpeg(path, components, reduce=0):
    """H x W x C by OpenJPEG, sign and precision as it read them, or its complaint."""
    base = path + '.opj%d' % reduce
    code, said = run(['opj_decompress', '-i', path, '-o', base + '.pgx'] + (['-r', str(reduce)] if reduce else []))
    if code:
        return None, said
    planes = []
    for c in range(components):
        name = '%s_%d.pgx' % (base, c)
        planes.append(read_pgx(name)[0])
        os.remove(name)
    return np.stack(planes, axis=-1), said


def openjph_can(stream):
    """
    Whether OpenJPH 0.9 is of use: its tools write images of 1 or 3 components and 16 bits, and where a resolution level
    of one sample is decomposed further it does not decode what it has encoded itself.
    """
    longest = max(stream.width, stream.height)
    lone = longest > 1 and longest <= 1 << max(stream.decompositions - 1, 0)
    return (stream.component[0][0] & 0x7f) < 16 and stream.components in (1, 3) and not lone


def openjph(path, reduce=0):
    """
    H x W x C by OpenJPH. Its tools of version 0.9 write no negative samples and at most 16 bits, 1 or 3 components of
    them; so the sign bit in Ssiz is cleared in what it is given. The coded data mean the same then: sample values are
    2^(precision - 1) larger (the level shift), which is taken back here.
    """
    with open(path, 'rb') as f:
        data = bytearray(f.read())
    stream = Codestream(bytes(data))
    ssiz = stream.component[0][0]
    for c in range(stream.components):
        data[stream.ssiz_at + 3 * c] &= 0x7f
    given, out = path + '.unsigned.j2c', path + '.%d.%s' % (reduce, 'pgm' if stream.components == 1 else 'ppm')
    with open(given, 'wb') as f:
        f.write(data)
    code, said = run(['ojph_expand', '-i', given, '-o', out] + (['-skip_res', str(reduce)] if reduce else []))
    os.remove(given)
    if code or not os.path.exists(out):
        return None, said
    precision = (ssiz & 0x7f) + 1
    with open(out, 'rb') as f:
        body = f.read().split(b'\n', 3)[3]  # P5 or P6, sides, maximum
    samples = np.frombuffer(body, dtype='u1' if precision <= 8 else '>u2').astype(np.int64)
    os.remove(out)
    width, height = -(-stream.width // (1 << reduce)), -(-stream.height // (1 << reduce))
    if samples.size != width * height * stream.components:
        return None, '%d samples instead of %d. %s' % (samples.size, width * height * stream.components, said)
    samples = samples.reshape(height, width, stream.components)
    if ssiz & 0x80:
        samples = samples - (1 << precision - 1)
    return samples, said
