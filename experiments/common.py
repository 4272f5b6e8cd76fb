# SPDX-License-Identifier: BSD-2-Clause
"""What the experiments share: datasets at one resolution in several ways, networks, statistics."""
import argparse
import itertools
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
import torch

ROOT = pathlib.Path(__file__).resolve().parent.parent
if "pymist" not in sys.modules:
    try:
        import pymist
    except ImportError:
        sys.path.insert(0, str(ROOT / "python"))
        os.environ.setdefault("MIST_LIBRARY", str(ROOT / "build/src/libmist-core.so"))
        import pymist
# How training images are had. All are tested on originals that were downsampled conventionally.
ARMS = {"conventional": "full-size originals, averaged by area to that size, as everybody does today",
        "exact": "streamed: pymist with exact=True, which fetches the smallest level that suffices",
        "level": "streamed: the level that is closest to that size, stretched by the loader where it has another"}


def arguments(description, **defaults):
    parser = argparse.ArgumentParser(description=description.split("\n")[0],
                                     formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("source", help="a folder of images, or the address of a MIST dataset (http://, or a directory with "
                        "catalog.jsonl.zst)")
    parser.add_argument("--size", type=int, default=defaults.get("size", 128), help="side that is trained at")
    parser.add_argument("--seeds", type=int, default=defaults.get("seeds", 8))
    parser.add_argument("--epochs", type=int, default=defaults.get("epochs", 10))
    parser.add_argument("--width", type=int, default=16, help="channels of the first layer")
    parser.add_argument("--limit", type=int, help="only so many images, drawn by seed 0")
    parser.add_argument("--arms", nargs="+", choices=list(ARMS), default=list(ARMS))
    return parser


def dataset_of(source, work, **options):
    """The dataset of an address; a folder is encoded into `work` before."""
    if "://" not in source and not os.path.exists(os.path.join(source, "catalog.jsonl.zst")):
        program = os.environ.get("MIST_PROGRAM") or ROOT / "build/mist"
        program = program if os.path.exists(program) else "mist"
        print(f"encoding {source}", file=sys.stderr)
        subprocess.run([program, "encode", source, "-o", os.path.join(work, "store"), "--dataset", "data", "-q"], check=True,
                       stdout=subprocess.DEVNULL)
        source = os.path.join(work, "store", "data")
    return pymist.Dataset(source, **options)


def by_area(array, size):
    """Conventional downsampling: (rows, columns[, slices]) averaged over areas, float32."""
    tensor = torch.from_numpy(np.ascontiguousarray(array, np.float32))
    sides = (size, size) if tensor.ndim == 2 else (size, size, tensor.shape[2])
    return torch.nn.functional.interpolate(tensor[None, None], sides, mode="area")[0, 0].numpy()


def grey(array, image):
    """Colours averaged; of multi-frame pictures the first."""
    return array.mean(-1) if image.layout.components else array


def training(image, size, arm):
    """An image for training at `size`, and the bytes that it took to have it."""
    if arm == "conventional":
        full = image.at(reduce=0)
        return by_area(grey(full.read(), full), size), full.fetch_bytes()
    chosen = image.at(size, exact=arm == "exact")
    array = grey(chosen.read(), chosen).astype(np.float32)
    if array.shape[:2] != (size, size):
        tensor = torch.from_numpy(array)[None, None]
        sides = (size, size) if array.ndim == 2 else (size, size, array.shape[2])
        array = torch.nn.functional.interpolate(tensor, sides, mode="bilinear" if array.ndim == 2 else "trilinear",
                                                align_corners=False)[0, 0].numpy()
    return array, chosen.fetch_bytes()


def normal(arrays):
    """Mean 0 and deviation 1 over all, as one tensor with a channel."""
    stacked = torch.from_numpy(np.stack(arrays)).float()[:, None]
    return (stacked - stacked.mean()) / (stacked.std() + 1e-6)


def classifier(width):
    """A plain convolutional network with global pooling."""
    layers, before = [], 1
    for factor in (1, 2, 4, 4):
        layers += [torch.nn.Conv2d(before, width * factor, 3, padding=1), torch.nn.BatchNorm2d(width * factor),
                   torch.nn.ReLU(), torch.nn.MaxPool2d(2)]
        before = width * factor
    return torch.nn.Sequential(*layers, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(before, 1))


class UNet(torch.nn.Module):
    """A small U-Net, in two or three dimensions (in three the slice axis keeps its length)."""

    def __init__(self, width, classes, dimensions=2):
        super().__init__()
        conv = torch.nn.Conv2d if dimensions == 2 else torch.nn.Conv3d
        norm = torch.nn.BatchNorm2d if dimensions == 2 else torch.nn.BatchNorm3d
        self.half = 2 if dimensions == 2 else (2, 2, 1)
        self.mode = "bilinear" if dimensions == 2 else "trilinear"

        def block(before, after):
            return torch.nn.Sequential(conv(before, after, 3, padding=1), norm(after), torch.nn.ReLU(),
                                       conv(after, after, 3, padding=1), norm(after), torch.nn.ReLU())

        self.down = torch.nn.ModuleList([block(1, width), block(width, 2 * width), block(2 * width, 4 * width)])
        self.up = torch.nn.ModuleList([block(6 * width, 2 * width), block(3 * width, width)])
        self.last = conv(width, classes, 1)

    def forward(self, x):
        pool = torch.nn.functional.max_pool2d if x.ndim == 4 else torch.nn.functional.max_pool3d
        kept = []
        for i, block in enumerate(self.down):
            x = block(x if i == 0 else pool(x, self.half))
            kept.append(x)
        for i, block in enumerate(self.up):
            other = kept[-2 - i]
            x = torch.nn.functional.interpolate(x, other.shape[2:], mode=self.mode, align_corners=False)
            x = block(torch.cat([x, other], 1))
        return self.last(x)


def auc(scores, truth):
    """Area under the ROC curve: how often a positive is above a negative, ties as halves."""
    scores, truth = np.asarray(scores, np.float64), np.asarray(truth, bool)
    order = np.argsort(scores, kind="stable")
    values, inverse, counts = np.unique(scores[order], return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks = np.empty(len(scores))
    ranks[order] = (ends - (counts - 1) / 2)[inverse]
    positives, negatives = truth.sum(), (~truth).sum()
    return (ranks[truth].sum() - positives * (positives + 1) / 2) / (positives * negatives)


def paired(first, second, seed=0):
    """Mean difference, its 95 % bootstrap interval over seeds, and the p of the exact paired sign-flip test."""
    difference = np.asarray(first, float) - np.asarray(second, float)
    observed = abs(difference.mean())
    if len(difference) <= 16:
        flips = np.array(list(itertools.product((1, -1), repeat=len(difference))))
    else:
        flips = np.random.default_rng(seed).choice((1, -1), (65536, len(difference)))
    p = float((np.abs((flips * difference).mean(1)) >= observed - 1e-12).mean())
    drawn = np.random.default_rng(seed).choice(difference, (10000, len(difference))).mean(1)
    return difference.mean(), np.percentile(drawn, [2.5, 97.5]), p


def report(results, bytes_of, what):
    """A line for each way, and each streamed one against the conventional one."""
    print(f"{'trained on':14} {what:>16} {'seeds':>6} {'bytes fetched':>14}   difference [95 %]            p")
    base = results.get("conventional")
    for arm, values in results.items():
        told = ""
        if base is not None and arm != "conventional":
            mean, (low, high), p = paired(values, base)
            told = f"{mean:+.4f} [{low:+.4f}, {high:+.4f}]  {p:8.3f}"
        print(f"{arm:14} {np.mean(values):8.4f} ± {np.std(values):.4f} {len(values):6} {bytes_of[arm] / 1e6:11.2f} MB   {told}")


def draw(count, limit):
    """Places of `limit` of `count`, always the same ones."""
    places = np.arange(count)
    return np.sort(np.random.default_rng(0).choice(places, limit, replace=False)) if limit and limit < count else places


def workspace():
    return tempfile.TemporaryDirectory(prefix="mist-experiment-")


class Clock:
    """Seconds of training."""

    def __init__(self):
        self.start = time.perf_counter()

    def __call__(self):
        return time.perf_counter() - self.start
