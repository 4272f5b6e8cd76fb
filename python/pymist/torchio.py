# SPDX-License-Identifier: BSD-2-Clause
"""TorchIO (1.x, 0.19 and newer): a reader for its images, and subjects of a dataset.

    image = torchio.ScalarImage("brain.nii.gz.mist", reader=pymist.torchio.MistReader(size=64))
    subjects = pymist.torchio.subjects(pymist.Dataset(url, size=64))           # fetched when they are used
    torchio.SubjectsDataset(subjects, transform=...)
"""
from __future__ import annotations

from typing import Any, List, Tuple

import numpy as np
import torch
import torchio

from ._dataset import Dataset
from ._image import Image, open_image


def _four(image: Image) -> np.ndarray:
    """(channels, i, j, k), as TorchIO has them: time and colours are channels, pictures one voxel thick."""
    array = image.values()
    spatial = array.ndim - image.layout.components
    if array.dtype.name in ("uint16", "uint32"):  # torch has no such types
        array = array.astype("i4" if array.dtype.itemsize == 2 else "i8")
    if spatial == 2:
        array = np.swapaxes(array, 0, 1) if image.affine is None else array
        array = array[:, :, None]
    elif spatial > 3:
        array = array.reshape(*array.shape[:3], -1)
    if array.ndim == 3:
        array = array[..., None]
    return np.ascontiguousarray(np.moveaxis(array, -1, 0))


def _read(image: Image) -> Tuple[torch.Tensor, np.ndarray]:
    affine = image.affine
    return torch.from_numpy(_four(image)), np.eye(4) if affine is None else affine


class MistReader:
    """reader= of torchio.ScalarImage and LabelMap for item files; arguments are those of `pymist.open()`."""

    def __init__(self, **options: Any) -> None:
        self.options = options

    def __call__(self, path: Any) -> Tuple[torch.Tensor, np.ndarray]:
        return _read(open_image(str(path), **self.options))


class _Later:
    """A reader of one image, whatever the path."""

    def __init__(self, image: Image) -> None:
        self.image = image

    def __call__(self, path: Any) -> Tuple[torch.Tensor, np.ndarray]:
        return _read(self.image)


def image_of(image: Image) -> "torchio.Image":
    """A torchio.LabelMap of a label map, else a ScalarImage; read when its data or shape are asked for."""
    kind = torchio.LabelMap if image.label else torchio.ScalarImage
    return kind(path=__file__, reader=_Later(image), verify_path=False, mist_path=image.path)


def subjects(dataset: Dataset, image: str = "image", label: str = "label") -> List["torchio.Subject"]:
    """A subject for each pair of image and label map, or for each image where there are none."""
    def one(side: Any) -> Any:
        if not isinstance(side, tuple):
            return image_of(side)
        made = [image_of(part) for part in side]
        return type(made[0])(tensor=torch.cat([part.data for part in made]), affine=made[0].affine)

    pairs = dataset.pairs()
    if pairs:
        return [torchio.Subject({image: one(pair.image), label: one(pair.label)}) for pair in pairs]
    return [torchio.Subject({image: image_of(found)}) for found in dataset]
