"""DICOM series made by pydicom for test_dcm2niix.py: each function makes one folder of files that one scan could be."""
import pathlib
import shutil

import numpy
import pydicom
import pydicom.dataset
import pydicom.uid

CLASSES = {"CT": "1.2.840.10008.5.1.4.1.1.2", "MR": "1.2.840.10008.5.1.4.1.1.4", "PT": "1.2.840.10008.5.1.4.1.1.128",
           "MF": "1.2.840.10008.5.1.4.1.1.4.1", "SC": "1.2.840.10008.5.1.4.1.1.7"}
AXIAL = (1, 0, 0, 0, 1, 0)
SAGITTAL = (0, 1, 0, 0, 0, -1)
CORONAL = (1, 0, 0, 0, 0, -1)
OBLIQUE = (0.96, 0.28, 0, -0.28 * 0.8, 0.96 * 0.8, -0.6)


def texture(rows, columns, seed):
    """A picture whose flips and transpositions all differ."""
    y, x = numpy.mgrid[0:rows, 0:columns]
    noise = numpy.random.default_rng(seed).integers(0, 50, (rows, columns))
    return (x * 7 + y * 3 + seed * 37 % 500 + noise).astype("u2")


def normal(orientation):
    return numpy.cross(orientation[:3], orientation[3:])


def instance(folder, number, kind="MR", pixels=None, orientation=AXIAL, position=(-50, -60, -20), spacing=(0.9, 1.1),
             thickness=4, series="1.2.826.0.1.3680043.8.498.1", name=None, syntax=pydicom.uid.ExplicitVRLittleEndian,
             **more):
    """Writes one file. `more`: further attributes by keyword; None takes one away."""
    rows, columns = pixels.shape[:2]
    dataset = pydicom.dataset.Dataset()
    dataset.SOPClassUID = CLASSES[kind]
    dataset.SOPInstanceUID = f"{series}.{number}.{len(list(folder.iterdir()))}"
    dataset.SeriesInstanceUID = series
    dataset.StudyInstanceUID = "1.2.826.0.1.3680043.8.498.2"
    dataset.FrameOfReferenceUID = "1.2.826.0.1.3680043.8.498.3"
    dataset.Modality = {"MF": "MR", "SC": "OT"}.get(kind, kind)
    dataset.Manufacturer = "ACME"
    dataset.PatientName, dataset.PatientID, dataset.PatientPosition = "Nobody^Someone", "NAMELESS", "HFS"
    dataset.StudyDate = dataset.SeriesDate = dataset.AcquisitionDate = "20200102"
    dataset.StudyTime = dataset.SeriesTime = "101010"
    dataset.ProtocolName, dataset.SeriesDescription = "a protocol", "a series"
    dataset.SeriesNumber, dataset.InstanceNumber, dataset.AcquisitionNumber = 7, number, 1
    dataset.AcquisitionTime = dataset.ContentTime = "101112.0"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "OTHER" if kind != "CT" else "AXIAL"]
    if orientation is not None:
        dataset.ImageOrientationPatient = [round(float(v), 6) for v in orientation]
        dataset.ImagePositionPatient = [round(float(v), 6) for v in position]
    dataset.PixelSpacing, dataset.SliceThickness = list(spacing), thickness
    dataset.SamplesPerPixel = pixels.shape[2] if pixels.ndim == 3 else 1
    dataset.PhotometricInterpretation = "RGB" if pixels.ndim == 3 else "MONOCHROME2"
    if pixels.ndim == 3:
        dataset.PlanarConfiguration = 0
    dataset.Rows, dataset.Columns = rows, columns
    dataset.BitsAllocated = dataset.BitsStored = 8 * pixels.dtype.itemsize
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    dataset.PixelData = pixels.tobytes()
    for key, value in more.items():
        if value is None:
            delattr(dataset, key)
        else:
            setattr(dataset, key, value)
    save(dataset, folder / (name or f"i{number:04}.dcm"), syntax)
    return dataset


def save(dataset, path, syntax=pydicom.uid.ExplicitVRLittleEndian):
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.is_little_endian = syntax != pydicom.uid.ExplicitVRBigEndian
    dataset.is_implicit_VR = syntax == pydicom.uid.ImplicitVRLittleEndian
    dataset.save_as(path, write_like_original=False)


def stack(folder, count=5, step=4.0, kind="MR", orientation=AXIAL, start=(-50, -60, -20), order=None, skip=(), rows=24,
          columns=32, first=1, seed=0, per=None, **more):
    """Slices `step` apart along the normal, numbered as `order` (slice indices) goes."""
    order = list(range(count)) if order is None else order
    for number, k in enumerate(order):
        if k in skip:
            continue
        extra = dict(more)
        extra.update(per(k) if per else {})
        position = numpy.array(start) + normal(orientation) * step * k
        pixels = extra.pop("pixels", None)
        pixels = texture(rows, columns, seed * 100 + k) if pixels is None else pixels
        extra.setdefault("thickness", abs(step))
        instance(folder, first + number, kind, pixels, orientation, extra.pop("position", position), **extra)


def axial(folder):
    stack(folder)


def axial_down(folder):
    stack(folder, step=-4.0)


def axial_down_renumbered(folder):
    stack(folder, order=[4, 3, 2, 1, 0])


def shuffled(folder):
    stack(folder, count=7, order=[3, 0, 5, 1, 6, 2, 4])


def sagittal(folder):
    stack(folder, orientation=SAGITTAL, start=(60, -100, 90))


def sagittal_left_to_right(folder):
    stack(folder, orientation=SAGITTAL, start=(-60, -100, 90), step=-4.0)


def coronal(folder):
    stack(folder, orientation=CORONAL, start=(-80, -100, 90))


def coronal_back_to_front(folder):
    stack(folder, orientation=CORONAL, start=(-80, 100, 90), step=-3.0)


def oblique(folder):
    stack(folder, orientation=OBLIQUE, start=(-80, -100, 20))


def oblique_down(folder):
    stack(folder, orientation=OBLIQUE, start=(-80, -100, 20), step=-2.5)


def one_slice(folder):
    stack(folder, count=1)


def two_slices(folder):
    stack(folder, count=2)


def feet_first(folder):
    stack(folder, orientation=(-1, 0, 0, 0, 1, 0), start=(70, -60, 20), PatientPosition="FFS")


def ct(folder):
    stack(folder, kind="CT", RescaleSlope=1, RescaleIntercept=-1024)


def ct_signed(folder):
    stack(folder, kind="CT", RescaleSlope=1, RescaleIntercept=-1024,
          per=lambda k: {"pixels": (texture(24, 32, k).astype("i2") - 300)})


def ct_u16_large(folder):
    stack(folder, kind="CT", RescaleSlope=1, RescaleIntercept=-1024,
          per=lambda k: {"pixels": texture(24, 32, k) + numpy.uint16(40000)})


def ct_12bit(folder):
    stack(folder, kind="CT", RescaleSlope=1, RescaleIntercept=-1024, BitsStored=12, HighBit=11)


def ct_slope_half(folder):
    stack(folder, kind="CT", RescaleSlope=0.5, RescaleIntercept=10)


def eight_bit(folder):
    stack(folder, per=lambda k: {"pixels": (texture(24, 32, k) % 256).astype("u1")})


def eight_bit_signed(folder):
    stack(folder, per=lambda k: {"pixels": (texture(24, 32, k) % 256).astype("u1").view("i1")})


def thirty_two_bit(folder):
    stack(folder, kind="CT", per=lambda k: {"pixels": texture(24, 32, k).astype("u4") * 70000})


def thirty_two_bit_signed(folder):
    stack(folder, kind="CT", per=lambda k: {"pixels": texture(24, 32, k).astype("i4") * 70000 - 5000000})


def pet(folder):
    """Slopes differ from slice to slice."""
    stack(folder, kind="PT", Units="BQML", per=lambda k: {"RescaleSlope": 0.5 + 0.25 * k, "RescaleIntercept": 0})


def pet_one_slope(folder):
    stack(folder, kind="PT", Units="BQML", RescaleSlope=0.75, RescaleIntercept=0)


def ct_intercepts(folder):
    stack(folder, kind="CT", per=lambda k: {"RescaleSlope": 1, "RescaleIntercept": -1000 - k})


def times_by_temporal(folder):
    for t in range(3):
        stack(folder, count=4, first=1 + 4 * t, seed=t, TemporalPositionIdentifier=t + 1, NumberOfTemporalPositions=3,
              RepetitionTime=2000, AcquisitionTime=f"1011{12 + 2 * t:02}.0")


def times_by_temporal_interleaved(folder):
    """Instance numbers go through the times of one slice first."""
    for k in range(4):
        for t in range(3):
            instance(folder, 1 + 3 * k + t, "MR", texture(24, 32, 100 * t + k), AXIAL, (-50, -60, -20 + 4 * k),
                     TemporalPositionIdentifier=t + 1, NumberOfTemporalPositions=3, RepetitionTime=2000)


def times_by_acquisition(folder):
    for t in range(3):
        stack(folder, count=4, first=1 + 4 * t, seed=t, AcquisitionNumber=t + 1, RepetitionTime=1500,
              AcquisitionTime=f"1011{12 + 2 * t:02}.0")


def times_by_acquisition_same_numbers(folder):
    """Instance numbers start again with each acquisition."""
    for t in range(3):
        for k in range(4):
            instance(folder, 1 + k, "MR", texture(24, 32, 100 * t + k), AXIAL, (-50, -60, -20 + 4 * k),
                     AcquisitionNumber=t + 1, RepetitionTime=1500, AcquisitionTime=f"1011{12 + 2 * t:02}.0",
                     name=f"a{t}_{k}.dcm")


def times_by_clock(folder):
    for t in range(3):
        stack(folder, count=4, first=1 + 4 * t, seed=t, RepetitionTime=2500, AcquisitionTime=f"1011{12 + 3 * t:02}.5",
              ContentTime=f"1011{12 + 3 * t:02}.5")


def times_down(folder):
    for t in range(2):
        stack(folder, count=4, step=-4.0, first=1 + 4 * t, seed=t, AcquisitionNumber=t + 1, RepetitionTime=2000)


def times_incomplete(folder):
    """The last slice of the last time is missing."""
    for t in range(3):
        stack(folder, count=4, first=1 + 4 * t, seed=t, skip=(3,) if t == 2 else (), TemporalPositionIdentifier=t + 1,
              RepetitionTime=2000)


def ct_times(folder):
    for t in range(2):
        stack(folder, count=4, first=1 + 4 * t, seed=t, kind="CT", AcquisitionNumber=t + 1, RescaleSlope=1,
              RescaleIntercept=-1024, AcquisitionTime=f"1011{12 + 2 * t:02}.0")


def pet_times(folder):
    for t in range(2):
        stack(folder, count=4, first=1 + 4 * t, seed=t, kind="PT", ActualFrameDuration=60000,
              FrameReferenceTime=30000 + 60000 * t, AcquisitionTime=f"1011{12 + 20 * t:02}.0", NumberOfTimeSlices=2,
              per=lambda k, t=t: {"RescaleSlope": 0.5 + 0.25 * k + t, "RescaleIntercept": 0})


def echoes(folder):
    """Two echoes in one series: dcm2niix makes two files."""
    for e in range(2):
        stack(folder, count=4, first=1 + 4 * e, seed=e, EchoNumbers=e + 1, EchoTime=10 + 20 * e, RepetitionTime=3000)


def echoes_interleaved(folder):
    for k in range(4):
        for e in range(2):
            instance(folder, 1 + 2 * k + e, "MR", texture(24, 32, 100 * e + k), AXIAL, (-50, -60, -20 + 4 * k),
                     EchoNumbers=e + 1, EchoTime=10 + 20 * e, RepetitionTime=3000)


def diffusion(folder):
    for b in range(3):
        stack(folder, count=4, first=1 + 4 * b, seed=b, DiffusionBValue=500.0 * b, AcquisitionNumber=b + 1,
              RepetitionTime=5000)


def gap(folder):
    stack(folder, count=8, skip=(3,))


def gap_early(folder):
    stack(folder, count=8, skip=(1,))


def gap_last(folder):
    stack(folder, count=8, skip=(6,))


def gap_renumbered(folder):
    stack(folder, count=7, per=lambda k: {"position": (-50, -60, -20 + 4 * (k if k < 3 else k + 1))})


def gap_ct(folder):
    stack(folder, count=8, skip=(3,), kind="CT", RescaleSlope=1, RescaleIntercept=-1024)


def uneven(folder):
    stack(folder, count=6, per=lambda k: {"position": (-50, -60, -20 + (0, 4, 8.2, 12, 17, 20)[k])})


def jitter(folder):
    stack(folder, count=6, per=lambda k: {"position": (-50, -60, -20 + (0, 4.01, 8, 11.99, 16, 20)[k])})


def duplicates(folder):
    stack(folder, count=5)
    stack(folder, count=5, skip=(0, 3), name=None, per=lambda k: {"name": f"copy{k}.dcm"})


def duplicates_all(folder):
    stack(folder, count=5)
    stack(folder, count=5, per=lambda k: {"name": f"copy{k}.dcm"})


def several_folders(folder):
    stack(folder, count=6, per=lambda k: {"name": f"{'ab'[k % 2]}/i{k}.dcm"})


def localizer(folder):
    """Three slices of another orientation and a scout of another size in one series."""
    stack(folder, count=5)
    stack(folder, count=3, first=6, orientation=SAGITTAL, start=(60, -100, 90), seed=3,
          ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])


def scout_of_other_size(folder):
    stack(folder, count=1, rows=40, columns=40, kind="CT", seed=4, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"],
          RescaleSlope=1, RescaleIntercept=-1024)
    stack(folder, count=5, first=2, kind="CT", RescaleSlope=1, RescaleIntercept=-1024)


def tilt(folder):
    """A gantry tilted by 15 degrees: slices move along the table, not along their normal."""
    angle = numpy.deg2rad(15)
    plane = (1, 0, 0, 0, numpy.cos(angle), -numpy.sin(angle))
    stack(folder, count=6, kind="CT", orientation=plane, GantryDetectorTilt=15, RescaleSlope=1, RescaleIntercept=-1024,
          per=lambda k: {"position": (-50, -60, -20 + 4 * k)})


def sheared_mr(folder):
    """Positions beside the normal in MR."""
    stack(folder, count=6, per=lambda k: {"position": (-50, -60 + 0.5 * k, -20 + 4 * k)})


def without_positions(folder):
    stack(folder, count=4, orientation=AXIAL, ImagePositionPatient=None, ImageOrientationPatient=None)


def rgb(folder):
    stack(folder, count=3, kind="SC", per=lambda k: {"pixels": numpy.stack(
        [texture(24, 32, 10 * k + c) % 256 for c in range(3)], axis=-1).astype("u1")})


def phase_and_magnitude(folder):
    stack(folder, count=4, first=1, ImageType=["ORIGINAL", "PRIMARY", "M", "ND"], Manufacturer="SIEMENS")
    stack(folder, count=4, first=5, seed=2, ImageType=["ORIGINAL", "PRIMARY", "P", "ND"], Manufacturer="SIEMENS")


def big_endian(folder):
    stack(folder, count=3, kind="CT", RescaleSlope=1, RescaleIntercept=-1024, syntax=pydicom.uid.ImplicitVRLittleEndian)


def spacing_between(folder):
    stack(folder, count=4, step=5.0, thickness=3.5, SpacingBetweenSlices=5)


def one_slice_spacing_between(folder):
    stack(folder, count=1, thickness=3.5, SpacingBetweenSlices=5)


def philips(folder):
    stack(folder, count=4, Manufacturer="Philips Medical Systems", RescaleSlope=2.5, RescaleIntercept=0)


def philips_scale(folder):
    """The private scale slope that makes values comparable between series."""
    for k in range(4):
        dataset = instance(folder, k + 1, "MR", texture(24, 32, k), AXIAL, (-50, -60, -20 + 4 * k),
                           Manufacturer="Philips Medical Systems", RescaleSlope=2.5, RescaleIntercept=-7)
        block = dataset.private_block(0x2005, "Philips MR Imaging DD 001", create=True)
        block.add_new(0x0E, "FL", 0.25)
        save(dataset, folder / f"i{k + 1:04}.dcm")


def same_instances(folder):
    """Two files are there twice, as downloads leave them."""
    stack(folder, count=5)
    for k in (1, 2):
        shutil.copy(folder / f"i{k:04}.dcm", folder / f"i{k:04} (1).dcm")


def acquisitions_against_numbers(folder):
    stack(folder, count=4, first=5, seed=0, AcquisitionNumber=1)
    stack(folder, count=4, first=1, seed=1, AcquisitionNumber=2)


def temporal_against_numbers(folder):
    stack(folder, count=4, first=5, seed=0, TemporalPositionIdentifier=1)
    stack(folder, count=4, first=1, seed=1, TemporalPositionIdentifier=2)


def echo_times_without_numbers(folder):
    for e in range(2):
        stack(folder, count=4, first=1 + 4 * e, seed=e, EchoTime=10 + 20 * e, RepetitionTime=3000)


def clock_with(folder, seconds, said):
    for t, second in enumerate(seconds):
        stack(folder, count=3, first=1 + 3 * t, seed=t, AcquisitionNumber=t + 1, RepetitionTime=said,
              AcquisitionTime=f"1011{12 + second:09.6f}")


def clock_near(folder):
    clock_with(folder, (0, 2.02, 4.04), 2000)


def clock_only(folder):
    clock_with(folder, (0, 2.5, 5), 0)


def clock_uneven(folder):
    clock_with(folder, (0, 2, 5, 9), 1000)


def triggers(folder):
    for t in range(3):
        stack(folder, count=3, first=1 + 3 * t, seed=t, RepetitionTime=1000, TriggerTime=200 * t)


def siemens(folder):
    stack(folder, count=4, Manufacturer="SIEMENS", RepetitionTime=2000, EchoTime=30, FlipAngle=80,
          MagneticFieldStrength=3, InPlanePhaseEncodingDirection="COL", ScanningSequence="EP", SequenceVariant="SK")


def ge(folder):
    stack(folder, count=4, Manufacturer="GE MEDICAL SYSTEMS", RepetitionTime=2000, EchoTime=30, FlipAngle=80,
          MagneticFieldStrength=1.5, InPlanePhaseEncodingDirection="ROW")


def multi_frame(folder, times=1, slices=4, swap=False, step=4, maker="Philips Medical Systems"):
    """Enhanced MR: positions in per-frame functional groups, one file."""
    picture = pydicom.dataset.Dataset
    order = [(t, k) for t in range(times) for k in range(slices)]
    if swap:
        order = [(t, k) for k in range(slices) for t in range(times)]
    pixels = numpy.stack([texture(24, 32, 100 * t + k) for t, k in order])
    dataset = instance(folder, 1, "MF", pixels[0], AXIAL, name="enhanced.dcm", Manufacturer=maker)
    for keyword in ("PixelSpacing", "SliceThickness", "ImagePositionPatient", "ImageOrientationPatient"):
        delattr(dataset, keyword)
    dataset.NumberOfFrames = len(order)
    dataset.PixelData = pixels.tobytes()
    shared = picture()
    measures = picture()
    measures.PixelSpacing, measures.SliceThickness, measures.SpacingBetweenSlices = [0.9, 1.1], 4, 4
    orientation = picture()
    orientation.ImageOrientationPatient = list(AXIAL)
    transformation = picture()
    transformation.RescaleSlope, transformation.RescaleIntercept, transformation.RescaleType = 2, -5, "US"
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [orientation]
    shared.PixelValueTransformationSequence = [transformation]
    dataset.SharedFunctionalGroupsSequence = [shared]
    frames = []
    for t, k in order:
        frame, position, content = picture(), picture(), picture()
        position.ImagePositionPatient = [-50, -60, -20 + step * k]
        content.StackID, content.InStackPositionNumber = "1", k + 1
        content.TemporalPositionIndex = t + 1
        content.DimensionIndexValues = [1, k + 1, t + 1]
        frame.PlanePositionSequence, frame.FrameContentSequence = [position], [content]
        frames.append(frame)
    dataset.PerFrameFunctionalGroupsSequence = frames
    dimensions = []
    for pointer, group in ((0x00209056, 0x00209111), (0x00209057, 0x00209111), (0x00209128, 0x00209111)):
        one = picture()
        one.DimensionIndexPointer, one.FunctionalGroupPointer = pointer, group
        dimensions.append(one)
    dataset.DimensionIndexSequence = dimensions
    save(dataset, folder / "enhanced.dcm")


def multi_frame_times(folder):
    multi_frame(folder, times=3)


def multi_frame_times_swapped(folder):
    multi_frame(folder, times=3, swap=True)


def multi_frame_down(folder):
    multi_frame(folder, step=-4)


def multi_frame_times_of_unknown_maker(folder):
    multi_frame(folder, times=3, maker="ACME")


def multi_frame_without_positions(folder):
    pixels = numpy.stack([texture(24, 32, k) for k in range(3)])
    dataset = instance(folder, 1, "SC", pixels[0], None)
    dataset.NumberOfFrames, dataset.PixelData = 3, pixels.tobytes()
    save(dataset, folder / "i0001.dcm")


def without_positions_3d(folder):
    stack(folder, count=4, orientation=AXIAL, ImagePositionPatient=None, ImageOrientationPatient=None,
          MRAcquisitionType="3D")


def csa(values):
    """A Siemens CSA header ("SV10") of name -> list of texts."""
    out = b"SV10\x04\x03\x02\x01" + len(values).to_bytes(4, "little") + (77).to_bytes(4, "little")
    for name, items in values.items():
        out += name.encode().ljust(64, b"\0") + (1).to_bytes(4, "little") + b"IS\0\0" + (6).to_bytes(4, "little")
        padded = 6
        out += padded.to_bytes(4, "little") + (77).to_bytes(4, "little")
        for i in range(padded):
            text = items[i].encode() + b"\0" if i < len(items) else b""
            out += b"".join(n.to_bytes(4, "little") for n in (len(text), len(text), 77, len(text)))
            out += text + bytes(-len(text) % 4)
    return out


def mosaic(folder, count=7, times=2, orientation=AXIAL, flip=1, rows=16, columns=20, unused=0,
           syntax=pydicom.uid.ExplicitVRLittleEndian, change=None):
    """Siemens mosaics: one file a time, the slices as tiles of one picture; `unused`: what is in the tiles behind."""
    side = int(numpy.ceil(numpy.sqrt(count)))
    for t in range(times):
        picture = numpy.full((side * rows, side * columns), unused, "u2")
        for k in range(count):
            r, c = divmod(k, side)
            picture[r * rows:(r + 1) * rows, c * columns:(c + 1) * columns] = texture(rows, columns, 100 * t + k)
        n = normal(orientation) * flip
        first = numpy.array((-30, -40, -20.0))
        spacing = (1.5, 2.0)
        # The file's position is that of a picture of the mosaic's size around the first slice's centre.
        shift = (numpy.array(orientation[:3]) * spacing[1] * (side * columns - columns) / 2
                 + numpy.array(orientation[3:]) * spacing[0] * (side * rows - rows) / 2)
        dataset = instance(folder, t + 1, "MR", picture, orientation, first - shift, spacing, 4, Manufacturer="SIEMENS",
                           ImageType=["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"], AcquisitionNumber=t + 1,
                           SpacingBetweenSlices=4.5, RepetitionTime=2000, SoftwareVersions="syngo MR B17",
                           AcquisitionTime=f"1011{12 + 2 * t:02}.0")
        block = dataset.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
        header = {"Rows": [f"{side * rows:<8}"], "Columns": [f"{side * columns:<8}"],
                  "PixelSpacing": [f"{v:.8f}" for v in spacing],
                  "ImagePositionPatient": [f"{v:.8f}" for v in first - shift],
                  "NumberOfImagesInMosaic": [f"{count:8}"],
                  "SliceNormalVector": [f"{v:.8f}" for v in n],
                  "MosaicRefAcqTimes": [f"{100.0 * k:.1f}" for k in range(6)],
                  "BandwidthPerPixelPhaseEncode": ["20.5"], "PhaseEncodingDirectionPositive": ["1"]}
        block.add_new(0x08, "CS", "IMAGE NUM 4")
        block.add_new(0x10, "OB", csa(header))
        block = dataset.private_block(0x0019, "SIEMENS MR HEADER", create=True)
        block.add_new(0x0A, "US", count)
        if change:
            change(dataset)
        save(dataset, folder / f"i{t + 1:04}.dcm", syntax)


def mosaic_one(folder):
    mosaic(folder, times=1)


def mosaic_oblique(folder):
    mosaic(folder, orientation=OBLIQUE)


def mosaic_flipped(folder):
    mosaic(folder, flip=-1)


def all_cases():
    helpers = {"texture", "normal", "instance", "save", "stack", "csa", "all_cases", "clock_with"}
    return {name: value for name, value in globals().items()
            if callable(value) and getattr(value, "__module__", "") == __name__ and name not in helpers}


if __name__ == "__main__":
    import sys
    for name, make in all_cases().items():
        folder = pathlib.Path(sys.argv[1]) / name
        folder.mkdir(parents=True, exist_ok=True)
        make(folder)
