# SPDX-License-Identifier: BSD-2-Clause
"""Files of any format compressed as a whole: in, back, smaller, converted, damaged. Python's own modules, PIL, nibabel and
pydicom are the judges."""
import bz2
import gzip
import io
import lzma
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import nibabel
import numpy
import pydicom
from PIL import Image

MIST = os.environ["MIST_PROGRAM"]
CT = pathlib.Path(os.environ["MIST_SOURCE"]) / "examples" / "data" / "ct-head"


def zstd(data, *options):
    return subprocess.run(["zstd", "-q", "-c", *options], input=data, capture_output=True, check=True).stdout


PACK = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}
UNPACK = {".gz": gzip.decompress, ".bz2": bz2.decompress, ".xz": lzma.decompress}
if shutil.which("zstd"):
    PACK[".zst"], UNPACK[".zst"] = zstd, lambda data: zstd(data, "-d")
else:
    print("skipped: zstd is not installed: .zst is not tried")


def mist(*arguments, status=0):
    done = subprocess.run([MIST, *map(str, arguments)], capture_output=True, text=True, timeout=300)
    assert done.returncode == status, f"mist {arguments}: {done.returncode} {done.stdout} {done.stderr}"
    return done



class Wrapping(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.at = pathlib.Path(directory.name)
        self.source = self.at / "source"
        self.source.mkdir()
        random = numpy.random.default_rng(1)
        y, x = numpy.mgrid[0:90, 0:110]
        self.grey = ((x * 2 + y + random.integers(0, 9, x.shape)) % 256).astype("u1")
        self.volume = random.integers(-300, 300, (70, 80, 5)).astype("i2")

    def files(self):
        """Name without the wrapping -> bytes."""
        made = {}
        for kind in "png", "bmp", "tif", "jpg":
            out = io.BytesIO()
            Image.fromarray(self.grey).save(out, {"tif": "tiff", "jpg": "jpeg"}.get(kind, kind))
            made[f"{kind}/a.{kind}"] = out.getvalue()
        made["nii/a.nii"] = nibabel.Nifti1Image(self.volume, numpy.diag([1, 2, 3, 1])).to_bytes()
        out = io.BytesIO()
        numpy.save(out, self.volume)
        made["npy/a.npy"] = out.getvalue()
        return made

    def test_they_come_back_wrapped(self):
        made = self.files()
        for name, data in made.items():
            for suffix, pack in PACK.items():
                path = self.source / (name + suffix)
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(pack(data))
        said = mist("encode", self.source, "-o", self.at / "store", "--dataset", "d").stdout
        self.assertIn(f"{len(made) * len(PACK)} items encoded, 0 other files kept", said)
        said = mist("verify", self.at / "store/d", "--against", self.source).stdout
        self.assertRegex(said, "0 not restored, 0 missing in the dataset, 0 not in the sources")
        mist("get", self.at / "store/d", "-o", self.at / "full")
        mist("get", self.at / "store/d", "-o", self.at / "half", "--reduce", 1)
        for name, data in made.items():
            for suffix, unpack in UNPACK.items():
                with self.subTest(file=name + suffix):
                    full = unpack((self.at / "full" / (name + suffix)).read_bytes())
                    half = unpack((self.at / "half" / (name + suffix)).read_bytes())
                    if not name.startswith("png"):
                        self.assertEqual(full, data)
                    if name.startswith("nii"):
                        small = nibabel.Nifti1Image.from_bytes(half)
                        self.assertEqual(small.shape, (35, 40, 5))
                        numpy.testing.assert_allclose(small.header.get_zooms(), (2, 4, 3))
                    elif name.startswith("npy"):
                        self.assertEqual(len(numpy.load(io.BytesIO(half)).shape), 3)
                    else:
                        numpy.testing.assert_array_equal(numpy.asarray(Image.open(io.BytesIO(full))), numpy.asarray(Image.open(io.BytesIO(data))))
                        self.assertEqual(Image.open(io.BytesIO(half)).size, (55, 45))

    def test_a_series_of_wrapped_files(self):
        for i, path in enumerate(sorted(CT.iterdir())):
            suffix = list(PACK)[i % len(PACK)]
            (self.source / f"{path.name}{suffix}").write_bytes(PACK[suffix](path.read_bytes()))
        said = mist("encode", self.source, "-o", self.at / "store", "--dataset", "d").stdout
        self.assertIn("1 item encoded, 0 other files kept", said)
        self.assertIn("0 not restored, 0 missing", mist("verify", self.at / "store/d", "--against", self.source).stdout)
        mist("get", self.at / "store/d", "-o", self.at / "half", "--reduce", 1)
        for i, path in enumerate(sorted(CT.iterdir())):
            suffix = list(PACK)[i % len(PACK)]
            half = pydicom.dcmread(io.BytesIO(UNPACK[suffix]((self.at / "half" / f"{path.name}{suffix}").read_bytes())))
            full = pydicom.dcmread(path)
            self.assertEqual((half.Rows, half.Columns), ((full.Rows + 1) // 2, (full.Columns + 1) // 2))
            self.assertEqual(half.pixel_array.shape, (half.Rows, half.Columns))

    def test_other_formats_are_named_without_the_wrapping(self):
        data = self.files()["nii/a.nii"]
        (self.source / "a.nii.xz").write_bytes(PACK[".xz"](data))
        mist("encode", self.source, "-o", self.at / "store", "--dataset", "d")
        mist("get", self.at / "store/d", "-o", self.at / "npy", "--format", "npy")
        mist("get", self.at / "store/d", "-o", self.at / "nii", "--format", "nii")
        numpy.testing.assert_array_equal(numpy.load(self.at / "npy" / "a.npy").squeeze().shape, (5, 80, 70))
        self.assertEqual((self.at / "nii" / "a.nii").read_bytes(), data)

    def test_what_is_wrong_is_named_and_kept(self):
        data = self.files()["nii/a.nii"]
        png = self.files()["png/a.png"]
        bomb = bz2.compress(nibabel.Nifti1Image(numpy.zeros((800, 800, 600), "i2"), numpy.eye(4)).to_bytes())
        files = {"cut.nii.bz2": (bz2.compress(data)[:-300], "none that can be read"),
                 "cut.png.xz": (lzma.compress(png)[:-300], "none that can be read"),
                 "flipped.nii.gz2.xz": (lzma.compress(data), "its name says that it is"),
                 "twice.png.gz": (gzip.compress(gzip.compress(png)), "none that can be read"),
                 "plain.png.gz": (png, "its name says that it is compressed as a whole, but it is not"),
                 "packed.png": (gzip.compress(png), "its name says that it is not compressed as a whole, but it is"),
                 "empty.png.bz2": (b"", "none that can be read"),
                 "bomb.nii.bz2": (bomb, "more than 1200 times its size"),
                 "notes.txt.xz": (lzma.compress(b"text"), None)}
        damaged = bytearray(lzma.compress(png))
        damaged[len(damaged) // 2] ^= 1
        files["bit.png.xz"] = (bytes(damaged), "an")
        del files["flipped.nii.gz2.xz"]
        for name, (content, _) in files.items():
            (self.source / name).write_bytes(content)
        done = mist("encode", self.source, "-o", self.at / "store", "--dataset", "d", status=1)
        for name, (_, why) in files.items():
            lines = [line for line in done.stderr.splitlines() if f" {name}: " in line]
            self.assertEqual(len(lines), why is not None, (name, done.stderr))
            if why:
                self.assertIn(why, lines[0])
        mist("get", self.at / "store/d", "-o", self.at / "full")
        for name, (content, _) in files.items():
            self.assertEqual((self.at / "full" / name).read_bytes(), content, name)


if __name__ == "__main__":
    unittest.main()
