# SPDX-License-Identifier: BSD-2-Clause
"""Makes the small streams in tests/data/htj2k (see the README there): synthetic pictures through ojph_compress.
Run from the source directory, with MIST_CODEC_DRIVER naming the built decode_driver."""
import os
import tempfile

import decoding

TARGET = os.path.join(decoding.SOURCE, "tests", "data", "htj2k")
STREAMS = {
    # name: (width, height, components, bits), options, one tile-part for each level
    "rpcl-tileparts.j2c": ((75, 66, 1, 12), ["-reversible", "true", "-num_decomps", "3"], True),
    "rpcl-color.j2c": ((40, 33, 3, 8), ["-reversible", "true", "-num_decomps", "2"], True),
    "tiles-pcrl.j2c": ((61, 43, 1, 8), ["-reversible", "true", "-num_decomps", "2", "-tile_size", "{32,24}",
                                        "-image_offset", "{5,3}", "-prog_order", "PCRL", "-precincts", "{16,16}"], False),
    "irreversible.j2c": ((50, 40, 3, 8), ["-reversible", "false", "-num_decomps", "2", "-qstep", "0.01"], False),
    "lrcp-small-blocks.j2c": ((40, 50, 1, 16), ["-reversible", "true", "-num_decomps", "2", "-block_size", "{8,4}",
                                                "-prog_order", "LRCP"], False),
}


def main():
    os.makedirs(TARGET, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        for name, ((width, height, components, bits), options, split) in STREAMS.items():
            source = os.path.join(directory, "source.ppm" if components == 3 else "source.pgm")
            path = os.path.join(directory, "stream.j2c")
            decoding.write_pnm(source, decoding.picture(width, height, components, bits), 2**bits - 1)
            decoding.ojph_encode(source, path, *options)
            with open(path, "rb") as file:
                data = file.read()
            if split:
                data = decoding.split_at(data, decoding.driver("index", path)["level_end"])
            with open(os.path.join(TARGET, name), "wb") as file:
                file.write(data)


main()
