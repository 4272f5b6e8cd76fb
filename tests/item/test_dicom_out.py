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


def make_store():
    for name, make in dicom_cases.all_cases().items():
        folder = directory / "source" / name
        folder.mkdir(parents=True)
        make(folder)
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


make_store()
test_types(test_arrays())
test_arrays("--reduce", "1")
