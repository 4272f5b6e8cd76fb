# SPDX-License-Identifier: BSD-2-Clause
"""
The bytes of a real sparse image, frames alone and in units of 8, beside what they are allowed: up to each level, in all.
The encoder is deterministic, so the table holds on every machine. Arguments: bench/kernels_pyramid, the source directory.
"""
import pathlib
import re
import subprocess
import sys

program, source = sys.argv[1], pathlib.Path(sys.argv[2])
image = source / 'examples/data/ct-angiography/images/CT_AVM.nii.gz'  # 474,370 bytes
for frames, allowed in (('1', [52000, 144000, 394000]), ('8', [45000, 130000, 375000])):
    printed = subprocess.run([program, frames, image], check=True, capture_output=True, text=True).stdout
    sizes = [int(size) for size in re.search(r'levels:((?: \d+)+) bytes', printed)[1].split()]
    print(frames, 'frames together:', sizes, 'of', allowed)
    assert len(sizes) == len(allowed), printed
    assert all(size <= most for size, most in zip(sizes, allowed)), (sizes, allowed)
