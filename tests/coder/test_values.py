"""Value maps: every kind of values comes back through a reader made from the document alone, and their bounds hold."""
import glob
import os
import sys
import tempfile

import numpy as np

import value_cases
from value_reader import Map

TOOL = sys.argv[1]
SHARED = os.environ.get("MIST_SHARED", "")


def check(good, what):
    if not good:
        raise SystemExit(f"test_values: {what}")


def read_back(array, *options, wish="image"):
    """What the independent reader makes of the planes; and what value_tool says."""
    with tempfile.TemporaryDirectory() as folder:
        prefix = folder + "/p"
        got = value_cases.run(TOOL, array, wish, "planes=" + prefix, *options)

        def planes(suffix):
            with open(f"{prefix}.{suffix}", "rb") as file:
                return file.read()

        shape = array.shape if array.ndim == 4 else array.shape + (1,)
        frames, height, width, components = shape
        values = Map(planes("map"), components)
        if values.kind == "table":
            values.read_table(planes("table"))
        coded_components = 1 if values.kind == "ranks" else components
        kind = {True: "i", False: "u"}[values.signed]
        size = values.type.itemsize if values.kind == "identity" else 2 if values.precision <= 16 else 4
        coded = np.frombuffer(planes("coded"), f"{kind}{size}").reshape(frames, coded_components, height, width)
        holes = np.frombuffer(planes("holes"), "u2").reshape(frames, components, height, width) if values.holes else None
        out = []
        for i in range(frames):
            rest = values.read_remainder(planes(f"rem{i}"), coded[i]) if values.remainder else None
            out.append(values.decode(coded[i], holes[i] if holes is not None else None, rest))
        return np.moveaxis(np.stack(out), 1, -1).reshape(array.shape), got, values


def same(a, b):
    return a.dtype.itemsize == b.dtype.itemsize and a.tobytes() == b.tobytes()


def exact(name, array, kind, *options, wish="image"):
    array = np.ascontiguousarray(array)
    out, got, values = read_back(array, *options, wish=wish)
    check(kind in (None, got["kind"]), f"{name}: is {got['kind']}, not {kind}")
    check(got["lossless"] and same(out, array), f"{name}: does not come back")
    check(got["hole_lattice"], f"{name}: a reduced hole is not that of the lattice")
    return got, values


def test_kinds():
    rng = np.random.default_rng(7)
    image = rng.integers(-900, 2000, (2, 40, 50)).astype(np.int16)
    exact("s16", image, "identity")
    exact("rgb", rng.integers(0, 256, (1, 20, 30, 3)).astype(np.uint8), "identity")
    exact("floats of integers", image.astype(np.float32) * np.float32(0.37), "linear")
    x = image.astype(np.float32)
    exact("s64", image.astype(np.int64) - (1 << 41), "linear")
    exact("u64", image.astype(np.uint64) + np.uint64(1 << 63), "quantised")
    exact("u64, wide", rng.integers(0, 1 << 63, (1, 40, 40)).astype(np.uint64) * np.uint64(2) + np.uint64(1), "quantised")
    exact("s64, wide", rng.integers(-(1 << 62), 1 << 62, (1, 40, 40)), "quantised")
    few = rng.integers(0, 200, (3, 40, 50)).astype(np.float32)
    exact("z-scored", (few - few.mean()) / few.std(), "table")
    for kind in (np.float16, np.float32, np.float64):
        exact("noise", rng.normal(0, 1, (2, 40, 50)).astype(kind), "quantised")
        exact("tiny noise", rng.normal(0, 1, (2, 40, 50)).astype(kind) * kind(np.finfo(kind).tiny), None)
        bits = rng.integers(0, 256, (2, 40, 50, 2 * np.dtype(kind).itemsize)).astype(np.uint8)
        got, _ = exact("any pattern", bits.view(kind), "quantised")
        check(got["holes"] > 0, "random patterns have no NaN")
    check(x.size > 0, "nothing was tried")


def test_labels():
    rng = np.random.default_rng(8)
    blocks = np.kron(rng.integers(0, 5, (3, 8, 8)), np.ones((1, 9, 9))).astype(np.uint8)
    for kind in ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64", "int64", "uint64"):
        got, values = exact(kind, blocks.astype(kind), "ranks", wish="auto")
        check(got["labels"] and got["ranks"] == 5 and got["map_bytes"] <= 16, f"labels of {kind}: {got}")
    exact("negative labels", blocks.astype(np.int32) * 1000 - 3, "ranks", wish="auto")
    exact("binary 0 and 255", (blocks > 2).astype(np.uint8) * 255, "ranks", wish="auto")
    colours = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0], [10, 20, 30], [255, 255, 255]], np.uint8)[blocks]
    got, values = exact("colours", colours, "ranks", wish="auto")
    check(got["ranks"] == 5, "colours are not counted together")
    exact("NaN as a label", np.where(blocks == 0, np.nan, blocks).astype(np.float32), "ranks", wish="auto")
    exact("65,536 labels", np.arange(65536, dtype=np.uint32).reshape(1, 256, 256) * 3, "ranks", wish="labels")
    exact("65,536 labels", np.arange(65536, dtype=np.uint16).reshape(1, 256, 256), "ranks", wish="labels")
    try:
        value_cases.run(TOOL, np.arange(65792, dtype=np.uint32).reshape(1, 256, 257), "labels")
        check(False, "65,792 labels were taken")
    except RuntimeError as error:
        check("no labels" in str(error), str(error))


def test_padding():
    """CT with padding far below: no reduced value between padding and tissue, whatever sign it was declared with."""
    rng = np.random.default_rng(9)
    y, x = np.mgrid[0:128, 0:128]
    outside = (x - 64) ** 2 + (y - 64) ** 2 > 60 ** 2
    tissue = np.rint(rng.normal(-200, 300, (2, 128, 128))).clip(-1023, 3000).astype(np.int16)
    image = np.where(outside, np.int16(-2000), tissue)
    got, values = exact("padded CT", image, "identity", "hole=f830:f830")
    check(got["holes"] == 1 and values.holes == [0xf830] and got["lowest"] == image[image > -2000].min(), f"padding: {got}")
    plain = value_cases.run(TOOL, image)
    check(got["coded"] < plain["coded"], f"a picture without its holes is larger: {got}, {plain}")
    got, values = exact("padding of a range", np.where(outside, rng.integers(-2000, -1990, image.shape), tissue).astype(np.int16),
                        "identity", "hole=f830:f839")
    check(got["holes"] == 10, f"range: {got}")
    got, values = exact("padding beside tissue", np.where(outside, -1024, tissue).astype(np.int16), "identity", "hole=fc00:fc00")
    check(got["holes"] == 0, "a padding next to tissue is a hole")
    got, values = exact("padding among tissue", tissue, "identity", "hole=0:0")
    check(got["holes"] == 0, "a padding among tissue is a hole")
    exact("all padding", np.full((1, 20, 20), 7, np.uint16), "identity", "hole=7:7")
    got, values = exact("float padding", np.where(outside, -1e4, tissue / 7).astype(np.float32), "linear", "hole=c61c4000:c61c4000")
    check(got["holes"] == 1, f"float padding: {got}")


def stored(got):
    return sum(got[k] for k in ("map_bytes", "coded", "hole_bytes", "remainder_bytes", "table_bytes"))


def test_holes_are_local():
    cases = value_cases.made()
    for name in ("true floats", "0 to 1 by the maximum", "z-scored"):
        before = value_cases.run(TOOL, cases[name])
        array = cases[name].copy()
        array[1, 90, 70] = np.nan
        after, values = exact("one NaN in " + name, array, before["kind"])
        check(stored(after) < 1.02 * stored(before), f"one NaN in {name}: {stored(before)} bytes become {stored(after)}")
    payloads = cases["true floats"].copy()
    rng = np.random.default_rng(3)
    where = rng.random(payloads.shape) < 0.8
    payloads.view(np.uint32)[where] = 0x7f800001 + rng.integers(0, 1 << 22, where.sum())
    got, values = exact("noise of NaN payloads", payloads, "quantised")
    check(got["holes"] <= 65535 and got["hole_bits"] > 0 and np.isnan(np.array(values.holes, np.uint32).view(np.float32)).all(),
          f"payloads: {got}")


def bounded():
    """The made images, and the z-scored MR and the probability map that are in the repository."""
    yield from value_cases.made().items()
    import nibabel
    for path in sorted(glob.glob(os.environ["MIST_SOURCE"] + "/tests/data/cases/float_zero_crossing/*.nii.gz")):
        yield os.path.basename(path), np.asarray(nibabel.load(path).dataobj).T


def test_bounds():
    for name, array in bounded():
        got = value_cases.run(TOOL, array)
        gz, packed = value_cases.source_sizes(array)
        check(got["lossless"] and got["hole_lattice"], f"{name}: not exact")
        check(stored(got) <= 1.25 * packed, f"{name}: {stored(got)} bytes, {packed} as shuffled zstd")
        # Logarithms of integers on 13 bits: docs/values.md has no better map for them.
        check(stored(got) <= gz * (1.05 if name == "log of integers" else 1), f"{name}: {stored(got)} bytes, {gz} as gzip")
        half = got["map_bytes"] + got["half"] + got["half_hole_bytes"]
        check(half <= 0.4 * stored(got), f"{name}: half size is {half} of {stored(got)}")
        if name != "ratio by noise":  # every background sample is an outlier of its neighbours
            check(got["ssim"] >= got["ssim16"] - 0.005, f"{name}: SSIM {got['ssim']} beside {got['ssim16']}")
        again = value_cases.run(TOOL, array, "image", "threads=3")
        check(again == got, f"{name}: differs with three threads")


def test_recognition():
    """Crops of an image are no labels; those of the shared data are judged by their folders."""
    image, _ = value_cases.head(np.random.default_rng(4))
    eight = (image // 5).clip(0, 255).astype(np.uint8)
    rng = np.random.default_rng(5)
    for _ in range(30):
        y, x, size = rng.integers(0, 140), rng.integers(0, 120), rng.integers(8, 40)
        crop = eight[1:2, y:y + size, x:x + size]
        check(not value_cases.run(TOOL, crop, "auto", "short")["labels"], f"a crop of {size} at {y}, {x} looks like labels")
    if not os.path.isdir(SHARED + "/data"):
        print("skipped: the label maps and images of MIST_SHARED")
        return
    import nibabel
    paths = sorted(glob.glob(SHARED + "/data/nifti/*.nii*") + glob.glob(SHARED + "/data/seg-hippocampus/*/*.nii.gz")[::4] +
                   glob.glob(os.environ["MIST_SOURCE"] + "/examples/data/*/*/*.nii.gz") +
                   glob.glob(SHARED + "/cases/int64_labels/*/*.nii.gz"))
    seen = set()
    for path in paths:
        array = np.asarray(nibabel.load(path).dataobj.get_unscaled())
        if array.dtype.names or array.size > 4e7:
            continue
        array = array.T.reshape((-1,) + array.T.shape[-2:])
        label = "/labels/" in path
        got = value_cases.run(TOOL, array.astype(array.dtype.newbyteorder("=")), "auto", "short")
        check(got["labels"] == label, f"{path}: looks {'' if got['labels'] else 'not '}like labels: {got}")
        seen.add(label)
    check(seen == {True, False}, "not both kinds were there")
    try:
        from PIL import Image
    except ImportError:
        return
    for path in sorted(glob.glob(SHARED + "/data/cxr/images/*.png")):
        got = value_cases.run(TOOL, np.asarray(Image.open(path).convert("L"))[None], "auto", "short")
        check(not got["labels"], f"{path} looks like labels")


for test in (test_kinds, test_labels, test_padding, test_holes_are_local, test_bounds, test_recognition):
    test()
    print(test.__name__, "done", flush=True)
