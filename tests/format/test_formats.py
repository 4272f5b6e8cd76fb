"""PNG and NIfTI, read and written: nibabel is the judge of NIfTI, zlib and the PNG specification that of PNG."""
import gzip
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib

import nibabel
import numpy

TOOL = sys.argv.pop(1)
SHARED = pathlib.Path(os.environ["MIST_SHARED"]) / "data"
EXAMPLES = pathlib.Path(os.environ["MIST_SOURCE"]) / "examples" / "data"


def tool(*arguments):
    return subprocess.run([TOOL, *map(str, arguments)], capture_output=True, text=True, timeout=120)


def volumes():
    found = sorted(EXAMPLES.rglob("*.nii.gz"))
    if SHARED.exists():
        found += sorted((SHARED / "nifti").iterdir())
    else:
        print("../shared is not here: only examples/data is read")
    return found


def plain(path):
    data = pathlib.Path(path).read_bytes()
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def png_chunks(data):
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, chunks = 8, []
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        body, crc = data[at + 8:at + 8 + length], data[at + 8 + length:at + 12 + length]
        assert struct.unpack(">I", crc)[0] == zlib.crc32(kind + body)
        chunks.append((kind, body))
        at += 12 + length
    return chunks


def png_pixels(data):
    """Pixels of a grey or RGB PNG that is not interlaced, by the PNG specification (clause 9)."""
    chunks = png_chunks(data)
    width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", chunks[0][1])
    assert interlace == 0 and colour in (0, 2)
    step = (3 if colour == 2 else 1) * depth // 8
    raw = zlib.decompress(b"".join(body for kind, body in chunks if kind == b"IDAT"))
    rows, above = [], numpy.zeros(width * step, int)
    for y in range(height):
        line = raw[y * (width * step + 1):(y + 1) * (width * step + 1)]
        row = numpy.frombuffer(line[1:], "u1").astype(int)
        if line[0] == 2:
            row = (row + above) & 255
        elif line[0] in (1, 3, 4):
            for i in range(len(row)):
                left, corner = (row[i - step], above[i - step]) if i >= step else (0, 0)
                if line[0] == 1:
                    guess = left
                elif line[0] == 3:
                    guess = (left + above[i]) // 2
                else:
                    p = left + above[i] - corner
                    guess = min((abs(p - left), 0, left), (abs(p - above[i]), 1, above[i]), (abs(p - corner), 2, corner))[2]
                row[i] = (row[i] + guess) & 255
        rows.append(row)
        above = row
    return numpy.array(rows, "u1").reshape(height, width * step)


def make_png(pixels, extra_before=(), extra_after=()):
    """An unfiltered PNG of u1 or u2 pixels (height, width[, 3])."""
    chunk = lambda kind, body: struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    height, width = pixels.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, 8 * pixels.itemsize, 2 if pixels.ndim == 3 else 0, 0, 0, 0)
    raw = b"".join(b"\0" + row.astype(">u%d" % pixels.itemsize).tobytes() for row in pixels)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunk(*c) for c in extra_before) +
            chunk(b"IDAT", zlib.compress(raw)) + b"".join(chunk(*c) for c in extra_after) + chunk(b"IEND", b""))


def plane_of(shape):
    """The axes that planes are spanned by: the two longest of the first three, the first of equals."""
    sizes = (tuple(shape) + (1, 1, 1))[:3]
    across = max(axis for axis in range(3) if sizes[axis] == min(sizes))
    return [axis for axis in range(3) if axis != across]


class Formats(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.at = pathlib.Path(self.folder.name)

    def test_nifti_is_identical_at_full_size(self):
        for path in volumes():
            out = self.at / ("out" + "".join(path.suffixes[-2:] if path.suffix == ".gz" else ".nii"))
            self.assertEqual(tool("copy", 0, "native", out, path).stdout, "", path)
            self.assertEqual(plain(out), plain(path), path)

    def test_nifti_voxels_stay_where_they_are(self):
        for path in volumes():
            full = nibabel.load(path)
            for grid in ("native", "center"):
                for reduce in (1, 2):
                    out = self.at / "out.nii.gz"
                    self.assertEqual(tool("copy", reduce, grid, out, path).stdout, "", path)
                    small = nibabel.load(out)
                    step = 2 ** reduce
                    steps, shifts = numpy.ones(3, int), numpy.zeros(3)
                    for axis in plane_of(full.shape):
                        steps[axis], shifts[axis] = step, (step - 1) / 2 if grid == "center" else 0
                    expected = numpy.asanyarray(full.dataobj)[:: steps[0], :: steps[1], :: steps[2]]
                    numpy.testing.assert_array_equal(numpy.asanyarray(small.dataobj), expected, str(path))
                    for index in ((0, 0, 0), (1, 2, 0), (2, 0, 1)):
                        there = full.affine @ [*(steps * index + shifts), 1]
                        numpy.testing.assert_allclose(small.affine @ [*index, 1], there, atol=2e-4, err_msg=str(path))
                    for code in ("qform", "sform"):
                        a, known = getattr(full, f"get_{code}")(coded=True)
                        b, same = getattr(small, f"get_{code}")(coded=True)
                        self.assertEqual(known, same)
                        if known:
                            there = a @ [*(steps * (1, 2, 1) + shifts), 1]
                            numpy.testing.assert_allclose(b @ [1, 2, 1, 1], there, atol=2e-3, err_msg=f"{path} {code}")
                    for key in ("scl_slope", "scl_inter", "descrip", "intent_code", "xyzt_units"):
                        self.assertEqual(str(full.header[key]), str(small.header[key]))

    def test_nifti_types_orders_and_extensions(self):
        rng = numpy.random.default_rng(1)
        for dtype in ("u1", "i1", "<i2", ">i2", "<u2", ">u4", "<i4", "<f4", ">f4", "<f8", ">f8"):
            for kind in (nibabel.Nifti1Image, nibabel.Nifti2Image):
                data = rng.integers(0, 100, (9, 6, 3, 2)).astype(dtype)
                header = kind.header_class(endianness=">" if dtype[0] == ">" else "<")
                header.set_data_dtype(numpy.dtype(dtype))
                image = kind(data, numpy.diag([2, 3, 4, 1]), header)
                image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"kept"))
                path, out = self.at / "a.nii", self.at / "b.nii"
                nibabel.save(image, path)
                path.write_bytes(path.read_bytes() + b"behind")
                self.assertEqual(tool("copy", 0, "native", out, path).stdout, "", dtype)
                self.assertEqual(out.read_bytes(), path.read_bytes(), dtype)
                self.assertEqual(tool("copy", 1, "native", out, path).stdout, "", dtype)
                small = nibabel.load(out)
                numpy.testing.assert_array_equal(numpy.asanyarray(small.dataobj), data[::2, ::2])
                self.assertEqual(small.header.extensions[0].get_content(), b"kept")

    def test_bytes_in_memory_are_read_as_files_are(self):
        by_kind = {}
        for path in sorted(EXAMPLES.rglob("*")) + [self.at / "plain.nii", self.at / "a.npy", self.at / "a.pgm"]:
            if path.name == "plain.nii":
                path.write_bytes(plain(next(iter(sorted(EXAMPLES.rglob("*.nii.gz"))))))
            elif path.name == "a.npy":
                numpy.save(path, numpy.arange(120, dtype=">u2").reshape(2, 5, 12))
            elif path.name == "a.pgm":
                path.write_bytes(b"P5 4 3 255\n" + bytes(range(12)))
            kind = path.suffix.lower() if path.is_file() else ".csv"
            if kind in (".csv", ".json", ".txt", ".md", ".tsv") or by_kind.get(kind, 0) >= 3:
                continue
            by_kind[kind] = by_kind.get(kind, 0) + 1
            said = tool("memory", path).stdout
            self.assertRegex(said, "^[a-z]+: same $", path)
        self.assertGreaterEqual(set(by_kind), {".png", ".gz", ".nii", "", ".npy", ".pgm"})  # "": DICOM

    def test_png_pixels_and_metadata(self):
        rng = numpy.random.default_rng(2)
        text, late = (b"tEXt", b"Comment\0kept"), (b"tIME", bytes([7, 232, 1, 2, 3, 4, 5]))
        physical = (b"pHYs", struct.pack(">IIB", 1000, 2000, 1))
        for shape, dtype in (((33, 50), "u1"), ((20, 31), "u2"), ((16, 40, 3), "u1"), ((5, 7, 3), "u2"), ((1, 1), "u1")):
            pixels = rng.integers(0, 256 ** numpy.dtype(dtype).itemsize, shape).astype(dtype)
            path, out = self.at / "a.png", self.at / "b.png"
            path.write_bytes(make_png(pixels, [text, physical], [late]))
            for reduce in (0, 1):
                self.assertEqual(tool("copy", reduce, "native", out, path).stdout, "")
                data, step = out.read_bytes(), 2 ** reduce
                expected = pixels[::step, ::step].astype(">" + dtype)
                self.assertEqual(png_pixels(data).tobytes(), expected.tobytes())
                chunks = png_chunks(data)
                self.assertIn(text, chunks)
                self.assertGreater(chunks.index(late), [kind for kind, _ in chunks].index(b"IDAT"))
                if reduce == 0:
                    self.assertIn(physical, chunks)
                else:
                    x, y, _ = struct.unpack(">IIB", dict(chunks)[b"pHYs"])
                    self.assertEqual((x, y), (1000 // step, 2000 // step))  # samples are 2^r originals apart

    def test_what_is_refused_is_named(self):
        image = make_png(numpy.zeros((4, 4), "u1"))
        for at, value, word in ((25, 5, "colour type 5"), (24, 3, "3 bits"), (16, 255, "limits")):
            bad = bytearray(image)
            bad[at] = value
            path = self.at / "bad.png"
            path.write_bytes(bad)
            said = tool("copy", 0, "native", self.at / "out.png", path).stdout
            self.assertRegex(said, rf"! \w+: .*bad\.png: .*{word}")
        wide = bytearray(nibabel.Nifti1Image(numpy.zeros((4, 4, 4), "i2"), None).to_bytes())
        wide[70:72] = (1536).to_bytes(2, "little")
        (self.at / "c.nii").write_bytes(wide)
        self.assertIn("datatype 1536, float128", tool("copy", 0, "native", self.at / "out.nii", self.at / "c.nii").stdout)

    def test_damage_is_one_sentence(self):
        path = self.at / "a.nii"
        nibabel.save(nibabel.Nifti1Image(numpy.arange(1000, dtype="i2").reshape(10, 10, 10), None), path)
        data = bytearray(path.read_bytes())
        for change, word in (((40, b"\x08\x00"), "8 dimensions"), ((42, b"\x00\x00"), "size of 0"),
                             ((44, b"\xff\xff"), "size of -1"), ((42, b"\xff\x7f"), "needs"),
                             ((108, struct.pack("<f", 1e30)), "start at byte"), ((70, b"\x77\x00"), "datatype")):
            bad = data.copy()
            bad[change[0]:change[0] + len(change[1])] = change[1]
            (self.at / "bad.nii").write_bytes(bad)
            self.assertIn(word, tool("copy", 0, "native", self.at / "o.nii", self.at / "bad.nii").stdout)
        packed = gzip.compress(bytes(data))
        (self.at / "cut.nii.gz").write_bytes(packed[:len(packed) - 30])
        self.assertIn("ends too early", tool("copy", 0, "native", self.at / "o.nii", self.at / "cut.nii.gz").stdout)
        (self.at / "bomb.nii.gz").write_bytes(gzip.compress(bytes(data) + bytes(70 << 20)))
        self.assertIn("holds more", tool("copy", 0, "native", self.at / "o.nii", self.at / "bomb.nii.gz").stdout)
        (self.at / "a.png").write_bytes(make_png(numpy.arange(200, dtype="u1").reshape(10, 20)))
        for name in ("a.nii", "cut.nii.gz", "a.png"):
            result = tool("hostile", 1, 600, self.at, self.at / name)
            self.assertEqual((result.returncode, result.stderr), (0, ""), name + result.stdout)

    def test_detection_is_by_content(self):
        (self.at / "picture.dat").write_bytes(make_png(numpy.zeros((4, 4), "u1")))
        nibabel.save(nibabel.Nifti1Image(numpy.zeros((2, 2, 2), "u1"), None), self.at / "volume.nii.gz")
        (self.at / "volume.nii.gz").rename(self.at / "volume")
        (self.at / "table.png").write_text("a,b\n")
        names = [self.at / n for n in ("picture.dat", "volume", "table.png")]
        self.assertEqual(tool("detect", *names).stdout.split(), ["png", "nifti", "-"])


if __name__ == "__main__":
    unittest.main()
