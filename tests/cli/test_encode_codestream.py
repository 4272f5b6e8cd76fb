# SPDX-License-Identifier: BSD-2-Clause
"""mist encode IMAGE -o FILE.j2c|.jph, judged by OpenJPEG and OpenJPH: every input format, option and refusal."""
import os
import shutil
import subprocess
import sys
import tempfile
import zlib

import numpy

sys.path.insert(0, os.path.join(os.environ["MIST_SOURCE"], "tests", "codec"))
import decoding  # noqa: E402
import judges  # noqa: E402

MIST = os.environ["MIST_PROGRAM"]
checks = decoding.Checks()


def mist(*arguments):
    return subprocess.run([MIST, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)


def encode(what, image, out, *options):
    done = mist("encode", image, "-o", out, *options)
    checks.that(done.returncode == 0 and not done.stderr, f"{what}: {done.returncode} {done.stderr.decode()}")
    return done.returncode == 0


def write_pgx(path, plane, precision, order):
    dtype = plane.dtype.newbyteorder(">" if order == "ML" else "<")
    with open(path, "wb") as file:
        file.write(b"PG %s %s%d %d %d\n" % (order.encode(), b"-" if plane.dtype.kind == "i" else b"+", precision,
                                            plane.shape[1], plane.shape[0]))
        file.write(plane.astype(dtype).tobytes())


def write_png(path, samples):
    height, width, components = samples.shape
    rows = b"".join(b"\0" + row.astype(samples.dtype.newbyteorder(">")).tobytes() for row in samples)
    chunk = lambda kind, data: (len(data).to_bytes(4, "big") + kind + data
                                + zlib.crc32(kind + data).to_bytes(4, "big"))
    kind = {1: 0, 3: 2}[components]
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", width.to_bytes(4, "big") + height.to_bytes(4, "big")
                                                + bytes([8 * samples.itemsize, kind, 0, 0, 0]))
                   + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def by_openjpeg(path, components, directory):
    return numpy.array(decoding.opj_decode(path, directory, 0, components)).transpose(1, 2, 0)


def inputs(directory, random):
    """(name, path, H x W x C) of what every input format can hold and OpenJPEG can decode."""
    path = lambda name: os.path.join(directory, name)
    for dtype in ("u1", "i1", "u2", "i2", ">u2", ">i2", "<u4", ">i4"):
        kind = numpy.dtype(dtype)
        low, high = (-2**23, 2**23) if kind.itemsize == 4 and kind.kind == "i" else (0, 2**24) \
            if kind.itemsize == 4 else (numpy.iinfo(kind).min, numpy.iinfo(kind).max + 1)
        for components in (1, 2, 3, 4):
            samples = random.integers(low, high, (37, 45, components)).astype(dtype)
            name = f"array-{kind.kind}{kind.itemsize}-{'big' if dtype[0] == '>' else 'native'}-{components}.npy"
            numpy.save(path(name), samples if components > 1 else samples[:, :, 0])
            yield name, path(name), samples
    for most in (1, 200, 255, 4095, 65535):
        for components in (1, 3):
            samples = random.integers(0, most + 1, (components, 31, 42))
            name = f"picture-{most}." + ("ppm" if components == 3 else "pgm")
            decoding.write_pnm(path(name), samples, most)
            yield name, path(name), samples.transpose(1, 2, 0)
    for precision, dtype, order in ((8, "u1", "ML"), (12, "i2", "LM"), (16, "u2", "ML"), (7, "i1", "LM")):
        plane = random.integers(0, 100, (29, 33)).astype(dtype)
        if dtype[0] == "i":
            plane -= 50
        write_pgx(path(f"p{precision}.pgx"), plane, precision, order)
        yield f"p{precision}.pgx", path(f"p{precision}.pgx"), plane[:, :, None]
    for components in (1, 3): # PNG with alpha is not taken: src/format/png.c
        for dtype in ("u1", "u2"):
            samples = random.integers(0, numpy.iinfo(dtype).max + 1, (40, 50, components)).astype(dtype)
            write_png(path(f"{dtype}-{components}.png"), samples)
            yield f"{dtype}-{components}.png", path(f"{dtype}-{components}.png"), samples


def every_input(directory, random):
    for name, image, samples in inputs(directory, random):
        for end in (".j2c", ".jph"):
            out = os.path.join(directory, "out" + end)
            wide = samples.dtype.itemsize == 4 and numpy.abs(samples.astype("i8")).max() > 2**16
            if not encode(name, image, out):
                continue
            back = os.path.join(directory, "back.npy")
            done = mist("decode", out, "-o", back)
            checks.that(done.returncode == 0, f"{name}{end}: {done.stderr.decode()}")
            found = numpy.load(back)
            checks.same(found.reshape(samples.shape), samples, f"{name} {end} by mist decode")
            if not wide: # OpenJPEG takes blocks of 30 bit-planes at most
                checks.same(by_openjpeg(out, samples.shape[2], directory), samples, f"{name} {end} by OpenJPEG")


def floats(directory, random):
    """OpenJPEG knows nothing of NLT and so shows what was coded: the bit patterns in the order of the values."""
    for components in (1, 3):
        image, out = os.path.join(directory, "half.npy"), os.path.join(directory, "half.jph")
        half = random.integers(0, 65536, (40, 50, components)).astype("u2").view("f2")
        numpy.save(image, half if components > 1 else half[:, :, 0])
        if encode("half floats", image, out):
            patterns = half.view("i2").astype("i8")
            checks.same(by_openjpeg(out, components, directory), numpy.where(patterns < 0, ~(patterns & 0x7FFF), patterns),
                        "half floats by OpenJPEG")
            with open(out, "rb") as file:
                data = file.read()
            at = data.index(b"\xff\x4f\xff\x51")
            checks.that(data[at + 6] & 0xC2 == 0xC2 and b"\xff\x76\x00\x06\xff\xff\x8f\x03" in data, "Rsiz and NLT")
    for dtype in ("f2", "f4", ">f4"):
        image, out, back = (os.path.join(directory, name) for name in ("float.npy", "float.j2c", "back.npy"))
        bits = random.integers(0, 2**32, (61, 67)).astype("u4") if dtype != "f2" else \
            random.integers(0, 2**16, (61, 67)).astype("u2")
        values = bits.view(dtype[-2:]).astype(dtype) if dtype[0] != ">" else bits.astype(">u4").view(">f4")
        numpy.save(image, values)
        if encode(dtype, image, out):
            done = mist("decode", out, "-o", back)
            checks.that(done.returncode == 0, done.stderr.decode())
            found = numpy.load(back)
            checks.that(found.dtype == numpy.dtype(dtype[-2:]), f"{dtype}: {found.dtype}")
            checks.same(found.view(bits.dtype), bits, f"{dtype}: bit patterns")


def options(directory, random):
    samples = random.integers(0, 256, (3, 150, 170))
    image, out = os.path.join(directory, "image.ppm"), os.path.join(directory, "options.j2c")
    decoding.write_pnm(image, samples, 255)
    cases = [(["--block", "32x16"], lambda s: s.block == (32, 16)),
             (["--precinct", "64x128"], lambda s: s.precincts[-1] == (64, 128)),
             (["--levels", "5"], lambda s: s.decompositions == 4 and len(s.parts) == 5),
             (["--levels", "4", "--no-tile-parts"], lambda s: s.decompositions == 3 and len(s.parts) == 1),
             (["--no-color-transform"], lambda s: s.transform == 0), ([], lambda s: s.transform == 1),
             ([], lambda s: s.block == (64, 64) and s.progression == 2 and s.wavelet == 1)]
    cases += [(["--progression", order, "--precinct", "64x64"], lambda s, n=n: s.progression == n)
              for n, order in enumerate(["LRCP", "rlcp", "RPCL", "pcrl", "CPRL"])]
    for words, holds in cases:
        if not encode(str(words), image, out, *words):
            continue
        with open(out, "rb") as file:
            checks.that(holds(judges.Codestream(file.read())), f"{words}: the headers say otherwise")
        checks.same(decoding.ojph_decode(out, directory, 0, True), samples, f"{words} by OpenJPH")
        checks.same(by_openjpeg(out, 3, directory).transpose(2, 0, 1), samples, f"{words} by OpenJPEG")


def irreversible(directory):
    samples = decoding.picture(150, 170, 3, 8)
    image, out = os.path.join(directory, "image.ppm"), os.path.join(directory, "lossy.jph")
    decoding.write_pnm(image, samples, 255)
    sizes, errors = [], []
    for step in ("0.1", "0.01", "0.002"):
        if encode("irreversible", image, out, "--irreversible", "--base-step", step):
            found = by_openjpeg(out, 3, directory).transpose(2, 0, 1)
            errors.append(numpy.abs(found - samples).mean())
            sizes.append(os.path.getsize(out))
    checks.that(sorted(sizes) == sizes and len(set(sizes)) == 3, f"smaller steps give larger files: {sizes}")
    checks.that(errors == sorted(errors, reverse=True) and errors[-1] < 1, f"smaller steps give smaller errors: {errors}")


def frames(directory, random):
    volume = random.integers(0, 4096, (5, 33, 44)).astype("u2")
    image, out = os.path.join(directory, "volume.npy"), os.path.join(directory, "frame.j2c")
    numpy.save(image, volume)
    for frame in (0, 3):
        if encode("a frame", image, out, "--frame", frame):
            checks.same(by_openjpeg(out, 1, directory)[:, :, 0], volume[frame], f"frame {frame}")
    says("a frame that is not there", 1, "frame 5 of 5", image, "-o", out, "--frame", "5")


def says(what, status, words, *arguments):
    done = mist("encode", *arguments)
    message = done.stderr.decode()
    checks.that(done.returncode == status and words in message, f"{what}: {done.returncode} {message!r}")


def refusals(directory):
    path = lambda name: os.path.join(directory, name)
    decoding.write_pnm(path("in.pgm"), decoding.picture(20, 20), 255)
    numpy.save(path("double.npy"), numpy.zeros((9, 9)))
    numpy.save(path("complex.npy"), numpy.zeros((9, 8), "c8"))
    numpy.save(path("line.npy"), numpy.zeros(9, "u1"))
    out = path("refused.j2c")
    with open(path("in.pgm"), "rb") as file:
        data = file.read()
    for name, content in (("cut.pgm", data[:-1]), ("head.pgm", b"P5\n20 x 255\n123456789"), ("text.txt", b"hello, you"),
                          ("large.pgm", b"P5\n999999 999999\n255\n1234"), ("large.npy", b"\x93NUMPY\x01\0\xff\xff{'descr'"),
                          ("bits.pgx", b"PG ML +40 2 2\n" + bytes(40))):
        with open(path(name), "wb") as file:
            file.write(content)
    for name, words in (("double.npy", "f64"), ("complex.npy", "type"), ("line.npy", "shape"),
                        ("cut.pgm", "ends before"), ("head.pgm", "damaged"), ("text.txt", "format"), ("large.pgm", "999999"),
                        ("large.npy", "damaged"), ("bits.pgx", "damaged"), ("nothing.pgm", "No such file")):
        says(name, 1, words, path(name), "-o", out)
        says(name + " is named", 1, name, path(name), "-o", out)
    image = path("in.pgm")
    says("a block", 1, "powers of two", image, "-o", out, "--block", "48x64")
    says("a precinct", 1, "powers of two", image, "-o", out, "--precinct", "100x100")
    says("an order", 2, "LRCP", image, "-o", out, "--progression", "LRC")
    says("levels", 2, "1 to 33", image, "-o", out, "--levels", "34")
    says("a step", 1, "base step", image, "-o", out, "--irreversible", "--base-step", "2")
    says("a step without need", 2, "--irreversible", image, "-o", out, "--base-step", "0.5")
    says("two images", 2, "one image", image, image, "-o", out)
    says("a store takes no loss", 2, "lossless", image, "-o", path("store"), "--irreversible")
    says("no place", 1, "No such file", image, "-o", path("nowhere/out.j2c"))
    checks.that(not os.path.exists(path("store")), "no store is made")
    checks.that(not [name for name in os.listdir(directory) if name.startswith("refused")], "nothing is left behind")


def main():
    for tool in ("opj_decompress", "ojph_expand"):
        if not shutil.which(tool):
            decoding.skip(f"{tool} is not installed")
    random = numpy.random.default_rng(5)
    for part in (every_input, floats, options, frames):
        with tempfile.TemporaryDirectory() as directory:
            part(directory, random)
    for part in (irreversible, refusals):
        with tempfile.TemporaryDirectory() as directory:
            part(directory)
    checks.end()


main()
