# SPDX-License-Identifier: BSD-2-Clause
"""Small source files of every kind that an item is made of, and the items that `mist encode` makes of them."""
import os
import pathlib
import struct
import subprocess
import sys
import zlib

try:
    import nibabel
    import numpy as np
    import pydicom
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian
except ImportError as missing:
    print(f"skipped: a judge is not installed: {missing}")
    sys.exit(77)

import reader  # noqa: E402

MIST = os.environ["MIST_PROGRAM"]
TOOL = os.environ["MIST_ITEM_TOOL"]


def mist(*arguments, check=0, **options):
    result = subprocess.run([MIST, *map(str, arguments)], capture_output=True, text=True, timeout=240, **options)
    assert result.returncode == check, f"mist {arguments}: {result.returncode}\n{result.stdout}{result.stderr}"
    return result


def tool(*arguments):
    return subprocess.run([TOOL, *map(str, arguments)], capture_output=True, text=True, timeout=240,
                          check=True).stdout.splitlines()


def smooth(shape, top, seed):
    """Waves with some noise, 0 .. top: like images in that low levels compress and high ones less."""
    rng = np.random.default_rng(seed)
    grids = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    wave = sum(np.sin(grid / (3 + 4 * i) + i) for i, grid in enumerate(grids)) / len(shape)
    return np.clip((wave + 1) / 2 * top + rng.normal(0, top / 200, shape), 0, top)


def write_png(path, pixels):
    """u1 or u2 pixels (rows, columns[, 3]), not filtered."""
    chunk = lambda kind, body: struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    height, width = pixels.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, 8 * pixels.itemsize, 2 if pixels.ndim == 3 else 0, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(f">u{pixels.itemsize}").tobytes() for row in pixels)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) +
                     chunk(b"IEND", b""))


def write_nifti(path, array, slope=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(array, np.array([[-2, 0, .1, 90], [0, 1.5, 0, -120], [.1, 0, 3, -70], [0, 0, 0, 1]]),
                                dtype=array.dtype)
    if slope:
        image.header.set_slope_inter(*slope)
    nibabel.save(image, path)


def write_series(folder, volume, series="1.2.3.6"):
    """One DICOM file for each (rows, columns) of a signed volume, in names whose order is not that of the slices."""
    folder.mkdir(parents=True, exist_ok=True)
    for z, plane in enumerate(volume):
        item = Dataset()
        item.SOPClassUID, item.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", f"{series}.{z + 1}"
        item.StudyInstanceUID, item.SeriesInstanceUID, item.Modality = "1.2.3.5", series, "CT"
        item.PatientName, item.InstanceNumber = "Doe^Jane", z + 1
        item.ImagePositionPatient, item.ImageOrientationPatient = [-100, -90.5, 2.5 * z], [1, 0, 0, 0, 1, 0]
        item.PixelSpacing, item.SliceThickness = [0.7, 0.5], 2.5
        item.Rows, item.Columns = plane.shape
        item.SamplesPerPixel, item.PhotometricInterpretation = 1, "MONOCHROME2"
        item.BitsAllocated, item.BitsStored, item.HighBit, item.PixelRepresentation = 16, 12, 11, 1
        item.PixelData = plane.astype("<i2").tobytes()
        item["PixelData"].VR = "OW"
        item.file_meta = FileMetaDataset()
        item.file_meta.MediaStorageSOPClassUID = item.SOPClassUID
        item.file_meta.MediaStorageSOPInstanceUID = item.SOPInstanceUID
        item.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        item.preamble = bytes(128)
        item.is_little_endian, item.is_implicit_VR = True, False
        pydicom.dcmwrite(folder / f"{(7 * z) % len(volume):03}.dcm", item, write_like_original=False)


def regions(shape, labels, seed):
    """A label map: areas of few values, with borders that are not straight."""
    grids = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    wave = sum(np.sin(grid / (5 + 3 * i) + seed + i) for i, grid in enumerate(grids)) / len(shape)
    spots = np.random.default_rng(seed).random(shape) > 0.999  # voxels that are not like their surroundings
    return np.where(spots, labels, (wave + 1) / 2 * (labels + 1)).clip(0, labels).astype("u1")


def write_sources(root):
    """{item's path: its samples, (frames, rows, columns, components), as the source file has them}"""
    expected = {}

    def put(name, array):
        expected[name] = array.reshape(array.shape if array.ndim == 4 else (*array.shape, 1))

    def put_nifti(name, array, slope=None):
        write_nifti(root / name, array, slope)
        put(name, np.ascontiguousarray(array.T).reshape(-1, array.shape[1], array.shape[0]))

    def put_png(name, pixels):
        write_png(root / name, pixels)
        put(name, pixels[None])

    for name, shape, dtype in (("grey8.png", (130, 97), "u1"), ("grey16.png", (75, 140), "u2"),
                               ("rgb.png", (70, 90, 3), "u1"), ("tiny.png", (1, 1), "u1"), ("thin.png", (3, 90), "u1")):
        put_png(name, smooth(shape, np.iinfo(dtype).max, len(expected)).astype(dtype))
    put_nifti("int16.nii.gz", (smooth((80, 70, 5), 3000, 7) - 1000).astype("i2"))
    put_nifti("int16-4d.nii", (smooth((66, 70, 3, 4), 3000, 8) - 1000).astype("i2"))
    put_nifti("uint8.nii", smooth((65, 67, 3), 255, 9).astype("u1"))
    put_nifti("levels.nii.gz", (smooth((66, 67, 33), 2000, 16) - 1000).astype("i2"))
    put_nifti("turned.nii.gz", (smooth((33, 20, 37), 2000, 17) - 1000).astype("i2"))  # planes across the file's rows
    put_nifti("steps-4d.nii.gz", (smooth((35, 66, 32, 2), 2000, 18) - 1000).astype("i2"))
    put_nifti("linear.nii.gz", np.round(smooth((70, 68, 3), 900, 10)).astype("f4") * np.float32(0.25) - 7)
    for name, shape in (("table.nii", (71, 66, 3)), ("table-steps.nii.gz", (40, 50, 33))):
        scored = np.round(smooth(shape, 300, 19)).astype("f4")
        put_nifti(name, (scored - scored.mean()) / scored.std())
    odd = (smooth((66, 69, 3), 1, 11) - 0.5).astype("f4")
    odd[3, 4, 0], odd[60, 60, 1], odd[5, 6, 2] = np.nan, np.inf, -0.0
    put_nifti("holes.nii.gz", odd)
    padded = (smooth((40, 70, 34), 1000, 20) - 500).astype("f4")
    padded[np.add.outer((np.arange(40) - 20) ** 2, (np.arange(70) - 35) ** 2) > 900] = np.nan
    put_nifti("padded.nii.gz", padded)
    put_nifti("double.nii", smooth((66, 65, 2), 1, 12))
    put_nifti("int64.nii", (smooth((66, 68, 2), 5000, 21)).astype("i8") - (1 << 40))
    put_nifti("wide64.nii", (smooth((65, 66, 2), 1 << 50, 22)).astype("i8"))
    for name, dtype, low in (("sparse.nii.gz", "u1", 0), ("sparse16.nii", "i2", -70)):
        sparse = np.full((67, 70, 3), low, dtype)
        sparse[20:40, 25:50, 1:] = (smooth((20, 25, 2), 200, 34) + low).astype(dtype)
        put_nifti(name, sparse)
    blobs = (smooth((90, 80, 3), 6, 13)).astype("u1") * (smooth((90, 80, 3), 1, 14) > 0.5)
    put_nifti("labels/blobs.nii.gz", blobs.astype("u1"))
    put_png("labels/flat.png", regions((75, 70), 5, 23))
    put_nifti("labels/steps.nii.gz", regions((66, 65, 32), 12, 24))
    between = np.zeros((67, 66, 32), "u1")  # every second slice is empty, so that chunks without bytes stand between others
    between[20:50, 10:60, 1::2] = 1
    put_nifti("labels/between.nii.gz", between)
    put_nifti("labels/constant.nii.gz", np.full((66, 65, 33), 3, "u1"))
    put_nifti("labels/turned.nii.gz", regions((20, 33, 34), 4, 25).astype("i2") * 100 - 100)
    put_nifti("labels/series.nii.gz", regions((34, 33, 32, 2), 3, 26))
    palette = np.random.default_rng(29).integers(0, 256, (6, 3)).astype("u1")
    put_png("labels/colour.png", palette[regions((67, 66), 5, 28)])
    colours = (smooth((2, 66, 70, 3), 1, 30) - 0.5).astype("f4")
    colours[0, 3:20, 4:30], colours[1, 40, 40:50, 2], colours[1, 5, 5, 1] = np.nan, np.inf, -np.inf
    np.save(root / "colours.npy", colours)
    put("colours.npy", colours)
    put_nifti("labels/float.nii.gz", regions((66, 70, 2), 7, 27).astype("f4"))
    for name, series, volume in (("series", "1.2.3.6", smooth((6, 100, 90), 4000, 15) - 2000),
                                 ("long", "1.2.3.7", smooth((67, 20, 66), 2000, 32) - 1000),  # every 2nd, every 4th slice
                                 ("labels/long", "1.2.3.8", regions((66, 18, 20), 4, 33) * 100.0 - 100)):
        write_series(root / name, volume.astype("i2"), series)
        put(f"{name}/{series}", volume.astype("i2"))
    return expected


def turn(array, axes, slices, back=False):
    """Frames as a file has them -> as an item with these axes has them, or back; `slices`: a volume's in `array`."""
    order = [0, *(3 - axis for axis in reversed(axes)), 4]
    volumes = array.reshape(-1, slices, *array.shape[1:]).transpose(np.argsort(order) if back else order)
    return np.ascontiguousarray(volumes).reshape(-1, *volumes.shape[2:])


def as_stored(expected, items):
    """write_sources()' samples as the items have them; `items`: reader.Item by path."""
    stored = {}
    for name, array in expected.items():
        item = items[name]
        stored[name] = turn(array, item.axes, len(array) // item.volumes)
    return stored


def items_of(store, dataset="d"):
    """{item's path: its file}"""
    root = pathlib.Path(store, dataset, "items")
    return {p.relative_to(root).as_posix()[:-len(".mist")]: p for p in sorted(root.rglob("*.mist"))}


def decode_npy(item, reduce, shape, out):
    """`mist decode` of an item's file on its own grid, (frames, rows, columns, components)."""
    grid = "center" if reader.Item(item.read_bytes()).centred else "native"
    mist("decode", item, "-o", out, "--reduce", reduce, "--format", "npy", "--grid", grid)
    path = next(pathlib.Path(out).rglob("*.npy"))
    array = np.load(path)
    path.unlink()
    return array.reshape(shape)
