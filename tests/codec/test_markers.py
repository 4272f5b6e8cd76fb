# SPDX-License-Identifier: BSD-2-Clause
"""The same packets in other clothes: SOP, EPH, PPT, PPM, tile-parts of all kinds, POC, unknown segments, JPH."""
import os
import random
import tempfile

import decoding

checks = decoding.Checks()
decoding.need("ojph_compress", "opj_decompress")


def packets_of(path):
    """[(header bytes, body bytes, component, resolution, precinct, layer)] of a one-tile stream."""
    with open(path, "rb") as file:
        data = file.read()
    return data, [(data[start:body], data[body:end], *which) for start, body, end, *which in decoding.driver("packets", path)]


def with_scod(header, bits):
    at = header.index(b"\xff\x52") + 4
    return header[:at] + bytes([header[at] | bits]) + header[at + 1 :]


def stream(header, parts):
    """Main header and [(tile-part header segments, body)] of tile 0."""
    out = header
    for index, (segments, body) in enumerate(parts):
        content = segments + b"\xff\x93" + body
        out += decoding.sot(0, len(content) + 12, index, len(parts)) + content
    return out + b"\xff\xd9"


def segment(marker, payload):
    return marker.to_bytes(2, "big") + (len(payload) + 2).to_bytes(2, "big") + payload


def groups(packets, size):
    return [packets[i : i + size] for i in range(0, len(packets), size)]


def sop(number):
    return b"\xff\x91\x00\x04" + (number % 65536).to_bytes(2, "big")


def joined(packets, n):
    return b"".join(packet[n] for packet in packets)


def variants(data, packets):
    """(name, rebuilt stream) of the same image."""
    header = decoding.without_segments(decoding.main_header(data), 0xFF55, 0xFF57)
    plain = joined([(h + b,) for h, b, *_ in packets], 0)
    yield "one tile-part", stream(header, [(b"", plain)])
    yield "a tile-part for each packet", stream(header, [(b"", h + b) for h, b, *_ in packets])
    yield "empty tile-parts between", stream(header, [part for h, b, *_ in packets[:50] for part in
                                                      [(b"", h + b), (b"", b"")]]
                                             + [(b"", joined([(h + b,) for h, b, *_ in packets[50:]], 0))])
    marked = b"".join(sop(n) + h + b"\xff\x92" + b for n, (h, b, *_) in enumerate(packets))
    yield "SOP and EPH", stream(with_scod(header, 6), [(b"", marked)])
    yield "EPH", stream(with_scod(header, 4), [(b"", b"".join(h + b"\xff\x92" + b for h, b, *_ in packets))])
    yield "SOP now and then", stream(with_scod(header, 2), [(b"", b"".join(
        (sop(n) if n % 3 == 0 else b"") + h + b for n, (h, b, *_) in enumerate(packets)))])
    yield "PPT", stream(header, [(segment(0xFF61, b"\0" + joined(packets, 0)), joined(packets, 1))])
    parts, number = [], 0
    for group in groups(packets, 5):  # two PPT segments in each tile-part, the headers cut at any byte
        heads = joined(group, 0)
        middle = len(heads) // 3
        segments = segment(0xFF61, bytes([number]) + heads[:middle]) + segment(0xFF61, bytes([number + 1]) + heads[middle:])
        number += 2
        parts.append((segments, joined(group, 1)))
    if number <= 256:
        yield "PPT in every tile-part", stream(header, parts)
    heads = b"".join(len(joined(group, 0)).to_bytes(4, "big") + joined(group, 0) for group in groups(packets, 5))
    pieces = [heads[i : i + 100] for i in range(0, len(heads), 100)]
    ppm = b"".join(segment(0xFF60, bytes([n]) + piece) for n, piece in enumerate(pieces))
    if len(pieces) <= 256:
        yield "PPM", stream(header + ppm, [(b"", joined(group, 1)) for group in groups(packets, 5)])
        backwards = b"".join(segment(0xFF60, bytes([n]) + pieces[n]) for n in reversed(range(len(pieces))))
        yield "PPM segments backwards", stream(header + backwards, [(b"", joined(group, 1))
                                                                    for group in groups(packets, 5)])
        heads = b"".join(h + b"\xff\x92" for h, *_ in packets)
        ppm = segment(0xFF60, b"\0" + len(heads).to_bytes(4, "big") + heads)
        yield "PPM with EPH, SOP in the body", stream(with_scod(header, 6) + ppm, [(b"", b"".join(
            sop(n) + b for n, (_, b, *_) in enumerate(packets)))])
    plt = segment(0xFF58, b"\0\x01")
    yield "unknown segments", stream(header + segment(0xFF6F, b"what is this") + b"\xff\x30" + segment(0xFF64, b"\0\1hi"),
                                     [(plt + segment(0xFF6A, b"?"), plain)])
    last = stream(header, [(b"", plain)])
    at = last.index(b"\xff\x90") + 6
    yield "Psot 0", last[:at] + bytes(4) + last[at + 4 :]
    codestream = stream(header, [(b"", plain)])
    box = b"".join([(12).to_bytes(4, "big") + b"jP  \r\n\x87\n", (20).to_bytes(4, "big") + b"ftypjph \0\0\0\0jph ",
                    (0).to_bytes(4, "big") + b"jp2c" + codestream])
    yield "JPH", box
    large = b"".join([(12).to_bytes(4, "big") + b"jP  \r\n\x87\n", (1).to_bytes(4, "big") + b"jp2c"
                      + (len(codestream) + 16).to_bytes(8, "big") + codestream, (8).to_bytes(4, "big") + b"free"])
    yield "JPH with a large box", large


def progression_changes(data, packets, order_of, changes):
    """The packets in the order of a POC segment: changes are (r0, c0, layers, r1, c1, order)."""
    header = decoding.without_segments(decoding.main_header(data), 0xFF55, 0xFF57)
    left, body = list(packets), b""
    for r0, c0, _, r1, c1, order in changes:
        chosen = [p for p in left if r0 <= p[3] < r1 and c0 <= p[2] < c1]
        chosen.sort(key=lambda p: order_of[order](p))
        left = [p for p in left if p not in chosen]
        body += b"".join(p[0] + p[1] for p in chosen)
    assert not left
    poc = segment(0xFF5F, b"".join(bytes([r0, c0]) + l.to_bytes(2, "big") + bytes([r1, c1, o])
                                   for r0, c0, l, r1, c1, o in changes))
    return stream(header + poc, [(b"", body)]), stream(header, [(poc, body)])


def tile_transform(data, packets):
    """The colour transform switched on by the tile's own COD only."""
    header = decoding.without_segments(decoding.main_header(data), 0xFF55, 0xFF57)
    at = header.index(b"\xff\x52")
    cod = header[at : at + 2 + int.from_bytes(header[at + 2 : at + 4], "big")]
    without = header[: at + 8] + b"\0" + header[at + 9 :]
    return stream(without, [(cod, joined([(h + b,) for h, b, *_ in packets], 0))])


def one_by_one(name, rebuilt, whole, directory):
    """Each component asked for alone, which needs the others where a transform mixes them."""
    path = os.path.join(directory, "rebuilt.j2c")
    with open(path, "wb") as file:
        file.write(rebuilt)
    for c in range(len(whole)):
        ours, _ = decoding.decode(path, directory, f"component={c}")
        checks.same(ours[0], whole[c], f"{name}: component {c} alone")


def tiles_interleaved(data, count):
    """The tile-parts of a stream with several tiles, in random order of tiles."""
    start = decoding.main_header_end(data)
    parts, at = [], start
    while data[at : at + 2] == b"\xff\x90":
        size = int.from_bytes(data[at + 6 : at + 10], "big")
        parts.append(data[at : at + size])
        at += size
    random.Random(count).shuffle(parts)
    return decoding.without_segments(data[:start], 0xFF55) + b"".join(parts) + b"\xff\xd9"


def check(name, rebuilt, whole, directory):
    path = os.path.join(directory, "rebuilt.jph" if rebuilt[4:8] == b"jP  " else "rebuilt.j2c")
    with open(path, "wb") as file:
        file.write(rebuilt)
    try:
        ours, _ = decoding.decode(path, directory)
        checks.same(ours, whole, name)
        index = decoding.driver("index", path)
        checks.that(index["complete"] == index["levels"], f"{name}: index {index}")
        part, _ = decoding.decode(path, directory, "reduce=1")
        checks.that(part.shape[1] == (whole.shape[1] + 1) // 2, f"{name}: reduced")
    except decoding.Failure as failure:
        checks.that(False, f"{name}: {failure}")


def main():
    with tempfile.TemporaryDirectory() as directory:
        for shape, options in [((60, 50, 3, 8), ["-prog_order", "RPCL"]),
                               ((60, 50, 1, 8), ["-prog_order", "LRCP", "-precincts", "{32,32},{16,16}"])]:
            image = decoding.picture(*shape)
            source = os.path.join(directory, "source.ppm" if shape[2] == 3 else "source.pgm")
            path = os.path.join(directory, "stream.j2c")
            decoding.write_pnm(source, image, 255)
            decoding.ojph_encode(source, path, "-reversible", "true", "-num_decomps", "2", *options)
            data, packets = packets_of(path)
            for name, rebuilt in variants(data, packets):
                check(f"{options[1]}, {name}", rebuilt, image, directory)
            if shape[2] == 3:
                rebuilt = tile_transform(data, packets)
                check("colour transform of the tile", rebuilt, image, directory)
                one_by_one("colour transform of the tile", rebuilt, image, directory)
                one_by_one("colour transform", data, image, directory)
            # In resolution order, component order, and resolution order again (precincts: position order within one).
            order_of = {0: lambda p: (p[5], p[3], p[2], p[4]), 1: lambda p: (p[3], p[5], p[2], p[4]),
                        4: lambda p: (p[2], p[4], p[3], p[5])}
            c = shape[2]
            for n, changes in enumerate([[(0, 0, 1, 1, c, 1), (0, 0, 1, 3, c, 0)],
                                         [(2, 0, 1, 3, c, 1), (0, 0, 1, 33, 255, 0)]]):
                rebuilt = progression_changes(data, packets, order_of, changes)
                check(f"{options[1]}, POC {n} in the main header", rebuilt[0], image, directory)
                check(f"{options[1]}, POC {n} in the tile-part header", rebuilt[1], image, directory)
        image = decoding.picture(90, 70, 1, 8)
        source, path = os.path.join(directory, "source.pgm"), os.path.join(directory, "stream.j2c")
        decoding.write_pnm(source, image, 255)
        decoding.ojph_encode(source, path, "-reversible", "true", "-num_decomps", "2", "-tile_size", "{40,30}")
        with open(path, "rb") as file:
            data = file.read()
        for n in range(3):
            check(f"tiles in order {n}", tiles_interleaved(data, n), image, directory)
    checks.end()


main()
