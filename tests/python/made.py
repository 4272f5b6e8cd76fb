"""What pymist's tests read: a dataset made here of kinds that the examples do not have, beside the examples."""
import json
import pathlib
import shutil
import sys
import tempfile
import unittest

import nibabel
import numpy
import PIL.Image

from servers import EXAMPLES, SOURCE, mist

sys.path.insert(0, str(SOURCE / "python"))
import pymist  # noqa: E402

_made = {}


def base():
    """One directory for all that the tests of a process make."""
    if "base" not in _made:
        _made["base"] = pathlib.Path(tempfile.mkdtemp(prefix="mist-python-"))
    return _made["base"]


def clear():
    if "base" in _made:
        shutil.rmtree(_made.pop("base"), ignore_errors=True)
    _made.clear()


def store(name, source, *options):
    """The dataset `name` of a store of that source, encoded once."""
    if name not in _made:
        mist("encode", source, "-o", base() / "store", "--dataset", name, "-q", *options)
        _made[name] = base() / "store" / name
    return _made[name]


def examples():
    return store("examples", EXAMPLES)


def smooth(*shape, seed=0):
    """Something that looks like tissue: broad waves, and a little noise."""
    random = numpy.random.default_rng(seed)
    axes = numpy.meshgrid(*(numpy.linspace(0, 5 + i, n) for i, n in enumerate(shape)), indexing="ij")
    return sum(numpy.sin(axis + i) for i, axis in enumerate(axes)) * 300 + random.normal(0, 4, shape)


# Oblique and mirrored: axes of length 0.9, 1.1 and 1.2 mm at right angles.
_TURN = numpy.array([[numpy.cos(0.1), -numpy.sin(0.1), 0], [numpy.sin(0.1), numpy.cos(0.1), 0], [0, 0, 1]]) @ numpy.array(
    [[1, 0, 0], [0, numpy.cos(0.2), -numpy.sin(0.2)], [0, numpy.sin(0.2), numpy.cos(0.2)]])
AFFINE = numpy.eye(4)
AFFINE[:3, :3] = _TURN * [-0.9, 1.1, 1.2]
AFFINE[:3, 3] = 80, -70, -30


def kinds_source():
    """Files of many kinds; their values are known without us."""
    root = base() / "kinds-source"
    if root.exists():
        return root
    (root / "mr").mkdir(parents=True)
    (root / "labels").mkdir()
    (root / "pictures").mkdir()
    scaled = nibabel.Nifti1Image(smooth(141, 132, 70).astype("i2"), AFFINE)
    scaled.header.set_slope_inter(0.5, -100)
    nibabel.save(scaled, root / "mr/scaled.nii.gz")
    nibabel.save(nibabel.Nifti1Image(smooth(134, 130, 9, 3, seed=1).astype("f4"), AFFINE), root / "mr/series.nii")
    nibabel.save(nibabel.Nifti1Image(smooth(40, 33, seed=2).astype("u2"), AFFINE), root / "mr/plane.nii")
    mask = (smooth(141, 132, 70, seed=3) > 100).astype("u1") * 3
    nibabel.save(nibabel.Nifti1Image(mask, AFFINE), root / "labels/scaled.nii.gz")
    colour = numpy.stack([smooth(70, 90, seed=s) for s in range(3)], -1)
    PIL.Image.fromarray((colour % 256).astype("u1")).save(root / "pictures/colour.png")
    PIL.Image.fromarray((smooth(90, 70) + 2000).astype("u2")).save(root / "pictures/deep.png")
    numpy.save(root / "pictures/many.npy", (smooth(6, 50, 40) + 2000).astype("i4"))
    (root / "about.csv").write_text("file,site,age,finding\nscaled.nii.gz,A,40,x|y\nseries.nii,B,55,y\n"
                                    "plane.nii,A,61,\ncolour.png,C,33,z\ndeep.png,C,70,x\nmany.npy,B,12,z\n")
    (root / "LICENSE").write_text("CC-BY-4.0\n")
    return root


def kinds():
    return store("kinds", kinds_source(), "--title", "Kinds of images", "--license", "CC-BY-4.0")


def got(dataset, *options):
    """The tree that `mist get` writes of it."""
    key = (str(dataset), options)
    if key not in _made:
        out = base() / f"out{len(_made)}"
        mist("get", dataset, "-o", out, "--json", "-q", *options)
        _made[key] = out
    return _made[key]


class Case(unittest.TestCase):
    @classmethod
    def tearDownClass(cls):
        clear()

    def same(self, a, b):
        a, b = numpy.asarray(a), numpy.asarray(b)
        self.assertEqual(a.shape, b.shape)
        self.assertEqual(a.dtype.newbyteorder("="), b.dtype.newbyteorder("="))
        numpy.testing.assert_array_equal(a, b)

    def fails(self, status, part, call, *arguments, **options):
        """The call raises MistError of this status, with this in its sentence."""
        with self.assertRaises(pymist.MistError) as caught:
            call(*arguments, **options)
        self.assertIn(part, str(caught.exception))
        if status:
            self.assertEqual(caught.exception.status, status, str(caught.exception))
        return str(caught.exception)


def report(text):
    return json.loads(text)
