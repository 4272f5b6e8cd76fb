"""Arrays read from a dataset, without files: as mist get writes them, from a host, a static server, callbacks."""
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import nibabel
import numpy

from servers import EXAMPLES, Counting, Serve, mist

TYPES = {"u8": "u1", "s8": "i1", "u16": "<u2", "s16": "<i2", "u32": "<u4", "s32": "<i4", "f32": "<f4", "f64": "<f8"}


class Datasets(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.base = pathlib.Path(tempfile.mkdtemp(prefix="mist-dataset-"))
        shutil.copytree(EXAMPLES, cls.base / "source")
        (cls.base / "source/labels").mkdir()
        x, y, z = numpy.meshgrid(*map(numpy.arange, (128, 130, 36)), indexing="ij")
        for name, values in (("labels/ball", (x - 60) ** 2 + (y - 60) ** 2 + 9 * (z - 18) ** 2 < 2000),
                             ("thin", x * 3 + y + z * z), ("ramp", x * 3 + y + z * 4)):
            nibabel.save(nibabel.Nifti1Image(values.astype(numpy.int16), numpy.diag([1, 1.5, 2, 1])),
                         cls.base / "source" / (name + ".nii.gz"))
        mist("encode", cls.base / "source", "-o", cls.base / "store", "--dataset", "ex")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.base)

    def read(self, place, reduce, step, first=0, count=0, how=None):
        out = self.base / "arrays"
        out.mkdir(exist_ok=True)
        told = subprocess.run([os.environ["DATASET_TOOL"], place, str(reduce), str(step), str(first), str(count), out,
                               *[how] * bool(how)], capture_output=True, text=True, timeout=120)
        self.assertEqual((told.returncode, told.stderr), (0, ""))
        arrays = {}
        for number, line in enumerate(told.stdout.splitlines()):
            path, kind, width, height, components, start, frames, *affine = line.split("\t")
            samples = numpy.fromfile(out / f"{number}.raw", TYPES[kind])
            arrays[path] = (samples.reshape(int(frames), int(height), int(width), int(components)), int(start),
                            numpy.array(affine[:12], float).reshape(3, 4), [int(axis) for axis in affine[12:]])
        return arrays

    def written(self, path, reduce, step, how=None):
        """The same by mist get, as one array of frames; and the NIfTI file's affine."""
        out = self.base / f"get-{reduce}-{step}-{how}"
        size = ["--reduce", f"{reduce},{step}"]
        if how == "center":
            size += ["--grid", "center"]
        elif how:
            size = ["--exact", "--size", how]
        if not out.exists():
            mist("get", self.base / "store/ex", "-o", out, *size, "--include", "*.nii.gz", "--include", "*.png")
            mist("get", self.base / "store/ex", "-o", out / "npy", *size, "--format", "npy", "--include", "*.nii.gz",
                 "--include", "*.png")
        name = path[:-7] if path.endswith(".nii.gz") else path[:-4] if path.endswith(".png") else None
        if name is None:  # a series
            return None, None
        affine = nibabel.load(out / path).affine[:3] if path.endswith(".nii.gz") else None
        return numpy.load(out / "npy" / (name + ".npy")), affine

    def compare(self, place, reduce, step, first=0, count=0, how=None):
        compared = 0
        for path, (samples, start, affine, axes) in self.read(place, reduce, step, first, count, how).items():
            expected, right = self.written(path, reduce, step, how)
            if expected is None:
                continue
            expected = expected.reshape(-1, *samples.shape[1:])[start:start + len(samples)]
            numpy.testing.assert_array_equal(samples, expected, path)
            if right is not None:
                numpy.testing.assert_allclose(affine, right[:, [*axes, 3]], atol=1e-4, err_msg=path)
            compared += 1
        self.assertGreater(compared, 5)

    def test_everywhere_at_every_size(self):
        serve, static = Serve(self.base / "store"), Counting(self.base / "store")
        self.addCleanup(serve.stop)
        self.addCleanup(static.stop)
        places = [f"{serve.url}/ex", f"{static.url}/ex", str(self.base / "store/ex"),
                  f"directory:{self.base}/store/ex"]
        for reduce, step in ((0, 0), (1, 0), (2, 1), (9, 9)):
            for place in places:
                self.compare(place, reduce, step)

    def test_some_frames(self):
        """Less is fetched for them."""
        static = Counting(self.base / "store")
        self.addCleanup(static.stop)
        self.compare(f"{static.url}/ex", 1, 1, 3, 2)
        some = static.body_bytes()
        static.reset()
        self.compare(f"{static.url}/ex", 1, 1)
        self.assertLess(some, static.body_bytes() * 0.7)

    def test_other_grids(self):
        """The centred grid, exact sizes in-plane and along all axes: as mist get writes them."""
        static = Counting(self.base / "store")
        self.addCleanup(static.stop)
        for reduce, how in ((1, "center"), (0, "100x70"), (0, "64x50x20"), (0, "150x140x50")):
            with self.subTest(how=how):
                self.compare(f"{static.url}/ex", reduce, 0, how=how)
        static.reset()
        self.compare(f"{static.url}/ex", 0, 0, 3, 2, how="64x50x20")
        some = static.body_bytes()
        static.reset()
        self.compare(f"{static.url}/ex", 0, 0, how="64x50x20")
        self.assertLess(some, static.body_bytes() * 0.7)

    def test_an_exact_size_is_right(self):
        """Of a volume of which all interpolated values are known: a sum of lines along the axes."""
        samples, _, affine, _ = self.read(str(self.base / "store/ex"), 0, 0, how="128x130x18")["ramp.nii.gz"]
        x, y, z = numpy.meshgrid(*map(numpy.arange, (128, 130, 18)), indexing="ij")
        wanted = numpy.round(x * 3 + y + 4 * (2 * z + 0.5)).transpose(2, 1, 0)
        numpy.testing.assert_array_equal(samples[..., 0], wanted)
        numpy.testing.assert_allclose(affine, [[1, 0, 0, 0], [0, 1.5, 0, 0], [0, 0, 4, 1]])

    def test_a_wrong_exact_size_is_named(self):
        told = subprocess.run([os.environ["DATASET_TOOL"], self.base / "store/ex", "0", "0", "0", "0", self.base,
                               "0x4"], capture_output=True, text=True, timeout=60)
        self.assertEqual((told.returncode, told.stderr), (1, "an exact size needs a size, of sides up to 65535\n"))

    def test_damage_is_found(self):
        store = self.base / "damaged"
        shutil.copytree(self.base / "store/ex", store)
        item = store / "items/thin.nii.gz.mist"
        data = bytearray(item.read_bytes())
        data[len(data) * 2 // 3] ^= 1
        item.write_bytes(data)
        told = subprocess.run([os.environ["DATASET_TOOL"], store, "0", "0", "0", "0", self.base], capture_output=True,
                              text=True, timeout=60)
        self.assertEqual(told.returncode, 1)
        self.assertIn("thin.nii.gz: bytes", told.stderr)


if __name__ == "__main__":
    unittest.main()
