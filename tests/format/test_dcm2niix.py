"""NIfTI made of DICOM series, judged by dcm2niix voxel by voxel: real series, the cases, and made ones."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

try:
    import nibabel
    import numpy
    import pydicom

    import dicom_cases
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

if not shutil.which("dcm2niix"):
    print("skipped: there is no dcm2niix")
    sys.exit(77)

tool = sys.argv[1]
shared = pathlib.Path(os.environ.get("MIST_SHARED", ""))
work = tempfile.TemporaryDirectory(prefix="mist-dcm2niix-")
directory = pathlib.Path(work.name)

NEAR = 0.051  # millimetres that a corner of a volume may be away from where dcm2niix has it

# Where MIST differs from dcm2niix on purpose: series -> (what may differ, why). docs/dicom-to-nifti.md is this table.
DIFFERENT = {
    "ct-head-philips": ("affine", "gantry tilt: the affine is that of the slices' positions, sheared; dcm2niix's file "
                        "has rows 11 % too far apart and slices 13 mm off at the end, and a second, resampled file"),
    "tilt": ("affine", "gantry tilt, as ct-head-philips"),
    "sheared_mr": ("affine", "slices move beside their normal: the affine says so, dcm2niix stacks them along it"),
    "gap_early": ("affine", "the gap is behind the first slice: dcm2niix takes its width as the spacing of all slices; "
                  "MIST takes that of most slices"),
    "duplicates": ("shape", "copies with another SOPInstanceUID: dcm2niix stacks them as further slices"),
    "duplicates_all": ("shape", "copies with another SOPInstanceUID: dcm2niix makes a second volume of them"),
    "times_incomplete": ("shape", "the last volume lacks a slice: dcm2niix writes nothing; MIST the whole volumes, and "
                         "the rest into a file of its own"),
    "times_by_acquisition_same_numbers": ("order", "instance numbers start again with each acquisition: dcm2niix mixes "
                                          "their slices"),
    "case 4d": ("order", "as times_by_acquisition_same_numbers"),
    "multi_frame_times_of_unknown_maker": ("order", "enhanced multi-frame of an unknown maker: dcm2niix takes frames of "
                                           "one position for a volume"),
    "MR_truncated.dcm": ("shape", "pixel data a little short: dcm2niix refuses it"),
    "OBXXXX1A_expb.dcm": ("order", "big-endian words of two samples: dcm2niix leaves each pair swapped"),
    "OBXXXX1A_rle_2frame.dcm": ("values", "dcm2niix decodes the first of two frames only"),
    "SC_rgb_jpeg_dcmtk.dcm": ("values", "lossy JPEG: another decoder's rounding and upsampling of colours"),
    "eight_bit_signed": ("values", "dcm2niix reads signed 8-bit samples as unsigned"),
    "rtdose_1frame.dcm": ("values", "DoseGridScaling is applied: Gy; dcm2niix leaves stored values"),
    "badVR.dcm": ("values", "DoseGridScaling is applied: Gy; dcm2niix leaves stored values"),
}


# Series that are also written smaller.
REDUCED = ("axial", "axial_down", "sagittal", "oblique_down", "pet", "pet_times", "times_by_temporal_interleaved", "gap", "tilt",
           "rgb", "mosaic_oblique", "mosaic_flipped", "multi_frame_times_swapped", "duplicates", "ct_12bit")


def dcm2niix(folder):
    out = directory / "theirs"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    # On memory that meson has filled it would crash where it otherwise reads what it never wrote.
    calm = {name: value for name, value in os.environ.items() if name != "MALLOC_PERTURB_"}
    done = subprocess.run(["dcm2niix", "-z", "n", "-f", "out", "-o", out, folder], capture_output=True, timeout=120,
                          env=calm)
    files = [path for path in sorted(out.glob("*.nii")) if not re.search(r"_(Eq|Tilt|ROI)_?\d", path.name)]
    return files, done.stdout.decode(errors="replace")


def mist(files, reduce=0, step=0):
    out = directory / "ours"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    done = subprocess.run([tool, "series", str(reduce), str(step), out / "out", *sorted(files)], capture_output=True,
                          timeout=120)
    assert done.returncode in (0, 1), (files, done.stdout, done.stderr[-2000:])
    return sorted(out.glob("*.nii")), done.stdout.decode()


def values(path):
    """[j, i, ...] in the units of the file."""
    image = nibabel.load(path)
    data = numpy.asanyarray(image.dataobj)
    if data.dtype.names:
        return numpy.stack([data[name] for name in data.dtype.names], axis=-1).astype(float)
    return numpy.asarray(image.get_fdata())


def corner_error(path, other):
    a, b = nibabel.load(path), nibabel.load(other)
    shape = a.shape[:3]
    corners = numpy.array([[i, j, k, 1] for i in (0, shape[0] - 1) for j in (0, shape[1] - 1)
                           for k in (0, shape[2] - 1)], float).T
    return numpy.abs((a.affine - b.affine) @ corners).max()


def differences(ours, theirs):
    """What two files differ in: a list of words."""
    a, b = nibabel.load(ours), nibabel.load(theirs)
    if a.shape != b.shape:
        return ["shape"]
    found = []
    x, y = values(ours), values(theirs)
    scale = max(1, numpy.abs(y).max())
    if numpy.abs(x - y).max() > 1e-6 * scale:
        found.append("order" if numpy.array_equal(numpy.sort(x.ravel()), numpy.sort(y.ravel())) else "values")
    if corner_error(ours, theirs) > NEAR or not numpy.allclose(a.header["pixdim"][1:4], b.header["pixdim"][1:4],
                                                                atol=0.011):
        found.append("affine")
    if a.header["qform_code"] != b.header["qform_code"] or a.header["sform_code"] != b.header["sform_code"]:
        found.append("codes")
    if a.header["qform_code"] and "affine" not in found:
        numpy.testing.assert_allclose(a.get_qform(), b.get_qform(), atol=0.06)
    if not numpy.isclose(a.header["pixdim"][4], b.header["pixdim"][4], atol=1e-4):
        found.append("repetition")
    if a.header["xyzt_units"] != b.header["xyzt_units"]:
        found.append("units")
    if a.header["dim_info"] != b.header["dim_info"]:
        found.append("dim_info")
    return found


def judge_by_other(name, ours):
    """dcm2niix reads nothing: it is asked about the same image uncompressed, where there is one."""
    plain = shared / "data/dicom/wg04" / (name.split(".")[0] + ".UNC.dcm")
    if name.split(".")[1] not in ("J2KR", "JLSL", "JPLL", "RLE") or not plain.exists():
        return "only we"
    folder = directory / "plain"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copy(plain, folder)
    theirs = dcm2niix(folder)[0]
    return differences(ours[0], theirs[0]) if theirs else "only we"


def compare(name, files, said):
    theirs, log = dcm2niix(said)
    ours, words = mist(files)
    if words.startswith("! unsupported"):
        return "neither", words.strip()
    if not theirs and not ours:
        return "neither", words.strip()
    if not theirs and ours and name not in DIFFERENT:
        return judge_by_other(name, ours), words.strip()
    if len(ours) != len(theirs):
        return ["shape"], f"{len(ours)} files, dcm2niix {len(theirs)}: {words.strip()}"
    found = []
    # Their names sort otherwise than ours: each of ours is compared with the one that it is most like.
    left = list(theirs)
    for path in ours:
        judged = [(differences(path, other), other) for other in left]
        best = min(judged, key=lambda pair: len(pair[0]) + 10 * ("shape" in pair[0]))
        left.remove(best[1])
        found += [word for word in best[0] if word not in found]
    return found, words.strip()


def series():
    """Name, files, folder of all that there is."""
    for name, make in dicom_cases.all_cases().items():
        folder = directory / "made" / name
        folder.mkdir(parents=True)
        make(folder)
        yield name, sorted(folder.rglob("*.dcm")), folder
    data = shared / "data"
    for name in ("ct-head-philips", "mr-brain-t1post"):
        if (data / name).is_dir():
            yield name, sorted((data / name).iterdir()), data / name
    for folder in (shared / "cases/dicom_to_nii_rescale_ct", *sorted((shared / "cases/dicom_to_nii_geometry").glob("*/"))):
        if folder.is_dir():
            yield "case " + folder.name, sorted(folder.glob("*.dcm")), folder
    for path in sorted((data / "dicom").glob("*/*.dcm")) if (data / "dicom").is_dir() else []:
        folder = directory / "single" / path.name
        folder.mkdir(parents=True)
        shutil.copy(path, folder)
        yield path.name, [path], folder


def reduced(name, files):
    """Every 2^r-th sample and 2^s-th slice lies where it lay; values are those of the full size."""
    full = {path.name: (values(path), nibabel.load(path)) for path in mist(files)[0]}
    for reduce, step in ((1, 0), (0, 1), (2, 2)):
        for path in mist(files, reduce, step)[0]:
            data, image = full[path.name]
            small = values(path)
            rows = data.shape[1]
            # Rows are upside down: the first row of DICOM, which is kept, is the last one here.
            if not image.header["sform_code"]:
                continue
            taken = data[:: 2**reduce, ::-1, :: 2**step][:, :: 2**reduce][:, ::-1]
            numpy.testing.assert_allclose(small, taken, rtol=1e-6, atol=1e-6)
            affine = nibabel.load(path).affine
            there = affine @ (1, small.shape[1] - 1, small.shape[2] - 1, 1)
            was = image.affine @ (2**reduce, rows - 1, (small.shape[2] - 1) * 2**step, 1)
            numpy.testing.assert_allclose(there, was, atol=1e-3, err_msg=name)
            there, was = affine @ (0, 0, 0, 1), image.affine @ (0, (rows - 1) % 2**reduce, 0, 1)
            numpy.testing.assert_allclose(there, was, atol=1e-3, err_msg=name)


def sidecar():
    """The JSON beside the file has what dcm2niix's has, and nothing of the patient."""
    folder = directory / "made/siemens"
    theirs = json.loads(dcm2niix(folder)[0][0].with_suffix(".json").read_text())
    text = mist(sorted(folder.glob("*.dcm")))[0][0].with_suffix(".json").read_text()
    ours = json.loads(text)
    assert "Nobody" not in text and "NAMELESS" not in text and "20200102" not in text
    for key in ("Modality", "MagneticFieldStrength", "PatientPosition", "SeriesDescription", "ProtocolName", "ImageType", "Manufacturer",
                "SeriesNumber", "AcquisitionTime", "AcquisitionNumber", "SliceThickness", "EchoTime", "RepetitionTime",
                "FlipAngle", "ScanningSequence", "SequenceVariant", "ImageOrientationPatientDICOM",
                "InPlanePhaseEncodingDirectionDICOM"):
        assert ours[key] == theirs[key], (key, ours.get(key), theirs[key])
    assert ours["ConversionSoftware"] == "mist"
    for name in ("ct-head-philips", "mr-brain-t1post"):
        folder = shared / "data" / name
        if not folder.is_dir():
            continue
        theirs = json.loads(dcm2niix(folder)[0][0].with_suffix(".json").read_text())
        ours = json.loads(mist(sorted(folder.iterdir()))[0][0].with_suffix(".json").read_text())
        same = [key for key in theirs if key in ours and (theirs[key] == ours[key] or numpy.allclose(
            theirs[key], ours[key], rtol=1e-4) if isinstance(theirs[key], (int, float, list)) and
            not isinstance(theirs[key][0] if isinstance(theirs[key], list) else 0, str) else theirs[key] == ours[key])]
        other = {key: (theirs[key], ours.get(key)) for key in theirs if key not in same}
        print(f"{name}: {len(same)} of {len(theirs)} fields of the sidecar alike; not: {other}")
        assert len(same) >= len(theirs) * 0.75


def main():
    equal, explained, refused, alone, failed = 0, 0, 0, 0, []
    for name, files, folder in series():
        found, words = compare(name, files, folder)
        if name in REDUCED:
            reduced(name, files)
        allowed, why = DIFFERENT.get(name, ("", ""))
        if found == "only we":
            alone += 1
        elif found == "neither" or (words.startswith("!") and name not in DIFFERENT):
            refused += 1
            print(f"{name}: not read: {words}")
        elif not found:
            equal += 1
            if words and "-v" in sys.argv:
                print(f"{name}: equal; {words}")
        elif all(word in allowed.split() for word in found):
            explained += 1
            print(f"{name}: {', '.join(found)} on purpose: {why}; {words}")
        else:
            failed.append(name)
            print(f"{name}: DIFFERS: {found}; {words}")
    print(f"{equal} series equal to dcm2niix's, {explained} different on purpose, {alone} not read by dcm2niix, "
          f"{refused} read by neither")
    sidecar()
    assert not failed, failed
    assert equal > 40


main()
