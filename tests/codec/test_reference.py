# SPDX-License-Identifier: BSD-2-Clause
"""
Codestreams that no other decoder at hand can read, 28 to 32 bits and floats, read by the reference decoder; and that
decoder against OpenJPEG where OpenJPEG can read.

What this test is known to see, since it was tried by hand and undone: the encoder keeping 5 bits of exponents above 31;
guard bits of QCD one too few for more than 31 bit-planes. And what `roundtrip` cannot see, encoder and decoder having
been changed alike: an extension of the u-VLC code right behind its own suffix instead of behind both; its four bits as
the low ones of the residual; NLT that leaves the lowest bit as it is; a bound in Ccap15 4 too small for more than 27
bit-planes; a bit depth in NLT one too large. (The order of two extensions shows in no stream: residuals do not exceed
36, up to which both are 0.)
"""
import filecmp
import os
import tempfile
import unittest
from collections import Counter

import numpy as np

import judges
import reference_decoder
from encode_cases import (Case, KINDS, color_cases, draw, encode, extreme_cases, plane_case, sample_range,
                          smallest_type)

SHARED = os.environ.get('MIST_SHARED', '')


def patterns(samples):
    """Integers as they are, floats as the two's complement of their bits."""
    return samples.view('i%d' % samples.dtype.itemsize) if samples.dtype.kind == 'f' else samples


def small_cases(random):
    """Streams of up to 27 bits with every option of the encoder."""
    grey = random.integers(0, 4096, (45, 67, 1)).astype('u2')
    grey[:, 20:50] //= 256
    rgb = random.integers(0, 256, (37, 50, 3)).astype('u1')
    wide = random.integers(0, 64, (9, 1100, 1)).astype('u2')
    for block in ('4x4', '8x8', '16x16', '32x32', '64x64', '8x4', '4x64', '32x128', '1024x4'):
        for levels in (1, 3):
            yield Case('block-%s-%d' % (block, levels), wide if block == '1024x4' else grey, 12, levels=levels,
                       block=block)
    yield Case('block-4x1024', wide.reshape(1100, 9, 1), 12, levels=3, block='4x1024')
    for n, precinct in enumerate(('4x4', '8x8', '16x32', '32x16', '64x64', '32768x8', '8x32768')):
        yield Case('precinct-' + precinct, grey, 12, levels=2 if precinct == '4x4' else 4, precinct=precinct,
                   block=('64x64', '4x4')[n % 2])
    for progression in range(5):
        for tile_parts in (0, 1):
            for name, samples, precision in (('grey', grey, 12), ('rgb', rgb, 8)):
                yield Case('progression-%d-%d-%s' % (progression, tile_parts, name), samples, precision, levels=4,
                           progression=progression, tile_parts=tile_parts, precinct='16x8', block='8x8')
    for n, (width, height) in enumerate([(1, 1), (1, 9), (9, 1), (2, 2), (3, 5), (5, 4), (33, 31), (63, 64), (65, 66)]):
        for levels in range(1, 7):
            yield plane_case('size-%dx%d-%d' % (width, height, levels), ('noise', 'spikes', 'sparse')[n % 3],
                             (height, width), 12 + n, bool(n & 1), levels, random)
    for components in (2, 3, 4):
        for color in (0, 1):
            yield Case('planes-%d-%d' % (components, color), random.integers(0, 256, (21, 34, components)).astype('u1'),
                       color=color, levels=3)
    yield from [case for n, case in enumerate(color_cases(random)) if n % 4 == 0]
    yield from extreme_cases(random, (1, 9, 17, 25, 26, 27))


def patches(shape, precision, signed, random):
    """Small noise about the middle, in which some 3 x 3 patches drive single samples of HH as far as they can go."""
    low, high = sample_range(precision, signed)
    plane = (low + high + 1 >> 1) + random.integers(-2, 2, shape)
    patch = np.where(np.outer([-1, 1, -1], [-1, 1, -1]) > 0, high, low)
    for _ in range(12):
        y, x = 2 * random.integers(shape[0] // 4) * random.integers(2), 2 * random.integers(shape[1] // 2 - 1)
        plane[y:y + 3, x:x + 3] = patch
    return plane


def wide_cases(random):
    """28 to 32 bits, one component."""
    for precision in range(28, 33):
        for signed in (False, True):
            name = '%d%s' % (precision, 's' if signed else 'u')
            for n, kind in enumerate(KINDS):
                levels = 1 + (n + precision + 3 * signed) % 6
                yield plane_case('wide-%s-%s' % (name, kind), kind, (41, 37) if levels > 3 else (30, 35), precision,
                                 signed, levels, random, block=('64x64', '16x8', '4x4')[n % 3])
            for n in range(6):
                plane = patches((14, 50), precision, signed, random)
                yield Case('wide-%s-patches-%d' % (name, n), plane[:, :, None].astype(smallest_type(precision, signed)),
                           precision, levels=2)
            yield plane_case('wide-%s-64' % name, 'noise', (64, 64), precision, signed, 3, random)


def wide_color_cases(random):
    """28 to 32 bits with the RCT: each plane's kind, and G the opposite of B and R, which doubles Cb and Cr."""
    for precision in range(28, 33):
        for signed in (False, True):
            low, high = sample_range(precision, signed)
            type = smallest_type(precision, signed)
            name = 'rct-%d%s-' % (precision, 's' if signed else 'u')
            for kind in ('noise', 'extremes', 'checker', 'spike', 'worst-ll', 'worst-hl', 'worst-lh', 'worst-hh'):
                levels = int(random.integers(2, 6))
                plane = draw(kind, (27, 30), precision, signed, levels, random)
                yield Case(name + kind, np.stack([plane, low + high - plane, plane], -1).astype(type), precision,
                           levels=levels)
            plane = patches((22, 36), precision, signed, random)
            yield Case(name + 'patches', np.stack([plane, low + high - plane, plane], -1).astype(type), precision,
                       levels=2)
            planes = [draw(kind, (21, 26), precision, signed, 3, random)
                      for kind in ('noise', 'minimum', 'maximum', 'ramp')]
            yield Case(name + 'mixed', np.stack(planes, -1).astype(type), precision, levels=3)
            yield Case(name + 'none', np.stack(planes, -1).astype(type), precision, levels=3, color=0)


def float_cases(random):
    """All of binary16; of binary32 random patterns, NaN payloads, infinities, -0.0 and the smallest and largest."""
    yield Case('f16-all', random.permutation(np.arange(65536, dtype='u2')).view('f2').reshape(256, 256, 1))
    yield Case('f16-in-order', np.arange(4096, dtype='u2')[::-1].view('f2').reshape(64, 64, 1), levels=4)
    special = np.array([0, 0x80000000, 1, 0x80000001, 0x7fffff, 0x807fffff, 0x7f800000, 0xff800000, 0x7fc00000,
                        0xffc00000, 0x7f800001, 0xff800001, 0x7fffffff, 0xffffffff, 0x7fedcba9, 0xffbfffff, 0x7f7fffff,
                        0xff7fffff, 0x3f800000, 0xbf800000], dtype='u4')
    for components in range(1, 5):
        for levels in range(1, 6):
            bits = random.integers(0, 1 << 32, (25, 31, components), dtype='u4')
            pick = random.random(bits.shape) < 0.4
            bits[pick] = random.choice(special, pick.sum())
            yield Case('f32-%d-%d' % (components, levels), bits.view('f4'), levels=levels)
    for n, bits in enumerate(special):
        yield Case('f32-flat-%d' % n, np.full((9, 10, 1), bits, 'u4').view('f4'), levels=2)
    y, x = np.mgrid[:64, :64]
    yield Case('f32-smooth', (np.sin(x / 9) * np.exp(y / 3 - 10)).astype('f4')[:, :, None], levels=3)


class ReferenceTest(unittest.TestCase):
    def setUp(self):
        self.random = np.random.default_rng(15444)
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)

    def check(self, cases, judge=lambda case: None):
        """Encodes the cases; the reference decoder gives the samples that they were made from. What it has seen."""
        cases, seen, problems = list(cases), Counter(), []
        encode(cases, self.directory.name)
        for case in cases:
            try:
                assert case.status == 'ok', case.status
                found = reference_decoder.decode(case.data, seen)
                assert np.array_equal(found, patterns(case.samples).astype(object)), 'other samples'
                judge(case)
            except AssertionError as problem:
                problems.append('%s: %s' % (case.name, problem))
        self.assertEqual(problems, [], '%d of %d cases' % (len(problems), len(cases)))
        return seen

    def test_against_openjpeg(self):
        """The judge judged."""
        def openjpeg(case):
            found, said = judges.openjpeg(case.path, case.samples.shape[2])
            assert found is not None, 'OpenJPEG: ' + said
            assert np.array_equal(found, case.samples.astype(np.int64)), 'OpenJPEG: other samples'
        judges.require('opj_decompress')
        self.check(small_cases(self.random), openjpeg)

    def test_28_to_32_bits(self):
        seen = self.check(wide_cases(self.random)) + self.check(wide_color_cases(self.random))
        exponents = [key[1] for key in seen if key[0] == 'exponent']
        self.assertEqual(max(exponents), 36, 'the cases no longer need as much')
        # Residuals of 33 and more have an extension. In the first row of quads the codes of two are of three kinds.
        reached = {key[1:] for key in seen if key[0] == 'extension'}
        wanted = {(True, False, ''), (False, True, ''), (True, True, ''), (True, False, 'first row'),
                  (False, True, 'first row'), (True, False, 'one bit'), (True, False, 'less 2')}
        self.assertEqual(wanted - reached, set(), 'codes that the cases no longer need')

    def test_floats(self):
        self.check(float_cases(self.random))

    def test_one_bit(self):
        """The sign of the first sample of any block, which is its first MagSgn bit, changes the picture."""
        shape, options = (40, 44, 1), {'levels': 3, 'block': '16x16'}
        cases = [Case('bit-12', self.random.integers(1500, 2500, shape).astype('u2'), 12, **options),
                 Case('bit-32', self.random.integers(-1 << 28, 1 << 28, shape).astype('i4'), **options),
                 Case('bit-float', self.random.normal(0, 1, shape).astype('f4'), **options)]
        self.check(cases)
        for case in cases:
            blocks = reference_decoder.read_blocks(judges.Codestream(case.data))
            self.assertGreater(len(blocks), 6)
            for block in blocks:
                first, end = reference_decoder.magsgn_place(case.data, block)
                self.assertGreater(end, first)
                if case.data[first] | 1 == 0xff:  # that byte decides how many bits the next one has
                    continue
                changed = bytearray(case.data)
                changed[first] ^= 1
                found = reference_decoder.decode(bytes(changed))
                self.assertFalse(np.array_equal(found, patterns(case.samples).astype(object)), case.name)

    def test_tables(self):
        """The decoder's tables are those that came with the project's data."""
        for name in ('vlc_table0.csv', 'vlc_table1.csv'):
            origin = os.path.join(SHARED, 'htj2k', name)
            if not os.path.exists(origin):
                self.skipTest('no ' + origin)
            self.assertTrue(filecmp.cmp(origin, os.path.join(reference_decoder.TABLES, name), shallow=False), name)


if __name__ == '__main__':
    unittest.main(verbosity=1)
