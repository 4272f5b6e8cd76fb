# SPDX-License-Identifier: BSD-2-Clause
"""MONAI: a reader for LoadImage and LoadImaged, and data lists with the resolution in each address.

    items = pymist.monai.items(pymist.Dataset(url, size=128, exact=True))      # [{"image": ADDRESS, "label": ADDRESS}]
    load = monai.transforms.LoadImaged(["image", "label"], reader=pymist.monai.MistReader(), ensure_channel_first=True)
    data = monai.data.PersistentDataset(items, load, cache_dir="cache")

An address ends in what is asked for ("...mist#size=128x128&exact"), so that caches that go by the item, as
PersistentDataset's does, never give one resolution for another.
"""
from __future__ import annotations

import re
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
from monai.config import PathLike
from monai.data.image_reader import ImageReader, _copy_compatible_dict, _stack_images
from monai.utils import ensure_tuple

from ._dataset import Dataset
from ._image import ADDRESS, Image, open_image


class MistReader(ImageReader):
    """Item files and addresses (`image.address`), at the resolution that the address names, or else the one given here.

    Arguments are those of `pymist.open()`. Arrays come as `values()` has them; volumes as (i, j, k), pictures with
    the column first, as MONAI's own readers have both. Several files of one item are channels.
    """

    def __init__(self, size: Any = None, reduce: Any = None, spacing: Any = None, policy: str = "closest",
                 grid: str = "native", exact: bool = False, channel_dim: Optional[int] = None,
                 token: Optional[str] = None) -> None:
        super().__init__()
        self.options = {"size": size, "reduce": reduce, "spacing": spacing, "policy": policy, "grid": grid,
                        "exact": exact, "token": token}
        self.channel_dim = channel_dim

    def verify_suffix(self, filename: Any) -> bool:
        """Whether all are item files."""
        return all(re.search(r"\.mist(#|$)", str(name)) for name in ensure_tuple(filename))

    def read(self, data: Sequence[PathLike] | PathLike, **kwargs: Any) -> Any:
        """Opened; nothing is decoded yet. MistError where one cannot be."""
        images = []
        for name in ensure_tuple(data):
            # LoadImage makes a Path of what it is given, which takes a slash from the address.
            name = re.sub(r"^(\w{2,}):/(?!/)", r"\1://", str(name))
            options = {**self.options, **kwargs}
            if ADDRESS.search(name):  # it says which resolution
                options = {key: value for key, value in options.items() if key == "token"}
            images.append(open_image(name, **options))
        return images if len(images) > 1 else images[0]

    def get_data(self, img: Any) -> Tuple[np.ndarray, Dict[str, Any]]:
        """The array, and MONAI's keys about it."""
        arrays: List[np.ndarray] = []
        meta: Dict[str, Any] = {}
        for image in ([img] if isinstance(img, Image) else img):
            array, spatial = image.values(), image.ndim - image.layout.components
            affine = image.affine
            flat = image.header["format"] not in ("nifti", "dicom", "nrrd", "metaimage") and spatial == 2
            if flat:
                array = np.swapaxes(array, 0, 1)
                affine = None  # pictures have no place in space
            spatial = min(spatial, 3)
            about = {"spatial_shape": np.asarray(array.shape[:spatial]), "space": "RAS",
                     "affine": np.eye(4) if affine is None else affine,
                     "original_affine": np.eye(4) if affine is None else affine.copy()}
            about["original_channel_dim"] = self.channel_dim if self.channel_dim is not None else (
                float("nan") if array.ndim == spatial else -1)
            arrays.append(array)
            _copy_compatible_dict(about, meta)
        return _stack_images(arrays, meta), meta


def items(dataset: Dataset, image: str = "image", label: str = "label") -> List[Dict[str, Any]]:
    """What MONAI's datasets take: a dict for each pair of image and label map, or for each image where there are none.
    Values are addresses at the dataset's resolution; tuples of them where a case has several channels."""
    def told(side: Any) -> Any:
        return tuple(one.address for one in side) if isinstance(side, tuple) else side.address

    pairs = dataset.pairs()
    if pairs:
        return [{image: told(pair.image), label: told(pair.label)} for pair in pairs]
    return [{image: one.address} for one in dataset]
