# SPDX-License-Identifier: BSD-2-Clause
"""MIST, the Medical Image Streaming Toolkit, in Python: arrays at the size that you train at.

>>> import pymist
>>> image = pymist.open((DATASET, "ct-angiography/images/CT_AVM.nii.gz"), size=64)
>>> image.shape, image.spacing
((64, 61, 154), (2.879770278930664, 2.8836543560028076, 1.0))
>>> image[:, :, 70].mean() > 0  # fetches and decodes one slice
True
>>> dataset = pymist.Dataset(DATASET, size=128, exact=True, where="format=png")
>>> [image.read().shape for image in dataset]
[(128, 128), (128, 128), (128, 128), (128, 128)]

docs/python.md is a page to begin with. Adapters for other libraries are modules of their own, imported when used:
pymist.torch, pymist.monai, pymist.torchio, pymist.nnunet, pymist.nibabel, pymist.pydicom; pymist.codec is the codec.
"""
from ._command import download, encode
from ._dataset import Attachment, Dataset, Pair
from ._image import Image
from ._image import open_image as open  # noqa: A001 - as numpy, PIL and h5py users expect it
from ._library import MistError
from ._request import Selection

__version__ = "0.1.0"
__all__ = ["Attachment", "Dataset", "Image", "MistError", "Pair", "Selection", "download", "encode", "open"]
