# SPDX-License-Identifier: BSD-2-Clause
"""Every sample type through the whole path: a NIfTI file into a store and back, bit for bit, judged by nibabel and numpy."""
import glob
import gzip
import os
import subprocess
import sys
import tempfile

import nibabel
import numpy

sys.path.insert(0, os.path.join(os.environ["MIST_SOURCE"], "tests", "codec"))
import decoding  # noqa: E402

MIST = os.environ["MIST_PROGRAM"]
SHAPE = (90, 80, 3)
checks = decoding.Checks()


def volumes(random):
    """(name, array): random bits in full, scaled integers, and floats with all kinds of values."""
    for dtype in ("u1", "i1", "u2", "i2", "u4", "i4"):
        kind = numpy.dtype(dtype)
        info = numpy.iinfo(kind)
        yield dtype, random.integers(info.min, info.max, SHAPE, dtype=kind, endpoint=True)
        yield dtype + "-extremes", numpy.where(random.random(SHAPE) < 0.5, info.min, info.max).astype(kind)
    for dtype, bits in (("f4", "u4"), ("f8", "u8")):
        patterns = random.integers(0, numpy.iinfo(bits).max, SHAPE, dtype=bits, endpoint=True)
        yield dtype + "-bits", patterns.view(dtype)  # NaN payloads among them
        values = random.normal(0, 100, SHAPE).astype(dtype)
        values.flat[:6] = [numpy.nan, numpy.inf, -numpy.inf, -0.0, 0.0, numpy.finfo(dtype).tiny / 4]
        yield dtype + "-values", values
        yield dtype + "-scaled", (random.integers(-1000, 3000, SHAPE) * 0.25 - 7).astype(dtype)
        yield dtype + "-zeros", numpy.where(random.random(SHAPE) < 0.5, 0.0, -0.0).astype(dtype)


def mist(*arguments):
    done = subprocess.run([MIST, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    checks.that(done.returncode == 0, f"{arguments}: {done.returncode} {done.stderr.decode()}")


def same_bits(name, found, volume):
    if found.dtype != volume.dtype or found.shape != volume.shape:
        checks.that(False, f"{name}: {found.dtype} {found.shape} instead of {volume.dtype} {volume.shape}")
        return
    checks.that(numpy.array_equal(numpy.ascontiguousarray(found).view("u1"), numpy.ascontiguousarray(volume).view("u1")),
                f"{name}: other bits")


def main():
    random = numpy.random.default_rng(3)
    with tempfile.TemporaryDirectory() as directory:
        source, store = os.path.join(directory, "source"), os.path.join(directory, "store")
        os.mkdir(source)
        kept = dict(volumes(random))
        for name, volume in kept.items():
            nibabel.Nifti1Image(volume, numpy.eye(4), dtype=volume.dtype).to_filename(os.path.join(source, name + ".nii.gz"))
        mist("encode", source, "-o", store, "-q")
        for name, volume in kept.items():
            item = glob.glob(os.path.join(store, "**", name + ".nii.gz.mist"), recursive=True)
            checks.that(len(item) == 1, f"{name}: items {item}")
            if len(item) != 1:
                continue
            back, arrays = os.path.join(directory, "back", name), os.path.join(directory, "arrays", name)
            mist("decode", item[0], "-o", back)
            mist("decode", item[0], "-o", arrays, "--format", "npy")
            written = glob.glob(os.path.join(back, "**", "*.nii.gz"), recursive=True)
            array = glob.glob(os.path.join(arrays, "**", "*.npy"), recursive=True)
            checks.that(len(written) == 1 and len(array) == 1, f"{name}: {written} {array}")
            with gzip.open(written[0]) as ours, gzip.open(os.path.join(source, name + ".nii.gz")) as original:
                checks.that(ours.read() == original.read(), f"{name}: the NIfTI file is another one")
            same_bits(name, numpy.load(array[0]), volume.transpose(2, 1, 0)) # frames x rows x columns
    checks.end()


main()
