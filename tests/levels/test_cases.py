# SPDX-License-Identifier: BSD-2-Clause
"""Inputs that once went wrong (tests/data/cases), with their right values."""
import io
import shutil
import unittest

import nibabel
import numpy as np
import PIL.Image
import pydicom

from made import CASES, Case, block_means, stored_values, write_nifti


def ssim(a, b, span):
    """Of Wang et al. 2004 with a uniform window of 7 x 7: means over all windows inside."""
    windows = lambda x: np.lib.stride_tricks.sliding_window_view(x, (7, 7)).reshape(-1, 49)
    a, b = windows(a), windows(b)
    c1, c2 = (0.01 * span) ** 2, (0.03 * span) ** 2
    ma, mb = a.mean(1), b.mean(1)
    cov = (a * b).mean(1) - ma * mb
    return (((2 * ma * mb + c1) * (2 * cov + c2)) / ((ma ** 2 + mb ** 2 + c1) * (a.var(1) + b.var(1) + c2))).mean()


def low_pass(values, r):
    """OpenJPEG's reversible low-pass of a plane, which does not mind what is added to all samples."""
    shift = 0x4000
    data = io.BytesIO()
    PIL.Image.fromarray((values + shift).astype("u2")).save(data, "JPEG2000", irreversible=False, no_jp2=True)
    image = PIL.Image.open(data)
    image.reduce = r
    image.load()
    return np.asarray(image).astype("i8") - shift


class UnusedBits(Case):
    def test_reduced_is_of_the_stored_values(self):
        """Bits above HighBit are no part of a sample (PS3.5 8.1.1): OpenJPEG reduces the stored values alone."""
        for source in sorted((CASES / "dicom_unused_bits").glob("*.dcm")):
            shutil.copy(source, self.source)
        items = self.encode()
        self.assertEqual(len(items), 5)
        for path, item in items.items():
            with self.subTest(path):
                full = next(self.source / name for name in map(lambda p: p.name, self.source.iterdir())
                            if pydicom.dcmread(self.source / name).SeriesInstanceUID in path or name in path)
                self.check(full, item)

    def check(self, source, item):
        truth = stored_values(source)
        (written,) = self.decode(item)
        self.assertEqual(pydicom.dcmread(written).PixelData, pydicom.dcmread(source).PixelData)
        levels = self.info(item)["levels"]
        self.assertGreater(levels, 1)
        for r in range(1, levels):
            (written,) = self.decode(item, "--reduce", r)
            small = stored_values(written)
            dataset = pydicom.dcmread(written)
            self.assertEqual(dataset.BitsStored, pydicom.dcmread(source).BitsStored)
            raw = np.frombuffer(dataset.PixelData, f"u{dataset.BitsAllocated // 8}")
            if not dataset.PixelRepresentation:
                self.assertEqual(int(raw.max()) >> dataset.HighBit + 1, 0, "nothing is above HighBit")
            bits = dataset.BitsStored - dataset.PixelRepresentation
            low = -(1 << bits) if dataset.PixelRepresentation else 0
            judge = np.clip(low_pass(truth, r), low, (1 << bits) - 1)
            np.testing.assert_array_equal(small, judge, f"{source.name} at {r}")


def spread(values):
    """What a value of 0 and a step of 1 are worth, as 16-bit integers: the values' own steps, where they have some."""
    distinct = np.unique(values)
    low, high = distinct[0], distinct[-1]
    step = np.diff(distinct)[np.diff(distinct) > (high - low) * 1e-5].min()
    return low, max(step, (high - low) / 30000)


class ZeroCrossing(Case):
    """Floats are averaged as numbers: as the same picture as 16-bit integers, and better than plain sampling."""

    def test_reduced(self):
        names = ("mr_zscore_f32", "prob_f32")
        for name in names:
            source = CASES / "float_zero_crossing" / f"{name}.nii.gz"
            shutil.copy(source, self.source)
            volume = np.asarray(nibabel.load(source).dataobj).astype("f8").transpose(2, 1, 0)
            low, step = spread(volume)
            whole = np.round((volume - low) / step).astype("i2")
            write_nifti(self.source / f"{name}_int.nii.gz", whole)
        items = self.encode("--images", "*")
        for name in names:
            item = items[f"{name}.nii.gz"]
            full = np.asarray(nibabel.load(self.source / f"{name}.nii.gz").dataobj)
            (back,) = self.decode(item)
            self.assertEqual(np.asarray(nibabel.load(back).dataobj).tobytes(), full.tobytes())
            low, step = spread(full.astype("f8"))
            span = np.subtract(*np.percentile(full, (99.5, 0.5)))
            for r in range(1, self.info(item)["levels"]):
                mine = self.samples(item, "--reduce", r, "--grid", "center").astype("f8")
                whole = self.samples(items[f"{name}_int.nii.gz"], "--reduce", r, "--grid", "center") * step + low
                self.compare(full.transpose(2, 1, 0).astype("f8"), mine, whole, span, r, name)

    def compare(self, full, mine, whole, span, r, name):
        scores = []
        sampled = mad = 0
        for z in range(full.shape[0]):
            means = block_means(full[z], r)
            crop = lambda plane: plane[:means.shape[0], :means.shape[1]]
            scores.append((ssim(means, crop(mine[z]), span), ssim(means, crop(whole[z]), span)))
            mad += np.abs(crop(mine[z]) - means).mean()
            sampled += np.abs(crop(full[z][::1 << r, ::1 << r]) - means).mean()
        ours, integers = np.mean(scores, 0)
        self.assertGreater(ours, integers - 0.005, f"{name} at {r}: as 16-bit integers {integers:.3f}")
        self.assertLessEqual(mad, sampled * 1.01, f"{name} at {r}: MAD of sampling")
        gain = np.abs(mine).max() / np.abs(full).max()
        self.assertLess(gain, 1.3, f"{name} at {r}: nothing far outside the values that there are")


if __name__ == "__main__":
    unittest.main()
