# SPDX-License-Identifier: BSD-2-Clause
"""Inputs that went wrong once (tests/data/cases): judged by nibabel, numpy, PIL and pydicom."""
import os
import pathlib
import sys
import unittest

try:
    import nibabel
    import numpy as np
    import PIL.Image
    import pydicom
except ImportError as missing:
    print(f"skipped: a judge is not installed: {missing}")
    sys.exit(77)

from test_encode import Case, catalog, labels_of, mist

CASES = pathlib.Path(os.environ["MIST_SOURCE"]) / "tests" / "data" / "cases"


def samples(path):
    if path.suffix == ".png":
        return np.array(PIL.Image.open(path))
    return np.asarray(nibabel.load(path).dataobj)


class Cases(Case):
    def halves(self, name, *options):
        """The items of the case, and {path: its samples, those of half its size}."""
        result = mist("encode", CASES / name, "-o", self.store, "--dataset", "d", *options, check=0)
        self.assertEqual(result.stderr, "")
        result = mist("get", self.store / "d", "-o", self.work / "half", "--reduce", 1, check=0)
        self.assertEqual(result.stderr, "")
        items = catalog(self.store, "d")[1]
        self.assertEqual(set(items), {p.relative_to(CASES / name).as_posix() for p in (CASES / name).rglob("*.*z")} |
                         {p.relative_to(CASES / name).as_posix() for p in (CASES / name).rglob("*.png")})
        return items, {path: (samples(CASES / name / path), samples(self.work / "half" / path)) for path in items}

    def assert_sampled(self, images):
        for path, (full, half) in images.items():
            self.assertEqual(half.dtype, full.dtype, path)
            self.assertTrue(np.array_equal(half, full[::2, ::2]), path)

    def test_label_names(self):
        """Whatever they are called: half of a label map is every second sample of it."""
        items, images = self.halves("label_names")
        self.assertEqual(labels_of(items), {path: "name" for path in items})
        self.assertEqual(len(items), 7)
        self.assert_sampled(images)

    def test_labels_twice(self):
        """Each of several --labels counts."""
        items, images = self.halves("labels_twice", "--labels", "*_seg.nii.gz", "--labels", "*_dseg.nii.gz")
        self.assertEqual((len(items), labels_of(items)), (2, {path: "option" for path in items}))
        self.assert_sampled(images)

    def test_int64_labels(self):
        """Labels of every type, those of 64 bits too, come on the grid of their images and keep their type."""
        items, images = self.halves("int64_labels")
        self.assertEqual(labels_of(items), {path: "name" for path in items if path.startswith("labels/")})
        self.assertEqual({row["type"] for path, row in items.items() if path.startswith("labels/")},
                         {"s64", "u64", "f32", "f64", "s32", "u16"})
        self.assert_sampled({path: both for path, both in images.items() if path.startswith("labels/")})
        self.assertEqual({half.shape for _, half in images.values()}, {images["images/c1.nii.gz"][1].shape})
        affines = [nibabel.load(self.work / "half" / path).affine for path in images]
        self.assertTrue(all(np.allclose(affine, affines[0]) for affine in affines))

    def test_what_can_be_no_label_map(self):
        """Asked for as one by name, a picture of more values than labels have is named and kept, not averaged silently."""
        self.source = self.work / "s"
        self.source.mkdir()
        nibabel.save(nibabel.Nifti1Image(np.random.default_rng(1).normal(size=(80, 80, 20)).astype("f4"), np.eye(4)), self.source / "a.nii")
        result = mist("encode", self.source, "-o", self.store, "--dataset", "d", "--labels", "*", check=1)
        self.assertIn("a.nii: more than 65536 different values are no labels; kept byte for byte", result.stderr)
        mist("encode", self.source, "-o", self.store, "--dataset", "e", check=0)

    def test_jpeg_silent(self):
        """JPEG files are items, and come back to the byte; at half size as JPEG files of it."""
        result = mist("encode", CASES / "jpeg_silent", "-o", self.store, "--dataset", "d", check=0)
        self.assertIn("2 items encoded", result.stdout)
        mist("get", self.store / "d", "-o", self.work / "full", check=0)
        mist("get", self.store / "d", "-o", self.work / "half", "--reduce", 1, check=0)
        for source in CASES.glob("jpeg_silent/*.jp*g"):
            self.assertEqual((self.work / "full" / source.name).read_bytes(), source.read_bytes())
            full, half = (PIL.Image.open(folder / source.name) for folder in (source.parent, self.work / "half"))
            self.assertEqual((half.format, half.size), ("JPEG", tuple((side + 1) // 2 for side in full.size)))

    def test_format_collision(self):
        """Two files of one name: one is written, the other is named, whatever they are made of."""
        for name, form, written in (("att_img", "npy", "img.npy"), ("nii_att", "nii.gz", "scan.nii.gz"),
                                    ("dcm_nii", "nii.gz", "img.nii.gz")):
            mist("encode", CASES / "format_collision" / name, "-o", self.store, "--dataset", name)
            result = mist("get", self.store / name, "-o", self.work / name, "--format", form, check=1)
            self.assertRegex(result.stderr, rf"its file a/{written} is written by a/\S+ as well; it was not written")
            names = {path.name for path in (self.work / name).rglob("*") if path.is_file()}
            self.assertEqual(names - {"img.json"}, {written})  # the sidecar of what DICOM became

    def test_monochrome1_png(self):
        """Small values are white (PS3.3, C.7.6.3.1.2): on a screen they are so, too."""
        mist("encode", CASES / "monochrome1_png", "-o", self.store, "--dataset", "d", check=0)
        mist("get", self.store / "d", "-o", self.work / "png", "--format", "png", check=0)
        stored = pydicom.dcmread(CASES / "monochrome1_png" / "cxr.dcm").pixel_array.astype(int)
        self.assertTrue(np.array_equal(samples(self.work / "png" / "cxr.png").astype(int), 4095 - stored))


if __name__ == "__main__":
    unittest.main()
