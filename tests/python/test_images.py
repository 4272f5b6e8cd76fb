"""Images, judged by nibabel, PIL, pydicom and numpy: full size against the originals, reduced ones against every n-th
sample of label maps and against the files that `mist get` writes; slices, proxies, threads, forks, pickles."""
import concurrent.futures
import gzip
import io
import multiprocessing
import os
import pathlib
import pickle
import subprocess
import tempfile
import unittest

import nibabel
import numpy
import PIL.Image
import pydicom

import made
from made import pymist
from servers import EXAMPLES, Counting, Serve

CT = "ct-angiography/images/CT_AVM.nii.gz"
PD = "mr-head/images/chris_PD.nii.gz"


def stored(path):
    """A NIfTI file's samples as they are stored."""
    return numpy.asanyarray(nibabel.load(path).dataobj.get_unscaled())


def series(folder):
    """The slices of the example CT, in space, and their heights."""
    slices = sorted((pydicom.dcmread(path) for path in folder.iterdir()), key=lambda s: s.ImagePositionPatient[2])
    return slices


class Full(made.Case):
    def test_nifti(self):
        for path in (CT, PD, "mr-brain/labels/hippocampus_001.nii.gz"):
            image = pymist.open((made.examples(), path))
            judge = nibabel.load(EXAMPLES / path)
            self.same(image.read(), stored(EXAMPLES / path))
            numpy.testing.assert_allclose(image.affine, judge.affine, atol=1e-5)
            numpy.testing.assert_allclose(image.spacing, judge.header.get_zooms()[:3], rtol=1e-6)
            numpy.testing.assert_allclose(image.values(), judge.get_fdata())
            with gzip.open(EXAMPLES / path) as file:
                self.assertEqual(image.source_header(), file.read(len(image.source_header())))
                self.assertEqual(len(image.source_header()), judge.dataobj.offset)

    def test_scaled_and_more_axes(self):
        for path in ("mr/scaled.nii.gz", "mr/series.nii", "mr/plane.nii"):
            image = pymist.open((made.kinds(), path))
            judge = nibabel.load(made.kinds_source() / path)
            self.same(image.read(), stored(made.kinds_source() / path))
            numpy.testing.assert_array_equal(image.values(), judge.get_fdata().astype(image.values().dtype))
            self.assertEqual(image.shape, judge.shape)

    def test_lossy_jpeg_2000(self):
        """Its full size is the source's own codestream; ours and OpenJPH's floats round a value differently at most by one."""
        with tempfile.TemporaryDirectory() as work:
            work = pathlib.Path(work)
            ramp = numpy.add.outer(numpy.arange(150), 3 * numpy.arange(200)) % 251
            PIL.Image.fromarray(ramp.astype(numpy.uint8)).save(work / "in.pgm")
            (work / "source").mkdir()
            for command in ("ojph_compress -i in.pgm -o source/lossy.j2c -reversible false -qstep 0.005",
                            "ojph_expand -i source/lossy.j2c -o out.pgm", f"{os.environ['MIST_PROGRAM']} encode source -o store --dataset d -q",
                            f"{os.environ['MIST_PROGRAM']} decode store/d/items/lossy.j2c.mist --format png -o png"):
                subprocess.run(command.split(), cwd=work, check=True, capture_output=True)
            found = pymist.open(work / "store/d/items/lossy.j2c.mist").read()
            judge = numpy.asarray(PIL.Image.open(work / "out.pgm")).astype(int)
            self.assertLessEqual(abs(found.reshape(judge.shape).astype(int) - judge).max(), 1)
            self.same(found.reshape(judge.shape), numpy.asarray(PIL.Image.open(next((work / "png").rglob("*.png")))))
            self.assertGreater(abs(judge - ramp).max(), 0)

    def test_dicom(self):
        slices = series(EXAMPLES / "ct-head")
        dataset = pymist.Dataset(made.examples(), include="ct-head")
        self.assertEqual(len(dataset), 1)
        image = dataset[0]
        pixels = numpy.stack([s.pixel_array.T for s in slices], -1)
        array = image.read()
        # The series may run upwards or downwards; its affine says which.
        if image.affine[2, 2] < 0:
            pixels, slices = pixels[..., ::-1], slices[::-1]
        self.same(array, pixels)
        units = numpy.stack([s.pixel_array.T * float(s.RescaleSlope) + float(s.RescaleIntercept) for s in slices], -1)
        numpy.testing.assert_array_equal(image.values(), units)
        for k, s in enumerate(slices):  # the affine is where DICOM says, in RAS
            place = image.affine @ [0, 0, k, 1]
            numpy.testing.assert_allclose(place[:3], numpy.array(s.ImagePositionPatient, float) * [-1, -1, 1],
                                          atol=1e-3)

    def test_dicom_of_many_slopes(self):
        """Every second slice has the slope of its own instance."""
        root, slopes = made.base() / "slopes", {}
        root.mkdir()
        of = series(EXAMPLES / "ct-head")
        for k in range(70):
            one = of[k % len(of)]
            one.ImagePositionPatient[2], one.InstanceNumber = 2 * k, k + 1
            one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = f"1.2.826.0.1.3680043.8.498.70.{k}"
            one.RescaleSlope, one.RescaleIntercept = 1 + k % 7, k
            slopes[k] = 1 + k % 7, k
            one.save_as(root / f"{k:03}.dcm")
        for reduce in ((0, 0), (0, 1)):
            image = pymist.Dataset(made.store("slopes", root), reduce=reduce)[0]
            array, values = image.read(), image.values()
            ks = list(range(len(slopes)))[::1 if image.affine[2, 2] > 0 else -1][::1 << reduce[1]]
            self.assertEqual(array.shape[2], len(ks))
            for place, k in enumerate(ks):
                slope, intercept = slopes[k]
                numpy.testing.assert_array_equal(values[..., place], array[..., place].astype("f8") * slope + intercept)

    def test_pictures(self):
        for path in ("pictures/colour.png", "pictures/deep.png"):
            self.same(pymist.open((made.kinds(), path)).read(),
                      numpy.asarray(PIL.Image.open(made.kinds_source() / path)).astype(
                          "u2" if "deep" in path else "u1"))
        self.same(pymist.open((made.kinds(), "pictures/many.npy")).read(),
                  numpy.load(made.kinds_source() / "pictures/many.npy"))


class Reduced(made.Case):
    def test_label_maps_are_every_nth_sample(self):
        for dataset, path, source in ((made.examples(), CT.replace("images", "labels"), EXAMPLES),
                                      (made.kinds(), "labels/scaled.nii.gz", made.kinds_source())):
            full = stored(source / path)
            levels = pymist.open((dataset, path)).levels
            self.assertGreater(levels, 1 + (source is EXAMPLES))
            for r in range(1, levels):
                image = pymist.open((dataset, path), reduce=r)
                self.assertTrue(image.label)
                self.same(image.read(), full[::1 << r, ::1 << r])
                numpy.testing.assert_allclose(
                    image.affine, nibabel.load(source / path).affine @ numpy.diag([1 << r, 1 << r, 1, 1]), atol=1e-4)
            image = pymist.open((dataset, path), reduce=(1, 1))
            self.same(image.read(), full[::2, ::2, ::2])

    def compare(self, dataset, path, read, options, **selection):
        file = made.got(dataset, *options) / path
        image = pymist.open((dataset, path), **selection)
        judged, affine = read(file)
        self.same(image.read(), judged)
        if affine is not None:
            numpy.testing.assert_allclose(image.affine, affine, atol=1e-3)

    def test_as_mist_get_writes_them(self):
        def nifti(path):
            return stored(path), nibabel.load(path).affine

        def picture(path):
            array = numpy.asarray(PIL.Image.open(path))
            return array.astype("u2") if array.dtype.kind == "i" else array, None

        selections = [(("--size", 32), {"size": 32}), (("--reduce", 1), {"reduce": 1}),
                      (("--size", 30, "--exact"), {"size": 30, "exact": True}),
                      (("--spacing", 4), {"spacing": 4}),
                      (("--reduce", "1,1", "--grid", "center"), {"reduce": (1, 1), "grid": "center"})]
        for options, selection in selections:
            for path in ("mr/scaled.nii.gz", "mr/series.nii", "labels/scaled.nii.gz"):
                if path == "mr/series.nii" and "1,1" in options:
                    continue  # so few slices have no steps
                with self.subTest(path=path, options=options):
                    self.compare(made.kinds(), path, nifti, options, **selection)
        for options, selection in selections[:3]:
            for path in ("pictures/colour.png", "pictures/deep.png"):
                with self.subTest(path=path, options=options):
                    self.compare(made.kinds(), path, picture, options, **selection)

    def test_no_level_is_replaced_by_another(self):
        about = pymist.open((made.kinds(), "mr/scaled.nii.gz"))._held.row
        for reduce in (7, (0, 9), about.levels, (0, about.steps + 1)):
            self.fails("range", "this image has 0 to", pymist.open, (made.kinds(), "mr/scaled.nii.gz"), reduce=reduce)
            image = pymist.open((made.kinds(), "mr/scaled.nii.gz"))
            self.fails("range", "this image has 0 to", image.at, reduce=reduce)
            self.fails("range", "this image has 0 to", image.upgrade, reduce)
            with self.assertWarnsRegex(UserWarning, "images have no level"):
                pymist.Dataset(made.kinds(), reduce=reduce)
            with self.assertWarnsRegex(UserWarning, "images have no level"):
                pymist.Dataset(made.kinds()).at(reduce=reduce)

    def test_exact_sizes(self):
        image = pymist.open((made.kinds(), "mr/scaled.nii.gz"), size=(40, 51, 12), exact=True)
        self.assertEqual(image.shape, (40, 51, 12))
        self.assertEqual(image.read().shape, (40, 51, 12))
        label = pymist.open((made.kinds(), "labels/scaled.nii.gz"), size=(40, 51, 12), exact=True)
        self.assertEqual(set(numpy.unique(label.read())), {0, 3})
        numpy.testing.assert_allclose(label.affine, image.affine)

    def test_max_bytes(self):
        image = pymist.open((made.examples(), CT), max_bytes=200000)
        self.assertLess(image.fetch_bytes(), 200001)
        self.assertGreater(image.fetch_bytes(reduce=image.reduce - 1), 200000)
        self.fails("limit", "more than the 100 allowed", pymist.open, (made.examples(), CT), max_bytes=100)

    def test_upgrade_fetches_the_rest_only(self):
        image = pymist.open((made.examples(), PD), size=64)
        image.read()
        before, total = image.fetched_bytes, image.fetch_bytes(reduce=0)
        self.assertLess(before, total / 4)
        full = image.upgrade()
        self.assertEqual(full.fetched_bytes, total)
        self.same(full.read(), stored(EXAMPLES / PD))


class Slices(made.Case):
    KEYS = [numpy.s_[..., 3], numpy.s_[:, :, 2:9:3], numpy.s_[5], numpy.s_[1:20, -4, ::-2], numpy.s_[..., -1],
            numpy.s_[:, None, 4], numpy.s_[..., 5:5], numpy.s_[0, 0, 0], numpy.s_[:, :, [1, 5, 2]]]

    def test_as_numpy_does(self):
        for path, selection in (("mr/scaled.nii.gz", {}), ("mr/series.nii", {"reduce": 1}),
                                ("labels/scaled.nii.gz", {"reduce": (1, 1)}), ("pictures/many.npy", {}),
                                ("mr/scaled.nii.gz", {"size": 24, "exact": True}), ("pictures/colour.png", {})):
            image = pymist.open((made.kinds(), path), **selection)
            array = image.read()
            for key in self.KEYS:
                with self.subTest(path=path, key=key):
                    try:
                        wanted = array[key]
                    except IndexError:
                        with self.assertRaises(IndexError):
                            image[key]
                        continue
                    self.same(image[key], wanted)

    def test_slices_between_others(self):
        """Of an exact depth a slice takes two of the stored ones: both are fetched."""
        image = pymist.open((made.kinds(), "mr/scaled.nii.gz"), size=(40, 51, 33), exact=True)
        array = image.read()
        for k in range(0, 33, 4):
            fresh = pymist.open((made.kinds(), "mr/scaled.nii.gz"), size=(40, 51, 33), exact=True)
            self.same(fresh[:, :, k], array[:, :, k])

    def test_only_needed_frames_are_fetched(self):
        image = pymist.open((made.examples(), CT))
        image[:, :, 20]
        self.assertLess(image.fetched_bytes, image.fetch_bytes() / 20)
        proxy = pymist.open((made.kinds(), "mr/scaled.nii.gz")).dataobj
        numpy.testing.assert_array_equal(
            proxy[..., 4], nibabel.load(made.kinds_source() / "mr/scaled.nii.gz").dataobj[..., 4])

    def test_outside(self):
        image = pymist.open((made.examples(), PD))
        for key in (10000, -10000, (0, 0, 0, 0), (slice(None), 5000)):
            with self.assertRaises(IndexError):
                image[key]


class Arrays(made.Case):
    def test_out(self):
        image = pymist.open((made.kinds(), "mr/scaled.nii.gz"))
        wanted = image.read()
        for out in (numpy.empty(image.shape, "i2"), numpy.empty(image.shape, "i2", order="F"),
                    numpy.empty(image.shape, "f4"), numpy.empty(tuple(2 * n for n in image.shape), "i2")[::2, ::2, ::2],
                    numpy.empty(image.shape[::-1], "i2").T[::-1]):
            self.assertIs(image.read(out=out), out)
            numpy.testing.assert_array_equal(out, wanted)
        frozen = numpy.empty(image.shape, "i2")
        frozen.flags.writeable = False
        for out in (numpy.empty((3, 3), "i2"), [1], frozen):
            self.fails("argument", "out", image.read, out=out)

    def test_dtype(self):
        image = pymist.open((made.kinds(), "mr/scaled.nii.gz"))
        self.assertEqual(image.read(dtype="f4").dtype, numpy.float32)
        self.assertEqual(numpy.asarray(image, "f8").dtype, numpy.float64)
        self.assertEqual(image.values("f4").dtype, numpy.float32)

    def test_nibabel(self):
        import pymist.nibabel
        made_image = pymist.nibabel.load((made.kinds(), "mr/scaled.nii.gz"), reduce=1)
        self.assertTrue(nibabel.is_proxy(made_image.dataobj))
        path = tempfile.mkdtemp(dir=made.base()) + "/x.nii.gz"
        nibabel.save(made_image, path)
        judge = nibabel.load(made.got(made.kinds(), "--reduce", 1) / "mr/scaled.nii.gz")
        numpy.testing.assert_allclose(nibabel.load(path).get_fdata(), judge.get_fdata(), atol=1e-4)
        numpy.testing.assert_allclose(nibabel.load(path).affine, judge.affine, atol=1e-4)
        self.fails(None, "NIfTI", pymist.nibabel.load, (made.kinds(), "pictures/deep.png"))


class Places(made.Case):
    """Wherever the bytes come from, they are the same."""

    def test_all(self):
        path = made.examples() / "items" / (PD + ".mist")
        wanted = pymist.open(path, size=64).read()
        with open(path, "rb") as file:
            self.same(pymist.open(file, size=64).read(), wanted)
        data = path.read_bytes()
        self.same(pymist.open(data, size=64).read(), wanted)
        self.same(pymist.open(io.BytesIO(data), size=64).read(), wanted)
        self.same(pymist.open(path.as_uri(), size=64).read(), wanted)
        image = pymist.open(path, size=64)
        prefix = data[:image.fetch_bytes()]  # an item's prefix is an image, too
        self.same(pymist.open(prefix, size=64).read(), wanted)
        self.fails("truncated", "memory", pymist.open(prefix).read)
        for server in (Serve(made.examples().parent), Counting(made.examples().parent)):
            try:
                self.same(pymist.open((f"{server.url}/examples", PD), size=64).read(), wanted)
                self.same(pymist.open(f"{server.url}/examples/items/{PD}.mist", size=64).read(), wanted)
            finally:
                server.stop()

    def test_bytes_over_http(self):
        server = Counting(made.examples().parent)
        try:
            image = pymist.open((f"{server.url}/examples", CT), size=64)
            self.assertLess(server.body_bytes(), 1000)
            image.read()
            self.assertEqual(server.body_bytes(), image.fetch_bytes())
            self.assertTrue(all(headers.get("Accept-Encoding") == "identity" for _, headers in server.headers))
        finally:
            server.stop()


def sums(image):
    return int(numpy.asarray(image).astype("i8").sum())


class Processes(made.Case):
    def test_pickle(self):
        for image in (pymist.open((made.examples(), CT), size=64), pymist.open(made.examples() / "items" / (PD + ".mist")),
                      pymist.open((made.kinds(), "mr/scaled.nii.gz"), size=30, exact=True)):
            again = pickle.loads(pickle.dumps(image))
            self.same(again.read(), image.read())
            self.assertEqual((again.shape, again.path, again.selection), (image.shape, image.path, image.selection))
        with open(made.examples() / "items" / (PD + ".mist"), "rb") as file:
            self.fails(None, "pickled", pickle.dumps, pymist.open(file))

    def test_fork_and_spawn(self):
        server = Serve(made.examples().parent)
        try:
            image = pymist.open((f"{server.url}/examples", CT), size=64)
            total = sums(image)  # the connection, the decoder and the threads are there when the processes begin
            images = [pymist.open((f"{server.url}/examples", CT), size=64), image]
            for method in ("fork", "spawn"):
                with multiprocessing.get_context(method).Pool(2) as pool:
                    self.assertEqual(pool.map_async(sums, images * 2).get(60), [total] * 4)
        finally:
            server.stop()

    def test_fork_behind_threads(self):
        """A child has none of its parent's threads, and makes its own."""
        place = (made.kinds(), "mr/scaled.nii.gz")
        total = sums(pymist.open(place))
        with multiprocessing.get_context("fork").Pool(1) as pool:
            self.assertEqual(pool.map_async(sums, [pymist.open(place)]).get(60), [total])

    def test_threads(self):
        image = pymist.open((made.examples(), CT))
        total = sums(image)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            fresh = pymist.open((made.examples(), CT))
            self.assertEqual(set(pool.map(sums, [image, fresh] * 8)), {total})
            wanted = image.read()
            for k, part in zip(range(60), pool.map(lambda k: fresh[:, :, k], range(60))):
                self.same(part, wanted[:, :, k])


if __name__ == "__main__":
    unittest.main()
