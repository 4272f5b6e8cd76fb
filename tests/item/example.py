# SPDX-License-Identifier: BSD-2-Clause
"""
The worked example of docs/format.md.

    example.py picture FILE.png    the picture that tests/data/item/example.mist was made of by `mist encode`
    example.py                     prints section 11, its numbers read from tests/data/item/example.mist
    example.py --write             puts it into docs/format.md between its markers
"""
import pathlib
import struct
import sys
import textwrap
import zlib

import reader

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
ITEM = ROOT / "tests" / "data" / "item" / "example.mist"
START, END = "<!-- tests/item/example.py -->\n", "<!-- end -->\n"
WIDTH, HEIGHT = 70, 66

FIELDS = [("magic", 0, 8, "bytes"), ("id", 8, 8, "hex"), ("version", 16, 4, ""), ("head_size", 20, 4, ""),
          ("meta_stored", 24, 4, ""), ("meta_size", 28, 4, "")]


def picture():
    """A grey PNG of rings, deflated without compression, so that it is the same with every zlib."""
    chunk = lambda kind, body: struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    rows = b"".join(b"\0" + bytes(((x - 35) ** 2 + (y - 33) ** 2) // 8 & 255 for x in range(WIDTH)) for y in range(HEIGHT))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 0, 0, 0, 0)) +
            chunk(b"tEXt", b"Title\0Rings") + chunk(b"IDAT", zlib.compress(rows, 0)) + chunk(b"IEND", b""))


def dump(data, at=0):
    lines = []
    for i in range(0, len(data), 16):
        row = data[i:i + 16]
        text = "".join(chr(b) if 32 <= b < 127 else "." for b in row)
        lines.append(f"{at + i:06x}  {row[:8].hex(' '):23}  {row[8:].hex(' '):23}  {text}")
    return "```\n" + "\n".join(lines) + "\n```"


def prologue(data):
    lines = ["| offset | bytes | name | value |", "|---:|---|---|---|"]
    for name, at, size, kind in FIELDS:
        value = int.from_bytes(data[at:at + size], "little")
        shown = {"bytes": "", "hex": f"{value:016x}"}.get(kind, str(value))
        lines.append(f"| {at} | `{data[at:at + size].hex(' ')}` | {name} | {shown} |")
    return "\n".join(lines)


def show(name, kind, value, size):
    """What a field of meta says, in words."""
    if kind == "text":
        text = value.decode(errors="replace")
        return f'"{text}"' if text.isprintable() else f"{len(value)} bytes"
    if kind == "values":
        return "identity, u8, precision 8"
    return {"rest": f"{size} bytes"}.get(kind, f"{value:g}" if kind == "real" else str(value))


def meta_table(item):
    """The fields of meta; spacing and source head etc. as they are, long ones shortened."""
    lines = ["| offset in meta | bytes | name | value |", "|---:|---|---|---|"]
    for name, start, end, kind, value in item.fields:
        data = item.meta.data[start:end]
        shown = data.hex(" ") if len(data) <= 16 else data[:8].hex(" ") + " ..."
        lines.append(f"| {start} | `{shown}` | {name} | {show(name, kind, value, end - start)} |")
    return "\n".join(lines)


def level_table(item):
    stream = item.streams[0]
    lines = ["| level | size | coded levels | from | to |", "|---:|---|---|---:|---:|"]
    for level, (start, size) in enumerate(item.ranges()[:item.levels]):
        reduce = item.levels - 1 - level
        coded = f"0 to {stream.extra}" if level == 0 else str(level + stream.extra)
        lines.append(f"| {level} | {-(-item.width // (1 << reduce))} x "
                     f"{-(-item.height // (1 << reduce))} | {coded} | {start} | {start + size} |")
    return "\n".join(lines)


def map_table(item, packed):
    """The map's bytes beside what they mean."""
    lines, bytes_left = ["| coded level | bytes | z | length |", "|---:|---|---:|---:|"], reader.Bytes(packed)
    for coded, row in enumerate(item.streams[0].lengths):
        at = bytes_left.at
        z = bytes_left.varint()
        lines.append(f"| {coded} | `{packed[at:bytes_left.at].hex(' ')}` | {z} | {row[0][0]} |")
    return "\n".join(lines)


def wrap(text):
    return textwrap.fill(" ".join(text.split()), 120, break_on_hyphens=False, break_long_words=False)


def section(data):
    item = reader.Item(data)
    stream = item.streams[0]
    checksums_at = reader.PROLOGUE + item.meta_stored
    packed_map = item.meta.data[item.fields[-1][1]:]
    header, lengths = stream.headers[0], [row[0][0] for row in stream.lengths]
    cut, alone = item.codestream(0, 0, standalone=False), item.codestream(0, 0)
    tlm, sot = cut.index(b"\xff\x55"), cut.index(b"\xff\x90")
    record, tail_at, first = item.records()[0], item.ends[-1], lengths[0]
    stored = "as it is" if item.meta_stored == item.meta_size else "one zstd frame with the dictionary of section 1"
    parts = [
        wrap(f"""`tests/data/item/example.mist` ({len(data)} bytes) is what `mist encode` makes of a grey PNG of
        {item.width} x {item.height} pixels with a text chunk, `rings.png`, which `tests/item/example.py picture` writes.
        This section is printed by `tests/item/example.py` from the bytes of the file; a test compares. Byte 0 to
        {reader.PROLOGUE - 1}, the prologue:"""),
        dump(data[:reader.PROLOGUE]), prologue(data),
        wrap(f"""Bytes {reader.PROLOGUE} to {checksums_at - 1} are meta, {stored}, of {item.meta_size} bytes once
        unpacked:"""),
        dump(item.meta.data), meta_table(item),
        wrap(f"""min({item.width}, {item.height}) / 32 is {min(item.width, item.height) / 32:.4f}, so there are
        {item.levels} levels; {stream.extra} more are in the codestream, e = {stream.extra}. The value map is two bytes: kind
        0 and type 0, then precision - 1. The header is SOC, SIZ, CAP, COD, QCD. SIZ says {item.width} x {item.height}
        (`{item.width:08x}`, `{item.height:08x}`) and COD {stream.coded_levels - 1} decompositions:"""),
        dump(header),
        "The map, with one frame and no steps, is just a length for each coded level:",
        map_table(item, packed_map),
        level_table(item),
        wrap(f"""Level 0 has {' + '.join(str(n) for n in lengths[:stream.extra + 1])} =
        {sum(lengths[:stream.extra + 1])} bytes, from {item.head_size} to {item.ends[0]}. Bytes {checksums_at} to
        {item.head_size - 1} of the head are the checksums: no range is longer than a stretch, so there is one for each of
        the {item.levels} levels and one for the tail:"""),
        dump(data[checksums_at:item.head_size], checksums_at),
        wrap(f"""The codestream of frame 0 cut behind level 0 has {len(cut)} bytes: the header, then TLM with the lengths
        of all {stream.coded_levels} tile-parts:"""),
        dump(cut[tlm:sot], tlm),
        wrap(f"""then the first tile-part: SOT, whose length is {first} + 14 = {first + 14}, SOD, and {first} bytes of
        packets, which are bytes {item.head_size} to {item.head_size + first - 1} of the file:"""),
        dump(cut[sot:sot + 14 + first], sot),
        wrap(f"""and so on for coded levels 1 to {stream.extra}; then EOC. As a codestream of its own, of {-(-item.width // 2)} x
        {-(-item.height // 2)}, it has {len(alone)} bytes: QCD is 3 bytes shorter, TLM 5. The tail, bytes {tail_at} to
        {len(data) - 1}, is one group, {"stored as it is" if item.groups[0][1] == item.groups[0][2] else "a zstd frame"}:"""),
        dump(item.tail, tail_at),
        wrap(f"""The record in it has the flags {8 * (record['prefix'] == item.source_head)} (a PNG file is not raw; its prefix
        is the source head), the content checksum `{record['content']:016x}`, that is of the {record['size']} bytes of
        `rings.png`, and the samples checksum `{record['samples']:016x}`, of its {item.width * item.height} samples."""),
    ]
    return "\n\n".join(parts) + "\n"


def main(words):
    if words[:1] == ["picture"]:
        pathlib.Path(words[1]).write_bytes(picture())
        return
    text = section(ITEM.read_bytes())
    if words != ["--write"]:
        print(text)
        return
    page = ROOT / "docs" / "format.md"
    old = page.read_text()
    page.write_text(old[:old.index(START) + len(START)] + text + old[old.index(END):])


if __name__ == "__main__":
    main(sys.argv[1:])
