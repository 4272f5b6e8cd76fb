"""Adapters against the real libraries, where they are here: Debian's pydicom in `make check`; MONAI, TorchIO, nnU-Net,
pydicom 3, fsspec and SimpleITK in the environment that `make check-python` makes."""
import importlib
import io
import os
import pathlib
import pickle
import shutil
import subprocess
import unittest

import nibabel
import numpy
import PIL.Image

import made
from made import pymist
from servers import EXAMPLES, MIST, Serve, mist

CT = "ct-angiography/images/CT_AVM.nii.gz"


def library(name):
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def needs(*names):
    return unittest.skipUnless(all(library(name) for name in names), f"there is no {' and '.join(names)}")


def on_path(test):
    path = os.environ["PATH"]
    os.environ["PATH"] = str(pathlib.Path(MIST).parent) + ":" + path
    test.addCleanup(os.environ.__setitem__, "PATH", path)


class Addresses(made.Case):
    def test_round_trip(self):
        for selection in ({}, {"size": 64}, {"size": (64, 32, 16), "exact": True}, {"reduce": 1},
                          {"reduce": (1, 1), "grid": "center"}, {"spacing": 2.5}, {"spacing": (1.5, 1.5, 3)},
                          {"size": 64, "policy": "at-least"}):
            asked = pymist.Selection(**selection)
            if selection:
                self.assertEqual(pymist.Selection.parse(asked.text()), asked)
            image = pymist.open((made.examples(), CT), **selection)
            self.same(pymist.open(image.address).read(), image.read())
        server = Serve(made.examples().parent)
        try:
            image = pymist.Dataset(f"{server.url}/examples", size=64)["mr-head/images/chris_PD.nii.gz"]
            self.assertTrue(image.address.startswith(server.url))
            self.same(pymist.open(image.address).read(), image.read())
        finally:
            server.stop()

    def test_wrong(self):
        address = pymist.open((made.examples(), CT)).address
        for text in ("size=0", "sizes=3", "reduce=x", "size=64&reduce=1", "exact=yes"):
            self.fails("argument", "", pymist.open, f"{address}#{text}")
        self.fails("argument", "nothing else", pymist.open, f"{address}#size=64", size=32)
        self.fails(None, "no address", lambda: pymist.open(pathlib.Path(address).read_bytes()).address)


class Codec(made.Case):
    def test_arrays(self):
        import pymist.codec as codec
        random = numpy.random.default_rng(7)
        for kind in ("u1", "i1", "u2", "i2", "u4", "i4", "f2", "f4", ">u2"):
            for shape in ((37, 50), (20, 31, 3), (1, 1), (64, 64, 4)):
                array = (random.integers(0, 100, shape) - (50 if numpy.dtype(kind).kind != "u" else 0)).astype(kind)
                self.same(codec.decode(codec.encode(array)), array)
        picture = made.smooth(90, 70).astype("i2")
        stream = codec.encode(picture, precision=12, levels=4)
        self.assertEqual(codec.info(stream)["precision"], 12)
        self.assertEqual(codec.decode(stream, reduce=2).shape, (23, 18))
        self.fails("range", "", codec.encode, picture, precision=4)
        self.fails("argument", "cannot be coded", codec.encode, numpy.zeros((2, 2, 2, 2)))
        self.fails(None, "", codec.decode, stream[:len(stream) // 2], reduce=0)
        for at in range(0, len(stream), 97):
            broken = bytearray(stream)
            broken[at] ^= 0x55
            try:
                codec.decode(broken)
            except pymist.MistError:
                pass


@needs("pydicom")
class Pydicom(made.Case):
    def setUp(self):
        import pydicom
        import pymist.pydicom
        self.pydicom, self.ours = pydicom, pymist.pydicom

    def read(self, path):
        return self.pydicom.dcmread(path)

    def test_compress_and_decode(self):
        for path in sorted((EXAMPLES / "ct-head").iterdir())[:2]:
            original = self.read(path)
            pixels = original.pixel_array.copy()
            for syntax in (self.ours.HTJ2K_LOSSLESS_RPCL, self.ours.HTJ2K_LOSSLESS):
                file = io.BytesIO()
                self.ours.compress(self.read(path), syntax).save_as(file)
                again = self.pydicom.dcmread(io.BytesIO(file.getvalue()))
                self.assertEqual(again.file_meta.TransferSyntaxUID, syntax)
                self.same(again.pixel_array, pixels)
                self.assertLess(len(again.PixelData), len(original.PixelData))
                small = self.ours.pixel_array(again, reduce=2)
                self.assertEqual(small.shape, (pixels.shape[0] // 4, pixels.shape[1] // 4))
                if shutil.which("ojph_expand"):  # OpenJPH takes the fragment as it is
                    (made.base() / "x.j2c").write_bytes(self.ours._fragments(again)[0])
                    subprocess.run(["ojph_expand", "-i", made.base() / "x.j2c", "-o", made.base() / "x.pgm"], check=True,
                                   capture_output=True)
                    told = (made.base() / "x.pgm").read_bytes()
                    self.same(numpy.frombuffer(told, ">u2", pixels.size, len(told) - 2 * pixels.size), pixels.ravel())

    def frames(self, count, colour, kind):
        shape = (count, 40, 36) + ((3,) if colour else ())
        dataset = self.read(sorted((EXAMPLES / "ct-head").iterdir())[0])
        random = numpy.random.default_rng(3)
        bits = numpy.dtype(kind).itemsize * 8
        array = random.integers(0, 200, shape).astype(kind) - (100 if kind.startswith("i") else 0)
        dataset.PixelData = array.astype(kind).tobytes()
        dataset.Rows, dataset.Columns, dataset.NumberOfFrames = 40, 36, count
        dataset.SamplesPerPixel, dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = (
            3 if colour else 1, bits, bits, bits - 1)
        dataset.PixelRepresentation = int(kind.startswith("i"))
        dataset.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
        if colour:
            dataset.PlanarConfiguration = 0
        for name in ("PixelPaddingValue", "SmallestImagePixelValue", "LargestImagePixelValue"):
            if name in dataset:
                del dataset[name]
        return dataset, array.astype(kind)

    def test_kinds(self):
        for count, colour, kind in ((1, True, "u1"), (3, True, "u1"), (4, False, "i2"), (2, False, "u1")):
            dataset, array = self.frames(count, colour, kind)
            if colour and count == 3:  # colour by plane
                dataset.PlanarConfiguration = 1
                dataset.PixelData = numpy.moveaxis(array, -1, 1).tobytes()
            file = io.BytesIO()
            self.ours.compress(dataset).save_as(file)
            again = self.pydicom.dcmread(io.BytesIO(file.getvalue()))
            self.same(again.pixel_array, array if count > 1 else array[0])
            self.assertIn("ExtendedOffsetTable", again)

    def test_fragments_are_even(self):
        odd = 0
        for seed in range(12):
            dataset, array = self.frames(3, False, "u1")
            array = numpy.random.default_rng(seed).integers(0, 9, array.shape).astype("u1")
            dataset.PixelData = array.tobytes()
            odd += sum(len(pymist.codec.encode(frame)) % 2 for frame in array)
            self.ours.compress(dataset)
            at, lengths = 8, []
            while at < len(dataset.PixelData):
                lengths.append(int.from_bytes(dataset.PixelData[at + 4:at + 8], "little"))
                at += 8 + lengths[-1]
            self.assertEqual((len(lengths), [length % 2 for length in lengths]), (3, [0, 0, 0]))
        self.assertGreater(odd, 0)

    def test_what_mist_writes(self):
        """HTJ2K files of `mist get --transfer-syntax htj2k`, read by pydicom with our plug-in."""
        out = made.got(made.examples(), "--transfer-syntax", "htj2k", "--include", "ct-head")
        originals = {self.read(path).SOPInstanceUID: self.read(path) for path in (EXAMPLES / "ct-head").iterdir()}
        found = [path for path in out.rglob("*") if path.is_file() and path.suffix not in (".csv", ".md")]
        self.assertGreaterEqual(len(found), 6)
        for path in found:
            dataset = self.read(path)
            self.same(dataset.pixel_array, originals[dataset.SOPInstanceUID].pixel_array)

    def test_wrong(self):
        dataset, _ = self.frames(2, False, "u1")
        self.fails("unsupported", "not HTJ2K", self.ours.pixel_array, dataset)
        self.fails("argument", "no lossless HTJ2K", self.ours.compress, dataset, "1.2.840.10008.1.2.4.203")
        dataset.BitsStored, dataset.HighBit = 4, 3
        self.fails("range", "", self.ours.compress, dataset)
        dataset, _ = self.frames(1, False, "u1")
        file = io.BytesIO()
        self.ours.compress(dataset).save_as(file)
        again = self.pydicom.dcmread(io.BytesIO(file.getvalue()))
        again.Rows = 41
        with self.assertRaises(Exception):
            again.pixel_array
        again.Rows = 40
        again.PixelData = again.PixelData[:60] + bytes(100) + again.PixelData[160:]
        self.fails(None, "", self.ours.pixel_array, again)


@needs("monai")
class Monai(made.Case):
    def setUp(self):
        import monai
        import pymist.monai
        self.monai, self.ours = monai, pymist.monai

    def test_as_monais_own_readers(self):
        from monai.transforms import LoadImage
        for path in ("mr/scaled.nii.gz", "mr/series.nii", "pictures/colour.png", "labels/scaled.nii.gz"):
            options = ("--size", 64, "--exact") if "series" not in path else ("--size", 64)
            file = made.got(made.kinds(), *options) / path
            judge = LoadImage(image_only=True, ensure_channel_first=True)(file)
            address = pymist.open((made.kinds(), path), size=64, exact="--exact" in options).address
            for reader in (self.ours.MistReader(), "pymist.monai.MistReader"):
                ours = LoadImage(reader=reader, image_only=True, ensure_channel_first=True)(address)
                self.same(ours.numpy(), judge.numpy())
                numpy.testing.assert_allclose(ours.affine, judge.affine, atol=1e-3)
            by_argument = LoadImage(reader=self.ours.MistReader(size=64, exact="--exact" in options), image_only=True)(
                address.partition("#")[0])
            self.assertEqual(by_argument.numel(), judge.numel())

    def test_pairs_over_http(self):
        from monai.transforms import Compose, LoadImaged, ScaleIntensityd
        server = Serve(made.examples().parent)
        try:
            items = self.ours.items(pymist.Dataset(f"{server.url}/examples", size=64, exact=True))
            self.assertEqual(len(items), 4)
            load = Compose([LoadImaged(["image", "label"], reader=self.ours.MistReader(), ensure_channel_first=True),
                            ScaleIntensityd("image")])
            loader = self.monai.data.DataLoader(self.monai.data.Dataset(items, load), batch_size=1, num_workers=2)
            for batch in loader:
                self.assertEqual(batch["image"].shape, batch["label"].shape)
                self.assertEqual(tuple(batch["image"].shape[1:4]), (1, 64, 64) if batch["image"].shape[2] == 64 else
                                 tuple(batch["image"].shape[1:4]))
        finally:
            server.stop()

    def test_persistent_cache_keeps_resolutions_apart(self):
        from monai.transforms import LoadImaged
        cache = made.base() / "persistent"
        load = LoadImaged(["image"], reader=self.ours.MistReader(), ensure_channel_first=True)
        shapes = []
        for size in (32, 64, 32):
            items = self.ours.items(pymist.Dataset(made.examples(), size=size, exact=True, include="cxr"))
            data = self.monai.data.PersistentDataset(items, load, cache_dir=cache)
            shapes.append(tuple(data[0]["image"].shape))
        self.assertEqual(shapes, [(1, 32, 32), (1, 64, 64), (1, 32, 32)])
        self.assertEqual(len(list(cache.glob("*.pt"))), 2)

    def test_wrong(self):
        from monai.transforms import LoadImage
        address = pymist.open((made.examples(), CT), size=64).address
        with self.assertRaisesRegex(RuntimeError, "this image has 0 to"):
            LoadImage(reader=self.ours.MistReader())(address.replace("size=64x64", "reduce=30"))
        self.assertEqual(tuple(LoadImage(reader=self.ours.MistReader(size=16, exact=True))(address).shape),
                         pymist.open((made.examples(), CT), size=64).shape)  # the address says which
        self.assertFalse(self.ours.MistReader().verify_suffix("a.nii.gz"))
        self.assertTrue(self.ours.MistReader().verify_suffix(["a.nii.gz.mist#size=3"]))


@needs("torchio")
class TorchIO(made.Case):
    def setUp(self):
        import torchio
        import pymist.torchio
        self.torchio, self.ours = torchio, pymist.torchio

    def test_as_torchios_own_reader(self):
        for path in ("mr/scaled.nii.gz", "mr/series.nii", "labels/scaled.nii.gz", "pictures/colour.png"):
            judge = self.torchio.ScalarImage(made.got(made.kinds(), "--size", 64) / path)
            item = made.kinds() / "items" / (path + ".mist")
            ours = self.torchio.ScalarImage(item, reader=self.ours.MistReader(size=64))
            numpy.testing.assert_array_equal(ours.data.numpy(), judge.data.numpy())
            if "png" not in path:
                numpy.testing.assert_allclose(ours.affine, judge.affine, atol=1e-3)

    def test_subjects(self):
        dataset = pymist.Dataset(made.examples(), size=64)
        subjects = self.ours.subjects(dataset)
        self.assertEqual(len(subjects), 4)
        found = self.torchio.SubjectsDataset(subjects, transform=self.torchio.RandomFlip(axes=(0,), flip_probability=1))
        for subject, pair in zip(found, dataset.pairs()):
            self.assertIsInstance(subject["label"], self.torchio.LabelMap)
            self.assertEqual(subject["image"].spatial_shape, subject["label"].spatial_shape)
            numpy.testing.assert_array_equal(subject["label"].data.numpy()[0], pair.label.read()[::-1])
        self.assertTrue(pickle.dumps(subjects[0]))


@needs("nnunetv2")
class NnUNet(made.Case):
    def setUp(self):
        try:
            import pymist.nnunet
            from nnunetv2.imageio.nibabel_reader_writer import NibabelIO
        except ImportError as error:
            self.skipTest(str(error))
        self.ours, self.judge = pymist.nnunet, NibabelIO()
        on_path(self)

    def test_reader(self):
        for size, options in ((None, ()), ("64x64", ("--size", "64x64", "--exact"))):
            if size:
                os.environ[self.ours.SIZE] = size
                self.addCleanup(os.environ.pop, self.ours.SIZE, None)
            for path in ("mr/scaled.nii.gz", "labels/scaled.nii.gz"):
                wanted, properties = self.judge.read_images([str(made.got(made.kinds(), *options) / path)])
                found, ours = self.ours.MistIO().read_images([str(made.kinds() / "items" / (path + ".mist"))])
                numpy.testing.assert_allclose(found, wanted, rtol=1e-6)
                self.assertEqual(found.dtype, numpy.float32)
                numpy.testing.assert_allclose(ours["spacing"], properties["spacing"], rtol=1e-4)
        os.environ.pop(self.ours.SIZE, None)

    def test_segmentations(self):
        item = str(made.kinds() / "items/labels/scaled.nii.gz.mist")
        seg, properties = self.ours.MistIO().read_seg(item)
        for name in ("out.mist", "out.nii.gz"):
            self.ours.MistIO().write_seg(seg[0], str(made.base() / name), properties)
        again, other = self.ours.MistIO().read_seg(str(made.base() / "out.mist"))
        self.same(again, seg)
        self.assertTrue(pymist.open(made.base() / "out.mist").label)
        numpy.testing.assert_allclose(other["nibabel_stuff"]["original_affine"],
                                      properties["nibabel_stuff"]["original_affine"], atol=1e-4)
        self.same(self.judge.read_seg(str(made.base() / "out.nii.gz"))[0], seg)

    def test_registered(self):
        from nnunetv2.imageio import reader_writer_registry as registry
        self.ours.install()
        self.ours.install()
        self.assertEqual(registry.LIST_OF_IO_CLASSES.count(self.ours.MistIO), 1)
        for about in ({"file_ending": ".mist"}, {"file_ending": ".mist", "overwrite_image_reader_writer": "MistIO"}):
            self.assertIs(registry.determine_reader_writer_from_dataset_json(about, verbose=False), self.ours.MistIO)

    def test_recipe(self):
        """docs/python.md: `mist get` into nnUNet_raw; nnU-Net's own readers take what is there, images and maps alike."""
        source = made.base() / "nnunet-source"
        for name in ("a", "b"):
            for part, ending in (("imagesTr", "_0000.nii.gz"), ("labelsTr", ".nii.gz")):
                (source / part).mkdir(parents=True, exist_ok=True)
                volume = made.smooth(70, 66, 12, seed=ord(name))
                volume = (volume > 0).astype("u1") if part == "labelsTr" else volume.astype("i2")
                nibabel.save(nibabel.Nifti1Image(volume, made.AFFINE), source / part / (name + ending))
        (source / "dataset.json").write_text('{"channel_names": {"0": "MR"}, "labels": {"background": 0, "x": 1}, '
                                             '"numTraining": 2, "file_ending": ".nii.gz"}')
        raw = made.base() / "nnUNet_raw" / "Dataset500_Small"
        mist("get", made.store("nnunet-source", source), "-o", raw, "--size", "32", "--exact")
        from nnunetv2.imageio.reader_writer_registry import determine_reader_writer_from_dataset_json as determine
        reader = determine(made.report((raw / "dataset.json").read_text()), verbose=False)()
        for name in ("a", "b"):
            image, about = reader.read_images([str(raw / "imagesTr" / f"{name}_0000.nii.gz")])
            seg, other = reader.read_seg(str(raw / "labelsTr" / f"{name}.nii.gz"))
            self.assertEqual(image.shape, seg.shape)
            self.assertEqual(image.shape[-1], 32)
            numpy.testing.assert_allclose(about["spacing"], other["spacing"])
            self.assertEqual(set(numpy.unique(seg)), {0, 1})


@needs("fsspec")
class Fsspec(made.Case):
    def test_memory_file_system(self):
        import fsspec
        system = fsspec.filesystem("memory")
        root = made.kinds()
        for path in root.rglob("*"):
            if path.is_file():
                system.pipe_file(f"/bucket/kinds/{path.relative_to(root)}", path.read_bytes())
        dataset = pymist.Dataset("memory://bucket/kinds", size=64)
        self.assertEqual(len(dataset), 7)
        for image, judge in zip(dataset, pymist.Dataset(root, size=64)):
            self.same(image.read(), judge.read())
        self.same(dataset[0][..., 2], pymist.Dataset(root, size=64)[0][..., 2])
        self.same(pickle.loads(pickle.dumps(dataset))[0].read(), dataset[0].read())
        with fsspec.open("memory://bucket/kinds/items/mr/scaled.nii.gz.mist") as file:
            self.same(pymist.open(file, size=64).read(), dataset["mr/scaled.nii.gz"].read())
        self.fails("not found", "no such file", pymist.Dataset, "memory://bucket/none")
        self.fails(None, "nosuch", pymist.Dataset, "nosuch://bucket/none")


@needs("SimpleITK")
class SimpleITK(made.Case):
    def test_as_simpleitk_reads_the_files(self):
        import SimpleITK
        for path in ("mr/scaled.nii.gz", "labels/scaled.nii.gz"):
            judge = SimpleITK.ReadImage(str(made.got(made.kinds(), "--size", 64) / path))
            image = pymist.open((made.kinds(), path), size=64)
            numpy.testing.assert_allclose(image.values(), SimpleITK.GetArrayFromImage(judge).transpose(2, 1, 0))
            numpy.testing.assert_allclose(image.spacing, judge.GetSpacing(), rtol=1e-4)
            for index in ((0, 0, 0), (5, 9, 3)):
                place = numpy.array(judge.TransformIndexToPhysicalPoint(index)) * [-1, -1, 1]
                numpy.testing.assert_allclose((image.affine @ [*index, 1])[:3], place, atol=1e-2)


if __name__ == "__main__":
    PIL.Image.init()
    unittest.main(verbosity=2)
