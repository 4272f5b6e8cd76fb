# SPDX-License-Identifier: BSD-2-Clause
"""
One landmark at a known place in millimetres, found at every level, on every grid, for every coder, in image and label:
by the written affine its centroid is within a tenth of a reduced pixel of where it was put (a label map, whose disc
of few samples has a centroid of its own, within a fifth). An error of grids is a quarter of one or more.
"""
import unittest

import numpy as np

from made import Case, read_dicom, read_nifti, waves, write_dicom, write_nifti

SIDES = (251, 247)  # rows and columns: odd, and no multiple of a power of two and one
CENTRE = (101.3, 140.7)  # column, row
RADIUS = 40
SLICES = 3
UIDS = {"jpeg": "1.2.826.0.1.3680043.8.498.51", "j2k": "1.2.826.0.1.3680043.8.498.52"}


def distance():
    rows, columns = np.mgrid[:SIDES[0], :SIDES[1]]
    return np.hypot(columns - CENTRE[0], rows - CENTRE[1])


def disc(low, high, kind):
    """A disc with a soft edge of two pixels on flat ground, in each slice."""
    plane = low + (high - low) * np.clip((RADIUS - distance()) / 2 + 0.5, 0, 1)
    return np.repeat(np.round(plane)[None], SLICES, 0).astype(kind)


def textured(kind="u1"):
    """Mostly 0; what is not is noise, symmetric about the centre and so without weight of its own."""
    rng = np.random.default_rng(1)
    noise = rng.integers(60, 250, (SLICES, *SIDES))
    return np.where(distance() < RADIUS, noise, 0).astype(kind)


def centroid(volume, affine, floor):
    """In millimetres, of the middle slice's samples above `floor`, weighted by how far they are above it."""
    weight = np.clip(volume[1].astype(float) - floor, 0, None)
    rows, columns = np.mgrid[:weight.shape[0], :weight.shape[1]]
    place = [(weight * columns).sum() / weight.sum(), (weight * rows).sum() / weight.sum(), 1, 1]
    return (affine @ place)[:3]


def read_volume(paths):
    """The one NIfTI among the files, which may have a sidecar."""
    (path,) = (path for path in paths if path.suffix != ".json")
    return read_nifti(path)


class Landmark(Case):
    def check(self, item, read, affine, floor, bound, texture=None, options=()):
        """`texture`: the full samples, whose own centroid is the truth where it is not CENTRE."""
        truth = (affine @ [*CENTRE, 1, 1])[:3] if texture is None else centroid(texture, affine, floor)
        info = self.info(item)
        found = 0
        for level in info["reduces"]:
            r = level["reduce"]
            requests = [("--reduce", r), ("--reduce", r, "--grid", "center"),
                        ("--size", f"{SIDES[1] >> r}x{SIDES[0] >> r}", "--exact")]
            for request in requests:
                volume, written = read(self.decode(item, *request, *options))
                # The nearest of the full samples to the centre of a block of them is half a sample off.
                near = 0.5 / (1 << r) if "label" in info and r and request[2:] == ("--grid", "center") else 0
                away = np.linalg.inv(written[:3, :3]) @ (centroid(volume, written, floor) - truth)
                self.assertLess(np.abs(away[:2]).max(), bound + near, f"{item.name} {request}: {away} samples away")
                np.testing.assert_allclose(away[2], 0, atol=0.01, err_msg=f"{item.name} {request}: slices")
                found += 1
        self.assertGreaterEqual(found, 9)

    def only_item(self, coder, label=False, *options):
        ((_, item),) = self.encode(*options).items()
        info = self.info(item)
        self.assertEqual((info["coder"], "label" in info), (coder, label))
        return item

    def test_htj2k(self):
        volume = disc(100, 900, "i2") + np.round(waves((SLICES, *SIDES), 8, 2, 0.3)).astype("i2")
        write_nifti(self.source / "a.nii.gz", volume)
        item = self.only_item("htj2k")
        _, affine = read_nifti(self.source / "a.nii.gz")
        self.check(item, read_volume, affine, 110, 0.1)

    def test_float(self):
        rng = np.random.default_rng(3)
        volume = (disc(-1, 1, "f4") + rng.normal(0, 0.002, (SLICES, *SIDES))).astype("f4")
        write_nifti(self.source / "a.nii.gz", volume)
        item = self.only_item("htj2k")
        _, affine = read_nifti(self.source / "a.nii.gz")
        self.check(item, read_volume, affine, -0.9, 0.1)

    def test_pyramid(self):
        volume = textured()
        write_nifti(self.source / "a.nii.gz", volume)
        item = self.only_item("pyramid")
        _, affine = read_nifti(self.source / "a.nii.gz")
        self.check(item, read_volume, affine, 0, 0.1, texture=volume)

    def test_labels(self):
        write_nifti(self.source / "labels" / "a.nii.gz", np.where(distance() < RADIUS, 3, 0)[None].repeat(SLICES, 0).astype("u1"))
        item = self.only_item("lattice", True)
        _, affine = read_nifti(self.source / "labels" / "a.nii.gz")
        self.check(item, read_volume, affine, 0, 0.2)

    def test_dicom_that_stays_compressed(self):
        for coder in UIDS:
            write_dicom(self.source / coder, disc(20, 200, "u1"), coder=coder, SeriesInstanceUID=UIDS[coder])
        items = self.encode()
        self.assertEqual(len(items), 2)
        for path, item in items.items():
            coder = self.info(item)["coder"]
            self.assertIn(UIDS[coder], path)
            affine = read_dicom((self.source / coder).iterdir())[1]
            self.check(item, read_dicom, affine, 30, 0.1)
            self.check(item, read_volume, affine, 30, 0.1, options=("--format", "nii"))

    def test_uncompressed_dicom(self):
        write_dicom(self.source / "series", disc(100, 900, "u2"), BitsStored=12)
        item = self.only_item("htj2k")
        affine = read_dicom((self.source / "series").iterdir())[1]
        self.check(item, read_dicom, affine, 110, 0.1)
        self.check(item, read_volume, affine, 110, 0.1, options=("--format", "nii"))


if __name__ == "__main__":
    unittest.main()
