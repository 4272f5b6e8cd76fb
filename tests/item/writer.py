# SPDX-License-Identifier: BSD-2-Clause
"""Writes item files by docs/format.md, of parts that need not fit one another: for items that nobody should trust."""
import ctypes
import json
import struct

from reader import xxh3, zstd

zstd.ZSTD_compress.restype = zstd.ZSTD_compressBound.restype = ctypes.c_size_t
zstd.ZSTD_compress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int]
zstd.ZSTD_compressBound.argtypes = [ctypes.c_size_t]


def deflate(data):
    """One zstd frame that states its content size."""
    out = ctypes.create_string_buffer(zstd.ZSTD_compressBound(len(data)))
    size = zstd.ZSTD_compress(out, len(out), bytes(data), len(data), 3)
    return out.raw[:size]


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))


def pack_map(lengths):
    """Rows of lengths, one for each coded level."""
    out = bytearray()
    for row in lengths:
        before = 0
        for length in row:
            d = int(length) - before
            out += varint(2 * d if d >= 0 else -2 * d - 1)
            before = int(length)
    return bytes(out)


def sign(data):
    """The id of a head that was changed."""
    data = bytearray(data)
    head_size, = struct.unpack_from("<I", data, 24)
    data[8:16] = xxh3(bytes(data[16:head_size])).to_bytes(8, "little")
    return bytes(data)


def build(manifest, template, packed_map, levels, tail, source_head=b"", coded_levels=None, meta=None, sizes=None,
          chunk_log2=20):
    """
    An item file. `levels`: the bytes of each one; `manifest`: an object, or its text; `meta`: the stored bytes, where
    they are not what belongs there; `sizes`: the four of its parts, where they are not what they are.
    """
    text = manifest if isinstance(manifest, bytes) else json.dumps(manifest).encode()
    parts = text, source_head, template, packed_map
    stored = deflate(b"".join(parts)) if meta is None else meta
    sums, chunk = b"", 1 << chunk_log2
    for content in (*levels, tail):
        for at in range(0, len(content), chunk):
            sums += struct.pack("<Q", xxh3(content[at:at + chunk]))
    head_size = 64 + 8 * len(levels) + len(stored) + len(sums)
    ends, end = [], head_size
    for content in levels:
        end += len(content)
        ends.append(end)
    head = b"\x89MIST\r\n\x1a" + bytes(8) + struct.pack(
        "<8I3B5xQ", 1, 0, head_size, len(stored), *(sizes or map(len, parts)), len(levels),
        coded_levels or len(levels), chunk_log2, len(tail)) + struct.pack(f"<{len(ends)}Q", *ends) + stored + sums
    return sign(head + b"".join(levels) + tail)


def parts_of(item):
    """The arguments of build() that make an item like this one (of reader.Item)."""
    levels = [item.data[start:start + size] for start, size in item.ranges()[:item.levels]]
    return {"manifest": item.manifest, "template": item.template, "packed_map": pack_map(item.lengths),
            "levels": levels, "tail": item.tail, "source_head": item.source_head, "coded_levels": item.coded_levels}
