"""Siemens mosaics: their tiles are slices in every way out; judged by dcm2niix, dcmftest, pydicom and numpy."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

try:
    import nibabel
    import numpy
    import pydicom
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "format"))
import dicom_cases

if not shutil.which("dcm2niix"):
    print("skipped: there is no dcm2niix")
    sys.exit(77)

mist = os.environ["MIST_PROGRAM"]
work = tempfile.TemporaryDirectory(prefix="mist-mosaics-")
directory = pathlib.Path(work.name)
IMPLICIT = pydicom.uid.ImplicitVRLittleEndian


def cut(dataset):
    """The last rows of pixel data are not there: they are in tiles that are no slices."""
    dataset.PixelData = dataset.PixelData[:-400]


def high_bits(dataset):
    """Overlays in bit 15 of some samples, those of unused tiles, too."""
    dataset.BitsStored, dataset.HighBit = 12, 11
    pixels = dataset.pixel_array % 4096
    pixels[::7, ::5] |= 0x8000
    dataset.PixelData = pixels.tobytes()


def packed(dataset):
    dataset.compress(pydicom.uid.RLELossless)


# Name -> how it is made; 66 x 70 and odd 67 x 71 samples a tile, so that there is a level below.
CASES = {
    "axial": dict(rows=66, columns=70),
    "oblique_odd": dict(rows=67, columns=71, orientation=dicom_cases.OBLIQUE, count=12),
    "flipped": dict(rows=66, columns=70, flip=-1, times=1),
    "unused": dict(rows=66, columns=70, unused=77, syntax=IMPLICIT),
    "cut": dict(rows=66, columns=70, times=1, change=cut),
    "high_bits": dict(rows=66, columns=70, times=1, unused=5000, change=high_bits),
    "rle": dict(rows=66, columns=70, change=packed, syntax=pydicom.uid.RLELossless),
}


def run(*arguments):
    done = subprocess.run([mist, *map(str, arguments)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, (arguments, done.stdout[-1000:], done.stderr[-1000:])
    return done.stdout


def get(store, out, *options):
    shutil.rmtree(directory / out, ignore_errors=True)
    run("get", directory / store / "source", "-o", directory / out, "--quiet", *options, "--cache", directory / "cache")
    return directory / out


def dcm2niix(folder):
    out = directory / "theirs"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    calm = {name: value for name, value in os.environ.items() if name != "MALLOC_PERTURB_"}
    subprocess.run(["dcm2niix", "-z", "n", "-f", "out", "-o", out, folder], capture_output=True, timeout=120, env=calm)
    files = sorted(out.glob("*.nii"))
    assert len(files) == 1, (folder, files)
    image = nibabel.load(files[0])
    return numpy.asanyarray(image.dataobj).copy(), image.affine


def load(folder, suffix="*.nii"):
    files = sorted(folder.rglob(suffix))
    assert len(files) == 1, (folder, files)
    image = nibabel.load(files[0])
    return numpy.asanyarray(image.dataobj).copy(), image.affine


def tiles(dataset, count):
    """[slice, row, column] of the picture."""
    pixels = dataset.pixel_array % (1 << dataset.BitsStored)
    side = int(numpy.ceil(numpy.sqrt(count)))
    rows, columns = pixels.shape[0] // side, pixels.shape[1] // side
    return numpy.stack([pixels[k // side * rows:(k // side + 1) * rows, k % side * columns:(k % side + 1) * columns]
                        for k in range(count)])


def test_full_size():
    said = json.loads(run("verify", directory / "store/source", "--against", directory / "source", "--json"))
    assert len(said["bytes"]) == sum(case.get("times", 2) for name, case in CASES.items() if name != "rle"), said
    assert len(said["pixels"]) == 2, said
    arrays = get("store", "npy", "--format", "npy")
    volumes = get("store", "nii", "--format", "nii")
    for name, case in CASES.items():
        count, times = case.get("count", 7), case.get("times", 2)
        if name not in ("cut", "rle"):  # dcm2niix reads neither
            ours, theirs = load(volumes / name), dcm2niix(directory / "source" / name)
            if name == "high_bits":
                theirs = theirs[0] % 4096, theirs[1]
            assert numpy.array_equal(ours[0], theirs[0]), name
            numpy.testing.assert_allclose(ours[1], theirs[1], atol=1e-4)
        array = numpy.load(next((arrays / name).glob("*.npy")))
        assert array.size == count * times * case["rows"] * case["columns"], (name, array.shape)
        if name == "cut":
            continue
        array = array.reshape(times, count, case["rows"], case["columns"])
        for t, path in enumerate(sorted((directory / "source" / name).glob("*.dcm"))):
            expected = tiles(pydicom.dcmread(path), count)
            # NumPy files of series have rows as NIfTI has them: the last one first
            assert numpy.array_equal(array[t], expected) or numpy.array_equal(array[t], expected[:, ::-1]), (name, t)


def place_in(full, small, index):
    return numpy.linalg.inv(full) @ small @ (*index, 1)


def test_reduced():
    """Slice by slice a smaller image of the slice, where it was; nothing of one tile is in another."""
    for options, shift in (((), 0), (("--grid", "center"), 0.5)):
        small = get("store", "small", "--reduce", "1", *options)
        volumes = get("store", "small_nii", "--reduce", "1", "--format", "nii", *options)
        for name in ("axial", "oblique_odd", "flipped", "unused", "high_bits", "rle"):
            for path in (small / name).glob("*.dcm"):
                done = subprocess.run(["dcmftest", path], capture_output=True, text=True, timeout=60)
                assert done.stdout.startswith("yes"), (path, done.stdout)
            data, affine = dcm2niix(small / name)
            again, again_affine = load(volumes / name)
            assert numpy.array_equal(data, again), name
            numpy.testing.assert_allclose(affine, again_affine, atol=1e-3)
            full, full_affine = load(directory / "nii" / name)
            rows = full.shape[1]
            assert data.shape[:2] == tuple((n + 1) // 2 for n in full.shape[:2]) and data.shape[2:] == full.shape[2:]
            # The first row of the picture is the last one here.
            for i, j, k in ((0, 0, 0), (3, 5, 2), (data.shape[0] - 1, data.shape[1] - 1, data.shape[2] - 1)):
                there = place_in(full_affine, affine, (i, data.shape[1] - 1 - j, k))
                numpy.testing.assert_allclose(there[:3], (2 * i + shift, rows - 1 - 2 * j - shift, k), atol=1e-3)
            # Means of 2 x 2 samples, the noise of a low-pass filter apart: noise of 50 in the samples.
            if shift:
                even = full[:full.shape[0] // 2 * 2, rows % 2:].astype(float)
                means = (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4
                inside = data[:means.shape[0], data.shape[1] - means.shape[1]:]
                assert numpy.abs(inside - means)[1:-1, 1:-1].max() < 60, name
                for k in range(full.shape[2]):
                    correlation = numpy.corrcoef(inside[:, :, k].ravel(), means[:, :, k].ravel())[0, 1]
                    assert correlation > 0.98 or name == "high_bits", (name, k, correlation)


def test_header():
    """What the file and Siemens' header in it say of pixels is true of the smaller picture."""
    for name in ("oblique_odd", "unused"):
        small = get("store", "small", "--reduce", "1", "--include", name + "/*")
        dataset = pydicom.dcmread(next((small / name).glob("*.dcm")))
        original = pydicom.dcmread(next((directory / "source" / name).glob("*.dcm")))
        assert dataset.Rows < original.Rows and dataset.pixel_array.shape == (dataset.Rows, dataset.Columns)
        assert [2 * v for v in original.PixelSpacing] == list(dataset.PixelSpacing)
        header = dataset[0x0029, 0x1010].value
        was = {"Rows": original.Rows, "Columns": original.Columns, "PixelSpacing": original.PixelSpacing,
               "ImagePositionPatient": original.ImagePositionPatient}
        for key, value in {"Rows": dataset.Rows, "Columns": dataset.Columns, "PixelSpacing": dataset.PixelSpacing,
                           "ImagePositionPatient": dataset.ImagePositionPatient,
                           "NumberOfImagesInMosaic": dataset[0x0019, 0x100A].value,
                           "SliceNormalVector": None}.items():
            texts = csa_texts(header)[key]
            if value is None:
                assert texts == csa_texts(original[0x0029, 0x1010].value)[key]
                continue
            value = [value] if isinstance(value, int) else value
            numpy.testing.assert_allclose([float(text) for text in texts if text], [float(v) for v in value], atol=1e-6)
            # Where tiles are even, a picture half as wide around the same centre begins at the same place.
            assert key not in was or (key == "ImagePositionPatient" and name == "unused") or was[key] != value


def csa_texts(header):
    """Written from nibabel's description of the format, not from our reader."""
    count, at, found = int.from_bytes(header[8:12], "little"), 16, {}
    for _ in range(count):
        name = header[at:at + 64].split(b"\0")[0].decode()
        items = int.from_bytes(header[at + 76:at + 80], "little")
        at += 84
        found[name] = []
        for _ in range(items):
            length = int.from_bytes(header[at + 4:at + 8], "little")
            assert header[at:at + 4] == header[at + 4:at + 8] == header[at + 12:at + 16]
            found[name].append(header[at + 16:at + 16 + length].split(b"\0")[0].decode())
            at += 16 + (length + 3) // 4 * 4
    return found


def test_transfer_syntaxes():
    for syntax in ("explicit", "htj2k"):
        for options in ((), ("--reduce", "1")):
            out = get("store", "converted", "--transfer-syntax", syntax, *options)
            expected = get("store", "nii", "--format", "nii", *options)
            shutil.rmtree(directory / "again", ignore_errors=True)
            run("encode", out, "-o", directory / "again", "--dataset", "source", "--quiet")
            taken = get("again", "taken", "--format", "nii")
            for name in CASES:
                for path in (out / name).glob("*.dcm"):
                    uid = pydicom.dcmread(path).file_meta.TransferSyntaxUID
                    assert (uid == "1.2.840.10008.1.2.4.202") == (syntax == "htj2k"), (name, uid)
                ours, first = load(taken / name), load(expected / name)
                assert numpy.array_equal(ours[0], first[0]), (syntax, options, name)
                numpy.testing.assert_allclose(ours[1], first[1], atol=1e-3)


for name, case in CASES.items():
    (directory / "source" / name).mkdir(parents=True)
    dicom_cases.mosaic(directory / "source" / name, **case)
run("encode", directory / "source", "-o", directory / "store", "--quiet")
test_full_size()
test_reduced()
test_header()
test_transfer_syntaxes()
