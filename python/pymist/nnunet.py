# SPDX-License-Identifier: BSD-2-Clause
"""nnU-Net v2: a reader of item files. The simplest way needs none: `mist get` into nnUNet_raw (docs/python.md).

    pymist.nnunet.install()      # in every process: nnU-Net's list of readers is closed
    # dataset.json: "file_ending": ".mist", "overwrite_image_reader_writer": "MistIO"

A smaller dataset does not train faster by itself: nnU-Net plans the patch by the data. Compare with a fixed plan.
"""
from __future__ import annotations

import os
import tempfile
from typing import Any, Dict, List, Tuple, Union

import nibabel
import numpy as np
from nnunetv2.imageio.base_reader_writer import BaseReaderWriter

from ._command import encode
from ._image import Image, open_image
from ._library import MistError

SIZE = "MIST_NNUNET_SIZE"


class MistIO(BaseReaderWriter):
    """Item files as float32 (channels, z, y, x), as nnU-Net's NibabelIO has them. The size is that of the environment's
    MIST_NNUNET_SIZE ("128", "128x128x64"; exactly), or full."""

    supported_file_endings = [".mist"]

    @staticmethod
    def _open(path: str) -> Image:
        size = os.environ.get(SIZE)
        return open_image(path, size=size, exact=bool(size))

    def read_images(self, image_fnames: Union[List[str], Tuple[str, ...]]) -> Tuple[np.ndarray, Dict[str, Any]]:
        """Each file's channels, one after the other; their shapes and affines must agree."""
        arrays, properties = [], {}
        for path in image_fnames:
            image = self._open(path)
            arrays.append(self._array(image))
            found = self._properties(image)
            if properties and (arrays[0].shape != arrays[-1].shape or not np.allclose(
                    found["nibabel_stuff"]["original_affine"], properties["nibabel_stuff"]["original_affine"], atol=1e-3)):
                raise MistError(f"{path}: its shape or affine is not that of {image_fnames[0]}")
            properties = properties or found
        return np.concatenate(arrays).astype(np.float32, copy=False), properties

    def read_seg(self, seg_fname: str) -> Tuple[np.ndarray, Dict[str, Any]]:
        """A label map as a single channel."""
        return self.read_images((seg_fname,))

    @staticmethod
    def _array(image: Image) -> np.ndarray:
        array = image.values()
        if image.layout.components:
            return np.moveaxis(array, -1, 0)[:, None]  # (colours, 1, rows, columns)
        if array.ndim == 2 and image.affine is None:
            return array[None, None]
        if array.ndim == 2:
            array = array[..., None]
        if array.ndim != 3:
            raise MistError(f"{image.name}: nnU-Net takes volumes of three axes and pictures, not shape {array.shape}")
        return array.transpose(2, 1, 0)[None]

    @staticmethod
    def _properties(image: Image) -> Dict[str, Any]:
        affine = image.affine
        if affine is None:
            return {"spacing": (999.0, 1.0, 1.0), "nibabel_stuff": {"original_affine": np.eye(4)}}
        spacing = [float(v) for v in image.spacing[::-1]]
        if len(spacing) == 2:
            spacing = [max(spacing) * 999.0, *spacing]
        return {"spacing": spacing, "nibabel_stuff": {"original_affine": affine}}

    def write_seg(self, seg: np.ndarray, output_fname: str, properties: Dict[str, Any]) -> None:
        """A segmentation, (z, y, x) of whole numbers: an item file where the name ends in .mist, which the program
        `mist` makes (it must be on PATH); else .nii.gz."""
        affine = properties["nibabel_stuff"]["original_affine"]
        seg = np.asarray(seg)
        kind = np.uint8 if seg.size == 0 or (seg.min() >= 0 and seg.max() < 256) else np.int16
        made = nibabel.Nifti1Image(seg.transpose(2, 1, 0).astype(kind), affine)
        if not output_fname.endswith(".mist"):
            nibabel.save(made, output_fname)
            return
        with tempfile.TemporaryDirectory(dir=os.path.dirname(os.path.abspath(output_fname))) as work:
            os.mkdir(os.path.join(work, "source"))
            nibabel.save(made, os.path.join(work, "source", "seg.nii.gz"))
            encode(os.path.join(work, "source"), os.path.join(work, "store"), "d", labels="*")
            os.replace(os.path.join(work, "store", "d", "items", "seg.nii.gz.mist"), output_fname)


def install() -> None:
    """Puts MistIO into nnU-Net's list of readers, and where it looks names up."""
    from nnunetv2.imageio import reader_writer_registry as registry
    if MistIO not in registry.LIST_OF_IO_CLASSES:
        registry.LIST_OF_IO_CLASSES.append(MistIO)
    find = registry.recursive_find_reader_writer_by_name
    if not getattr(find, "knows_mist", False):
        def found(name: str) -> Any:
            return MistIO if name == "MistIO" else find(name)
        found.knows_mist = True
        registry.recursive_find_reader_writer_by_name = found
