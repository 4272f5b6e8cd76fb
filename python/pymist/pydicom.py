# SPDX-License-Identifier: BSD-2-Clause
"""pydicom: High-Throughput JPEG 2000 (1.2.840.10008.1.2.4.201, .202, .203) decoded and encoded.

    import pydicom, pymist.pydicom                # now pixel_array works on such files, in pydicom 2 and 3
    pixels = pydicom.dcmread("ht.dcm").pixel_array
    pymist.pydicom.compress(pydicom.dcmread("ct.dcm")).save_as("small.dcm")
    quarter = pymist.pydicom.pixel_array(pydicom.dcmread("ht.dcm"), reduce=2)
"""
from __future__ import annotations

import struct
from typing import Any, List

import numpy as np
import pydicom
import pydicom.encaps
import pydicom.uid

from . import codec
from ._library import MistError

HTJ2K_LOSSLESS, HTJ2K_LOSSLESS_RPCL, HTJ2K = ("1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202",
                                              "1.2.840.10008.1.2.4.203")
SYNTAXES = (HTJ2K_LOSSLESS, HTJ2K_LOSSLESS_RPCL, HTJ2K)
DEFLATED = "1.2.840.10008.1.2.1.99"
# What pydicom asks its plug-ins for.
HANDLER_NAME = "pymist"
DEPENDENCIES = {"numpy": ("https://numpy.org/", "NumPy")}
DECODER_DEPENDENCIES = {pydicom.uid.UID(uid): ("pymist",) for uid in SYNTAXES}


def _frame(data: bytes, dataset: Any, reduce: int = 0) -> np.ndarray:
    """One frame as pydicom wants it: the type that Bits Allocated says, colours last."""
    kind = f"{'i' if dataset.get('PixelRepresentation', 0) else 'u'}{dataset.BitsAllocated // 8}"
    about = codec.info(data)
    rows, columns = -(-dataset.Rows // (1 << reduce)), -(-dataset.Columns // (1 << reduce))
    array = codec.decode(data, reduce=reduce)
    if array.shape[:2] != (rows, columns) or about["components"] != dataset.SamplesPerPixel:
        raise MistError(f"a frame of {array.shape} is in a dataset that says {rows} x {columns} x "
                        f"{dataset.SamplesPerPixel}", "corrupt")
    return array.astype(kind, copy=False)  # a stream may say unsigned where the dataset says signed: the bits count


def _fragments(dataset: Any) -> List[bytes]:
    """One codestream a frame."""
    frames = int(dataset.get("NumberOfFrames") or 1)
    if "ExtendedOffsetTable" in dataset:
        starts = struct.unpack(f"<{frames}Q", dataset.ExtendedOffsetTable)
        sizes = struct.unpack(f"<{frames}Q", dataset.ExtendedOffsetTableLengths)
        base = 8 + struct.unpack_from("<L", dataset.PixelData, 4)[0]
        return [dataset.PixelData[base + at + 8:base + at + 8 + size] for at, size in zip(starts, sizes)]
    if hasattr(pydicom.encaps, "generate_frames"):
        return list(pydicom.encaps.generate_frames(dataset.PixelData, number_of_frames=frames))
    return list(pydicom.encaps.generate_pixel_data_frame(dataset.PixelData, frames))


def pixel_array(dataset: pydicom.Dataset, reduce: int = 0) -> np.ndarray:
    """The frames of an HTJ2K dataset at 1/2^reduce of each side, as pydicom's `pixel_array`: only what that takes is
    decoded. MistError where a frame is damaged."""
    if dataset.file_meta.TransferSyntaxUID not in SYNTAXES:
        raise MistError(f"its transfer syntax {dataset.file_meta.TransferSyntaxUID} is not HTJ2K", "unsupported")
    frames = [_frame(data, dataset, reduce) for data in _fragments(dataset)]
    return frames[0] if len(frames) == 1 and not int(dataset.get("NumberOfFrames") or 1) > 1 else np.stack(frames)


# ---- as pydicom 3 calls it ----

def is_available(uid: Any = None) -> bool:
    """It is, of these transfer syntaxes."""
    return uid is None or uid in SYNTAXES


def _decode_frame(src: bytes, runner: Any) -> bytearray:
    """Called by pydicom's decoder for each frame."""
    array = codec.decode(src)
    bits = array.dtype.itemsize * 8
    if array.shape[:2] != (runner.rows, runner.columns):
        raise ValueError(f"pymist: a frame of {array.shape} is in a dataset that says {runner.rows} x {runner.columns}")
    runner.set_option("bits_allocated", bits)
    if array.ndim == 3:
        runner.set_option("planar_configuration", 0)
        if runner.photometric_interpretation in ("YBR_ICT", "YBR_RCT"):  # the transform is part of the stream
            runner.set_option("photometric_interpretation", "RGB")
    return bytearray(np.ascontiguousarray(array).data.cast("B"))


# ---- as pydicom 2 calls it ----

def supports_transfer_syntax(transfer_syntax: Any) -> bool:
    """These three."""
    return transfer_syntax in SYNTAXES


def needs_to_convert_to_RGB(ds: Any) -> bool:  # noqa: N802 - pydicom's name
    """No: the colour transform is part of the codestream."""
    return False


def should_change_PhotometricInterpretation_to_RGB(ds: Any) -> bool:  # noqa: N802 - pydicom's name
    """Where the dataset names the transform."""
    return ds.SamplesPerPixel == 3 and ds.PhotometricInterpretation in ("YBR_ICT", "YBR_RCT")


def get_pixeldata(ds: Any) -> np.ndarray:
    """All frames, one after the other."""
    array = pixel_array(ds).ravel()
    if should_change_PhotometricInterpretation_to_RGB(ds):
        ds.PhotometricInterpretation = "RGB"
    if ds.SamplesPerPixel > 1:
        ds.PlanarConfiguration = 0
    return array


def install() -> None:
    """Makes pydicom use it; done when this module is imported."""
    import sys
    if hasattr(pydicom, "pixels") or pydicom.__version_info__[0] >= "3":
        from pydicom.pixels import decoders
        for name in ("HTJ2KLosslessDecoder", "HTJ2KLosslessRPCLDecoder", "HTJ2KDecoder"):
            decoder = getattr(decoders, name)
            if "pymist" not in decoder._available:
                decoder.add_plugin("pymist", ("pymist.pydicom", "_decode_frame"))
    else:
        from pydicom import _uid_dict, config
        for uid, name in zip(SYNTAXES, ("HTJ2KLossless", "HTJ2KLosslessRPCL", "HTJ2K")):  # newer than pydicom 2
            _uid_dict.UID_dictionary.setdefault(uid, (name, "Transfer Syntax", "", "", name))
        module = sys.modules[__name__]
        if module not in config.pixel_data_handlers:
            config.pixel_data_handlers.insert(0, module)


# ---- encoding ----

def _native(dataset: Any, frames: int) -> np.ndarray:
    """All samples, (frames, rows, columns, samples). Those that are not compressed are taken as they are: pydicom 3 drops
    what is above Bits Stored."""
    rows, columns, samples = dataset.Rows, dataset.Columns, dataset.SamplesPerPixel
    if dataset.file_meta.TransferSyntaxUID.is_compressed and dataset.file_meta.TransferSyntaxUID != DEFLATED:
        return dataset.pixel_array.reshape(frames, rows, columns, samples)
    order = ">" if dataset.file_meta.TransferSyntaxUID == pydicom.uid.ExplicitVRBigEndian else "<"
    kind = np.dtype(f"{order}{'i' if dataset.get('PixelRepresentation', 0) else 'u'}{dataset.BitsAllocated // 8}")
    count = frames * rows * columns * samples
    if not count <= len(dataset.PixelData) // kind.itemsize <= count + 1:
        raise MistError(f"{len(dataset.PixelData)} bytes of pixels are not {frames} x {rows} x {columns} x {samples} samples "
                        f"of {dataset.BitsAllocated} bits", "unsupported")
    array = np.frombuffer(dataset.PixelData, kind, count)
    if samples > 1 and dataset.get("PlanarConfiguration", 0) == 1:
        return np.moveaxis(array.reshape(frames, samples, rows, columns), 1, -1)
    return array.reshape(frames, rows, columns, samples)


def compress(dataset: pydicom.Dataset, transfer_syntax: str = HTJ2K_LOSSLESS_RPCL, levels: int = 0) -> pydicom.Dataset:
    """The dataset with its pixels as lossless HTJ2K, one fragment a frame, with an Extended Offset Table; in place, and
    returned. What is compressed otherwise is decoded by pydicom before.

    transfer_syntax: .202 (resolutions in order, so that a prefix is a smaller image) or .201. levels: 0: as many as are
    useful; the standard asks for the codestream alone, so that any decoder may read any of them. MistError where pixels
    do not fit into Bits Stored, or are none.
    """
    if transfer_syntax not in (HTJ2K_LOSSLESS, HTJ2K_LOSSLESS_RPCL):
        raise MistError(f"{transfer_syntax} is no lossless HTJ2K transfer syntax; {HTJ2K_LOSSLESS_RPCL} is")
    if "PixelData" not in dataset:
        raise MistError("the dataset has no Pixel Data", "not found")
    if dataset.BitsAllocated not in (8, 16, 32):
        raise MistError(f"pixels of {dataset.BitsAllocated} bits are not coded", "unsupported")
    frames = int(dataset.get("NumberOfFrames") or 1)
    array = _native(dataset, frames)
    rgb = dataset.SamplesPerPixel == 3 and dataset.PhotometricInterpretation == "RGB"
    streams = [codec.encode(frame if dataset.SamplesPerPixel > 1 else frame[..., 0], precision=dataset.BitsStored,
                            levels=levels, color_transform=rgb) for frame in array]
    padded = [stream + b"\0" * (len(stream) % 2) for stream in streams]
    items = [struct.pack("<HHL", 0xFFFE, 0xE000, len(stream)) + stream for stream in padded]
    starts = np.cumsum([0] + [len(item) for item in items[:-1]])
    dataset.PixelData = struct.pack("<HHL", 0xFFFE, 0xE000, 0) + b"".join(items)
    dataset["PixelData"].is_undefined_length = True
    dataset["PixelData"].VR = "OB"
    dataset.ExtendedOffsetTable = struct.pack(f"<{frames}Q", *map(int, starts))
    dataset.ExtendedOffsetTableLengths = struct.pack(f"<{frames}Q", *map(len, padded))
    if rgb:
        dataset.PhotometricInterpretation = "YBR_RCT"
    if dataset.SamplesPerPixel > 1:
        dataset.PlanarConfiguration = 0
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID(transfer_syntax)
    if pydicom.__version_info__[0] < "3":
        dataset.is_little_endian, dataset.is_implicit_VR = True, False
    return dataset


install()
