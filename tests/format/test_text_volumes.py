"""NRRD and MetaImage, read and written. The judge reads and writes the two headers by their specifications; nibabel
judges places through NIfTI."""
import gzip
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import zlib

import nibabel
import numpy

TOOL = sys.argv.pop(1)
MIST = os.environ["MIST_PROGRAM"]
NRRD_TYPES = {"u1": "uchar", "i1": "int8", "u2": "unsigned short", "i2": "short", "u4": "uint32", "i4": "int", "f4": "float", "f8": "double"}
META_TYPES = {"u1": "MET_UCHAR", "i1": "MET_CHAR", "u2": "MET_USHORT", "i2": "MET_SHORT", "u4": "MET_UINT", "i4": "MET_INT", "f4": "MET_FLOAT",
              "f8": "MET_DOUBLE"}
STEPS = numpy.array([[0.5, 0.1, 0], [0, 0.75, -0.2], [0.3, 0, 2.5]]) # of columns, rows, slices, in LPS
ORIGIN = numpy.array([-10.5, 20, 3])


def tool(*arguments):
    return subprocess.run([TOOL, *map(str, arguments)], capture_output=True, timeout=120)


def mist(*arguments):
    done = subprocess.run([MIST, *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"mist {arguments}: {done.returncode} {done.stderr}"


def vector(numbers):
    return "(" + ",".join(repr(float(n)) for n in numbers) + ")"


def nrrd(array, components=False, packed=False, detached="", space="left-posterior-superior", steps=STEPS, extra=""):
    """Header and samples; array: ... slices, rows, columns (, components)."""
    shape = array.shape[::-1]
    directions = [vector(step) for step in steps[:min(3, len(shape) - components)]]
    directions = ["none"] * components + directions + ["none"] * (len(shape) - components - len(directions))
    order = {"<": "little", ">": "big"}.get(array.dtype.str[0], "little")
    head = (f"NRRD0004\n# a comment\ntype: {NRRD_TYPES[array.dtype.str[1:]]}\ndimension: {len(shape)}\nspace: {space}\n"
            f"sizes: {' '.join(map(str, shape))}\nspace directions: {' '.join(directions)}\n"
            f"kinds: {' '.join(['vector'] * components + ['domain'] * (len(shape) - components))}\nendian: {order}\n"
            f"encoding: {'gzip' if packed else 'raw'}\nspace origin: {vector(ORIGIN)}\n{extra}")
    head += f"data file: {detached}\n" if detached else ""
    samples = gzip.compress(array.tobytes()) if packed else array.tobytes()
    return head.encode() + b"key:=value: of sizes: 3\n" + b"\n", samples


def meta(array, components=False, packed=False, detached="LOCAL", steps=STEPS):
    shape = array.shape[::-1][components:]
    axes = len(shape)
    lengths, matrix = numpy.ones(axes), numpy.eye(axes)
    spatial = min(3, axes)
    lengths[:spatial] = numpy.linalg.norm(steps[:spatial, :spatial], axis=1)
    matrix[:spatial, :spatial] = steps[:spatial, :spatial] / lengths[:spatial, None]
    origin = numpy.zeros(axes)
    origin[:spatial] = ORIGIN[:spatial]
    samples = zlib.compress(array.tobytes()) if packed else array.tobytes()
    text = lambda numbers: " ".join(repr(float(n)) for n in numbers)
    head = (f"ObjectType = Image\nNDims = {axes}\nBinaryData = True\nBinaryDataByteOrderMSB = {array.dtype.str[0] == '>'}\n"
            f"CompressedData = {packed}\n" + (f"CompressedDataSize = {len(samples)}\n" if packed else "") +
            f"TransformMatrix = {text(matrix.reshape(-1))}\nOffset = {text(origin)}\nCenterOfRotation = 0 0 0\n"
            f"ElementSpacing = {text(lengths)}\nDimSize = {' '.join(map(str, shape))}\n" +
            (f"ElementNumberOfChannels = {array.shape[-1]}\n" if components else "") +
            f"ElementType = {META_TYPES[array.dtype.str[1:]]}\nElementDataFile = {detached}\n")
    return head.encode(), samples


def read_nrrd(path):
    """Array (fastest axis last), steps and origin."""
    data = pathlib.Path(path).read_bytes()
    head, samples = data.split(b"\n\n", 1)
    fields = dict(line.split(": ", 1) for line in head.decode().splitlines()[1:] if ": " in line and ":=" not in line and line[0] != "#")
    kind = {**{v: k for k, v in NRRD_TYPES.items()}, "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4"}[fields["type"]]
    if fields["encoding"] == "gzip":
        samples = gzip.decompress(samples)
    array = numpy.frombuffer(samples, (">" if fields.get("endian") == "big" else "<") + kind)
    steps = [numpy.array(eval(v)) for v in fields["space directions"].split() if v != "none"] if "space directions" in fields else None
    return array.reshape([int(n) for n in fields["sizes"].split()][::-1]), steps, numpy.array(eval(fields.get("space origin", "()")))


def read_meta(path):
    data = pathlib.Path(path).read_bytes()
    end = data.index(b"\n", data.index(b"ElementDataFile")) + 1
    fields = dict(line.split(" = ", 1) for line in data[:end].decode().splitlines())
    samples = data[end:]
    if fields["CompressedData"] == "True":
        samples = zlib.decompress(samples)
    kind = {v: k for k, v in META_TYPES.items()}[fields["ElementType"]]
    array = numpy.frombuffer(samples, (">" if fields["BinaryDataByteOrderMSB"] == "True" else "<") + kind)
    shape = [int(n) for n in fields["DimSize"].split()][::-1]
    if "ElementNumberOfChannels" in fields:
        shape.append(int(fields["ElementNumberOfChannels"]))
    numbers = lambda name: numpy.array([float(n) for n in fields[name].split()])
    axes = int(fields["NDims"])
    steps = numbers("TransformMatrix").reshape(axes, axes) * numbers("ElementSpacing")[:, None]
    return array.reshape(shape), list(steps[:3, :3]), numbers("Offset")[:3]


FORMATS = (("nrrd", "nrrd", nrrd, read_nrrd), ("meta", "mha", meta, read_meta))


class TextVolumes(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.at = pathlib.Path(self.folder.name)
        self.random = numpy.random.default_rng(7)

    def array(self, dtype, shape):
        return self.random.integers(0, 120, shape).astype(dtype)

    def describe(self, *paths):
        return json.loads(tool("describe", *paths).stdout)

    def write(self, *arguments):
        said = tool("write", *arguments)
        self.assertEqual((said.returncode, said.stdout), (0, b""), arguments)

    def test_types_shapes_and_bytes(self):
        for name, suffix, make, read in FORMATS:
            path, out = self.at / f"a.{suffix}", self.at / f"b.{suffix}"
            for dtype in ("u1", "i1", "<u2", ">u2", "<i2", ">i2", "<u4", ">i4", "<f4", ">f4", "<f8"):
                for shape, components in (((5, 40, 36), False), ((40, 36), False), ((2, 5, 40, 36), False), ((5, 40, 36, 3), True)):
                    for packed in (False, True):
                        if len(shape) == 2 and name == "nrrd":
                            head, samples = nrrd(self.array(dtype, shape), packed=packed, space="left-posterior-superior", steps=STEPS)
                        array = self.array(dtype, shape)
                        head, samples = make(array, components, packed)
                        path.write_bytes(head + samples + (b"" if packed else b"behind"))
                        told = self.describe(path)
                        self.assertEqual((told["width"], told["height"], told["components"]), (36, 40, 3 if components else 1))
                        self.assertEqual(tool("samples", path).stdout, array.astype(array.dtype.newbyteorder("=")).tobytes(), (name, dtype, shape))
                        self.write(name, 0, "native", out, path)
                        if not packed:
                            self.assertEqual(out.read_bytes(), path.read_bytes(), (name, dtype, shape))
                        else:
                            numpy.testing.assert_array_equal(read(out)[0], array)
                        self.write(name, 1, "native", out, path)
                        small = array[..., ::2, ::2, :] if components else array[..., ::2, ::2]
                        numpy.testing.assert_array_equal(read(out)[0], small)
                        self.assertEqual(tool("samples", out).stdout, small.astype(small.dtype.newbyteorder("=")).tobytes())

    def test_places(self):
        array = self.array("<i2", (5, 40, 36))
        for name, suffix, make, read in FORMATS:
            path, out = self.at / f"a.{suffix}", self.at / f"b.{suffix}"
            head, samples = make(array)
            path.write_bytes(head + samples)
            affine = numpy.eye(4)
            affine[:3, :3] = STEPS.T
            affine[:3, 3] = ORIGIN
            affine[:2] *= -1 # LPS -> RAS
            numpy.testing.assert_allclose(numpy.reshape(self.describe(path)["affine"], (4, 4)), affine, atol=1e-12)
            nifti = self.at / "n.nii"
            self.write("nifti", 0, "native", nifti, path)
            numpy.testing.assert_allclose(nibabel.load(nifti).affine, affine, atol=1e-5)
            numpy.testing.assert_array_equal(numpy.asanyarray(nibabel.load(nifti).dataobj).T, array)
            for grid, shift in (("native", 0), ("center", 1.5)):
                self.write(name, 2, grid, out, path)
                _, steps, origin = read(out)
                numpy.testing.assert_allclose(steps, STEPS * [[4], [4], [1]], atol=1e-12)
                numpy.testing.assert_allclose(origin, ORIGIN + shift * STEPS[0] + shift * STEPS[1], atol=1e-12)
            back = self.at / f"c.{suffix}"
            self.write(name, 0, "native", back, nifti)
            found, steps, origin = read(back)
            numpy.testing.assert_array_equal(found, array)
            numpy.testing.assert_allclose(steps, STEPS, atol=1e-5)
            numpy.testing.assert_allclose(origin, ORIGIN, atol=1e-5)

    def test_spaces_of_nrrd(self):
        array = self.array("u1", (5, 40, 36))
        for space, flip in (("right-anterior-superior", (1, 1)), ("RAS", (1, 1)), ("LPS", (-1, -1)), ("left-anterior-superior", (-1, 1)),
                            ("left-posterior-superior", (-1, -1)), ("scanner-xyz", (1, 1))):
            head, samples = nrrd(array, space=space)
            (self.at / "a.nrrd").write_bytes(head + samples)
            affine = numpy.reshape(self.describe(self.at / "a.nrrd")["affine"], (4, 4))
            numpy.testing.assert_allclose(affine[:2, 3], ORIGIN[:2] * flip, err_msg=space)
        head, samples = nrrd(array, extra="spacings: 1 2 3\n")
        lines = [line for line in head.decode().splitlines() if not line.startswith("space")]
        (self.at / "a.nrrd").write_bytes("\n".join([*lines, "spacings: 0.5 0.25 3"][:-2] + ["spacings: 0.5 0.25 3", "", ""]).encode() + samples)
        told = self.describe(self.at / "a.nrrd")
        self.assertEqual((told["affine"], told["spacing"]), (None, [0.5, 0.25, 3]))
        self.write("nrrd", 1, "native", self.at / "b.nrrd", self.at / "a.nrrd")
        self.assertIn(b"\nspacings: 1 0.5 3\n", (self.at / "b.nrrd").read_bytes())

    def test_detached(self):
        array = self.array("<u2", (5, 40, 36))
        for (name, suffix, make, read), short in zip(FORMATS, ("nhdr", "mhd")):
            for packed in (False, True):
                head, samples = make(array, packed=packed, detached="a.raw")
                header, data = self.at / f"a.{short}", self.at / "a.raw"
                header.write_bytes(head)
                data.write_bytes(samples)
                for pair in ((header, data),):
                    told = self.describe(*pair)
                    self.assertEqual((told["width"], told["height"], told["frames"]), (36, 40, 5))
                    self.assertEqual(tool("samples", *pair).stdout, array.tobytes())
                said = tool("describe", header).stdout
                self.assertTrue(b"another file" in said and header.name.encode() in said, said)
                self.assertEqual(tool("look", header).stdout, b"image\n")

    def test_datasets(self):
        source = self.at / "s"
        source.mkdir()
        for name, suffix, make, read in FORMATS:
            for packed in (False, True):
                head, samples = make(self.array("<i2", (6, 70, 66)), packed=packed)
                (source / f"{name}{packed}.{suffix}").write_bytes(head + samples)
        head, samples = nrrd(self.array("<i2", (6, 70, 7)))
        (source / "dwi.nrrd").write_bytes(head.replace(b"kinds: domain", b"kinds: list") + samples)
        mist("encode", source, "-o", self.at / "store", "--dataset", "d")
        self.assertEqual(len(list((self.at / "store/d/items").rglob("*.mist"))), 4)
        mist("get", f"{self.at}/store/d", "-o", self.at / "out")
        mist("get", f"{self.at}/store/d", "-o", self.at / "half", "--reduce", "1")
        for name, suffix, make, read in FORMATS:
            for packed in (False, True):
                file = f"{name}{packed}.{suffix}"
                numpy.testing.assert_array_equal(read(self.at / "out" / file)[0], read(source / file)[0])
                if not packed:
                    self.assertEqual((self.at / "out" / file).read_bytes(), (source / file).read_bytes())
                self.assertEqual(read(self.at / "half" / file)[0].shape, (6, 35, 33))
        self.assertEqual((self.at / "half/dwi.nrrd").read_bytes(), (source / "dwi.nrrd").read_bytes())
        for suffix, read in (("nrrd", read_nrrd), ("mha", read_meta)):
            mist("get", f"{self.at}/store/d", "-o", self.at / suffix, "--format", suffix)
            for file in ("nrrdFalse", "metaFalse"):
                kind = "nrrd" if file.startswith("nrrd") else "mha"
                there = self.at / suffix / (f"{file}.{kind}" if kind == suffix else f"{file}.{suffix}")
                numpy.testing.assert_array_equal(read(there)[0], dict(nrrd=read_nrrd, mha=read_meta)[kind](source / f"{file}.{kind}")[0])

    def test_what_cannot_be_read_is_named(self):
        array = self.array("<u2", (5, 40, 36))
        for make, suffix, changes in (
                (nrrd, "nrrd", ((b"type: unsigned short", b"type: block", b"block"), (b"encoding: raw", b"encoding: bzip2", b"bzip2"),
                                (b"sizes: 36 40 5", b"sizes: 36 40 0", b"limits"), (b"sizes: 36 40 5", b"sizes: 36 40", b"sizes"),
                                (b"sizes: 36 40 5", b"sizes: 70000 40 5", b"limits"), (b"sizes: 36 40 5", b"sizes: 36 40 6", b"needs"),
                                (b"dimension: 3", b"dimension: 99", b"dimension"), (b"encoding: raw", b"encoding: raw\nbyte skip: 9", b"behind"))),
                (meta, "mha", ((b"MET_USHORT", b"MET_STRING", b"MET_STRING"), (b"BinaryData = True", b"BinaryData = False", b"text"),
                               (b"DimSize = 36 40 5", b"DimSize = 36 40 6", b"needs"), (b"NDims = 3", b"NDims = 9", b"dimensions"),
                               (b"DimSize = 36 40 5", b"DimSize = 36 4000000 5", b"limits"), (b"LOCAL", b"LIST", b"several")))):
            path = self.at / f"a.{suffix}"
            head, samples = make(array)
            for old, new, words in changes:
                self.assertIn(old, head)
                path.write_bytes(head.replace(old, new) + samples)
                said = tool("describe", path).stdout
                self.assertTrue(said.startswith(b"! ") and words in said and path.name.encode() in said, (new, said))
            for packed in (False, True):
                head, samples = make(array[:, :10, :10].copy(), packed=packed)
                path.write_bytes(head + samples)
                said = tool("hostile", 3, 400, self.at, path)
                self.assertEqual((said.returncode, said.stderr), (0, b""), said.stdout)
                said = tool("starve", "nrrd" if suffix == "nrrd" else "meta", 1, self.at / f"o.{suffix}", path)
                self.assertEqual(said.returncode, 0, said.stdout)
            head, samples = make(array, packed=True)
            path.write_bytes(head + zlib.compress(array.tobytes() + b"more"))
            self.assertIn(b"more", tool("describe", path).stdout)


if __name__ == "__main__":
    unittest.main()
