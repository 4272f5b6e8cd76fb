# SPDX-License-Identifier: BSD-2-Clause
"""
The bytes of real label maps, in units of 32 slices, beside what they are allowed: up to each level, in all. The encoder
is deterministic, so the table holds on every machine. Arguments: bench/kernels_lattice, the source directory.
"""
import pathlib
import re
import subprocess
import sys

program, source = sys.argv[1], pathlib.Path(sys.argv[2])
# Up to each level: quarter, half, full size. The .nii.gz have 214,576, 148,853, 803 and 1,432 bytes.
bounds = {
    'examples/data/ct-angiography/labels/CT_AVM.nii.gz': [6300, 19600, 47300],
    'examples/data/mr-head/labels/chris_PD.nii.gz': [3700, 10600, 25000],
    'examples/data/mr-brain/labels/hippocampus_001.nii.gz': [265],
    'examples/data/mr-brain/labels/hippocampus_003.nii.gz': [400],
}
for name, allowed in bounds.items():
    printed = subprocess.run([program, '32', source / name], check=True, capture_output=True, text=True).stdout
    sizes = [int(size) for size in re.search(r'steps:((?: \d+)+) bytes', printed)[1].split()]
    print(name, sizes, 'of', allowed)
    assert len(sizes) == len(allowed), printed
    assert all(size <= most for size, most in zip(sizes, allowed)), (name, sizes, allowed)
