# SPDX-License-Identifier: BSD-2-Clause
"""What was fetched of items, kept on disk as `mist get` keeps it: CACHE/DATASET/items/PATH.mist-part, each byte at
its own place, and behind the item's end a list of the ranges that are here. Processes share it: who writes an item's
file holds its lock, who reads sees a list whose checksum is right or none, and all bytes are checked against the
item's own checksums before they are used. While `mist get` works with the cache nothing is added to it from here."""
from __future__ import annotations

import fcntl
import os
import struct
from typing import Any, List, Optional, Tuple

from . import _library
from ._bytes import Ranges

MAGIC, HEAD = b"MISTpart", 24
LIST_MAX = HEAD + 16 * (33 * 17 + 2) + 8
TAG = ("Signature: 8a477f597d28d172789f06886806bc55\n"
       "# What 'mist get' and pymist keep, so that they need not fetch it again. May be removed.\n")


def _parse(data: bytes, identity: int, size: int) -> List[Tuple[int, int]]:
    """The list that is in these bytes; nothing where there is none of this item."""
    if len(data) < HEAD + 8 or data[:8] != MAGIC:
        return []
    found, count = struct.unpack_from("<QQ", data, 8)
    end = HEAD + 16 * count
    if found != identity or end + 8 > len(data):
        return []
    if struct.unpack_from("<Q", data, end)[0] != _library.checksum(data[:end], end):
        return []
    ranges = [struct.unpack_from("<QQ", data, HEAD + 16 * i) for i in range(count)]
    if any(start >= stop or stop > size for start, stop in ranges) or ranges != sorted(ranges):
        return []
    return ranges


class Cache:
    """The cache of one dataset."""

    def __init__(self, directory: str, dataset: str) -> None:
        self.base, self.items = directory, os.path.join(directory, dataset, "items")

    def _path(self, item: str) -> str:
        return os.path.join(self.items, item + ".mist-part")

    def held(self, item: str, identity: int, size: int) -> List[Tuple[int, int]]:
        """Which ranges are here of the item of this id and size."""
        try:
            descriptor = os.open(self._path(item), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return []
        try:
            return _parse(os.pread(descriptor, LIST_MAX, size), identity, size)
        except OSError:
            return []
        finally:
            os.close(descriptor)

    def read(self, item: str, ranges: Ranges) -> Optional[List[bytes]]:
        """The bytes of ranges that are held; None where they are not there after all."""
        try:
            descriptor = os.open(self._path(item), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return None
        try:
            found = [os.pread(descriptor, end - start, start) for start, end in ranges]
        except OSError:
            return None
        finally:
            os.close(descriptor)
        return found if all(len(data) == end - start for data, (start, end) in zip(found, ranges)) else None

    def _shared(self) -> Optional[int]:
        """A lock that `mist get` does not get while it is held; None while `mist get` is at work."""
        os.makedirs(self.items, exist_ok=True)
        tag = os.path.join(self.base, "CACHEDIR.TAG")
        if not os.path.exists(tag):
            with open(tag, "w", encoding="ascii") as file:
                file.write(TAG)
        descriptor = os.open(os.path.join(self.base, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            os.close(descriptor)
            return None
        except OSError:  # a file system without locks
            return descriptor

    def add(self, item: str, identity: int, size: int, pieces: List[Tuple[int, bytes]]) -> None:
        """Adds what was fetched and found right. A cache that cannot be written to raises OSError."""
        shared = self._shared()
        if shared is None:
            return
        try:
            os.makedirs(os.path.dirname(self._path(item)), exist_ok=True)
            descriptor = os.open(self._path(item), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
            try:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX)
                except OSError:
                    pass
                held = _parse(os.pread(descriptor, LIST_MAX, size), identity, size)
                for offset, data in pieces:
                    _write(descriptor, data, offset)
                held = _library.join(held + [(offset, offset + len(data)) for offset, data in pieces])
                text = MAGIC + struct.pack("<QQ", identity, len(held))
                text += b"".join(struct.pack("<QQ", *span) for span in held)
                _write(descriptor, text + struct.pack("<Q", _library.checksum(text, len(text))), size)
            finally:
                os.close(descriptor)
        finally:
            os.close(shared)

    def forget(self, item: str) -> None:
        """Removes what is here of an item: its bytes were not those that the host stored."""
        try:
            os.unlink(self._path(item))
        except OSError:
            pass


def _write(descriptor: int, data: bytes, offset: int) -> None:
    done = 0
    while done < len(data):
        done += os.pwrite(descriptor, memoryview(data)[done:], offset + done)


def cache_of(directory: Optional[Any], dataset: str) -> Optional[Cache]:
    return Cache(os.fspath(directory), dataset) if directory else None
