# SPDX-License-Identifier: BSD-2-Clause
"""Streams of another encoder (ojph_compress) with all its options, against two other decoders."""
import os
import tempfile

import numpy

import decoding

checks = decoding.Checks()
decoding.need("opj_decompress", "ojph_compress", "ojph_expand")

ORDERS = ["LRCP", "RLCP", "RPCL", "PCRL", "CPRL"]
REVERSIBLE = ["-reversible", "true"]

# Name, picture (width, height, components, bits), options of ojph_compress, whether lossless.
CASES = [(order, (150, 117, 3, 8), [*REVERSIBLE, "-prog_order", order, "-precincts", "{32,64},{64,32}"], True)
         for order in ORDERS]
CASES += [("blocks " + size, (130, 90, 1, 12), [*REVERSIBLE, "-block_size", size], True)
          for size in ["{4,4}", "{4,1024}", "{1024,4}", "{64,32}", "{8,256}"]]
CASES += [("decompositions " + str(n), (70, 45, 1, 10), [*REVERSIBLE, "-num_decomps", str(n)], True) for n in range(7)]
CASES += [("tiles " + order, (200, 150, 1, 8), [*REVERSIBLE, "-tile_size", "{67,59}", "-prog_order", order], True)
          for order in ORDERS]
CASES += [
    ("16 bits", (99, 101, 1, 16), REVERSIBLE, True),
    ("16-bit colour", (64, 64, 3, 16), REVERSIBLE, True),
    ("no colour transform", (64, 50, 3, 8), [*REVERSIBLE, "-colour_trans", "false"], True),
    ("colour tiles", (128, 100, 3, 8), [*REVERSIBLE, "-tile_size", "{33,47}", "-num_decomps", "3"], True),
    ("offset", (100, 80, 1, 8), [*REVERSIBLE, "-image_offset", "{13,7}"], True),
    ("offset tiles", (100, 80, 1, 8),
     [*REVERSIBLE, "-image_offset", "{21,35}", "-tile_offset", "{3,17}", "-tile_size", "{40,37}"], True),
    ("offset precincts", (131, 77, 1, 8),
     [*REVERSIBLE, "-image_offset", "{5,9}", "-precincts", "{16,16}", "-prog_order", "PCRL"], True),
    ("precincts smaller than blocks", (150, 117, 1, 8),
     [*REVERSIBLE, "-num_decomps", "1", "-block_size", "{64,64}", "-precincts", "{32,32}"], True),
    ("one row", (100, 1, 1, 8), REVERSIBLE, True),
    ("one column", (1, 100, 1, 8), REVERSIBLE, True),
    ("one pixel", (1, 1, 1, 8), REVERSIBLE, True),
    ("irreversible", (150, 120, 1, 8), ["-reversible", "false", "-qstep", "0.004"], False),
    ("irreversible colour", (150, 120, 3, 8), ["-reversible", "false", "-qstep", "0.002"], False),
    ("irreversible tiles", (150, 120, 1, 12), ["-reversible", "false", "-qstep", "0.0005", "-tile_size", "{64,64}"],
     False),
    ("coarse", (150, 120, 1, 8), ["-reversible", "false", "-qstep", "0.1"], False),
]


def run(name, shape, options, lossless, directory):
    width, height, components, bits = shape
    image = decoding.picture(width, height, components, bits)
    source = os.path.join(directory, "source.ppm" if components == 3 else "source.pgm")
    path = os.path.join(directory, "stream.j2c")
    decoding.write_pnm(source, image, 2**bits - 1)
    decoding.ojph_encode(source, path, *options)
    ours, answer = decoding.decode(path, directory)
    if lossless:
        checks.same(ours, image, name)
    levels = decoding.driver("info", path)["levels"]
    for reduce in range(levels):
        part, _ = decoding.decode(path, directory, f"reduce={reduce}")
        theirs = decoding.opj_decode(path, directory, reduce, components)
        if lossless:
            checks.same(part, theirs, f"{name} reduced by {reduce}, against OpenJPEG")
        else: # decoders differ in the last bit: floats, and where in its interval a coefficient is put
            error = numpy.abs(part - theirs).max() if part.shape == numpy.shape(theirs) else 10**6
            limit = 2 if "coarse" not in name else 30
            checks.that(error <= limit, f"{name} reduced by {reduce}: {error} from OpenJPEG")
    region(name, path, ours, answer["blocks"], directory)


def region(name, path, whole, blocks, directory):
    _, height, width = whole.shape
    for x, y, w, h in [(0, 0, width, height), (width // 3, height // 2, max(width // 5, 1), max(height // 7, 1)),
                       (width - 1, height - 1, 1, 1)]:
        part, answer = decoding.decode(path, directory, f"region={x},{y},{w},{h}")
        checks.same(part, whole[:, y : y + h, x : x + w], f"{name}: region {x},{y} {w}x{h}")
        checks.that(answer["blocks"] <= blocks, f"{name}: {answer['blocks']} blocks for a region, {blocks} for all")


def main():
    with tempfile.TemporaryDirectory() as directory:
        for name, shape, options, lossless in CASES:
            try:
                run(name, shape, options, lossless, directory)
            except (decoding.Failure, RuntimeError) as failure:
                checks.that(False, f"{name}: {failure}")
    checks.end()


main()
