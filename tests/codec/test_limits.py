# SPDX-License-Identifier: BSD-2-Clause
"""Small files that claim large pictures: an error at once, within a small address space; time bounded by the size."""
import os
import resource
import subprocess
import tempfile

import decoding

checks = decoding.Checks()
ADDRESS_SPACE = 64 << 20
SECONDS = 10 # of CPU: far more than any of these takes, far less than what they claim would


def limited():
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))


def stream(width, height, tile, components=1, decompositions=5, layers=1, precinct=b"", block=4, body=b"", parts=1):
    """A main header of these claims and `parts` tile-parts of `body`."""
    number = lambda value, size: value.to_bytes(size, "big")
    siz = (number(0x4000, 2) + number(width, 4) + number(height, 4) + bytes(8) + number(tile, 4) * 2 + bytes(8)
           + number(components, 2) + bytes([7, 1, 1]) * components)
    cod = bytes([1 if precinct else 0, 2]) + number(layers, 2) + bytes([0, decompositions, block, block, 0x40, 1]) + precinct
    segment = lambda marker, payload: b"\xff" + bytes([marker]) + number(len(payload) + 2, 2) + payload
    head = (b"\xff\x4f" + segment(0x51, siz) + segment(0x50, number(1 << 17, 4) + bytes(2)) + segment(0x52, cod)
            + segment(0x5C, bytes([0x20]) + bytes([0x48]) * (3 * decompositions + 1)))
    part = b"\xff\x93" + body
    return head + b"".join(decoding.sot(n % 65535 if parts > 1 else 0, len(part) + 12, 0, 1) + part
                           for n in range(parts)) + b"\xff\xd9"


SIDE = 65535
CLAIMS = [
    ("2^31 x 2^31", stream(1 << 31, 1 << 31, 1 << 31)),
    ("2^32-1 x 1", stream(2**32 - 1, 1, 2**32 - 1)),
    ("65535 x 65535", stream(SIDE, SIDE, SIDE)),
    ("65535 x 65535, 4 components", stream(SIDE, SIDE, SIDE, 4)),
    ("16384 components", stream(SIDE, SIDE, SIDE, 16384)),
    ("tiles of one sample", stream(SIDE, SIDE, 1)),
    ("65025 tiles, 255 x 255", stream(65025, 65025, 255)),
    ("precincts of 1 x 1", stream(SIDE, SIDE, SIDE, 1, 5, 65535, b"\x00" + b"\x11" * 5)),
    ("65535 layers", stream(SIDE, SIDE, SIDE, 1, 5, 65535, b"", 0, b"\0" * 200)),
    ("layers of many blocks", stream(32768, 32768, 32768, 1, 5, 65535, b"", 0, b"\xff\xff\x7f" * 60)),
    ("many precincts with packets", stream(16384, 16384, 16384, 1, 2, 1, b"\x00" + b"\x11" * 2, 0, b"\xc0" * 200)),
    ("32 decompositions", stream(SIDE, SIDE, SIDE, 1, 32)),
    ("all headers, no tile", stream(SIDE, SIDE, 4096, 1, 5, parts=0)),
]


def run(name, *arguments):
    done = subprocess.run([decoding.DRIVER, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=limited,
                          check=False)
    answered = done.returncode in (0, 1) and done.stdout.startswith(b"{")
    checks.that(answered, f"{name}: {arguments[0]}: exit status {done.returncode} {done.stderr.decode()[-200:]}")
    return done


def main():
    with tempfile.TemporaryDirectory() as directory:
        path, out = os.path.join(directory, "claim.j2c"), os.path.join(directory, "out")
        for name, data in CLAIMS:
            checks.that(len(data) < 60000, f"{name}: {len(data)} bytes")
            with open(path, "wb") as file:
                file.write(data)
            run(name, "info", path)
            run(name, "index", path)
            run(name, "reduce", path, "1", out)
            # As pixels: small ones at the lowest levels, and a corner of all of them.
            for options in (["reduce=5"], ["region=0,0,16,16"], ["region=0,0,16,16", "best-effort"], ["best-effort"]):
                run(f"{name} {' '.join(options)}", "decode", path, out, *options)
    checks.end()


main()
