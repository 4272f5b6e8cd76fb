#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Every kind of DICOM that archives hold, read into frames and written again; others decode it, too.

usage: test_dicom_in.py DICOM_TOOL [-v] [--keep DIRECTORY]
-v prints class, file, result, restored, judged by; --keep leaves the made files (some are in fuzz/corpus/dicom)

Judges: numpy on the bytes that pydicom gives (samples that are not compressed, RLE, deflated), the UNC file beside a
lossless one of WG-04, dcmdjpeg, dcmdjpls, opj_decompress, ojph_expand.
"""
import glob
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import warnings
import zlib

try:
    import numpy as np
    import pydicom
    from pydicom._uid_dict import UID_dictionary
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.encaps import encapsulate, generate_pixel_data_frame
    from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

warnings.simplefilter("ignore")
TOOL = sys.argv[1]
SHARED = os.environ.get("MIST_SHARED", "../shared")
KEEP = sys.argv[sys.argv.index("--keep") + 1] if "--keep" in sys.argv else None
WORK = KEEP or tempfile.mkdtemp(prefix="mist-dicom-in-")
ROWS = []

for syntax in ("4.201", "4.202", "4.203", "1.98", "8.1"):  # newer than this pydicom
    UID_dictionary["1.2.840.10008.1.2." + syntax] = (syntax, "Transfer Syntax", "", "", "")
TYPES = {"u8": "u1", "s8": "i1", "u16": "u2", "s16": "i2", "u32": "u4", "s32": "i4", "f32": "f4", "f64": "f8"}


# ---- MIST ----


def run(*words):
    done = subprocess.run([TOOL, *map(str, words)], capture_output=True, text=True, timeout=120)
    assert done.stderr == "" and done.returncode in (0, 1), f"{words}: {done.returncode} {done.stderr}"
    return done.stdout.strip()


def frames(path):
    """What MIST reads: facts and samples, or the sentence with which it refuses."""
    out = os.path.join(WORK, "samples")
    text = run("samples", out, path)
    if text.startswith("!"):
        assert "\n" not in text, text
        return text, None
    facts = json.loads(text)
    shape = (facts["frames"], facts["height"], facts["width"], facts["components"])
    return facts, np.fromfile(out, TYPES[facts["type"]]).reshape(shape)


def write(verb, *words):
    """The file that MIST writes."""
    directory = tempfile.mkdtemp(dir=WORK)
    text = run(verb, *words[:-1], directory, words[-1])
    assert text == "", text
    return os.path.join(directory, os.path.basename(words[-1]))


def content(path):
    with open(path, "rb") as file:
        return file.read()


# ---- judges ----


def stored(item, raw, order="<"):
    """Samples of bytes that are not compressed, by PS3.5, 8.1: an implementation of its own."""
    count, shape = int(item.get("NumberOfFrames", 1) or 1), (item.Rows, item.Columns)
    samples, allocated = item.get("SamplesPerPixel", 1), item.get("BitsAllocated")
    bits, high = item.get("BitsStored", allocated), item.get("HighBit", item.get("BitsStored", allocated) - 1)
    signed = item.get("PixelRepresentation", 0)
    total = count * shape[0] * shape[1] * samples
    if allocated % 8:
        flat = np.unpackbits(np.frombuffer(raw, "u1"), bitorder="little")[:total * allocated]
        flat = (flat.reshape(total, allocated).astype("u4") << np.arange(allocated, dtype="u4")).sum(1).astype("u4")
    else:
        raw = raw + b"\0" * (total * allocated // 8 - len(raw))
        flat = np.frombuffer(raw[:total * allocated // 8], f"{order}u{allocated // 8}").astype("u8")
        flat = flat >> (high + 1 - bits) & ((1 << bits) - 1)
        if signed:
            flat = np.where(flat >> (bits - 1) & 1, flat.astype("i8") - (1 << bits), flat.astype("i8"))
    if samples > 1 and item.get("PlanarConfiguration", 0):
        return flat.reshape(count, samples, *shape).transpose(0, 2, 3, 1)
    return flat.reshape(count, *shape, samples)


def native(path):
    item = pydicom.dcmread(path, force=True)
    if "FloatPixelData" in item or "DoubleFloatPixelData" in item:
        raw, kind = (item.FloatPixelData, "<f4") if "FloatPixelData" in item else (item.DoubleFloatPixelData, "<f8")
        return np.frombuffer(raw, kind).reshape(int(item.get("NumberOfFrames", 1)), item.Rows, item.Columns, 1)
    raw, big = item.PixelData, item.is_little_endian is False
    if big and item.BitsAllocated % 16 and item["PixelData"].VR == "OW":
        raw = np.frombuffer(raw, "<u2").byteswap().tobytes()
    if item.PhotometricInterpretation == "YBR_FULL_422" and len(raw) < item.Rows * item.Columns * 3:
        four = np.frombuffer(raw, "u1").reshape(item.Rows, item.Columns // 2, 4)
        out = np.empty((1, item.Rows, item.Columns, 3), "u1")
        out[0, :, 0::2, 0], out[0, :, 1::2, 0] = four[..., 0], four[..., 1]
        out[0, :, :, 1], out[0, :, :, 2] = four[..., 2].repeat(2, 1), four[..., 3].repeat(2, 1)
        return out
    return stored(item, raw, ">" if big else "<")


def by_tool(tool):
    def judge(path):
        out = os.path.join(WORK, "judged.dcm")
        subprocess.run([tool, path, out], check=True, capture_output=True, timeout=60)
        item = pydicom.dcmread(out)
        if tool == "dcmdjpeg" and item.BitsStored < 12 and item.BitsAllocated == 16:
            item.BitsStored, item.HighBit = 12, 11  # a codestream of 12 bits where 10 are declared
        return stored(item, item.PixelData)
    return judge


def streams_of(path):
    item = pydicom.dcmread(path)
    return item, list(generate_pixel_data_frame(item.PixelData, int(item.get("NumberOfFrames", 1))))


def by_openjpeg(path):
    item, found = streams_of(path)
    out = []
    for data in found:
        source, target = os.path.join(WORK, "judged.j2k"), os.path.join(WORK, "judged.rawl")
        with open(source, "wb") as file:
            file.write(data)
        subprocess.run(["opj_decompress", "-i", source, "-o", target], check=True, capture_output=True, timeout=60)
        planes = np.fromfile(target, "u1" if item.BitsStored <= 8 else "<u2")
        out.append(planes.reshape(item.SamplesPerPixel, item.Rows, item.Columns).transpose(1, 2, 0))
    flat = np.array(out).astype("i8") & ((1 << item.BitsStored) - 1)
    if item.PixelRepresentation:
        flat = np.where(flat >> (item.BitsStored - 1), flat - (1 << item.BitsStored), flat)
    return flat


def by_openjph(path):
    item, found = streams_of(path)
    source, target = os.path.join(WORK, "judged.j2c"), os.path.join(WORK, "judged.ppm")
    with open(source, "wb") as file:
        file.write(found[0])
    subprocess.run(["ojph_expand", "-i", source, "-o", target], check=True, capture_output=True, timeout=60)
    data = content(target)
    return np.frombuffer(data[-item.Rows * item.Columns * 3:], "u1").reshape(1, item.Rows, item.Columns, 3)


by_dcmdjpeg, by_dcmdjpls = by_tool("dcmdjpeg"), by_tool("dcmdjpls")
JUDGES = {native: "numpy", by_openjpeg: "opj_decompress", by_openjph: "ojph_expand", by_dcmdjpeg: "dcmdjpeg",
          by_dcmdjpls: "dcmdjpls"}


def rle(path):
    """RLE by PS3.5, annex G."""
    item, found = streams_of(path)
    out = []
    for data in found:
        header = np.frombuffer(data[:64], "<u4")
        ends, planes = [*header[2:1 + header[0]], len(data)], []
        for start, end in zip(header[1:], ends):
            plane, at = bytearray(), int(start)
            while at < end and len(plane) < item.Rows * item.Columns:
                control, at = data[at], at + 1
                if control < 128:
                    plane += data[at:at + control + 1]
                    at += control + 1
                elif control > 128:
                    plane += data[at:at + 1] * (257 - control)
                    at += 1
            planes.append(np.frombuffer(bytes(plane[:item.Rows * item.Columns]), "u1"))
        size = item.BitsAllocated // 8
        pixels = np.array(planes).reshape(item.SamplesPerPixel, size, -1)[:, ::-1].transpose(2, 0, 1)
        out.append(np.ascontiguousarray(pixels).tobytes())
    item.PlanarConfiguration = 0
    return stored(item, b"".join(out))


JUDGES[rle] = "numpy"


def judge_of(path):
    item = pydicom.dcmread(path, force=True, stop_before_pixels=True)
    syntax = str(getattr(item.file_meta, "TransferSyntaxUID", "")) if hasattr(item, "file_meta") else ""
    table = {"1.2.840.10008.1.2.5": rle}
    for last in ("50", "51", "57", "70"):
        table[f"1.2.840.10008.1.2.4.{last}"] = by_dcmdjpeg
    for last in ("80", "81"):
        table[f"1.2.840.10008.1.2.4.{last}"] = by_dcmdjpls
    for last in ("90", "91"):
        table[f"1.2.840.10008.1.2.4.{last}"] = by_openjpeg
    for last in ("201", "202", "203"):
        table[f"1.2.840.10008.1.2.4.{last}"] = by_openjph
    return table.get(syntax, native)


# ---- what must hold ----


PIXEL_TAGS = {"PixelData", "FloatPixelData", "DoubleFloatPixelData"}
ABOUT_SAMPLES = PIXEL_TAGS | {"PhotometricInterpretation", "PlanarConfiguration", "BitsAllocated", "BitsStored",
                              "HighBit", "ExtendedOffsetTable", "ExtendedOffsetTableLengths"}


def check_restored(path, facts, samples):
    """The full-size output: "bytes", or "pixels" with all other elements as they were."""
    out = write("write", 0, "native", path)
    if content(out) == content(path):
        return "bytes"
    before, after = pydicom.dcmread(path, force=True), pydicom.dcmread(out, force=True)
    assert facts["stream"] != "none" or "Deflated" in before.file_meta.TransferSyntaxUID.name, path
    assert after.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    for element in before:
        if element.keyword not in ABOUT_SAMPLES:
            assert after[element.tag] == element, (path, element)
    assert {e.keyword for e in after} - {e.keyword for e in before} == set()
    again, pixels = frames(out)
    assert np.array_equal(pixels, samples) and again["color"] == facts["color"], path
    assert np.array_equal(native(out), samples), path
    if facts["stream"] == "none":
        return "pixels"
    assert content(write("streams", path)) == content(path), path
    return "streams: bytes"


def check_reduced(path, samples):
    item = pydicom.dcmread(path, force=True)
    for reduce in (1,) if samples.size > 100000 else (1, 2):
        out = write("write", reduce, "native", path)
        after = pydicom.dcmread(out, force=True)
        assert (after.Rows, after.Columns) == (-(-item.Rows >> reduce), -(-item.Columns >> reduce))
        assert after.ImageType[0] == "DERIVED" and after.SOPInstanceUID != item.get("SOPInstanceUID")
        assert after.get("LossyImageCompression") == item.get("LossyImageCompression")
        step = 1 << reduce
        facts, pixels = frames(out)
        assert np.array_equal(pixels, samples[:, ::step, ::step]), path
        if str(item.get("NumberOfFrames", "1")).isdigit():
            assert np.array_equal(native(out), pixels), path
        assert facts["stream"] == "none"


def check(kind, path, expected=None, judge=None, tolerance=0, **facts_wanted):
    facts, samples = frames(path)
    judge = judge or judge_of(path)
    assert samples is not None, f"{path}: {facts}"
    expected = judge(path) if expected is None else expected
    away = np.abs(samples.astype("f8") - expected.astype("f8")).max()
    assert samples.shape == expected.shape and away <= tolerance, f"{path}: {away} away from {JUDGES[judge]}"
    for key, value in facts_wanted.items():
        assert facts[key] == value, f"{path}: {key} {facts[key]}, not {value}"
    restored = check_restored(path, facts, samples)
    check_reduced(path, samples)
    ROWS.append((kind, os.path.basename(path), f"{facts['type']} {facts['color']}", restored, JUDGES[judge]))
    return facts, samples


def refused(path, status):
    facts, samples = frames(path)
    assert samples is None and facts.startswith(f"! {status}: "), facts
    ROWS.append(("refused", os.path.basename(path), facts.split(": ", 2)[2][-60:], "-", "-"))


# ---- files at hand ----


def test_wg04():
    for path in sorted(glob.glob(f"{SHARED}/data/dicom/wg04/*.dcm")):
        name, kind, _ = os.path.basename(path).split(".")
        if kind in ("JPLL", "JLSL", "J2KR", "RLE", "UNC"):
            expected = native(path.replace(f".{kind}.", ".UNC."))
            check("wg04 lossless", path, expected, native, lossy=False)
        else:
            check("wg04 lossy", path, lossy=True)


def test_misc():
    objects = {"rtplan", "rtstruct", "test-SR"}
    for path in sorted(glob.glob(f"{SHARED}/data/dicom/misc/*.dcm")):
        name = os.path.basename(path)[:-4]
        if name in objects:
            refused(path, "not-found")
        elif name == "no_meta":  # begins in the middle of an element: pydicom and DCMTK find nothing in it either
            refused(path, "truncated")
        elif name == "badVR":  # NumberOfFrames 1A: pydicom does not read it
            item = pydicom.dcmread(path)
            expected = np.frombuffer(item.PixelData[:400], "<u4").reshape(1, 10, 10, 1)
            check("misc", path, expected, native)
        elif name == "HTJ2K_08_RGB":
            check("misc", path, tolerance=1)  # 9/7 and ICT: two decoders may round differently
        else:
            check("misc", path)
    facts, _ = frames(f"{SHARED}/data/dicom/misc/MR_truncated.dcm")
    assert "62 of 8192 bytes" in facts["warning"]
    assert frames(f"{SHARED}/data/dicom/misc/CT_small.dcm")[0]["holes"] == [[-2000, -2000]]


def test_cases():
    for path in sorted(glob.glob(f"{SHARED}/cases/dicom_unused_bits/*.dcm")):
        check("unused bits", path)


# ---- made files ----


def make(name, samples, syntax=ExplicitVRLittleEndian, raw=None, meta=True, preamble=True, vr=None, encapsulated=False,
         **attributes):
    """A file with these samples (frames, rows, columns, components) or these raw bytes."""
    item = Dataset()
    item.ImageType = ["ORIGINAL", "PRIMARY"]
    item.SOPClassUID, item.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", f"1.2.3.{zlib.crc32(name.encode())}"
    item.StudyInstanceUID, item.SeriesInstanceUID, item.PatientID = "1.2.5", "1.2.6", "made"
    item.Modality = "OT"
    count, item.Rows, item.Columns, item.SamplesPerPixel = samples.shape
    if count > 1:
        item.NumberOfFrames = count
    item.PhotometricInterpretation = "RGB" if samples.shape[3] == 3 else "MONOCHROME2"
    if samples.shape[3] > 1:
        item.PlanarConfiguration = 0
    item.BitsAllocated = item.BitsStored = samples.dtype.itemsize * 8
    item.PixelRepresentation = int(samples.dtype.kind == "i")
    for key, value in attributes.items():
        setattr(item, key, value)
    if "HighBit" not in item:
        item.HighBit = item.BitsStored - 1
    keyword = "PixelData"
    if samples.dtype.kind == "f":
        keyword = "FloatPixelData" if samples.dtype.itemsize == 4 else "DoubleFloatPixelData"
        del item.BitsStored, item.HighBit, item.PixelRepresentation
    big = syntax == ExplicitVRBigEndian
    raw = raw if raw is not None else samples.astype(samples.dtype.newbyteorder(">" if big else "<")).tobytes()
    setattr(item, keyword, raw + b"\0" * (len(raw) % 2))
    item[keyword].VR = vr or {"FloatPixelData": "OF", "DoubleFloatPixelData": "OD"}.get(
        keyword, "OB" if item.BitsAllocated <= 8 or encapsulated else "OW")
    item[keyword].is_undefined_length = encapsulated
    item.is_little_endian, item.is_implicit_VR = not big, syntax == ImplicitVRLittleEndian
    path = os.path.join(WORK, name + ".dcm")
    if meta:
        item.file_meta = FileMetaDataset()
        item.file_meta.MediaStorageSOPClassUID, item.file_meta.MediaStorageSOPInstanceUID = (item.SOPClassUID,
                                                                                            item.SOPInstanceUID)
        item.file_meta.TransferSyntaxUID = UID(syntax)
        if preamble:
            item.preamble = b"\0" * 128
    pydicom.dcmwrite(path, item, write_like_original=not (meta and preamble))
    return path


def noise(shape, dtype="u1", bits=None, seed=1):
    kind = np.dtype(dtype)
    bits = bits or kind.itemsize * 8
    low, high = (-(1 << bits - 1), 1 << bits - 1) if kind.kind == "i" else (0, 1 << bits)
    return np.random.default_rng(seed).integers(low, high, shape).astype(kind)


def smooth(shape, top, dtype="u1"):
    """Something that a codec compresses."""
    grids = np.meshgrid(*[np.linspace(0, 3, n) for n in shape], indexing="ij")
    return ((np.sin(sum((i + 1) * g for i, g in enumerate(grids))) + 1) / 2 * top).astype(dtype)


def test_made_bits():
    bits = noise((3, 13, 11, 1), bits=1)
    packed = np.packbits(bits.ravel(), bitorder="little").tobytes()
    check("1 bit", make("one_bit", bits, raw=packed, BitsAllocated=1, BitsStored=1), bits, native, label=True)
    path = make("one_bit_big", bits, ExplicitVRBigEndian, vr="OW", BitsAllocated=1, BitsStored=1,
                raw=np.frombuffer(packed + b"\0" * (len(packed) % 2), "<u2").byteswap().tobytes())
    check("1 bit", path, bits, native, precision=1)
    twelve = noise((2, 9, 7, 1), "u2", 12)
    flat = np.unpackbits(twelve.ravel()[:, None].view("u1"), axis=1, bitorder="little")[:, :12]
    path = make("twelve_allocated", twelve, raw=np.packbits(flat.ravel(), bitorder="little").tobytes(),
                BitsAllocated=12, BitsStored=12)
    check("12 bits", path, twelve, native)
    signed = noise((1, 20, 17, 1), "i2", 12)
    up = (signed.astype("u2") << 4 | noise(signed.shape, "u2", 4, 2)).tobytes()
    path = make("high_bit_15", signed, raw=up, BitsStored=12, HighBit=15)
    check("spare bits", path, signed, native, precision=12)
    for name, syntax, dtype in (("u32", ExplicitVRLittleEndian, "u4"), ("s32_big", ExplicitVRBigEndian, "i4"),
                                ("s16_implicit", ImplicitVRLittleEndian, "i2"), ("s8", ExplicitVRLittleEndian, "i1")):
        values = noise((2, 15, 9, 1), dtype)
        check("integers", make(name, values, syntax), values, native)
    for dtype in ("f4", "f8"):
        values = np.random.default_rng(3).normal(size=(2, 15, 9, 1)).astype(dtype)
        values[0, 3, 3] = np.inf
        path = make("real_" + dtype, values)
        facts, samples = frames(path)
        assert np.array_equal(samples, values)
        assert content(write("write", 0, "native", path)) == content(path)
        assert np.array_equal(frames(write("write", 1, "native", path))[1], values[:, ::2, ::2])
        ROWS.append(("floats", os.path.basename(path), facts["type"], "bytes", "numpy"))


def test_made_colors():
    rgb = noise((2, 15, 10, 3))
    planar = rgb.transpose(0, 3, 1, 2).tobytes()
    check("colour", make("planar", rgb, raw=planar, PlanarConfiguration=1), rgb, native, color="rgb")
    check("colour", make("ybr", rgb, PhotometricInterpretation="YBR_FULL"), rgb, native, color="ybr")
    check("colour", make("ybr_422_in_full", rgb, PhotometricInterpretation="YBR_FULL_422"), rgb, native, color="ybr")
    half = noise((15, 5, 4), seed=5)
    full = np.empty((1, 15, 10, 3), "u1")
    full[0, :, 0::2, 0], full[0, :, 1::2, 0] = half[..., 0], half[..., 1]
    full[0, :, :, 1], full[0, :, :, 2] = half[..., 2].repeat(2, 1), half[..., 3].repeat(2, 1)
    path = make("ybr_422", full, raw=half.tobytes(), PhotometricInterpretation="YBR_FULL_422")
    check("colour", path, full, native, color="ybr")
    assert pydicom.dcmread(write("write", 1, "native", path)).PhotometricInterpretation == "YBR_FULL"
    grey = noise((1, 15, 11, 1))
    check("colour", make("inverted", grey, PhotometricInterpretation="MONOCHROME1"), grey, native, color="grey-inverted")
    check("colour", make("palette", grey, PhotometricInterpretation="PALETTE COLOR"), grey, native, color="palette",
          label=True)
    for vr in ("OB", "OW"):
        raw = grey.tobytes() + b"\0"
        raw = raw if vr == "OB" else np.frombuffer(raw, "<u2").byteswap().tobytes()
        check("odd", make("big_odd_" + vr, grey, ExplicitVRBigEndian, raw=raw, vr=vr), grey, native)


def test_made_containers():
    grey = noise((1, 15, 11, 1))
    check("odd", make("odd", grey), grey, native)
    check("odd", make("no_preamble", grey, preamble=False), grey, native, warning="")
    for syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian):
        facts, _ = check("odd", make("without_meta", grey, syntax, meta=False), grey, native)
        assert "no file meta information" in facts["warning"]
    twos = noise((3, 20, 16, 1), "i2")
    short = make("short", twos, raw=twos.tobytes()[:-31])
    cut = np.frombuffer(twos.tobytes()[:-30] + b"\0" * 30, "<i2").reshape(twos.shape).copy()
    facts, _ = check("odd", short, native(short), native)
    assert "30 of 1920 bytes" in facts["warning"] and np.array_equal(cut[:-1], native(short)[:-1])
    whole = make("cut", twos)
    with open(whole, "r+b") as file:
        file.truncate(os.path.getsize(whole) - 21)
    facts, _ = check("odd", whole, np.frombuffer(twos.tobytes()[:-21] + b"\0" * 21, "<i2").reshape(twos.shape), native)
    assert "21 of 1920 bytes" in facts["warning"]
    refused(make("too_short", twos, raw=twos.tobytes()[:-400]), "truncated")
    refused(make("video", grey, "1.2.840.10008.1.2.4.102", raw=encapsulate([b"\0\0\0\1"]), encapsulated=True),
            "unsupported")


def test_made_padding():
    for name, value, dtype, bits, hole in (("same", -2000, "i2", 16, -2000), ("as_unsigned", 63536, "i2", 16, -2000),
                                           ("as_signed", -2000, "u2", 16, 63536), ("above", 0xF830, "u2", 12, 0x830)):
        path = make("padding_" + name, noise((1, 8, 8, 1), dtype, bits), BitsStored=bits)
        item = pydicom.dcmread(path)
        item.add_new("PixelPaddingValue", "SS" if value < 0 else "US", value)
        item.save_as(path)
        assert frames(path)[0]["holes"] == [[hole, hole]], name
        ROWS.append(("padding", os.path.basename(path), f"{value} is {hole}", "-", "arithmetic"))


def test_made_identity():
    """keep: the identifiers of the original, for what points to them; all else says that it is derived."""
    path = make("identity", noise((2, 16, 16, 1)))
    before, kept, new = (pydicom.dcmread(path), pydicom.dcmread(write("write", 1, "keep", path)),
                         pydicom.dcmread(write("write", 1, "native", path)))
    for key in ("SOPInstanceUID", "SeriesInstanceUID"):
        assert kept[key] == before[key] != new[key]
    assert kept.file_meta.MediaStorageSOPInstanceUID == before.SOPInstanceUID
    assert kept.ImageType[0] == "DERIVED" and np.array_equal(kept.PixelData, new.PixelData)
    ROWS.append(("identifiers", "identity.dcm", "kept", "-", "pydicom"))


def tool_made(tool, *options, source, name):
    out = os.path.join(WORK, name + ".dcm")
    subprocess.run([tool, *options, source, out], check=True, capture_output=True, timeout=60)
    return out


def test_made_compressed():
    grey, rgb = smooth((3, 41, 53, 1), 4000, "u2"), smooth((3, 41, 53, 3), 255)
    source = make("source", grey, BitsStored=12)
    for name, tool, *options in (("ljpeg_57", "dcmcjpeg", "+el"), ("ljpeg_70", "dcmcjpeg", "+e1"),
                                 ("jls", "dcmcjpls", "+el"), ("rle", "dcmcrle")):
        for fragments in ("one", "many"):
            split = ["+fs", "1"] if fragments == "many" and tool != "dcmcrle" else []
            path = tool_made(tool, *options, *split, source=source, name=f"{name}_{fragments}")
            check("made lossless", path, grey, native)
    for name, options in (("jpeg_12", ["+ee"]), ("jpeg_12_no_table", ["+ee", "-ot", "+fs", "1"])):
        path = tool_made("dcmcjpeg", *options, source=source, name=name)
        check("made lossy", path, lossy=True, stream="jpeg-12")
    color = make("color_source", rgb)
    for name, options in (("jpeg_ybr", ["+eb"]), ("jpeg_rgb", ["+eb", "+cr"]), ("jpeg_422", ["+eb", "+s2"]),
                          ("jpeg_progressive", ["+ep"])):
        path = tool_made("dcmcjpeg", *options, source=color, name=name)
        check("made lossy", path, judge=by_dcmdjpeg, color="rgb", stream="jpeg")
    path = tool_made("dcmcjpls", "+en", source=color, name="jls_near")
    check("made lossy", path, color="rgb", stream="jpeg-ls")
    check("made lossless", tool_made("dcmcrle", source=color, name="rle_rgb"), rgb, native)


def codestreams(frames_in, high_throughput, *options):
    out = []
    for frame in frames_in:
        source, target = os.path.join(WORK, "in.pgm"), os.path.join(WORK, "in.j2c")
        with open(source, "wb") as file:
            file.write(b"P5\n%d %d\n%d\n" % (frame.shape[1], frame.shape[0], 255) + frame[..., 0].tobytes())
        tool = (["ojph_compress", "-reversible", "true"] if high_throughput else ["opj_compress"])
        subprocess.run([*tool, *options, "-i", source, "-o", target if high_throughput else target.replace("j2c", "j2k")],
                       check=True, capture_output=True, timeout=60)
        data = content(target if high_throughput else target.replace("j2c", "j2k"))
        out.append(data + b"\0" * (len(data) % 2))
    return out


def items(*parts):
    return b"".join(b"\xfe\xff\x00\xe0" + len(part).to_bytes(4, "little") + part for part in parts)


def test_made_encapsulation():
    end = b""  # pydicom writes the delimiter
    grey = smooth((3, 41, 53, 1), 255)
    for ht, syntax in ((True, "1.2.840.10008.1.2.4.201"), (False, "1.2.840.10008.1.2.4.90")):
        found, kind = codestreams(grey, ht), "htj2k" if ht else "j2k"
        whole = items(b"", *found) + end
        check("fragments", make(kind + "_no_table", grey, syntax, raw=whole, encapsulated=True), grey, native, stream=kind)
        halves = [part for data in found for part in (data[:len(data) // 4 * 2], data[len(data) // 4 * 2:])]
        whole = items(b"", *halves) + end
        check("fragments", make(kind + "_halves", grey, syntax, raw=whole, encapsulated=True), grey, native, stream=kind)
        offsets = np.cumsum([0] + [len(items(data)) for data in found])[:3].astype("<u8")
        path = make(kind + "_extended", grey, syntax, raw=items(b"", *found), encapsulated=True,
                    ExtendedOffsetTable=offsets.tobytes(),
                    ExtendedOffsetTableLengths=np.array([len(d) for d in found], "<u8").tobytes())
        check("fragments", path, grey, native, stream=kind)
        out = pydicom.dcmread(write("write", 0, "native", path))
        assert "ExtendedOffsetTable" not in out
        broken = items(np.array([0, 7, 9], "<u4").tobytes(), *found[:2])
        refused(make(kind + "_broken", grey, syntax, raw=broken, encapsulated=True), "corrupt")
        cut = make(kind + "_cut", grey, syntax, raw=items(b"", *found), encapsulated=True)
        with open(cut, "r+b") as file:
            file.truncate(os.path.getsize(cut) - 20)
        refused(cut, "truncated")
        # The transfer syntax errs; the bytes do not.
        path = make(kind + "_misnamed", grey, "1.2.840.10008.1.2.4.70", raw=items(b"", *found), encapsulated=True)
        check("fragments", path, grey, native, stream=kind)
    deflated = []
    for frame in noise((2, 9, 11, 1)):
        packer = zlib.compressobj(6, zlib.DEFLATED, -15)
        deflated.append(packer.compress(frame.tobytes()) + packer.flush())
    deflated = [data + b"\0" * (len(data) % 2) for data in deflated]
    check("fragments", make("deflated_frames", noise((2, 9, 11, 1)), "1.2.840.10008.1.2.8.1",
                            raw=items(b"", *deflated), encapsulated=True), noise((2, 9, 11, 1)), native)
    two = noise((2, 9, 10, 1), "u2")
    check("fragments", make("encapsulated", two, "1.2.840.10008.1.2.1.98", encapsulated=True,
                            raw=items(b"", *[frame.tobytes() for frame in two])), two, native)


def test_made_to_exhaust():
    """A header of 65535 layers over many precincts: OpenJPEG alone takes 2 GB and half a minute for these 35 kB."""
    grey = smooth((1, 600, 600, 1), 255)
    data, = codestreams(grey, False, "-c", ",".join(["[8,8]"] * 6))
    path = make("precincts", grey, "1.2.840.10008.1.2.4.90", raw=items(b"", data), encapsulated=True)
    assert frames(path)[1] is not None
    style = data.index(b"\xff\x52")  # COD (15444-1, A.6.1): length, Scod, progression, then the layers
    data = data[:style + 6] + b"\xff\xff" + data[style + 8:]
    path = make("layers", grey, "1.2.840.10008.1.2.4.90", raw=items(b"", data), encapsulated=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    refused(path, "limit")
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < max(before, 200000)  # kB


def group(**elements):
    """A functional group: one item."""
    item = Dataset()
    for key, value in elements.items():
        setattr(item, key, value)
    return [item]


def test_made_frames():
    """What is said of each frame: from its own group, else the shared one, else the dataset."""
    shared, count = Dataset(), 4
    shared.PlaneOrientationSequence = group(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    shared.PixelMeasuresSequence = group(PixelSpacing=[0.5, 0.25], SliceThickness=2)
    shared.PixelValueTransformationSequence = group(RescaleSlope=3, RescaleIntercept=-5, RescaleType="HU")
    each = []
    for i in range(count):
        frame = Dataset()
        frame.PlanePositionSequence = group(ImagePositionPatient=[1, 2, 2.5 * i])
        frame.FrameContentSequence = group(InStackPositionNumber=i + 1, DimensionIndexValues=[1, i + 1, 2],
                                           FrameAcquisitionDateTime=f"2020010110{i:02}30.5")
        if i == 2:
            frame.PixelValueTransformationSequence = group(RescaleSlope=7, RescaleIntercept=1, RescaleType="US")
        each.append(frame)
    path = make("enhanced", noise((count, 9, 8, 1), "u2"), SharedFunctionalGroupsSequence=[shared],
                PerFrameFunctionalGroupsSequence=each, EchoTime=30, InstanceNumber=9)
    said = [json.loads(line) for line in run("frames", path).splitlines()]
    for i, info in enumerate(said):
        slope, intercept, units = (7, 1, "US") if i == 2 else (3, -5, "HU")
        assert info == {"frame": i, "slope": slope, "intercept": intercept, "units": units, "position": [1, 2, 2.5 * i],
                        "spacing": 0.25, "thickness": 2, "acquisition_time": 36000 + 60 * i + 30.5, "echo_time": 30,
                        "instance": 9, "in_stack": i + 1, "dimensions": 3}, info
    assert len(said) == count
    dose = make("dose", noise((3, 9, 8, 1), "u4"), ImagePositionPatient=[0, 0, 10], DoseGridScaling=0.25,
                ImageOrientationPatient=[1, 0, 0, 0, -1, 0], GridFrameOffsetVector=[0, 3, 7], DoseUnits="GY")
    said = [json.loads(line) for line in run("frames", dose).splitlines()]
    assert [info["position"][2] for info in said] == [10, 7, 3]  # the normal points down
    assert {(info["slope"], info["units"], info["spacing"]) for info in said} == {(0.25, "GY", None)}
    reduced = pydicom.dcmread(write("write", 1, "native", path))
    assert reduced.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing == [1, 0.5]
    ROWS.append(("frames", "enhanced.dcm, dose.dcm", "7 frames", "-", "pydicom"))


def main():
    have = os.path.isdir(f"{SHARED}/data/dicom")
    tests = [test_made_bits, test_made_colors, test_made_containers, test_made_padding, test_made_compressed,
             test_made_encapsulation, test_made_to_exhaust, test_made_frames, test_made_identity] + ([test_wg04, test_misc, test_cases] if have else [])
    try:
        for test in tests:
            test()
    finally:
        for row in ROWS if "-v" in sys.argv else []:
            print("| {} | {} | {} | {} | {} |".format(*row))
        if not KEEP:
            shutil.rmtree(WORK)
    print(f"{len(ROWS)} files" + ("" if have else "; those of MIST_SHARED are not here"))


if __name__ == "__main__":
    main()
