# SPDX-License-Identifier: BSD-2-Clause
"""The codec by itself: arrays to HTJ2K codestreams (ISO/IEC 15444-15) and back, losslessly, at any resolution.

>>> import numpy as np, pymist.codec
>>> picture = np.arange(64 * 48, dtype=np.uint16).reshape(64, 48)
>>> stream = pymist.codec.encode(picture, levels=3)
>>> (pymist.codec.decode(stream) == picture).all(), pymist.codec.decode(stream, reduce=1).shape
(True, (32, 24))
"""
from __future__ import annotations

import ctypes
from typing import Any, Dict

import numpy as np

from . import _library
from ._library import DTYPES, MistError
from ._request import _whole


def _view(array: np.ndarray) -> Any:
    """struct mist_view of (rows, columns, components), of any positive strides."""
    view = _library.View(data=array.ctypes.data, type=DTYPES.index(array.dtype), width=array.shape[1],
                         height=array.shape[0], components=array.shape[2])
    view.row_stride, view.column_stride, view.component_stride = array.strides
    return view


def encode(array: np.ndarray, *, precision: int = 0, levels: int = 0, color_transform: bool = True,
           threads: int = 1) -> bytes:
    """A lossless codestream of (rows, columns) or (rows, columns, 1 to 4 components).

    precision: bits of a sample that are used; 0: all of its type. levels: resolutions (1: only the full one); 0: as many
    as are useful. Resolutions come one after the other (RPCL, a tile-part each, TLM), so that a prefix is a smaller
    image. MistError where a sample does not fit into `precision` ("range"), or the array is none.
    """
    array = np.asarray(array)
    wide = array[..., None] if array.ndim == 2 else array
    kind = wide.dtype.newbyteorder("=")
    if wide.ndim != 3 or kind not in DTYPES or kind == np.float64 or wide.size == 0:
        raise MistError(f"an array of shape {array.shape} and type {array.dtype} cannot be coded; (rows, columns) or "
                        "(rows, columns, components) of integers to 64 bits, float16 or float32 can")
    wide = np.ascontiguousarray(wide, kind)
    options = _library.encode_options_default()
    options.precision = _whole(precision, "precision", 0, 64)
    options.levels = _whole(levels, "levels", 0, 33)
    options.color_transform = bool(color_transform)
    options.threads = _whole(threads, "threads", 1, 1024)
    view, out, error = _view(wide), _library.Buffer(), _library.Error()
    if _library.codec_encode(_library.codec(), ctypes.byref(view), ctypes.byref(options), ctypes.byref(out),
                             ctypes.byref(error)):
        _library.fail(error)
    try:
        return ctypes.string_at(out.data, out.size)
    finally:
        _library.buffer_free(ctypes.byref(out))


def info(data: bytes) -> Dict[str, Any]:
    """What the main header says: width, height, components, levels, tiles, reversible, precision, signed."""
    data = bytes(data)
    found, error = _library.CodestreamInfo(), _library.Error()
    if _library.codestream_info(data, len(data), ctypes.byref(found), ctypes.byref(error)):
        _library.fail(error)
    first = found.component[0]
    return {"width": found.width, "height": found.height, "components": found.components, "levels": found.levels,
            "tiles": found.tiles, "reversible": bool(found.reversible), "precision": first.precision,
            "signed": bool(first.is_signed), "float": bool(first.ordered_float)}


def decode(data: bytes, *, reduce: int = 0, best_effort: bool = False, threads: int = 1,
           dtype: Any = None) -> np.ndarray:
    """Samples of a codestream or JPH file, (rows, columns) or (rows, columns, components), in the narrowest integer type
    that holds them, or `dtype`.

    reduce: each side halved so often. best_effort: of a stream that ends early, use what has arrived. MistError for
    what is damaged or ends too early.
    """
    data = bytes(data)
    about = info(data)
    found, error = _library.ComponentInfo(), _library.Error()
    if _library.codestream_component(data, len(data), 0, _whole(reduce, "reduce", 0, 32), ctypes.byref(found),
                                     ctypes.byref(error)):
        _library.fail(error)
    if dtype is None:
        bits = next(bits for bits in (8, 16, 32, 64) if about["precision"] <= bits)
        if about["float"]:
            dtype = f"f{bits // 8}"
        else:
            dtype = ("i" if about["signed"] else "u") + str(bits // 8)
    kind = np.dtype(dtype)
    if kind not in DTYPES or about["components"] > 4:
        raise MistError(f"{about['components']} components cannot be decoded into {kind}", "unsupported")
    try:
        array = np.empty((found.height, found.width, about["components"]), kind)
    except (MemoryError, ValueError):
        raise MistError("there is no memory for the decoded samples", "memory") from None
    options = _library.decode_options_default()
    options.reduce, options.best_effort, options.threads = reduce, bool(best_effort), _whole(threads, "threads", 1, 1024)
    view = _view(array)
    if _library.codec_decode(_library.codec(), data, len(data), ctypes.byref(options), ctypes.byref(view), None,
                             ctypes.byref(error)):
        _library.fail(error)
    return array[..., 0] if about["components"] == 1 else array
