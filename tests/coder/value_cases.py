"""Images of the kinds that go wrong as floats, and value_tool on arrays. Used by test_values.py and values_table.py."""
import gzip
import json
import os
import subprocess
import tempfile

import numpy as np

TYPES = {"uint8": "u8", "int8": "s8", "uint16": "u16", "int16": "s16", "uint32": "u32", "int32": "s32", "float16": "f16",
         "float32": "f32", "float64": "f64", "int64": "s64", "uint64": "u64"}


def run(tool, array, wish="image", *options):
    """value_tool on frames x height x width [x components]."""
    array = np.ascontiguousarray(array)
    if array.ndim == 3:
        array = array[..., None]
    frames, height, width, components = array.shape
    with tempfile.NamedTemporaryFile() as file:
        array.tofile(file.name)
        done = subprocess.run([tool, file.name, TYPES[array.dtype.name], str(width), str(height), str(components),
                               str(frames), wish, *options], capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)


def smooth(rng, shape, sigma):
    """Noise without what is finer than about sigma pixels, between 0 and 1."""
    frequencies = [np.fft.fftfreq(n) for n in shape]
    square = sum(f ** 2 for f in np.meshgrid(*frequencies, indexing="ij"))
    field = np.fft.ifftn(np.fft.fftn(rng.standard_normal(shape)) * np.exp(-2 * (np.pi * sigma) ** 2 * square)).real
    return (field - field.min()) / (field.max() - field.min())


def head(rng, shape=(4, 192, 160)):
    """Something like a slice of a head: air of noise, an ellipse of tissue, in integers."""
    z, y, x = np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij")
    inside = (x / 0.8) ** 2 + (y / 0.9) ** 2 < 1
    tissue = 300 + 500 * smooth(rng, shape, 6) + 250 * (smooth(rng, shape, 2) > 0.55)
    image = np.where(inside, tissue, 0) + np.abs(rng.normal(0, 8, shape))
    return np.rint(np.maximum(image, 0)).astype(np.int16), inside


def made():
    """name -> frames x height x width."""
    rng = np.random.default_rng(1)
    image, inside = head(rng)
    real = image + rng.normal(0, 3, image.shape)
    cases = {}
    x = image.astype(np.float32)
    cases["z-scored"] = (x - x.mean()) / x.std()
    cases["z-scored, masked"] = np.where(inside, (x - x[inside].mean()) / x[inside].std(), 0).astype(np.float32)
    cases["0 to 1 by the maximum"] = (x / x.max()).astype(np.float32)
    cases["z-scored, f64"] = (image - image.mean()) / image.std()
    logits = np.stack([4 * smooth(rng, image.shape, 5) - 2 + 0.05 * rng.standard_normal(image.shape) for _ in range(3)]) * 4
    cases["softmax"] = (np.exp(logits) / np.exp(logits).sum(0))[0].astype(np.float32)
    cases["softmax, sharp"] = (np.exp(6 * logits) / np.exp(6 * logits).sum(0))[0].astype(np.float32)
    suv = np.where(inside, 0.6 + 1.5 * smooth(rng, image.shape, 3) + rng.normal(0, 0.05, image.shape), 0)
    suv[:, 100:106, 80:86] += 25
    cases["SUV with a hot spot"] = np.maximum(suv, 0).astype(np.float32)
    cases["T1 in seconds"] = np.where(inside, 0.8 + smooth(rng, image.shape, 4) + rng.normal(0, 0.02, image.shape), 0).astype(np.float32)
    ratio = (1 + smooth(rng, image.shape, 4) + rng.normal(0, 0.02, image.shape))
    ratio[rng.random(image.shape) < 0.001] *= 1e6
    cases["ratio with 1e6"] = ratio.astype(np.float32)
    bottom = np.where(inside, 1, 0) + rng.normal(0, 0.002, image.shape)
    with np.errstate(divide="ignore"):
        cases["ratio by noise"] = (np.where(inside, real, rng.normal(0, 8, image.shape)) / 500 / bottom).astype(np.float32)
    cases["log of integers"] = np.log1p(image).astype(np.float32)
    cases["true floats"] = (real * 1.234).astype(np.float32)
    cases["true floats, f64"] = real * 1.234
    cases["f16"] = (real / 100).astype(np.float16)
    cases["f16 of integers"] = image.astype(np.float16)
    cases["denormals"] = (real * 1e-42).astype(np.float32)
    cases["-0.0 background"] = np.where(inside, x / 7, np.float32(-0.0)).astype(np.float32)
    cases["-0.0 among floats"] = np.where(inside, real, np.where(rng.random(image.shape) < 0.5, -0.0, 0.0)).astype(np.float32)
    cases["bias-corrected"] = np.where(inside, real / (0.7 + 0.6 * smooth(rng, image.shape, 40)), 0).astype(np.float32)
    cases["NaN outside"] = np.where(inside, real, np.nan).astype(np.float32)
    cases["sentinel -9999"] = np.where(inside, real / 1000, -9999).astype(np.float32)
    cases["log-normal"] = np.exp(2 * smooth(rng, image.shape, 3) * 4 + rng.normal(0, 0.05, image.shape)).astype(np.float32)
    cases["int64"] = image.astype(np.int64) + (1 << 40)
    return cases


def source_sizes(array):
    """Bytes as gzip-6 (a .nii.gz) and as byte-shuffled zstd-19."""
    import zlib
    data = np.ascontiguousarray(array)
    shuffled = data.view(np.uint8).reshape(-1, data.dtype.itemsize).T.tobytes()
    packed = subprocess.run(["zstd", "-19", "-c", "-q"], input=shuffled, capture_output=True, check=True).stdout
    return len(gzip.compress(data.tobytes(), 6)), len(packed)
