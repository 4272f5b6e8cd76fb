# SPDX-License-Identifier: BSD-2-Clause
"""
The worked example of docs/format.md.

    example.py picture FILE.png    the picture that tests/data/item/example.mist was made of by `mist encode`
    example.py                     prints section 11, its numbers read from tests/data/item/example.mist
    example.py --write             puts it into docs/format.md between its markers
"""
import json
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

FIELDS = [("magic", 0, 8, "bytes"), ("id", 8, 8, "hex"), ("version", 16, 4, ""), ("flags", 20, 4, ""),
          ("head_size", 24, 4, ""), ("meta_stored", 28, 4, ""), ("manifest_size", 32, 4, ""),
          ("source_head_size", 36, 4, ""), ("template_size", 40, 4, ""), ("map_size", 44, 4, ""), ("levels", 48, 1, ""),
          ("coded_levels", 49, 1, ""), ("chunk_log2", 50, 1, ""), ("reserved", 51, 5, "bytes"), ("tail_size", 56, 8, "")]


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


def level_table(item):
    lines = ["| level | size | coded levels | from | to | `end` in the head |", "|---:|---|---|---:|---:|---|"]
    for level, (start, size) in enumerate(item.ranges()[:item.levels]):
        reduce = item.levels - 1 - level
        coded = f"0 to {item.extra}" if level == 0 else str(level + item.extra)
        lines.append(f"| {level} | {-(-item.width // (1 << reduce))} x "
                     f"{-(-item.height // (1 << reduce))} | {coded} | {start} | {start + size} | "
                     f"`{item.data[64 + 8 * level:72 + 8 * level].hex(' ')}` |")
    return "\n".join(lines)


def varints(item, packed):
    """The map's bytes beside what they mean."""
    lines, bytes_left = ["| coded level | bytes | z | length |", "|---:|---|---:|---:|"], reader.Bytes(packed)
    for coded in range(item.coded_levels):
        at = bytes_left.at
        z = bytes_left.varint()
        lines.append(f"| {coded} | `{packed[at:bytes_left.at].hex(' ')}` | {z} | {item.lengths[coded, 0]} |")
    return "\n".join(lines)


def wrap(text):
    return textwrap.fill(" ".join(text.split()), 120, break_on_hyphens=False, break_long_words=False)


def section(data):
    item = reader.Item(data)
    at = 64 + 8 * item.levels
    meta_stored, manifest_size, head_size, template_size = (struct.unpack_from("<I", data, o)[0] for o in (28, 32, 36, 40))
    meta = reader.inflate(data[at:at + meta_stored], manifest_size + head_size + template_size +
                          struct.unpack_from("<I", data, 44)[0])
    manifest = meta[:manifest_size].decode()
    packed_map = meta[manifest_size + head_size + template_size:]
    checksums_at = at + meta_stored
    cut = item.codestream(0, 0, standalone=False)
    alone = item.codestream(0, 0)
    tlm, sot = cut.index(b"\xff\x55"), cut.index(b"\xff\x90")
    record, tail_at = item.records()[0], item.ends[-1]
    groups = struct.unpack("<IIII", item.tail[-16:])
    length = int(item.lengths[0, 0])
    parts = [
        wrap(f"""`tests/data/item/example.mist` ({len(data)} bytes) is what `mist encode` makes of a grey PNG of
        {item.width} x {item.height} pixels with a text chunk, `rings.png`, which `tests/item/example.py picture` writes.
        This section is printed by `tests/item/example.py` from the bytes of the file; a test compares. Byte 0 to 63, the
        prologue:"""),
        dump(data[:64]), prologue(data),
        wrap(f"""min({item.width}, {item.height}) / 32 is {min(item.width, item.height) / 32:.4f}, so there are
        {item.levels} levels; {item.coded_levels - item.levels} more are in the codestreams, e = {item.extra}. Bytes 64 to
        {at - 1} are the level ends:"""),
        level_table(item),
        wrap(f"""Bytes {at} to {checksums_at - 1} are meta, one zstd frame (`{data[at:at + 4].hex(' ')}` is its magic
        number) of {len(meta)} bytes once inflated. Its first {manifest_size} are the manifest (here broken into lines):"""),
        "```\n" + "\n".join(textwrap.wrap(manifest, 118, break_on_hyphens=False)) + "\n```",
        f"The next {head_size} are the source head, all PNG chunks between IHDR and IDAT:",
        dump(item.source_head),
        wrap(f"""Then {template_size} bytes of template: SOC, SIZ, CAP, COD, QCD. SIZ says {item.width} x {item.height}
        (`{item.width:08x}`, `{item.height:08x}`) and COD {item.coded_levels - 1} decompositions:"""),
        dump(item.template),
        f"And {len(packed_map)} bytes of map, with one frame just a length for each coded level:",
        varints(item, packed_map),
        wrap(f"""So level 0 has {' + '.join(str(int(n)) for n in item.lengths[:item.extra + 1, 0])} =
        {int(item.lengths[:item.extra + 1, 0].sum())} bytes, from {item.head_size} to {item.ends[0]}. Bytes {checksums_at} to
        {item.head_size - 1} of the head are the checksums: no range is longer than a chunk, so there is one for each of
        the {item.levels} levels and one for the tail:"""),
        dump(data[checksums_at:item.head_size], checksums_at),
        wrap(f"""The codestream of frame 0 cut behind level 0 has {len(cut)} bytes: the template, then TLM with the lengths
        of all {item.coded_levels} tile-parts:"""),
        dump(cut[tlm:sot], tlm),
        wrap(f"""then the first tile-part: SOT, whose length is {length} + 14 = {length + 14}, SOD, and {length} bytes of
        packets, which are bytes {item.head_size} to {item.head_size + length - 1} of the file:"""),
        dump(cut[sot:sot + 14 + length], sot),
        wrap(f"""and so on for coded levels 1 to {item.extra}. As a codestream of its own, of {-(-item.width // 2)} x
        {-(-item.height // 2)}, it has {len(alone)} bytes: QCD is 3 bytes shorter, TLM 5, and EOC is behind it. The tail,
        bytes {tail_at} to {len(data) - 1}, is one group and the index:"""),
        dump(item.tail, tail_at),
        wrap(f"""The index says {groups[0]} file, content of {groups[1]} bytes, stored in {groups[2]}; {groups[3]} group.
        The record in it has the flags {8 * (record['prefix'] == item.source_head)} (a PNG file is not raw; its prefix is the
        source head), the content checksum `{record['content']:016x}`, that is of the {record['size']} bytes of `rings.png`,
        and the samples checksum `{record['samples']:016x}`, of its {item.width * item.height} samples."""),
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
