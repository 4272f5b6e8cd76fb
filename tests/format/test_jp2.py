"""JPEG 2000 files as sources: bytes come back; smaller ones are what OpenJPEG (or OpenJPH) reduces the original to."""
import glob
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import tempfile
import unittest

import numpy
from PIL import Image

MIST = os.environ["MIST_PROGRAM"]
SHAPE = (203, 310)


def run(*arguments, status=0):
    done = subprocess.run([str(a) for a in arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == status, f"{arguments}: {done.returncode} {done.stderr} {done.stdout}"
    return done


def mist(*arguments, status=0):
    return run(MIST, *arguments, status=status)


def picture(components, bits, seed=3):
    rng = numpy.random.default_rng(seed)
    y, x = numpy.mgrid[:SHAPE[0], :SHAPE[1]]
    planes = [(y * (3 + c) + x * 2) * ((1 << bits) - 1) // 1700 + rng.integers(0, 1 << (bits - 4), SHAPE)
              for c in range(components)]
    samples = numpy.clip(numpy.stack(planes, -1), 0, (1 << bits) - 1).astype(">u2" if bits > 8 else "u1")
    return samples[..., 0] if components == 1 else samples


def pnm(path, samples, bits):
    kind = b"P6" if samples.ndim == 3 else b"P5"
    path.write_bytes(kind + b"\n%d %d\n%d\n" % (samples.shape[1], samples.shape[0], (1 << bits) - 1) + samples.tobytes())


def read_pnm(path):
    data = path.read_bytes()
    kind, width, height, most = re.sub(rb"#[^\n]*\n", b"", data[:200]).split(maxsplit=4)[:4]
    components = 3 if kind == b"P6" else 1
    type_ = ">u2" if int(most) > 255 else "u1"
    count = int(width) * int(height) * components
    shape = (int(height), int(width)) + ((3,) if components == 3 else ())
    return numpy.frombuffer(data[-count * numpy.dtype(type_).itemsize:], type_).reshape(shape).astype("i4")


class Jpeg2000(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.work)
        source = cls.work / "source"
        source.mkdir()
        cls.bits = {}
        for name, components, bits, options in (
                ("grey8.jp2", 1, 8, []), ("rgb8.jp2", 3, 8, []), ("grey12.jp2", 1, 12, []), ("grey16.j2k", 1, 16, []),
                ("lossy.jp2", 3, 8, ["-I", "-r", "12"]), ("tiled.jp2", 1, 12, ["-t", "96,64"]),
                ("layers.j2k", 1, 8, ["-r", "20,5,1"]), ("one_level.jp2", 1, 8, ["-n", "1"])):
            pnm(cls.work / "in.ppm" if components == 3 else cls.work / "in.pgm", picture(components, bits), bits)
            run("opj_compress", "-i", cls.work / ("in.ppm" if components == 3 else "in.pgm"), "-o", source / name, *options)
            cls.bits[name] = bits
        pnm(cls.work / "in.pgm", picture(1, 12), 12)
        run("ojph_compress", "-i", cls.work / "in.pgm", "-o", source / "ht.jhc.j2c", "-reversible", "true")
        (source / "ht.jhc.j2c").rename(source / "ht.j2k")
        pnm(cls.work / "in.ppm", picture(3, 8), 8)
        mist("encode", cls.work / "in.ppm", "-o", source / "wrapped.jph")
        # A resolution of 4000 / 1 points a metre each way, and a comment behind the codestream.
        data = (source / "grey8.jp2").read_bytes()
        at = data.index(b"jp2h") - 4
        size, = struct.unpack(">I", data[at:at + 4])
        resolution = struct.pack(">I4sI4sHHHHbb", 26, b"res ", 18, b"resc", 4000, 1, 4000, 1, 0, 0)
        stream = data[at + size:]
        assert stream[4:8] == b"jp2c"
        stream = struct.pack(">I", len(stream)) + stream[4:]
        cls.comment = struct.pack(">I4s", 20, b"xml ") + b"<a>of it</a>"
        (source / "boxes.jp2").write_bytes(data[:at] + struct.pack(">I", size + 26) + data[at + 4:at + size] +
                                           resolution + stream + cls.comment)
        cls.bits.update({"ht.j2k": 12, "wrapped.jph": 8, "boxes.jp2": 8})
        cls.source = source
        cls.report = json.loads(mist("encode", source, "-o", cls.work / "store", "--dataset", "d", "--json").stdout)

    def judged(self, path, reduce=0):
        """What other decoders make of a file."""
        color = path.name.startswith(("rgb", "lossy", "wrapped"))
        out = self.work / ("judged.ppm" if color else "judged.pgm")
        data = path.read_bytes()
        at = data.index(b"\xff\x4f\xff\x51")
        if struct.unpack(">H", data[at + 6:at + 8])[0] & 0x4000:
            bare = self.work / "bare.j2c"
            bare.write_bytes(data[at:])
            run("ojph_expand", "-i", bare, "-o", out, *(["-skip_res", reduce] if reduce else []))
        else:
            run("opj_decompress", "-i", path, "-o", out, *(["-r", reduce] if reduce else []))
        return read_pnm(out)

    def test_all_become_items_and_come_back(self):
        self.assertEqual(self.report["items"], 11, self.report)
        mist("get", self.work / "store/d", "-o", self.work / "full")
        for path in self.source.iterdir():
            self.assertEqual((self.work / "full" / path.name).read_bytes(), path.read_bytes(), path.name)
        mist("verify", self.work / "store/d", "--against", self.source)

    def test_smaller_files_are_what_openjpeg_reduces_the_original_to(self):
        for reduce in (1, 2):
            out = self.work / f"r{reduce}"
            done = mist("get", self.work / "store/d", "-o", out, "--reduce", reduce, "--json")
            for path in sorted(self.source.iterdir()):
                written = self.judged(out / path.name)
                if path.name in ("tiled.jp2", "one_level.jp2"):
                    continue
                wanted = self.judged(path, reduce)
                self.assertEqual(written.shape, wanted.shape, path.name)
                self.assertTrue((written == wanted).all(), f"{path.name} {reduce}")
            self.assertNotIn("Error", done.stderr)

    def test_other_depths_and_signs(self):
        """Up to 24 bits, signed and not: PGX in, and what OpenJPEG makes of both, byte for byte; beyond, a refusal."""
        folder = self.work / "depths"
        folder.mkdir()
        rng = numpy.random.default_rng(1)
        for bits, sign in (12, "-"), (16, "-"), (20, "+"), (24, "+"), (24, "-"), (28, "+"):
            low, high = (-(1 << bits - 1), 1 << bits - 1) if sign == "-" else (0, 1 << bits)
            samples = rng.integers(low, high, (90, 70)).astype(">i2" if bits <= 16 else ">i4")
            (self.work / "in.pgx").write_bytes(b"PG ML %s%d 70 90\n" % (sign.encode(), bits) + samples.tobytes())
            run("opj_compress", "-i", self.work / "in.pgx", "-o", folder / f"{bits}{sign}.jp2")
        mist("encode", folder, "-o", self.work / "store", "--dataset", "depths")
        done = mist("get", self.work / "store/depths", "-o", self.work / "depths1", "--reduce", 1, status=1)
        self.assertRegex(done.stderr, r"28\+\.jp2: smaller JPEG 2000 files of more than 24 bits are not written")
        for path in folder.iterdir():
            if path.name == "28+.jp2":
                continue
            made, wanted = self.work / "made.pgx", self.work / "wanted.pgx"
            run("opj_decompress", "-i", self.work / "depths1" / path.name, "-o", made)
            run("opj_decompress", "-i", path, "-o", wanted, "-r", 1)
            pixels = [pathlib.Path(str(p).replace(".pgx", "_0.pgx")).read_bytes() for p in (made, wanted)]
            self.assertIn(b"35 45\n", pixels[0][:30])
            self.assertEqual(*pixels, path.name)

    def test_tiles_are_kept_above_levels_of_the_whole_picture(self):
        mist("get", self.work / "store/d", "-o", self.work / "tiles", "--reduce", 1, "--include", "tiled.jp2")
        written = self.judged(self.work / "tiles" / "tiled.jp2")
        self.assertEqual(written.shape, ((SHAPE[0] + 1) // 2, (SHAPE[1] + 1) // 2))
        full = self.judged(self.source / "tiled.jp2").astype(float)
        means = full[:202, :].reshape(101, 2, 155, 2).mean((1, 3))
        self.assertLess(abs(written[:101] - means).mean(), 60)  # of 4,096; noise of 256 is in it

    def test_exact_sizes_and_boxes(self):
        mist("get", self.work / "store/d", "-o", self.work / "exact", "--size", 100, "--exact", "--include", "boxes.jp2")
        with Image.open(self.work / "exact" / "boxes.jp2") as made:
            self.assertEqual(min(made.size), 100)
        data = (self.work / "exact" / "boxes.jp2").read_bytes()
        self.assertTrue(data.endswith(self.comment))
        mist("get", self.work / "store/d", "-o", self.work / "half", "--reduce", 1, "--include", "boxes.jp2")
        data = (self.work / "half" / "boxes.jp2").read_bytes()
        at = data.index(b"resc") + 4
        self.assertEqual(struct.unpack(">HHHHbb", data[at:at + 10]), (4000, 2, 4000, 2, 0, 0))
        with Image.open(self.work / "half" / "boxes.jp2") as made:
            self.assertEqual(made.size, (155, 102))

    def test_other_pictures_become_jp2(self):
        folder = self.work / "png"
        folder.mkdir()
        Image.fromarray(picture(3, 8)).save(folder / "a.png")
        Image.fromarray(picture(1, 16).astype("u2")).save(folder / "b.png")
        mist("encode", folder, "-o", self.work / "store", "--dataset", "png")
        mist("get", self.work / "store/png", "-o", self.work / "made", "--format", "jp2")
        for name in "ab":
            with Image.open(folder / f"{name}.png") as wanted, Image.open(self.work / "made" / f"{name}.jp2") as made:
                self.assertTrue((numpy.asarray(wanted) == numpy.asarray(made)).all(), name)
        self.assertTrue(glob.glob(str(self.work / "made" / "*.jp2")))

    def test_what_is_none_is_said(self):
        folder = self.work / "odd"
        (folder / "masks").mkdir(parents=True)
        good = (self.source / "grey8.jp2").read_bytes()
        (folder / "cut.jp2").write_bytes(good[:len(good) // 2])
        (folder / "head.jp2").write_bytes(good[:60])
        noise = bytearray(good)
        noise[400:420] = b"\xff" * 20
        (folder / "noise.jp2").write_bytes(noise)
        (folder / "masks" / "a_mask.jp2").write_bytes((self.source / "grey8.jp2").read_bytes())
        done = mist("encode", folder, "-o", self.work / "store", "--dataset", "odd", status=1)
        for name in ("cut.jp2", "head.jp2"):
            self.assertIn(name, done.stderr)
        mist("get", self.work / "store/odd", "-o", self.work / "odd_out")
        for path in folder.rglob("*.jp2"):
            self.assertEqual((self.work / "odd_out" / path.relative_to(folder)).read_bytes(), path.read_bytes())

    def test_a_label_map_is_kept_whole_and_said(self):
        folder = self.work / "labels"
        folder.mkdir()
        labels = numpy.zeros(SHAPE, "u1")
        labels[40:90, 60:100] = 5
        pnm(self.work / "in.pgm", labels, 8)
        run("opj_compress", "-i", self.work / "in.pgm", "-o", folder / "labels.jp2")
        done = subprocess.run([MIST, "encode", folder, "-o", self.work / "store", "--dataset", "l", "--label", "*"],
                              capture_output=True, text=True)
        self.assertIn("labels.jp2", done.stderr)
        self.assertIn("averages of names", done.stderr)
        mist("get", self.work / "store/l", "-o", self.work / "l", "--reduce", 1)
        self.assertEqual((self.work / "l" / "labels.jp2").read_bytes(), (folder / "labels.jp2").read_bytes())


if __name__ == "__main__":
    unittest.main()
