# SPDX-License-Identifier: BSD-2-Clause
"""Sources of tests/levels, written by numpy, nibabel, pydicom and PIL, and how they are read back. Arrays are [slice, row, column]."""
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

try:
    import nibabel
    import numpy as np
    import PIL.Image
    import pydicom
    import pydicom.dataset
    import pydicom.encaps
    import pydicom.uid
except ImportError as missing:
    print(f"skipped: a judge is not installed: {missing}")
    sys.exit(77)

MIST = os.environ["MIST_PROGRAM"]
CASES = pathlib.Path(__file__).resolve().parent.parent / "data" / "cases"

# Oblique, anisotropic, and with a flip: no error of half a sample on any axis is hidden by symmetry.
AFFINE = np.array([[-0.9, 0.1, 0.2, 90], [0.08, 1.1, -0.1, -70], [0.05, 0.02, 3, -40], [0, 0, 0, 1]])


def mist(*arguments, check=0):
    result = subprocess.run([MIST, *map(str, arguments)], capture_output=True, text=True, timeout=200)
    if result.returncode != check:
        raise AssertionError(f"mist {arguments} gave {result.returncode}, not {check}:\n{result.stdout}{result.stderr}")
    return result


class Case(unittest.TestCase):
    def setUp(self):
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="mist-levels-"))
        self.source = self.work / "source"
        self.source.mkdir()

    def tearDown(self):
        shutil.rmtree(self.work)

    def encode(self, *options):
        """Items by the paths that they have in the dataset, and the JSON of `mist info` of each."""
        summary = json.loads(mist("encode", self.source, "-o", self.work / "store", "--dataset", "d", "--json",
                                  *options).stdout)
        self.assertEqual(summary["failed"], 0, summary)
        items = self.work / "store" / "d" / "items"
        return {str(path.relative_to(items))[:-5]: path for path in sorted(items.rglob("*.mist"))}

    def info(self, item):
        info = json.loads(mist("info", item, "--json").stdout)
        sizes = lambda r: {"reduce": r, "width": -(-info["width"] >> r), "height": -(-info["height"] >> r)}
        info["reduces"] = [sizes(r) for r in range(info["levels"])]
        return info

    def decode(self, item, *options):
        """The files that `mist decode` writes, in order."""
        out = self.work / "out"
        shutil.rmtree(out, ignore_errors=True)
        mist("decode", item, "-o", out, *options)
        return sorted(path for path in out.rglob("*") if path.is_file())

    def samples(self, item, *options):
        """... as .npy: [slice, row, column]."""
        written = self.decode(item, "--format", "npy", *options)
        (path,) = (path for path in written if path.suffix == ".npy")  # DICOM's has a sidecar
        array = np.load(path)
        return array if array.ndim == 3 else array[None]


# ---- files ----

def write_nifti(path, volume, affine=AFFINE):
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(volume.transpose(2, 1, 0), affine, dtype=volume.dtype), path)


def read_nifti(path):
    """[slice, row, column], and the affine that takes (column, row, slice) to RAS+ millimetres."""
    image = nibabel.load(path)
    return np.asarray(image.dataobj).transpose(2, 1, 0), image.affine


def compressed(plane, coder):
    data = io.BytesIO()
    image = PIL.Image.fromarray(plane)
    if coder == "jpeg":
        image.save(data, "JPEG", quality=95)
    else:
        image.save(data, "JPEG2000", irreversible=False, no_jp2=True)
    return data.getvalue()


SYNTAX = {"jpeg": pydicom.uid.JPEGBaseline8Bit, "j2k": pydicom.uid.JPEG2000Lossless,
          None: pydicom.uid.ExplicitVRLittleEndian}


def write_dicom(folder, volume, affine=AFFINE, coder=None, **more):
    """A series, a file a slice. `affine` is in RAS+, DICOM's in LPS+."""
    folder.mkdir(parents=True, exist_ok=True)
    lps = np.diag([-1, -1, 1, 1]) @ affine
    spacing = np.linalg.norm(lps[:3, :2], axis=0)
    across, down = (lps[:3, :2] / spacing).T
    for z, plane in enumerate(volume):
        dataset = pydicom.dataset.Dataset()
        dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.826.0.1.3680043.8.498.2", "1.2.826.0.1.3680043.8.498.1"
        dataset.SOPInstanceUID = f"1.2.826.0.1.3680043.8.498.4.{z + 1}"
        dataset.FrameOfReferenceUID = "1.2.826.0.1.3680043.8.498.3"
        dataset.Modality, dataset.PatientName, dataset.PatientID = "CT", "Nobody^Someone", "NAMELESS"
        dataset.InstanceNumber = z + 1
        dataset.ImageOrientationPatient = [f"{v:.12g}"[:16] for v in (*across, *down)]
        dataset.ImagePositionPatient = [f"{v:.10g}" for v in (lps @ [0, 0, z, 1])[:3]]
        dataset.PixelSpacing = [f"{spacing[1]:.10g}", f"{spacing[0]:.10g}"]
        dataset.SliceThickness = f"{np.linalg.norm(lps[:3, 2]):.10g}"
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.Rows, dataset.Columns = plane.shape
        dataset.BitsAllocated = dataset.BitsStored = 8 * plane.itemsize
        dataset.PixelRepresentation = int(plane.dtype.kind == "i")
        for key, value in more.items():
            setattr(dataset, key, value)
        dataset.HighBit = dataset.BitsStored - 1
        if coder:
            dataset.PixelData = pydicom.encaps.encapsulate([compressed(plane, coder)])
            dataset["PixelData"].is_undefined_length = True
        else:
            dataset.PixelData = plane.tobytes() + b"\0" * (plane.nbytes % 2)
        dataset["PixelData"].VR = "OB" if coder or plane.itemsize == 1 else "OW"
        dataset.file_meta = pydicom.dataset.FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = SYNTAX[coder]
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.is_little_endian, dataset.is_implicit_VR = True, False
        dataset.save_as(folder / f"{z:03}.dcm", write_like_original=False)


def stored_values(path):
    """The stored values of a DICOM file by PS3.5 8.1.1: BitsStored bits at HighBit, the sign extended; [row, column]."""
    dataset = pydicom.dcmread(path)
    bits, high = dataset.BitsStored, dataset.HighBit
    order = "<" if dataset.file_meta.TransferSyntaxUID.is_little_endian else ">"
    raw = np.frombuffer(dataset.PixelData, f"{order}u{dataset.BitsAllocated // 8}").astype("i8")
    raw = raw[:dataset.Rows * dataset.Columns].reshape(dataset.Rows, dataset.Columns)
    values = raw >> (high + 1 - bits) & (1 << bits) - 1
    return np.where(values >> bits - 1 & dataset.PixelRepresentation, values - (1 << bits), values)


def read_dicom(paths):
    """[slice, row, column] of a written series, and its affine in RAS+, by its positions."""
    files = sorted((pydicom.dcmread(path) for path in paths), key=lambda dataset: int(dataset.InstanceNumber))
    first, last = files[0], files[-1]
    lps = np.eye(4)
    orientation = np.array(first.ImageOrientationPatient, float)
    lps[:3, 0] = orientation[:3] * float(first.PixelSpacing[1])
    lps[:3, 1] = orientation[3:] * float(first.PixelSpacing[0])
    begin, end = (np.array(dataset.ImagePositionPatient, float) for dataset in (first, last))
    lps[:3, 2], lps[:3, 3] = (end - begin) / max(len(files) - 1, 1), begin
    return np.stack([dataset.pixel_array for dataset in files]), np.diag([-1, -1, 1, 1]) @ lps


# ---- pictures ----

def waves(shape, top, seed, noise=0.01):
    """Smooth waves with some noise, 0 .. top."""
    rng = np.random.default_rng(seed)
    grids = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    wave = sum(np.sin(grid / (7 + 4 * i) + i) for i, grid in enumerate(grids)) / len(shape)
    return np.clip((wave + 1) / 2 * top + rng.normal(0, top * noise, shape), 0, top)


def reduced(array, r):
    return array[..., ::1 << r, ::1 << r]


def block_means(plane, r):
    """Means over whole blocks of 2^r x 2^r."""
    n = 1 << r
    height, width = (side // n * n for side in plane.shape)
    return plane[:height, :width].reshape(height // n, n, width // n, n).mean((1, 3))
