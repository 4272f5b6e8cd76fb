# SPDX-License-Identifier: BSD-2-Clause
"""JPEG 2000 in parts: every level is what opj_decompress makes of the original, and the original comes back to the byte.

Streams: made here with opj_compress; DICOM WG-04's and OpenJPH's where MIST_SHARED has them.
"""
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np

TOOL = os.environ['MIST_J2K_TOOL']
SHARED = os.environ.get('MIST_SHARED', '')


def run_tool(*arguments):
    found = subprocess.run([TOOL, *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert found.returncode in (0, 1), (arguments, found.returncode, found.stderr)
    assert not found.stderr, found.stderr  # OpenJPEG is silent
    return found.returncode, json.loads(found.stdout) if found.stdout else None


def read(path):
    with open(path, 'rb') as file:
        return file.read()


def write(path, data):
    with open(path, 'wb') as file:
        file.write(data)


def opj_samples(path, reduce, out):
    """Planar samples of all components, as OpenJPEG's own program decodes them."""
    done = subprocess.run(['opj_decompress', '-i', path, '-o', out, '-r', str(reduce)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return read(out)


def pnm(path, samples):
    high = samples.max() > 255
    kind = b'P6' if samples.ndim == 3 else b'P5'
    head = b'%s\n%d %d\n%d\n' % (kind, samples.shape[1], samples.shape[0], 65535 if high else 255)
    write(path, head + samples.astype('>u2' if high else 'u1').tobytes())


def picture(width, height, components=1, bits=8, seed=3):
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    values = []
    for c in range(components):
        smooth = np.sin(x / (9 + c)) + np.cos(y / 7) + (np.hypot(x - width / 2, y - height / 2) < width / 4)
        values.append((smooth + 2) / 5 * (2**bits - 1) + random.normal(0, 2**bits / 90, x.shape))
    samples = np.clip(np.stack(values, -1), 0, 2**bits - 1).astype(np.uint16)
    return samples if components > 1 else samples[..., 0]


SMALL = '[32,32],[32,32],[16,16]'
GREY, DEEP, COLOR = (150, 117, 1, 8), (99, 140, 1, 16), (90, 75, 3, 8)
MADE = {
    # name: (picture, options of opj_compress)
    'plain': (GREY, ''), 'deep': (DEEP, ''), 'color': (COLOR, ''), 'no-mct': (COLOR, '-mct 0'),
    'lossy': (GREY, '-I -r 10'), 'lossy-layers': (COLOR, '-I -r 40,20,8'), 'layers': (GREY, '-r 20,10,1'),
    'one-level': (GREY, '-n 1'), 'one-level-layers': (COLOR, '-n 1 -r 8,1'), 'two-levels': (GREY, '-n 2'),
    'blocks': (DEEP, '-b 8,16'), 'sop': (GREY, '-SOP'), 'eph': (GREY, '-EPH'), 'sop-eph': (COLOR, '-SOP -EPH -r 9,1'),
    'plt': (GREY, '-PLT'), 'tlm': (GREY, '-TLM'), 'plt-tlm-sop': (COLOR, '-PLT -TLM -SOP -r 9,1 -TP R'),
    'offset': (GREY, '-d 64,32'), 'offset-precincts': (COLOR, '-d 32,64 -p RPCL -c ' + SMALL),
    'roi': (COLOR, '-ROI c=0,U=3 -mct 0'),
}
for value in (1, 2, 4, 8, 16, 32, 5, 63):
    MADE['mode-%d' % value] = (GREY, '-M %d -r 12,1' % value)
MADE['bypass-deep'] = (DEEP, '-M 1 -r 12,3,1')
MADE['bypass-terminate-deep'] = (DEEP, '-M 5 -r 12,3,1 -p RLCP')
for order in ('LRCP', 'RLCP', 'RPCL', 'PCRL', 'CPRL'):
    MADE[order] = (COLOR, '-p %s -r 20,8,1 -c %s' % (order, SMALL))
    MADE[order + '-sop'] = (GREY, '-p %s -r 20,8,1 -c %s -SOP -EPH' % (order, SMALL))
    for split in 'RLC':  # opj_compress cannot do these with precincts in LRCP and RLCP
        precincts = '' if order in ('LRCP', 'RLCP') else '-c ' + SMALL
        MADE[order + '-' + split] = (COLOR, '-p %s -r 20,8,1 %s -TP %s -TLM' % (order, precincts, split))
REFUSED = {
    'tiles': (GREY, '-t 64,64', 'several tiles'), 'offset-odd': (GREY, '-d 13,7', 'unusual sizes'),
    'poc': (GREY, '-POC T1=0,0,1,3,1,CPRL/T1=3,0,1,6,1,CPRL', 'POC'),
}


def make(directory, name, kind, options):
    source, path = os.path.join(directory, name + '.pnm'), os.path.join(directory, name + '.j2k')
    source = source[:-4] + ('.ppm' if kind[2] == 3 else '.pgm')
    pnm(source, picture(*kind))
    done = subprocess.run(['opj_compress', '-i', source, '-o', path, *options.split()], capture_output=True, text=True)
    assert done.returncode == 0 and os.path.exists(path), (name, (done.stdout + done.stderr)[-400:])
    return path


def check(path, rewrap=None, judged=None):
    """All levels and the way back. `path` is a raw codestream for the judge; `rewrap` what MIST is given instead, and
    `judged` what the judge is."""
    original = read(rewrap or path)
    prefix = path + '.parts'
    failed, said = run_tool('split', rewrap or path, prefix)
    assert not failed, (path, said)
    assert read(prefix + '.back') == original, path
    info = run_tool('info', rewrap or path)[1]
    assert len(said['levels']) == info['levels'], (path, said, info)
    assert sum(said['levels']) + said['order'] <= len(original) + 8, (path, said, len(original))
    for reduce in range(info['levels']):
        expected = opj_samples(judged or path, reduce, path + '.judge.rawl')
        assert read('%s.%d.raw' % (prefix, reduce)) == expected, (path, reduce)
        # The same of the standalone codestream, by the judge's own reading of it.
        assert opj_samples('%s.%d.j2k' % (prefix, reduce), 0, path + '.judge.rawl') == expected, (path, reduce)
    return info, said


def test_made(directory):
    def one(name):
        kind, options = MADE[name]
        path = make(directory, name, kind, options)
        judged = None
        if name in ('RPCL-L', 'PCRL-L', 'CPRL-L'):  # opj_decompress makes something else of these than was encoded
            judged = make(directory, 'judged-' + name, kind, options[:options.index('-TP')])
        info, said = check(path, judged=judged)
        assert (info['width'], info['height'], info['components']) == (
            (kind[0], kind[1], kind[2])), (name, info)
        return name, info, said
    with ThreadPoolExecutor(max_workers=2) as pool:
        results = list(pool.map(one, MADE))
    found = {name: (info, said) for name, info, said in results}
    assert found['plain'][1]['order'] < 16, found['plain']  # nothing unusual: nothing to keep
    assert found['LRCP-sop'][1]['order'] < 16, found['LRCP-sop']
    assert found['color'][0]['color_transform'] and not found['no-mct'][0]['color_transform']
    assert found['lossy-layers'][0]['layers'] == 3 and not found['lossy'][0]['reversible']
    print('%d made streams' % len(found))


def test_refused(directory):
    for name, (kind, options, reason) in REFUSED.items():
        path = make(directory, name, kind, options)
        failed, said = run_tool('split', path, path + '.parts')
        assert failed and reason in said['message'], (name, said)
        for reduce in (0,) if name == 'offset-odd' else (0, 2):  # and yet it is decoded
            assert not run_tool('decode', path, reduce, path + '.raw')[0]
            assert read(path + '.raw') == opj_samples(path, reduce, path + '.judge.rawl'), (name, reduce)
    whole = read(make(directory, 'cut', GREY, '-r 20,1'))
    path = os.path.join(directory, 'cut.cut.j2k')
    for size in (0, 1, 50, 200, len(whole) // 2, len(whole) - 3):
        write(path, whole[:size])
        failed, said = run_tool('split', path, path + '.parts')
        assert failed and said['message'], (size, said)


def box(kind, payload):
    return struct.pack('>I4s', 8 + len(payload), kind) + payload


def boxed(codestream, space=17, extra=b''):
    colr = box(b'colr', struct.pack('>BBBI', 1, 0, 0, space))
    return (box(b'jP  ', b'\r\n\x87\n') + box(b'ftyp', b'jp2 \0\0\0\0jp2 ') + box(b'jp2h', colr + extra) +
            box(b'jp2c', codestream) + box(b'uuid', b'behind it'))


def test_boxes_and_bytes_behind(directory):
    path = make(directory, 'boxed', GREY, '-r 20,1')
    data = read(path)
    wrapped = path + '.jp2'
    write(wrapped, boxed(data))
    check(path, wrapped)
    for ending in (data + b'\0', data[:-2], data + b'behind it, what is no codestream'):
        write(wrapped, ending)
        check(path, wrapped)
    # A length of 0: up to the end.
    at = data.index(b'\xff\x90')
    write(wrapped, data[:at + 6] + bytes(4) + data[at + 10:])
    check(path, wrapped)
    for wrong in (boxed(data, 18), boxed(data, 17, box(b'pclr', bytes(9)))):
        write(wrapped, wrong)
        assert run_tool('info', wrapped)[0]


def test_dicom(directory):
    import pydicom
    folder = os.path.join(SHARED, 'data/dicom/wg04')
    done = 0
    for name in sorted(os.listdir(folder)):
        if '.J2K' not in name:
            continue
        dataset = pydicom.dcmread(os.path.join(folder, name))
        frames = pydicom.encaps.generate_pixel_data_frame(dataset.PixelData, int(dataset.get('NumberOfFrames', 1)))
        path = os.path.join(directory, name + '.j2k')
        write(path, next(iter(frames)))
        if read(path)[:4] != b'\xff\x4f\xff\x51':
            continue
        info, said = check(path)
        assert (info['width'], info['height']) == (dataset.Columns, dataset.Rows)
        assert info['reversible'] == ('J2KR' in name)
        done += 1
    assert done >= 10, done
    print('%d DICOM frames' % done)


def test_htj2k(directory):
    folder = os.path.join(SHARED, 'data/htj2k/openjphjs')
    for name in ('CT1', 'MR1', 'NM1', 'US1', 'XA1'):
        path = os.path.join(directory, name + '.j2k')
        shutil.copy(os.path.join(folder, name + '.j2c'), path)
        os.chmod(path, 0o644)
        info, said = check(path)
        assert info['part15'] and info['reversible']


def main():
    for program in ('opj_compress', 'opj_decompress'):
        if not shutil.which(program):
            print('skipped: %s is not installed' % program)
            sys.exit(77)
    tests = [test_made, test_refused, test_boxes_and_bytes_behind]
    tests += [test_dicom, test_htj2k] if os.path.isdir(os.path.join(SHARED, 'data/dicom/wg04')) else []
    for test in tests:
        with tempfile.TemporaryDirectory() as directory:
            test(directory)
        print('ok', test.__name__)


main()
