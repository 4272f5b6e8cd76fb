"""Series of DICOM as arrays and as DICOM in another transfer syntax, judged by nibabel, pydicom, OpenJPEG and dcmftest."""
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

mist = os.environ["MIST_PROGRAM"]
work = tempfile.TemporaryDirectory(prefix="mist-dicom-out-")
directory = pathlib.Path(work.name)


def run(*arguments):
    done = subprocess.run([mist, *map(str, arguments)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, (arguments, done.stdout[-1000:], done.stderr[-1000:])
    return done.stdout


def get(out, *options):
    shutil.rmtree(directory / out, ignore_errors=True)
    run("get", directory / "store/source", "-o", directory / out, "--quiet", *options)
    return {str(path.relative_to(directory / out)): path for path in sorted((directory / out).rglob("*"))
            if path.is_file() and ".mist" not in path.parts}


def make_larger(source):
    """Of a size that has levels."""
    pixels = dicom_cases.texture(200, 150, 3)
    colours = numpy.stack([dicom_cases.texture(200, 150, k) % 256 for k in (1, 2, 3)], -1).astype("u1")
    for name, samples, more in (
            ("large_implicit", (pixels % 4096).astype("i2") - 2048, {"syntax": pydicom.uid.ImplicitVRLittleEndian}),
            ("large_big_endian", pixels % 4096, {"syntax": pydicom.uid.ExplicitVRBigEndian, "BitsStored": 12, "HighBit": 11}),
            ("large_colours", colours, {}), ("large_ybr", colours, {"PhotometricInterpretation": "YBR_FULL"})):
        (source / name).mkdir()
        if more.get("syntax") == pydicom.uid.ExplicitVRBigEndian:
            samples = samples.astype(">u2")
        dicom_cases.instance(source / name, 1, kind="SC" if samples.ndim == 3 else "CT", pixels=samples,
                             series=f"1.2.826.0.1.3680043.8.498.{len(name)}", **more)


def make_store():
    for name, make in dicom_cases.all_cases().items():
        folder = directory / "source" / name
        folder.mkdir(parents=True)
        make(folder)
    make_larger(directory / "source")
    run("encode", directory / "source", "-o", directory / "store", "--quiet")


# ---- arrays ----

def check_array(name, array, nifti):
    """The same values in the same places: NIfTI has columns first, and rows turned over where its affine says so."""
    about = json.loads(array.with_suffix(".json").read_text())
    values = numpy.load(array)
    image = nibabel.load(nifti)
    full = [dict(zip(about["axes"], values.shape)).get(axis, 1) for axis in ("volume", "slice", "row", "column",
                                                                             "component")]
    ours = values.reshape(full)
    theirs = numpy.asanyarray(image.dataobj)
    if theirs.dtype.fields:
        theirs = numpy.stack([theirs[field] for field in theirs.dtype.names], -1)[:, :, :, None]
    else:
        theirs = theirs.reshape(theirs.shape + (1,) * (5 - theirs.ndim))
    theirs = theirs.transpose(3, 2, 1, 0, 4)
    if "affine" in about:
        affine = numpy.array(about["affine"])
        turn = numpy.linalg.inv(affine) @ image.affine  # array index of a NIfTI index
        if turn[1, 1] < 0:
            theirs = theirs[:, :, ::-1]
        corner = affine @ [full[3] - 1, 0, full[1] - 1, 1]
        row = full[2] - 1 if turn[1, 1] < 0 else 0
        assert numpy.allclose(corner, image.affine @ [full[3] - 1, row, full[1] - 1, 1], atol=1e-3), name
        assert numpy.allclose(about["spacing"], numpy.linalg.norm(affine[:3, :3], axis=0), atol=1e-3), name
    elif not numpy.array_equal(ours.astype(float), theirs.astype(float)):
        theirs = theirs[:, :, ::-1]
    assert theirs.shape == ours.shape, (name, theirs.shape, ours.shape)
    assert numpy.allclose(ours, theirs, rtol=1e-6, atol=1e-6 * numpy.abs(theirs).max()), name
    if values.dtype.kind in "iu":
        assert numpy.array_equal(ours.astype(float), theirs.astype(float)), name
    return values, about


def test_arrays(*options):
    arrays, niftis = get("arrays", "--format", "npy", *options), get("niftis", "--format", "nii", *options)
    arrays = {name[:-4]: path for name, path in arrays.items() if name.endswith(".npy")}
    niftis = {name[:-4]: path for name, path in niftis.items() if name.endswith(".nii")}
    assert arrays.keys() == niftis.keys() and len(arrays) > 40, arrays.keys() ^ niftis.keys()
    return {name: check_array(name, path, niftis[name]) for name, path in arrays.items()}


def test_types(found):
    by_case = {name.split("/")[0]: value for name, value in found.items()}
    for name, dtype, units in (("ct", "int32", "HU"), ("ct_12bit", "int16", "HU"), ("ct_slope_half", "float32", "HU"), ("pet", "float32", "BQML"),
                               ("axial", "uint16", None)):
        values, about = by_case[name]
        assert values.dtype == dtype and about.get("units") == units, (name, values.dtype, about)
    values, about = by_case["times_by_temporal"]
    assert about["axes"] == ["volume", "slice", "row", "column"] and values.ndim == 4, about


def between(values, depth):
    """Another number of slices over the same field of view, linearly between the centres of those that are there."""
    slices = values.shape[2]
    at = ((numpy.arange(depth) + 0.5) * slices / depth - 0.5).clip(0, slices - 1)
    first = numpy.floor(at).astype(int)
    behind, way = numpy.minimum(first + 1, slices - 1), (at - first).reshape((-1,) + (1,) * (values.ndim - 3))
    return values[:, :, first] * (1 - way) + values[:, :, behind] * way


def scaled(path):
    """Values [column, row, slice, ...] of a NIfTI file; colours as numbers behind."""
    array = numpy.asanyarray(nibabel.load(path).dataobj)
    if array.dtype.fields:
        array = numpy.stack([array[field] for field in array.dtype.names], -1)[:, :, :, None]
    return array.astype(float) if array.ndim > 2 else array[:, :, None].astype(float)


def check_depth(name, full, deep, depth):
    values, made = scaled(full), scaled(deep)
    image, other = nibabel.load(full), nibabel.load(deep)
    if values.shape[2] == 1:
        depth = 1
    assert made.shape == values.shape[:2] + (depth,) + values.shape[3:], (name, made.shape)
    # Integers are rounded as they are stored.
    slope, _ = other.dataobj.slope, other.dataobj.inter
    rounding = 0.5 * abs(slope) if other.get_data_dtype().kind in "iuV" else 0
    error = numpy.abs(made - between(values, depth)).max()
    assert error <= rounding + 1e-6 * numpy.abs(values).max(), (name, error)
    middle = [(side - 1) / 2 for side in values.shape[:2]]
    assert numpy.allclose(image.affine @ [*middle, (values.shape[2] - 1) / 2, 1],
                          other.affine @ [*middle, (depth - 1) / 2, 1], atol=1e-4), name
    assert numpy.allclose(other.affine[:, 2], image.affine[:, 2] * values.shape[2] / depth, atol=1e-4), name
    distance, was = other.header.get_zooms()[2], image.header.get_zooms()[2]
    assert abs(distance - was * values.shape[2] / depth) < 1e-4, (name, distance, was)


def test_depth():
    """--exact WxHxD of a series: every volume of it, in the units of its slices."""
    full, checked = get("full", "--format", "nii"), set()
    for depth in (2, 7, 12):
        deep = get("deep", "--format", "nii", "--exact", "--size", f"32x24x{depth}")
        assert [name for name in deep if name.endswith(".nii")] == [name for name in full if name.endswith(".nii")]
        for name, path in deep.items():
            if name.endswith(".nii") and nibabel.load(full[name]).shape[:2] == (32, 24):
                check_depth(name, full[name], path, depth)
                checked.add(name.split("/")[0])
    assert checked >= {"axial", "axial_down", "oblique_down", "pet", "pet_times", "times_by_temporal", "echoes", "gap", "tilt",
                       "localizer", "rgb", "multi_frame_times", "ct_slope_half"}, checked
    arrays = get("deep arrays", "--format", "npy", "--exact", "--size", "32x24x7")
    deep = get("deep", "--format", "nii", "--exact", "--size", "32x24x7")
    for name, path in arrays.items():
        if name.endswith(".npy"):
            check_array(name, path, deep[name[:-4] + ".nii"])


def make_ramps(source):
    """As many slices as give slice steps, in both directions; samples rise evenly, so that any two slices tell of those between."""
    texture = dicom_cases.texture(128, 128, 1).astype(int)
    for name, step in (("ramp_up", 2.0), ("ramp_down", -2.0)):
        (source / name).mkdir()
        dicom_cases.stack(source / name, count=64, step=step, series=f"1.2.3.{len(name)}",
                          per=lambda k: {"pixels": (texture + 100 * k).astype("u2")})


def test_depth_of_steps():
    """Where every fourth slice is enough no more are fetched; positions are those of the whole."""
    make_ramps(directory / "source")
    run("encode", directory / "source", "-o", directory / "store", "--quiet")
    options = ["--format", "nii", "--exact", "--include", "ramp_*"]
    full = {name: scaled(path) for name, path in get("full", *options, "--size", "128x128x64").items() if name.endswith(".nii")}
    assert len(full) == 2
    for depth in (7, 10, 31):
        planned = json.loads(run("get", directory / "store/source", "--dry-run", "--json", *options, "--size", f"128x128x{depth}"))
        assert planned["planned_bytes"] < 0.6 * planned["source_bytes"]
        for name, path in get("deep", *options, "--size", f"128x128x{depth}").items():
            if name.endswith(".nii"):
                at = (numpy.arange(depth) + 0.5) * 64 / depth - 0.5
                slope = full[name][0, 0, 1] - full[name][0, 0, 0]
                error = numpy.abs(scaled(path) - (full[name][:, :, [0]] + slope * at))
                assert error.max() <= 0.5, (name, depth, error.max())


def test_units():
    """What RescaleType says comes before what CT mostly is."""
    (directory / "source/ct_od").mkdir()
    dicom_cases.stack(directory / "source/ct_od", kind="CT", series="1.2.3.99", RescaleSlope=1, RescaleIntercept=-1024, RescaleType="OD")
    run("encode", directory / "source", "-o", directory / "store", "--quiet")
    found = get("units", "--format", "npy", "--include", "ct_od/*")
    about = json.loads(next(path for name, path in found.items() if name.endswith(".json")).read_text())
    assert about["units"] == "OD", about


def test_source_bytes():
    """Of a series the bytes of all its files."""
    for line in run("info", directory / "store", "--items", "--json").splitlines():
        row = json.loads(line)
        if row["path"].startswith("axial/"):
            assert row["source_bytes"] == sum(path.stat().st_size for path in (directory / "source/axial").iterdir()), row


make_store()
test_source_bytes()
test_types(test_arrays())
test_arrays("--reduce", "1")
test_depth()
test_depth_of_steps()
test_units()


# ---- DICOM in another transfer syntax ----

def samples_of(dataset, frame):
    """A frame of an HTJ2K file, by its Extended Offset Table, as OpenJPEG decodes it: [row, column, component]."""
    offsets = numpy.frombuffer(dataset.ExtendedOffsetTable, "<u8")
    lengths = numpy.frombuffer(dataset.ExtendedOffsetTableLengths, "<u8")
    data = dataset.PixelData
    assert data[:8] == b"\xfe\xff\x00\xe0\0\0\0\0", "the Basic Offset Table is not empty"
    at = 8 + int(offsets[frame])
    assert data[at:at + 4] == b"\xfe\xff\x00\xe0" and int.from_bytes(data[at + 4:at + 8], "little") == lengths[frame]
    stream = data[at + 8:at + 8 + int(lengths[frame])]
    (directory / "frame.j2k").write_bytes(stream)
    done = subprocess.run(["opj_decompress", "-i", directory / "frame.j2k", "-o", directory / "frame.rawl"],
                          capture_output=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    size = 1 if dataset.BitsStored <= 8 else 2 if dataset.BitsStored <= 16 else 4
    kind = f"<{'i' if dataset.PixelRepresentation else 'u'}{size}"
    raw = numpy.fromfile(directory / "frame.rawl", kind)
    spare = 8 * size - dataset.BitsStored  # raw files of opj_decompress have no sign beyond the precision
    raw = raw << spare >> spare
    return raw.reshape(dataset.SamplesPerPixel, dataset.Rows, dataset.Columns).transpose(1, 2, 0)


def pixels_of(dataset):
    frames = int(dataset.get("NumberOfFrames", 1))
    return dataset.pixel_array.reshape(frames, dataset.Rows, dataset.Columns, dataset.SamplesPerPixel)


SAME = ("PatientID", "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "ImagePositionPatient", "PixelSpacing",
        "Rows", "Columns", "SamplesPerPixel", "RescaleSlope", "RescaleIntercept", "PixelRepresentation")


def check_htj2k(ours, reference):
    """`reference` has the samples. Returns whether the file is HTJ2K."""
    dataset, expected = pydicom.dcmread(ours), pydicom.dcmread(reference, force=True)
    for name in SAME:
        assert dataset.get(name) == expected.get(name), (ours, name, dataset.get(name), expected.get(name))
    done = subprocess.run(["dcmftest", ours], capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith("yes"), (ours, done.stdout)
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax == pydicom.uid.ExplicitVRLittleEndian:
        assert numpy.array_equal(dataset.pixel_array, expected.pixel_array), ours
        return False
    assert syntax in ("1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202"), syntax
    pixels = pixels_of(expected)
    assert ("YBR_RCT" if expected.PhotometricInterpretation == "RGB" else expected.PhotometricInterpretation) == \
        dataset.PhotometricInterpretation, ours
    for frame in {0, len(pixels) - 1}:
        assert numpy.array_equal(samples_of(dataset, frame), pixels[frame]), (ours, frame)
    return True


def compare_files(got, reference):
    assert got.keys() == reference.keys(), got.keys() ^ reference.keys()
    checked = {}  # the last file of each folder
    for name in got:
        checked[name.split("/")[0]] = name
    return {case for case, name in checked.items() if check_htj2k(got[name], reference[name])}, checked.keys()


def test_htj2k():
    originals = {str(path.relative_to(directory / "source")): path for path in (directory / "source").rglob("*.dcm")}
    coded, all_of_them = compare_files(get("htj2k", "--transfer-syntax", "htj2k"), originals)
    print("explicit:", *sorted(all_of_them - coded))
    assert all_of_them - coded <= {"thirty_two_bit", "thirty_two_bit_signed"}
    coded, _ = compare_files(get("explicit", "--transfer-syntax", "explicit"), originals)
    assert not coded
    reduced = get("reduced", "--reduce", "1", "--transfer-syntax", "explicit")
    coded, _ = compare_files(get("small", "--reduce", "1", "--transfer-syntax", "htj2k"), reduced)
    assert {"large_big_endian", "large_implicit", "large_colours", "large_ybr"} <= coded


def test_taken_back():
    """MIST reads its own files: what is encoded of them gives the same arrays."""
    shutil.rmtree(directory / "htj2k.mist")
    run("encode", directory / "htj2k", "-o", directory / "again", "--quiet")
    run("get", directory / "again/htj2k", "-o", directory / "taken", "--quiet", "--format", "npy")
    first = get("arrays", "--format", "npy")
    arrays = [name for name in first if name.endswith(".npy")]
    assert len(arrays) > 40
    for name in arrays:
        assert numpy.array_equal(numpy.load(first[name]), numpy.load(directory / "taken" / name)), name


def test_keep_uids():
    name = "large_implicit/i0001.dcm"
    original = pydicom.dcmread(directory / "source" / name)
    for options, same in (((), False), (("--keep-uids",), True)):
        files = get("kept", "--reduce", "1", "--include", "large_implicit/*", *options)
        made = pydicom.dcmread(files[name])
        assert made.Rows < original.Rows and (made.SOPInstanceUID == original.SOPInstanceUID) == same


test_htj2k()
test_taken_back()
test_keep_uids()
