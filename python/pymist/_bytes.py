# SPDX-License-Identifier: BSD-2-Clause
"""Where bytes come from: memory, files, file objects, HTTP, and whatever fsspec knows (S3, GCS, HF, ...).

A source answers `read(ranges)`: the bytes of each [start, end) asked for, exactly, or MistError. `read_start(size)`
gives the first bytes of a file whose size is not known, fewer where it is shorter. Sources may be used by several
threads at a time, go through pickle where what they read from does, and are opened anew in a process that was forked.
"""
from __future__ import annotations

import http.client
import io
import os
import pathlib
import socket
import threading
import time
import urllib.parse
import urllib.request
from typing import Any, Dict, List, Optional, Sequence, Tuple

from ._library import MistError

Ranges = Sequence[Tuple[int, int]]
CATALOG_MAX = 1 << 32
STEP = 16 << 20  # memory is allocated for so much at once: sizes are not believed before their bytes are there


def _short(name: str) -> MistError:
    return MistError(f"{name}: the file ends too early", "truncated")


class Memory:
    """Bytes at hand."""

    def __init__(self, data: bytes, name: str = "memory") -> None:
        self.data, self.name = bytes(data), name

    def read(self, ranges: Ranges) -> List[bytes]:
        if any(end > len(self.data) for _, end in ranges):
            raise _short(self.name)
        return [self.data[start:end] for start, end in ranges]

    def read_start(self, size: int) -> bytes:
        return self.data[:size]


class File:
    """A file of this machine; opened for each read, so that thousands may be at hand."""
    __slots__ = ("name",)

    def __init__(self, path: str) -> None:
        self.name = path

    @property
    def address(self) -> str:
        return os.path.abspath(self.name)

    def _open(self) -> int:
        try:
            return os.open(self.name, os.O_RDONLY | os.O_CLOEXEC)
        except (OSError, ValueError) as error:
            status = "not found" if isinstance(error, FileNotFoundError) else "io"
            raise MistError(f"{self.name}: {getattr(error, 'strerror', None) or error}", status) from None

    def read(self, ranges: Ranges) -> List[bytes]:
        descriptor = self._open()
        try:
            if ranges and ranges[-1][1] - ranges[0][0] > STEP and os.fstat(descriptor).st_size < ranges[-1][1]:
                raise _short(self.name)  # before memory is allocated for what is not there
            found = []
            for start, end in ranges:
                data = os.pread(descriptor, end - start, start)
                while len(data) < end - start:  # Linux reads at most 2 GiB at once
                    more = os.pread(descriptor, end - start - len(data), start + len(data))
                    if not more:
                        raise _short(self.name)
                    data += more
                found.append(data)
            return found
        except OSError as error:
            raise MistError(f"{self.name}: {error.strerror}", "io") from None
        finally:
            os.close(descriptor)

    def read_start(self, size: int) -> bytes:
        descriptor = self._open()
        try:
            return os.pread(descriptor, size, 0)
        except OSError as error:
            raise MistError(f"{self.name}: {error.strerror}", "io") from None
        finally:
            os.close(descriptor)


class FileObject:
    """An open binary file of the caller's, with read and seek. It stays open and cannot be pickled."""

    def __init__(self, file: Any) -> None:
        self.file, self.name, self.lock = file, str(getattr(file, "name", None) or "file object"), threading.Lock()

    def _at(self, start: int, size: int) -> bytes:
        with self.lock:
            try:
                self.file.seek(start)
                parts, left = [], size
                while left:
                    part = self.file.read(min(left, STEP))
                    if not part:
                        break
                    parts.append(part)
                    left -= len(part)
                return b"".join(parts)
            except (OSError, ValueError, TypeError) as error:
                raise MistError(f"{self.name}: {error}", "io") from None

    def read(self, ranges: Ranges) -> List[bytes]:
        found = [self._at(start, end - start) for start, end in ranges]
        if any(len(data) != end - start for data, (start, end) in zip(found, ranges)):
            raise _short(self.name)
        return found

    def read_start(self, size: int) -> bytes:
        return self._at(0, size)

    def __reduce__(self):
        raise MistError(f"{self.name}: an image of a file object cannot be pickled; open it by its path or address")


# ---- HTTP ----

def _read_steps(response: http.client.HTTPResponse, size: int) -> bytes:
    """At most `size` bytes."""
    data = response.read(min(size, STEP))
    if len(data) == size or len(data) < min(size, STEP):
        return data
    parts = [data]
    left = size - len(data)
    while left:
        part = response.read(min(left, STEP))
        if not part:
            break
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


class Passing(Exception):
    """A failure that may pass: the request is made again."""


class Kept:
    """A connection that ends with its last reference."""
    __slots__ = ("process", "connection")

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self.process, self.connection = os.getpid(), connection

    def __del__(self) -> None:
        self.connection.close()


class Connections:
    """Connections to one host, kept open: one for each thread of each process."""

    def __init__(self, scheme: str, netloc: str, timeout: float) -> None:
        self.scheme, self.netloc, self.timeout = scheme, netloc, timeout
        self.local = threading.local()

    def __reduce__(self):
        return Connections, (self.scheme, self.netloc, self.timeout)

    def get(self) -> http.client.HTTPConnection:
        mine = getattr(self.local, "connection", None)
        if mine is None or mine.process != os.getpid():
            kind = http.client.HTTPSConnection if self.scheme == "https" else http.client.HTTPConnection
            proxy = urllib.request.getproxies().get(self.scheme)
            host = self.netloc.rpartition("@")[2]
            if proxy and not urllib.request.proxy_bypass(host.partition(":")[0]):
                through = urllib.parse.urlsplit(proxy if "//" in proxy else "http://" + proxy)
                connection = kind(through.hostname, through.port or 80, timeout=self.timeout)
                connection.set_tunnel(host)
            else:
                connection = kind(host, timeout=self.timeout)
            mine = self.local.connection = Kept(connection)
        return mine.connection

    def drop(self) -> None:
        self.local.connection = None


class Http:
    """A host: files below one address. One for a whole dataset, so that connections are shared."""
    RETRIES, TIMEOUT, REDIRECTS = 5, 30.0, 5
    AHEAD = 32  # requests without an answer; what they take fits into any socket's buffer

    def __init__(self, base: str, token: Optional[str] = None) -> None:
        parts = urllib.parse.urlsplit(base)
        if not parts.hostname:
            raise MistError(f"{base!r}: there is no host in this address")
        try:
            parts.port
        except ValueError:
            raise MistError(f"{base!r}: there is no such port") from None
        self.base, self.token = base.rstrip("/"), token
        self.shown = urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])).rstrip("/")
        self.hosts: Dict[Tuple[str, str], Connections] = {}

    def __reduce__(self):
        return Http, (self.base, self.token)

    def fetch(self, path: str, start: int, end: Optional[int], limit: int, short: bool = False) -> bytes:
        """Bytes [start, end) of base/path; end None: all that there is; `short`: fewer where the file is shorter."""
        url = self.base + ("/" + urllib.parse.quote(path) if path else "")
        name = f"{self.shown}/{path}" if path else self.shown
        for attempt in range(self.RETRIES + 1):
            try:
                return self._once(url, name, start, end, limit, short)
            except Passing as error:
                reason: Any = error
            except (http.client.HTTPException, OSError) as error:
                self._forget(url)
                reason = str(error) or type(error).__name__
                # A host that never answered is not there; one that broke off may be back.
                if isinstance(error, (socket.gaierror, ConnectionRefusedError)) and attempt >= 1:
                    break
            if attempt < self.RETRIES:
                time.sleep(min(0.05 * 4 ** attempt, 5.0))
        raise MistError(f"{name}: {reason}", "network")

    def fetch_many(self, wanted: Sequence[Tuple[str, int, int]]) -> List[bytes]:
        """Bytes [start, end) of each path, in this order: requests are sent while answers to earlier ones are on their
        way (RFC 9112, section 9.3.2), so that neither round trips nor threads cost much. Whatever does not come as it
        should is asked for once more by itself."""
        found: List[Optional[bytes]] = [None] * len(wanted)
        if len(wanted) > 1:
            try:
                self._pipeline(wanted, found)
            except (http.client.HTTPException, OSError, ValueError):
                self._forget(self.base)
        return [self.fetch(path, start, end, end) if data is None else data
                for data, (path, start, end) in zip(found, wanted)]

    def _pipeline(self, wanted: Sequence[Tuple[str, int, int]], found: List[Optional[bytes]]) -> None:
        """As many of them as come right; the connection is dropped at the first that does not."""
        connection = self._connections(self.base).get()
        if connection.sock is None:
            connection.connect()
        target = urllib.parse.urlsplit(self.base).path
        common = "".join(f"{name}: {value}\r\n" for name, value in
                         {"Host": urllib.parse.urlsplit(self.base).netloc.rpartition("@")[2],
                          **self._headers(self.base, 0, None)}.items())
        if "\n" in target or common.count("\n") != common.count("\r\n"):
            raise ValueError("a line end in an address or token")
        asked = [f"GET {target}/{urllib.parse.quote(path)} HTTP/1.1\r\n{common}Range: bytes={start}-{end - 1}\r\n\r\n"
                 .encode("latin-1") for path, start, end in wanted]
        connection.sock.sendall(b"".join(asked[:self.AHEAD]))
        whole = False
        try:
            with connection.sock.makefile("rb", 1 << 16) as reader:
                for i, (_, start, end) in enumerate(wanted):
                    last = self._answer(reader, start, end, found, i)
                    if last and i + 1 < len(wanted):
                        raise ValueError("the host closes the connection")
                    if i + self.AHEAD < len(asked):
                        connection.sock.sendall(asked[i + self.AHEAD])
                whole = not last
        finally:
            if not whole:
                self._forget(self.base)

    @staticmethod
    def _answer(reader: Any, start: int, end: int, found: List[Optional[bytes]], place: int) -> bool:
        """Reads one answer; whether the host closes the connection behind it. ValueError for any but the range asked
        for, with its length said."""
        line = reader.readline(1 << 12)
        if not line.startswith(b"HTTP/1.1 206 "):
            raise ValueError("no such part")
        length, span, close = None, None, False
        for _ in range(100):
            line = reader.readline(1 << 13)
            if line in (b"\r\n", b"\n"):
                break
            name, _, value = line.partition(b":")
            name, value = name.lower(), value.strip()
            if name == b"content-length":
                length = int(value) if value.isdigit() and length in (None, int(value)) else -1
            elif name == b"content-range":
                span = value
            elif name == b"connection":
                close = value.lower() == b"close"
            elif name in (b"transfer-encoding", b"content-encoding"):
                raise ValueError("coded")
        else:
            raise ValueError("too many headers")
        if length != end - start or span is None or span.partition(b"/")[0] != b"bytes %d-%d" % (start, end - 1):
            raise ValueError("another part")
        data = reader.read(min(length, STEP))
        while len(data) < length:
            more = reader.read(min(length - len(data), STEP))
            if not more:
                raise ValueError("the end came early")
            data += more
        found[place] = data
        return close

    def _connections(self, url: str) -> Connections:
        parts = urllib.parse.urlsplit(url)
        key = parts.scheme, parts.netloc
        if key not in self.hosts:
            self.hosts[key] = Connections(parts.scheme, parts.netloc, self.TIMEOUT)
        return self.hosts[key]

    def _forget(self, url: str) -> None:
        self._connections(url).drop()

    def _headers(self, url: str, start: int, end: Optional[int]) -> Dict[str, str]:
        headers = {"Accept-Encoding": "identity"}
        if end is not None:
            headers["Range"] = f"bytes={start}-{end - 1}"
        here, own = urllib.parse.urlsplit(url), urllib.parse.urlsplit(self.base)
        if (here.scheme, here.netloc) == (own.scheme, own.netloc):
            user, at, _ = own.netloc.rpartition("@")
            if self.token:
                headers["Authorization"] = f"Bearer {self.token}"
            elif at:
                import base64
                headers["Authorization"] = "Basic " + base64.b64encode(urllib.parse.unquote(user).encode()).decode()
        return headers

    def _once(self, url: str, name: str, start: int, end: Optional[int], limit: int, short: bool) -> bytes:
        for _ in range(self.REDIRECTS + 1):
            connections = self._connections(url)
            connection = connections.get()
            parts = urllib.parse.urlsplit(url)
            target = (parts.path or "/") + ("?" + parts.query if parts.query else "")
            fresh = connection.sock is None
            try:
                connection.request("GET", target, headers=self._headers(url, start, end))
                response = connection.getresponse()
            except (http.client.BadStatusLine, BrokenPipeError, ConnectionResetError) as error:
                connections.drop()
                if fresh:
                    raise
                raise Passing(str(error) or "the connection was closed") from None  # a kept one that had ended
            if response.status in (301, 302, 303, 307, 308) and response.getheader("Location"):
                connections.drop()
                url = urllib.parse.urljoin(url, response.getheader("Location"))
                if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
                    raise MistError(f"{name}: the host redirects to something that is not HTTP", "network")
                continue
            return self._take(connections, response, name, start, end, limit, short)
        raise MistError(f"{name}: too many redirections", "network")

    def _take(self, connections: Connections, response: http.client.HTTPResponse, name: str, start: int,
              end: Optional[int], limit: int, short: bool) -> bytes:
        status = response.status
        if status == 206 and end is not None:
            data = self._part(connections, response, name, start, end, short)
        elif status == 200:
            data = self._whole(connections, response, name, start, end, limit, short)
        elif status == 416 and short and start == 0:
            response.read(1 << 16)
            connections.drop()
            data = b""
        else:
            connections.drop()
            if status in (429, 500, 502, 503, 504):
                raise Passing(f"the host answers {status} {response.reason}")
            kind = "not found" if status in (404, 410) else "network"
            raise MistError(f"{name}: the host answers {status} {response.reason}", kind)
        if response.will_close:
            connections.drop()
        return data

    @staticmethod
    def _part(connections: Connections, response: http.client.HTTPResponse, name: str, start: int, end: int,
              short: bool) -> bytes:
        told = response.getheader("Content-Range", "")
        try:
            unit, _, rest = told.strip().partition(" ")
            span, _, total = rest.partition("/")
            first, last = map(int, span.split("-"))
            right = unit == "bytes" and first == start and (
                last == end - 1 or (short and last < end and total.isdigit() and last == int(total) - 1))
        except ValueError:
            right = False
        if not right:
            connections.drop()
            if told.startswith(f"bytes {start}-"):
                raise _short(name)
            raise MistError(f"{name}: asked for bytes {start} to {end - 1}, the host sends {told or 'others'!r}",
                            "network")
        size = last + 1 - first
        length = response.getheader("Content-Length")
        if length is not None and length != str(size):
            connections.drop()
            raise MistError(f"{name}: the host says that {size} bytes are {length}", "network")
        data = _read_steps(response, size + 1 if length is None else size)
        if len(data) != size:
            connections.drop()
            if len(data) > size:
                raise MistError(f"{name}: the host sends more than it says", "network")
            raise Passing(f"the transfer ended after {len(data)} of {size} bytes")
        if length is not None:
            response.read()  # nothing; lets the connection be used again
        return data

    @staticmethod
    def _whole(connections: Connections, response: http.client.HTTPResponse, name: str, start: int,
               end: Optional[int], limit: int, short: bool) -> bytes:
        """Of a host that ignores ranges: what lies before is read and dropped, what lies behind is not waited for."""
        length = response.getheader("Content-Length")
        if length is not None and length.isdigit() and end is None and int(length) > limit:
            connections.drop()
            raise MistError(f"{name}: {length} bytes are more than it can have", "limit")
        left, skipped = start, 0
        while left:
            part = response.read(min(left, 1 << 20))
            if not part:
                connections.drop()
                raise _short(name)
            left -= len(part)
            skipped += len(part)
        parts, got, wanted = [], 0, (end - start if end is not None else limit + 1)
        while got < wanted:
            part = response.read(min(wanted - got, 1 << 20))
            if not part:
                break
            parts.append(part)
            got += len(part)
        if end is None and got > limit:
            connections.drop()
            raise MistError(f"{name}: more bytes come than it can have", "limit")
        if length is not None and length.isdigit() and got + skipped < min(int(length), end or int(length)):
            connections.drop()
            raise Passing(f"the transfer ended after {got + skipped} of {length} bytes")
        if not response.isclosed():
            connections.drop()
        if end is not None and got < wanted and not short:
            raise _short(name)
        return b"".join(parts)


class HttpFile:
    """One file of a host."""
    __slots__ = ("host", "path", "name")

    def __init__(self, host: Http, path: str) -> None:
        self.host, self.path = host, path
        self.name = f"{host.shown}/{path}" if path else host.shown

    @property
    def address(self) -> str:
        return self.host.shown + ("/" + urllib.parse.quote(self.path) if self.path else "")

    def read(self, ranges: Ranges) -> List[bytes]:
        return [self.host.fetch(self.path, start, end, end) for start, end in ranges]

    def read_start(self, size: int) -> bytes:
        return self.host.fetch(self.path, 0, size, size, short=True)


# ---- fsspec ----

class Fsspec:
    """A file, or the files below a directory, of a file system that fsspec knows."""

    def __init__(self, url: str, options: Optional[Dict[str, Any]] = None) -> None:
        self.url, self.options = url.rstrip("/"), dict(options or {})
        self.opened: Tuple[int, Any, str] = (0, None, "")
        self.system()

    def __reduce__(self):
        return Fsspec, (self.url, self.options)

    def system(self) -> Tuple[Any, str]:
        """The file system of this process (an event loop does not survive a fork), and our path in it."""
        if self.opened[0] != os.getpid():
            try:
                import fsspec.core
            except ImportError:
                raise MistError(f"{self.url}: addresses of this kind need the package fsspec") from None
            options = dict(self.options, skip_instance_cache=True) if self.opened[0] else self.options
            try:
                system, path = fsspec.core.url_to_fs(self.url, **options)
            except Exception as error:  # whatever its many file systems raise
                raise MistError(f"{self.url}: {error}", "io") from None
            self.opened = os.getpid(), system, path
        return self.opened[1:]

    def fetch(self, path: str, start: Optional[int], end: Optional[int]) -> bytes:
        system, base = self.system()
        full = f"{base}/{path}" if path else base
        try:
            return bytes(system.cat_file(full, start=start, end=end))
        except FileNotFoundError:
            raise MistError(f"{self.url}/{path}: there is no such file", "not found") from None
        except Exception as error:
            raise MistError(f"{self.url}/{path}: {error}", "io") from None


    def fetch_ranges(self, path: str, ranges: Ranges) -> List[bytes]:
        """Several at a time, where the file system can."""
        if len(ranges) < 2:
            return [self.fetch(path, start, end) for start, end in ranges]
        system, base = self.system()
        full = f"{base}/{path}" if path else base
        try:
            return [bytes(data) for data in system.cat_ranges([full] * len(ranges), [start for start, _ in ranges],
                                                              [end for _, end in ranges], on_error="raise")]
        except FileNotFoundError:
            raise MistError(f"{self.url}/{path}: there is no such file", "not found") from None
        except Exception as error:
            raise MistError(f"{self.url}/{path}: {error}", "io") from None


class FsspecFile:
    """One of its files."""
    __slots__ = ("place", "path", "name")

    def __init__(self, place: Fsspec, path: str) -> None:
        self.place, self.path = place, path
        self.name = f"{place.url}/{path}" if path else place.url

    @property
    def address(self) -> str:
        return self.name

    def read(self, ranges: Ranges) -> List[bytes]:
        found = self.place.fetch_ranges(self.path, ranges)
        if any(len(data) != end - start for data, (start, end) in zip(found, ranges)):
            raise _short(self.name)
        return found

    def read_start(self, size: int) -> bytes:
        return self.place.fetch(self.path, 0, size)


# ---- what an address names ----

class Directory:
    """The files below a directory of this machine."""

    def __init__(self, path: str) -> None:
        self.path = path


def place_of(url: str, token: Optional[str] = None, options: Optional[Dict[str, Any]] = None) -> Any:
    """What files are read from below an address: a Directory, Http or Fsspec."""
    scheme = url.partition("://")[0].lower() if "://" in url else ""
    if scheme in ("http", "https"):
        return Http(url, token)
    if scheme == "file":
        parts = urllib.parse.urlsplit(url)
        if parts.netloc not in ("", "localhost"):
            raise MistError(f"{url}: a file of another machine")
        return Directory(urllib.parse.unquote(parts.path))
    if scheme:
        return Fsspec(url, options)
    return Directory(url)


def file_below(place: Any, path: str) -> Any:
    """A source of PATH below it; path "": the place itself is the file."""
    if isinstance(place, Directory):
        return File(os.path.join(place.path, path) if path else place.path)
    return HttpFile(place, path) if isinstance(place, Http) else FsspecFile(place, path)


def read_whole(place: Any, path: str) -> bytes:
    """All of a file of at most 4 GiB: a catalog."""
    if isinstance(place, Directory):
        name = os.path.join(place.path, path)
        try:
            if os.stat(name).st_size > CATALOG_MAX:
                raise MistError(f"{name}: it is too large", "limit")
            return pathlib.Path(name).read_bytes()
        except OSError as error:
            status = "not found" if isinstance(error, (FileNotFoundError, NotADirectoryError)) else "io"
            raise MistError(f"{name}: {error.strerror}", status) from None
    if isinstance(place, Http):
        return place.fetch(path, 0, None, CATALOG_MAX)
    return place.fetch(path, None, None)


def source_of(src: Any, token: Optional[str] = None, options: Optional[Dict[str, Any]] = None) -> Any:
    """The source of one item file: its path, address, bytes, or an open file."""
    if isinstance(src, (bytes, bytearray, memoryview)):
        return Memory(bytes(src))
    if isinstance(src, (str, os.PathLike)):
        return file_below(place_of(os.fspath(src), token, options), "")
    if hasattr(src, "read") and hasattr(src, "seek"):
        if isinstance(src, io.TextIOBase):
            raise MistError("a file object must be opened in binary mode")
        return FileObject(src)
    raise MistError(f"cannot open a {type(src).__name__}: a path, an address, (dataset, path), bytes or an open file")
