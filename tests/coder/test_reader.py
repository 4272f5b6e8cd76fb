# SPDX-License-Identifier: BSD-2-Clause
"""What the coders write, the readers of docs/coder-*.md (reader.py) decode to the right samples, at every reduction."""
import os
import struct
import subprocess
import sys

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from reader import lattice_decode, pyramid_decode  # noqa: E402

TOOL = sys.argv[1]
RANDOM = np.random.default_rng(11)


def chunks_of(kind, numbers, samples):
    data = subprocess.run([TOOL, kind] + [str(n) for n in numbers], input=samples.tobytes(), check=True,
                          capture_output=True).stdout
    found = []
    while data:
        size, = struct.unpack_from('<I', data)
        found.append(data[4:4 + size])
        data = data[4 + size:]
    return found


def balls(shape, count):
    """A few balls, numbered, in noise at their edges."""
    z, y, x = np.indices(shape)
    out = np.zeros(shape, int)
    for i in range(1, count + 1):
        c = [RANDOM.integers(0, n) for n in shape]
        r = max(shape) / 3 / (1 + i % 3)
        out[(x - c[2]) ** 2 + (y - c[1]) ** 2 + (2 * (z - c[0])) ** 2 + RANDOM.normal(0, r, shape) < r * r] = i
    return out


def check_lattice(w, h, slices, levels, steps, symbols, kind):
    ranks = balls((slices, h, w), 6) % symbols if kind == 'balls' else RANDOM.integers(0, symbols, (slices, h, w))
    chunks = chunks_of('lattice', (w, h, slices, levels, steps, symbols), ranks.astype('<u2'))
    for reduce in range(levels):
        for step in range(steps + 1):
            allowed = [c if i // (steps + 1) < levels - reduce and i % (steps + 1) >= step else None
                       for i, c in enumerate(chunks)]
            planes = lattice_decode(w, h, slices, levels, steps, symbols, allowed, reduce, step)
            right = ranks[::1 << step, ::1 << reduce, ::1 << reduce]
            for n, plane in enumerate(planes.values()):
                found = [[plane[x, y] for x in range(right.shape[2])] for y in range(right.shape[1])]
                assert np.array_equal(found, right[n]), (w, h, slices, levels, steps, symbols, kind, reduce, step, n)
    return sum(map(len, chunks))


def reduced(frames):
    f, h, w = frames.shape
    out = np.zeros((f, -(-h // 2), -(-w // 2)), int)
    for y in range(out.shape[1]):
        for x in range(out.shape[2]):
            block = frames[:, 2 * y:2 * y + 2, 2 * x:2 * x + 2].reshape(f, -1).astype(int)
            out[:, y, x] = (2 * block.sum(1) + block.shape[1]) // (2 * block.shape[1])
    return out


def check_pyramid(w, h, count, levels, kind, sparse):
    info = np.iinfo(kind)
    frames = RANDOM.integers(info.min, info.max + 1, (count, h, w))
    if sparse:
        frames = np.where(balls((count, h, w), 3) > 0, (frames % 50) + 60, info.min // 2)
    name = {'u1': 'u8', 'i1': 's8', 'u2': 'u16', 'i2': 's16'}[kind]
    chunks = chunks_of('pyramid', (w, h, count, levels, name), frames.astype('<' + kind))
    right = frames
    for reduce in range(levels):
        planes = pyramid_decode(w, h, count, levels, info.bits, info.min < 0, chunks[:levels - reduce], reduce)
        for n, plane in enumerate(planes):
            found = [[plane[x, y] for x in range(right.shape[2])] for y in range(right.shape[1])]
            assert np.array_equal(found, right[n]), (w, h, count, levels, kind, sparse, reduce, n)
        right = reduced(right)
    return sum(map(len, chunks))


for case in ((31, 22, 5, 3, 2, 3), (16, 33, 1, 4, 0, 2), (9, 7, 9, 1, 3, 300), (20, 17, 6, 2, 1, 5), (5, 1, 3, 2, 1, 1),
             (12, 12, 4, 2, 2, 65536), (1, 19, 2, 3, 1, 4)):
    print('lattice', *case, [check_lattice(*case, kind) for kind in ('balls', 'noise')], 'bytes')
for case in ((30, 25, 2, 3, 'u1'), (17, 33, 1, 4, 'i1'), (20, 9, 3, 2, 'u2'), (13, 14, 2, 1, 'i2'), (1, 7, 1, 3, 'i2'),
             (21, 21, 2, 6, 'i2')):
    print('pyramid', *case, [check_pyramid(*case, sparse) for sparse in (True, False)], 'bytes')
