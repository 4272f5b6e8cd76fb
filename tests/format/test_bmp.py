"""BMP files as sources: bytes come back, PIL judges what is smaller."""
import json
import os
import pathlib
import shutil
import struct
import subprocess
import tempfile
import unittest

import numpy
from PIL import Image

MIST = os.environ["MIST_PROGRAM"]


def mist(*arguments, status=0):
    done = subprocess.run([MIST, *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert done.returncode == status, f"mist {arguments}: {done.returncode} {done.stderr}"
    return done


def halves(samples):
    """The mean of each two by two samples, by numpy."""
    height, width = samples.shape[0] // 2 * 2, samples.shape[1] // 2 * 2
    whole = samples[:height, :width].astype(float)
    return whole.reshape(height // 2, 2, width // 2, 2, *samples.shape[2:]).mean((1, 3))


class Bmp(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.work)
        cls.source = cls.work / "source"
        cls.source.mkdir()
        y, x = numpy.mgrid[:131, :197]
        ramp = ((y * 3 + x) % 256).astype("u1")
        color = numpy.stack([ramp, (y + x) % 256, (y * 2) % 256], -1).astype("u1")
        Image.fromarray(ramp).save(cls.source / "grey.bmp", dpi=(300, 300))
        Image.fromarray(color).save(cls.source / "rgb.bmp")
        Image.fromarray(color).convert("RGBA").save(cls.source / "rgba.bmp")
        Image.fromarray(color).quantize(20).save(cls.source / "palette.bmp")
        Image.fromarray((ramp > 90).astype("u1") * 255).convert("1").save(cls.source / "one_bit.bmp")
        # From the top down, with bytes behind the samples; and with rows that are filled up with something.
        data = bytearray((cls.source / "rgb.bmp").read_bytes())
        rows = numpy.frombuffer(bytes(data[54:]), "u1").reshape(131, -1)
        data[22:26] = struct.pack("<i", -131)
        (cls.source / "top_down.bmp").write_bytes(bytes(data[:54]) + rows[::-1].tobytes() + b"behind")
        filled = rows.copy()
        filled[:, 197 * 3:] = 7
        (cls.source / "filled.bmp").write_bytes((cls.source / "rgb.bmp").read_bytes()[:54] + filled.tobytes())
        four = numpy.zeros((131, 100), "u1")
        four[:, :99] = ramp[:, ::2] % 16 << 4
        four[:, :98] |= ramp[:, 1::2] % 16
        palette = b"".join(bytes([b, 255 - b, 3, 0]) for b in range(0, 256, 16))
        head = struct.pack("<IiiHHIIiiII", 40, 197, 131, 1, 4, 0, four.size, 0, 0, 16, 0)
        (cls.source / "four_bits.bmp").write_bytes(b"BM" + struct.pack("<IHHI", 14 + 40 + 64 + four.size, 0, 0, 118) +
                                                   head + palette + four.tobytes())
        cls.report = json.loads(mist("encode", cls.source, "-o", cls.work / "store", "--dataset", "d", "--json").stdout)

    def test_all_become_items_and_come_back(self):
        self.assertEqual(self.report["items"], 8, self.report)
        mist("get", self.work / "store/d", "-o", self.work / "full")
        for path in self.source.iterdir():
            written = self.work / "full" / path.name
            if path.name == "filled.bmp":
                with Image.open(path) as a, Image.open(written) as b:
                    self.assertTrue((numpy.asarray(a) == numpy.asarray(b)).all())
            else:
                self.assertEqual(written.read_bytes(), path.read_bytes(), path.name)
        mist("verify", self.work / "store/d", "--against", self.source)

    def test_half_size(self):
        mist("get", self.work / "store/d", "-o", self.work / "half", "--reduce", 1)
        for path in self.source.iterdir():
            with Image.open(path) as full, Image.open(self.work / "half" / path.name) as half:
                self.assertEqual(half.size, (99, 66), path.name)
                self.assertEqual(half.mode, full.mode, path.name)
                if path.name in ("palette.bmp", "four_bits.bmp"):
                    self.assertEqual(half.getpalette(), full.getpalette(), path.name)
                    near = numpy.asarray(full)
                    self.assertTrue(set(numpy.unique(numpy.asarray(half))) <= set(numpy.unique(near)))
                elif path.name in ("rgb.bmp", "top_down.bmp", "filled.bmp", "grey.bmp"):
                    smooth = numpy.abs(numpy.asarray(half)[:65, :98].astype(float) - halves(numpy.asarray(full)))
                    self.assertLess(numpy.median(smooth), 3.0, path.name)
        with Image.open(self.work / "half" / "grey.bmp") as half:
            self.assertAlmostEqual(half.info["dpi"][0], 150, delta=0.5)

    def test_half_size_is_that_of_a_png(self):
        """The same samples in two formats have the same levels. With noise: both are coded by HTJ2K then."""
        folder = self.work / "same"
        folder.mkdir()
        noise = Image.fromarray(numpy.random.default_rng(2).integers(0, 256, (131, 197, 4), "u1"), "RGBA")
        for mode in "L", "RGB", "RGBA":
            for suffix in "png", "bmp":
                noise.convert(mode).save(folder / f"{mode}.{suffix}")
        mist("encode", folder, "-o", self.work / "store", "--dataset", "same")
        mist("get", self.work / "store" / "same", "-o", self.work / "half_same", "--reduce", 1)
        for mode in "L", "RGB", "RGBA":
            png, bmp = (numpy.asarray(Image.open(self.work / "half_same" / f"{mode}.{suffix}")) for suffix in ("png", "bmp"))
            self.assertEqual(png.shape[:2], (66, 99))
            if mode == "RGBA":  # of which PIL reads three samples of BMP
                png = png[..., :bmp.shape[2]]
            self.assertEqual(png.shape, bmp.shape, mode)
            self.assertTrue((png == bmp).all(), mode)

    def test_bmp_of_other_pictures(self):
        folder = self.work / "png"
        folder.mkdir()
        with Image.open(self.source / "rgb.bmp") as image:
            image.save(folder / "rgb.png")
            image.convert("L").save(folder / "grey.png")
        mist("encode", folder, "-o", self.work / "store", "--dataset", "png")
        mist("get", self.work / "store/png", "-o", self.work / "made", "--format", "bmp")
        for name in ("rgb", "grey"):
            with Image.open(folder / f"{name}.png") as wanted, Image.open(self.work / "made" / f"{name}.bmp") as made:
                self.assertTrue((numpy.asarray(wanted) == numpy.asarray(made)).all(), name)

    def test_png_of_bmp(self):
        mist("get", self.work / "store/d", "-o", self.work / "as_png", "--format", "png")
        for name in ("rgb", "grey", "palette", "four_bits"):
            with Image.open(self.source / f"{name}.bmp") as wanted, Image.open(self.work / "as_png" / f"{name}.png") as made:
                self.assertTrue((numpy.asarray(wanted.convert("RGB")) == numpy.asarray(made.convert("RGB"))).all(), name)

    def test_what_is_none_is_said(self):
        folder = self.work / "odd"
        folder.mkdir()
        good = (self.source / "rgb.bmp").read_bytes()
        (folder / "cut.bmp").write_bytes(good[:-500])
        (folder / "head.bmp").write_bytes(good[:50])
        (folder / "huge.bmp").write_bytes(good[:18] + struct.pack("<ii", 2 ** 31 - 1, -2 ** 31) + good[26:])
        (folder / "rle.bmp").write_bytes(good[:30] + struct.pack("<I", 1) + good[34:])
        (folder / "bits.bmp").write_bytes(good[:28] + struct.pack("<H", 16) + good[30:])
        palette = (self.source / "palette.bmp").read_bytes()
        (folder / "entries.bmp").write_bytes(palette[:46] + struct.pack("<I", 2 ** 31) + palette[50:])
        done = mist("encode", folder, "-o", self.work / "store", "--dataset", "odd", status=1)
        for name in ("cut.bmp", "huge.bmp", "entries.bmp"):
            self.assertIn(name, done.stderr)
        mist("get", self.work / "store/odd", "-o", self.work / "odd_out")
        for path in folder.iterdir():
            self.assertEqual((self.work / "odd_out" / path.name).read_bytes(), path.read_bytes(), path.name)


if __name__ == "__main__":
    unittest.main()
