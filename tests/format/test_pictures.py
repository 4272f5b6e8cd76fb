"""PNG of every kind and JPEG, read and written, and pictures of other formats: PIL is the judge, nibabel and pydicom
make the originals."""
import io
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest
import warnings
import zlib

import nibabel
import numpy
import pydicom
from PIL import Image, ImageOps, PngImagePlugin

TOOL = sys.argv.pop(1)
MIST = os.environ["MIST_PROGRAM"]
CASES = pathlib.Path(os.environ["MIST_SHARED"]) / "cases"
JPEGS = pathlib.Path(os.environ["MIST_SHARED"]) / "data" / "jpeg"
PNG = {1: (0, 1), 2: (0, 2), 4: (0, 4), "p": (3, 8), "p1": (3, 1), "p4": (3, 4), "la": (4, 8), "la16": (4, 16),
       "rgba": (6, 8), "rgba16": (6, 16), "rgb16": (2, 16)}
COMPONENTS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def tool(*arguments):
    return subprocess.run([TOOL, *map(str, arguments)], capture_output=True, timeout=120)


def mist(*arguments, status=0):
    done = subprocess.run([MIST, *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert done.returncode == status, f"mist {arguments}: {done.returncode} {done.stderr}"
    return done


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def chunks_of(data):
    at, found = 8, []
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        found.append((kind, data[at + 8:at + 8 + length]))
        at += 12 + length
    return found


def raw_rows(samples, depth):
    """Filter byte 0 and packed samples of each row."""
    out = b""
    for row in samples.reshape(len(samples), -1):
        if depth == 16:
            out += b"\0" + row.astype(">u2").tobytes()
        elif depth == 8:
            out += b"\0" + row.astype("u1").tobytes()
        else:
            bits = ((row[:, None] >> numpy.arange(depth - 1, -1, -1)) & 1).astype("u1")
            out += b"\0" + numpy.packbits(bits.reshape(-1)).tobytes()
    return out


def make_png(samples, color, depth, interlaced=False, before=(), after=()):
    """By the PNG specification; samples: height x width x components."""
    height, width = samples.shape[:2]
    raw = raw_rows(samples, depth)
    if interlaced:
        raw = b""
        for y, x, down, right in ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)):
            part = samples[y::down, x::right]
            if part.size:
                raw += raw_rows(part, depth)
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlaced)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunk(*c) for c in before) +
            chunk(b"IDAT", zlib.compress(raw)) + b"".join(chunk(*c) for c in after) + chunk(b"IEND", b""))


def tree(root):
    return {str(path.relative_to(root)): path for path in root.rglob("*") if path.is_file()}


class Pictures(unittest.TestCase):
    def setUp(self):
        warnings.simplefilter("ignore", ResourceWarning) # PIL's open files
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.at = pathlib.Path(self.folder.name)
        self.random = numpy.random.default_rng(5)

    def describe(self, path):
        return json.loads(tool("describe", path).stdout)

    def png(self, color, depth, shape=(45, 37), interlaced=False):
        """A file and its samples."""
        samples = self.random.integers(0, 1 << depth, (*shape, COMPONENTS[color]))
        palette = [(b"PLTE", self.random.integers(0, 256, 3 << depth, "u1").tobytes()), (b"tRNS", b"\0\x80")] if color == 3 else []
        path = self.at / f"{color}-{depth}{'-i' * interlaced}.png"
        path.write_bytes(make_png(samples, color, depth, interlaced, [*palette, (b"tEXt", b"a\0b")], [(b"tEXt", b"c\0d")]))
        return path, samples

    def write(self, kind, reduce, grid, path, out):
        said = tool("write", kind, reduce, grid, out, path)
        self.assertEqual((said.returncode, said.stdout), (0, b""), path)
        return out

    # ---- PNG ----

    def test_png_of_every_kind(self):
        out = self.at / "out.png"
        for color, depth in [*PNG.values(), (0, 8), (0, 16), (2, 8), (3, 2)]:
            for interlaced in (False, True):
                path, samples = self.png(color, depth, interlaced=interlaced)
                told = self.describe(path)
                self.assertEqual((told["precision"], told["components"], told["label"]), (depth, COMPONENTS[color], color == 3))
                kind = "u2" if depth == 16 else "u1"
                self.assertEqual(tool("samples", path).stdout, samples.astype(kind).tobytes(), path)
                for reduce in (0, 1, 2):
                    self.write("png", reduce, "native", path, out)
                    step = 2 ** reduce
                    found = chunks_of(out.read_bytes())
                    names = [kind for kind, _ in found]
                    self.assertEqual(names[0], b"IHDR")
                    self.assertEqual(tuple(found[0][1][8:10]), (depth, color))
                    if color == 3:
                        self.assertEqual(dict(found)[b"PLTE"], dict(chunks_of(path.read_bytes()))[b"PLTE"])
                        self.assertEqual(dict(found)[b"tRNS"], b"\0\x80")
                    self.assertIn((b"tEXt", b"a\0b"), found)
                    self.assertEqual((b"tEXt", b"c\0d") in found, reduce == 0)
                    self.assertEqual(tool("samples", out).stdout, samples[::step, ::step].astype(kind).tobytes(), (path, reduce))
                    if depth == 16 and color: # PIL has no 16 bits of colour
                        continue
                    mine, theirs = numpy.asarray(Image.open(out)), numpy.asarray(Image.open(path))
                    numpy.testing.assert_array_equal(mine, theirs[::step, ::step], str(path))

    def test_grey_in_more_components(self):
        """Grey that is stored as RGB, or opaque, has one component, and comes back as it was stored; one pixel of
        colour, or that lets something through, wherever it is, and it has them all."""
        path, out = self.at / "grey.png", self.at / "out.png"
        for color, depth in ((2, 8), (6, 8), (4, 8), (2, 16), (6, 16), (4, 16)):
            count, most, kind = COMPONENTS[color], 2 ** depth - 1, "u2" if depth == 16 else "u1"
            grey = self.random.integers(0, most + 1, (45, 37))
            grey[3, 5], grey[4, 4] = most, 0
            samples = numpy.repeat(grey[..., None], count, -1)
            if color != 2:
                samples[..., -1] = most
            chunks = [(b"bKGD", bytes(count // 2 * 2 or 2)), (b"tEXt", b"a\0b")] if color != 4 else [(b"tEXt", b"a\0b")]
            for interlaced in (False, True):
                path.write_bytes(make_png(samples, color, depth, interlaced, chunks))
                told = self.describe(path)
                self.assertEqual((told["precision"], told["components"]), (depth, 1))
                self.assertEqual(tool("samples", path).stdout, grey.astype(kind).tobytes())
                for reduce, grid, step in ((0, "native", 1), (1, "native", 2), (2, "native", 4)):
                    self.write("png", reduce, grid, path, out)
                    found = chunks_of(out.read_bytes())
                    self.assertEqual(tuple(found[0][1][8:10]), (depth, color))
                    self.assertIn((b"tEXt", b"a\0b"), found)
                    raw = zlib.decompress(b"".join(body for kind, body in found if kind == b"IDAT"))
                    self.assertEqual(len(raw), -(-45 // step) * (1 + -(-37 // step) * count * depth // 8))
                    if depth == 8: # PIL has no 16 bits of colour
                        numpy.testing.assert_array_equal(numpy.asarray(Image.open(out)), samples[::step, ::step])
                    self.assertEqual(tool("samples", out).stdout, grey[::step, ::step].astype(kind).tobytes())
                for at in ((0, 0), (44, 36), (22, 1)):
                    for component in range(1 if color == 4 else 0, count):
                        other = samples.copy()
                        other[(*at, component)] ^= 1
                        path.write_bytes(make_png(other, color, depth, interlaced))
                        self.assertEqual(self.describe(path)["components"], count, (color, depth, at, component))
                        self.assertEqual(tool("samples", path).stdout, other.astype(kind).tobytes())

    def test_png_of_pil_there_and_back(self):
        source, ramp = self.at / "s", numpy.add.outer(numpy.arange(90), numpy.arange(80)).astype("u1")
        source.mkdir()
        for mode in ("1", "L", "LA", "P", "RGB", "RGBA"):
            Image.fromarray(ramp).convert(mode).save(source / f"{mode}.png")
        mist("encode", source, "-o", self.at / "store", "--dataset", "d")
        mist("get", f"{self.at}/store/d", "-o", self.at / "out")
        mist("get", f"{self.at}/store/d", "-o", self.at / "half", "--reduce", "1")
        for name, path in tree(source).items():
            numpy.testing.assert_array_equal(numpy.asarray(Image.open(self.at / "out" / name)), numpy.asarray(Image.open(path)), name)
            half = Image.open(self.at / "half" / name)
            self.assertEqual((half.mode, half.size), (Image.open(path).mode, (40, 45)), name)
        self.assertEqual(len(list((self.at / "store/d/items").rglob("*.mist"))), 6)
        numpy.testing.assert_array_equal(numpy.asarray(Image.open(self.at / "half/P.png")), numpy.asarray(Image.open(source / "P.png"))[::2, ::2])

    def test_animations(self):
        path, out = self.at / "a.png", self.at / "out.png"
        frames = [Image.fromarray(self.random.integers(0, 255, (80, 100), "u1")) for _ in range(3)]
        frames[0].save(path, save_all=True, append_images=frames[1:], duration=100)
        self.assertIn(b"acTL", path.read_bytes())
        self.write("png", 0, "native", path, out)
        self.assertEqual(Image.open(out).n_frames, 3)
        for index, frame in enumerate(frames):
            picture = Image.open(out)
            picture.seek(index)
            numpy.testing.assert_array_equal(numpy.asarray(picture.convert("L")), numpy.asarray(frame))
        for reduce, grid, size in ((1, "native", (50, 40)), (0, "head", (100, 80)), (0, "33x20", (33, 20))):
            self.write("png", reduce, grid, path, out)
            picture = Image.open(out)
            picture.load()
            self.assertEqual((picture.size, getattr(picture, "n_frames", 1)), (size, 1))
            self.assertFalse({b"acTL", b"fcTL", b"fdAT"} & {kind for kind, _ in chunks_of(out.read_bytes())})
        said = tool("copy", 1, "native", out, path)
        self.assertEqual(said.returncode, 0)
        self.assertEqual(Image.open(out).size, (50, 40))
        Image.open(out).load()

    def test_cases(self):
        if not CASES.exists():
            print("../shared is not here: its cases are not tried")
            return
        for name in ("unsupported_png", "apng"):
            for size in ("full", 64):
                out = self.at / f"{name}-{size}"
                store = self.at / f"{name}-{size}-store"
                mist("encode", CASES / name, "-o", store, "--dataset", "d")
                mist("get", f"{store}/d", "-o", out, *([] if size == "full" else ["--size", size]))
                pictures = [path for path in tree(CASES / name) if path.endswith(".png")]
                self.assertTrue(pictures)
                for path in pictures:
                    was, now = Image.open(CASES / name / path), Image.open(out / path)
                    self.assertEqual(was.mode, now.mode, path)
                    if size == "full":
                        self.assertEqual(was.info, now.info)
                        numpy.testing.assert_array_equal(numpy.asarray(was), numpy.asarray(now), path)
                    else:
                        self.assertLess(now.size[0], was.size[0])
                        now.load()

    def test_damaged_png_is_named(self):
        path, _ = self.png(0, 1)
        data = bytearray(path.read_bytes())
        for at, value, word in ((24, 3, b"does not exist"), (25, 2, b"does not exist"), (25, 5, b"does not exist"), (16, 255, b"limits")):
            bad = data.copy()
            bad[at] = value
            (self.at / "bad.png").write_bytes(bad)
            said = tool("describe", self.at / "bad.png").stdout
            self.assertTrue(said.startswith(b"! ") and word in said and b"bad.png" in said, said)
        for color, depth in ((0, 1), (3, 4), (4, 8), (6, 16), (3, 8)):
            path, _ = self.png(color, depth, interlaced=depth == 8)
            said = tool("hostile", 3, 400, self.at, path)
            self.assertEqual((said.returncode, said.stderr), (0, b""), said.stdout)
            said = tool("starve", "png", 1, self.at / "out.png", path)
            self.assertEqual(said.returncode, 0, said.stdout)

    # ---- JPEG ----

    def jpeg(self, name, pixels, mode=None, **options):
        path = self.at / name
        Image.fromarray(pixels, mode).save(path, "JPEG", **options)
        return path

    def test_jpeg_samples_and_bytes(self):
        smooth = numpy.add.outer(numpy.arange(90), numpy.arange(130)).astype("u1")
        color = numpy.stack([smooth, smooth.T[:90, :1] + smooth * 0, 255 - smooth], 2).astype("u1")
        paths = [self.jpeg("grey.jpg", smooth), self.jpeg("rgb.jpg", color, quality=80, progressive=True),
                 self.jpeg("cmyk.jpg", numpy.dstack([color, smooth]), "CMYK"), self.jpeg("444.jpg", color, subsampling=0)]
        if JPEGS.exists():
            paths += sorted(JPEGS.iterdir())
        else:
            print("../shared is not here: only JPEG files of PIL are read")
        for path in paths:
            picture = Image.open(path)
            told = self.describe(path)
            self.assertEqual((told["width"], told["height"], told["components"]), (*picture.size, len(picture.getbands())), path)
            pixels = numpy.asarray(picture)
            if picture.mode == "CMYK": # PIL inverts what Adobe has inverted
                pixels = 255 - pixels
            self.assertEqual(tool("samples", path).stdout, pixels.tobytes(), path)
            out = self.at / "again"
            self.assertEqual(tool("bytes", out, path).returncode, 0)
            self.assertEqual(out.read_bytes(), path.read_bytes(), path)
            self.assertIn(b"cannot be made of its samples", tool("write", "jpeg", 0, "native", out, path).stdout)

    def test_reduced_jpeg_keeps_what_it_says(self):
        smooth = numpy.add.outer(numpy.arange(90), numpy.arange(130)).astype("u1")
        exif = Image.Exif()
        exif[0x0112], exif[0x010e] = 6, "a picture"
        paths = {mode: self.jpeg(f"{mode}.jpg", numpy.asarray(Image.fromarray(smooth).convert(mode)), mode, exif=exif, dpi=(200, 100),
                                 icc_profile=b"profile" * 20000, comment=b"said") for mode in ("L", "RGB", "CMYK")}
        for mode, path in paths.items():
            out = self.write("jpeg", 1, "native", path, self.at / "out.jpg")
            small, full = Image.open(out), Image.open(path)
            self.assertEqual((small.mode, small.size), (mode, (65, 45)))
            self.assertEqual(dict(small.getexif()), dict(exif))
            self.assertEqual(small.info["icc_profile"], full.info["icc_profile"])
            if mode != "CMYK": # libjpeg writes no JFIF there
                self.assertEqual(small.info["dpi"], (100, 50))
            numpy.testing.assert_allclose(numpy.asarray(small).astype(int), numpy.asarray(full).astype(int)[::2, ::2], atol=6)

    def test_orientation_is_honoured_elsewhere(self):
        smooth = (numpy.add.outer(numpy.arange(48) * 2, numpy.arange(64) * 3) % 256).astype("u1")
        for orientation in range(1, 9):
            exif = Image.Exif()
            exif[0x0112] = orientation
            path = self.jpeg("o.jpg", smooth, exif=exif)
            out = self.write("png", 0, "native", path, self.at / "out.png")
            numpy.testing.assert_array_equal(numpy.asarray(Image.open(out)), numpy.asarray(ImageOps.exif_transpose(Image.open(path))), str(orientation))

    def test_cmyk_as_png_is_rgb(self):
        ink = self.random.integers(0, 255, (1, 1, 4), "u1").repeat(40, 0).repeat(40, 1)
        path = self.jpeg("ink.jpg", ink, "CMYK", quality=100)
        out = self.write("png", 0, "native", path, self.at / "out.png")
        numpy.testing.assert_allclose(numpy.asarray(Image.open(out)).astype(int), numpy.asarray(Image.open(path).convert("RGB")).astype(int), atol=1)

    def test_jpeg_of_other_formats(self):
        ramp = numpy.add.outer(numpy.arange(60), numpy.arange(80)).astype("u1")
        (self.at / "p.png").write_bytes(make_png(ramp[..., None] // 8, 3, 8, before=[(b"PLTE", bytes(sum(([i * 8, 255 - i * 8, 9] for i in range(32)), [])))]))
        out = self.write("jpeg", 0, "native", self.at / "p.png", self.at / "out.jpg")
        numpy.testing.assert_allclose(numpy.asarray(Image.open(out)).astype(int), numpy.asarray(Image.open(self.at / "p.png").convert("RGB")).astype(int), atol=40)
        (self.at / "a.png").write_bytes(make_png(numpy.dstack([ramp, ramp]), 4, 8))
        out = self.write("jpeg", 0, "native", self.at / "a.png", self.at / "out.jpg")
        self.assertEqual(Image.open(out).mode, "L")
        numpy.testing.assert_allclose(numpy.asarray(Image.open(out)).astype(int), ramp.astype(int), atol=4)
        numpy.save(self.at / "f.npy", ramp.astype("f4") * 3.5 - 100)
        out = self.write("jpeg", 0, "native", self.at / "f.npy", self.at / "out.jpg")
        numpy.testing.assert_allclose(numpy.asarray(Image.open(out)).astype(float), ramp * 255.0 / ramp.max(), atol=4)

    def test_jpeg_that_cannot_be_kept_stays_a_file(self):
        path, source = self.jpeg("plain.jpg", numpy.add.outer(numpy.arange(90), numpy.arange(130)).astype("u1")), self.at / "s"
        source.mkdir()
        grey = subprocess.run(["djpeg", path], capture_output=True, check=True).stdout
        coded = subprocess.run(["cjpeg", "-arithmetic"], input=grey, capture_output=True, check=True).stdout
        (source / "a.jpg").write_bytes(coded)
        said = tool("look", source / "a.jpg").stdout
        self.assertTrue(said.startswith(b"! ") and b"arithmetic" in said and b"a.jpg" in said, said)
        (source / "p.jpg").write_bytes(path.read_bytes())
        said = mist("encode", source, "-o", self.at / "store", "--dataset", "d", status=1).stderr
        self.assertRegex(said, r"\Amist encode: a\.jpg: [^\n]*arithmetic[^\n]*as an attachment\n\Z")
        self.assertEqual([item.name for item in (self.at / "store/d/items").rglob("*.mist")], ["p.jpg.mist"])
        mist("get", f"{self.at}/store/d", "-o", self.at / "out")
        said = mist("get", f"{self.at}/store/d", "-o", self.at / "half", "--reduce", "1").stderr
        self.assertRegex(said, r"1 file is larger than asked for \([^\n]*arithmetic")
        for name in ("a.jpg", "p.jpg"):
            self.assertEqual((self.at / "out" / name).read_bytes(), (source / name).read_bytes(), name)
        self.assertEqual(Image.open(self.at / "half/p.jpg").size, (65, 45))
        Image.open(self.at / "half/p.jpg").load()

    def test_damaged_jpeg_is_named(self):
        path = self.jpeg("j.jpg", self.random.integers(0, 255, (60, 80, 3), "u1"), progressive=True)
        data = path.read_bytes()
        (self.at / "cut.jpg").write_bytes(data[:len(data) // 2])
        said = tool("samples", self.at / "cut.jpg").stdout
        self.assertTrue(b"damaged" in said and b"cut.jpg" in said, said[-200:])
        huge = bytearray(data)
        at = huge.index(b"\xff\xc2")
        huge[at + 5:at + 9] = struct.pack(">HH", 20000, 20000)
        (self.at / "huge.jpg").write_bytes(huge)
        self.assertIn(b"too few", tool("describe", self.at / "huge.jpg").stdout)
        huge[at + 5:at + 9] = struct.pack(">HH", 0xffff, 0xffff)
        (self.at / "huge.jpg").write_bytes(huge)
        self.assertIn(b"! ", tool("describe", self.at / "huge.jpg").stdout)
        said = tool("hostile", 3, 400, self.at, path)
        self.assertEqual((said.returncode, said.stderr), (0, b""), said.stdout)
        self.assertEqual(tool("starve", "jpeg", 1, self.at / "out.jpg", path).returncode, 0)

    # ---- what measurements look like ----

    def dicom(self, pixels, **attributes):
        data = pydicom.Dataset()
        data.file_meta = pydicom.dataset.FileMetaDataset()
        data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        data.SOPClassUID, data.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "1.2.3"
        data.SeriesInstanceUID = "1.2.3.4"
        data.Rows, data.Columns = pixels.shape[:2]
        data.SamplesPerPixel = 1 if pixels.ndim == 2 else 3
        data.BitsAllocated = 8 * pixels.itemsize
        data.BitsStored = attributes.pop("BitsStored", data.BitsAllocated)
        data.HighBit = data.BitsStored - 1
        data.PixelRepresentation = int(pixels.dtype.kind == "i")
        data.PhotometricInterpretation = "MONOCHROME2"
        if pixels.ndim == 3:
            data.PlanarConfiguration = 0
        for name, value in attributes.items():
            setattr(data, name, value)
        data.PixelData = pixels.tobytes()
        path = self.at / "d.dcm"
        pydicom.dcmwrite(path, data, write_like_original=False)
        return path

    def picture(self, window, path, kind="png"):
        out = self.at / f"w.{kind}"
        if window:
            said = tool("window", kind, window, out, path)
            self.assertEqual((said.returncode, said.stdout), (0, b""))
        else:
            self.write(kind, 0, "native", path, out)
        return numpy.asarray(Image.open(out))

    def test_monochrome1_is_inverted(self):
        pixels = self.random.integers(0, 4096, (40, 50)).astype("<u2")
        path = self.dicom(pixels, BitsStored=12, PhotometricInterpretation="MONOCHROME1")
        numpy.testing.assert_array_equal(self.picture(None, path), 4095 - pixels)
        numpy.testing.assert_array_equal(self.picture("none", path), pixels)
        narrow = (pixels // 16).astype("u1")
        path = self.dicom(narrow, PhotometricInterpretation="MONOCHROME1")
        numpy.testing.assert_array_equal(self.picture(None, path), 255 - narrow)
        path = self.dicom(narrow)
        numpy.testing.assert_array_equal(self.picture(None, path), narrow)

    def test_windows_of_dicom(self):
        pixels = self.random.integers(-1024, 3000, (40, 50)).astype("<i2")
        path = self.dicom(pixels, RescaleSlope=2, RescaleIntercept=-100, WindowCenter=[40, 400], WindowWidth=[400, 1500])
        units = pixels * 2.0 - 100

        def linear(center, width): # PS3.3, C.11.2.1.2.1
            return numpy.clip((units - (center - 0.5)) / (width - 1) + 0.5, 0, 1)

        for window, expected, most in ((None, linear(40, 400), 65535), ("auto", linear(40, 400), 255), ("300,1500", linear(300, 1500), 255),
                                       ("-600.5,1200", linear(-600.5, 1200), 255)):
            numpy.testing.assert_allclose(self.picture(window, path).astype(float), expected * most, atol=0.51, err_msg=str(window))
        numpy.testing.assert_array_equal(self.picture("none", path), (pixels.astype(int) + 32768))
        numpy.testing.assert_allclose(self.picture(None, path, "jpeg").astype(float).mean(), 255 * linear(40, 400).mean(), atol=3)
        for shape in ("SIGMOID", "LINEAR_EXACT"):
            path = self.dicom(pixels, RescaleSlope=2, RescaleIntercept=-100, WindowCenter=40, WindowWidth=400, VOILUTFunction=shape,
                              PhotometricInterpretation="MONOCHROME1")
            expected = 1 / (1 + numpy.exp(-4 * (units - 40) / 400)) if shape == "SIGMOID" else numpy.clip((units - 40) / 400 + 0.5, 0, 1)
            numpy.testing.assert_allclose(self.picture("auto", path).astype(float), 255 * (1 - expected), atol=0.51, err_msg=shape)
        path = self.dicom(pixels)
        expected = (pixels - pixels.min()) / float(pixels.max() - pixels.min())
        numpy.testing.assert_allclose(self.picture(None, path).astype(float), 65535 * expected, atol=0.51)

    def table(self, entries, first, bits, values, vr="US"):
        item = pydicom.Dataset()
        item.add_new(0x00283002, vr, [entries, first, bits])
        item.add_new(0x00283006, "OW", numpy.asarray(values, "<u2").tobytes())
        return pydicom.Sequence([item])

    def test_lookup_tables_of_dicom(self):
        from pydicom.pixel_data_handlers.util import apply_color_lut, apply_modality_lut, apply_voi_lut
        pixels = self.random.integers(0, 4096, (40, 50)).astype("<u2")
        to_units = (numpy.sqrt(numpy.arange(3000)) * 40).astype(int)
        to_grey = (numpy.sin(numpy.arange(1500) / 1000) ** 2 * 1023).astype(int)
        for what in ({"ModalityLUTSequence": self.table(3000, 200, 16, to_units)},
                     {"VOILUTSequence": self.table(1500, 400, 10, to_grey)},
                     {"VOILUTSequence": self.table(1500, -300, 10, to_grey, "SS"), "RescaleSlope": 0.5, "RescaleIntercept": -700},
                     {"VOILUTSequence": self.table(1500, 100, 10, to_grey), "WindowCenter": 100, "WindowWidth": 50},
                     {"VOILUTSequence": self.table(1500, 100, 10, to_grey), "ModalityLUTSequence": self.table(3000, 200, 16, to_units)},
                     {"VOILUTSequence": self.table(1500, 100, 10, to_grey), "PhotometricInterpretation": "MONOCHROME1"}):
            with self.subTest(what=sorted(what)):
                path = self.dicom(pixels, **what)
                dataset = pydicom.dcmread(path)
                units = numpy.rint(apply_modality_lut(dataset.pixel_array, dataset)).astype(int)
                if "VOILUTSequence" in what:
                    expected = apply_voi_lut(units, dataset, prefer_lut=True) / 1023
                else:
                    expected = (units - units.min()) / (units.max() - units.min())
                if "PhotometricInterpretation" in what:
                    expected = 1 - expected
                got = self.picture("auto", path).astype(float) / 255
                numpy.testing.assert_allclose(got, expected, atol=0.51 / 255 if "RescaleSlope" not in what else 0.01)
                numpy.testing.assert_array_equal(self.picture("none", path), pixels)
        path = self.dicom(pixels, ModalityLUTSequence=self.table(3000, 200, 16, to_units))
        units = apply_modality_lut(pixels, pydicom.dcmread(path)).astype(float)
        numpy.testing.assert_allclose(self.picture("900,600", path), 255 * numpy.clip((units - 899.5) / 599 + 0.5, 0, 1), atol=0.51)
        damaged = self.table(3000, 200, 16, to_units[:10])
        damaged[0].LUTDescriptor = [3000, 200, 77]
        self.assertEqual(self.picture("auto", self.dicom(pixels, ModalityLUTSequence=damaged)).shape, pixels.shape)

        for bits, first in ((8, 0), (16, 0), (16, 20)):
            entries = 200
            colors = self.random.integers(0, 256 if bits == 8 else 65536, (3, entries))
            said = {"PhotometricInterpretation": "PALETTE COLOR"}
            for name, values in zip(("Red", "Green", "Blue"), colors):
                said[f"{name}PaletteColorLookupTableDescriptor"] = [entries, first, bits]
                said[f"{name}PaletteColorLookupTableData"] = numpy.asarray(values, "u1" if bits == 8 else "<u2").tobytes()
            path = self.dicom(self.random.integers(0, 255, (40, 50)).astype("u1"), **said)
            dataset = pydicom.dcmread(path)
            expected = apply_color_lut(dataset.pixel_array, dataset)
            expected = expected >> 8 if bits == 16 else expected
            numpy.testing.assert_array_equal(self.picture(None, path), expected)

    def test_grey_stored_as_colour_is_told(self):
        grey = numpy.asarray(Image.fromarray(self.random.integers(0, 255, (9, 8), "u1")).resize((90, 80), Image.BICUBIC))
        rgb = numpy.stack([grey] * 3, -1)
        colored = rgb.copy()
        colored[60:80, 50:70, 1] ^= 255
        source = self.at / "colours"
        source.mkdir()
        Image.fromarray(rgb).save(source / "grey.jpg", quality=90)
        Image.fromarray(rgb).save(source / "grey.bmp")
        Image.fromarray(rgb).save(source / "grey.tif")
        Image.fromarray(colored).save(source / "colour.jpg", quality=90)
        Image.fromarray(colored).save(source / "colour.bmp")
        Image.fromarray(grey).save(source / "plain.jpg")
        done = json.loads(mist("encode", source, "-o", self.at / "store", "--json").stdout)
        self.assertEqual(done["grey_as_color"], 3)
        mist("encode", source, "-o", self.at / "store", "--dataset", "again")
        said = mist("encode", source, "-o", self.at / "store2").stdout
        self.assertIn("grey, but stored as colour: 3 (", said)

    def test_ybr_becomes_rgb(self):
        rgb = self.random.integers(0, 255, (40, 50, 3), "u1")
        ybr = numpy.asarray(Image.fromarray(rgb).convert("YCbCr"))
        path = self.dicom(ybr.copy(), PhotometricInterpretation="YBR_FULL")
        numpy.testing.assert_allclose(self.picture(None, path).astype(int), numpy.asarray(Image.fromarray(ybr, "YCbCr").convert("RGB")).astype(int), atol=1)

    def test_windows_of_nifti(self):
        data = self.random.integers(-200, 1000, (50, 40, 1)).astype("i2")
        image = nibabel.Nifti1Image(data, numpy.eye(4))
        nibabel.save(image, self.at / "a.nii")
        expected = (data[:, :, 0].T + 200.0 - (data.min() + 200)) / (float(data.max()) - data.min())
        picture = self.picture(None, self.at / "a.nii")
        numpy.testing.assert_allclose(picture.astype(float), 65535 * expected, atol=0.51)
        image.header["cal_min"], image.header["cal_max"] = 0, 500
        image.header.set_slope_inter(0.5, 10)
        nibabel.save(image, self.at / "a.nii")
        data = numpy.asanyarray(nibabel.load(self.at / "a.nii").dataobj.get_unscaled())[:, :, 0].T * 0.5 + 10
        numpy.testing.assert_allclose(self.picture("auto", self.at / "a.nii").astype(float), numpy.clip(data / 500, 0, 1) * 255, atol=0.51)

    def test_labels_stay_names(self):
        data = self.random.integers(0, 300, (50, 40, 1)).astype("i4")
        image = nibabel.Nifti1Image(data, numpy.eye(4))
        image.header["intent_code"] = 1002
        nibabel.save(image, self.at / "a.nii")
        for window in (None, "auto", "3,4", "none"):
            numpy.testing.assert_array_equal(self.picture(window, self.at / "a.nii"), data[:, :, 0].T)
        image = nibabel.Nifti1Image(data - 1, numpy.eye(4))
        image.header["intent_code"] = 1002
        nibabel.save(image, self.at / "b.nii")
        self.assertIn(b"labels", tool("write", "png", 0, "native", self.at / "o.png", self.at / "b.nii").stdout)


if __name__ == "__main__":
    unittest.main()
