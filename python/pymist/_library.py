# SPDX-License-Identifier: BSD-2-Clause
"""The C library: finding it, its structures, its functions, its errors.

Everything that is called releases the GIL (ctypes does). Structures are laid out from the library's own table
(mist/structures.h), so that a library whose structures have grown goes on working.
"""
from __future__ import annotations

import ctypes
import os
import pathlib
import threading
from typing import Any, Dict, Iterator, List, Optional, Tuple

import numpy as np


class MistError(Exception):
    """What went wrong, as one sentence: the file, what is wrong with it, what was wanted.

    `status` is the kind of error in one word: "argument", "memory", "io", "corrupt", "truncated", "checksum",
    "unsupported", "limit", "range", "not found", "network".
    """

    def __init__(self, message: str, status: str = "argument") -> None:
        super().__init__(message)
        self.status = status

    def __reduce__(self):
        return MistError, (str(self), self.status)


STATUS = ("ok", "argument", "memory", "io", "corrupt", "truncated", "checksum", "unsupported", "limit", "range",
          "not found", "network", "cancelled")
DTYPES = tuple(np.dtype(code) for code in ("u1", "i1", "u2", "i2", "u4", "i4", "f2", "f4", "f8", "i8", "u8"))
MAX_LEVELS = 33
POLICIES = {"closest": 0, "at-least": 1, "at-most": 2}
GRIDS = {"native": 0, "center": 1}


# ---- the file ----

def _candidates() -> Iterator[Tuple[str, str]]:
    """Where the library may be, and what each place is called."""
    if os.environ.get("MIST_LIBRARY"):
        yield os.environ["MIST_LIBRARY"], "MIST_LIBRARY"
        return
    inside = pathlib.Path(__file__).parent / "lib" / "libmist-core.so"
    if inside.exists():
        yield str(inside), "the package"
    yield "libmist-core.so.0", "the system"
    yield "libmist-core.so", "the system"


def _load() -> ctypes.CDLL:
    reasons = []
    for path, place in _candidates():
        try:
            if place == "the package":  # what it links with lies beside it, and is found by its name once it is loaded
                for other in sorted(pathlib.Path(path).parent.glob("*.so.*")):
                    ctypes.CDLL(str(other))
            library = ctypes.CDLL(path)
            library.mist_structure
            return library
        except (OSError, AttributeError) as error:
            reasons.append(f"{place}: {error}")
    raise ImportError("pymist: there is no libmist-core: install the wheel (scripts/wheel), or name the library in "
                      "MIST_LIBRARY (" + "; ".join(reasons) + ")")


library = _load()


# ---- structures ----

class _Member(ctypes.Structure):
    _fields_ = [("structure", ctypes.c_char_p), ("member", ctypes.c_char_p), ("offset", ctypes.c_size_t),
                ("size", ctypes.c_size_t)]


def _read_table() -> Dict[str, Dict[str, Tuple[int, int]]]:
    library.mist_structure.restype = ctypes.POINTER(_Member)
    library.mist_structure.argtypes = [ctypes.c_size_t]
    table: Dict[str, Dict[str, Tuple[int, int]]] = {}
    index = 0
    while True:
        row = library.mist_structure(index)
        if not row:
            return table
        row = row.contents
        table.setdefault(row.structure.decode(), {})[row.member.decode()] = (row.offset, row.size)
        index += 1


_table = _read_table()


def _structure(name: str, /, **members: Any) -> type:
    """A ctypes structure of some members of a C structure, each at its place."""
    places = _table.get(name)
    missing = [member for member in members if not places or member not in places]
    if missing:
        raise ImportError(f"pymist: libmist-core is of another version: its {name} has no {', '.join(missing)}")
    fields: List[Tuple[str, Any]] = []
    end = 0
    for member in sorted(members, key=lambda m: places[m][0]):
        offset, size = places[member]
        kind = members[member]
        if ctypes.sizeof(kind) != size:
            raise ImportError(f"pymist: libmist-core is of another version: {name}.{member} has {size} bytes, not "
                              f"{ctypes.sizeof(kind)}")
        if offset > end:
            fields.append((f"_gap{end}", ctypes.c_char * (offset - end)))
        fields.append((member, kind))
        end = offset + size
    if places[""][1] > end:
        fields.append((f"_gap{end}", ctypes.c_char * (places[""][1] - end)))
    made = type(name, (ctypes.Structure,), {"_pack_": 1, "_fields_": fields})
    assert ctypes.sizeof(made) == places[""][1]
    return made


_u8, _u32, _u64, _int, _bool = ctypes.c_uint8, ctypes.c_uint32, ctypes.c_uint64, ctypes.c_int, ctypes.c_bool
_text, _pointer, _size, _double = ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_double

Error = _structure("mist_error", status=_int, message=ctypes.c_char * 500)
Buffer = _structure("mist_buffer", data=_pointer, size=_size, capacity=_size)
View = _structure("mist_view", data=_pointer, type=_int, width=_u32, height=_u32, components=_u32,
                  column_stride=_size, row_stride=_size, component_stride=_size)
Geometry = _structure("mist_geometry", has_affine=_bool, affine=_double * 16, spacing=_double * 3)
ImageInfo = _structure("mist_image_info", type=_int, precision=_u32, width=_u32, height=_u32, components=_u32,
                       frames=_u32, slices=_u32, axes=_u8 * 3, label=_bool, geometry=Geometry)
Piece = _structure("mist_item_piece", offset=_u64, data=_pointer, size=_size)
ItemInfo = _structure("mist_item_info", image=ImageInfo, format=ctypes.c_char * 16, levels=_u32, steps=_u32,
                      levels_present=_u32, centred=_bool, coder=_text, label=_text, kept=_text, files=_u32,
                      source_bytes=_u64, head_end=_u64, level_end=_u64 * MAX_LEVELS,
                      range_end=ctypes.POINTER(_u64), size=_u64, id=_u64)
ItemFile = _structure("mist_item_file", path=_text, first_frame=_u32, frames=_u32)
CatalogFile = _structure("mist_catalog_file", path=_text, frames=_u32)
CatalogItem = _structure("mist_catalog_item", path=_pointer, format=ctypes.c_char * 16, image=ImageInfo, levels=_u32,
                         steps=_u32, centred=_bool, label=_pointer, kept=_pointer, head_end=_u64,
                         level_end=_u64 * MAX_LEVELS, range_end=_pointer, size=_u64, id=_u64, source_bytes=_u64,
                         file_count=_u32, files=_pointer, column_count=_u32, columns=_pointer)
CatalogColumn = _structure("mist_catalog_column", name=_text, value=_text)
Card = _structure("mist_dataset_card", title=ctypes.c_char * 256, version=ctypes.c_char * 64,
                  licence=ctypes.c_char * 256, citation=ctypes.c_char * 512, description=ctypes.c_char * 1024)
CatalogAttachment = _structure("mist_catalog_attachment", path=_text, size=_u64, checksum=_u64, kept=_text)
CatalogEntry = _structure("mist_catalog_entry", kind=_int, item=CatalogItem, attachment=CatalogAttachment)
DatasetInfo = _structure("mist_dataset_info", name=ctypes.c_char * 65, items=_u64, attachments=_u64,
                         source_bytes=_u64, item_bytes=_u64, attachment_bytes=_u64, id=_u64, card=Card)
Request = _structure("mist_resolution_request", by_reduce=_bool, reduce=_u32, step=_u32, width=_u32, height=_u32,
                     depth=_u32, spacing=_double * 3, policy=_int, grid=_int, exact=_bool)
Choice = _structure("mist_choice", reduce=_u32, step=_u32)
Range = _structure("mist_byte_range", start=_u64, end=_u64)
Plan = _structure("mist_reading_plan", image=ImageInfo, fetched=Choice, ranges=_u32, range=Range * (MAX_LEVELS + 1))
EncodeOptions = _structure("mist_encode_options", precision=_u32, levels=_int, color_transform=_bool,
                           irreversible=_bool, threads=_u32)
ComponentInfo = _structure("mist_component_info", precision=_u32, is_signed=_bool, ordered_float=_bool, width=_u32,
                           height=_u32)
CodestreamInfo = _structure("mist_codestream_info", width=_u32, height=_u32, components=_u32,
                            component=ComponentInfo * 4, levels=_u32, reversible=_bool, tiles=_u32)
DecodeOptions = _structure("mist_decode_options", reduce=_u32, best_effort=_bool, component=_int, threads=_u32,
                           max_samples=_u64)
Visit = ctypes.CFUNCTYPE(None, _pointer, _u64, _u64)


# ---- functions ----

def _function(name: str, result: Any, *arguments: Any) -> Any:
    try:
        found = getattr(library, name)
    except AttributeError:
        raise ImportError(f"pymist: libmist-core is of another version: it has no {name}") from None
    found.restype, found.argtypes = result, list(arguments)
    return found


item_open_pieces = _function("mist_item_open_pieces", _int, _pointer, _size, _text, _pointer, _pointer)
item_close = _function("mist_item_close", None, _pointer)
item_info = _function("mist_item_info", ctypes.POINTER(ItemInfo), _pointer)
item_file = _function("mist_item_file", _bool, _pointer, _u32, _pointer)
item_verify = _function("mist_item_verify", _int, _pointer, _bool, _pointer, _pointer, _pointer)
item_part = _function("mist_item_part", _pointer, _pointer, _u32, ctypes.POINTER(_size))
item_plan = _function("mist_item_plan", _int, _pointer, _pointer, _pointer, _pointer)
item_plan_frames = _function("mist_item_plan_frames", _int, _pointer, _pointer, _u32, _u32, Visit, _pointer, _pointer)
item_read = _function("mist_item_read", _int, _pointer, _pointer, _pointer, _u32, _u32, _pointer, _pointer)
request_plan = _function("mist_request_plan", _int, _pointer, _pointer, _pointer, _pointer)
decoder_new = _function("mist_decoder_new", _pointer)
decoder_free = _function("mist_decoder_free", None, _pointer)
catalog_open_memory = _function("mist_catalog_open_memory", _int, _text, _size, _text, _pointer, _pointer)
catalog_close = _function("mist_catalog_close", None, _pointer)
catalog_dataset = _function("mist_catalog_dataset", ctypes.POINTER(DatasetInfo), _pointer)
catalog_next = _function("mist_catalog_next", _int, _pointer, _pointer, _pointer)
checksum = _function("mist_checksum", _u64, _text, _size)
buffer_free = _function("mist_buffer_free", None, _pointer)
codec_new = _function("mist_codec_new", _pointer)
codec_free = _function("mist_codec_free", None, _pointer)
encode_options_default = _function("mist_encode_options_default", EncodeOptions)
decode_options_default = _function("mist_decode_options_default", DecodeOptions)
codec_encode = _function("mist_encode", _int, _pointer, _pointer, _pointer, _pointer, _pointer)
codec_decode = _function("mist_decode", _int, _pointer, _text, _size, _pointer, _pointer, _pointer, _pointer)
codestream_info = _function("mist_codestream_info", _int, _text, _size, _pointer, _pointer)
codestream_component = _function("mist_codestream_component", _int, _text, _size, _u32, _u32, _pointer, _pointer)


def fail(error: Any) -> None:
    """Raises what a function that returned no 0 has written into `error`."""
    status = STATUS[error.status] if error.status < len(STATUS) else "io"
    raise MistError(error.message.decode("utf-8", "replace"), status)


# ---- what each thread has of its own ----

class _Owned:
    """A handle that goes with its last reference; in a process that was forked meanwhile it is only forgotten."""
    __slots__ = ("handle", "free", "process")

    def __init__(self, handle: Optional[int], free: Any, what: str) -> None:
        if not handle:
            self.handle = None
            raise MistError(f"{what}: out of memory", "memory")
        self.handle, self.free, self.process = ctypes.c_void_p(handle), free, os.getpid()

    def __del__(self, getpid=os.getpid, byref=ctypes.byref) -> None:
        if self.handle and self.process == getpid():
            self.free(byref(self.handle))


_local = threading.local()


def decoder() -> ctypes.c_void_p:
    """This thread's mist_decoder; after a fork a new one."""
    mine = getattr(_local, "decoder", None)
    if mine is None or mine.process != os.getpid():
        mine = _local.decoder = _Owned(decoder_new(), decoder_free, "decoding")
    return mine.handle


def codec() -> ctypes.c_void_p:
    """This thread's mist_codec; after a fork a new one."""
    mine = getattr(_local, "codec", None)
    if mine is None or mine.process != os.getpid():
        mine = _local.codec = _Owned(codec_new(), codec_free, "coding")
    return mine.handle


class Item:
    """An open mist_item over pieces of its file, which it keeps alive. Any number of threads may use one."""
    __slots__ = ("handle", "pieces", "info", "__weakref__")

    def __init__(self, pieces: Tuple[Tuple[int, bytes], ...], name: str) -> None:
        array = (Piece * len(pieces))()
        for place, (offset, data) in zip(array, pieces):
            place.offset, place.data, place.size = offset, ctypes.cast(data, ctypes.c_void_p).value, len(data)
        self.handle, error = ctypes.c_void_p(), Error()
        if item_open_pieces(array, len(pieces), name.encode("utf-8", "surrogateescape"), ctypes.byref(self.handle),
                            ctypes.byref(error)):
            fail(error)
        self.pieces = pieces  # the bytes lie there
        self.info = item_info(self.handle).contents

    def __del__(self, close=item_close, byref=ctypes.byref) -> None:
        if self.handle:
            close(byref(self.handle))

    def verify(self) -> None:
        """Everything that is here against the checksums in the head."""
        error = Error()
        if item_verify(self.handle, False, None, None, ctypes.byref(error)):
            fail(error)

    def part(self, tag: int) -> bytes:
        """Bytes that the head keeps: 0 the source's own header, others docs/format.md's extras; empty where none."""
        size = ctypes.c_size_t()
        at = item_part(self.handle, tag, ctypes.byref(size))
        return ctypes.string_at(at, size.value) if at else b""

    def files(self) -> List[Tuple[str, int]]:
        """Path and number of frames of each source file."""
        found, file = [], ItemFile()
        for index in range(self.info.files):
            item_file(self.handle, index, ctypes.byref(file))
            found.append((file.path.decode(), file.frames))
        return found

    def plan(self, request: Any) -> Any:
        plan, error = Plan(), Error()
        if item_plan(self.handle, ctypes.byref(request), ctypes.byref(plan), ctypes.byref(error)):
            fail(error)
        return plan

    def frame_ranges(self, request: Any, frames: List[Tuple[int, int]]) -> List[Tuple[int, int]]:
        """What runs of frames take, (first, count) each: [start, end) of the item file, ascending and joined."""
        ranges: List[Tuple[int, int]] = []
        error = Error()
        visit = Visit(lambda context, offset, size: ranges.append((offset, offset + size)))
        for first, count in frames:
            if item_plan_frames(self.handle, ctypes.byref(request), first, count, visit, None, ctypes.byref(error)):
                fail(error)
        return join(ranges)


def join(ranges: List[Tuple[int, int]]) -> List[Tuple[int, int]]:
    """Ranges sorted, and those that touch joined."""
    joined: List[Tuple[int, int]] = []
    for start, end in sorted(ranges):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        elif end > start:
            joined.append((start, end))
    return joined
