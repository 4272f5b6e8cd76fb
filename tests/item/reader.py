"""An independent reader of item files, written from docs/format.md alone, with numpy, libzstd and libxxhash.

    reader.py list FILE              the map: frame, level, offset, size
    reader.py extract FILE DIR       every frame's codestream at every level that is there: DIR/FRAME-LEVEL.j2c
    reader.py check FILE             every checksum
"""
import ctypes
import json
import math
import pathlib
import struct
import sys

import numpy as np

zstd = ctypes.CDLL("libzstd.so.1")
zstd.ZSTD_decompress.restype = ctypes.c_size_t
zstd.ZSTD_decompress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
xxhash = ctypes.CDLL("libxxhash.so.0")
xxhash.XXH3_64bits.restype = ctypes.c_uint64
xxhash.XXH3_64bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]

MAGIC = b"\x89MIST\r\n\x1a"
PROLOGUE = 64


class Refused(Exception):
    """The file breaks a rule of the format."""


def must(condition, what):
    if not condition:
        raise Refused(what)


def xxh3(data):
    return xxhash.XXH3_64bits(bytes(data), len(data))


def inflate(data, size):
    out = ctypes.create_string_buffer(max(size, 1))
    must(zstd.ZSTD_decompress(out, size, bytes(data), len(data)) == size, "a zstd frame")
    return out.raw[:size]


def distinct(pairs):
    must(len(dict(pairs)) == len(pairs), "a member of the manifest twice")
    return dict(pairs)


class Bytes:
    def __init__(self, data):
        self.data, self.at = data, 0

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


class Item:
    def __init__(self, data, tail=None):
        self.data = data
        must(data[:8] == MAGIC and len(data) >= PROLOGUE, "not an item file")
        (self.id, version, flags, self.head_size, meta_stored, manifest_size, source_head_size, template_size, map_size,
         self.levels, self.coded_levels, chunk_log2, reserved, self.tail_size) = struct.unpack_from("<QIIIIIIIIBBB5sQ", data, 8)
        must(version == 1 and flags == 0 and reserved == bytes(5), "version, flags or reserved bytes")
        must(PROLOGUE <= self.head_size <= 1 << 28 and len(data) >= self.head_size, "the head is not all there")
        must(xxh3(data[16:self.head_size]) == self.id, "the head's checksum")
        must(manifest_size <= 1 << 26 and source_head_size <= 1 << 26 and template_size <= 1 << 16 and
             map_size <= 1 << 27, "sizes of meta")
        must(1 <= self.levels <= 33 and (self.coded_levels == 1 or self.levels <= self.coded_levels <= 33) and 16 <= chunk_log2 <= 26, "levels, chunks")
        self.chunk = 1 << chunk_log2
        self.ends = struct.unpack_from(f"<{self.levels}Q", data, PROLOGUE)
        must(list(self.ends) == sorted(self.ends) and self.ends[0] >= self.head_size, "the ends descend")
        self.extra = max(0, self.coded_levels - self.levels)
        self.stored_levels = min(self.levels, self.coded_levels)
        must(all(end == self.ends[-1] for end in self.ends[self.stored_levels - 1:]), "levels that are not coded")
        self.size = self.ends[-1] + self.tail_size
        must(len(data) <= self.size <= 1 << 44, "the file is too long")

        at = PROLOGUE + 8 * self.levels
        sizes = manifest_size, source_head_size, template_size, map_size
        meta = Bytes(inflate(data[at:at + meta_stored], sum(sizes)))
        manifest, self.source_head, self.template, packed_map = (meta.take(size) for size in sizes)
        self.manifest = json.loads(manifest, object_pairs_hook=distinct)
        must(0 <= self.head_size - at - meta_stored and (self.head_size - at - meta_stored) % 8 == 0, "the head's size")
        self.checksums = np.frombuffer(data[at + meta_stored:self.head_size], "<u8")
        must(len(self.checksums) == sum(-(-size // self.chunk) for _, size in self.ranges()), "the number of checksums")
        self.read_manifest()
        self.read_map(Bytes(packed_map))
        self.levels_present = sum(end <= len(data) for end in self.ends)
        self.tail = tail if tail is not None else data[self.ends[-1]:] if len(data) == self.size else None
        must(self.tail is None or len(self.tail) == self.tail_size, "the tail's size")

    def ranges(self):
        """(offset, size) of level 0 .. L and the tail."""
        edges = (self.head_size, *self.ends, self.size)
        return [(a, b - a) for a, b in zip(edges, edges[1:])]

    def read_manifest(self):
        m = self.manifest
        self.frames, self.width, self.height = m["frames"], m["width"], m["height"]
        self.label = m.get("label", False)
        must(self.levels == max(1, math.ceil(math.log2(min(self.width, self.height) / 32))), "levels of this size")
        must(self.coded_levels == 1 if self.label else self.coded_levels >= self.levels, "coded levels")
        must(sum(file.get("frames", 1) for file in m["files"]) == self.frames, "frames of the files")
        must(len({file["path"] for file in m["files"]}) == len(m["files"]), "paths are distinct")

    def read_map(self, packed):
        must(self.frames * self.coded_levels <= 1 << 24, "entries of the map")
        self.lengths = np.zeros((self.coded_levels, self.frames), np.int64)
        for row in self.lengths:
            length = 0
            for frame in range(self.frames):
                z = packed.varint()
                length += -(z + 1) // 2 if z & 1 else z // 2
                must(0 <= length <= (1 << 32) - 15, "a length in the map")
                row[frame] = length
        must(packed.at == len(packed.data), "the map's end")
        self.starts = np.zeros((self.stored_levels, self.frames + 1), np.int64)
        for level, starts in enumerate(self.starts):
            sizes = self.lengths[:self.extra + 1].sum(0) if level == 0 else self.lengths[level + self.extra]
            starts[0] = self.ranges()[level][0]
            starts[1:] = starts[0] + np.cumsum(sizes)
            must(starts[-1] == self.ends[level], "the map's sum")

    def packets(self, frame, coded_level):
        if coded_level > self.extra:
            start = self.starts[coded_level - self.extra, frame]
        else:
            start = self.starts[0, frame] + self.lengths[:coded_level, frame].sum()
        return self.data[int(start):int(start + self.lengths[coded_level, frame])]

    def codestream(self, frame, level, standalone=True):
        """Of level `level` of the item; cut behind it, or with rewritten headers."""
        n, k = self.coded_levels, 0 if self.label else level + self.extra
        must(level < self.levels_present, "this level is not here")
        main = self.template
        if standalone:
            main, n = reduced_header(main, n - 1 - k), k + 1
        out = bytearray(main)
        out += struct.pack(">HHBB", 0xff55, 4 + 5 * n, 0, 0x50)
        for coded in range(n):
            out += struct.pack(">BI", 0, int(self.lengths[coded, frame]) + 14)
        for coded in range(k + 1):
            size = int(self.lengths[coded, frame]) + 14
            out += struct.pack(">HHHIBBH", 0xff90, 10, 0, size, coded, n, 0xff93) + self.packets(frame, coded)
        if k == n - 1:
            out += b"\xff\xd9"
        return bytes(out)

    def samples(self, coded, level):
        """Decoded integers (rows, columns, coded components) -> the item's samples, by section 6 and 7."""
        values, kind = self.manifest["values"], self.manifest["values"]["map"]
        dtype = np.dtype({"u": "<u", "s": "<i", "f": "<f"}[self.manifest["type"][0]] + str(int(self.manifest["type"][1:]) // 8))
        reduced = level < self.levels - 1
        if kind == "identity":
            out = coded.astype(dtype)
        elif kind == "linear":
            value = np.float64(values["a"]) + np.float64(values["b"]) * coded.astype(np.float64)
            largest = np.finfo(dtype).max.astype(np.float64)
            out = np.clip(value, -largest, largest).astype(dtype)
        else:
            out = self.ordered(coded, dtype, reduced and not self.label)
        if self.label:
            step = 1 << (self.levels - 1 - level)
            out = out[::step, ::step]
        return out

    def ordered(self, coded, dtype, reduced):
        values = self.manifest["values"]
        planes, bits = values["planes"], 8 * dtype.itemsize
        k = coded[:, :, ::planes].astype(np.int64)
        low = coded[:, :, 1::planes].astype(np.int64) & 0xffffffff if planes == 2 else 0 * k
        if reduced:
            k, low = np.vectorize(lambda m: keep_finite(int(m), values, bits))(k), 0 * k
        top = min(bits, 32)
        pattern = np.where(k >= 0, k, -1 - k).astype(np.uint64) | np.where(k < 0, 1 << (top - 1), 0).astype(np.uint64)
        if bits == 64:
            pattern = pattern << np.uint64(32) | low.astype(np.uint64)
        return pattern.astype(f"<u{bits // 8}").view(dtype)

    def damage(self):
        """The chunks that are here and are not what was stored, as (range, offset, size)."""
        bad, number = [], 0
        for index, (start, size) in enumerate(self.ranges()):
            content = self.data[start:start + size] if index < self.levels else self.tail or b""
            for at in range(0, size, self.chunk):
                piece = content[at:min(at + self.chunk, size)]
                if len(piece) == min(self.chunk, size - at) and xxh3(piece) != self.checksums[number]:
                    bad.append((index, start + at, len(piece)))
                number += 1
        return bad

    def records(self):
        """The tail: one dictionary for each source file."""
        tail = Bytes(self.tail)
        groups, = struct.unpack("<I", self.tail[-4:])
        index = np.frombuffer(self.tail[len(self.tail) - 4 - 12 * groups:-4], "<u4").reshape(groups, 3).astype(int)
        must(index[:, 0].sum() == len(self.manifest["files"]) and
             index[:, 2].sum() + 12 * groups + 4 == self.tail_size, "the tail's index")
        records = []
        for files, content_size, stored in index:
            group = Bytes(inflate(tail.take(stored), int(content_size)))
            for _ in range(files):
                flags, content, samples = struct.unpack("<BQQ", group.take(17))
                must(flags < 16, "a record's flags")
                size, prefix, suffix = group.varint(), group.varint(), group.varint()
                record = {"raw": flags & 1, "big_endian": flags & 2, "planar": flags & 4, "content": content,
                          "samples": samples, "size": size, "prefix": group.take(prefix), "suffix": group.take(suffix)}
                if flags & 8:
                    record["prefix"] = self.source_head
                records.append(record)
            must(group.at == len(group.data), "a group's end")
        return records


def keep_finite(m, values, bits):
    infinity = {16: 0x7c00, 32: 0x7f800000, 64: 0x7ff00000}[bits]
    lowest, highest = values["lowest"], values["highest"]
    low, high = values["finite_lowest"], values["finite_highest"]
    if low > high:
        return min(max(m, lowest), highest)
    if m > high:
        if highest == high or m - high < infinity - m:
            return high
        return infinity if m == infinity else highest
    if m < low:
        if lowest == low or low - m < m - (-1 - infinity):
            return low
        return -1 - infinity if m == -1 - infinity else lowest
    return m


def reduced_header(template, reduce):
    """The table at the end of section 5."""
    out, at = bytearray(template[:2]), 2
    while at < len(template):
        marker, size = struct.unpack_from(">HH", template, at)
        segment = bytearray(template[at:at + 2 + size])
        if marker == 0xff51:
            for field in (6, 10, 22, 26):
                value, = struct.unpack_from(">I", segment, field)
                struct.pack_into(">I", segment, field, (value + (1 << reduce) - 1) >> reduce)
        elif marker == 0xff52:
            segment[9] -= reduce
            if segment[4] & 1 and reduce:
                del segment[-reduce:]
        elif marker == 0xff5c and reduce:
            del segment[-3 * reduce:]
        struct.pack_into(">H", segment, 2, len(segment) - 2)
        out += segment
        at += 2 + size
    return bytes(out)


def main(command, path, *rest):
    item = Item(pathlib.Path(path).read_bytes())
    if command == "list":
        for frame in range(item.frames):
            for level in range(item.stored_levels):
                print(frame, level, item.starts[level, frame], item.starts[level, frame + 1] - item.starts[level, frame])
    elif command == "extract":
        for frame in range(item.frames):
            for level in range(min(item.levels_present, item.stored_levels)):
                pathlib.Path(rest[0], f"{frame}-{level}.j2c").write_bytes(item.codestream(frame, level))
    elif command == "check":
        for damaged in item.damage():
            print("range %d: %d bytes from %d" % (damaged[0], damaged[2], damaged[1]))


if __name__ == "__main__":
    main(*sys.argv[1:])
