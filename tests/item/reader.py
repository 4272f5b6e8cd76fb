# SPDX-License-Identifier: BSD-2-Clause
"""
An independent reader of item files, written from docs/ alone: format.md here, values.md in reader_values.py,
coder-lattice.md in reader_lattice.py; with numpy, libzstd and libxxhash.

    reader.py list FILE              the map: stream, level, class, unit, offset, size
    reader.py extract FILE DIR       every frame at every level that is there: DIR/FRAME-LEVEL.j2c, a codestream, or .npy
    reader.py check FILE             every checksum
"""
import ctypes
import math
import pathlib
import struct
import sys

import numpy as np

import reader_lattice
import reader_pyramid
from reader_values import NAMES, TYPES, Refused, ValueMap, must

zstd = ctypes.CDLL("libzstd.so.1")
zstd.ZSTD_createDCtx.restype = ctypes.c_void_p
zstd.ZSTD_freeDCtx.argtypes = [ctypes.c_void_p]
zstd.ZSTD_decompress_usingDict.restype = zstd.ZSTD_findFrameCompressedSize.restype = ctypes.c_size_t
zstd.ZSTD_decompress_usingDict.argtypes = [ctypes.c_void_p] + [ctypes.c_char_p, ctypes.c_size_t] * 3
zstd.ZSTD_getFrameContentSize.restype = ctypes.c_ulonglong
zstd.ZSTD_getFrameContentSize.argtypes = zstd.ZSTD_findFrameCompressedSize.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
xxhash = ctypes.CDLL("libxxhash.so.0")
xxhash.XXH3_64bits.restype = ctypes.c_uint64
xxhash.XXH3_64bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]

MAGIC = b"\x89MIST\r\n\x1a"
PROLOGUE = 32
PICTURE, HOLES, TABLE, REMAINDERS = 1, 2, 3, 4
HTJ2K, LATTICE, PYRAMID, REMAINDER, VALUES, JPEG, J2K = 1, 2, 3, 4, 5, 6, 7
CODERS = {PICTURE: (HTJ2K, LATTICE, PYRAMID, JPEG, J2K), HOLES: (LATTICE,), TABLE: (VALUES,), REMAINDERS: (REMAINDER,)}
EXTRAS = (1, 2, 3)
LONGEST = (1 << 32) - 15  # of a chunk


DICTIONARY = (pathlib.Path(__file__).parents[2] / "docs" / "dictionary.bin").read_bytes()


class Absent(Exception):
    """What is asked for is not here."""


def xxh3(data):
    return xxhash.XXH3_64bits(bytes(data), len(data))


def zstd_frame(data, size, dictionary=b""):
    """One zstd frame that states its content size and has nothing behind it."""
    data = bytes(data)
    must(data[:4] == b"\x28\xb5\x2f\xfd" and zstd.ZSTD_findFrameCompressedSize(data, len(data)) == len(data) and
         zstd.ZSTD_getFrameContentSize(data, len(data)) == size, "a zstd frame")
    out = ctypes.create_string_buffer(max(size, 1))
    context = zstd.ZSTD_createDCtx()
    got = zstd.ZSTD_decompress_usingDict(context, out, size, data, len(data), dictionary, len(dictionary))
    zstd.ZSTD_freeDCtx(context)
    must(got == size, "a zstd frame")
    return out.raw[:size]


def unpack(data, size):
    """A packed section."""
    return bytes(data) if len(data) == size else zstd_frame(data, size, DICTIONARY)


class Bytes:
    """Reads bytes from first to last; `fields` are those that were asked for by name: (name, start, end, kind, value)."""

    def __init__(self, data):
        self.data, self.at, self.fields = data, 0, []

    def take(self, size):
        must(self.at + size <= len(self.data), "more bytes are said to be there than are")
        self.at += size
        return self.data[self.at - size:self.at]

    def varint(self):
        value = 0
        for shift in range(0, 70, 7):
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            if byte < 128:
                must(value < 1 << 64, "a varint")
                return value
        raise Refused("a varint")

    def byte(self):
        return self.take(1)[0]

    def zigzag(self):
        z = self.varint()
        return -(z + 1) // 2 if z & 1 else z // 2

    def text(self):
        return self.take(self.varint())

    def real(self):
        kind = self.byte()
        must(kind < 3, "a real")
        value = struct.unpack("<d", self.take(8))[0] if kind == 0 else \
            struct.unpack("<f", self.take(4))[0] if kind == 1 else float(self.zigzag())
        must(math.isfinite(value), "a real")
        return value

    def get(self, name, kind, low=None, high=None):
        """The next field; `kind` is the method that reads it."""
        start = self.at
        value = getattr(self, kind)()
        must((low is None or value >= low) and (high is None or value <= high), name)
        self.fields.append((name, start, self.at, kind, value))
        return value


def utf8(data, what):
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise Refused(what) from None
    must("\0" not in text, what)
    return text


def safe(path):
    parts = path.decode(errors="replace").split("/")
    control = any(ord(c) < 32 or 127 <= ord(c) < 160 or c == "\\" for c in utf8(path, "a path"))
    return 1 <= len(path) <= 1024 and not control and \
        all(1 <= len(p.encode()) <= 255 and p not in (".", "..") for p in parts)


class Stream:
    """One of the things that an item codes."""

    def __init__(self, meta, item, number):
        name = lambda what: f"stream {number} {what}"
        self.number, self.item = number, item
        self.coder, self.role = meta.get(name("coder"), "byte", 1, 7), meta.get(name("role"), "byte", 1, 4)
        must(self.coder in CODERS[self.role], "the coder of a role")
        self.first = meta.get(name("first"), "varint")
        must(self.first == (0 if self.role in (PICTURE, HOLES) else item.levels - 1), "the level that a stream begins at")
        self.coded_levels = meta.get(name("coded levels"), "varint", item.levels - self.first, 33)
        self.extra = self.coded_levels - (item.levels - self.first)
        self.unit = meta.get(name("unit"), "varint")
        unit = self.unit
        must(unit < 2 or unit & unit - 1 == 0 and unit % (1 << item.steps) == 0 and unit <= 1 << 31, "the size of a unit")
        must(unit < 2 or item.width * item.height * min(unit, item.slices) <= 1 << 31, "the samples of a unit")
        self.volume_units = -(-item.slices // unit) if unit else 0
        self.units = self.volume_units * item.volumes if unit else 1
        self.parameters = meta.get(name("parameters"), "text")
        self.headers = [meta.get(name(f"header {i}"), "text") for i in range(meta.get(name("headers"), "varint", 0, self.units))]
        self.header_of = [meta.get(name(f"header of unit {u}"), "varint", 0, len(self.headers) - 1) for u in
                          range(self.units if len(self.headers) > 1 else 0)] or [0] * self.units
        self.check_coder()
        self.slots = [self.slots_of(t) for t in range(item.steps + 1)]  # by class: the units

    def check_coder(self):
        if self.coder == LATTICE:
            parameters = Bytes(self.parameters)
            self.symbols = parameters.varint()
            must(1 <= self.symbols <= 65536 and parameters.at == len(self.parameters), "symbols")
            must(self.unit and not self.headers and not self.extra, "a stream of labels")
            values = self.item.values
            must(self.symbols == (len(values.rank) if values.kind == "ranks" and self.role == PICTURE else values.holes + 1), "symbols")
        must(self.coder == LATTICE or not self.parameters, "parameters of a coder that has none")
        if self.coder in (PYRAMID, JPEG):
            must(self.unit == 1 and not self.headers and not self.extra, "a stream of a picture")
        if self.coder in (REMAINDER, VALUES):
            must(not self.headers and self.coded_levels == 1 and self.unit == (self.coder == REMAINDER), "levels and units of exact values")
        if self.coder in (HTJ2K, J2K):
            must(self.headers and self.unit == 1, "headers of codestreams")
            for header in self.headers:
                check_header(header, self.item, self.coded_levels, self.coder)

    def slots_of(self, t):
        item, u = self.item, self.unit
        if u == 0:
            return [0] if t == item.steps else []
        if u == 1:
            return [f for f in range(item.frames) if reader_lattice.class_of(f % item.slices, item.steps) == t]
        return [unit for unit in range(self.units) if t == item.steps or self.unit_slices(unit) > 1 << t]

    def unit_slices(self, unit):
        return min(self.item.slices - unit % self.volume_units * self.unit, self.unit)

    def level_of(self, coded):
        """The level of the item that a coded level is in."""
        return self.first + max(0, coded - self.extra)

    def read_lengths(self, packed):
        """[coded level][class] -> lengths of the slots."""
        self.lengths = []
        for _ in range(self.coded_levels):
            row = {}
            for t in range(self.item.steps, -1, -1):
                length, row[t] = 0, []
                for _ in self.slots[t]:
                    length += packed.zigzag()
                    must(0 <= length <= LONGEST, "a length in the map")
                    row[t].append(length)
            self.lengths.append(row)

    def chunk(self, coded, t, unit):
        """A chunk's bytes; none where the unit has no slot in the class."""
        offset, size = self.places.get((coded, t, unit), (0, 0))
        return self.item.bytes_at(offset, size)


class Item:
    """
    An item, or parts of one. `data`: the file, or a prefix; or (offset, bytes) pairs, of which the first begins with the
    head.
    """

    def __init__(self, data):
        self.pieces = join([(0, data)] if isinstance(data, (bytes, bytearray)) else data)
        must(self.pieces and self.pieces[0][0] == 0, "the head is not here")
        data = self.data = self.pieces[0][1]
        must(data[:8] == MAGIC and len(data) >= PROLOGUE, "not an item file")
        self.id, version, self.head_size, self.meta_stored, self.meta_size = struct.unpack_from("<QIIII", data, 8)
        must(version == 2, "version")
        must(PROLOGUE <= self.head_size <= 1 << 28 and len(data) >= self.head_size, "the head is not all there")
        must(xxh3(data[16:self.head_size]) == self.id, "the head's checksum")
        checksums_at = PROLOGUE + self.meta_stored
        must(self.meta_size <= 1 << 28 and checksums_at <= self.head_size, "sizes of meta")
        self.meta = Bytes(unpack(data[PROLOGUE:checksums_at], self.meta_size))
        self.read_meta(self.meta)
        self.fields = self.meta.fields + [("map", self.meta.at, self.meta_size, "rest", None)]
        self.read_map(self.meta)
        must(len(self.meta.data) == self.meta.at, "the map's end")
        must((self.head_size - checksums_at) % 8 == 0, "the head's size")
        self.checksums = np.frombuffer(data[checksums_at:self.head_size], "<u8")
        must(len(self.checksums) == sum(-(-size // self.chunk) for _, size in self.ranges()), "the number of checksums")
        must(self.size <= 1 << 44 and self.pieces[-1][0] + len(self.pieces[-1][1]) <= self.size, "the file is too long")
        self.decoded = {}

    # ---- meta

    def read_meta(self, meta):
        self.levels = meta.get("levels", "varint", 1, 33)
        self.steps = meta.get("steps", "varint", 0, 16)
        self.chunk = 1 << meta.get("chunk_log2", "byte", 16, 26)
        self.tail_size = meta.get("tail_size", "varint", 0, 1 << 44)
        self.read_image(meta)
        self.read_files(meta)
        start = meta.at
        self.values = ValueMap(meta, self.components)
        meta.fields.append(("value map", start, meta.at, "values", None))
        must(self.values.type == self.type, "the value map's type")
        self.source_head = meta.get("source head", "text")
        must(len(self.source_head) <= 1 << 26, "the source head's size")
        self.streams = [Stream(meta, self, i) for i in range(meta.get("streams", "varint", 1, 8))]
        roles = [stream.role for stream in self.streams]
        must(roles == sorted(set(roles)) and roles[0] == PICTURE, "roles of the streams")
        values = self.values
        must(set(roles[1:]) == {role for role, needed in ((HOLES, values.holes), (TABLE, values.kind == "table"),
                                                           (REMAINDERS, values.remainder)) if needed}, "streams of the value map")
        must((self.stream(PICTURE).coder == LATTICE) == (values.kind == "ranks") == self.label, "the coder of labels")
        self.groups = [[meta.get(f"group {i} {what}", "varint", 1, most) for what, most in
                        (("files", 1 << 18), ("content", 1 << 28), ("stored", 1 << 28))]
                       for i in range(meta.get("groups", "varint", 0, len(self.files)))]
        must(sum(g[0] for g in self.groups) == len(self.files) and sum(g[2] for g in self.groups) == self.tail_size,
             "the tail's index")
        self.extras, before = {}, -1
        for i in range(meta.get("extras", "varint", 0, 32)):
            tag = meta.get(f"extra {i} tag", "byte", before + 1)
            must(tag in EXTRAS or tag >= 128, "an extra that is not known")
            self.extras[tag], before = meta.get(f"extra {i}", "text"), tag

    def read_image(self, meta):
        self.format = utf8(meta.get("format", "text"), "format")
        self.type = meta.get("type", "byte", 0, len(TYPES) - 1)
        self.dtype, self.type_name = np.dtype("<" + TYPES[self.type]), NAMES[self.type]
        self.precision = meta.get("precision", "varint", 1, 8 * self.dtype.itemsize)
        self.width, self.height = (meta.get(name, "varint", 1, 65535) for name in ("width", "height"))
        self.components = meta.get("components", "varint", 1, 4)
        self.slices, self.volumes = (meta.get(name, "varint", 1) for name in ("slices", "volumes"))
        self.frames = self.slices * self.volumes
        must(self.frames <= 10 ** 6, "frames")
        axes = meta.get("axes", "byte")
        self.axes = [axes & 3, axes >> 2 & 3, axes >> 4]
        must(sorted(self.axes) == [0, 1, 2], "axes")
        flags = meta.get("flags", "byte", 0, 7)
        self.label, self.has_affine, self.centred = bool(flags & 1), bool(flags & 2), bool(flags & 4)
        must(self.width * self.height * self.components * self.dtype.itemsize <= 1 << 31, "the size of a frame")
        self.spacing = [meta.get(f"spacing {i}", "real") for i in range(3)]
        self.affine = [meta.get(f"affine {i}", "real") for i in range(12)] if self.has_affine else None
        must(self.levels <= max(1, math.ceil(math.log2(min(self.width, self.height) / 32))), "levels of this size")
        must(self.steps == 0 or -(-self.slices // (1 << self.steps)) >= 16, "steps of so many slices")

    def read_files(self, meta):
        self.source_bytes = meta.get("source_bytes", "varint", 0, 1 << 44)
        self.files, before = [], b""
        files = meta.get("files", "varint", 1, max(2, min(self.frames, 1 << 18)))
        for i in range(files):
            same = meta.get(f"file {i} same", "varint", 0, len(before))
            before = before[:same] + meta.get(f"file {i} path", "text")
            must(safe(before), "a path")
            self.files.append((before.decode(), meta.get(f"file {i} frames", "varint", int(i > 0 or files != 2), self.frames)))
        must(sum(frames for _, frames in self.files) == self.frames, "frames of the files")
        must(len({path for path, _ in self.files}) == len(self.files), "paths are distinct")

    def stream(self, role):
        return next((stream for stream in self.streams if stream.role == role), None)

    # ---- the map

    def read_map(self, packed):
        must(sum(s.coded_levels * sum(map(len, s.slots)) for s in self.streams) <= 1 << 24, "entries of the map")
        for stream in self.streams:
            stream.read_lengths(packed)
            stream.places = {}
        at, self.range_ends = self.head_size, []
        for level in range(self.levels):
            for t in range(self.steps, -1, -1):
                for stream in self.streams:
                    coded = [k for k in range(stream.coded_levels) if stream.level_of(k) == level]
                    for slot, unit in enumerate(stream.slots[t]):
                        for k in coded:
                            size = stream.lengths[k][t][slot]
                            stream.places[k, t, unit] = at, size
                            at += size
                self.range_ends.append(at)
        self.ends = self.range_ends[self.steps::self.steps + 1]
        self.size = at + self.tail_size

    def ranges(self):
        """(offset, size) of level 0 class S .. class 0, level 1 ... and the tail."""
        edges = (self.head_size, *self.range_ends, self.size)
        return [(a, b - a) for a, b in zip(edges, edges[1:])]

    def range_of(self, level, t):
        return self.ranges()[level * (self.steps + 1) + self.steps - t]

    # ---- what is here

    def holds(self, offset, size):
        return size == 0 or any(at <= offset and offset + size <= at + len(data) for at, data in self.pieces)

    def bytes_at(self, offset, size):
        if size == 0:
            return b""
        for at, data in self.pieces:
            if at <= offset and offset + size <= at + len(data):
                return bytes(data[offset - at:offset - at + size])
        raise Absent(f"bytes {offset} to {offset + size - 1}")

    @property
    def levels_present(self):
        here = 0
        while here < self.levels and all(self.holds(*self.range_of(here, t)) for t in range(self.steps + 1)):
            here += 1
        return here

    @property
    def tail(self):
        return self.bytes_at(self.range_ends[-1], self.tail_size)

    @property
    def tail_present(self):
        return self.holds(self.range_ends[-1], self.tail_size)

    def damage(self):
        """The stretches that are here and are not what was stored, as (range, offset, size)."""
        bad, number = [], 0
        for index, (start, size) in enumerate(self.ranges()):
            for at in range(start, start + size, self.chunk):
                length = min(self.chunk, start + size - at)
                if self.holds(at, length) and xxh3(self.bytes_at(at, length)) != self.checksums[number]:
                    bad.append((index, at, length))
                number += 1
        return bad

    # ---- frames

    def class_of(self, frame):
        return reader_lattice.class_of(frame % self.slices, self.steps)

    def codestream(self, frame, level, standalone=True):
        """Of level `level` of the item; cut behind it, or with rewritten headers."""
        stream = self.stream(PICTURE)
        must(stream.coder in (HTJ2K, J2K), "this picture is not coded as codestreams")
        n, k = stream.coded_levels, level + stream.extra
        main = stream.headers[stream.header_of[frame]]
        if standalone:
            main, n = reduced_header(main, n - 1 - k), k + 1
        t, out = self.class_of(frame), bytearray(main)
        sizes = [stream.places[coded, t, frame][1] + 14 for coded in range(n)]
        out += struct.pack(">HHBB", 0xff55, 4 + 5 * n, 0, 0x50)
        for size in sizes:
            out += struct.pack(">BI", 0, size)
        for coded in range(k + 1):
            out += struct.pack(">HHHIBBH", 0xff90, 10, 0, sizes[coded], coded, n, 0xff93) + stream.chunk(coded, t, frame)
        return bytes(out + b"\xff\xd9")

    def unit_of(self, stream, frame):
        """The unit that a frame is in, and its place in it."""
        if stream.unit == 1:
            return frame, 0
        z = frame % self.slices
        return frame // self.slices * stream.volume_units + z // stream.unit, z % stream.unit

    def lattice(self, role, frame, reduce):
        """A frame of labels or holes at a reduced level: (rows, columns, components)."""
        stream = self.stream(role)
        unit, at = self.unit_of(stream, frame)
        alone, t = stream.unit == 1, self.class_of(frame)
        step, steps = (0, 0) if alone else (t, self.steps)
        components = 1 if role == PICTURE else self.components
        key = role, unit, reduce, step
        if key not in self.decoded:
            self.decoded[key] = np.array([reader_lattice.decode(
                lambda level, of: split(stream.chunk(level, t if alone else of, unit), components)[component],
                stream.unit_slices(unit), self.height, self.width, stream.symbols, stream.coded_levels, steps, reduce, step)
                for component in range(components)])
        return np.moveaxis(self.decoded[key][:, at >> step], 0, 2)

    def sparse(self, frame, reduce):
        """A frame of a sparse image: (rows, columns, 1)."""
        stream, t, values = self.stream(PICTURE), self.class_of(frame), self.values
        bits, signed = (8 * self.dtype.itemsize, self.dtype.kind == "i") if values.kind == "identity" else \
            (16, values.signed)
        return np.array(reader_pyramid.decode(lambda level: stream.chunk(level, t, frame), self.width, self.height, bits,
                                              signed, stream.coded_levels, reduce))[:, :, None]

    def exact(self, role, count, *chunk):
        """The inflated chunk of remainders or of the table: `count` unsigned integers as wide as the samples."""
        size, content = count * self.dtype.itemsize, self.stream(role).chunk(*chunk)
        return zstd_frame(content, size) if content else bytes(size)

    def samples(self, frame, reduce, coded=None):
        """
        A frame at 1 / 2^reduce, (rows, columns, components), by section 6. `coded`: what a decoder makes of the frame's
        codestream; not needed of label maps.
        """
        values, coder = self.values, self.stream(PICTURE).coder
        if coder == LATTICE:
            coded = self.lattice(PICTURE, frame, reduce)
        elif coder == PYRAMID:
            coded = self.sparse(frame, reduce)
        must(coded is not None, "the codestream's samples are wanted")
        holes = self.lattice(HOLES, frame, reduce) if values.holes else None
        table = remainder = None
        if reduce == 0 and values.kind == "table":
            table = values.table(self.exact(TABLE, values.highest - values.lowest + 1, 0, self.steps, 0))
        if reduce == 0 and values.remainder:
            remainder = self.exact(REMAINDERS, self.width * self.height * self.components, 0, self.class_of(frame), frame)
        return values.inverse(coded, reduce > 0, table, holes, remainder)

    def needs(self, frame, reduce):
        """(offset, size) of the chunks that a frame takes at 1 / 2^reduce."""
        for stream in self.streams:
            unit, _ = self.unit_of(stream, frame) if stream.unit else (0, 0)
            t = self.class_of(frame) if stream.unit else self.steps
            classes = [t] if stream.unit < 2 else range(t, self.steps + 1)
            for coded in range(stream.coded_levels):
                if stream.level_of(coded) < self.levels - reduce:
                    yield from (stream.places[coded, of, unit] for of in classes if (coded, of, unit) in stream.places)

    # ---- the tail

    def records(self):
        """One dictionary for each source file."""
        tail, records = Bytes(self.tail), []
        for files, content_size, stored in self.groups:
            group = Bytes(unpack(tail.take(stored), content_size))
            for _ in range(files):
                flags, content, samples = struct.unpack("<BQQ", group.take(17))
                must(flags < 16, "a record's flags")
                size, prefix, suffix = group.varint(), group.varint(), group.varint()
                must(not flags & 8 or prefix == 0, "a prefix beside the source head")
                record = {"raw": flags & 1, "big_endian": flags & 2, "planar": flags & 4, "content": content,
                          "samples": samples, "size": size, "prefix": group.take(prefix), "suffix": group.take(suffix)}
                if flags & 8:
                    record["prefix"] = self.source_head
                records.append(record)
            must(group.at == len(group.data), "a group's end")
        return records


def join(pieces):
    """Pieces that touch are one."""
    joined = []
    for offset, data in pieces:
        if joined and joined[-1][0] + len(joined[-1][1]) == offset:
            joined[-1] = joined[-1][0], bytes(joined[-1][1]) + bytes(data)
        else:
            must(not joined or joined[-1][0] + len(joined[-1][1]) < offset, "pieces overlap")
            joined.append((offset, bytes(data)))
    return joined


def split(chunk, components):
    """A chunk of the lattice coder, by component."""
    if not chunk:
        return [chunk] * components
    parts = Bytes(chunk)
    return [parts.text() for _ in range(components - 1)] + [chunk[parts.at:]]


def segments(header):
    """(marker, segment) of a main header behind SOC."""
    must(header[:2] == b"\xff\x4f", "SOC")
    at, found = 2, []
    while at < len(header):
        must(at + 4 <= len(header), "a marker segment")
        marker, size = struct.unpack_from(">HH", header, at)
        must(size >= 2 and at + 2 + size <= len(header), "a marker segment")
        found.append((marker, bytearray(header[at:at + 2 + size])))
        at += 2 + size
    return found


def check_header(header, item, coded_levels, coder):
    """SIZ and COD say what the item says."""
    found = dict(segments(header))
    must({0xff51, 0xff52, 0xff5c} <= set(found) and len(found[0xff51]) > 40, "marker segments")
    right, bottom, left, top = struct.unpack_from(">4I", found[0xff51], 6)
    must((right - left, bottom - top) == (item.width, item.height), "SIZ: the size")
    must(coder == J2K or left == top == 0 and found[0xff51][6:22] == found[0xff51][22:38], "SIZ: one tile, no offsets")
    must(struct.unpack_from(">H", found[0xff51], 38)[0] == item.values.coded_components, "SIZ: components")
    must(found[0xff52][9] == coded_levels - 1, "COD: decomposition levels")


def reduced_header(header, reduce):
    """The table at the end of section 5.3; COC and QCC, which only the coder j2k has, as COD and QCD."""
    out, wide = bytearray(header[:2]), 0
    for marker, segment in segments(header):
        if marker == 0xff51:
            for field in range(6, 38, 4):
                value, = struct.unpack_from(">I", segment, field)
                struct.pack_into(">I", segment, field, (value + (1 << reduce) - 1) >> reduce)
            wide = struct.unpack_from(">H", segment, 38)[0] > 256
        elif marker in (0xff52, 0xff53) and reduce:
            style, levels = (4, 9) if marker == 0xff52 else (5 + wide, 6 + wide)
            segment[levels] -= reduce
            if segment[style] & 1:
                del segment[-reduce:]
        elif marker in (0xff5c, 0xff5d) and reduce:
            style = segment[4 if marker == 0xff5c else 5 + wide] & 31
            if style != 1:  # else they are derived from one
                del segment[-3 * reduce * (1 if style == 0 else 2):]
        struct.pack_into(">H", segment, 2, len(segment) - 2)
        out += segment
    return bytes(out)


def main(command, path, *rest):
    item = Item(pathlib.Path(path).read_bytes())
    if command == "list":
        for stream in item.streams:
            for (coded, t, unit), (offset, size) in sorted(stream.places.items()):
                print(stream.number, stream.level_of(coded), t, unit, offset, size)
    elif command == "extract":
        for frame in range(item.frames):
            for level in range(item.levels_present):
                out = pathlib.Path(rest[0], f"{frame}-{level}")
                if item.stream(PICTURE).coder == LATTICE:
                    np.save(out.with_suffix(".npy"), item.samples(frame, item.levels - 1 - level))
                else:
                    out.with_suffix(".j2c").write_bytes(item.codestream(frame, level))
    elif command == "check":
        for damaged in item.damage():
            print("range %d: %d bytes from %d" % (damaged[0], damaged[2], damaged[1]))


if __name__ == "__main__":
    main(*sys.argv[1:])
