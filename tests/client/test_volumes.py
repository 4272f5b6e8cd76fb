"""Volumes reduced on all axes: what comes is judged by nibabel and pydicom, what is sent by a server that counts."""
import json
import pathlib
import shutil
import sys
import tempfile
import unittest

import nibabel
import numpy
import pydicom

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "format"))
import dicom_cases
from datasets import read_catalog
from servers import EXAMPLES, Counting, mist

SHAPE = (70, 66, 40)
AFFINE = numpy.array([[-0.5, 0, 0, 30], [0, 0.6, 0.1, -20], [0, -0.1, 2, 5], [0, 0, 0, 1]])


def volume():
    x, y, z = numpy.meshgrid(*map(numpy.arange, SHAPE), indexing="ij")
    noise = numpy.random.default_rng(1).integers(0, 40, SHAPE)
    return (1000 + 400 * numpy.sin(x / 9) + 300 * numpy.cos(y / 7) + 20 * z + noise).astype(numpy.int16)


def labels():
    x, y, z = numpy.meshgrid(*map(numpy.arange, SHAPE), indexing="ij")
    return (((x - 30) ** 2 + (y - 33) ** 2 + 4 * (z - 20) ** 2 < 500) * 2 + (x > 50)).astype(numpy.uint8)


class Volumes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.base = pathlib.Path(tempfile.mkdtemp(prefix="mist-volumes-"))
        for name, samples in (("images", volume()), ("labels", labels())):
            (cls.base / "source" / name).mkdir(parents=True)
            nibabel.save(nibabel.Nifti1Image(samples, AFFINE), cls.base / "source" / name / "a.nii.gz")
        mist("encode", cls.base / "source", "-o", cls.base / "store", "--dataset", "v")
        cls.dataset = cls.base / "store" / "v"
        cls.items = {item["path"]: item for item in read_catalog(cls.dataset)}

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.base)

    def setUp(self):
        self.out = self.base / "out"

    def tearDown(self):
        for path in self.base.glob("out*"):
            shutil.rmtree(path)

    def get(self, *arguments, url=None, out=None):
        result = mist("get", url or self.dataset, "-o", out or self.out, "--json", *arguments)
        return json.loads(result.stdout)

    def load(self, kind, out=None):
        return nibabel.load((out or self.out) / kind / "a.nii.gz")

    def test_reduce_and_step(self):
        self.get("--reduce", "1,1")
        label = self.load("labels")
        numpy.testing.assert_array_equal(numpy.asanyarray(label.dataobj), labels()[::2, ::2, ::2])
        self.assertEqual(label.header.get_zooms(), self.load("images").header.get_zooms())
        in_plane = self.base / "out-plane"
        self.get("--reduce", "1", out=in_plane)
        image = self.load("images")
        expected = numpy.asanyarray(self.load("images", in_plane).dataobj)[:, :, ::2]
        numpy.testing.assert_array_equal(numpy.asanyarray(image.dataobj), expected)
        for made in (image, label):
            numpy.testing.assert_allclose(made.affine, AFFINE @ numpy.diag([2, 2, 2, 1]), atol=1e-5)
            numpy.testing.assert_allclose(made.header.get_zooms(),
                                          2 * numpy.sqrt((AFFINE[:3, :3] ** 2).sum(0)), rtol=1e-5)

    def test_sizes_choose(self):
        shapes = {("--size", "35x33x20"): (35, 33, 20), ("--size", "35x33x40"): (35, 33, 40), ("--size", "33"): (35, 33, 40),
                  ("--size", "70x66x20"): (70, 66, 20), ("--spacing", "1.2x1.2x4"): (35, 33, 20),
                  ("--spacing", "2"): (35, 33, 40), ("--reduce", "0,1"): (70, 66, 20)}
        for number, (asked, shape) in enumerate(shapes.items()):
            out = self.base / f"out-{number}"
            self.get(*asked, out=out)
            for kind in "images", "labels":
                self.assertEqual(self.load(kind, out).shape, shape, asked)
            if shape[2] == 20 and shape[0] == 70:
                numpy.testing.assert_array_equal(numpy.asanyarray(self.load("images", out).dataobj), volume()[:, :, ::2])

    def test_full_after_reduced_is_the_original(self):
        """Upgrading fetches what is missing only, and in the end all bytes have come once."""
        together = 0
        for asked in ("1,1", "1,0", "0,1", "0,0"):
            plan = self.get("--reduce", asked, "--dry-run")
            done = self.get("--reduce", asked)
            self.assertEqual(plan["planned_bytes"], done["fetched_bytes"])
            together += done["fetched_bytes"]
        self.assertEqual(together, sum(item["size"] for item in self.items.values()))
        numpy.testing.assert_array_equal(numpy.asanyarray(self.load("images").dataobj), volume())
        self.assertEqual(self.get("--reduce", "1,1")["fetched_bytes"], 0)

    @staticmethod
    def requests(server):
        return [headers["Range"] for path, headers in server.headers if "items/" in path]

    def test_few_ranges(self):
        server = Counting(self.base / "store")
        try:
            self.get("--reduce", "1,1", "--include", "images/*", url=f"{server.url}/v")
            levels = self.items["images/a.nii.gz"]["levels"]
            requests = self.requests(server)
            self.assertEqual(len(requests), levels - 1, requests)
            self.get("--reduce", "0,1", "--include", "images/*", url=f"{server.url}/v")
            self.assertEqual(len(self.requests(server)), levels)
            bytes_sent = server.body_bytes()
            self.assertEqual(bytes_sent, self.get("--reduce", "0,1", "--include", "images/*", "--dry-run",
                                                  out=self.base / "out-none")["planned_bytes"])
        finally:
            server.stop()

    def test_exact(self):
        self.get("--size", "32x30x25", "--exact")
        image, label = self.load("images"), self.load("labels")
        self.assertEqual((image.shape, label.shape), ((32, 30, 25), (32, 30, 25)))
        factors = numpy.array(SHAPE) / (32, 30, 25)
        affine = AFFINE @ numpy.diag([*factors, 1])
        affine[:3, 3] += AFFINE[:3, :3] @ ((factors - 1) / 2)
        for made in (image, label):
            numpy.testing.assert_allclose(made.affine, affine, atol=1e-4)
        # Labels: the sample in whose area the centre of the new one lies.
        at = [((2 * numpy.arange(new) + 1) * old) // (2 * new) for new, old in zip((32, 30, 25), SHAPE)]
        numpy.testing.assert_array_equal(numpy.asanyarray(label.dataobj), labels()[numpy.ix_(*at)])

    def test_exact_along_slices_is_linear(self):
        """Only the third axis changes: each slice lies between two of the original."""
        self.get("--size", "70x66x25", "--exact", "--include", "images/*", "--policy", "at-least")
        made = numpy.asanyarray(self.load("images").dataobj).astype(float)
        full = volume().astype(float)
        for n in range(25):
            at = min(max((n + 0.5) * 40 / 25 - 0.5, 0), 39)
            low = int(at)
            expected = full[:, :, low] * (1 - at + low) + full[:, :, min(low + 1, 39)] * (at - low)
            numpy.testing.assert_allclose(made[:, :, n], expected, atol=0.5001)

    def test_slices_between_files(self):
        """A series has a file a slice: others between them are refused before anything is fetched, but in one file."""
        folder = self.base / "series" / "s"
        folder.mkdir(parents=True)
        dicom_cases.stack(folder, count=6, rows=128, columns=128)
        mist("encode", self.base / "series", "-o", self.base / "store", "--dataset", "series", "--quiet")
        for options in ([], ["--format", "png"], ["--dry-run"]):
            result = mist("get", self.base / "store" / "series", "-o", self.out, "--exact", "--size", "64x64x9", "--json",
                          *options, check=1)
            self.assertRegex(result.stderr, "nothing of it is fetched: slices that lie between .* nii.gz or npy")
            self.assertEqual(json.loads(result.stdout)["planned_bytes"], 0)
            self.assertEqual(list(self.out.rglob("*.dcm")) + list(self.out.rglob("*.png")), [])
        mist("get", self.base / "store" / "series", "-o", self.out, "--exact", "--size", "64x64x9", "--format", "nii")
        self.assertEqual(nibabel.load(next(self.out.rglob("*.nii"))).shape, (64, 64, 9))

    def test_decode_does_the_same(self):
        self.get("--reduce", "1,1")
        item = self.dataset / "items" / "images" / "a.nii.gz.mist"
        mist("decode", item, "-o", self.base / "out-decode", "--reduce", "1,1")
        self.assertEqual((self.base / "out-decode" / "images" / "a.nii.gz").read_bytes(),
                         (self.out / "images" / "a.nii.gz").read_bytes())

    def test_npy_and_png(self):
        self.get("--reduce", "0,1", "--format", "npy", "--include", "images/*")
        numpy.testing.assert_array_equal(numpy.load(self.out / "images" / "a.npy"),
                                         volume()[:, :, ::2].transpose(2, 1, 0))
        self.get("--reduce", "1,1", "--format", "png", "--include", "images/*")
        self.assertEqual(len(list((self.out / "images").glob("*.png"))), 20)


class Series(unittest.TestCase):
    """A DICOM series at every second slice has fewer instances, each at its place."""
    SLICES = 35

    def setUp(self):
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="mist-series-"))
        (self.base / "ct").mkdir()
        one = pydicom.dcmread(EXAMPLES / "ct-head" / "I200")
        start = [float(v) for v in one.ImagePositionPatient]
        normal = numpy.cross(one.ImageOrientationPatient[:3], one.ImageOrientationPatient[3:])
        one.SpacingBetweenSlices = "1.25"
        for n in range(self.SLICES):
            one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{n + 1}"
            one.InstanceNumber = n + 1
            one.ImagePositionPatient = [round(float(v), 4) for v in start + 1.25 * n * normal]
            one.save_as(self.base / "ct" / f"I{n:03}")
        mist("encode", self.base / "ct", "-o", self.base / "store", "--dataset", "ct")

    def tearDown(self):
        shutil.rmtree(self.base)

    def instances(self, *arguments):
        out = self.base / "-".join(arguments)
        mist("get", self.base / "store" / "ct", "-o", out, *arguments)
        return {str(path.relative_to(out)): pydicom.dcmread(path) for path in sorted(out.rglob("I*"))
                if path.is_file() and ".mist" not in path.relative_to(out).parts and "." not in path.name}

    def test_fewer_instances(self):
        item = read_catalog(self.base / "store" / "ct")[0]
        self.assertEqual((item["slices"], item["steps"]), (self.SLICES, 1))
        all_of_them = self.instances("--reduce", "1")
        made = self.instances("--reduce", "1,1")
        self.assertEqual(len(made), (self.SLICES + 1) // 2)
        self.assertEqual(len(all_of_them), self.SLICES)
        names = sorted(all_of_them)
        self.assertIn(sorted(made), (names[::2], names[::-1][::2][::-1]))
        for name, one in made.items():
            full = all_of_them[name]
            self.assertEqual(one.ImagePositionPatient, full.ImagePositionPatient)
            numpy.testing.assert_array_equal(one.pixel_array, full.pixel_array)
            self.assertEqual((one.SliceThickness, float(one.SpacingBetweenSlices)), (full.SliceThickness, 2.5))
            self.assertEqual(float(full.SpacingBetweenSlices), 1.25)

    def test_nifti_of_it(self):
        self.instances("--reduce", "1,1", "--format", "nii.gz")
        made = nibabel.load(next((self.base / "--reduce-1,1---format-nii.gz").rglob("*.nii.gz")))
        self.assertEqual(made.shape[2], (self.SLICES + 1) // 2)
        self.assertAlmostEqual(float(made.header.get_zooms()[2]), 2.5, 3)


if __name__ == "__main__":
    unittest.main()
