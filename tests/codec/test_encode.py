# SPDX-License-Identifier: BSD-2-Clause
"""Every codestream of ours decodes to the samples it was made from, with OpenJPEG and with OpenJPH."""
import os
import tempfile
import unittest

import numpy as np

import judges
from encode_cases import (Case, KINDS, color_cases, draw, encode, extreme_cases, long_cases, option_cases,
                          plane_case, sample_range, size_cases, smallest_type, worst_cases)

SHARED = os.environ.get('MIST_SHARED', '')


def check_headers(case, stream):
    """What design.md and DICOM's HTJ2K Lossless RPCL ask of every stream, and what the options ask of this one."""
    height, width, components = case.samples.shape
    options = case.options
    assert stream.order == [0xff51, 0xff50, 0xff52, 0xff5c, 0xff55], stream.order
    assert (stream.width, stream.height, stream.components) == (width, height, components)
    assert (stream.tile_width, stream.tile_height) == (width, height)
    assert stream.component == [((case.precision - 1) | (0x80 if case.signed else 0), 1, 1)] * components
    assert stream.rsiz & 0x4000 and stream.pcap == 1 << 17, 'Part 15 capability'
    assert stream.ccap15 & 0xffc0 == 0, 'HTONLY, single sets, no RGN, homogeneous'
    irreversible = 'step' in options
    assert bool(stream.ccap15 & 0x20) == irreversible and stream.wavelet == (0 if irreversible else 1)
    assert stream.block_style == 0x40 and stream.layers == 1
    levels = options.get('levels') or max(1, int(np.ceil(np.log2(min(width, height) / 32))))
    assert stream.decompositions == levels - 1
    assert stream.progression == options.get('progression', 2)
    assert stream.transform == (1 if components >= 3 and options.get('color', 1) else 0)
    assert '%dx%d' % stream.block == options.get('block', '64x64')
    precinct = options.get('precinct', '0x0')
    assert stream.scod == (0 if precinct == '0x0' else 1)
    if stream.scod:
        assert ['%dx%d' % p for p in stream.precincts][-1] == precinct
    assert stream.magb() >= max(stream.magnitude_planes())
    assert len(stream.exponents) == 3 * stream.decompositions + 1
    by_level = options.get('tile_parts', 1) and options.get('progression', 2) in (0, 1, 2)
    assert len(stream.parts) == (levels if by_level else 1)
    assert [p[1] for p in stream.parts] == stream.tlm_lengths, 'TLM gives the lengths of the tile-parts'
    assert [p[2:] for p in stream.parts] == [(i, len(stream.parts)) for i in range(len(stream.parts))]


def check_magnitudes(case, stream):
    """No coefficient of the true transform needs more than the Mb bit-planes that QCD states."""
    shift = 0 if case.signed else 1 << case.precision - 1
    planes = [case.samples[:, :, c].astype(np.int64) - shift for c in range(case.samples.shape[2])]
    if stream.transform:
        planes = judges.color53(planes)
    for plane in planes:
        for b, band in enumerate(judges.wavelet53(plane, stream.decompositions)):
            most = int(np.abs(band).max(initial=0))
            assert most < 1 << stream.magnitude_planes()[b], 'band %d: %d needs more than %d planes' % (
                b, most, stream.magnitude_planes()[b])


def judge(case):
    """None, or what a judge had to say against the case."""
    try:
        assert case.status == 'ok', case.status
        stream = judges.Codestream(case.data)
        check_headers(case, stream)
        if stream.wavelet == 1 and case.samples.size < 40000:
            check_magnitudes(case, stream)
        expected = case.samples.astype(np.int64)
        found, said = judges.openjpeg(case.path, expected.shape[2])
        assert found is not None, 'OpenJPEG: ' + said
        assert np.array_equal(found, expected), 'OpenJPEG: other samples'
        if judges.openjph_can(stream):
            found, said = judges.openjph(case.path)
            assert found is not None, 'OpenJPH: ' + said
            assert np.array_equal(found, expected), 'OpenJPH: other samples'
    except AssertionError as problem:
        return '%s: %s' % (case.name, problem or 'a header field is wrong')
    return None


class EncodeTest(unittest.TestCase):
    def setUp(self):
        self.random = np.random.default_rng(20260)
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)

    def check(self, cases):
        cases = list(cases)
        encode(cases, self.directory.name)
        problems = [p for p in judges.parallel(judge, cases) if p]
        self.assertEqual(problems, [], '%d of %d cases' % (len(problems), len(cases)))

    def test_sizes(self):
        self.check(size_cases(self.random))

    def test_long_sides(self):
        self.check(long_cases(self.random))

    def test_extremes_to_16_bits(self):
        self.check(extreme_cases(self.random, range(1, 17)))

    def test_worst_cases(self):
        self.check(worst_cases(self.random))

    def test_bound(self):
        """Mb leaves room for the largest sum of samples times taps, and for rounding (16.6 a level: encode_setup.c)."""
        cases = [Case('bound-%d-%d-%d' % (side, levels, precision), np.zeros((side, side, 1), 'i2'), precision,
                      levels=levels)
                 for side in (25, 37, 53, 109, 153, 217) for levels in range(2, 9) for precision in (8, 12, 14)]
        encode(cases, self.directory.name)
        for case in cases:
            planes = judges.Codestream(case.data).magnitude_planes()
            decompositions = case.options['levels'] - 1
            low, high = (np.abs(judges.analysis_taps(len(case.samples), decompositions, kind)).sum(axis=1).max()
                         for kind in (False, True))
            for n, gain in enumerate((low * low, low * high, low * high, high * high)):
                most = gain * ((1 << case.precision - 1) - 0.5) + 16.6 * decompositions
                self.assertLess(most, 1 << planes[n], '%s, band %d' % (case.name, n))

    def test_color(self):
        self.check(color_cases(self.random))

    def test_options(self):
        self.check(option_cases(self.random))

    def test_noise_512(self):
        for signed in (False, True):
            self.check([plane_case('noise512', 'noise', (512, 512), 16, signed, 0, self.random)])

    def test_extremes_past_16_bits(self):
        """OpenJPEG refuses blocks of more than 30 bit-planes, which 27 bits need; past that see test_reference.py."""
        self.check(extreme_cases(self.random, range(17, 28)))

    def test_real_images(self):
        folder = os.path.join(SHARED, 'data/htj2k/openjphjs')
        if not os.path.isdir(folder):
            self.skipTest('no %s' % folder)
        cases = []
        for name, type, shape in (('CT1', 'i2', (512, 512, 1)), ('MR1', 'u2', (512, 512, 1)),
                                  ('NM1', 'i2', (256, 1024, 1)), ('US1', 'u1', (480, 640, 3)),
                                  ('XA1', 'u2', (1024, 1024, 1))):
            samples = np.fromfile(os.path.join(folder, name + '.RAW'), dtype=type).reshape(shape)
            cases.append(Case(name, samples))
        self.check(cases)

    def test_reduced_sizes(self):
        """Judges that drop levels get the low-pass image of the definition."""
        cases = [plane_case('reduce-%d' % n, kind, (101, 77), 12, bool(n & 1), 5, self.random)
                 for n, kind in enumerate(('noise', 'ramp', 'sparse'))]
        encode(cases, self.directory.name)
        for case in cases:
            shift = 0 if case.signed else 2048
            for reduce in range(1, 5):
                low = judges.wavelet53(case.samples[:, :, 0].astype(np.int64) - shift, reduce)[0] + shift
                low = low.clip(*sample_range(12, case.signed))
                found, said = judges.openjpeg(case.path, 1, reduce)
                self.assertTrue(np.array_equal(found[:, :, 0], low), '%s reduced %d: %s' % (case.name, reduce, said))
                found, said = judges.openjph(case.path, reduce)
                self.assertTrue(np.array_equal(found[:, :, 0], low), '%s reduced %d: %s' % (case.name, reduce, said))

    def test_irreversible(self):
        """Smaller steps give smaller errors, both judges agree on the picture, the samples stay near."""
        y, x = np.mgrid[:128, :160]
        grey = (128 + 90 * np.sin(x / 11) * np.cos(y / 13) + self.random.normal(0, 4, (128, 160))).clip(0, 255)
        rgb = np.stack([grey, 255 - grey, grey[::-1]], -1)
        deep = grey[:, :, None] * 257
        cases = []
        for name, samples, type, precision in (('grey', grey[:, :, None], 'u1', 8), ('rgb', rgb, 'u1', 8),
                                               ('deep', deep, 'u2', 16), ('signed', deep - 32768, 'i2', 16)):
            for step in (1 / 16, 1 / 256, 1 / 2048):
                cases.append(Case('irreversible-%s-%d' % (name, 1 / step), samples.astype(type), precision, levels=4,
                                  step=step))
        encode(cases, self.directory.name)
        errors, sizes = [], []
        for case in cases:
            self.assertEqual(case.status, 'ok')
            check_headers(case, judges.Codestream(case.data))
            one, said = judges.openjpeg(case.path, case.samples.shape[2])
            self.assertIsNotNone(one, said)
            other, said = judges.openjph(case.path)
            self.assertIsNotNone(other, said)
            scale = 1 << case.precision
            self.assertLess(np.abs(one - other).max() / scale, 0.005 + case.options['step'] / 4, case.name)
            errors.append(np.sqrt(np.mean((one - case.samples.astype(np.int64)) ** 2.0)) / scale)
            sizes.append(len(case.data))
            share = 0.6 if case.samples.shape[2] < 3 else 0.9  # ICT amplifies the errors of Cb and Cr
            self.assertLess(errors[-1], max(share * case.options['step'], 0.6 / scale), case.name)
        for first in range(0, len(cases), 3):
            self.assertTrue(errors[first] > errors[first + 1] > 0, errors[first:first + 3])
            self.assertTrue(errors[first + 1] >= errors[first + 2], errors[first:first + 3])
            self.assertTrue(sizes[first] < sizes[first + 1] < sizes[first + 2], sizes[first:first + 3])

    def test_refusals(self):
        one = np.zeros((8, 8, 1), 'u2')
        over, under, edge = one.copy(), one.astype('i2'), one.astype('i2')
        over[7, 7] = 4096
        under[0, 5] = -2049
        edge[3, 3], edge[4, 4] = -2048, 2047
        wrong = [('range', Case('over', over, 12)), ('range', Case('under', under, 12)), ('ok', Case('edge', edge, 12)),
                 ('argument', Case('block', one, 16, block='3x4')), ('argument', Case('block2', one, 16, block='2x64')),
                 ('argument', Case('block3', one, 16, block='128x64')),
                 ('argument', Case('block4', one, 16, block='2048x2')),
                 ('argument', Case('precinct', one, 16, precinct='48x64')),
                 ('argument', Case('precision', one, 17)), ('argument', Case('levels', one, 16, levels=34)),
                 ('argument', Case('levels2', one, 16, levels=-1)),
                 ('argument', Case('progression', one, 16, progression=7)),
                 ('argument', Case('step', one, 16, step=0)), ('argument', Case('step2', one, 16, step=-1))]
        encode([case for _, case in wrong], self.directory.name)
        for expected, case in wrong:
            self.assertEqual(case.status.split()[0], expected, case.name + ': ' + case.status)
            self.assertTrue(expected == 'ok' or len(case.status.split()) > 4, 'a sentence: ' + case.status)

    def test_determinism(self):
        """The same bytes whatever the threads, the CPU level, the context's past and the layout in memory."""
        make = lambda threads: [
            Case('same-%d' % n, draw(kind, (150 + n, 131 + n), 13, bool(n & 1), 3, np.random.default_rng(n))
                 [:, :, None].astype(smallest_type(13, bool(n & 1))), 13, threads=threads, **options)
            for n, (kind, options) in enumerate((kind, options) for kind in KINDS
                                                for options in ({}, {'step': 0.01, 'levels': 4}))]
        first = make(1)
        encode(first, self.directory.name)
        again = [make(n) for n in (1, 2, 3)]
        encode(again[0], self.directory.name, {'MIST_CPU': 'c'})
        encode(again[1], self.directory.name, {'MIST_CPU': 'avx2'})
        encode(again[2][::-1], self.directory.name)
        for cases in again:
            for one, other in zip(first, cases):
                self.assertEqual(one.status, 'ok')
                self.assertEqual(one.data, other.data, one.name)


if __name__ == '__main__':
    judges.require('opj_decompress', 'ojph_expand')
    unittest.main(verbosity=1)
