# SPDX-License-Identifier: BSD-2-Clause
"""Datasets: what a catalog lists, as a sequence of images."""
from __future__ import annotations

import csv
import ctypes
import fnmatch
import io
import json
import os
import re
import warnings
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

from . import _library
from ._bytes import Http, file_below, place_of, read_whole
from ._cache import cache_of
from ._image import Held, Image
from ._library import DTYPES, CatalogItem, MistError
from ._request import Selection, Size

CATALOG = "catalog.jsonl.zst"
Patterns = Union[str, Sequence[str], None]


class Row:
    """What a catalog says of one item."""
    __slots__ = ("dataset", "path", "id", "size", "head_end", "levels", "steps", "files", "values", "label", "kept", "columns", "_blob",
                 "_ends", "_plans")

    def __init__(self, dataset: str, item: Any) -> None:
        self.dataset = dataset
        self.path: str = ctypes.string_at(item.path).decode()
        self.id, self.size, self.head_end = item.id, item.size, item.head_end
        self.levels, self.steps = int(item.levels), int(item.steps)
        self._blob = bytes(item)
        self._ends = ctypes.string_at(item.range_end, 8 * item.levels * (item.steps + 1))
        self.label = ctypes.string_at(item.label).decode() if item.label else None
        self.kept = ctypes.string_at(item.kept).decode() if item.kept else None
        self.files: List[Tuple[str, int]] = []
        files = (_library.CatalogFile * item.file_count).from_address(item.files) if item.file_count else ()
        for file in files:
            self.files.append((file.path.decode(), file.frames))
        columns = (_library.CatalogColumn * item.column_count).from_address(item.columns) if item.column_count else ()
        self.columns: Dict[str, str] = {column.name.decode(): column.value.decode() for column in columns}
        self._plans: Dict[Selection, Any] = {}

    def __getstate__(self):
        return {name: getattr(self, name) for name in self.__slots__ if name != "_plans" and hasattr(self, name)}

    def __setstate__(self, state: Dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)
        self._plans = {}

    def item(self) -> Any:
        """The library's row (struct mist_catalog_item), without the files; its texts live as long as it does."""
        made = CatalogItem.from_buffer_copy(self._blob)
        texts = [text.encode() if text is not None else None for text in (self.path, self.label, self.kept)]
        made.path, made.label, made.kept = (text and ctypes.cast(text, ctypes.c_void_p).value for text in texts)
        made.range_end = ctypes.cast(self._ends, ctypes.c_void_p).value
        made.files, made.file_count = None, 1
        made.columns, made.column_count = None, 0
        made._alive = texts
        return made

    def plan(self, selection: Selection) -> Any:
        """What meets a request (struct mist_reading_plan)."""
        found = self._plans.get(selection)
        if found is None:
            found, error, item = _library.Plan(), _library.Error(), self.item()
            if _library.request_plan(ctypes.byref(item), ctypes.byref(selection.request), ctypes.byref(found),
                                     ctypes.byref(error)):
                _library.fail(error)
            self._plans = {selection: found}  # the last one: a curriculum comes back to none
        return found

    def bytes(self, selection: Selection) -> int:
        plan = self.plan(selection)
        return sum(span.end - span.start for span in plan.range[:plan.ranges])

    def about(self) -> Dict[str, Any]:
        """As a row of a table."""
        item = self.item()
        image = item.image
        columns, rows, slices = image.width, image.height, image.slices
        return {**self.columns, "path": self.path, "format": item.format.decode(), "dtype": DTYPES[image.type].name,
                "width": columns, "height": rows, "components": image.components, "slices": slices,
                "frames": image.frames, "label": bool(image.label), "levels": item.levels, "bytes": self.size,
                "source_bytes": item.source_bytes, "spacing": tuple(image.geometry.spacing), "files": len(self.files)}


class Attachment(NamedTuple):
    """A file of the dataset that is no image: a table, a licence."""
    path: str
    size: int
    checksum: int
    kept: Optional[str]  # it is an image; why it is no item


class Pair(NamedTuple):
    """Images of one case and their label map; several images (channels) or several masks are a tuple."""
    image: Any
    label: Any


def _read_catalog(data: bytes, name: str) -> Tuple[str, int, Dict[str, str], List[Row], List[Attachment]]:
    handle, error = ctypes.c_void_p(), _library.Error()
    shown = name.encode("utf-8", "surrogateescape")
    if _library.catalog_open_memory(data, len(data), shown, ctypes.byref(handle), ctypes.byref(error)):
        _library.fail(error)
    try:
        about = _library.catalog_dataset(handle).contents
        dataset, identity = about.name.decode(), about.id
        card = {member: getattr(about.card, member).decode() for member in ("title", "version", "licence", "citation",
                                                                            "description")}
        rows, attachments, entry = [], [], _library.CatalogEntry()
        while True:
            if _library.catalog_next(handle, ctypes.byref(entry), ctypes.byref(error)):
                _library.fail(error)
            if entry.kind == 1:
                rows.append(Row(dataset, entry.item))
            elif entry.kind == 2:
                file = entry.attachment
                attachments.append(Attachment(file.path.decode(), file.size, file.checksum,
                                              file.kept.decode() if file.kept else None))
            else:
                return dataset, identity, {name: text for name, text in card.items() if text}, rows, attachments
    finally:
        _library.catalog_close(ctypes.byref(handle))


# ---- choosing ----

def _patterns(patterns: Patterns, what: str) -> List[Callable[[str], Any]]:
    patterns = [patterns] if isinstance(patterns, str) else list(patterns or [])
    if not all(isinstance(pattern, str) for pattern in patterns):
        raise MistError(f"{what} must be a shell pattern or several")
    return [re.compile(fnmatch.translate(pattern.rstrip("/"))).match for pattern in patterns]


def _matches(patterns: List[Callable[[str], Any]], row: Row) -> bool:
    """As `mist get` does: '*' matches '/', too; what matches a directory matches all below it."""
    for path in {row.path, *(path for path, _ in row.files)}:
        parts = path.split("/")
        for end in range(len(parts), 0, -1):
            if any(pattern("/".join(parts[:end])) for pattern in patterns):
                return True
    return False


Where = Union[Callable[[Dict[str, Any]], bool], Mapping[str, Any], str, Sequence[str], None]
_COMPARE = {"=": lambda a, b: a == b, "!=": lambda a, b: a != b, "<": lambda a, b: a < b, "<=": lambda a, b: a <= b,
            ">": lambda a, b: a > b, ">=": lambda a, b: a >= b}


def _number(value: Any) -> Any:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _test(found: Any, sign: str, wanted: str) -> bool:
    """As `mist get --where`: a list of the table ("A|B") meets a condition if a member does, or with = the whole."""
    if found in (None, ""):
        return False
    if isinstance(found, str) and "|" in found:
        if sign == "=" and _test_one(found, sign, wanted):
            return True
        return (all if sign == "!=" else any)(_test_one(one, sign, wanted) for one in found.split("|"))
    return _test_one(found, sign, wanted)


def _test_one(found: Any, sign: str, wanted: str) -> bool:
    if isinstance(found, bool):
        found = str(found).lower()
        wanted = wanted.lower()
    left, right = _number(found), _number(wanted)
    if left is not None and right is not None:
        return _COMPARE[sign](left, right)
    if sign in ("=", "!="):
        return fnmatch.fnmatchcase(str(found), wanted) == (sign == "=")
    return found not in (None, "") and _COMPARE[sign](str(found), wanted)


def _condition(where: Where, known: Iterable[str]) -> Callable[[Dict[str, Any]], bool]:
    if where is None:
        return lambda row: True
    if callable(where):
        return where
    known = set(known)

    def check(name: str) -> str:
        if known and name not in known:
            raise MistError(f"there is no column {name!r}; there are {', '.join(sorted(known))}", "not found")
        return name

    if isinstance(where, Mapping):
        wanted = {check(name): value for name, value in where.items()}
        return lambda row: all(
            any(_test(row.get(name), "=", str(one)) for one in value) if isinstance(value, (list, tuple, set))
            else _test(row.get(name), "=", str(value)) for name, value in wanted.items())
    tests = []
    for text in [where] if isinstance(where, str) else list(where):
        found = re.fullmatch(r"\s*(.+?)\s*(!=|<=|>=|=|<|>)\s*(.*?)\s*", text) if isinstance(text, str) else None
        if not found:
            raise MistError(f"where is {text!r}; it must be COLUMN=VALUE (or !=, <, <=, >, >=), a dict or a function")
        tests.append((check(found[1]), found[2], found[3]))
    return lambda row: all(_test(row.get(name), sign, value) for name, sign, value in tests)


# ---- the sequence ----

class Dataset(Sequence):
    """The images of a dataset at one resolution, in the order of their paths; what is fetched is fetched when read.

    url: where its catalog is: http(s)://HOST/DATASET, a directory, file:///PATH, or an address that fsspec knows
    (s3://BUCKET/PREFIX/DATASET ...). size, reduce, spacing, policy, grid, exact: as of `pymist.open()`.
    include, exclude: shell patterns on paths, as of `mist get`. where: which rows of `catalog` are taken: a text
    'COLUMN=VALUE' (or !=, <, <=, >, >=; '*' stands for anything) or several, all of which must be true; a dict of
    values, or lists of values, by column; or a function of a row. cache: a directory in which fetched bytes are kept.

    >>> dataset = Dataset(DATASET, size=128, include="cxr/*")
    >>> len(dataset), dataset[0].path
    (4, 'cxr/00000061_012.png')
    >>> sum(image.read().nbytes for image in dataset)
    65536

    `name`, `id`: of the dataset. `card`: what it says of itself: a dict with title, version, licence, citation,
    description, as far as they are known. Columns of the dataset's own tables stand in `catalog` before the others.

    One may be used by several threads, goes through pickle with its catalog, and works on after a fork.
    """

    def __init__(self, url: Any, size: Optional[Size] = None, *, reduce: Any = None, spacing: Any = None,
                 policy: str = "closest", grid: str = "native", exact: bool = False, where: Where = None,
                 include: Patterns = None, exclude: Patterns = None, cache: Any = None, token: Optional[str] = None,
                 storage_options: Optional[Dict[str, Any]] = None) -> None:
        if not isinstance(url, (str, os.PathLike)):
            raise MistError(f"the address of a dataset is no {type(url).__name__}")
        self.url = os.fspath(url)
        self.selection = Selection(size, reduce, spacing, policy, grid, exact)
        self._place = place_of(self.url, token, storage_options)
        shown = self._place.shown if isinstance(self._place, Http) else self.url
        data = read_whole(self._place, CATALOG)
        self.name, self.id, self.card, self._all, self._attachments = _read_catalog(data, shown)
        self._cache = cache_of(cache, self.name)
        self._held: Dict[str, Held] = {}
        with_patterns, without = _patterns(include, "include"), _patterns(exclude, "exclude")
        rows = [row for row in self._all if (not with_patterns or _matches(with_patterns, row)) and
                not _matches(without, row)]
        if where is not None:
            known = dict.fromkeys(self._all[0].about() if self._all else ())
            for row in self._all:
                known.update(dict.fromkeys(row.columns))
            take = _condition(where, known)
            rows = [row for row in rows if take(row.about())]
        self._rows = rows
        self._tell_missing_levels()

    def _tell_missing_levels(self) -> None:
        """A warning where images have no such level: they come at the smallest that they have."""
        if self.selection.reduce is None:
            return
        reduce, step = self.selection.reduce
        fewer = [row.path for row in self._rows if row.levels <= reduce or row.steps < step]
        if fewer:
            told = ", ".join(fewer[:3]) + (" ..." if len(fewer) > 3 else "")
            warnings.warn(f"{self.name}: {len(fewer)} of {len(self._rows)} images have no level {reduce},{step}: they come "
                          f"at the smallest that they have ({told})", stacklevel=4)

    # ---- a sequence ----

    def __len__(self) -> int:
        return len(self._rows)

    def _image(self, row: Row) -> Image:
        source = file_below(self._place, f"items/{row.path}.mist")
        return Image(Held(source, row, self._cache), self.selection, (self._place, f"items/{row.path}.mist"), row.path)

    def __getitem__(self, key: Any) -> Any:
        """An image by its place or path; a smaller dataset by a slice or a list of places or paths."""
        if isinstance(key, str):
            return self.find(key)
        if isinstance(key, slice):
            return self._with(self._rows[key])
        if isinstance(key, (list, tuple)) or (hasattr(key, "tolist") and getattr(key, "ndim", 0) == 1):
            keys = key.tolist() if hasattr(key, "tolist") else key
            if keys and all(isinstance(k, bool) for k in keys):
                if len(keys) != len(self._rows):
                    raise IndexError(f"{len(keys)} truth values for {len(self._rows)} images")
                return self._with([row for row, k in zip(self._rows, keys) if k])
            return self._with([self._row(k) if isinstance(k, str) else self._rows[k] for k in keys])
        return self._image(self._rows[key])

    def __iter__(self) -> Iterator[Image]:
        return (self._image(row) for row in self._rows)

    def __contains__(self, path: object) -> bool:
        return any(row.path == path for row in self._rows)

    def _row(self, path: str) -> Row:
        low, high = 0, len(self._all)
        wanted = path.encode()
        while low < high:  # in the order of their bytes
            middle = (low + high) // 2
            if self._all[middle].path.encode() < wanted:
                low = middle + 1
            else:
                high = middle
        if low == len(self._all) or self._all[low].path != path:
            raise MistError(f"{self.name}: there is no item {path}", "not found")
        return self._all[low]

    def find(self, path: str) -> Image:
        """The image of this path, whatever `include` and `where` say."""
        return self._image(self._row(path))

    def _with(self, rows: List[Row], selection: Optional[Selection] = None) -> "Dataset":
        made = object.__new__(type(self))
        made.__dict__.update(self.__dict__, _rows=list(rows))
        if selection is not None:
            made.selection = selection
        return made

    @property
    def paths(self) -> List[str]:
        """Of all images, in order."""
        return [row.path for row in self._rows]

    def at(self, size: Optional[Size] = None, *, reduce: Any = None, spacing: Any = None, policy: str = "closest",
           grid: str = "native", exact: bool = False) -> "Dataset":
        """The same images at another resolution."""
        made = self._with(self._rows, Selection(size, reduce, spacing, policy, grid, exact))
        made._tell_missing_levels()
        return made

    # ---- what there is ----

    @property
    def catalog(self) -> Any:
        """What is known of each image, a row each, in order: a pandas.DataFrame, or a list of dicts without pandas."""
        rows = [row.about() for row in self._rows]
        try:
            import pandas
        except ImportError:
            return rows
        return pandas.DataFrame(rows)

    def plan(self) -> int:
        """How many bytes reading all images at this resolution fetches; nothing is fetched for the answer.

        >>> Dataset(DATASET, size=64, include="cxr/*").plan() < 20000
        True
        """
        return sum(row.bytes(self.selection) for row in self._rows)

    def pairs(self) -> List[Pair]:
        """Images with their label maps, by the names that MSD (imagesTr/A, labelsTr/A), nnU-Net (imagesTr/A_0000,
        labelsTr/A), BUSI (A.png, A_mask.png) and BraTS (A_t1, A_flair, A_seg) give them, in order of their names.

        >>> [(image.path, label.path) for image, label in Dataset(DATASET, include="mr-head").pairs()]
        [('mr-head/images/chris_PD.nii.gz', 'mr-head/labels/chris_PD.nii.gz')]
        """
        from ._pairs import pair_paths
        image = {row.path: self._image(row) for row in self._rows}
        return [Pair(*(image[side[0]] if len(side) == 1 else tuple(image[path] for path in side)
                       for side in found)) for found in pair_paths(list(image))]

    # ---- other files ----

    @property
    def files(self) -> List[str]:
        """Paths of the files that came with the images: tables, licences."""
        return [file.path for file in self._attachments]

    def read_file(self, path: str) -> bytes:
        """One of these, checked."""
        for file in self._attachments:
            if file.path == path:
                source = file_below(self._place, f"files/{path}")
                data = source.read([(0, file.size)])[0] if file.size else b""
                if _library.checksum(data, len(data)) != file.checksum:
                    raise MistError(f"{self.name}/{path}: its bytes are not those that were stored", "checksum")
                return data
        raise MistError(f"{self.name}: there is no file {path}", "not found")

    def table(self, path: str) -> Any:
        """One of these, a CSV or TSV table: a pandas.DataFrame, or a list of dicts without pandas."""
        text = self.read_file(path).decode("utf-8-sig")
        separator = "\t" if path.lower().endswith(".tsv") else ","
        try:
            import pandas
        except ImportError:
            return list(csv.DictReader(io.StringIO(text), delimiter=separator))
        return pandas.read_csv(io.StringIO(text), sep=separator)

    # ---- fetching ahead ----

    def fetch(self, keys: Optional[Sequence[int]] = None) -> List[Image]:
        """Images of these places (all, by default) whose bytes are here: of a host, all are asked for at once."""
        images = [self[k] for k in (range(len(self)) if keys is None else keys)]
        if not isinstance(self._place, Http):
            return [image.fetch() for image in images]
        wanting = []
        for image in images:
            ranges = image._needed()
            wanting.append((image, ranges, *image._held.wanting(ranges)))
        parts = iter(self._place.fetch_many([(image._held.source.path, start, end) for image, _, _, _, missing in wanting
                                             for start, end in missing]))
        for image, ranges, item, kept, missing in wanting:
            if missing or kept or item is None:
                image._held.take(ranges, item, kept, missing, [next(parts) for _ in missing])
        return images

    def __repr__(self) -> str:
        return f"<pymist.Dataset {self.name}: {len(self)} images, {self.selection!r}>"
