# SPDX-License-Identifier: BSD-2-Clause
"""Running our decoder (decode_driver) and the independent ones, and reading what they write."""
import json
import os
import shutil
import subprocess
import sys

import numpy

DRIVER = os.environ.get("MIST_CODEC_DRIVER", "build/tests/codec/decode_driver")
SHARED = os.environ.get("MIST_SHARED", "../shared")
SOURCE = os.environ.get("MIST_SOURCE", ".")


def skip(why):
    print("skipped:", why)
    sys.exit(77)


def need(*tools):
    for tool in tools:
        if not shutil.which(tool):
            skip(f"{tool} is not installed")


def shared(*path):
    full = os.path.join(SHARED, "data", *path)
    return full if os.path.exists(full) else None


class Failure(Exception):
    """A call of the codec that failed: .status is its mist_status_name()."""

    def __init__(self, answer):
        super().__init__(f"{answer['status']}: {answer['message']}")
        self.status = answer["status"]


def driver(*arguments):
    done = subprocess.run([DRIVER, *map(str, arguments)], stdout=subprocess.PIPE, check=False)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"{DRIVER} {arguments}: exit status {done.returncode}")
    answer = json.loads(done.stdout)
    if done.returncode == 1:
        raise Failure(answer)
    return answer


def decode(path, directory, *options):
    """Our samples as components x height x width (int64), and the driver's answer."""
    out = os.path.join(directory, "ours.raw")
    answer = driver("decode", path, out, *options)
    samples = numpy.fromfile(out, "<i4" if answer["signed"] else "<u4").astype(numpy.int64)
    return samples.reshape(answer["components"], answer["height"], answer["width"]), answer


def read_pgx(path):
    """A PGX file as height x width (int64): PG ML|LM [+-]depth width height."""
    with open(path, "rb") as file:
        head = file.readline().decode().replace("+", " + ").replace("-", " - ").split()
        data = file.read()
    order = ">" if head[1] == "ML" else "<"
    signed = "-" in head
    depth, width, height = [int(word) for word in head[2:] if word not in "+-"]
    size = 1 if depth <= 8 else 2 if depth <= 16 else 4
    dtype = f"{order}{'i' if signed else 'u'}{size}"
    return numpy.frombuffer(data, dtype, width * height).reshape(height, width).astype(numpy.int64)


def read_pnm(path):
    """Binary PGM or PPM as components x height x width."""
    with open(path, "rb") as file:
        data = file.read()
    fields, at = [], 0
    while len(fields) < 4:
        while data[at : at + 1].isspace():
            at += 1
        if data[at : at + 1] == b"#":
            at = data.index(b"\n", at)
            continue
        end = at
        while not data[end : end + 1].isspace():
            end += 1
        fields.append(data[at:end])
        at = end
    width, height, most = (int(field) for field in fields[1:])
    components = 3 if fields[0] == b"P6" else 1
    samples = numpy.frombuffer(data, ">u2" if most > 255 else "u1", width * height * components, at + 1)
    return samples.reshape(height, width, components).transpose(2, 0, 1).astype(numpy.int64)


def write_pnm(path, samples, most):
    """Components x height x width to PGM or PPM."""
    components, height, width = samples.shape
    with open(path, "wb") as file:
        file.write(b"P%d\n%d %d\n%d\n" % (6 if components == 3 else 5, width, height, most))
        file.write(samples.transpose(1, 2, 0).astype(">u2" if most > 255 else "u1").tobytes())


def opj_decode(path, directory, reduce=0, components=1):
    """OpenJPEG's samples as a list of height x width, one for each component."""
    out = os.path.join(directory, "opj.pgx")
    subprocess.run(["opj_decompress", "-i", path, "-o", out, "-r", str(reduce)], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.PIPE)
    return [read_pgx(os.path.join(directory, f"opj_{c}.pgx")) for c in range(components)]


def ojph_decode(path, directory, reduce=0, color=False):
    """OpenJPH's samples (unsigned streams of 1 or 3 components) as components x height x width."""
    out = os.path.join(directory, "ojph.ppm" if color else "ojph.pgm")
    done = subprocess.run(["ojph_expand", "-i", path, "-o", out, "-skip_res", f"{reduce},{reduce}"], check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise RuntimeError(done.stdout.decode())
    return read_pnm(out)


def ojph_encode(source, target, *options):
    done = subprocess.run(["ojph_compress", "-i", source, "-o", target, *options], check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise RuntimeError(" ".join(options) + ": " + done.stdout.decode())


def picture(width, height, components=1, bits=8, seed=1):
    """Smooth structure, edges and noise: something of everything that a wavelet meets."""
    random = numpy.random.default_rng(seed)
    y, x = numpy.mgrid[0:height, 0:width]
    planes = []
    for c in range(components):
        value = 0.5 + 0.3 * numpy.sin(x / (9.0 + c)) * numpy.cos(y / 13.0) + 0.15 * ((x // 17 + y // 23) % 2)
        value += random.normal(0, 0.02, value.shape)
        planes.append(numpy.clip(value * 2**bits, 0, 2**bits - 1))
    return numpy.array(planes).astype(numpy.int64)


class Checks:
    """Counts checks and prints those that fail."""

    def __init__(self):
        self.count = self.failures = 0

    def that(self, good, what):
        self.count += 1
        if not good:
            self.failures += 1
            print("FAILED:", what)

    def same(self, ours, theirs, what):
        ours, theirs = numpy.asarray(ours), numpy.asarray(theirs)
        if ours.shape != theirs.shape:
            self.that(False, f"{what}: {ours.shape} instead of {theirs.shape}")
        else:
            wrong = int((ours != theirs).sum())
            self.that(wrong == 0, f"{what}: {wrong} of {ours.size} samples differ")

    def end(self):
        print(f"{self.count} checks, {self.failures} failed")
        sys.exit(1 if self.failures or not self.count else 0)


# ---- rebuilding streams: the same packets in other tile-parts ----


def main_header_end(data):
    at = 2
    while data[at : at + 2] != b"\xff\x90":
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return at


def one_tile_part(data):
    """(main header, tile-part header segments, packets) of a stream with one tile-part."""
    start = main_header_end(data)
    at = start + 12
    while data[at : at + 2] != b"\xff\x93":
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    size = int.from_bytes(data[start + 6 : start + 10], "big")
    end = start + size if size else len(data) - 2
    return data[:start], data[start + 12 : at], data[at + 2 : end]


def sot(tile, size, index, count):
    return b"\xff\x90\x00\x0a" + tile.to_bytes(2, "big") + size.to_bytes(4, "big") + bytes([index, count])


def without_segments(header, *markers):
    """A main header without certain marker segments."""
    out, at = header[:2], 2
    while at < len(header):
        size = 2 + int.from_bytes(header[at + 2 : at + 4], "big")
        if int.from_bytes(header[at : at + 2], "big") not in markers:
            out += header[at : at + size]
        at += size
    return out


def split_at(data, ends, tlm=True):
    """A one-tile stream with its packets cut into tile-parts that end at the offsets `ends`, with TLM."""
    header, _, packets = one_tile_part(data)
    start = len(data) - 2 - len(packets)
    header = without_segments(header, 0xFF55, 0xFF57)
    offsets = [0] + [end - start for end in ends]
    parts = []
    for i in range(len(ends)):
        body = packets[offsets[i] : offsets[i + 1]]
        parts.append(sot(0, len(body) + 14, i, len(ends)) + b"\xff\x93" + body)
    if tlm:
        header += b"\xff\x55" + (4 + 4 * len(parts)).to_bytes(2, "big") + b"\x00\x40"
        header += b"".join(len(part).to_bytes(4, "big") for part in parts)
    return header + b"".join(parts) + b"\xff\xd9"


def main_header(data):
    return data[: main_header_end(data)]
