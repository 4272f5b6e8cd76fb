"""NIfTI read and written, judged by nibabel: real files, made files of every datatype and shape, damaged files."""
import gzip
import itertools
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

try:
    import nibabel
    import numpy
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

tool, nifti_tool = sys.argv[1:3]
shared = pathlib.Path(os.environ.get("MIST_SHARED", "")) / "data"
source_tree = pathlib.Path(os.environ["MIST_SOURCE"])
work = tempfile.TemporaryDirectory(prefix="mist-nifti-")
directory = pathlib.Path(work.name)
checks = 0


def run(*arguments, fails=False):
    done = subprocess.run([tool, *map(str, arguments)], capture_output=True, timeout=120)
    assert done.returncode == (1 if fails else 0), (arguments, done.returncode, done.stdout[-300:], done.stderr[-3000:])
    return done.stdout if arguments[0] == "samples" else done.stdout.decode()


def content(path):
    data = pathlib.Path(path).read_bytes()
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def axes_of(shape):
    """The file's axes that columns, rows and slices go along: planes are spanned by the two longest, the first of equals."""
    sizes = (tuple(shape) + (1, 1, 1))[:3]
    across = max(axis for axis in range(3) if sizes[axis] == min(sizes))
    return [axis for axis in range(3) if axis != across] + [across]


def raw_samples(path, axes=None):
    """The samples as an array [frame][y][x] (or [frame][y][x][component]) in the machine's order, read by nibabel."""
    image = nibabel.load(path)
    data = numpy.asarray(image.dataobj.get_unscaled())
    data = data.reshape(data.shape + (1,) * (3 - data.ndim))
    column, row, across = axes or axes_of(data.shape)
    data = data.reshape(*data.shape[:3], -1, order="F").transpose(3, across, row, column)
    data = data.reshape(-1, *data.shape[2:])
    if data.dtype.names:
        data = numpy.stack([data[name] for name in data.dtype.names], axis=-1)
    return numpy.ascontiguousarray(data.astype(data.dtype.newbyteorder("=")))


def reduced(size, reduce):
    return -(-size >> reduce)


def check_affine(path, original, scale, shift, expect_fallback, axes):
    """Voxel n of the new file lies on voxel scale * n + shift of the original, by every affine that the file has."""
    new, old = nibabel.load(path).header, nibabel.load(original).header
    pairs = []
    for name in ("get_sform", "get_qform"):
        before, code = getattr(old, name)(coded=True)
        after, new_code = getattr(new, name)(coded=True)
        assert code == new_code
        if code > 0:
            pairs.append((before, after))
    assert pairs or expect_fallback, path
    for before, after in pairs:
        grid = numpy.array(list(itertools.product((0, 1, 7), (0, 2, 5), (0, 3), (1,))), float).T
        there = grid.copy()
        for i in range(len(scale)):
            there[axes[i]] = grid[axes[i]] * scale[i] + shift[i]
        error = numpy.abs(after @ grid - before @ there).max()
        assert error < 1e-4 * max(1, numpy.abs(before).max()) / 10, (path, error)
    sizes = old["pixdim"].copy()
    for i in range(len(scale)):
        sizes[axes[i] + 1] *= scale[i]
    numpy.testing.assert_allclose(new["pixdim"], sizes, rtol=1e-6)


KEPT = ("scl_slope", "scl_inter", "cal_min", "cal_max", "intent_code", "intent_p1", "descrip", "aux_file", "xyzt_units",
        "datatype", "toffset", "slice_duration", "intent_name", "quatern_b", "quatern_c", "quatern_d", "vox_offset")


def header_bytes_but(path, header, fields):
    """The header's bytes with some fields zeroed."""
    data = header.copy()
    binary = numpy.frombuffer(data, header_type(path)).copy()
    for field in fields:
        binary[field] = 0
    return binary.tobytes()


def header_type(path):
    return nibabel.load(path).header.structarr.dtype


def check_file(path, fallback=False):
    global checks
    samples = raw_samples(path)
    assert run("samples", path) == samples.tobytes(), path
    about = json.loads(run("describe", path))
    header = nibabel.load(path).header
    assert (about["frames"], about["height"], about["width"]) == samples.shape[:3], about
    assert run("detect", path).strip() == "nifti"
    axes = axes_of(nibabel.load(path).shape)
    if not fallback:
        affine = header.get_best_affine()[:, axes + [3]]
        numpy.testing.assert_allclose(numpy.array(about["affine"]).reshape(4, 4), affine, atol=1e-4, rtol=1e-6)
    size = header_type(path).itemsize
    for kind, suffix in (("nifti", ".nii"), ("nifti.gz", ".nii.gz")):
        out = directory / f"again{suffix}"
        run("write", kind, 0, "native", out, path)
        assert content(out) == content(path), f"{path} is not the same again"
        assert (out.read_bytes()[:2] == b"\x1f\x8b") == (kind == "nifti.gz")
    run("write", "nifti", 0, "head", directory / "head.nii", path)
    assert content(path).startswith(content(directory / "head.nii"))
    width, height = about["width"], about["height"]
    targets = [(r, grid) for r in (1, 3) for grid in ("native", "center")] + [(1, f"{width * 2 // 3 + 1}x17"), (0, "60x80")]
    for reduce, grid in targets:
        out = directory / "reduced.nii"
        run("write", "nifti", reduce, grid, out, path)
        if "x" in grid:
            new_width, new_height = map(int, grid.split("x"))
            scale = numpy.array((width / new_width, height / new_height))
            shift = (scale - 1) / 2
        else:
            new_width, new_height = reduced(width, reduce), reduced(height, reduce)
            scale = numpy.array((2.0**reduce, 2.0**reduce))
            shift = (scale - 1) / 2 if grid == "center" else numpy.zeros(2)
            assert raw_samples(out, axes).tobytes() == samples[:, :: 2**reduce, :: 2**reduce].tobytes(), (path, reduce)
        new = nibabel.load(out)
        shape = list(nibabel.load(path).shape)
        shape += [1] * (axes[1] + 1 - len(shape)) # a line may become a plane
        shape[axes[0]], shape[axes[1]] = new_width, new_height
        assert list(new.shape) == shape or list(new.shape) + [1] == shape, (new.shape, shape)
        check_affine(out, path, scale, shift, fallback, axes)
        old_bytes, new_bytes = content(path)[:size], content(out)[:size]
        changed = ["dim", "pixdim", "srow_x", "srow_y", "srow_z", "qoffset_x", "qoffset_y", "qoffset_z"]
        assert header_bytes_but(path, bytearray(old_bytes), changed) == header_bytes_but(path, bytearray(new_bytes), changed)
        offset = int(numpy.frombuffer(old_bytes, header_type(path))["vox_offset"][0])
        assert content(out)[size:offset] == content(path)[size:offset], "extensions changed"
        checks += 1


def real_files():
    folder = shared / "nifti"
    files = sorted(folder.glob("*.nii*")) if folder.is_dir() else []
    small = [file for file in files if file.stat().st_size < 400_000]
    for file in small:
        check_file(file)
    pairs = source_tree / "examples/data/mr-brain"
    check_file(pairs / "images/hippocampus_001.nii.gz")
    check_file(pairs / "labels/hippocampus_001.nii.gz")
    if not files:
        print("the shared files are not there: only the examples were checked")
    else: # the large ones: samples and identity only
        for file in set(files) - set(small):
            assert run("samples", file) == raw_samples(file).tobytes()
            run("write", "nifti", 0, "native", directory / "again.nii", file)
            assert content(directory / "again.nii") == content(file)


def made_files():
    """Every datatype, both versions and byte orders, 1 to 7 dimensions, extensions, trailing bytes."""
    random = numpy.random.default_rng(5)
    shapes = [(33, 41, 3), (20, 17), (40,), (9, 8, 2, 3), (5, 6, 2, 1, 3, 2, 2), (3, 33, 41), (20, 4, 17), (2, 40, 30, 3),
              (31, 1, 20), (40, 41, 42), (17, 5, 9, 2, 2), (6, 6, 6)]
    types = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8", "c8", "c16"]
    for index, (kind, version, order) in enumerate(itertools.product(types + ["rgb", "rgba"], (1, 2), "<>")):
        shape = shapes[(index * 5 + 1) % len(shapes)]
        if kind in ("rgb", "rgba"):
            pixel = numpy.dtype([(name, "u1") for name in kind.upper()])
            data = random.integers(0, 256, shape + (len(kind),), dtype="u1").view(pixel).reshape(shape)
        else:
            bits = random.integers(0, 256, int(numpy.prod(shape)) * int(kind[1:]), dtype="u1")
            data = bits.view(order + kind).reshape(shape)
        header = (nibabel.Nifti1Header if version == 1 else nibabel.Nifti2Header)(endianness=order)
        header.set_data_dtype(data.dtype)
        header.set_data_shape(shape)
        turn = numpy.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]]) * (1 if index % 2 else [1, 1, -1])
        affine = numpy.eye(4)
        affine[:3, :3] = turn * [0.75, 1.25, 3]
        affine[:3, 3] = (-90.5, 33.25, 7)
        header.set_qform(affine, 1 if index % 4 != 1 else 0)
        header.set_sform(affine + (numpy.diag((0.1, 0, 0, 0)) if index % 3 else 0), 4 if index % 4 < 2 else 0)
        header["descrip"] = b"made by a test"
        header["cal_max"] = 12.5
        if index % 3 == 0:
            header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"an extension " * 5))
        path = directory / "made.nii"
        image = (nibabel.Nifti1Image if version == 1 else nibabel.Nifti2Image)(data, None, header)
        image.header["qform_code"], image.header["sform_code"] = header["qform_code"], header["sform_code"]
        bytes_ = bytearray(image.to_bytes())
        field = image.header.structarr.dtype.fields
        slope = field["scl_slope"][1]
        code = order + ("f" if version == 1 else "d")
        struct.pack_into(code, bytes_, slope, 0.5) # not by set_slope_inter(): the samples stay
        struct.pack_into(code, bytes_, field["scl_inter"][1], -3)
        path.write_bytes(bytes_ + b"behind the data" * (index % 2))
        assert version == 2 or path.read_bytes()[344:347] == b"n+1"
        check_file(path)


def labels_and_units():
    data = numpy.zeros((40, 40, 2), "i2")
    image = nibabel.Nifti1Image(data, numpy.diag((0.002, 0.002, 0.005, 1)))
    image.header.set_xyzt_units("meter")
    image.header.set_intent("label")
    path = directory / "label.nii"
    nibabel.save(image, path)
    about = json.loads(run("describe", path))
    assert about["label"] is True
    numpy.testing.assert_allclose(about["spacing"], (2, 2, 5), rtol=1e-6)
    numpy.testing.assert_allclose(about["affine"][:6], (2, 0, 0, 0, 0, 2), rtol=1e-6)
    image.header.set_intent("none")
    nibabel.save(image, path)
    assert json.loads(run("describe", path))["label"] is False


def several_members():
    """gzip files may be joined, and padded."""
    original = content(source_tree / "examples/data/mr-brain/images/hippocampus_001.nii.gz")
    path = directory / "joined.nii.gz"
    path.write_bytes(gzip.compress(original[:1000]) + gzip.compress(original[1000:]) + bytes(100))
    check_file(path)


def refused():
    """What is refused, with the word that the sentence must have."""
    data = numpy.zeros((6, 5, 4), "i2")
    good = bytearray(nibabel.Nifti1Image(data, numpy.eye(4)).to_bytes())
    wide = bytearray(nibabel.Nifti2Image(data, numpy.eye(4)).to_bytes())
    cases = []

    def case(word, at=None, code=None, *values, base=good, cut=None):
        bytes_ = bytearray(base[:cut])
        if at is not None:
            struct.pack_into("<" + code, bytes_, at, *values)
        cases.append((word, bytes(bytes_)))

    case("needs", cut=-1)
    case("needs", cut=352)
    case("0 dimensions", 40, "h", 0)
    case("8 dimensions", 40, "h", 8)
    case("size of 0 in dimension 1", 42, "h", 0)
    case("size of -4 in dimension 3", 46, "h", -4)
    case("needs", 46, "h", 32767)
    case("planes", 40, "8h", 7, 6, 5, 32767, 32767, 32767, 32767, 32767)
    case("planes", 16, "8q", 3, 1 << 62, 5, 4, 1, 1, 1, 1, base=wide)
    case("planes", 16, "8q", 7, 6, 5, *[(1 << 63) - 1] * 5, base=wide)
    case("beyond the limits", 16, "8q", 3, 65535, 65535, 4, 1, 1, 1, 1, base=wide)
    case("needs", 16, "8q", 3, 32768, 32767, 999999, 1, 1, 1, 1, base=wide)
    case("datatype 1536, float128, is not encoded", 70, "h", 1536)
    case("datatype 2048, complex256, is not encoded", 70, "h", 2048)
    case("no image but CIFTI", 504, "i", 3001, base=wide)
    case("no image but a list of points", 68, "h", 1008)
    case("datatype 3 does not exist", 70, "h", 3)
    case("start at byte 0", 108, "f", 0)
    case("start at byte nan", 108, "f", float("nan"))
    case("start at byte -352", 108, "f", -352)
    case("start at byte", 108, "f", 1e20)
    case("start at byte", 168, "q", -(1 << 63), base=wide)
    case("start at byte", 168, "q", (1 << 63) - 1, base=wide)
    case("without its .img", 344, "4s", b"ni1\0")
    for word, bytes_ in cases:
        for suffix, packed in ((".nii", bytes_), (".nii.gz", gzip.compress(bytes_))):
            path = directory / ("bad" + suffix)
            path.write_bytes(packed)
            said = run("describe", path, fails=True)
            if word == "without its .img" and suffix == ".nii.gz":
                word = "the gzipped header of a pair"
            assert word in said and str(path) in said and said.count("\n") == 1, (word, said)
    path = directory / "bad.nii.gz"
    packed = gzip.compress(bytes(good) + os.urandom(400_000))
    path.write_bytes(packed[:-300_000])
    assert "gzip data ends too early" in run("describe", path, fails=True)
    path.write_bytes(packed[:20_000] + b"\xff" * 200 + packed[20_200:])
    assert "gzip data is damaged" in run("describe", path, fails=True)
    path.write_bytes(gzip.compress(bytes(good) + bytes(1 << 27)))
    assert "holds more" in run("describe", path, fails=True)
    for bytes_ in (b"", b"\x1f\x8b", b"\x1f\x8b\x08", bytes(1000), bytes(good[:300]), b"5c01" * 100):
        path.write_bytes(bytes_)
        assert run("detect", path).strip() == "-"


def from_other_formats():
    """Written from samples of another format: a new header with the item's affine."""
    slices = sorted((source_tree / "examples/data/ct-head").glob("I*"))
    if slices:
        about = json.loads(run("describe", slices[0]))
        run("write", "nifti", 2, "center", directory / "ct.nii", slices[0])
        image = nibabel.load(directory / "ct.nii")
        assert image.header["sform_code"] == 1 and image.shape == (128, 128, 1)
        affine = numpy.array(about["affine"]).reshape(4, 4)
        new = image.affine @ (10, 20, 0, 1)
        numpy.testing.assert_allclose(new, affine @ (10 * 4 + 1.5, 20 * 4 + 1.5, 0, 1), atol=1e-3)


def planes(*paths):
    """What nifti_tool says of a file or a pair, and its samples."""
    done = subprocess.run([nifti_tool, "planes", *paths], capture_output=True, timeout=120)
    assert done.returncode == 0, (paths, done.stdout[:300])
    line, _, samples = done.stdout.partition(b"\n")
    return json.loads(line), samples


def copy(reduce, step, out, *paths):
    done = subprocess.run([nifti_tool, "copy", str(reduce), str(step), out, *paths], capture_output=True, timeout=120)
    assert done.returncode == 0, (paths, done.stdout[:300])


def taken(data, axes, reduce, step):
    """Every 2^reduce-th voxel of the planes of every 2^step-th slice."""
    by_axis = {axes[0]: 2**reduce, axes[1]: 2**reduce, axes[2]: 2**step}
    return data[tuple(slice(None, None, by_axis.get(axis, 1)) for axis in range(data.ndim))]


def slices():
    """All three axes reduced: voxels lie where they lay, whatever axes the planes have."""
    random = numpy.random.default_rng(8)
    for shape in ((33, 41, 9), (9, 33, 41), (33, 9, 41, 2), (8, 9, 10), (1, 20, 30), (64, 64, 64, 1, 2)):
        axes = axes_of(shape)
        affine = numpy.array([[0, -1.5, 0.1, 4], [2, 0, 0, -7], [0, 0.2, 3, 9], [0, 0, 0, 1]])
        data = random.integers(-3000, 3000, shape).astype("i2")
        path = directory / "volume.nii"
        nibabel.save(nibabel.Nifti1Image(data, affine), path)
        about, samples = planes(path)
        assert about["axes"] == axes and about["slices"] == shape[axes[2]], about
        assert samples == raw_samples(path).tobytes()
        for reduce, step, name in ((0, 1, "out.nii"), (1, 1, "out.nii.gz"), (2, 0, "out.nii"), (1, 3, "out.nii")):
            copy(reduce, step, directory / name, path)
            small = nibabel.load(directory / name)
            assert numpy.array_equal(numpy.asarray(small.dataobj), taken(data, axes, reduce, step)), (shape, reduce, step)
            scale = [1, 1, 1]
            scale[axes[0]] = scale[axes[1]] = 2**reduce
            scale[axes[2]] = 2**step
            for get in (small.get_sform, small.get_qform):
                original = getattr(nibabel.load(path), get.__name__)()
                voxel = [min(1, size - 1) for size in small.shape[:3]]
                there = [n * factor for n, factor in zip(voxel, scale)]
                numpy.testing.assert_allclose(get() @ (*voxel, 1), original @ (*there, 1), atol=1e-3)


def pairs():
    """.hdr and .img of NIfTI and ANALYZE: both come back as they were, smaller ones are pairs again, or one file."""
    random = numpy.random.default_rng(9)
    kinds = (nibabel.Nifti1Pair, nibabel.Nifti2Pair, nibabel.AnalyzeImage, nibabel.Spm2AnalyzeImage)
    for kind, order, shape in itertools.product(kinds, "<>", ((33, 41, 5), (4, 33, 41), (20, 17, 3, 2))):
        analyze = kind in kinds[2:]
        data = random.integers(0, 3000, shape).astype(order + "i2")
        header = kind.header_class(endianness=order)
        header.set_data_dtype(data.dtype)
        header.set_data_shape(shape)
        header.set_zooms((1.5, 2, 3, 1)[: len(shape)])
        image = kind(data, None if analyze else numpy.diag((1.5, 2, 3, 1)), header)
        nibabel.save(image, directory / "pair.hdr")
        first, second = directory / "pair.hdr", directory / "pair.img"
        if kind is nibabel.Spm2AnalyzeImage:
            (directory / "pair.mat").unlink(missing_ok=True)
        second.write_bytes(second.read_bytes() + b"behind")
        assert run("detect", first).strip() == "nifti"
        axes = axes_of(shape)
        for inputs in ((first, second), (second, first)):
            about, samples = planes(*inputs)
            assert about["axes"] == axes and about["files"] == 2 and (about["affine"] is None) == analyze, about
            assert samples == raw_samples(first).tobytes(), (kind, order, shape)
        numpy.testing.assert_allclose(about["spacing"], numpy.array((1.5, 2, 3))[axes])
        for path in (first, second):
            copy(0, 0, directory / f"again{path.suffix}", first, second)
            assert (directory / f"again{path.suffix}").read_bytes() == path.read_bytes(), (kind, order, shape)
        copy(1, 1, directory / "small.hdr", first, second)
        copy(1, 1, directory / "small.img", first, second)
        small = kind.load(directory / "small.hdr")
        assert numpy.array_equal(numpy.asarray(small.dataobj), taken(data, axes, 1, 1)), (kind, order, shape)
        scale = [1.5, 2, 3]
        for position, axis in enumerate(axes):
            scale[axis] *= 2
        numpy.testing.assert_allclose(small.header.get_zooms()[:3], scale)
        copy(1, 1, directory / "joined.nii.gz", first, second)
        joined = nibabel.load(directory / "joined.nii.gz")
        assert numpy.array_equal(numpy.asarray(joined.dataobj), taken(data, axes, 1, 1)), (kind, order, shape)
        assert (joined.header["sform_code"] == 0) == analyze and joined.header["magic"].item()[:2] == b"n+"
    said = subprocess.run([nifti_tool, "planes", first, first], capture_output=True, timeout=60).stdout.decode()
    assert said.startswith("! "), said


def named():
    """What is no image on a grid is called by its name."""
    path = directory / "surface.gii"
    path.write_text('<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE GIFTI SYSTEM "x">\n<GIFTI Version="1.0"></GIFTI>')
    assert "no image but GIFTI" in run("describe", path, fails=True)


def bits():
    """A bit a voxel: the first one lowest, no gaps. No other program at hand reads it: numpy packs and unpacks."""
    x, y, z = numpy.mgrid[0:67, 0:61, 0:5]
    disks = ((x - 33) ** 2 + (y - 30) ** 2 < 500 + 50 * z).astype("u1")
    for array in (disks, numpy.moveaxis(disks, 2, 0), numpy.moveaxis(disks, 2, 1), disks[:, :, :1], disks[:9, :8, :3]):
        header = bytearray(nibabel.Nifti1Image(array, numpy.diag([1, 2, 3, 1])).to_bytes()[:352])
        struct.pack_into("<hh", header, 70, 1, 1)
        packed = numpy.packbits(array.ravel(order="F"), bitorder="little").tobytes()
        for suffix in (".nii", ".nii.gz"):
            path, out = directory / f"bits{suffix}", directory / f"bits_out{suffix}"
            whole = bytes(header) + packed + b"behind"
            path.write_bytes(gzip.compress(whole) if suffix == ".nii.gz" else whole)
            axes = axes_of(array.shape)
            about, samples = planes(path)
            assert samples == array.transpose(axes[::-1]).astype("u1").tobytes() and about["axes"] == axes, (array.shape, about)
            copy(0, 0, out, path)
            assert content(out)[:352 + len(packed)] == whole[:-6], array.shape
            copy(1, 1, out, path)
            small = taken(array, axes, 1, 1)
            got = numpy.unpackbits(numpy.frombuffer(content(out)[352:], "u1"), bitorder="little")
            assert numpy.array_equal(got[:small.size].reshape(small.shape, order="F"), small), array.shape
            assert got.size == -(-small.size // 8) * 8 and not got[small.size:].any()
    path.write_bytes(gzip.compress(bytes(header) + packed[:-1]))
    assert "needs" in run("describe", path, fails=True)


def hostile():
    data = numpy.arange(2 * 40 * 50, dtype="i2").reshape(50, 40, 2)
    for index, image in enumerate((nibabel.Nifti1Image(data, numpy.eye(4)), nibabel.Nifti2Image(data, numpy.eye(4)))):
        for suffix in (".nii", ".nii.gz"):
            path = directory / ("hostile" + suffix)
            nibabel.save(image, path)
            print(run("hostile", index + 1, 300, directory, path).strip())
    print(run("starve", "nifti.gz", 0, directory / "starved.nii.gz", path).strip(), "each failed once")
    run("starve", "nifti", 1, directory / "starved.nii", path)
    leftovers = [name for name in os.listdir(directory) if name.endswith(".part")]
    assert not leftovers, leftovers


real_files()
made_files()
labels_and_units()
several_members()
slices()
pairs()
named()
bits()
refused()
from_other_formats()
hostile()
print(f"{checks} files written and judged")
assert checks > 100
