# SPDX-License-Identifier: BSD-2-Clause
"""One picture as DICOM, NIfTI, PNG and .npy: the same reduced samples at each level, the judge of the NIfTI being its affine."""
import unittest

import numpy as np
import PIL.Image

from made import AFFINE, Case, read_nifti, waves, write_dicom, write_nifti


class Same(Case):
    def compare(self, height, width, top, bits, kind):
        plane = np.round(waves((height, width), top, 7)).astype(kind)
        (self.source / "p").mkdir()
        write_dicom(self.source / "dicom", plane[None], BitsStored=bits)
        PIL.Image.fromarray(plane).save(self.source / "p" / "a.png")
        np.save(self.source / "p" / "b.npy", plane)
        write_nifti(self.source / "p" / "c.nii.gz", plane[None])
        # As dcm2niix writes it: the rows from below, the affine with them.
        flipped = AFFINE.copy()
        flipped[:3, 3] += AFFINE[:3, 1] * (height - 1)
        flipped[:3, 1] *= -1
        write_nifti(self.source / "p" / "d.nii.gz", plane[None, ::-1], flipped)
        items = self.encode("--images", "*")
        self.assertEqual(len(items), 5)
        levels = {self.info(item)["levels"] for item in items.values()}
        self.assertEqual(len(levels), 1, "all have the same levels")
        for r in range(levels.pop()):
            kinds = {path: self.samples(item, "--reduce", r)[0] for path, item in items.items()}
            upside_down = kinds.pop("p/d.nii.gz")
            first = kinds["p/a.png"]
            self.assertEqual(first.shape, (-(-height >> r), -(-width >> r)))
            for path, samples in kinds.items():
                np.testing.assert_array_equal(samples, first, f"{path} at {r}")
            self.compare_flipped(items, upside_down, first, height, r)

    def compare_flipped(self, items, samples, first, height, r):
        """
        Where the rows' number is a multiple of 2^r and one, the lattice from below is that from above: the same
        samples, at the same places. Elsewhere they lie on other rows, which the affine says.
        """
        if (height - 1) % (1 << r) == 0:
            np.testing.assert_array_equal(samples[::-1], first, f"flipped at {r}")
        (path,) = self.decode(items["p/d.nii.gz"], "--reduce", r)
        volume, affine = read_nifti(path)
        _, source = read_nifti(self.source / "p" / "d.nii.gz")
        np.testing.assert_array_equal(volume[0], samples)
        np.testing.assert_allclose(affine[:3, 3], source[:3, 3], atol=1e-4)
        np.testing.assert_allclose(affine[:3, :2], source[:3, :2] * (1 << r), atol=1e-5)

    def test_twelve_bits_rows_of_a_lattice(self):
        self.compare(193, 251, 4095, 12, "u2")

    def test_sixteen_bits_odd(self):
        self.compare(251, 195, 65535, 16, "u2")

    def test_eight_bits_odd(self):
        self.compare(131, 267, 255, 8, "u1")


if __name__ == "__main__":
    unittest.main()
