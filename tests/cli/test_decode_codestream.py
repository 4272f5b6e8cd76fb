# SPDX-License-Identifier: BSD-2-Clause
"""mist decode on codestreams: .npy, .pgm, .ppm, .pgx against OpenJPEG's samples; what cannot be done is said."""
import os
import shutil
import subprocess
import sys
import tempfile

import numpy

sys.path.insert(0, os.path.join(os.environ["MIST_SOURCE"], "tests", "codec"))
import decoding  # noqa: E402

MIST = os.environ["MIST_PROGRAM"]
STREAMS = os.path.join(os.environ["MIST_SOURCE"], "tests", "data", "htj2k")
checks = decoding.Checks()


def mist(*arguments):
    return subprocess.run([MIST, "decode", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)


def against_openjpeg(name, components, dtype, directory):
    path = os.path.join(STREAMS, name)
    for reduce in (0, 1):
        theirs = numpy.array(decoding.opj_decode(path, directory, reduce, components))
        out = os.path.join(directory, "out.npy")
        done = mist(path, "-o", out, "--reduce", str(reduce))
        checks.that(done.returncode == 0, f"{name}: {done.stderr.decode()}")
        array = numpy.load(out)
        checks.that(array.dtype == dtype, f"{name}: {array.dtype} instead of {dtype}")
        expected = theirs[0] if components == 1 else theirs.transpose(1, 2, 0)
        checks.same(array, expected, f"{name} as .npy, reduced by {reduce}")
        out = os.path.join(directory, "out.ppm" if components == 3 else "out.pgm")
        done = mist(path, "-o", out, "--reduce", str(reduce))
        checks.that(done.returncode == 0, f"{name}: {done.stderr.decode()}")
        checks.same(decoding.read_pnm(out), theirs, f"{name} as PNM, reduced by {reduce}")
        out = os.path.join(directory, "out.pgx")
        last = str(components - 1)
        done = mist(path, "--output", out, "--component", last, "--reduce", str(reduce))
        checks.that(done.returncode == 0, f"{name}: {done.stderr.decode()}")
        checks.same(decoding.read_pgx(out), theirs[-1], f"{name} component {last} as PGX, reduced by {reduce}")


def says(what, status, words, *arguments):
    done = mist(*arguments)
    message = done.stderr.decode()
    checks.that(done.returncode == status and words in message, f"{what}: {done.returncode} {message!r}")


def refusals(directory):
    path, out = os.path.join(STREAMS, "rpcl-color.j2c"), os.path.join(directory, "refused.pgm")
    says("no output", 2, "-o", path)
    says("three components as PGM", 1, "component", path, "-o", out)
    says("no such component", 1, "component 3 of 3", path, "-o", out, "--component", "3")
    says("no such level", 1, "resolution levels", path, "-o", out, "--reduce", "9")
    says("an extension", 1, ".npy", path, "-o", os.path.join(directory, "x.bmp"))
    says("no codestream", 1, "not", os.path.join(STREAMS, "README.md"), "-o", out)
    says("no file", 1, "", os.path.join(directory, "nothing.j2c"), "-o", out)
    with open(path, "rb") as file:
        data = file.read()
    cut = os.path.join(directory, "cut.j2c")
    with open(cut, "wb") as file:
        file.write(data[: len(data) // 2])
    says("a cut stream", 1, "ends before", cut, "-o", out, "--component", "0")
    says("best effort", 0, "", cut, "-o", out, "--component", "0", "--best-effort")
    checks.that(not [name for name in os.listdir(directory) if name.endswith(".part")], "a .part file is left")


def main():
    if not shutil.which("opj_decompress"):
        decoding.skip("opj_decompress is not installed")
    with tempfile.TemporaryDirectory() as directory:
        against_openjpeg("rpcl-tileparts.j2c", 1, "uint16", directory)
        against_openjpeg("rpcl-color.j2c", 3, "uint8", directory)
        against_openjpeg("tiles-pcrl.j2c", 1, "uint8", directory)
        refusals(directory)
        iso = decoding.shared("htj2k", "iso15444-4")
        if iso: # signed samples
            out = os.path.join(directory, "signed.pgx")
            done = mist(os.path.join(iso, "ds0_ht_03_b11.j2k"), "-o", out)
            checks.that(done.returncode == 0, done.stderr.decode())
            checks.that(abs(decoding.read_pgx(out) - decoding.read_pgx(os.path.join(iso, "c1p0_03-0.pgx"))).max() <= 17,
                        "signed PGX")
            says("signed PGM", 1, "signed", os.path.join(iso, "ds0_ht_03_b11.j2k"), "-o", os.path.join(directory, "s.pgm"))
    checks.end()


main()
