# SPDX-License-Identifier: BSD-2-Clause
"""What a source's header says of its values: NIfTI's and DICOM's slopes and intercepts, NIfTI's dimensions."""
from __future__ import annotations

import math
import struct
from typing import List, Optional, Tuple

import numpy as np

from ._library import Item, MistError

FRAMES = 3  # docs/format.md, section 8.2: what conversion needs of each DICOM frame


# ---- NIfTI ----

def _nifti(header: bytes) -> Optional[Tuple[str, bool]]:
    """Byte order, and whether it is version 2; None where this is no NIfTI header."""
    for order in "<>":
        size = struct.unpack_from(order + "i", header)[0] if len(header) >= 352 else 0
        if size == 348:
            return order, False
        if size == 540 and len(header) >= 540:
            return order, True
    return None


def nifti_shape(header: bytes, slices: int, volumes: int) -> Tuple[int, Tuple[int, ...]]:
    """How many axes in space the file has, and its other axes."""
    usual = 3, ((volumes,) if volumes > 1 else ())
    found = _nifti(header)
    if found is None:
        return usual
    order, second = found
    dims = struct.unpack_from(order + ("8q" if second else "8h"), header, 16 if second else 40)
    count = dims[0]
    if not 1 <= count <= 7 or any(side < 1 for side in dims[1:count + 1]):
        return usual
    if count <= 2 and slices == 1 and volumes == 1:
        return 2, ()
    extra = dims[4:count + 1]
    return (3, extra) if math.prod(extra) == volumes else usual


def _nifti_scaling(header: bytes) -> Optional[Tuple[float, float]]:
    found = _nifti(header)
    if found is None:
        return None
    order, second = found
    slope, intercept = struct.unpack_from(order + ("2d" if second else "2f"), header, 176 if second else 112)
    if slope == 0 or not math.isfinite(slope) or not math.isfinite(intercept) or (slope, intercept) == (1, 0):
        return None
    return slope, intercept


# ---- DICOM ----

class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def reals(self, count: int) -> np.ndarray:
        if self.at + 8 * count > len(self.data):
            raise IndexError
        found = np.frombuffer(self.data, "<f8", count, self.at)
        self.at += 8 * count
        return found

    def varint(self) -> int:
        value, shift = 0, 0
        while True:
            byte = self.byte()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
            if shift > 63:
                raise IndexError

    def column(self, count: int) -> np.ndarray:
        kind = self.byte()
        if kind == 0:
            return np.repeat(self.reals(1), count)
        if kind == 1:
            return self.reals(count)
        if kind > 8:
            raise IndexError
        values: List[int] = []
        for i in range(count):
            folded = self.varint()
            second = folded >> 1 if folded % 2 == 0 else -((folded + 1) >> 1)
            before = values[-1] if values else 0
            difference = second + (before - (values[-2] if i > 1 else 0) if i else 0)
            values.append(before + difference)
        return np.array(values, float) / 10.0 ** (kind - 2)


# Numbers before the slope: flags, tile, has_position, has_directions, has_rescale, position and directions (9),
# spacing (2), slice_spacing, slice_thickness.
BEFORE_RESCALE, BEHIND_RESCALE = 4, 13


def _dicom_scaling(data: bytes, frames: int) -> Optional[Tuple[np.ndarray, np.ndarray]]:
    reader = _Reader(data)
    reader.byte(), reader.byte(), reader.byte()
    reader.reals(1)
    count = reader.varint()
    if count != frames:
        raise IndexError
    for _ in range(BEFORE_RESCALE):
        reader.column(count)
    there = reader.column(count)
    for _ in range(BEHIND_RESCALE):
        reader.column(count)
    slope, intercept = reader.column(count), reader.column(count)
    if not there.any() or (np.all(slope == 1) and np.all(intercept == 0)):
        return None
    alike = np.all(slope == slope[0]) and np.all(intercept == intercept[0])
    return (slope[:1], intercept[:1]) if alike else (slope, intercept)


def frame_scaling(item: Item) -> Optional[Tuple[np.ndarray, np.ndarray]]:
    """Slope and intercept: one for all frames, or one for each frame of the item; None where there are none."""
    if item.info.image.label:
        return None
    if item.info.format == b"nifti":
        found = _nifti_scaling(item.part(0))
        return (np.array([found[0]]), np.array([found[1]])) if found else None
    if item.info.format == b"dicom":
        data = item.part(FRAMES)
        try:
            return _dicom_scaling(data, item.info.image.frames) if data else None
        except (IndexError, ValueError):
            raise MistError("the description of its DICOM frames is damaged", "corrupt") from None
    return None
