# SPDX-License-Identifier: BSD-2-Clause
"""Frames for the encoder's tests: what they look like and how they are to be encoded."""
import os
import subprocess

import numpy as np

from judges import analysis_signs

TYPES = {'u8': 'u1', 's8': 'i1', 'u16': 'u2', 's16': 'i2', 'u32': 'u4', 's32': 'i4', 'f16': 'f2', 'f32': 'f4'}


class Case:
    def __init__(self, name, samples, precision=0, **options):
        """samples: H x W x C of one of TYPES."""
        self.name, self.samples, self.options = name, samples, options
        self.type = {v: k for k, v in TYPES.items()}[samples.dtype.str[1:]]
        self.precision = precision or 8 * samples.dtype.itemsize
        self.signed = self.type[0] != 'u'
        self.status = None

    def request(self, directory):
        height, width, components = self.samples.shape
        planar = width % 2 == 1  # so that both layouts are used throughout
        self.raw, self.path = (os.path.join(directory, self.name + end) for end in ('.raw', '.j2c'))
        (np.moveaxis(self.samples, -1, 0) if planar else self.samples).tofile(self.raw)
        words = [self.raw, self.path, self.type, width, height, components, 'precision=%d' % self.precision]
        words += ['%s=%s' % (key.replace('_', '-'), value) for key, value in self.options.items()]
        return ' '.join(map(str, words + ['planar'] * planar))


def encode(cases, directory, environment=None):
    """Encodes all cases; sets .status ('ok' or a status and a sentence) and .data."""
    lines = '\n'.join(case.request(directory) for case in cases) + '\n'
    done = subprocess.run([os.environ['MIST_ENCODE_DRIVER']], input=lines, capture_output=True, text=True,
                          env=dict(os.environ, **(environment or {})))
    assert done.returncode == 0, 'encode_driver: exit status %d, %s' % (done.returncode, done.stderr)
    said = done.stdout.splitlines()
    assert len(said) == len(cases)
    for case, status in zip(cases, said):
        case.status, case.data = status, None
        os.remove(case.raw)
        if status == 'ok':
            with open(case.path, 'rb') as f:
                case.data = f.read()


def sample_range(precision, signed):
    return (-(1 << precision - 1), (1 << precision - 1) - 1) if signed else (0, (1 << precision) - 1)


def smallest_type(precision, signed):
    return TYPES['%s%d' % ('s' if signed else 'u', 8 if precision <= 8 else 16 if precision <= 16 else 32)]


KINDS = ['minimum', 'maximum', 'checker', 'blocks', 'columns', 'rows', 'spike', 'spikes', 'noise', 'extremes', 'ramp',
         'worst-ll', 'worst-hl', 'worst-lh', 'worst-hh', 'sparse']


def draw(kind, shape, precision, signed, levels, random):
    """One plane of int64 samples that is hard on a codec in the way of KINDS."""
    height, width = shape
    low, high = sample_range(precision, signed)
    y, x = np.mgrid[:height, :width]
    pick = lambda mask: np.where(mask, high, low).astype(np.int64)
    middle = (low + high + 1) // 2
    if kind == 'minimum':
        return pick(x < 0)
    if kind == 'maximum':
        return pick(x >= 0)
    if kind == 'checker':
        return pick((x + y) % 2 == 0)
    if kind == 'blocks':
        return pick((x // 2 + y // 2) % 2 == 0)
    if kind == 'columns':
        return pick(x % 2 == 0)
    if kind == 'rows':
        return pick(y % 2 == 1)
    if kind == 'spike':
        return pick((x == width // 2) & (y == height // 2))
    if kind == 'spikes':
        return np.where(random.random(shape) < 0.02, high, middle).astype(np.int64)
    if kind == 'noise':
        return random.integers(low, high, size=shape, endpoint=True)
    if kind == 'extremes':
        return pick(random.random(shape) < 0.5)
    if kind == 'ramp':
        return low + (x + y).astype(np.int64) * (high - low) // max(width + height - 2, 1)
    if kind == 'sparse':
        plane = np.full(shape, middle, dtype=np.int64)
        plane[: height // 3, : width // 3] = random.integers(low, high, size=(height // 3, width // 3), endpoint=True)
        return plane
    # The signs that drive a sample of the deepest band to the largest value that 5/3 can give.
    across, down = kind[-2:] in ('hl', 'hh'), kind[-2:] in ('lh', 'hh')
    signs = np.outer(analysis_signs(height, levels - 1, down), analysis_signs(width, levels - 1, across))
    return pick(signs > 0) if random.random() < 0.5 else pick(signs < 0)


def plane_case(name, kind, shape, precision, signed, levels, random, **options):
    plane = draw(kind, shape, precision, signed, levels, random)
    samples = plane[:, :, None].astype(smallest_type(precision, signed))
    return Case(name, samples, precision, levels=levels, **options)


def size_cases(random):
    sizes = [(1, 1), (1, 2), (2, 1), (2, 2), (3, 3), (4, 5), (31, 65), (33, 33), (65, 31), (63, 64), (64, 63), (65, 65),
             (47, 53), (128, 129), (200, 1), (1, 200), (3, 500), (500, 3)]
    sizes += [(1, n) for n in (3, 5, 17, 64, 65, 129)] + [(n, 1) for n in (3, 5, 17, 64, 65, 129)]
    for n, (width, height) in enumerate(sizes):
        for levels in {0, 1, 2, 4, 6}:
            precision, signed = [(8, False), (16, True), (12, False), (16, False), (8, True)][(n + levels) % 5]
            plane = draw('noise', (height, width), precision, signed, 1, random)
            if n % 2:
                plane = draw('ramp', (height, width), precision, signed, 1, random)
            yield Case('size-%dx%d-%d' % (width, height, levels),
                       plane[:, :, None].astype(smallest_type(precision, signed)), precision, levels=levels)


def long_cases(random):
    for width, height in ((65535, 1), (1, 65535), (65535, 3), (2, 65535)):
        yield Case('long-%dx%d' % (width, height), random.integers(0, 4096, (height, width, 1)).astype('u2'), 12)
    yield Case('long-levels', random.integers(0, 4096, (1, 65535, 1)).astype('u2'), 12, levels=6)


def extreme_cases(random, precisions):
    """Every precision, sign and level count to 7; the kinds take turns so that each meets many of them."""
    n = 0
    for precision in precisions:
        for signed in (False, True):
            for levels in range(1, 8):
                kind = KINDS[n % len(KINDS)]
                n += 5
                if precision == 1 and kind == 'ramp':
                    kind = 'noise'
                shape = (67, 71) if levels > 4 else (37, 41)
                yield plane_case('extreme-%d%s-%d-%s' % (precision, 's' if signed else 'u', levels, kind), kind, shape,
                                 precision, signed, levels, random)


def worst_cases(random):
    """Each kind at the precisions at which lanes of 16 and 32 bits end, or nearly."""
    for kind in KINDS:
        for precision in (8, 10, 11, 12, 13, 14, 16):
            levels = 2 + (precision + len(kind)) % 5
            yield plane_case('worst-%s-%d' % (kind, precision), kind, (99, 85), precision, bool(precision & 2), levels,
                             random)
    # As deep as lanes of 16 bits go, and one more; 6 decompositions down a filter is longer than 250 samples.
    for kind in KINDS:
        if kind.startswith('worst') or kind in ('extremes', 'checker', 'spike'):
            for precision, levels in ((12, 7), (12, 8), (11, 8), (12, 9)):
                yield plane_case('deep-%s-%d-%d' % (kind, precision, levels), kind, (523, 517), precision,
                                 levels == 8, levels, random)
    # The sides at which 5 and 6 decompositions can make the most of 12 bits.
    for side, levels in ((53, 6), (109, 7)):
        for kind in ('worst-ll', 'worst-hl', 'worst-lh', 'worst-hh'):
            yield plane_case('%s-side-%d' % (kind, side), kind, (side, side), 12, bool(levels & 1), levels, random)


def color_cases(random):
    for n, kind in enumerate(KINDS):
        for precision, signed in ((8, False), (16, False), (16, True)):
            levels = 1 + n % 6
            planes = [draw(kind if c == n % 3 else KINDS[(n + 3 * c) % len(KINDS)], (45, 52), precision, signed, levels,
                           random) for c in range(3)]
            yield Case('rgb-%s-%d%s' % (kind, precision, 's' if signed else 'u'),
                       np.stack(planes, -1).astype(smallest_type(precision, signed)), precision, levels=levels)
    # All corners of the colour cube: R and B at one end, G at the other, drive Cb and Cr to their limits.
    for precision in (8, 12, 16):
        corners = random.integers(0, 2, (64, 64, 3)) * ((1 << precision) - 1)
        yield Case('rgb-corners-%d' % precision, corners.astype(smallest_type(precision, False)), precision, levels=4)
    for components in (1, 2, 3, 4):
        for color in (0, 1):
            yield Case('components-%d-%d' % (components, color),
                       random.integers(0, 256, (33, 47, components)).astype('u1'), color=color, levels=3)


def option_cases(random):
    y, x = np.mgrid[:150, :170]
    plane = (2000 + 1500 * np.sin(x / 9) * np.cos(y / 7) + random.normal(0, 20, (150, 170))).astype('u2')[:, :, None]
    rgb = np.stack([plane[:, :, 0] >> 4, random.integers(0, 9, (150, 170)), plane[:, :, 0] & 255], -1).astype('u1')
    for block in ('4x4', '4x1024', '1024x4', '32x32', '64x64', '16x256', '256x16', '8x4', '128x32'):
        yield Case('block-' + block, plane, 12, levels=4, block=block)
    for precinct in ('32x32', '64x64', '128x32', '32x128', '256x256', '16x16', '32768x64', '64x32768'):
        yield Case('precinct-' + precinct, plane, 12, levels=4, precinct=precinct)
    for progression in range(5):
        for tile_parts in (0, 1):
            for name, samples, precinct in (('grey', plane, '0x0'), ('rgb', rgb, '64x64')):
                yield Case('progression-%d-%d-%s' % (progression, tile_parts, name), samples,
                           12 if name == 'grey' else 8, levels=4, progression=progression, tile_parts=tile_parts,
                           precinct=precinct)
    for block in ('4x4', '64x64'):
        yield Case('small-precinct-block-' + block, plane, 12, levels=3, block=block, precinct='32x32', progression=3)
