#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Images with a known answer, in the layouts that the experiments take: experiments/synthetic.py nih|busi|msd DIR [COUNT]

nih: pictures of 256 x 256 and a table; positives have a disc that no other picture has. busi: pictures of odd sizes with an
ellipse, and masks. msd: volumes with a cylinder, and label maps.
"""
import pathlib
import sys

import nibabel
import numpy as np
import PIL.Image


def tissue(random, *shape):
    """Broad waves and fine noise."""
    axes = np.meshgrid(*(np.linspace(0, random.uniform(3, 6), n) for n in shape), indexing="ij")
    return 100 + 25 * sum(np.sin(axis + random.uniform(0, 6)) for axis in axes) + random.normal(0, 8, shape)


def ball(random, shape, least, most):
    """Where a ball (a disc, an ellipse) of a radius from `least` to `most` of the smallest side lies."""
    radius = random.uniform(least, most) * min(shape)
    centre = [random.uniform(radius, n - radius) if n > 2 * radius else n / 2 for n in shape]
    axes = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    return sum((axis - c) ** 2 for axis, c in zip(axes, centre)) < radius ** 2


def picture(array, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(np.clip(array, 0, 255).astype("u1")).save(path)


def nih(root, count):
    random = np.random.default_rng(1)
    rows = ["Image Index,Finding Labels,Patient Age"]
    for i in range(count):
        positive = i % 2 == 0
        array = tissue(random, 256, 256)
        if positive:
            array[ball(random, array.shape, 0.1, 0.18)] += 45
        picture(array, root / "images" / f"{i:05d}.png")
        rows.append(f"{i:05d}.png,{'Nodule|Mass' if positive else 'No Finding'},{random.integers(20, 90)}")
    (root / "Data_Entry.csv").write_text("\n".join(rows) + "\n")


def busi(root, count):
    random = np.random.default_rng(2)
    for i in range(count):
        array = tissue(random, *random.integers(150, 300, 2))
        mask = ball(random, array.shape, 0.15, 0.3)
        array[mask] -= 55
        picture(array, root / "benign" / f"benign ({i + 1}).png")
        picture(mask * 255, root / "benign" / f"benign ({i + 1})_mask.png")


def msd(root, count):
    random = np.random.default_rng(3)
    for i in range(count):
        array = tissue(random, 96, 88, 12)
        mask = np.repeat(ball(random, (96, 88), 0.12, 0.25)[..., None], 12, -1)
        mask[..., :2] = mask[..., 10:] = False
        array[mask] += 50
        for part, values in (("imagesTr", array.astype("i2")), ("labelsTr", mask.astype("u1"))):
            path = root / part / f"case_{i:03d}.nii.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            nibabel.save(nibabel.Nifti1Image(values, np.diag([1, 1, 3, 1])), path)


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in ("nih", "busi", "msd"):
        sys.exit(__doc__)
    {"nih": nih, "busi": busi, "msd": msd}[sys.argv[1]](pathlib.Path(sys.argv[2]), int((sys.argv + [60])[3]))
