# SPDX-License-Identifier: BSD-2-Clause
"""Best effort on a stream cut inside its last level: whatever a code-block that is missing does not touch is right."""
import os
import tempfile

import numpy

import decoding

checks = decoding.Checks()
decoding.need("ojph_compress")
PRECINCT, REACH = 64, 4  # samples at full size; how far 5/3 carries a coefficient beyond its precinct, with room


def precincts_right(found, full, without):
    """By precinct of the full size: whether its inside is as in the whole stream, and as without the last level."""
    height, width = full.shape
    answers = []
    for top in range(0, height, PRECINCT):
        for left in range(0, width, PRECINCT):
            inside = (slice(top + REACH, min(top + PRECINCT, height) - REACH),
                      slice(left + REACH, min(left + PRECINCT, width) - REACH))
            answers.append((bool((found[inside] == full[inside]).all()), bool((found[inside] == without[inside]).all())))
    return answers


def check_cut(data, size, full, without, complete, directory):
    path = os.path.join(directory, "cut.j2c")
    with open(path, "wb") as file:
        file.write(data[:size])
    found, _ = decoding.decode(path, directory, "best-effort")
    answers = precincts_right(found[0], full, without)
    name = f"cut at {size}: {complete} precincts of the last level"
    checks.that(all(whole for whole, _ in answers[:complete]), f"{name}: one that has arrived is wrong")
    checks.that(all(low for _, low in answers[complete + 1 :]), f"{name}: one that has not arrived is not the level below")
    return sum(whole and not low for whole, low in answers)


def main():
    with tempfile.TemporaryDirectory() as directory:
        source, path = os.path.join(directory, "in.pgm"), os.path.join(directory, "in.j2c")
        image = decoding.picture(256, 320, 1, 12)
        decoding.write_pnm(source, image, 4095)
        decoding.ojph_encode(source, path, "-reversible", "true", "-num_decomps", "3", "-prog_order", "RPCL",
                             "-precincts", "{%d,%d}" % (PRECINCT, PRECINCT), "-block_size", "{32,32}")
        with open(path, "rb") as file:
            data = file.read()
        last = [end for _, _, end, component, resolution, precinct, layer in decoding.driver("packets", path)
                if resolution == 3]
        below = decoding.driver("index", path)["level_end"][2]
        with open(os.path.join(directory, "below.j2c"), "wb") as file:
            file.write(data[:below])
        without, _ = decoding.decode(os.path.join(directory, "below.j2c"), directory, "best-effort")
        full, _ = decoding.decode(path, directory)
        checks.same(full[0], image[0], "the whole stream")
        seen = 0
        for size in range(below, len(data) - 2, 997):
            complete = sum(end <= size for end in last)
            seen = max(seen, check_cut(data, size, full[0], without[0], complete, directory))
        checks.that(seen > 10, f"at most {seen} precincts showed that they had arrived")
    checks.end()


main()
