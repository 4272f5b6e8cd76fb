"""Resampling, ranges, SSIM and MAD against their definitions written out in numpy with exact or plain arithmetic."""
import fractions
import math
import os
import pathlib
import subprocess
import sys

try:
    import numpy
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

tool = sys.argv[1]
examples = pathlib.Path(os.environ["MIST_SOURCE"]) / "examples/data"
random = numpy.random.default_rng(3)
TYPES = {"u8": "u1", "s8": "i1", "u16": "u2", "s16": "i2", "u32": "u4", "s32": "i4", "f16": "f2", "f32": "f4", "f64": "f8"}
NAMES = {numpy.dtype(code): name for name, code in TYPES.items()}
checks = 0


def run(operation, image, *rest, planar=0, more=b"", fails=False):
    """Arrays are [y][x][c]."""
    height, width, components = image.shape
    arguments = [tool, operation, NAMES[image.dtype], width, height, components, planar, *rest]
    done = subprocess.run(list(map(str, arguments)), input=image.tobytes() + more, capture_output=True, timeout=100)
    assert done.returncode == fails, (arguments, done.returncode, done.stderr)
    return done.stderr.decode() if fails else done.stdout


def random_image(name, height, width, components):
    dtype = numpy.dtype(TYPES[name])
    if dtype.kind == "f":
        return (random.normal(size=(height, width, components)) * 100).astype(dtype)
    limits = numpy.iinfo(dtype)
    image = random.integers(limits.min, limits.max, (height, width, components), dtype=dtype, endpoint=True)
    image[: height // 3] = random.choice([limits.min, limits.max], image[: height // 3].shape)
    return image


def rounded(value, dtype):
    """To nearest, ties to even, clamped; `value` is a Fraction (integers) or a float."""
    if numpy.dtype(dtype).kind == "f":
        return numpy.dtype(dtype).type(float(value))
    limits = numpy.iinfo(dtype)
    return min(max(round(value), limits.min), limits.max)


def area_weights(inputs, outputs):
    """Exact: the overlap of input i and output n, in units of inputs."""
    scale = fractions.Fraction(inputs, outputs)
    return [[(i, min(i + 1, (n + 1) * scale) - max(i, n * scale)) for i in range(inputs)
             if min(i + 1, (n + 1) * scale) > max(i, n * scale)] for n in range(outputs)]


def block_weights(inputs, reduce):
    step = 1 << reduce
    return [[(i, fractions.Fraction(1)) for i in range(start, min(start + step, inputs))] for start in range(0, inputs, step)]


def cubic_weights(inputs, outputs, step, offset):
    """Keys' kernel with a = -1/2, straight from its definition; edges clamped."""
    def kernel(t):
        t, a = abs(t), -0.5
        if t <= 1:
            return (a + 2) * t**3 - (a + 3) * t**2 + 1
        return a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a if t < 2 else 0
    table = []
    for n in range(outputs):
        position = n * step + offset
        table.append([(min(max(i, 0), inputs - 1), kernel(position - i))
                      for i in range(math.floor(position) - 1, math.floor(position) + 3)])
    return table


def apply(image, rows, columns):
    """The definition of a separable weighted mean, not separated."""
    exact = image.dtype.kind != "f" and not any(isinstance(weight, float) for _, weight in rows[0] + columns[0])
    out = numpy.empty((len(rows), len(columns), image.shape[2]), image.dtype)
    for y, row in enumerate(rows):
        for x, column in enumerate(columns):
            for c in range(image.shape[2]):
                convert = int if exact else float
                total = sum(wy * wx for _, wy in row for _, wx in column)
                value = sum(convert(image[i, k, c]) * wy * wx for i, wy in row for k, wx in column) / total
                out[y, x, c] = rounded(value, image.dtype)
    return out


def same(got, expected, what):
    global checks
    checks += 1
    got = numpy.frombuffer(got, expected.dtype).reshape(expected.shape)
    if expected.dtype.kind == "f":
        numpy.testing.assert_allclose(got, expected, rtol={2: 2e-3, 4: 1e-6, 8: 1e-12}[expected.itemsize], atol=1e-3, err_msg=what)
        return
    # 32-bit sums are not exact in double, and cubic weights are not exact at all: one unit of rounding.
    loose = expected.itemsize == 4 or "cubic" in what
    difference = numpy.abs(got.astype("i8") - expected.astype("i8")).max()
    assert difference <= loose, (what, difference)


def check_resampling():
    for name in TYPES:
        for planar, components in ((0, 1), (1, 3), (0, 2)):
            height, width = 13 + components, 19
            image = random_image(name, height, width, components)
            what = f"{name} {components}"
            for reduce in (0, 1, 2, 3, 7, 40):
                step = 1 << min(reduce, 10)
                got = run("subsample", image, reduce, planar=planar)
                assert got == image[::step, ::step].tobytes(), what
                expected = apply(image, block_weights(height, min(reduce, 10)), block_weights(width, min(reduce, 10)))
                same(run("area_reduce", image, reduce, planar=planar), expected, f"area_reduce {reduce} {what}")
            for size in ((width, height), (7, 5), (18, 13), (1, 1), (19, 4)):
                expected = apply(image, area_weights(height, size[1]), area_weights(width, size[0]))
                same(run("area_resize", image, *size, planar=planar), expected, f"area {size} {what}")
                same(run("resize", image, *size, planar=planar), expected, f"resize {size} {what}")
            for size in ((30, 25), (19, 40), (40, 6), (5, 3), (200, 2)):
                axes = []
                for inputs, outputs in ((height, size[1]), (width, size[0])):
                    step = inputs / outputs
                    axes.append(area_weights(inputs, outputs) if outputs <= inputs
                                else cubic_weights(inputs, outputs, step, step / 2 - 0.5))
                if any(isinstance(axis[0][0][1], float) for axis in axes):
                    axes = [[[(i, float(w)) for i, w in taps] for taps in axis] for axis in axes]
                same(run("resize", image, *size, planar=planar), apply(image, *axes), f"cubic {size} {what}")
                picks = [[min(int((n + 0.5) * inputs / outputs), inputs - 1) for n in range(outputs)]
                         for inputs, outputs in ((height, size[1]), (width, size[0]))]
                assert run("nearest", image, *size, planar=planar) == image[picks[0]][:, picks[1]].tobytes(), what
            for reduce in (0, 1, 2, 5):
                offset = (2**reduce - 1) / 2 ** (reduce + 1)
                axes = cubic_weights(height, height, 1, offset), cubic_weights(width, width, 1, offset)
                expected = image if reduce == 0 else apply(image, *axes)
                same(run("grid_center", image, reduce, planar=planar), expected, f"cubic center {reduce} {what}")


def check_ties_and_extremes():
    ties = numpy.array([[0, 1, 1, 2, 2, 3, 254, 255]], "u1")[..., None]
    assert list(run("area_reduce", ties, 1)) == [0, 2, 2, 254]
    # A mean of (0, 1) over one row only; ties to even also below zero.
    ties = numpy.array([[-1, 0, -2, -1, -3, -2]], "i2")[..., None]
    assert list(numpy.frombuffer(run("area_reduce", ties, 1), "i2")) == [0, -2, -2]
    huge = numpy.array([[3.4e38, -3.4e38, 3.4e38, 3.4e38, 3.4e38]], "f4")[..., None]
    assert numpy.isfinite(numpy.frombuffer(run("resize", huge, 23, 7), "f4")).all(), "overshoot made an infinity"
    hole = numpy.ones((6, 12, 1), "f4")
    hole[:, 4] = numpy.nan
    got = numpy.frombuffer(run("area_reduce", hole, 1), "f4").reshape(3, 6)
    assert (numpy.isnan(got) == [False, False, True, False, False, False]).all()
    assert run("grid_center", hole, 0) == hole.tobytes()
    for operation, size in (("area_resize", (13, 6)), ("area_resize", (12, 7)), ("resize", (0, 4)), ("resize", (70000, 4))):
        assert "argument" in run(operation, hole, *size, fails=True)


def centred(image, reduce):
    """Where an image of straight lines must be after area averaging, and after moving the native grid onto it."""
    height, width = image.shape[:2]
    return apply(image, block_weights(height, reduce), block_weights(width, reduce))


def check_grids_agree():
    """On a plane (which cubic convolution keeps), every 2^r-th sample moved onto the centred grid is the area average."""
    y, x = numpy.mgrid[0:64, 0:96]
    plane = (3.0 * x - 2.0 * y + 7)[..., None]
    for reduce in (1, 2, 3):
        native = numpy.frombuffer(run("subsample", plane, reduce), "f8").reshape(64 >> reduce, 96 >> reduce, 1)
        moved = numpy.frombuffer(run("grid_center", native, reduce), "f8").reshape(native.shape)
        inside = slice(2, -2)
        numpy.testing.assert_allclose(moved[inside, inside], centred(plane, reduce)[inside, inside], atol=1e-9)


def slow_ssim(a, b, data_range, side=11):
    """Wang et al. 2004, equation (13), window by window, the two-dimensional Gaussian written out."""
    offsets = numpy.arange(side) - side // 2
    window = numpy.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / (2 * 1.5**2))
    window /= window.sum()
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    values = []
    for c in range(a.shape[2]):
        for y in range(a.shape[0] - side + 1):
            for x in range(a.shape[1] - side + 1):
                p = a[y : y + side, x : x + side, c].astype(float)
                q = b[y : y + side, x : x + side, c].astype(float)
                mp, mq = (window * p).sum(), (window * q).sum()
                vp, vq = (window * (p - mp) ** 2).sum(), (window * (q - mq) ** 2).sum()
                cov = (window * (p - mp) * (q - mq)).sum()
                values.append((2 * mp * mq + c1) * (2 * cov + c2) / ((mp**2 + mq**2 + c1) * (vp + vq + c2)))
    values = numpy.array(values)
    return values[numpy.isfinite(values)].mean()


def chest():
    """A real image: 96 x 96 of a chest X-ray, unpacked by PIL if it is there; else a smooth made one."""
    try:
        import PIL.Image
        file = sorted((examples / "cxr").glob("*.png"))[0]
        return numpy.array(PIL.Image.open(file))[400:496, 300:396, None]
    except (ImportError, IndexError):
        print("no PIL or no example: SSIM is checked on a made image")
        y, x = numpy.mgrid[0:96, 0:96]
        return (128 + 60 * numpy.sin(x / 9) * numpy.cos(y / 7) + random.normal(0, 4, (96, 96))).astype("u1")[..., None]


def check_metrics():
    global checks
    real = chest()
    assert real.shape == (96, 96, 1) and real.dtype == "u1"
    blurred = numpy.frombuffer(run("grid_center", real, 3), "u1").reshape(real.shape)
    noisy = numpy.clip(real + random.normal(0, 12, real.shape), 0, 255).astype("u1")
    wide = (real.astype("i4") * 40000 + 10**9).astype("i4") # a small spread far from zero
    wide_noisy = (noisy.astype("i4") * 40000 + 10**9).astype("i4")
    color = random_image("u8", 20, 31, 3)
    pairs = [(real, blurred, 255), (real, noisy, 255), (real, real, 255), (real, 255 - real, 255), (real, noisy, 1),
             (wide, wide_noisy, 255 * 40000), (color, color[::-1].copy(), 255),
             (real.astype("f4") / 255, noisy.astype("f4") / 255, 1), (real.astype("i2") - 1024, noisy.astype("i2") - 1024, 255)]
    for height, width, side in ((11, 11, 11), (10, 40, 9), (5, 6, 5), (2, 9, 1), (1, 1, 1), (4, 3, 3)):
        a = random_image("u16", height, width, 1)
        pairs.append((a, a[::-1, ::-1].copy(), 65535))
        got = float(run("ssim", a, 65535, more=a[::-1, ::-1].tobytes()))
        numpy.testing.assert_allclose(got, slow_ssim(a, a[::-1, ::-1], 65535, side), rtol=1e-9, atol=1e-12)
    for a, b, data_range in pairs:
        for planar in (0, 1):
            mad = float(run("mad", a, data_range, planar=planar, more=b.tobytes()))
            numpy.testing.assert_allclose(mad, numpy.abs(a.astype(float) - b.astype(float)).mean() / data_range, rtol=1e-12)
            checks += 1
        if min(a.shape[:2]) >= 11:
            got = float(run("ssim", a, data_range, more=b.tobytes()))
            numpy.testing.assert_allclose(got, slow_ssim(a, b, data_range), rtol=2e-7, atol=1e-10)
            if a is b:
                assert got == 1
    holed = real.astype("f4")
    holed[30, 40] = numpy.nan
    got = float(run("ssim", holed, 255, more=noisy.astype("f4").tobytes()))
    numpy.testing.assert_allclose(got, slow_ssim(holed, noisy, 255), rtol=1e-7)
    empty = numpy.full((12, 12, 1), numpy.nan, "f4")
    assert "range" in run("ssim", empty, 1, more=empty.tobytes(), fails=True)
    assert "argument" in run("mad", real, 0, more=real.tobytes(), fails=True)
    for name in TYPES:
        image = random_image(name, 9, 2100, 2)
        low, high = map(float, run("range", image, planar=1).split())
        assert (low, high) == (image.min(), image.max())
    values = numpy.array([[numpy.nan, -numpy.inf, 5, -2, numpy.inf]], "f2")[..., None]
    assert run("range", values) == b"-2 5\n" and run("range", empty) == b"0 0\n"


check_resampling()
check_ties_and_extremes()
check_grids_agree()
check_metrics()
print(f"{checks} images judged")
assert checks > 300
