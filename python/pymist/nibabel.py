# SPDX-License-Identifier: BSD-2-Clause
"""nibabel: images whose data are fetched and decoded when they are asked for.

>>> import pymist, pymist.nibabel
>>> image = pymist.nibabel.load((DATASET, "mr-head/images/chris_PD.nii.gz"), size=64)
>>> image.shape, image.get_fdata().shape
((48, 64, 54), (48, 64, 54))
"""
from __future__ import annotations

from typing import Any

import nibabel
import numpy as np

from ._image import Image, open_image
from ._library import MistError


def image_of(image: Image) -> "nibabel.Nifti1Image":
    """A NIfTI image over `image`: its affine, and its `values()` as data, read when they are asked for.

    MistError for pictures and colours, which NIfTI has no axes for.
    """
    if image.ndim < 3 or image.layout.components:
        raise MistError(f"{image.name}: a NIfTI image has three axes or more and one number a voxel, not shape "
                        f"{image.shape}")
    affine = image.affine
    made = nibabel.Nifti1Image(image.dataobj, np.eye(4) if affine is None else affine)
    made.header.set_data_dtype(image.dataobj.dtype)
    if affine is None and len(image.spacing) == 3 and all(image.spacing):
        made.header.set_zooms((*image.spacing, *(1,) * (image.ndim - 3)))
    return made


def load(src: Any, *arguments: Any, **options: Any) -> "nibabel.Nifti1Image":
    """`pymist.open()` as a nibabel image."""
    return image_of(open_image(src, *arguments, **options))
