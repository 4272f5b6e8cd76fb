# SPDX-License-Identifier: BSD-2-Clause
"""JPEG files kept as their coefficients: the files back to the byte, pixels as PIL and djpeg decode them."""
import io
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image, features

from jpeg_reader import Reader

TOOL = os.environ["MIST_JPEG_TOOL"]
SHARED = pathlib.Path(os.environ.get("MIST_SHARED", "/nowhere")) / "data" / "jpeg"
scratch = tempfile.TemporaryDirectory()
ROOT = pathlib.Path(scratch.name)
done = 0


def check(condition, what):
    global done
    done += 1
    if not condition:
        sys.exit(f"test_jpeg.py: {what}")


def run(*arguments):
    return subprocess.run([TOOL, *map(str, arguments)], capture_output=True, text=True, timeout=60)


def tool(*arguments):
    result = run(*arguments)
    check(result.returncode == 0, f"{' '.join(map(str, arguments))}: {result.stderr.strip()}")
    return result.stdout


class Split:
    """A file in chunks; each of the tool's functions on them."""

    def __init__(self, data, name):
        self.name = name
        self.directory = pathlib.Path(tempfile.mkdtemp(dir=ROOT))
        (self.directory / "in.jpg").write_bytes(data)
        self.info = json.loads(tool("split", self.directory / "in.jpg", self.directory))
        self.levels = [(self.directory / f"level{level}").stat().st_size for level in range(self.info["levels"])]
        self.rebuild_size = (self.directory / "rebuild").stat().st_size

    def rebuilt(self):
        tool("rebuild", self.directory, self.directory / "out")
        return (self.directory / "out").read_bytes()

    def size(self, reduce):
        return -(-self.info["width"] // 2**reduce), -(-self.info["height"] // 2**reduce)

    def decoded(self, reduce):
        width, height = self.size(reduce)
        tool("decode", self.directory, reduce, self.directory / "out")
        samples = np.fromfile(self.directory / "out", np.uint8)
        return samples.reshape(height, width, self.info["components"])

    def standalone(self, reduce):
        tool("standalone", self.directory, reduce, self.directory / "out")
        return (self.directory / "out").read_bytes()


def pil(data):
    """As libjpeg-turbo decodes it: PIL turns CMYK of Adobe around, which is undone."""
    image = Image.open(io.BytesIO(data))
    pixels = np.array(image)
    if image.mode == "CMYK" and "adobe" in image.info:
        pixels = 255 - pixels
    return pixels.reshape(image.height, image.width, -1)


def djpeg(data, reduce):
    """Scaled by libjpeg-turbo itself."""
    result = subprocess.run(["djpeg", "-scale", f"{8 >> reduce}/8", "-pnm"], input=data, capture_output=True, timeout=60)
    check(result.returncode == 0, f"djpeg: {result.stderr!r}")
    image = Image.open(io.BytesIO(result.stdout))
    return np.array(image).reshape(image.height, image.width, -1)


def area(pixels, reduce):
    """Means over whole 2^r x 2^r cells; those at the right and lower edge are of what is there."""
    side = 1 << reduce
    sums = np.add.reduceat(np.add.reduceat(pixels.astype(float), np.arange(0, pixels.shape[0], side), 0),
                           np.arange(0, pixels.shape[1], side), 1)
    ones = np.ones(pixels.shape[:2] + (1,))
    return sums / np.add.reduceat(np.add.reduceat(ones, np.arange(0, pixels.shape[0], side), 0),
                                  np.arange(0, pixels.shape[1], side), 1)


def examine(data, name, reduced_error=None, **expected):
    """Everything that must hold for a file that is taken. reduced_error: of the mean absolute one against averages."""
    split = Split(data, name)
    for key, value in expected.items():
        check(split.info[key] == value, f"{name}: {key} is {split.info[key]}, not {value}")
    check(split.rebuilt() == data, f"{name}: the file does not come back")
    full = split.decoded(0)
    check(np.array_equal(full, pil(data)), f"{name}: pixels differ from PIL's")
    for reduce in range(split.info["levels"]):
        alone = split.standalone(reduce)
        pixels = split.decoded(reduce)
        if reduce <= 3 and split.info["components"] < 4:
            check(np.array_equal(pixels, djpeg(alone, reduce)), f"{name}: reduced by {reduce}, djpeg differs")
        check(pil(alone).shape == full.shape, f"{name}: the standalone file of {reduce} has another size")
        if reduce and reduced_error is not None:
            inner = (slice(0, split.info["height"] >> reduce), slice(0, split.info["width"] >> reduce))
            error = np.abs(pixels[inner] - area(full, reduce)[inner]).mean()
            check(error < reduced_error, f"{name}: reduced by {reduce}, {error:.2f} from the area's mean")
    return split


def photo(width, height, components, seed=0):
    """Smooth, with edges and some noise: like an image, not like a test pattern."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / max(width, height, 2)
    planes = []
    for c in range(components):
        plane = 110 + 60 * np.sin(7 * x + c) * np.cos(5 * y - c) + 50 * ((x - 0.5) ** 2 + (y - 0.4) ** 2 < 0.05 + 0.02 * c)
        planes.append(plane + generator.normal(0, 4, plane.shape))
    pixels = np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)
    return pixels[..., 0] if components == 1 else pixels


def jpeg(pixels, mode=None, **options):
    out = io.BytesIO()
    Image.fromarray(pixels, mode).save(out, "JPEG", **options)
    return out.getvalue()


def cjpeg(pixels, *options):
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PPM")
    result = subprocess.run(["cjpeg", *options], input=out.getvalue(), capture_output=True, timeout=60)
    check(result.returncode == 0, f"cjpeg: {result.stderr!r}")
    return result.stdout


def segments(data):
    """(marker, whole segment) up to the first scan, and what follows."""
    at, found = 2, []
    while data[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(data[at + 2:at + 4], "big")
        found.append((data[at + 1], data[at:end]))
        at = end
    return found, data[at:]


def test_options():
    colours = photo(150, 133, 3)
    for subsampling in (0, 1, 2):
        for quality in (30, 75, 92, 100):
            for progressive in (False, True):
                name = f"4:{subsampling} quality {quality} progressive {progressive}"
                # Coefficients beyond the level's size hold little of what an average keeps; noise of sigma 4 is the rest.
                examine(jpeg(colours, subsampling=subsampling, quality=quality, progressive=progressive,
                             optimize=quality == 75), name, 2.0, components=3, colour="YCbCr", grey_as_rgb=False,
                        progressive=progressive)
    grey = photo(199, 301, 1)
    for quality in (50, 95):
        examine(jpeg(grey, quality=quality), f"grey {quality}", 1.5, components=1, colour="grey", levels=3)
    as_rgb = examine(jpeg(np.repeat(grey[..., None], 3, -1), quality=90), "grey stored as RGB", components=3,
                     grey_as_rgb=True).decoded(0)
    check((as_rgb == as_rgb[..., :1]).all(), "grey stored as RGB is not grey")
    cmyk = photo(77, 90, 4)
    examine(jpeg(cmyk, "CMYK", quality=80), "CMYK", components=4, colour="CMYK")


def test_levels():
    """Of a size that has levels far below 1/8, every sample format."""
    grey = photo(1100, 1300, 1)
    examine(jpeg(grey, quality=85), "large grey", 1.0, levels=6)
    for subsampling in (0, 1, 2):
        examine(jpeg(photo(1090, 1051, 3), quality=85, subsampling=subsampling), f"large 4:{subsampling}", 1.2, levels=6)


def test_sizes():
    for width, height in ((1, 1), (1, 9), (8, 8), (9, 1), (15, 17), (16, 16), (33, 65), (64, 64), (65, 66), (7, 500)):
        for components in (1, 3):
            for options in ({}, {"progressive": True}):
                examine(jpeg(photo(width, height, components), **options), f"{width} x {height} {options}")


def test_cjpeg():
    colours, grey = photo(130, 94, 3), photo(131, 95, 1)
    for options in (["-restart", "1B"], ["-restart", "3B"], ["-restart", "1"], ["-progressive", "-restart", "1"],
                    ["-progressive", "-restart", "5B"], ["-sample", "2x1"], ["-sample", "1x2"], ["-sample", "4x1"],
                    ["-sample", "4x2"], ["-sample", "1x1,2x2,1x2"], ["-sample", "3x1,1x1,1x1"], ["-rgb"],
                    ["-rgb", "-progressive"], ["-quality", "100", "-sample", "1x1"], ["-optimize"],
                    ["-quality", "5"], ["-quality", "1"], ["-dct", "float"]):
        expected = {"colour": "RGB" if "-rgb" in options else "YCbCr"}
        examine(cjpeg(colours, *options), " ".join(options), **expected)
    examine(cjpeg(grey, "-restart", "2B"), "grey -restart")
    scans = ROOT / "scans"
    scans.write_text("0: 0-63, 0, 0;\n1: 0-63, 0, 0;\n2: 0-63, 0, 0;\n")
    examine(cjpeg(colours, "-scans", scans), "sequential, a scan for each component")
    scans.write_text("0: 0-0, 0, 0;\n1,2: 0-0, 0, 2;\n1,2: 0-0, 2, 1;\n1,2: 0-0, 1, 0;\n0: 1-63, 0, 3;\n0: 1-63, 3, 2;\n"
                     "0: 1-63, 2, 1;\n0: 1-63, 1, 0;\n1: 1-10, 0, 0;\n1: 11-63, 0, 1;\n1: 11-63, 1, 0;\n2: 1-63, 0, 0;\n")
    examine(cjpeg(colours, "-scans", scans), "a scan script of one's own", progressive=True)
    # Long runs of blocks without coefficients, with and without correction bits.
    flat = np.full((1500, 1500), 100, np.uint8)
    flat[700:720, 300:1200] = photo(900, 20, 1)
    examine(cjpeg(flat, "-progressive"), "long runs", progressive=True)


def test_metadata():
    base = jpeg(photo(90, 70, 3), quality=80)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        examine(jpeg(photo(50, 40, 3), exif=exif), f"orientation {orientation}", orientation=orientation)
    head, scan = segments(base)
    extra = b"\xff\xfe\x00\x09comment" + b"\xff\xed\xff\xff" + random.Random(1).randbytes(65533)
    for name, data in (("trailing bytes", base + random.Random(2).randbytes(5000)),
                       ("a second end marker", base + b"\xff\xd9\xff\xd9"),
                       ("comments", base[:2] + extra + base[2:]),
                       ("fill bytes", base[:2] + b"\xff\xff\xff" + base[2:]),
                       ("fill bytes before the end", base[:-2] + b"\xff\xff\xff\xd9"),
                       ("bytes behind the scan", base[:-2] + b"\x12\x34" + base[-2:]),
                       ("a colour profile", jpeg(photo(60, 60, 3), icc_profile=random.Random(3).randbytes(70000)))):
        examine(data, name)
    endless = Split(base[:-2], "no end marker")
    check(endless.rebuilt() == base[:-2], "no end marker: the file does not come back")
    check(np.array_equal(endless.decoded(0), pil(base)), "no end marker: pixels differ from PIL's")
    # No JFIF marker: the colour is known by the components' names or by Adobe's marker only.
    bare = base[:2] + b"".join(segment for marker, segment in head if marker != 0xE0) + scan
    examine(bare, "no JFIF marker", colour="YCbCr")
    adobe = lambda transform: b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00" + bytes([transform])
    examine(bare[:2] + adobe(0) + bare[2:], "Adobe says RGB", colour="RGB")
    examine(bare[:2] + adobe(1) + bare[2:], "Adobe says YCbCr", colour="YCbCr")
    cmyk = jpeg(photo(77, 90, 4), "CMYK", quality=80)
    for transform, colour in ((0, "CMYK"), (2, "YCCK")):
        at = cmyk.index(b"Adobe") + 11
        examine(cmyk[:at] + bytes([transform]) + cmyk[at + 1:], colour, colour=colour)
    # Padding by zeros instead of ones; restart intervals that never come.
    zeros = bytearray(base)
    padded = [zeros[:-3] + bytes([zeros[-3] & 0xFF << bits & 0xFF]) + zeros[-2:] for bits in range(1, 8)]
    taken = [examine(bytes(data), "padding by zeros") for data in padded
             if data != base and np.array_equal(pil(bytes(data)), pil(base))]
    check(all(split.rebuild_size < 400 for split in taken), "padding by zeros is expensive")


def refused(data, word, name):
    directory = pathlib.Path(tempfile.mkdtemp(dir=ROOT))
    (directory / "in.jpg").write_bytes(data)
    result = run("split", directory / "in.jpg", directory)
    check(result.returncode == 1 and word in result.stderr and len(result.stderr.splitlines()) == 1,
          f"{name}: exit {result.returncode}, {result.stderr!r}")
    check(sorted(path.name for path in directory.iterdir()) == ["in.jpg"], f"{name}: something was written")


def test_refused():
    colours = photo(130, 94, 3)
    base, progressive = jpeg(colours, quality=80), jpeg(colours, quality=80, progressive=True)
    refused(cjpeg(colours, "-arithmetic"), "arithmetic", "arithmetic coding")
    refused(b"", "not a JPEG", "nothing")
    refused(b"\x89PNG" + bytes(100), "not a JPEG", "PNG")
    for data in (base, progressive):
        for cut in (3, 100, 400, len(data) // 2, len(data) - 3):
            refused(data[:cut], "truncated", f"cut at {cut}")
    ends = [at for at in range(len(progressive) - 1) if progressive[at:at + 2] == b"\xff\xda"]
    refused(progressive[:ends[-1]] + b"\xff\xd9", "lacks some of its scans", "a scan is missing")
    at = base.index(b"\xff\xc0")
    claim = lambda width, height: base[:at + 5] + height.to_bytes(2, "big") + width.to_bytes(2, "big") + base[at + 9:]
    refused(claim(65535, 1000), "too large", "65535 columns")
    refused(claim(20000, 20000), "too short", "a claim of 20000 x 20000")
    refused(base[:at + 4] + b"\x0c" + base[at + 5:], "12 bits", "12 bits")
    for marker, word in ((0xC3, "lossless"), (0xC5, "hierarchical"), (0xC9, "arithmetic")):
        refused(base[:at + 1] + bytes([marker]) + base[at + 2:], word, word)
    # A scan that comes 200 times.
    first = progressive[ends[1]:ends[2]]
    refused(progressive[:ends[1]] + first * 200 + progressive[ends[1]:], "unsupported", "repeated scans")


def test_hostile():
    """Damaged files and chunks: one sentence, or a picture."""
    generator = random.Random(7)
    for data in (jpeg(photo(90, 70, 3), quality=85), jpeg(photo(90, 70, 3), quality=85, progressive=True)):
        split = Split(data, "to be damaged")
        for turn in range(60):
            damaged = bytearray(data)
            for _ in range(generator.randint(1, 4)):
                damaged[generator.randrange(len(damaged))] = generator.randrange(256)
            (split.directory / "in.jpg").write_bytes(damaged)
            result = run("split", split.directory / "in.jpg", split.directory)
            check(result.returncode in (0, 1), f"damaged file: {result.returncode} {result.stderr}")
            if result.returncode == 0:
                tool("rebuild", split.directory, split.directory / "out")
                check((split.directory / "out").read_bytes() == damaged, "a damaged file that was taken comes back")
        split = Split(data, "to be damaged")
        for name in ("level0", "rebuild"):
            whole = (split.directory / name).read_bytes()
            for turn in range(40):
                damaged = bytearray(whole)
                damaged[generator.randrange(len(damaged))] ^= 1 << generator.randrange(8)
                (split.directory / name).write_bytes(damaged[:generator.randint(0, 2 * len(damaged))])
                result = run("rebuild", split.directory, split.directory / "out")
                check(result.returncode in (0, 1) and bool(result.returncode) == bool(result.stderr),
                      f"damaged {name}: {result.returncode} {result.stderr}")
            (split.directory / name).write_bytes(whole)


def test_reader():
    """The reader that was written from docs/coder-jpeg.md finds the same pictures."""
    flat = np.add.outer(np.arange(517.0), 2 * np.arange(530.0)) % 700 / 3
    cases = [("grey", jpeg(photo(83, 90, 1), quality=92)), ("colour", jpeg(photo(75, 70, 3), quality=85, subsampling=0)),
             ("4:2:0", jpeg(photo(75, 133, 3), quality=60, subsampling=2)), ("cmyk", jpeg(photo(40, 41, 4), "CMYK")),
             ("one pixel", jpeg(photo(1, 1, 1))), ("deep", jpeg(flat.astype(np.uint8), quality=3)),
             ("fine", jpeg(photo(40, 50, 1), quality=100))]
    for name, data in cases:
        split = Split(data, name)
        levels = [(split.directory / f"level{level}").read_bytes() for level in range(split.info["levels"])]
        reader = Reader(levels)
        image = Image.open(io.BytesIO(data))
        image.draft("YCbCr", image.size)
        stored = np.array(image).reshape(image.height, image.width, -1)
        stored = 255 - stored if name == "cmyk" else stored
        for c, component in enumerate(reader.components):
            if (component.h, component.v) == (reader.h_max, reader.v_max):
                error = np.abs(np.clip(reader.samples(c), 0, 255) - stored[..., c]).max()
                check(error < 1.6, f"{name}, component {c}: the reader is {error:.2f} off")
        for reduce in range(3, split.info["levels"]):
            lower = Reader(levels[:split.info["levels"] - reduce])
            width, height = split.size(reduce)
            error = np.abs(np.clip(lower.means(0)[:height, :width], 0, 255) - split.decoded(reduce)[..., 0]).max()
            check(split.info["components"] > 1 or error <= 0.57, f"{name}: reduced by {reduce}, the reader is {error:.2f} off")


def test_shared():
    """Real files: the table of docs/coder-jpeg.md."""
    if not SHARED.is_dir():
        print(f"no {SHARED}: real files are left out")
        return
    print(f"{'file':40} {'bytes':>8} {'1/16':>6} {'1/8':>6} {'1/4':>6} {'1/2':>6} {'all':>6} {'blob':>6}  back")
    total, sums, similar = 0, np.zeros(6), []
    for path in sorted(SHARED.iterdir()):
        data = path.read_bytes()
        split = examine(data, path.name, 1.0)
        levels = split.info["levels"]
        upto = lambda reduce: sum(split.levels[:max(levels - reduce, 0)])
        row = np.array([upto(4), upto(3), upto(2), upto(1), upto(0) + split.rebuild_size, split.rebuild_size])
        total, sums = total + len(data), sums + row
        print(f"{path.name[:40]:40} {len(data):8}", *(f"{share:6.3f}" for share in row / len(data)), " bytes")
        ssim = [float(pair.split()[0]) for pair in tool("judge", path).strip().split("  ")]
        check(min(ssim) > 0.994, f"{path.name}: SSIM {ssim} against averages")
        similar.append((ssim + [1, 1])[:4])
        check(row[4] < 0.9 * len(data), f"{path.name}: {row[4]} bytes of {len(data)}")
    print(f"{'all':40} {total:8}", *(f"{share:6.3f}" for share in sums / total))
    print("SSIM against averages, least of all files at 1/2, 1/4, 1/8, 1/16:", *np.min(similar, 0),
          " median:", *np.round(np.median(similar, 0), 4))


if __name__ == "__main__":
    check(features.check("libjpeg_turbo"), "PIL has another libjpeg, whose pixels differ")
    for test in (test_options, test_levels, test_sizes, test_cjpeg, test_metadata, test_refused, test_hostile, test_reader,
                 test_shared):
        test()
    print(f"{done} checks")
