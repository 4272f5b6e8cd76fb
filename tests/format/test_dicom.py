#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""DICOM files through src/format, with pydicom, dcmdump and dcm2niix as judges.  usage: test_dicom.py DICOM_TOOL"""
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile
import warnings

try:
    import numpy as np
    import pydicom
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.sequence import Sequence
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

warnings.simplefilter("ignore")
TOOL = sys.argv[1]
DATA = os.path.join(os.environ.get("MIST_SHARED", "../shared"), "data")
HAVE_DATA = os.path.isdir(DATA)
WORK = tempfile.mkdtemp(prefix="mist-dicom-")


def run(*words, fails=False):
    done = subprocess.run([TOOL, *map(str, words)], capture_output=True, text=True, timeout=120)
    assert done.stderr == "", f"{words}: on standard error: {done.stderr}"
    assert (done.returncode != 0) == fails, f"{words}: status {done.returncode}: {done.stdout}"
    return done.stdout.strip()


def describe(*paths):
    return json.loads(run("describe", *paths))


def refused(path, status, *words):
    """The file is refused with this status in one sentence that has these words."""
    text = run("group", path, fails=True)
    assert text.startswith(f"! {status}: ") and "\n" not in text, text
    assert run("describe", path, fails=True) == text
    for word in words:
        assert word in text, text


def write(reduce, grid, *paths):
    """Writes the files of one series; returns where each went."""
    directory = tempfile.mkdtemp(dir=WORK)
    run("write", reduce, grid, directory, *paths)
    return [os.path.join(directory, os.path.basename(path)) for path in paths]


def content(path):
    with open(path, "rb") as file:
        return file.read()


def make(name, columns=40, rows=37, dtype="u2", syntax=ExplicitVRLittleEndian, samples=1, frames=1, planar=0, meta=True,
         stored=None, seed=1, **attributes):
    """A file with random samples; attributes by keyword (None removes)."""
    item = Dataset()
    item.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    item.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    item.SOPInstanceUID = f"1.2.3.4.{seed}"
    item.StudyInstanceUID = "1.2.3.5"
    item.SeriesInstanceUID = "1.2.3.6"
    item.PatientName = "Doe^Jane"
    item.InstanceNumber = seed
    item.ImagePositionPatient = [-100, -90.5, 12.25]
    item.ImageOrientationPatient = [1, 0, 0, 0, 0.8, -0.6]
    item.PixelSpacing = [0.7, 0.5]
    item.SliceThickness = 3
    item.Rows, item.Columns, item.SamplesPerPixel = rows, columns, samples
    item.PhotometricInterpretation = "RGB" if samples == 3 else "MONOCHROME2"
    if samples > 1:
        item.PlanarConfiguration = planar
    if frames > 1:
        item.NumberOfFrames = frames
    kind = np.dtype(dtype)
    item.BitsAllocated = kind.itemsize * 8
    item.BitsStored = stored or item.BitsAllocated
    item.HighBit = item.BitsStored - 1
    item.PixelRepresentation = int(kind.kind == "i")
    bits = item.BitsStored
    low, high = (-(1 << (bits - 1)), 1 << (bits - 1)) if kind.kind == "i" else (0, 1 << bits)
    shape = (frames, samples, rows, columns) if planar else (frames, rows, columns, samples)
    values = np.random.default_rng(seed).integers(low, high, shape).astype(kind)
    big = syntax == ExplicitVRBigEndian
    item.PixelData = values.astype(kind.newbyteorder(">" if big else "<")).tobytes()
    if len(item.PixelData) % 2:
        item.PixelData += b"\0"
    item["PixelData"].VR = "OB" if kind.itemsize == 1 else "OW"
    for key, value in attributes.items():
        if value is None:
            delattr(item, key)
        else:
            setattr(item, key, value)
    item.is_little_endian, item.is_implicit_VR = not big, syntax == ImplicitVRLittleEndian
    path = os.path.join(WORK, name)
    if meta:
        item.file_meta = FileMetaDataset()
        item.file_meta.MediaStorageSOPClassUID = item.SOPClassUID
        item.file_meta.MediaStorageSOPInstanceUID = item.get("SOPInstanceUID", "1.2.3")
        item.file_meta.TransferSyntaxUID = syntax
        item.preamble = b"\0" * 128
    pydicom.dcmwrite(path, item, write_like_original=not meta)
    return path


def position(item, column, row):
    """Of a sample, in the patient (PS3.3, C.7.6.2.1.1)."""
    directions = np.array(item.ImageOrientationPatient, float)
    down, across = map(float, item.PixelSpacing)
    return np.array(item.ImagePositionPatient, float) + directions[:3] * across * column + directions[3:] * down * row


def pixels(item):
    """(frames, rows, columns, samples)"""
    array = item.pixel_array
    return array.reshape(int(item.get("NumberOfFrames", 1) or 1), item.Rows, item.Columns, item.SamplesPerPixel)


def check_derived(before, after, reduce, factor=None):
    """What every derived file must say of itself."""
    assert after.SOPInstanceUID != before.SOPInstanceUID and after.SOPInstanceUID.startswith("2.25.")
    assert after.SOPInstanceUID.is_valid and after.SeriesInstanceUID.is_valid
    assert after.SeriesInstanceUID != before.get("SeriesInstanceUID")
    assert after.get("StudyInstanceUID") == before.get("StudyInstanceUID")
    if "MediaStorageSOPInstanceUID" in getattr(before, "file_meta", {}):
        assert after.file_meta.MediaStorageSOPInstanceUID == after.SOPInstanceUID
        assert after.file_meta.TransferSyntaxUID == before.file_meta.TransferSyntaxUID
    assert after.ImageType[0] == "DERIVED" and after.ImageType[1:] == before.get("ImageType", ["", "PRIMARY"])[1:]
    assert "MIST" in after.DerivationDescription
    for key in ("DerivationCodeSequence", "SourceImageSequence"):  # history stays, and goes on
        assert list(after[key].value)[:-1] == list(before.get(key) or []), key
    code = after.DerivationCodeSequence[-1]
    assert (code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning) == ("113085", "DCM", "Spatial resampling")
    source = after.SourceImageSequence[-1]
    assert source.ReferencedSOPInstanceUID == before.SOPInstanceUID
    assert source.ReferencedSOPClassUID == before.SOPClassUID == after.SOPClassUID
    assert source.PurposeOfReferenceCodeSequence[0].CodeValue == "121322"
    for tag in ("SmallestImagePixelValue", "LargestImagePixelValue"):
        assert tag not in after
    assert not [e for e in after if 0x6000 <= e.tag.group <= 0x60FF]
    # Smaller is not compressed with loss: LossyImageCompression says what was done to the original (C.7.6.1.1.5).
    for key in ("PatientName", "RescaleSlope", "RescaleIntercept", "WindowCenter", "FrameOfReferenceUID", "Modality",
                "LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod",
                "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PhotometricInterpretation"):
        assert after.get(key) == before.get(key), key
    factor = factor or (2.0**reduce, 2.0**reduce)
    for key in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"):
        if key in before:
            want = [float(before[key].value[0]) * factor[1], float(before[key].value[1]) * factor[0]]
            assert np.allclose(list(map(float, after[key].value)), want, rtol=1e-9), key
    assert np.array_equal(before.get("ImageOrientationPatient", []), after.get("ImageOrientationPatient", []))


def check_reduced(path, reduce):
    """Reads original and native-grid output with pydicom: samples, geometry, attributes, structure."""
    out, again = write(reduce, "native", path)[0], write(reduce, "native", path)[0]
    assert content(out) == content(again)
    before, after = pydicom.dcmread(path, force=True), pydicom.dcmread(out, force=True)
    for item in (before, after):
        if "TransferSyntaxUID" not in item.file_meta:
            item.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    step = 1 << reduce
    assert (after.Rows, after.Columns) == (-(-before.Rows // step), -(-before.Columns // step))
    assert np.array_equal(pixels(before)[:, ::step, ::step], pixels(after)), path
    check_derived(before, after, reduce)
    if "ImagePositionPatient" in before and "PixelSpacing" in before:
        assert after.ImagePositionPatient == before.ImagePositionPatient
        for column, row in ((0, 0), (3, 0), (0, 2), (after.Columns - 1, after.Rows - 1)):
            assert np.allclose(position(after, column, row), position(before, step * column, step * row), atol=1e-4)
    check_structure(out)
    return before, after


def check_structure(path):
    dump = subprocess.run(["dcmdump", path], capture_output=True, text=True, errors="replace")
    assert dump.returncode == 0 and "E: " not in dump.stderr, f"dcmdump {path}: {dump.stderr}"


def test_synthetic():
    files = {
        "u16.dcm": {},
        "s16.dcm": dict(dtype="i2", stored=12),
        "u8odd.dcm": dict(dtype="u1", columns=39, rows=37),
        "s8.dcm": dict(dtype="i1"),
        "u32.dcm": dict(dtype="u4"),
        "implicit.dcm": dict(syntax=ImplicitVRLittleEndian),
        "implicit8.dcm": dict(dtype="u1", syntax=ImplicitVRLittleEndian, columns=33, rows=35),
        "big.dcm": dict(syntax=ExplicitVRBigEndian, dtype="i2"),
        "big8.dcm": dict(syntax=ExplicitVRBigEndian, dtype="u1", columns=33, rows=33),
        "rgb.dcm": dict(dtype="u1", samples=3, columns=35),
        "planar.dcm": dict(dtype="u1", samples=3, planar=1),
        "planar16.dcm": dict(dtype="u2", samples=3, planar=1, frames=2),
        "frames.dcm": dict(dtype="u1", frames=5, columns=33, rows=33),
        "plain.dcm": dict(meta=False, syntax=ImplicitVRLittleEndian),
        "lossy.dcm": dict(LossyImageCompression="01", LossyImageCompressionRatio=7.5, LossyImageCompressionMethod="ISO_10918_1"),
        "unplaced.dcm": dict(ImagePositionPatient=None, PixelSpacing=None, ImageOrientationPatient=None),
    }
    for name, options in files.items():
        path = make(name, **options)
        kind = np.dtype(options.get("dtype", "u2"))
        about = describe(path)
        assert about["type"] == ("u", "s")[kind.kind == "i"] + str(kind.itemsize * 8), about
        assert about["precision"] == options.get("stored", kind.itemsize * 8)
        assert content(write(0, "native", path)[0]) == content(path), name
        for reduce in (1, 3):
            check_reduced(path, reduce)


def test_geometry():
    path = make("geometry.dcm", columns=64, rows=48)
    about = describe(path)
    item = pydicom.dcmread(path)
    flip = np.diag([-1, -1, 1])
    affine = np.array(about["affine"]).reshape(4, 4)
    for column, row in ((0, 0), (5, 0), (0, 7), (63, 47)):
        assert np.allclose(affine @ [column, row, 0, 1], [*(flip @ position(item, column, row)), 1], atol=1e-5)
    assert about["spacing"] == [0.5, 0.7, 3]
    assert np.allclose(affine[:3, 2], flip @ [0, 3 * 0.6, 3 * 0.8])
    # The centred grid: sample n lies at 4 n + 1.5.
    after = pydicom.dcmread(write(2, "center", path)[0])
    check_derived(item, after, 2)
    assert np.allclose(position(after, 3, 2), position(item, 4 * 3 + 1.5, 4 * 2 + 1.5), atol=1e-6)
    # Another size over the same field of view.
    after = pydicom.dcmread(write(1, "20x16", path)[0])
    check_derived(item, after, 1, factor=(64 / 20, 48 / 16))
    assert (after.Columns, after.Rows) == (20, 16)
    assert np.allclose(position(after, -0.5, -0.5), position(item, -0.5, -0.5), atol=1e-6)
    assert np.allclose(position(after, 19.5, 15.5), position(item, 63.5, 47.5), atol=1e-5)
    # Identifiers differ by size and grid and agree within a series.
    other = make("other.dcm", columns=64, rows=48, seed=2)
    items = [pydicom.dcmread(out) for r, g in ((1, "native"), (2, "native"), (2, "center"), (2, "16x13"))
             for out in write(r, g, path, other)]
    assert len({i.SOPInstanceUID for i in items}) == 8 and len({i.SeriesInstanceUID for i in items}) == 4
    assert items[0].SeriesInstanceUID == items[1].SeriesInstanceUID
    # Without any spacing, different factors show in the aspect ratio.
    flat = make("flat.dcm", columns=64, rows=48, ImagePositionPatient=None, PixelSpacing=None)
    assert "PixelAspectRatio" not in pydicom.dcmread(write(1, "native", flat)[0])
    ratio = list(map(float, pydicom.dcmread(write(0, "64x24", flat)[0]).PixelAspectRatio))
    assert abs(ratio[0] / ratio[1] - 2) < 1e-3


def test_shapes_in_pixels():
    """Shutters, ultrasound regions, overlays, functional groups."""
    region = Dataset()
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 8, 4
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 39, 36
    region.PhysicalDeltaX, region.PhysicalDeltaY = 0.1, 0.2
    region.ReferencePixelX0, region.ReferencePixelY0 = 6, -3
    region.ReferencePixelPhysicalValueX, region.ReferencePixelPhysicalValueY = 10.0, 20.0
    path = make("shapes.dcm", ImagerPixelSpacing=[0.14, 0.15], NominalScannedPixelSpacing=[0.2, 0.3],
                ShutterLeftVerticalEdge=5, ShutterRightVerticalEdge=37, ShutterUpperHorizontalEdge=1,
                ShutterLowerHorizontalEdge=33, CenterOfCircularShutter=[17, 21], RadiusOfCircularShutter=16,
                VerticesOfThePolygonalShutter=[1, 1, 1, 41, 37, 1], SequenceOfUltrasoundRegions=Sequence([region]),
                SmallestImagePixelValue=0, LargestImagePixelValue=9)
    item = pydicom.dcmread(path)
    block = item.private_block(0x0029, "MIST TEST", create=True)
    block.add_new(1, "LO", "kept")
    item.add_new(0x60000010, "US", 37)
    item.add_new(0x60000011, "US", 40)
    item.add_new(0x60003000, "OW", bytes(186))
    item.add_new(0xFFFCFFFC, "OB", bytes(10))
    item.save_as(path)
    assert content(write(0, "native", path)[0]) == content(path)
    _, after = check_reduced(path, 2)
    assert after.private_block(0x0029, "MIST TEST")[1].value == "kept"
    assert 0xFFFCFFFC not in after
    assert (after.ShutterLeftVerticalEdge, after.ShutterRightVerticalEdge) == (2, 10)
    assert (after.ShutterUpperHorizontalEdge, after.ShutterLowerHorizontalEdge) == (1, 9)
    assert after.CenterOfCircularShutter == [5, 6] and after.RadiusOfCircularShutter == 4
    assert after.VerticesOfThePolygonalShutter == [1, 1, 1, 11, 10, 1]
    moved = after.SequenceOfUltrasoundRegions[0]
    assert (moved.RegionLocationMinX0, moved.RegionLocationMaxX1) == (2, 9)
    assert (moved.RegionLocationMinY0, moved.RegionLocationMaxY1) == (1, 9)
    assert np.allclose([moved.PhysicalDeltaX, moved.PhysicalDeltaY], [0.4, 0.8])
    for axis, old_start, new_start in (("X", 8, 2), ("Y", 4, 1)):  # the physical value of old pixel 20 is unchanged
        value, delta = f"ReferencePixelPhysicalValue{axis}", f"PhysicalDelta{axis}"
        before = region[value].value + (20 - old_start - region[f"ReferencePixel{axis}0"].value) * region[delta].value
        now = moved[value].value + (5 - new_start - moved[f"ReferencePixel{axis}0"].value) * moved[delta].value
        assert abs(before - now) < 1e-9, (axis, before, now)


def enhanced(name, steps, shared_plane=True):
    """A multi-frame file with functional groups; frames at these distances along z."""
    measures, orientation, kind = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = [0.7, 0.5], 2
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    kind.FrameType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    shared = Dataset()
    shared.PixelMeasuresSequence = Sequence([measures])
    if shared_plane:
        shared.PlaneOrientationSequence = Sequence([orientation])
    shared.CTImageFrameTypeSequence = Sequence([kind])
    frames = []
    for z in steps:
        where, frame = Dataset(), Dataset()
        where.ImagePositionPatient = [-10, -20, z]
        frame.PlanePositionSequence = Sequence([where])
        if not shared_plane:
            frame.PlaneOrientationSequence = Sequence([orientation])
        frames.append(frame)
    return make(name, frames=len(steps), ImagePositionPatient=None, ImageOrientationPatient=None, PixelSpacing=None,
                SharedFunctionalGroupsSequence=Sequence([shared]),
                PerFrameFunctionalGroupsSequence=Sequence(frames))


def test_multiframe():
    for shared in (True, False):
        path = enhanced("enhanced.dcm", [5, 7.5, 10, 12.5], shared)
        about = describe(path)
        assert about["frames"] == 4 and about["spacing"] == [0.5, 0.7, 2.5]
        assert about["affine"] == [-0.5, 0, 0, 10, 0, -0.7, 0, 20, 0, 0, 2.5, 5, 0, 0, 0, 1]
        _, after = check_reduced(path, 1)
        group = after.SharedFunctionalGroupsSequence[0]
        assert list(map(float, group.PixelMeasuresSequence[0].PixelSpacing)) == [1.4, 1.0]
        assert group.CTImageFrameTypeSequence[0].FrameType[0] == "DERIVED"
        assert group.DerivationImageSequence[-1].DerivationCodeSequence[0].CodeValue == "113085"
        after = pydicom.dcmread(write(1, "center", path)[0])
        for frame, z in zip(after.PerFrameFunctionalGroupsSequence, [5, 7.5, 10, 12.5]):
            assert np.allclose(list(map(float, frame.PlanePositionSequence[0].ImagePositionPatient)),
                               [-10 + 0.25, -20 + 0.35, z])
    # A gap: the affine is that of the slices that lie as most do, and a warning says so.
    assert describe(enhanced("gap.dcm", [5, 7.5, 15, 17.5]))["affine"][8:12] == [0, 0, 2.5, 5]
    dose = make("dose.dcm", frames=3, GridFrameOffsetVector=[0, 4, 8], ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    assert describe(dose)["affine"][8:12] == [0, 0, 4, 12.25]


def test_order():
    def slices(values):
        return [make(f"slice{i}.dcm", seed=i + 1, **value) for i, value in enumerate(values)]

    normal = np.array([0, 0.6, 0.8])
    depths = [4, 0, 2, 8, 6]
    paths = slices([dict(ImagePositionPatient=list(np.round(d * normal, 6)), InstanceNumber=9 - i)
                    for i, d in enumerate(depths)])
    about = describe(*paths)
    assert about["order"] == [1, 2, 0, 4, 3]
    assert np.allclose(np.array(about["affine"]).reshape(4, 4)[:3, 2], 2 * np.diag([-1, -1, 1]) @ normal, atol=1e-5)
    assert [paths[i] for i in about["order"]] == [paths[::-1][i] for i in describe(*paths[::-1])["order"]]
    # A missing slice: the affine is that of the others, and a warning says so.
    gap = describe(*paths[:2], *paths[3:])
    assert np.allclose(gap["affine"], about["affine"]) and "apart (missing ones?)" in gap["warning"], gap
    # One that is too near to its neighbours is told, too, although no gap is much wider than most.
    even = [make(f"even{i}.dcm", seed=i + 1, InstanceNumber=i + 1, ImagePositionPatient=[0, 0, z],
                 ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
            for i, z in enumerate([*range(0, 40, 2), 39, *range(40, 60, 2)])]
    near = describe(*even)
    assert "slices are 1 to 2 mm apart" in near["warning"] and near["affine"][10] == 2, near
    assert "apart" not in describe(*even[:20])["warning"]
    # Where gaps differ the first one is taken, as dcm2niix does, if it is about that of most.
    uneven = [make(f"uneven{i}.dcm", seed=i + 1, InstanceNumber=i + 1, ImagePositionPatient=[0, 0, z],
                   ImageOrientationPatient=[1, 0, 0, 0, 1, 0]) for i, z in enumerate([0, 2.05, 4.05, 6.05, 10.05, 12.05])]
    assert np.isclose(describe(*uneven)["affine"][10], 2.05), describe(*uneven)
    # Volumes that lack a slice come behind the whole ones, although they were made before them.
    def at(name, z, number, **more):
        return make(f"{name}{number}.dcm", seed=number, InstanceNumber=number, ImagePositionPatient=[0, 0, z],
                    ImageOrientationPatient=[1, 0, 0, 0, 1, 0], **more)

    lacking = [at("lacking", z, n + 1, AcquisitionNumber=a) for n, (z, a) in enumerate(
        [(0, 1), (2, 1), (0, 2), (2, 2), (4, 2)])]
    assert describe(*lacking)["order"] == [2, 3, 4, 0, 1], describe(*lacking)
    # A label that gives one volume a position twice tells no volumes apart; the next one does.
    unsound = [at("unsound", 2 * (n // 2), n + 1, TemporalPositionIdentifier=1 + n // 3, AcquisitionNumber=1 + n % 2)
               for n in range(6)]
    assert describe(*unsound)["order"] == [0, 2, 4, 1, 3, 5], describe(*unsound)
    # A gantry that is tilted: the third column of the affine goes from slice to slice.
    tilted = describe(*[make(f"tilted{i}.dcm", seed=i + 1, InstanceNumber=i + 1, ImagePositionPatient=[0, i, 4 * i],
                             ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
                        for i in range(4)])
    assert np.allclose(np.array(tilted["affine"]).reshape(4, 4)[:3, 2], [0, -1, 4]) and "tilted" in tilted["warning"], tilted
    # One position twice, but for rounding: instance numbers where they are all different, as dcm2niix has it.
    different = slices([dict(ImagePositionPatient=[0, 0, 0.001 * n], InstanceNumber=n, TemporalPositionIdentifier=9 - n)
                        for n in (2, 1, 3)])
    assert describe(*different)["order"] == [1, 0, 2]
    # Else temporal position, then acquisition, then instance number.
    same = slices([dict(InstanceNumber=1, ImagePositionPatient=[0, 0, z], **more) for z, more in (
        (0.001, dict(TemporalPositionIdentifier=2, AcquisitionNumber=1)), (0, dict(TemporalPositionIdentifier=3)),
        (0.002, dict(TemporalPositionIdentifier=1, AcquisitionNumber=5)),
        (0.002, dict(TemporalPositionIdentifier=1, AcquisitionNumber=4)))])
    assert describe(*same)["order"] == [3, 2, 0, 1] and describe(*same)["affine"] is not None
    # No positions: instance numbers, then names.
    loose = slices([dict(ImagePositionPatient=None, InstanceNumber=n) for n in (10, 9, 1, 1)])
    assert describe(*loose)["order"] == [2, 3, 1, 0]


def test_groups():
    def key(**options):
        return run("group", make("grouped.dcm", **options)).split(" ")

    plain = key()
    assert plain[0] == "1.2.3.6" and plain == key(seed=2, ImagePositionPatient=[0, 0, 0])
    assert plain == key(ImageOrientationPatient=[1, 0, 0, 0, 0.80001, -0.59999])
    for other in (dict(columns=41), dict(rows=38), dict(dtype="i2"), dict(dtype="u1"), dict(stored=12),
                  dict(samples=3), dict(SeriesInstanceUID="1.2.3.7"), dict(PhotometricInterpretation="MONOCHROME1"),
                  dict(ImageOrientationPatient=[0, 1, 0, 0, 0, -1]), dict(PixelSpacing=[0.7, 0.6]),
                  dict(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])):
        assert key(**other)[1] != plain[1], other
    # Without a usable series identifier each instance stands alone, under a name that is safe in a path.
    assert key(SeriesInstanceUID=None)[0] == "1.2.3.4.1"
    assert key(SeriesInstanceUID="../../etc")[0] == "1.2.3.4.1"
    assert key(SeriesInstanceUID=None, SOPInstanceUID=None)[0].startswith("2.25.")
    mixed = [make("mixed1.dcm"), make("mixed2.dcm", columns=41, seed=2)]
    assert "another kind" in run("describe", *mixed, fails=True)


def test_detection():
    """By content, with and without preamble and meta information; nothing else."""
    yes = [make("a.dcm"), make("b.dcm", meta=False), make("c.dcm", meta=False, syntax=ImplicitVRLittleEndian),
           make("d.dcm", meta=False, syntax=ExplicitVRBigEndian)]
    for name, start in (("e.dcm", 128), ):  # meta information without preamble
        with open(os.path.join(WORK, name), "wb") as file:
            file.write(content(yes[0])[start + 4:])
        yes.append(os.path.join(WORK, name))
    assert run("detect", *yes).split() == ["dicom"] * 5
    facts = [{key: value for key, value in describe(path).items() if key != "warning"} for path in yes]
    assert facts[4] == facts[0] == facts[3]
    assert content(write(0, "native", yes[4])[0]) == content(yes[4])
    check_derived(pydicom.dcmread(yes[0]), pydicom.dcmread(write(1, "native", yes[4])[0], force=True), 1)
    rng = np.random.default_rng(5)
    noise = [b"", b"\x08", b"\x08\0" * 40, bytes(1000), b"\x08\0\x05\0" + bytes(40), b"%PDF-1.4" + bytes(200),
             b"\x08\0\0\0\x04\0\0\0", *(b"\x08\0" + rng.bytes(600) for _ in range(300))]
    others = []
    for i, data in enumerate(noise):
        others.append(os.path.join(WORK, f"noise{i}"))
        with open(others[-1], "wb") as file:
            file.write(data)
    if HAVE_DATA:
        others += [f"{DATA}/nifti/functional.nii", f"{DATA}/README.md", *glob.glob(f"{DATA}/cxr/images/*"),
                   f"{DATA}/dicom/misc/no_meta.dcm"]  # which starts with a stray byte
        assert run("detect", f"{DATA}/dicom/misc/rtstruct.dcm", f"{DATA}/dicom/misc/OT-PAL-8-face.dcm") == "dicom\ndicom"
    assert set(run("detect", *others).split()) == {"other"}


def test_gaps():
    """Attributes that ought to be there."""
    path = make("gaps.dcm", SOPInstanceUID=None, SeriesInstanceUID=None, ImageType=None, SamplesPerPixel=None,
                BitsStored=None, HighBit=None, meta=False)
    assert describe(path)["precision"] == 16
    assert content(write(0, "native", path)[0]) == content(path)
    after = pydicom.dcmread(write(1, "native", path)[0], force=True)
    other = make("gaps2.dcm", SOPInstanceUID=None, SeriesInstanceUID=None, PatientName="Roe", meta=False)
    assert after.SOPInstanceUID != pydicom.dcmread(write(1, "native", other)[0], force=True).SOPInstanceUID
    assert after.ImageType == ["DERIVED", "PRIMARY"] and "SourceImageSequence" not in after


def test_starvation():
    for reduce in (0, 1):
        assert int(run("starve", reduce, tempfile.mkdtemp(dir=WORK), make("s1.dcm"), make("s2.dcm")).split()[0]) > 10


def test_damage():
    path = make("whole.dcm", ReferencedImageSequence=Sequence([Dataset()]))
    whole = content(path)
    cut = os.path.join(WORK, "cut.dcm")
    for size in [0, 1, 100, 131, 132, 140, 300, 500, len(whole) - 200]:
        with open(cut, "wb") as file:
            file.write(whole[:size])
        run("group", cut, fails=True)
    refused(cut, "truncated", "pixel data of")
    # Sequences nested a hundred thousand deep, with lengths (both codings) and without.
    head = whole[:whole.index(b"\x08\x00\x08\x00CS")]
    for syntax, coded in ((ExplicitVRLittleEndian, True), (ImplicitVRLittleEndian, False)):
        start = make("start.dcm", syntax=syntax)
        head = content(start)[:content(start).index(b"\x08\x00\x08\x00")]
        for sized in (False, True):
            deep, depth = b"", 100000 if not sized else 3000
            for _ in range(depth if sized else 0):
                item = b"\xfe\xff\x00\xe0" + len(deep).to_bytes(4, "little") + deep
                deep = b"\x08\x00\x40\x11" + (b"SQ\0\0" if coded else b"") + len(item).to_bytes(4, "little") + item
            if not sized:
                deep = (b"\x08\x00\x40\x11" + (b"SQ\0\0" if coded else b"") + b"\xff" * 4 +
                        b"\xfe\xff\x00\xe0" + b"\xff" * 4) * depth
            with open(cut, "wb") as file:
                file.write(head + deep)
            refused(cut, "limit", "nested")
    counts = [run("hostile", 1, 400, WORK, path)]
    counts.append(run("hostile", 2, 150, WORK, make("target.dcm", syntax=ImplicitVRLittleEndian)))
    counts.append(run("hostile", 3, 150, WORK, make("target.dcm", syntax=ExplicitVRBigEndian, samples=3, dtype="u1")))
    counts.append(run("hostile", 4, 150, WORK, enhanced("target.dcm", [1, 2, 3])))
    print(*counts, sep="\n")


REAL = """CT_small ExplVR_BigEnd MR-SIEMENS-DICOM-WithOverlays MR_small MR_small_bigendian MR_small_implicit SC_rgb
SC_rgb_16bit SC_rgb_16bit_2frame SC_rgb_expb SC_rgb_gdcm2k_uncompressed badVR color-pl emri_small rtdose_1frame""".split()


def test_real_files():
    paths = [f"{DATA}/dicom/misc/{name}.dcm" for name in REAL] + sorted(glob.glob(f"{DATA}/dicom/wg04/*.UNC.dcm"))
    assert len(paths) == len(REAL) + 7
    for path in paths:
        out = write(0, "native", path)[0]
        assert content(out) == content(path), path
        if "badVR" in path:
            continue  # pydicom does not read its NumberOfFrames
        check_reduced(path, 1)
        check_reduced(path, 3)
    counts = [run("hostile", 5, 100, WORK, f"{DATA}/dicom/misc/{name}.dcm") for name in ("MR_small", "emri_small")]
    print(*counts, sep="\n")


def test_refusals():
    expected = {"rtplan": ("not-found", "without pixel data"), "rtstruct": ("not-found", "without pixel data"),
                "test-SR": ("not-found", "without pixel data"), "no_meta": ("truncated", "dataset")}
    for name, (status, words) in expected.items():
        refused(f"{DATA}/dicom/misc/{name}.dcm", status, words)
    refused(os.path.join(WORK, "missing"), "not-found", "missing")


def test_series():
    ct = sorted(glob.glob(f"{DATA}/ct-head-philips/*"))
    mr = sorted(glob.glob(f"{DATA}/mr-brain-t1post/*.dcm"))
    for paths in (ct, mr):
        assert len({run("group", path) for path in paths}) == 1
        order = describe(*paths)["order"]
        items = [pydicom.dcmread(paths[i], stop_before_pixels=True) for i in order]
        normal = np.cross(*np.array(items[0].ImageOrientationPatient, float).reshape(2, 3))
        depths = [np.dot(normal, np.array(i.ImagePositionPatient, float)) for i in items]
        assert depths == sorted(depths)
        assert all(content(a) == content(b) for a, b in zip(paths, write(0, "native", *paths)))
        for path in paths[::9]:
            check_reduced(path, 2)
    if not shutil.which("dcm2niix"):
        print("skipped: dcm2niix is missing")
        return
    import nibabel

    def convert(paths):
        directory = os.path.dirname(paths[0])
        out = tempfile.mkdtemp(dir=WORK)
        subprocess.run(["dcm2niix", "-f", "v", "-b", "n", "-o", out, directory], check=True, capture_output=True)
        return nibabel.load(min(glob.glob(f"{out}/*.nii"), key=len))

    for paths in (ct, mr):
        full, small = convert(paths), convert(write(2, "native", *paths))
        assert full.shape[2] == small.shape[2] == len(paths) and small.shape[:2] == (128, 128)
        # dcm2niix turns rows upside down: its row j of n is row n - 1 - j of the file. So its first voxel is row 511 of
        # the full file and row 127 of the small one, which lies on row 508 of the full one: 3 rows further.
        item = pydicom.dcmread(paths[0], stop_before_pixels=True)
        up = np.array([1, 1, -1]) * np.array(item.ImageOrientationPatient[3:], float) * float(item.PixelSpacing[0])
        assert np.allclose(small.affine[:3, 3], full.affine[:3, 3] + 3 * up, atol=1e-3)
        # (The columns only as far as they go: for this CT's gantry tilt dcm2niix changes them in both.)
        assert np.allclose(small.affine[:3, :2], 4 * full.affine[:3, :2], atol=1e-4)
        assert np.allclose(small.affine[:3, 2], full.affine[:3, 2], atol=1e-4)
        j = np.arange(128)
        assert np.array_equal(np.asarray(full.dataobj)[::4][:, 511 - 4 * j], np.asarray(small.dataobj)[:, 127 - j])


def main():
    tests = [test_synthetic, test_geometry, test_shapes_in_pixels, test_multiframe, test_order, test_groups,
             test_detection, test_gaps, test_starvation, test_damage]
    if HAVE_DATA:
        tests += [test_real_files, test_refusals, test_series]
    else:
        print(f"skipped: {DATA} is absent, so no real files")
    if not shutil.which("dcmdump"):
        print("skipped: dcmdump is missing")
        sys.exit(77)
    try:
        for test in tests:
            test()
            print(f"{test.__name__}: passed")
    finally:
        shutil.rmtree(WORK)


main()
