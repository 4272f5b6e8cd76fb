# SPDX-License-Identifier: BSD-2-Clause
"""ISO/IEC 15444-4 HTJ2K streams within their tolerances, and OpenJPH's lossless streams against their raw pixels."""
import csv
import os
import tempfile

import numpy

import decoding

checks = decoding.Checks()
decoding.need("opj_decompress")


def conformance(folder, directory):
    with open(os.path.join(folder, "tolerances.csv"), encoding="ascii") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        name = f"{row['codestream']} component {row['component']}"
        reference = decoding.read_pgx(os.path.join(folder, row["reference"]))
        ours, _ = decoding.decode(os.path.join(folder, row["codestream"]), directory, f"component={int(row['component'])}",
                                f"reduce={row['reduce']}")
        checks.that(ours[0].shape == reference.shape, f"{name}: {ours[0].shape} instead of {reference.shape}")
        if ours[0].shape != reference.shape:
            continue
        error = numpy.abs(ours[0] - reference)
        mse = float((error.astype(float) ** 2).mean())
        checks.that(error.max() <= float(row["peak_abs_error"]) and mse <= float(row["mse"]),
                    f"{name}: peak {error.max()} of {row['peak_abs_error']}, MSE {mse:.4g} of {row['mse']}")
    # The one stream without a row: 257 components of one pixel.
    ours, answer = decoding.decode(os.path.join(folder, "ds0_ht_13_b11.j2k"), directory)
    checks.that(answer["components"] == 257, "ds0_ht_13: components")
    for c in range(4):
        reference = decoding.read_pgx(os.path.join(folder, f"c1p0_13-{c}.pgx"))
        checks.same(ours[c], reference, f"ds0_ht_13 component {c}")


RAW = {"CT1": (512, 512, 1, "<i2"), "MR1": (512, 512, 1, "<i2"), "NM1": (1024, 256, 1, "<i2"),
       "US1": (480, 640, 3, "u1"), "XA1": (1024, 1024, 1, "<u2")}


def openjphjs(folder, directory):
    for name, (height, width, components, dtype) in RAW.items():
        path = os.path.join(folder, name + ".j2c")
        raw = numpy.fromfile(os.path.join(folder, name + ".RAW"), dtype)
        if raw.size != height * width * components:
            width, height = height, width
        raw = raw.reshape(height, width, components).transpose(2, 0, 1).astype(numpy.int64)
        info = decoding.driver("info", path)
        if (info["height"], info["width"]) != (height, width):
            raw = raw.reshape(components, info["height"], info["width"])
        ours, _ = decoding.decode(path, directory)
        checks.same(ours, raw, name)
        threaded, _ = decoding.decode(path, directory, "threads=2")
        checks.same(threaded, raw, name + " with two threads")
        for reduce in range(1, info["levels"]):
            ours, _ = decoding.decode(path, directory, f"reduce={reduce}")
            checks.same(ours, decoding.opj_decode(path, directory, reduce, components), f"{name} reduced by {reduce}")


def main():
    iso, openjph = decoding.shared("htj2k", "iso15444-4"), decoding.shared("htj2k", "openjphjs")
    if not iso or not openjph:
        decoding.skip("the shared data is not here")
    with tempfile.TemporaryDirectory() as directory:
        conformance(iso, directory)
        openjphjs(openjph, directory)
    checks.end()


main()
