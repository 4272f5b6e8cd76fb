# SPDX-License-Identifier: BSD-2-Clause
"""Level ends, cut streams and streams reduced by header rewrite."""
import os
import tempfile

import decoding

checks = decoding.Checks()
decoding.need("opj_decompress", "ojph_compress", "ojph_expand")


def cut(data, size, directory):
    path = os.path.join(directory, "cut.j2c")
    with open(path, "wb") as file:
        file.write(data[:size])
    return path


def status_of(path, directory, *options):
    try:
        decoding.decode(path, directory, *options)
        return "ok"
    except decoding.Failure as failure:
        return failure.status


def cut_at_levels(name, path, directory):
    """Each level_end is exactly where the level becomes decodable."""
    with open(path, "rb") as file:
        data = file.read()
    index = decoding.driver("index", path)
    levels = index["levels"]
    checks.that(index["complete"] == levels, f"{name}: {index['complete']} of {levels} levels complete")
    for level, end in enumerate(index["level_end"]):
        reduce = levels - 1 - level
        whole, _ = decoding.decode(path, directory, f"reduce={reduce}")
        prefix = cut(data, end, directory)
        part, answer = decoding.decode(prefix, directory, f"reduce={reduce}")
        checks.same(part, whole, f"{name}: prefix of level {level}")
        checks.that(answer["levels"] == level + 1, f"{name}: {answer['levels']} levels used for level {level}")
        again = decoding.driver("index", prefix)
        checks.that(again["complete"] >= level + 1, f"{name}: index of the prefix of level {level}: {again}")
        prefix = cut(data, end - 1, directory)
        checks.that(status_of(prefix, directory, f"reduce={reduce}") == "truncated",
                    f"{name}: a byte less than level {level} is not reported as truncated")
        checks.that(decoding.driver("index", prefix)["complete"] < level + 1, f"{name}: index says level {level} is there")
        if reduce:
            checks.that(status_of(cut(data, end, directory), directory, f"reduce={reduce - 1}") in ("ok", "truncated"),
                        f"{name}: more than the prefix holds")
            best, _ = decoding.decode(cut(data, end, directory), directory, "best-effort")
            full, _ = decoding.decode(path, directory)
            checks.that(best.shape == full.shape, f"{name}: best effort has the full size")


def reduced(name, path, directory, components, unsigned):
    index = decoding.driver("index", path)
    out = os.path.join(directory, "reduced.j2c")
    with open(path, "rb") as file:
        data = file.read()
    for reduce in range(index["levels"]):
        whole, _ = decoding.decode(path, directory, f"reduce={reduce}")
        # A prefix that ends with the level is enough.
        decoding.driver("reduce", cut(data, index["level_end"][index["levels"] - 1 - reduce], directory), reduce, out)
        ours, _ = decoding.decode(out, directory)
        checks.same(ours, whole, f"{name}: rewritten for reduce {reduce}")
        checks.same(decoding.opj_decode(out, directory, 0, components), whole, f"{name}: OpenJPEG, reduce {reduce}")
        if unsigned:
            checks.same(decoding.ojph_decode(out, directory, 0, components == 3), whole,
                        f"{name}: OpenJPH, reduce {reduce}")
        again = decoding.driver("index", out)
        checks.that(again["levels"] == index["levels"] - reduce == again["complete"], f"{name}: index of the rewritten")


STREAMS = [
    ("RPCL", (300, 220, 1, 12), ["-prog_order", "RPCL"]),
    ("RLCP", (300, 220, 1, 8), ["-prog_order", "RLCP"]),
    ("LRCP", (120, 99, 3, 8), ["-prog_order", "LRCP"]),
    ("PCRL", (120, 99, 1, 8), ["-prog_order", "PCRL", "-precincts", "{32,32}"]),
    ("CPRL", (120, 99, 3, 8), ["-prog_order", "CPRL"]),
    ("tiles", (200, 150, 1, 8), ["-tile_size", "{80,90}"]),
]


def main():
    with tempfile.TemporaryDirectory() as directory:
        for name, (width, height, components, bits), options in STREAMS:
            source = os.path.join(directory, "source.ppm" if components == 3 else "source.pgm")
            path = os.path.join(directory, "stream.j2c")
            decoding.write_pnm(source, decoding.picture(width, height, components, bits), 2**bits - 1)
            decoding.ojph_encode(source, path, "-reversible", "true", *options)
            cut_at_levels(name, path, directory)
        small = os.path.join(decoding.SOURCE, "tests", "data", "htj2k")
        for name, components, unsigned in [("rpcl-tileparts.j2c", 1, True), ("rpcl-color.j2c", 3, True)]:
            path = os.path.join(small, name)
            cut_at_levels(name, path, directory)
            reduced(name, path, directory, components, unsigned)
    checks.end()


main()
