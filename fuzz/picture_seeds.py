#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Seeds of the fuzz target `pictures`: small files of every format that it reads, by name. Alone, it writes them."""
import bz2
import gzip
import io
import lzma
import os
import zlib

import numpy as np
from PIL import Image


def pil(kind, image, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def seeds():
    random = np.random.default_rng(3)
    ramp = np.add.outer(np.arange(19), np.arange(23)).astype('u1')
    noise = Image.fromarray(random.integers(0, 255, (9, 11), 'u1'))
    found = {}
    for mode in ('1', 'L', 'LA', 'P', 'RGB', 'RGBA'):
        found[f'png_{mode}'] = pil('PNG', Image.fromarray(ramp).convert(mode))
    found['png_animated'] = pil('PNG', noise, save_all=True, append_images=[noise.rotate(180)], duration=50)
    exif = Image.Exif()
    exif[0x0112] = 6
    for mode in ('L', 'RGB', 'CMYK'):
        found[f'jpeg_{mode}'] = pil('JPEG', Image.fromarray(ramp).convert(mode), exif=exif, progressive=mode == 'RGB')
    for compression in ('raw', 'tiff_lzw', 'tiff_adobe_deflate', 'packbits', 'jpeg'):
        options = {} if compression == 'raw' else {'compression': compression}
        found[f'tiff_{compression}'] = pil('TIFF', Image.fromarray(ramp), **options)
    for mode in ('L', 'RGB', 'LA'):
        found[f'jp2_{mode}'] = pil('JPEG2000', Image.fromarray(ramp).convert(mode), num_resolutions=3)
    for mode in ('1', 'L', 'P', 'RGB', 'RGBA'):
        found[f'bmp_{mode}'] = pil('BMP', Image.fromarray(ramp).convert(mode))
    found['jp2_bare'] = pil('JPEG2000', noise, no_jp2=True, num_resolutions=2)
    found['tiff_1'] = pil('TIFF', Image.fromarray(ramp).convert('1'), compression='group4')
    found['tiff_P'] = pil('TIFF', Image.fromarray(ramp).convert('P'))
    found['tiff_pages'] = pil('TIFF', noise, save_all=True, append_images=[noise, noise])
    volume = random.integers(0, 99, (3, 7, 5)).astype('<i2').tobytes()
    head = ('NRRD0004\ntype: short\ndimension: 3\nspace: left-posterior-superior\nsizes: 5 7 3\nspace directions: (1,0,0) '
            '(0,1,0) (0,0,2)\nkinds: domain domain domain\nendian: little\nencoding: %s\nspace origin: (1,2,3)\n\n')
    found['nrrd_raw'] = (head % 'raw').encode() + volume
    found['nrrd_gzip'] = (head % 'gzip').encode() + gzip.compress(volume)
    head = ('ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\nCompressedData = %s\n'
            'TransformMatrix = 1 0 0 0 1 0 0 0 1\nOffset = 0 0 0\nElementSpacing = 1 1 2\nDimSize = 5 7 3\n'
            'ElementType = MET_SHORT\nElementDataFile = LOCAL\n')
    found['meta_raw'] = (head % 'False').encode() + volume
    found['meta_zlib'] = (head % 'True').encode() + zlib.compress(volume)
    out = io.BytesIO()
    np.save(out, ramp.astype('<u2'))
    found['npy'] = out.getvalue()
    for name, pack in (('gz', gzip.compress), ('bz2', bz2.compress), ('xz', lzma.compress)):
        found['wrapped_' + name] = pack(found['png_L'])
    found['wrapped_twice'] = bz2.compress(gzip.compress(found['bmp_L']))
    return found


if __name__ == '__main__':
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'corpus', 'pictures')
    os.makedirs(folder, exist_ok=True)
    for name, data in seeds().items():
        with open(os.path.join(folder, name), 'wb') as f:
            f.write(data)
