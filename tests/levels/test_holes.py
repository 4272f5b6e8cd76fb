# SPDX-License-Identifier: BSD-2-Clause
"""Samples that are no measurement: padding, NaN, infinities. No part of any average, and holes where the lattice has them."""
import unittest

import nibabel
import numpy as np

from made import Case, read_nifti, reduced, stored_values, waves, write_dicom, write_nifti

PADDING, AIR = -2000, -1023


def ge_like(shape):
    """A CT whose reconstruction circle is padded: tissue and air from -1023, beyond it -2000."""
    slices, height, width = shape
    volume = np.round(waves(shape, 2000, 5)).astype("i2") + AIR
    rows, columns = np.mgrid[:height, :width]
    outside = np.hypot((rows - height / 2) / height, (columns - width / 2) / width) > 0.49
    volume[:, outside] = PADDING
    volume[0, 60:63, 80:83] = PADDING  # and a small hole inside
    return volume


class Padding(Case):
    def check(self, item, full, read):
        levels = self.info(item)["levels"]
        self.assertGreater(levels, 2)
        for r in range(levels):
            got = read(self.decode(item, "--reduce", r))
            between = (got > PADDING) & (got < AIR)
            self.assertEqual(int(between.sum()), 0, f"values between padding and tissue at {r}: {got[between][:5]}")
            np.testing.assert_array_equal(got == PADDING, reduced(full, r) == PADDING, f"holes at {r}")

    def dicom(self, **more):
        full = ge_like((3, 251, 247))
        write_dicom(self.source / "s", full, **more)
        ((_, item),) = self.encode().items()
        self.check(item, full, lambda paths: np.stack([stored_values(path) for path in paths]))

    def test_dicom(self):
        self.dicom(PixelPaddingValue=PADDING)

    def test_dicom_range(self):
        self.dicom(PixelPaddingValue=PADDING, PixelPaddingRangeLimit=-1500)

    def test_dicom_of_the_wrong_sign(self):
        """Written as if it were unsigned, in the bits that there are, as some devices do."""
        self.dicom(PixelPaddingValue=PADDING)
        files = sorted((self.source / "s").iterdir())
        for path in files:
            data = path.read_bytes()
            tag = bytes.fromhex("28002001") + b"SS"
            self.assertIn(tag, data)
            path.write_bytes(data.replace(tag, bytes.fromhex("28002001") + b"US"))
        ((_, item),) = self.encode().items()
        self.check(item, ge_like((3, 251, 247)), lambda paths: np.stack([stored_values(path) for path in paths]))


class NotFinite(Case):
    def test_one_nan_is_cheap(self):
        """In integer-valued CT as float, true floats, and with an infinity: under 2 % of the item's bytes."""
        ct = np.round(waves((8, 200, 220), 2000, 9)).astype("f4") - 1000
        true = (waves((8, 200, 220), 2, 11) - 1).astype("f4")
        for name, volume in (("ct", ct), ("true", true)):
            write_nifti(self.source / f"{name}.nii.gz", volume)
            for hole in (np.nan, np.inf):
                spoilt = volume.copy()
                spoilt[3, 101, 57] = hole
                write_nifti(self.source / f"{name}_{hole}.nii.gz", spoilt)
        items = self.encode("--images", "*")
        for name in ("ct", "true"):
            size = items[f"{name}.nii.gz"].stat().st_size
            for hole in ("nan", "inf"):
                self.assertLess(abs(items[f"{name}_{hole}.nii.gz"].stat().st_size / size - 1), 0.02, f"{name} {hole}")

    def test_holes_of_floats(self):
        """Everywhere that the lattice sample is one, and nowhere else; what is not is within the values there are."""
        full = (waves((3, 201, 187), 2, 13) - 1).astype("f4")
        full[:, 50:77, 33:90] = np.nan
        full[1, 100, 100] = -np.inf
        full[2, 104, 104] = np.inf
        write_nifti(self.source / "a.nii.gz", full)
        ((_, item),) = self.encode().items()
        for r in range(self.info(item)["levels"]):
            got, _ = read_nifti(self.decode(item, "--reduce", r)[0])
            lattice = reduced(full, r)
            for test in (np.isnan, np.isposinf, np.isneginf):
                np.testing.assert_array_equal(test(got), test(lattice), f"{test.__name__} at {r}")
            finite = got[np.isfinite(got)]
            self.assertLess(np.abs(finite).max(), 1.2)
        (back,) = self.decode(item)
        self.assertEqual(np.asarray(nibabel.load(back).dataobj).transpose(2, 1, 0).tobytes(), full.tobytes())


if __name__ == "__main__":
    unittest.main()
