# SPDX-License-Identifier: BSD-2-Clause
"""The same bytes and the same pixels from every CPU level, and from the builds of gcc and clang."""
import os
import subprocess
import sys
import tempfile

import numpy

import decoding
from encode_cases import Case, KINDS, draw, encode, smallest_type

checks = decoding.Checks()
LEVELS = ["c", "avx2", "avx512"]


def cases():
    random = numpy.random.default_rng(11)
    for n, kind in enumerate(KINDS):
        for precision, signed in ((8, False), (12, True), (16, False), (24, False), (32, True)):
            samples = draw(kind, (93, 115), precision, signed, 4, random)[:, :, None]
            yield Case(f"{kind}-{precision}", samples.astype(smallest_type(precision, signed)), precision, levels=4)
        grey = draw(kind, (93, 115), 12, False, 4, random)[:, :, None].astype("u2")
        yield Case(f"{kind}-lossy", grey, 12, levels=4, step=0.003)
        rgb = numpy.stack([draw(kind, (61, 70), 8, False, 3, random) for _ in range(3)], -1).astype("u1")
        yield Case(f"{kind}-rgb", rgb, levels=3)
        yield Case(f"{kind}-rgb-lossy", rgb, levels=3, step=0.01)


def encoded(driver, level):
    """{name: codestream} of one build at one CPU level."""
    os.environ["MIST_ENCODE_DRIVER"] = driver
    with tempfile.TemporaryDirectory() as directory:
        made = list(cases())
        encode(made, directory, {"MIST_CPU": level})
        for case in made:
            checks.that(case.status == "ok", f"{case.name}: {case.status}")
        return {case.name: case.data for case in made}


def decoded(driver, level, streams):
    """{(name, reduce): samples as bytes}."""
    found = {}
    with tempfile.TemporaryDirectory() as directory:
        path, out = os.path.join(directory, "in.j2c"), os.path.join(directory, "out.raw")
        for name, data in streams.items():
            with open(path, "wb") as file:
                file.write(data)
            for reduce in (0, 1):
                done = subprocess.run([driver, "decode", path, out, f"reduce={reduce}"], stdout=subprocess.PIPE,
                                      env=dict(os.environ, MIST_CPU=level), check=False)
                checks.that(done.returncode == 0, f"{name}: {done.stdout.decode()}")
                with open(out, "rb") as file:
                    found[name, reduce] = file.read()
    return found


def compare(what, ours, theirs):
    wrong = [str(name) for name in ours if ours[name] != theirs.get(name)]
    checks.that(not wrong, f"{what}: {len(wrong)} of {len(ours)} differ: {', '.join(wrong[:5])}")


def other_build(driver):
    """The same program of the other compiler's build, which `make check` makes before it tests."""
    here = os.path.abspath(driver)
    for mine, other in (("/build-clang/", "/build/"), ("/build/", "/build-clang/")):
        if mine in here:
            there = here.replace(mine, other)
            return there if os.path.exists(there) else None
    return None


def main():
    drivers = [os.environ["MIST_ENCODE_DRIVER"], decoding.DRIVER]
    streams = encoded(drivers[0], "c")
    pixels = decoded(drivers[1], "c", streams)
    for level in LEVELS[1:]:
        compare(f"encoding at {level}", streams, encoded(drivers[0], level))
        compare(f"decoding at {level}", pixels, decoded(drivers[1], level, streams))
    others = [other_build(driver) for driver in drivers]
    if all(others):
        for level in ("c", "avx512"):
            compare(f"encoding by the other compiler's build (is it up to date?) at {level}", streams,
                    encoded(others[0], level))
            compare(f"decoding by the other compiler's build (is it up to date?) at {level}", pixels,
                    decoded(others[1], level, streams))
    elif not checks.failures:
        print("the CPU levels agree")
        decoding.skip("there is no build of the other compiler beside this one")
    checks.end()


main()
