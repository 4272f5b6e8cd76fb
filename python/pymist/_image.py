# SPDX-License-Identifier: BSD-2-Clause
"""Images: one item of a dataset at one resolution, as an array that is decoded when it is read."""
from __future__ import annotations

import concurrent.futures
import ctypes
import math
import os
import re
import sys
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from . import _library
from ._bytes import source_of
from ._cache import Cache
from ._library import DTYPES, Item, MistError
from ._request import Selection, Size
from ._rescale import frame_scaling, nifti_shape

GUESS = 32 << 10      # bytes that are read first of a file of which nothing is known
HEAD_MAX = 1 << 30    # docs/format.md, section 10, leaves room for less
ADDRESS = re.compile(r"(?<=\.mist)#([a-z]+(?:=[^#/]*)?)$")  # what an address asks for: Selection.text()
VOLUMES = frozenset(("nifti", "dicom", "nrrd", "metaimage"))
_VIEW = np.dtype({"names": [name for name, *_ in _library.View._fields_ if not name.startswith("_")],
                  "formats": [{8: "u8", 4: "u4"}[ctypes.sizeof(kind)] for name, kind in _library.View._fields_
                              if not name.startswith("_")],
                  "offsets": [getattr(_library.View, name).offset for name, *_ in _library.View._fields_
                              if not name.startswith("_")],
                  "itemsize": ctypes.sizeof(_library.View)})


# ---- bytes at hand ----

def _missing(ranges: Sequence[Tuple[int, int]], pieces: Sequence[Tuple[int, bytes]]) -> List[Tuple[int, int]]:
    """The parts of ascending ranges that no piece has."""
    missing = []
    for start, end in ranges:
        for offset, data in pieces:
            if offset >= end:
                break
            if offset + len(data) > start:
                if offset > start:
                    missing.append((start, offset))
                start = max(start, offset + len(data))
        if start < end:
            missing.append((start, end))
    return missing


def _merge(pieces: List[Tuple[int, bytes]]) -> Tuple[Tuple[int, bytes], ...]:
    """Pieces in order, those that touch joined: the library takes what lies in one piece."""
    merged: List[List[Any]] = []
    end = -1
    for offset, data in sorted(pieces, key=lambda piece: piece[0]):
        if merged and offset == end:
            merged[-1][1].append(data)
        else:
            merged.append([offset, [data]])
        end = offset + len(data)
    return tuple((offset, parts[0] if len(parts) == 1 else b"".join(parts)) for offset, parts in merged)


class Held:
    """What is here of one item file, and where more comes from; shared by all images of it.

    There is no lock that a fork could leave closed: what is held is one reference that is replaced as a whole. Two
    threads that add to it at the same moment may both fetch; one result stays.
    """

    def __init__(self, source: Any, row: Any = None, cache: Optional[Cache] = None) -> None:
        self.source, self.row, self.cache = source, row, cache
        self.item: Optional[Item] = None
        self.fetched = 0  # bytes that came from the source

    @property
    def name(self) -> str:
        return self.row.path if self.row is not None else self.source.name

    def _open(self, pieces: Tuple[Tuple[int, bytes], ...]) -> Item:
        item = Item(pieces, self.name)
        if self.row is not None and (item.info.id != self.row.id or item.info.size != self.row.size):
            raise MistError(f"{self.name}: its file is not the item that the catalog names; it was changed since, or "
                            "the host sends another one", "checksum")
        item.verify()
        return item

    def head(self) -> Item:
        """The item with at least its head."""
        if self.item is None:
            if self.row is not None:
                return self.ensure([(0, self.row.head_end)])
            data = self.source.read_start(GUESS)
            self.fetched += len(data)
            head = int.from_bytes(data[20:24], "little")  # docs/format.md, section 3.1
            if len(data) == GUESS and GUESS < head <= HEAD_MAX:
                data += self.source.read([(GUESS, head)])[0]
                self.fetched += head - GUESS
            item = Item(((0, data),), self.name)  # what is no item ends here
            ends = [item.info.head_end] + [item.info.range_end[i] for i in
                                           range(item.info.levels * (item.info.steps + 1))]
            whole = max(end for end in ends if end <= len(data))  # what was read of the next one is not kept
            self.item = self._open(((0, data[:whole]),)) if whole < len(data) else self._open(((0, data),))
        return self.item

    def ensure(self, ranges: Sequence[Tuple[int, int]]) -> Item:
        """The item with these ranges: what is missing of them is fetched, and checked."""
        item, kept, missing = self.wanting(ranges)
        if not missing and not kept and item is not None:
            return item
        return self.take(ranges, item, kept, missing, self.source.read(missing) if missing else [])

    def wanting(self, ranges: Sequence[Tuple[int, int]]) -> Tuple[Optional[Item], List[Tuple[int, bytes]],
                                                                  List[Tuple[int, int]]]:
        """What is here, what the cache has of what is not, and what has to be fetched."""
        item = self.item  # once: another thread may replace it meanwhile
        missing = _missing(ranges, item.pieces if item is not None else ())
        kept: List[Tuple[int, bytes]] = []
        if missing and self.cache is not None and self.row is not None:
            kept = self._from_cache(missing)
            missing = _missing(missing, kept)
        return item, kept, missing

    def take(self, ranges: Sequence[Tuple[int, int]], item: Optional[Item], kept: List[Tuple[int, bytes]],
             missing: Sequence[Tuple[int, int]], data: Sequence[bytes]) -> Item:
        """The item with what `wanting()` said, and the bytes of what was missing; all of it is checked."""
        fetched = [(start, part) for (start, _), part in zip(missing, data)]
        self.fetched += sum(map(len, data))
        try:
            item = self._open(_merge([*(item.pieces if item is not None else ()), *kept, *fetched]))
        except MistError:
            if not kept:
                raise
            self.cache.forget(self.row.path)  # perhaps only what was kept is damaged
            return self.ensure(ranges)
        if fetched and self.cache is not None and self.row is not None:
            try:
                self.cache.add(self.row.path, self.row.id, self.row.size, fetched)
            except OSError as error:
                raise MistError(f"{error.filename or self.cache.base}: the cache cannot be written: {error.strerror}",
                                "io") from None
        self.item = item
        return item

    def _from_cache(self, missing: Sequence[Tuple[int, int]]) -> List[Tuple[int, bytes]]:
        here = self.cache.held(self.row.path, self.row.id, self.row.size)
        wanted = [(max(start, low), min(end, high)) for start, end in missing for low, high in here
                  if max(start, low) < min(end, high)]
        data = self.cache.read(self.row.path, wanted) if wanted else None
        return [(start, part) for (start, _), part in zip(wanted, data)] if data else []


# ---- decoding ----

_pool: Tuple[int, Optional[concurrent.futures.ThreadPoolExecutor]] = (0, None)


def _workers() -> concurrent.futures.ThreadPoolExecutor:
    """Threads for large volumes: made when first needed, anew in a process that was forked."""
    global _pool
    if _pool[0] != os.getpid():
        _pool = os.getpid(), concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1, "pymist")
    return _pool[1]


def _default_threads() -> int:
    """All cores; one inside of a worker of a PyTorch DataLoader, of which there are several."""
    torch = sys.modules.get("torch.utils.data")
    if torch is not None and torch.get_worker_info() is not None:
        return 1
    return os.cpu_count() or 1


def _decode(item: Item, request: Any, first: int, frames: np.ndarray) -> None:
    """Frames [first, ...) into `frames`: (n, rows, columns, components), of any positive strides."""
    n, rows, columns, components = frames.shape
    views = np.zeros(n, _VIEW)
    views["data"] = frames.ctypes.data + np.arange(n, dtype=np.uint64) * np.uint64(frames.strides[0])
    views["type"] = DTYPES.index(frames.dtype)
    views["width"], views["height"], views["components"] = columns, rows, components
    views["row_stride"], views["column_stride"], views["component_stride"] = frames.strides[1:]
    error = _library.Error()
    if _library.item_read(item.handle, _library.decoder(), ctypes.byref(request), first, n, views.ctypes.data,
                          ctypes.byref(error)):
        _library.fail(error)


def _decode_all(item: Item, request: Any, first: int, frames: np.ndarray, threads: int) -> None:
    """The same by several threads: each a run of frames, since slices of label maps are coded in runs."""
    count = min(threads, len(frames) // 8)
    if count < 2 or frames.nbytes < 1 << 20:
        _decode(item, request, first, frames)
        return
    bounds = [len(frames) * i // count for i in range(count + 1)]
    jobs = [_workers().submit(_decode, item, request, first + low, frames[low:high])
            for low, high in zip(bounds, bounds[1:])]
    concurrent.futures.wait(jobs)
    for job in jobs:
        job.result()


def _empty(shape: Sequence[int], dtype: np.dtype, name: str) -> np.ndarray:
    try:
        return np.empty(shape, dtype)
    except (MemoryError, ValueError):
        size = "x".join(map(str, shape))
        raise MistError(f"{name}: there is no memory for {size} samples of type {dtype}", "memory") from None


# ---- how frames become the array ----

class Layout:
    """The array's axes: frames lie as `framed` (other axes..., slices, rows, columns, components) in memory; the array
    is that transposed by `order`, without the axes that it does not have."""
    __slots__ = ("framed", "order", "shape", "frame_axes", "components")

    def __init__(self, info: Any, kind: str, header: bytes) -> None:
        width, height, colours = info.width, info.height, info.components
        volumes = info.frames // info.slices
        extra: Tuple[int, ...] = (volumes,) if volumes > 1 else ()
        axes = list(info.axes)
        tail = (colours,) if colours > 1 else ()
        if kind in VOLUMES and (info.frames > 1 or kind == "nifti"):
            spatial = 3
            if kind == "nifti":
                spatial, extra = nifti_shape(header, info.slices, volumes)
            self.framed = (*reversed(extra), info.slices, height, width, colours)
            base = len(extra)
            place = {axes[0]: base + 2, axes[1]: base + 1, axes[2]: base}
            self.order = [place[axis] for axis in range(spatial)] + list(range(base - 1, -1, -1))
        elif info.frames == 1:
            self.framed = (1, height, width, colours)
            self.order = [1, 2]
        else:
            self.framed = (info.frames, height, width, colours)
            self.order = [0, 1, 2]
        self.components = bool(tail)
        if self.components:
            self.order.append(len(self.framed) - 1)
        self.shape = tuple(self.framed[axis] for axis in self.order)
        # Of the array's axes, those along which frames lie, slowest first.
        self.frame_axes = [self.order.index(axis) for axis in range(len(self.framed) - 3) if axis in self.order]

    def array(self, framed: np.ndarray) -> np.ndarray:
        """The array that these frames are."""
        left = [axis for axis in range(framed.ndim) if axis not in self.order]  # all of length 1
        return np.squeeze(framed.transpose(self.order + left), axis=tuple(range(len(self.order), framed.ndim)))

    def frames_of(self, array: np.ndarray) -> np.ndarray:
        """The reverse, as a view."""
        left = [axis for axis in range(len(self.framed)) if axis not in self.order]
        wide = array[(...,) + (None,) * len(left)]
        return wide.transpose(np.argsort(self.order + left))


class Image:
    """One image, volume or series at one resolution. Made by `pymist.open()` and `pymist.Dataset`.

    It behaves as an array that is read when it is asked for: `numpy.asarray(image)`, `image[10:20]`, `image.shape`.
    Volumes (NIfTI, DICOM series, NRRD, MetaImage) have the axes of NIfTI: (i, j, k), behind them time, then colours;
    pictures have (rows, columns) or (rows, columns, colours), behind the frame where there are several. Samples are
    those that the source stores; `values()` gives them in the units that its header defines (Hounsfield units ...).

    One image may be used by several threads, goes through pickle (bytes are then fetched again), and works on in a
    process that was forked.
    """

    def __init__(self, held: Held, selection: Selection, origin: Any, path: Optional[str] = None,
                 max_bytes: Optional[int] = None) -> None:
        self._held, self.selection, self._origin, self._path = held, selection, origin, path
        self._plan: Any = None
        self._placed: Any = None
        self._scaling: Any = False
        self._layout: Optional[Layout] = None
        if max_bytes is not None:
            self._choose_bytes(max_bytes)

    # ---- what it is ----

    def _choose_bytes(self, max_bytes: int) -> None:
        """The first level from the one asked for on that takes no more bytes."""
        levels = self._held.head().info.levels
        first, step = self.plan.fetched.reduce, self.plan.fetched.step
        for reduce in range(first, levels):
            if sum(r.end - r.start for r in self._ranges_of(self.plan)) <= max_bytes:
                return
            if self.selection.exact:
                break
            self.selection = Selection(reduce=(min(reduce + 1, levels - 1), step), grid=self.selection.grid)
            self._plan = None
        taken = self.fetch_bytes()
        if taken > max_bytes:
            raise MistError(f"{self.name}: even so small it takes {taken} bytes, more than the {max_bytes} allowed",
                            "limit")

    @staticmethod
    def _ranges_of(plan: Any) -> Any:
        return plan.range[:plan.ranges]

    @property
    def plan(self) -> Any:
        """The library's plan for this image (struct mist_reading_plan)."""
        if self._plan is None:
            self._plan = self._placed = self._held.head().plan(self.selection.request)
        return self._plan

    @property
    def layout(self) -> Layout:
        if self._layout is None:
            item = self._held.head()
            kind = item.info.format.decode()
            self._layout = Layout(self.plan.image, kind, item.part(0) if kind == "nifti" else b"")
        return self._layout

    @property
    def name(self) -> str:
        """Where it comes from, as messages say it."""
        return self._held.name

    @property
    def path(self) -> Optional[str]:
        """Its path in the dataset: that of its source file. None where it was opened without one."""
        if self._path is None:
            files = self._held.head().files()
            self._path = files[0][0] if len(files) == 1 else None
        return self._path

    @property
    def address(self) -> str:
        """What `pymist.open()` opens it by, resolution included: "PATH.mist#size=128x128&exact". A password or token of
        the host is not part of it. MistError for bytes and open files."""
        source = _source(self._origin)
        place = getattr(source, "address", None)
        if place is None:
            raise MistError(f"{self.name}: bytes at hand have no address")
        if not place.endswith(".mist"):
            raise MistError(f"{place}: only the name of an item file (.mist) can say which resolution")
        asked = self.selection.text()
        return f"{place}#{asked}" if asked else place

    @property
    def shape(self) -> Tuple[int, ...]:
        return self.layout.shape

    @property
    def ndim(self) -> int:
        return len(self.layout.shape)

    @property
    def size(self) -> int:
        return math.prod(self.layout.shape)

    @property
    def dtype(self) -> np.dtype:
        return DTYPES[self.plan.image.type]

    @property
    def nbytes(self) -> int:
        """Of the array in memory."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def label(self) -> bool:
        """Whether its values are names: a mask, a segmentation. They are sampled, never averaged."""
        return bool(self._held.head().info.image.label)

    @property
    def levels(self) -> int:
        """How many resolution levels it has; `reduce` goes from 0 to levels - 1."""
        return int(self._held.head().info.levels)

    @property
    def reduce(self) -> int:
        """How often each side is halved in what is fetched."""
        return int(self.plan.fetched.reduce)

    @property
    def slice_step(self) -> int:
        """Every 2^slice_step-th slice is fetched."""
        return int(self.plan.fetched.step)

    @property
    def full_shape(self) -> Tuple[int, ...]:
        """The shape at full resolution."""
        return self.shape if self._is_full() else self.at(reduce=0).shape

    def _is_full(self) -> bool:
        chosen = self.selection
        return chosen.size is None and chosen.spacing is None and chosen.reduce in (None, (0, 0))

    def _axes(self) -> List[int]:
        """For each of the array's axes in space: 0 column, 1 row, 2 slice."""
        layout = self.layout
        base = len(layout.framed) - 4
        return [{base + 2: 0, base + 1: 1, base: 2}[axis] for axis in layout.order if base <= axis < base + 3]

    @property
    def affine(self) -> Optional[np.ndarray]:
        """4 x 4, float64: array indices at this resolution to millimetres in RAS+; of pictures (row, column, 0, 1).

        None where the source says nothing of space.
        """
        geometry = self._geometry()
        if not geometry.has_affine:
            return None
        full = np.array(geometry.affine[:], np.float64).reshape(4, 4)
        axes = self._axes()
        axes += [axis for axis in (0, 1, 2) if axis not in axes]
        return full[:, [*axes, 3]]

    def _geometry(self) -> Any:
        if self._placed is None:  # a catalog's plan has no affine
            self._placed = self._held.head().plan(self.selection.request)
        return self._placed.image.geometry

    @property
    def spacing(self) -> Tuple[float, ...]:
        """Millimetres along each axis in space, at this resolution; 0 where the source says nothing of it."""
        spacing = self._geometry().spacing
        return tuple(float(spacing[axis]) for axis in self._axes())

    @property
    def header(self) -> Dict[str, Any]:
        """What the item says of itself, as plain values."""
        item = self._held.head()
        info = item.info
        text = {name: getattr(info, name).decode() if getattr(info, name) else None
                for name in ("coder", "label", "kept")}
        return {"format": info.format.decode(), "dtype": DTYPES[info.image.type].name,
                "precision": info.image.precision, "width": info.image.width, "height": info.image.height,
                "components": info.image.components, "frames": info.image.frames, "slices": info.image.slices,
                "levels": info.levels, "slice_steps": info.steps, "coder": text["coder"],
                "label_because": text["label"], "kept_because": text["kept"], "bytes": info.size,
                "source_bytes": info.source_bytes, "id": f"{info.id:016x}",
                "files": [path for path, _ in item.files()]}

    def source_header(self) -> bytes:
        """The bytes before the samples of a NIfTI file, as they are in the original; else nothing."""
        item = self._held.head()
        return item.part(0) if item.info.format == b"nifti" else b""

    # ---- bytes ----

    def fetch_bytes(self, reduce: Any = None) -> int:
        """How many bytes of the item file this takes in all (or: at `reduce`), those that are here already included."""
        plan = self.plan if reduce is None else self._held.head().plan(Selection(reduce=reduce).request)
        return sum(span.end - span.start for span in self._ranges_of(plan))

    @property
    def fetched_bytes(self) -> int:
        """How many bytes of this item were fetched so far, at all resolutions."""
        return self._held.fetched

    def fetch(self) -> "Image":
        """Fetches what is missing, and checks it; nothing is decoded. Returns the image."""
        self._whole()
        return self

    def _whole(self) -> Item:
        return self._held.ensure(self._needed())

    def _needed(self) -> List[Tuple[int, int]]:
        """The ranges that all samples take."""
        held = self._held
        if self._plan is None and held.row is not None:
            self._plan = held.row.plan(self.selection)
        return [(span.start, span.end) for span in self._ranges_of(self.plan)]

    # ---- samples ----

    def read(self, out: Optional[np.ndarray] = None, dtype: Any = None, threads: Optional[int] = None) -> np.ndarray:
        """All samples, as an array of the image's shape.

        `out`: an array of that shape that is filled and returned (memory that a tensor shares, for example); `dtype`:
        the samples converted as numpy's `astype` does; `threads`: that decode; by default all cores, or one inside of
        a worker of a PyTorch DataLoader.
        """
        item = self._whole()
        layout, kind = self.layout, self.dtype
        if out is not None and (not isinstance(out, np.ndarray) or out.shape != layout.shape):
            told = out.shape if isinstance(out, np.ndarray) else type(out).__name__
            raise MistError(f"{self.name}: out is {told}; it must be an array of shape {layout.shape}")
        if out is not None and dtype is not None and out.dtype != dtype:
            raise MistError(f"{self.name}: out is of type {out.dtype}, not {np.dtype(dtype)}")
        if out is not None and not out.flags.writeable:
            raise MistError(f"{self.name}: out cannot be written to")
        direct = out is not None and out.dtype == kind and all(
            stride > 0 and stride % kind.itemsize == 0 for stride, side in zip(out.strides, out.shape) if side > 1
        ) and out.ctypes.data % kind.itemsize == 0 and out.size > 0
        frames = layout.frames_of(out) if direct else None
        if frames is not None and any(stride <= 0 for stride in frames.strides):
            frames = None  # axes of one sample may have any stride
        target = frames if frames is not None else _empty(layout.framed, kind, self.name)
        self._fill(item, target, _default_threads() if threads is None else threads)
        if frames is not None:
            return out
        array = layout.array(target)
        if out is not None:
            np.copyto(out, array, casting="unsafe")
            return out
        return array if dtype is None else array.astype(dtype, copy=False)

    def _fill(self, item: Item, framed: np.ndarray, threads: int) -> None:
        """All frames into an array of the layout's `framed` shape, of any positive strides."""
        lead = framed.shape[:-4]
        if not lead:
            _decode_all(item, self.selection.request, 0, framed, threads)
            return
        for volume, place in enumerate(np.ndindex(*lead)):
            _decode_all(item, self.selection.request, volume * framed.shape[-4], framed[place], threads)

    def __array__(self, dtype: Any = None, copy: Optional[bool] = None) -> np.ndarray:
        if copy is False:
            raise ValueError("an image is decoded when it becomes an array: this cannot be without a copy")
        return self.read(dtype=dtype)

    def __getitem__(self, key: Any) -> np.ndarray:
        """A part: integers, slices and `...` decode only the frames that it has."""
        keys = _keys(key, self.ndim)
        if keys is None:  # arrays and masks
            return self.read()[key]
        layout = self.layout
        plain = [k for k in keys if k is not None]
        wanted, inner = {}, {}
        for axis, (k, length) in enumerate(zip(plain, layout.shape)):
            if axis in layout.frame_axes:
                chosen = np.arange(length)[k]  # IndexError as numpy says it
                wanted[axis] = np.atleast_1d(chosen)
                inner[axis] = 0 if np.ndim(chosen) == 0 else slice(None)
            else:
                inner[axis] = k
                np.arange(length)[k]
        lists = [wanted[axis] for axis in layout.frame_axes]
        framed = self._frames(layout, lists)
        array = layout.array(framed)
        final, axis = [], 0
        for k in keys:
            final.append(None if k is None else inner[axis])
            axis += k is not None
        return array[tuple(final)]

    def _frames(self, layout: Layout, lists: List[np.ndarray]) -> np.ndarray:
        """The frames at all combinations of places along the frame axes, as a `framed` array."""
        lead = [layout.framed[axis] for axis in range(len(layout.framed) - 3)]
        whole = []
        given = iter(lists)
        for axis in range(len(lead)):
            whole.append(next(given) if axis in layout.order else np.arange(1))
        numbers = np.zeros(1, np.int64)
        for places, length in zip(whole, lead):
            numbers = (numbers[:, None] * length + places[None, :]).ravel()
        framed = _empty([*(len(p) for p in whole), *layout.framed[-3:]], self.dtype, self.name)
        flat = framed.reshape(-1, *layout.framed[-3:])
        if framed.size == 0:
            return framed
        runs = _runs(numbers)
        total = math.prod(lead)
        if sum(count for _, count, _ in runs) == total:
            item = self._whole()
        else:
            head = self._held.head()
            spans = head.frame_ranges(self.selection.request, [(first, count) for first, count, _ in runs])
            item = self._held.ensure(_library.join([(0, head.info.head_end), *spans]))
        for first, count, at in runs:
            _decode_all(item, self.selection.request, first, flat[at:at + count], _default_threads())
        return framed

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    # ---- values ----

    @property
    def scaling(self) -> Optional[Tuple[np.ndarray, np.ndarray]]:
        """Slope and intercept of each frame, float64 each, where the source's header has some; else None.

        value = slope * sample + intercept: NIfTI's scl_slope and scl_inter, DICOM's rescale slope and intercept.
        """
        if self._scaling is False:
            self._scaling = self._find_scaling()
        return self._scaling

    def _find_scaling(self) -> Optional[Tuple[np.ndarray, np.ndarray]]:
        item = self._held.head()
        found = frame_scaling(item)
        if found is None:
            return None
        slope, intercept = found
        if len(slope) > 1:  # one for each frame of the item
            full, image = item.info.image, self.plan.image
            step = full.slices / image.slices if self.selection.exact else 1 << self.plan.fetched.step
            places = np.minimum((np.arange(image.slices) * step).astype(int), full.slices - 1)
            frames = (np.arange(full.frames // full.slices)[:, None] * full.slices + places).ravel()
            slope, intercept = slope[frames], intercept[frames]
        return slope, intercept

    def values(self, dtype: Any = None, threads: Optional[int] = None) -> np.ndarray:
        """The samples in the units that the source's header defines (Hounsfield units, Bq/ml, ...).

        float64 as nibabel has them where there is a slope or intercept, else the samples' own type; or `dtype`.
        """
        scaling = self.scaling
        if scaling is None:
            return self.read(dtype=dtype, threads=threads)
        slope, intercept = scaling
        array = self.read(threads=threads).astype(np.float64)
        if len(slope) == 1:
            array = array * slope[0] + intercept[0]
        else:
            layout = self.layout
            framed = layout.frames_of(array)
            lead = framed.shape[:-3]
            framed *= slope.reshape(*lead, 1, 1, 1)
            framed += intercept.reshape(*lead, 1, 1, 1)
        return array if dtype is None else array.astype(dtype, copy=False)

    # ---- other resolutions ----

    def at(self, size: Optional[Size] = None, *, reduce: Any = None, spacing: Any = None, policy: Optional[str] = None,
           grid: Optional[str] = None, exact: Optional[bool] = None) -> "Image":
        """The same image at another resolution; what is here already is not fetched again."""
        chosen = self.selection
        exact = (chosen.exact if size is not None else False) if exact is None else exact
        selection = Selection(size, reduce, spacing, policy or chosen.policy, grid or chosen.grid, exact)
        return Image(self._held, selection, self._origin, self._path)._there()

    def _there(self) -> "Image":
        """Itself, where it has the level that was asked for by number: one that is told apart by nothing but its
        number is not replaced by another."""
        if self.selection.reduce is not None:
            about = self._held.row or self._held.head().info
            for asked, last, what in zip(self.selection.reduce, (about.levels - 1, about.steps), ("", "'s slice step")):
                if asked > last:
                    raise MistError(f"{self.name}: reduce{what} is {asked}; this image has 0 to {last}", "range")
        return self

    def upgrade(self, reduce: Any = 0) -> "Image":
        """Fetches what is missing for a higher resolution (by default the full one), and returns that image."""
        return self.at(reduce=reduce).fetch()

    # ---- for others ----

    is_proxy = True

    @property
    def dataobj(self) -> Any:
        """What nibabel calls an array proxy: `values()`, read when it is asked for."""
        return Values(self)

    def to_nibabel(self) -> Any:
        """A nibabel image whose data are read when they are asked for."""
        from . import nibabel
        return nibabel.image_of(self)

    def __reduce__(self):
        return _reopen, (self._origin, self._held.row, self._held.cache and (self._held.cache.base,), self.selection,
                         self._path)

    def __repr__(self) -> str:
        try:
            told = f"{'x'.join(map(str, self.shape))} {self.dtype.name}"
        except MistError as error:
            told = str(error)
        return f"<pymist.Image {self.name}: {told}>"


class Values:
    """An array proxy of `image.values()`."""
    is_proxy = True

    def __init__(self, image: Image) -> None:
        self.image = image

    @property
    def shape(self) -> Tuple[int, ...]:
        return self.image.shape

    @property
    def ndim(self) -> int:
        return self.image.ndim

    @property
    def dtype(self) -> np.dtype:
        return self.image.dtype if self.image.scaling is None else np.dtype(np.float64)

    def __array__(self, dtype: Any = None, copy: Optional[bool] = None) -> np.ndarray:
        return self.image.values(dtype)

    def __getitem__(self, key: Any) -> np.ndarray:
        scaling = self.image.scaling
        if scaling is None:
            return self.image[key]
        if len(scaling[0]) == 1:
            return self.image[key] * scaling[0][0] + scaling[1][0]
        return self.image.values()[key]


def _keys(key: Any, ndim: int) -> Optional[List[Any]]:
    """One integer, slice or None for each axis; None where there is something else among them."""
    keys = list(key) if isinstance(key, tuple) else [key]
    keys = [int(k) if isinstance(k, np.integer) else k for k in keys]
    if any(isinstance(k, bool) or not (k is None or k is Ellipsis or isinstance(k, (int, slice))) for k in keys):
        return None
    given = sum(k is not None and k is not Ellipsis for k in keys)
    if given > ndim or sum(k is Ellipsis for k in keys) > 1:
        raise IndexError(f"too many indices: the image has {ndim} axes")
    if Ellipsis not in keys:
        keys.append(Ellipsis)
    place = keys.index(Ellipsis)
    return keys[:place] + [slice(None)] * (ndim - given) + keys[place + 1:]


def _runs(numbers: np.ndarray) -> List[Tuple[int, int, int]]:
    """Runs of ascending neighbours: (first, how many, where it begins in `numbers`)."""
    breaks = np.flatnonzero(np.diff(numbers) != 1) + 1
    bounds = [0, *breaks.tolist(), len(numbers)]
    return [(int(numbers[low]), high - low, low) for low, high in zip(bounds, bounds[1:]) if high > low]


def _reopen(origin: Any, row: Any, cache: Any, selection: Selection, path: Optional[str]) -> Image:
    return Image(Held(_source(origin), row, cache and Cache(cache[0], row.dataset)), selection, origin, path)


def _source(origin: Any) -> Any:
    """An origin is a source already, or ("dataset place", path)."""
    if isinstance(origin, tuple):
        from ._bytes import file_below
        return file_below(*origin)
    return origin


def open_image(src: Any, size: Optional[Size] = None, *, reduce: Any = None, spacing: Any = None,
               max_bytes: Optional[int] = None, policy: str = "closest", grid: str = "native", exact: bool = False,
               token: Optional[str] = None, cache: Any = None, storage_options: Optional[Dict[str, Any]] = None) -> Image:
    """Opens one image; only its head is read, what is asked for is read later.

    src: the path or address (http, https, file, or one of fsspec's: s3, gs, hf ...) of an item file (.mist) or of a
    prefix of one, which may end in what is asked for (`image.address`: "scan.nii.gz.mist#size=128x128&exact");
    `(dataset, path)`, the address of a dataset and a path in it; bytes; or an open binary file.

    size: S, (W, H) or (W, H, D) in samples: the level closest to it, or with `exact=True` just that, resampled.
    reduce: R, each side halved R times, or (R, S) with every 2^S-th slice. spacing: millimetres. Without any of these:
    full resolution. policy: "closest", "at-least" or "at-most". grid: "native" (sample n lies on sample 2^r n of the
    original) or "center" (where conventional downsampling puts it). max_bytes: lower levels until no more are taken.
    token: sent to the host as "Authorization: Bearer". cache: a directory in which fetched bytes are kept, shared with
    `mist get --cache`; only with `(dataset, path)`.

    Raises MistError where it cannot be opened.

    >>> image = open_image((DATASET, "cxr/00000061_012.png"), size=128)
    >>> image.shape, image.dtype, image.full_shape
    ((128, 128), dtype('uint8'), (1024, 1024))
    >>> image.fetch_bytes() < image.fetch_bytes(reduce=0) / 30
    True
    """
    selection = Selection(size, reduce, spacing, policy, grid, exact)
    asked = ADDRESS.search(os.fspath(src)) if isinstance(src, (str, os.PathLike)) else None
    if asked:
        if selection != Selection():
            raise MistError(f"{os.fspath(src)}: the address says which resolution; nothing else can be asked for")
        src, selection = os.fspath(src)[:asked.start()], Selection.parse(asked[1])
    if isinstance(src, tuple):
        if len(src) != 2:
            raise MistError("(dataset, path) has two parts")
        from ._dataset import Dataset
        found = Dataset(src[0], token=token, cache=cache, storage_options=storage_options).find(str(src[1]))
        return Image(found._held, selection, found._origin, found._path, max_bytes)._there()
    if cache is not None:
        raise MistError("a cache needs (dataset, path): it is laid out by dataset")
    source = source_of(src, token, storage_options)
    image = Image(Held(source), selection, source, None, max_bytes)
    image._held.head()
    return image._there()
