"""NumPy arrays as sources and back: numpy is the judge of what is read and written, through `mist` of whole datasets."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy

TOOL = sys.argv.pop(1)
MIST = os.environ["MIST_PROGRAM"]
TYPES = ("u1", "i1", "<u2", ">u2", "<i2", ">i2", "<u4", ">u4", "<i4", ">i4", "<f2", ">f2", "<f4", ">f4", "<f8", ">f8", "<i8", ">i8",
         "<u8", ">u8")


def tool(*arguments):
    return subprocess.run([TOOL, *map(str, arguments)], capture_output=True, timeout=120)


def mist(*arguments, status=0):
    done = subprocess.run([MIST, *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert done.returncode == status, f"mist {arguments}: {done.returncode} {done.stderr}"
    return done


def with_head(array, version, text=None):
    """The array as a file of the version, or with another dictionary."""
    text = text or repr({"descr": array.dtype.str, "fortran_order": False, "shape": array.shape})
    length = len(text).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + length + text.encode() + array.tobytes()


class Npy(unittest.TestCase):
    def setUp(self):
        self.place = tempfile.TemporaryDirectory()
        self.at = pathlib.Path(self.place.name)
        self.random = numpy.random.default_rng(3)

    def tearDown(self):
        self.place.cleanup()

    def array(self, dtype, shape):
        kind = numpy.dtype(dtype)
        if kind.kind == "f":
            return self.random.normal(0, 100, shape).astype(kind)
        info = numpy.iinfo(kind)
        return self.random.integers(info.min, info.max, shape, endpoint=True, dtype=kind.newbyteorder("=")).astype(kind)

    def describe(self, path):
        return json.loads(tool("describe", path).stdout)

    def test_types(self):
        path = self.at / "a.npy"
        for dtype in TYPES:
            array = self.array(dtype, (3, 17, 20))
            numpy.save(path, array)
            told = self.describe(path)
            native = array.dtype.newbyteorder("=")
            self.assertEqual(told["type"], f"{native.kind.replace('i', 's')}{8 * native.itemsize}", dtype)
            self.assertEqual(tool("samples", path).stdout, array.astype(native).tobytes(), dtype)

    def test_shapes(self):
        path = self.at / "a.npy"
        for shape, frames, components in (((70, 80), 1, 1), ((70, 80, 3), 1, 3), ((70, 80, 4), 1, 4), ((5, 70, 80), 5, 1),
                                          ((70, 80, 1), 1, 1), ((5, 70, 80, 3), 5, 3), ((2, 5, 70, 80), 10, 1),
                                          ((2, 5, 70, 80, 3), 10, 3), ((1, 1), 1, 1)):
            array = self.array("<u2", shape)
            numpy.save(path, array)
            told = self.describe(path)
            self.assertEqual((told["frames"], told["components"]), (frames, components), shape)
            self.assertEqual((told["height"], told["width"]), (70, 80) if shape != (1, 1) else (1, 1), shape)
            self.assertEqual(tool("samples", path).stdout, array.tobytes(), shape)

    def test_fortran_order_is_the_reversed_array(self):
        path = self.at / "a.npy"
        array = numpy.asfortranarray(self.array("<i2", (40, 30, 6)))
        numpy.save(path, array)
        self.assertIn(b"'fortran_order': True", path.read_bytes()[:128])
        told = self.describe(path)
        self.assertEqual((told["width"], told["height"], told["frames"]), (40, 30, 6))
        self.assertEqual(tool("samples", path).stdout, array.T.tobytes())

    def test_versions_and_truth(self):
        path, array = self.at / "a.npy", self.array("<u2", (9, 8))
        for version in (1, 2, 3):
            path.write_bytes(with_head(array, version))
            self.assertEqual(tool("samples", path).stdout, array.tobytes(), version)
        mask = self.random.integers(0, 2, (40, 50)).astype(bool)
        numpy.save(path, mask)
        told = self.describe(path)
        self.assertEqual((told["type"], told["label"]), ("u8", True))
        self.assertEqual(tool("samples", path).stdout, mask.tobytes())

    def test_what_cannot_be_read_is_named(self):
        path, array = self.at / "a.npy", self.array("<u2", (9, 8))
        good = with_head(array, 1)
        dictionary = "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }"
        for content, words in ((good[:-1], b"ends before"), (good[:9], b"not in a format"), (good[:40], b"damaged"),
                               (with_head(array, 4), b"damaged"), (with_head(array, 1, "{}"), b"damaged"),
                               (with_head(array, 1, dictionary % ("<i8", "False", "(9, 9)")), b"ends before"),
                               (with_head(array, 1, dictionary % ("<u8", "False", "(9, 9)")), b"ends before"),
                               (with_head(array, 1, dictionary % ("<f16", "False", "(9, 1)")), b"<f16"),
                               (with_head(array, 1, dictionary % ("<c8", "False", "(9, 1)")), b"<c8"),
                               (with_head(array, 1, dictionary % ("<u2", "Maybe", "(9, 8)")), b"damaged"),
                               (with_head(array, 1, dictionary % ("<u2", "False", "(72,)")), b"shape"),
                               (with_head(array, 1, dictionary % ("<u2", "False", "(0, 72)")), b"shape"),
                               (with_head(array, 1, dictionary % ("<u2", "False", "(9, -8)")), b"shape"),
                               (with_head(array, 1, dictionary % ("<u2", "False", "(9, 8")), b"shape"),
                               (with_head(array, 1, dictionary % ("<u2", "False", "(9, 99999999999999999999)")), b"shape"),
                               (with_head(array, 1, dictionary % ("<u2", "False", "(70000, 70000)")), b"limits"),
                               (with_head(array, 1, dictionary % ("<u2", "False", "(65535,) * 8")), b"shape"),
                               (with_head(array, 1, dictionary % ("<u2", "False", "(65535, 65535, 65535, 8, 9)")), b"limits")):
            path.write_bytes(content)
            said = tool("describe", path).stdout
            self.assertTrue(said.startswith(b"! ") and words in said and b"a.npy" in said, (content[:90], said))

    def test_hostile_bytes(self):
        path = self.at / "a.npy"
        for shape in ((20, 30), (4, 20, 30), (2, 3, 20, 30)):
            numpy.save(path, self.array("<u2", shape))
            done = tool("hostile", 5, 200, self.at, path)
            self.assertEqual(done.returncode, 0, done.stdout)

    def test_memory_that_runs_out(self):
        path = self.at / "a.npy"
        numpy.save(path, self.array(">u2", (3, 20, 30)))
        for reduce in (0, 1):
            done = tool("starve", "npy", reduce, self.at / "out.npy", path)
            self.assertEqual(done.returncode, 0, done.stdout)

    def test_datasets(self):
        source, store, out = self.at / "arrays", self.at / "store", self.at / "out"
        source.mkdir()
        kept = {"list": numpy.arange(30.0), "texts": numpy.array([["a", "b"], ["c", "d"]]), "none": numpy.zeros((0, 4)),
                "table": numpy.array([[(1, 2.0)]], [("a", "i4"), ("b", "f4")])}
        images = {"volume-" + dtype.replace("<", "little-").replace(">", "big-"): self.array(dtype, (3, 96, 80))
                  for dtype in TYPES}
        images |= {"color": self.array("u1", (96, 80, 3)), "series": self.array("<i2", (2, 3, 96, 80)),
                   "mask": self.random.integers(0, 2, (96, 80)).astype(bool),
                   "fortran": numpy.asfortranarray(self.array(">i2", (96, 80, 5)))}
        for name, array in (images | kept).items():
            numpy.save(source / (name + ".npy"), array)
        (source / "UPPER.NPY").write_bytes((source / "mask.npy").read_bytes())
        (source / "trailing.npy").write_bytes((source / "color.npy").read_bytes() + b"and more")
        told = json.loads(mist("encode", source, "-o", store, "--json").stdout)
        self.assertEqual((told["items"], told["attachments"], told["failed"]), (len(images) + 2, len(kept), 0), told)
        for options in ((), ("--format", "npy")):
            mist("get", store / "arrays", "-o", out, *options)
            for path in source.iterdir():
                self.assertEqual((out / path.name).read_bytes(), path.read_bytes(), (path.name, options))
        small = self.at / "small"
        mist("get", store / "arrays", "-o", small, "--reduce", "1")
        for name, array in (images | {"trailing": images["color"]}).items():
            got = numpy.load(small / (name + ".npy"))
            height = 0 if name == "fortran" else array.ndim - 2 - (array.shape[-1] == 3)
            expected = list(array.shape)
            levels = json.loads(mist("info", store / "arrays/items" / (name + ".npy.mist"), "--json").stdout)["levels"]
            if levels > 1:
                expected[height] = -(-expected[height] // 2)
                expected[height + 1] = -(-expected[height + 1] // 2)
            self.assertEqual((got.shape, got.dtype), (tuple(expected), array.dtype), name)
            self.assertEqual(got.flags.f_contiguous, name == "fortran", name)
            if name == "mask":
                numpy.testing.assert_array_equal(got, array[::2, ::2])
        mist("get", store / "arrays", "-o", self.at / "nifti", "--format", "nii.gz", "--include", "UPPER.NPY")
        self.assertEqual([path.name for path in (self.at / "nifti").glob("*.*z")], ["UPPER.nii.gz"])
        mist("verify", store)

    def test_a_complex_array_is_named(self):
        source = self.at / "arrays"
        source.mkdir()
        numpy.save(source / "wave.npy", numpy.zeros((40, 50), "c8"))
        done = mist("encode", source, "-o", self.at / "store", status=1)
        self.assertIn("<c8", done.stderr)
        self.assertIn("wave.npy", done.stderr)


unittest.main()
