# SPDX-License-Identifier: BSD-2-Clause
"""Writes item files by docs/format.md, of parts that need not fit one another: for items that nobody should trust."""
import ctypes
import struct

from reader import MAGIC, xxh3, zstd

zstd.ZSTD_compress.restype = zstd.ZSTD_compressBound.restype = ctypes.c_size_t
zstd.ZSTD_compress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int]
zstd.ZSTD_compressBound.argtypes = [ctypes.c_size_t]


def deflate(data):
    """One zstd frame that states its content size."""
    out = ctypes.create_string_buffer(zstd.ZSTD_compressBound(len(data)))
    size = zstd.ZSTD_compress(out, len(out), bytes(data), len(data), 3)
    return out.raw[:size]


def pack(data):
    """A packed section."""
    frame = deflate(data)
    return frame if len(frame) < len(data) else bytes(data)


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))


def varints(*values):
    return b"".join(map(varint, values))


def text(data):
    return varint(len(data)) + data


def zigzag(value):
    return varint(2 * value if value >= 0 else -2 * value - 1)


def pack_map(item, change=lambda stream, coded, t, slot, length: length):
    """The map of an item of reader.Item, with lengths as `change` says."""
    out = bytearray()
    for stream in item.streams:
        for coded in range(stream.coded_levels):
            for t in range(item.steps, -1, -1):
                before = 0
                for slot in range(len(stream.slots[t])):
                    length = change(stream.number, coded, t, slot, stream.lengths[coded][t][slot])
                    out += zigzag(length - before)
                    before = length
    return bytes(out)


def sign(data):
    """The id of a head that was changed."""
    data = bytearray(data)
    head_size, = struct.unpack_from("<I", data, 20)
    data[8:16] = xxh3(bytes(data[16:head_size])).to_bytes(8, "little")
    return bytes(data)


def build(fields, ranges, tail, meta=None, meta_size=None, chunk_log2=20):
    """
    An item file. `fields`: the fields of meta as bytes, by name, in order; `ranges`: the bytes of each one, level by level
    and class by class; `meta`: the stored bytes and `meta_size`: their content's size, where they are not what they are.
    """
    content = b"".join(fields.values())
    stored = pack(content) if meta is None else meta
    sums, chunk = b"", 1 << chunk_log2
    for part in (*ranges, tail):
        for at in range(0, len(part), chunk):
            sums += struct.pack("<Q", xxh3(part[at:at + chunk]))
    head_size = 32 + len(stored) + len(sums)
    head = MAGIC + bytes(8) + struct.pack("<4I", 2, head_size, len(stored), len(content) if meta_size is None else meta_size)
    return sign(head + stored + sums + b"".join(ranges) + tail)


def parts_of(item):
    """The arguments of build() that make an item like this one (of reader.Item)."""
    fields = {name: item.meta.data[start:end] for name, start, end, *_ in item.fields}
    ranges = [item.bytes_at(*place) for place in item.ranges()[:-1]]
    return {"fields": fields, "ranges": ranges, "tail": item.tail, "chunk_log2": item.chunk.bit_length() - 1}
