#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Samples/s into a PyTorch DataLoader: pymist against what people use, on the same images.

    bench/python.py [--all] [--source DIR] [--seconds S] [--json]

Each row is a process of its own: imports, then the time to the first batch, then samples/s over whole epochs, the largest
resident memory of it and its workers, and the bytes of the files or ranges that one epoch reads. Kinds: chest X-rays
(PNG), a CT series (DICOM, a sample is a slice), brain volumes (NIfTI, a sample is a volume). Ways: `original` (PIL, pydicom
or nibabel, then area resizing), `npy` (files of that size, made before), `SimpleITK`, `MONAI 2nd epoch` (its own reader and
Resize, PersistentDataset once it is filled), `pymist` (the level), `pymist exact` (resampled to exactly that size), the same
from `mist serve` on loopback, and one request a sample by urllib (`http glue`). Ratios are against `original`.

Without --all: 128 and full size, without workers and with two that are forked.
"""
import argparse
import json
import os
import pathlib
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "python"))
os.environ.setdefault("MIST_LIBRARY", str(ROOT / "build/src/libmist-core.so"))
MIST = os.environ.get("MIST_PROGRAM", str(ROOT / "build/mist"))
WAYS = ("original", "SimpleITK", "MONAI 2nd epoch", "npy", "pymist", "pymist exact", "pymist http", "http glue")
BATCH = {"cxr": 16, "ct": 16, "nifti": 1}


# ---- one row, in a process of its own ----

def spatial(kind, size):
    return (size, size, size) if kind == "nifti" else (size, size)


def resized(array, kind, size):
    """By area, as torch does it; float32 with a channel."""
    import torch
    tensor = torch.from_numpy(array.astype("float32"))[None]
    if not size:
        return tensor
    # Volumes are reduced in the plane, as MIST's levels are.
    wanted = (size, size, tensor.shape[-1]) if kind == "nifti" else (size, size)
    return torch.nn.functional.interpolate(tensor[None], wanted, mode="area")[0]


class Files:
    """Samples of files by some reader."""

    def __init__(self, paths, kind, size, read):
        self.paths, self.kind, self.size, self.read = paths, kind, size, read

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        return self.read(self.paths[index], self.kind, self.size)


def read_original(path, kind, size):
    import numpy
    if kind == "cxr":
        import PIL.Image
        return resized(numpy.asarray(PIL.Image.open(path).convert("L")), kind, size)
    if kind == "ct":
        import pydicom
        dataset = pydicom.dcmread(path)
        return resized(dataset.pixel_array * float(dataset.get("RescaleSlope", 1)) + float(dataset.get("RescaleIntercept", 0)),
                       kind, size)
    import nibabel
    return resized(nibabel.load(path).get_fdata(dtype="float32"), kind, size)


def read_simpleitk(path, kind, size):
    import SimpleITK
    import torch
    image = SimpleITK.ReadImage(path, SimpleITK.sitkFloat32)
    if size:
        factors = [max(1, round(side / size)) for side in image.GetSize()[:2]] + [1] * (image.GetDimension() - 2)
        image = SimpleITK.BinShrink(image, factors)
    return torch.from_numpy(SimpleITK.GetArrayFromImage(image))[None]


def read_npy(path, kind, size):
    import numpy
    import torch
    return torch.from_numpy(numpy.load(path).astype("float32"))


class Slices:
    """Slices of a series, one sample each."""

    def __init__(self, image):
        self.image = image

    def __len__(self):
        return self.image.shape[2]

    def __getitem__(self, index):
        import numpy
        import torch
        return torch.from_numpy(numpy.ascontiguousarray(self.image[:, :, index].T, "float32"))[None]


class Glue:
    """What one writes by hand: a request for each sample's prefix, one after the other."""

    def __init__(self, dataset, url):
        self.dataset = dataset
        self.places = [(f"{url}/items/{urllib.request.quote(image.path)}.mist", image.fetch_bytes()) for image in dataset]

    def __len__(self):
        return len(self.places)

    def __getitem__(self, index):
        import numpy
        import pymist
        import torch
        url, size = self.places[index]
        with urllib.request.urlopen(urllib.request.Request(url, headers={"Range": f"bytes=0-{size - 1}"})) as answer:
            data = answer.read()
        chosen = self.dataset.selection
        array = pymist.open(data, size=chosen.size, exact=chosen.exact).read()
        return torch.from_numpy(numpy.ascontiguousarray(array, "float32"))[None]


def samples_of(about):
    """(the torch dataset, bytes that an epoch reads)."""
    kind, size, way, work = about["kind"], about["size"], about["way"], pathlib.Path(about["work"])
    files = about["files"]
    if way in ("original", "SimpleITK"):
        read = read_original if way == "original" else read_simpleitk
        return Files(files, kind, size, read), sum(os.path.getsize(path) for path in set(files))
    if way == "npy":
        import numpy
        made = []
        for i, path in enumerate(files):
            target = work / f"{kind}-{size}-{i}.npy"
            if not target.exists():
                array = read_original(path, kind, size).numpy()
                numpy.save(target, array.round().astype("u1" if kind == "cxr" else "i2"))
            made.append(str(target))
        return Files(made, kind, size, read_npy), sum(os.path.getsize(path) for path in made)
    if way == "MONAI 2nd epoch":
        from monai.data import PersistentDataset
        from monai.transforms import Compose, LoadImage, Resize
        steps = [LoadImage(image_only=True, ensure_channel_first=True)]
        if size:
            wanted = (size, size, -1) if kind == "nifti" else (size, size, 1) if kind == "ct" else (size, size)
            steps.append(Resize(wanted, mode="area"))
        cache = work / f"monai-{kind}-{size}"
        data = PersistentDataset(files, Compose(steps), cache_dir=cache)
        for i in range(len(data)):  # the first epoch
            data[i]
        return data, sum(path.stat().st_size for path in cache.iterdir())
    import pymist
    import pymist.torch
    url = about["url"] if "http" in way else about["store"]
    options = {"size": size, "exact": "exact" in way} if size else {}
    dataset = pymist.Dataset(f"{url}/{kind}", **options)
    if kind == "ct":
        image = dataset[0]
        return Slices(image), image.fetch_bytes()
    bytes_read = dataset.plan()
    dataset = dataset[[index % len(dataset) for index in range(len(files))]]
    if way == "http glue":
        return Glue(dataset, f"{url}/{kind}"), bytes_read
    return pymist.torch.ImageDataset(dataset), bytes_read


def run(about):
    import torch  # noqa: F401 - imports are not counted
    import torch.utils.data
    if about["way"] in ("original", "npy"):
        import nibabel, PIL.Image, PIL.PngImagePlugin, pydicom  # noqa: E401, F401
    elif "pymist" in about["way"] or "glue" in about["way"]:
        import pymist.torch  # noqa: F401
    else:
        __import__({"SimpleITK": "SimpleITK", "MONAI 2nd epoch": "monai"}[about["way"]])
    torch.set_num_threads(1 if about["workers"] else 2)
    if about["way"] in ("npy", "MONAI 2nd epoch"):
        samples_of(about)  # made before, as those who use them do
    workers = about["workers"]
    start = time.perf_counter()
    samples, bytes_read = samples_of(about)
    loader = torch.utils.data.DataLoader(samples, batch_size=BATCH[about["kind"]], num_workers=workers, collate_fn=list,
                                         multiprocessing_context=about["context"] if workers else None,
                                         persistent_workers=workers > 0)
    batches = iter(loader)
    next(batches)
    first = time.perf_counter() - start
    if workers:
        for _ in batches:  # the rest of the first epoch: all workers are up
            pass
    count, began = 0, time.perf_counter()
    while not count or time.perf_counter() - began < about["seconds"]:
        for batch in loader:
            count += len(batch)
    took = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if workers:
        del batches
        loader._iterator._shutdown_workers()
        peak = max(peak, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
    print(json.dumps({"rate": count / took, "first": first, "peak": peak * 1024, "bytes": bytes_read}))


# ---- all rows ----

def serve(store):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([MIST, "serve", store, "--listen", f"127.0.0.1:{port}"], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process, f"http://127.0.0.1:{port}"
        time.sleep(0.05)
    sys.exit("bench: mist serve did not come up")


def sources(root):
    """Folders of the three kinds: those of --source, or the example data."""
    examples = ROOT / "examples/data"
    pick = {"cxr": [root / "cxr/images", examples / "cxr"], "ct": [root / "ct-head-philips", examples / "ct-head"],
            "nifti": [root / "nifti", examples / "mr-head/images"]}
    patterns = {"cxr": "*.png", "ct": "*", "nifti": "chris_*.nii.gz"}
    found = {}
    for kind, places in pick.items():
        for place in places:
            files = sorted(str(path) for path in place.rglob(patterns[kind])
                           if path.is_file() and path.suffix not in (".md", ".txt", ".csv")) if place.is_dir() else []
            if kind == "ct":
                files = one_series(files)
            if files:
                found[kind] = files
                break
    return found


def one_series(files):
    """The slices of the largest series, in space."""
    import pydicom
    series = {}
    for path in files:
        try:
            dataset = pydicom.dcmread(path, stop_before_pixels=True)
            series.setdefault(dataset.SeriesInstanceUID, []).append((float(dataset.ImagePositionPatient[2]), path))
        except Exception:  # no image
            continue
    return [path for _, path in sorted(max(series.values(), key=len))] if series else []


def missing(way):
    """What this way needs that is not here."""
    name = {"SimpleITK": "SimpleITK", "MONAI 2nd epoch": "monai"}.get(way)
    if name and subprocess.run([sys.executable, "-c", f"import {name}"], capture_output=True).returncode:
        return name
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--all", action="store_true", help="64, 128, 256 and full; fork and forkserver")
    parser.add_argument("--source", type=pathlib.Path, default=ROOT.parent / "shared/data", help="real images")
    parser.add_argument("--seconds", type=float, default=2.0, help="at least so long for a row")
    parser.add_argument("--kinds", nargs="+", default=["cxr", "ct", "nifti"])
    parser.add_argument("--json", action="store_true", help="a line for each row")
    options = parser.parse_args()
    found = {kind: files for kind, files in sources(options.source).items() if kind in options.kinds}
    with tempfile.TemporaryDirectory(prefix="mist-bench-") as work:
        for kind, files in found.items():
            os.makedirs(f"{work}/source/{kind}")
            for i, path in enumerate(files):
                shutil.copy(path, f"{work}/source/{kind}/{i:04d}-{os.path.basename(path)}")
            subprocess.run([MIST, "encode", f"{work}/source/{kind}", "-o", f"{work}/store", "--dataset", kind, "-q"], check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        server, url = serve(f"{work}/store")
        try:
            table(options, found, work, url)
        finally:
            server.terminate()


def table(options, found, work, url):
    left_out = {way: missing(way) for way in WAYS}
    for way, name in left_out.items():
        if name:
            print(f"left out: {way}: there is no {name}; scripts/check-python makes an environment that has it", file=sys.stderr)
    contexts = [(0, "-"), (2, "fork")] + ([(2, "forkserver")] if options.all else [])
    if not options.json:
        print(f"{'kind':6} {'size':>5} {'workers':>12}  {'way':16} {'samples/s':>10} {'ratio':>7} {'first batch':>11} "
              f"{'memory':>8} {'epoch reads':>11}")
    for kind, files in found.items():
        files = sorted(str(path) for path in pathlib.Path(f"{work}/source/{kind}").iterdir())
        files = files * max(1, 64 // len(files)) if kind == "cxr" else files * (4 if kind == "nifti" else 1)
        for size in (64, 128, 256, None) if options.all else (128, None):
            for workers, context in contexts:
                base = None
                for way in WAYS:
                    if left_out[way] or (not size and way == "pymist exact") or (kind == "ct" and way in (
                            "http glue", "pymist exact")):
                        continue
                    about = {"kind": kind, "size": size, "way": way, "workers": workers, "context": context, "work": work,
                             "files": files, "store": f"{work}/store", "url": url, "seconds": options.seconds}
                    child = subprocess.run([sys.executable, __file__, "--row", json.dumps(about)], capture_output=True, text=True)
                    if child.returncode:
                        print(f"{kind} {size} {way}: {child.stderr.strip().splitlines()[-1]}", file=sys.stderr)
                        continue
                    row = json.loads(child.stdout.splitlines()[-1])
                    base = row["rate"] if way == "original" else base
                    if options.json:
                        print(json.dumps({**{key: about[key] for key in ("kind", "size", "way", "workers", "context")}, **row}))
                    else:
                        told = f"{workers} {context}" if workers else "0"
                        print(f"{kind:6} {size or 'full':>5} {told:>12}  {way:16} {row['rate']:10.1f} "
                              f"{row['rate'] / base if base else 0:7.1f} {row['first'] * 1e3:8.0f} ms "
                              f"{row['peak'] / 1e6:5.0f} MB {row['bytes'] / 1e6:8.2f} MB", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--row"]:
        run(json.loads(sys.argv[2]))
    else:
        main()
