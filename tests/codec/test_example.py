# SPDX-License-Identifier: BSD-2-Clause
"""examples/codec.c does what it says: fewer bytes, and the pixels of the wavelet's definition."""
import os
import re
import subprocess

import numpy

import decoding
import judges

checks = decoding.Checks()
done = subprocess.run([os.environ["MIST_EXAMPLE"]], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
checks.that(done.returncode == 0 and not done.stderr, f"exit status {done.returncode}: {done.stderr.decode()}")
said = re.fullmatch(r"(\d+) of (\d+) bytes\nfirst row: (\d+) (\d+) (\d+) \.\.\.\n", done.stdout.decode())
checks.that(said, f"it says {done.stdout.decode()!r}")
if said:
    part, whole, *row = map(int, said.groups())
    checks.that(0 < part < whole, f"{part} of {whole} bytes")
    y, x = numpy.mgrid[:512, :512]
    low = judges.wavelet53(((x * y) & 0xFFF) - 2048, 2)[0] + 2048
    checks.same(row, low[0, :3], "the first row")
checks.end()
