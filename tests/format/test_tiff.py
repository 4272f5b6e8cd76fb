"""TIFF read and written, judged by PIL, which is libtiff, and by a reader of directories made here."""
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest
import warnings

import numpy
import pydicom
from PIL import Image, TiffImagePlugin

TOOL = sys.argv.pop(1)
MIST = os.environ["MIST_PROGRAM"]


def tool(*arguments):
    return subprocess.run([TOOL, *map(str, arguments)], capture_output=True, timeout=120)


def mist(*arguments):
    done = subprocess.run([MIST, *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"mist {arguments}: {done.returncode} {done.stderr}"


def make(pages, order="<", planar=False, tiled=0, extra=(), big=False, gap=0):
    """An uncompressed TIFF of arrays (height, width[, components]), by TIFF 6.0; tiles of `tiled` samples a side."""
    word = "Q" if big else "I"
    out = bytearray((b"II" if order == "<" else b"MM") + (struct.pack(order + "HHHQ", 43, 8, 0, 0) if big else struct.pack(order + "HI", 42, 0)))
    link = 8 if big else 4
    for page in pages:
        page = page.astype(page.dtype.newbyteorder(order))
        height, width = page.shape[:2]
        samples = page.shape[2] if page.ndim == 3 else 1
        cube = page.reshape(height, width, samples)
        pieces = []
        for plane in ([cube[:, :, i:i + 1] for i in range(samples)] if planar else [cube]):
            if tiled:
                for y in range(0, height, tiled):
                    for x in range(0, width, tiled):
                        tile = numpy.zeros((tiled, tiled, plane.shape[2]), page.dtype)
                        part = plane[y:y + tiled, x:x + tiled]
                        tile[:part.shape[0], :part.shape[1]] = part
                        pieces.append(tile.tobytes())
            else:
                pieces += [plane[y:y + 16].tobytes() for y in range(0, height, 16)]
        offsets = []
        for piece in pieces:
            offsets.append(len(out))
            out += piece
        out += b"\7" * gap
        kind = {"u": 1, "i": 2, "f": 3}[page.dtype.kind]
        bits = 8 * page.dtype.itemsize
        tags = {256: ("I", [width]), 257: ("I", [height]), 258: ("H", [bits] * samples), 259: ("H", [1]), 262: ("H", [2 if samples >= 3 else 1]),
                277: ("H", [samples]), 284: ("H", [2 if planar else 1]), 339: ("H", [kind] * samples), 305: ("s", b"a test\0")}
        tags.update({322: ("I", [tiled]), 323: ("I", [tiled]), 324: (word, offsets), 325: (word, [len(p) for p in pieces])} if tiled else
                    {278: ("I", [16]), 273: (word, offsets), 279: (word, [len(p) for p in pieces])})
        tags.update(extra)
        entries, room = b"", 8 if big else 4
        for tag, (code, values) in sorted(tags.items()):
            body = values if code == "s" else struct.pack(f"{order}{len(values)}{code}", *values)
            size = len(values)
            if len(body) > room:
                where = len(out)
                out += body
                body = struct.pack(order + word, where)
            entries += struct.pack(order + "HH" + word, tag, {"s": 2, "H": 3, "I": 4, "Q": 16}[code], size) + body.ljust(room, b"\0")
        out[link:link + room] = struct.pack(order + word, len(out))
        out += struct.pack(order + ("Q" if big else "H"), len(tags)) + entries
        link = len(out)
        out += bytes(room)
    return bytes(out)


class Tiff(unittest.TestCase):
    def setUp(self):
        warnings.simplefilter("ignore", ResourceWarning)
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.at = pathlib.Path(self.folder.name)
        self.random = numpy.random.default_rng(9)

    def array(self, dtype, shape):
        return self.random.integers(0, 120, shape).astype(dtype)

    def describe(self, path):
        return json.loads(tool("describe", path).stdout)

    def write(self, *arguments):
        said = tool("write", *arguments)
        self.assertEqual((said.returncode, said.stdout), (0, b""), arguments)

    def test_types_and_layouts(self):
        path, out = self.at / "a.tif", self.at / "b.tif"
        for dtype in ("u1", "i1", "u2", "i2", "u4", "i4", "f2", "f4", "f8"):
            for order in "<>":
                for shape, planar, tiled, count, big in (((50, 40), False, 0, 1, False), ((50, 40, 3), False, 0, 1, True), ((50, 40, 3), True, 0, 2, False),
                                                         ((50, 40), False, 16, 2, False), ((50, 40, 4), True, 32, 1, True), ((50, 40, 2), False, 0, 3, False)):
                    pages = [self.array(dtype, shape) for _ in range(count)]
                    path.write_bytes(make(pages, order, planar, tiled, big=big, gap=3 * (dtype == "u2")) + b"behind")
                    told = self.describe(path)
                    self.assertEqual((told["width"], told["height"], told["components"], told["frames"]), (40, 50, shape[2] if len(shape) == 3 else 1, count))
                    self.assertEqual(tool("samples", path).stdout, b"".join(page.tobytes() for page in pages), (dtype, order, shape, planar, tiled))
                    self.write("tiff", 0, "native", out, path)
                    if not tiled:
                        self.assertEqual(out.read_bytes(), path.read_bytes(), (dtype, order, shape, planar))
                    else:
                        self.assertEqual(tool("samples", out).stdout, tool("samples", path).stdout)
                    self.write("tiff", 1, "native", out, path)
                    small = b"".join(page[::2, ::2].tobytes() for page in pages)
                    self.assertEqual(tool("samples", out).stdout, small, (dtype, order, shape, planar, tiled))
                    self.assertIn(b"a test\0", out.read_bytes())
                    if dtype in ("u1", "f4") and len(shape) == 2: # what PIL reads
                        picture = Image.open(out)
                        self.assertEqual(getattr(picture, "n_frames", 1), count)
                        for index, page in enumerate(pages):
                            picture.seek(index)
                            numpy.testing.assert_array_equal(numpy.asarray(picture), page[::2, ::2])

    def test_files_of_pil(self):
        source = self.at / "s"
        source.mkdir()
        ramp = numpy.add.outer(numpy.arange(150), numpy.arange(170)).astype("u1")
        for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "group4"):
            for mode in ("1", "L", "P", "RGB", "RGBA", "CMYK", "I;16", "F", "LA"):
                if (compression == "jpeg" and mode not in ("L", "RGB")) or (compression == "group4") != (compression == "group4" and mode == "1"):
                    continue
                image = Image.fromarray(ramp.astype("u2") * 200) if mode == "I;16" else Image.fromarray(ramp).convert(mode)
                path, out = source / f"{compression}-{mode.replace(';', '')}.tif", self.at / "out.tif"
                options = {} if compression == "raw" else {"compression": compression}
                image.save(path, dpi=(300, 150), **options)
                told = self.describe(path)
                self.assertEqual(told["label"], mode == "P", path)
                for reduce in (0, 1):
                    self.write("tiff", reduce, "native", out, path)
                    was, now = Image.open(path), Image.open(out)
                    self.assertEqual(was.mode, now.mode, path)
                    self.assertEqual([float(n) for n in now.info["dpi"]], [300 / 2 ** reduce, 150 / 2 ** reduce], path)
                    step = 2 ** reduce
                    numpy.testing.assert_array_equal(numpy.asarray(now), numpy.asarray(was)[::step, ::step], str((path, reduce)))
                    if mode == "P":
                        self.assertEqual(was.getpalette(), now.getpalette())
                if compression == "raw" and mode != "1":
                    self.write("tiff", 0, "native", out, path)
                    self.assertEqual(out.read_bytes(), path.read_bytes(), path)
        mist("encode", source, "-o", self.at / "store", "--dataset", "d")
        names = sorted(path.name for path in source.iterdir())
        self.assertEqual(len(list((self.at / "store/d/items").rglob("*.mist"))), len(names))
        mist("get", f"{self.at}/store/d", "-o", self.at / "out")
        mist("get", f"{self.at}/store/d", "-o", self.at / "half", "--reduce", "1")
        for name in names:
            numpy.testing.assert_array_equal(numpy.asarray(Image.open(self.at / "out" / name)), numpy.asarray(Image.open(source / name)), name)
            self.assertEqual(Image.open(self.at / "half" / name).size, (85, 75), name)

    def test_pages(self):
        path, out = self.at / "m.tif", self.at / "o.tif"
        pages = [Image.fromarray(self.array("u1", (60, 50))) for _ in range(4)]
        for options in ({}, {"compression": "tiff_lzw"}):
            pages[0].save(path, save_all=True, append_images=pages[1:], **options)
            self.assertEqual(self.describe(path)["frames"], 4)
            self.write("tiff", 0, "native", out, path)
            if not options:
                self.assertEqual(out.read_bytes(), path.read_bytes())
            for reduce in (0, 1):
                self.write("tiff", reduce, "native", out, path)
                picture = Image.open(out)
                self.assertEqual(picture.n_frames, 4)
                for index, page in enumerate(pages):
                    picture.seek(index)
                    numpy.testing.assert_array_equal(numpy.asarray(picture), numpy.asarray(page)[::2 ** reduce, ::2 ** reduce])
        pages[0].save(path, save_all=True, append_images=[pages[1].resize((25, 30))])
        said = tool("look", path).stdout
        self.assertTrue(said.startswith(b"! ") and b"different" in said and b"m.tif" in said, said)

    def test_of_other_formats(self):
        out = self.at / "o.tif"
        for dtype in ("u1", "i2", "f4", "u2"):
            volume = self.array(dtype, (3, 50, 40))
            numpy.save(self.at / "a.npy", volume)
            self.write("tiff", 0, "native", out, self.at / "a.npy")
            self.assertEqual(tool("samples", out).stdout, volume.tobytes())
            self.assertEqual(Image.open(out).n_frames, 3)
        data = pydicom.Dataset()
        data.file_meta = pydicom.dataset.FileMetaDataset()
        data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        data.SOPClassUID, data.SOPInstanceUID, data.SeriesInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "1.2.3", "1.2.3.4"
        pixels = self.array("u1", (50, 40))
        data.Rows, data.Columns, data.SamplesPerPixel, data.BitsAllocated, data.BitsStored, data.HighBit = 50, 40, 1, 8, 8, 7
        data.PixelRepresentation, data.PhotometricInterpretation, data.PixelData = 0, "MONOCHROME1", pixels.tobytes()
        pydicom.dcmwrite(self.at / "d.dcm", data, write_like_original=False)
        self.write("tiff", 0, "native", out, self.at / "d.dcm")
        numpy.testing.assert_array_equal(numpy.asarray(Image.open(out).convert("L")), 255 - pixels) # by MinIsWhite
        self.write("png", 0, "native", self.at / "o.png", out)
        numpy.testing.assert_array_equal(numpy.asarray(Image.open(self.at / "o.png")), 255 - pixels)

    def test_damage_is_named(self):
        path = self.at / "a.tif"
        pages = [self.array("u1", (30, 20)) for _ in range(3)]
        good = make(pages)
        first = struct.unpack("<I", good[4:8])[0]
        circle = bytearray(good)
        last = len(circle) - 4
        circle[last:] = struct.pack("<I", first)
        for content, words in ((good[:20], b"directory"), (bytes(circle), b"circle"), (good[:first + 4], b"too early"), (make(pages, extra={258: ("H", [12])}), b"12 bits"),
                               (make(pages, extra={259: ("H", [7777])}), b"compression 7777"), (make(pages, extra={256: ("I", [70000])}), b"limits")):
            path.write_bytes(content)
            said = tool("describe", path).stdout
            self.assertTrue(said.startswith(b"! ") and words in said and b"a.tif" in said, (words, said))
        path.write_bytes(make(pages, extra={279: ("I", [5, 5])}))
        said = tool("samples", path).stdout
        self.assertTrue(b"cannot be read" in said and b"a.tif" in said, said)
        for name, options in (("raw", {}), ("lzw", {"compression": "tiff_lzw"}), ("jpg", {"compression": "jpeg"})):
            Image.fromarray(pages[0]).save(path, **options)
            said = tool("hostile", 4, 400, self.at, path)
            self.assertEqual((said.returncode, said.stderr), (0, b""), said.stdout)
            said = tool("starve", "tiff", 1, self.at / "o.tif", path)
            self.assertEqual(said.returncode, 0, said.stdout)
        path.write_bytes(make(pages, tiled=16, order=">"))
        said = tool("hostile", 5, 400, self.at, path)
        self.assertEqual((said.returncode, said.stderr), (0, b""), said.stdout)


if __name__ == "__main__":
    unittest.main()
