# SPDX-License-Identifier: BSD-2-Clause
"""Sources that are in the way of encoding them, labels in all their guises, and all data at hand in one go."""
import gzip
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import unittest
import zlib

try:
    import nibabel
    import numpy as np
    import PIL.Image
    import pydicom
except ImportError as missing:
    print(f"skipped: a judge is not installed: {missing}")
    sys.exit(77)

import unprivileged
from test_encode import MIST, Case, catalog, labels_of, mist, png, tree, unprivileged_mist

SHARED = pathlib.Path(os.environ["MIST_SHARED"]) / "data"
EXAMPLES = pathlib.Path(os.environ["MIST_SOURCE"]) / "examples" / "data"


def plain(path):
    data = path.read_bytes()
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


class InTheWay(Case):
    def start(self, *arguments):
        return subprocess.Popen([MIST, "encode", self.source, "-o", self.store, "--dataset", "d", "--verbose", *map(str, arguments)],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def while_encoding(self, act):
        """Runs act() after the first item was written and, if all goes well, before the last; encodes with one thread."""
        for _ in range(10):
            shutil.rmtree(self.store, ignore_errors=True)
            shutil.rmtree(self.source, ignore_errors=True)
            for i in range(80):
                png(self.source / f"{i:02}.png", i, size=200)
            process = self.start("-j", 1, "--json")
            items = self.store / "d" / "items"
            while process.poll() is None and not (items.exists() and any(items.iterdir())):
                time.sleep(0.0005)
            self.process = process
            early = act()
            process.send_signal(signal.SIGCONT)
            output, errors = process.communicate(timeout=60)
            if early:
                return process.returncode, output, errors
        self.fail("encoding was always faster")

    def later(self):
        """Files that have not been encoded yet, and that are not being read: the process stands still meanwhile."""
        self.process.send_signal(signal.SIGSTOP)
        while not re.search(r"\nState:\s+[TtZ]", self.proc("status")):
            if self.process.poll() is not None:
                return []
            time.sleep(0.0005)
        done = {p.name.split(".mist")[0] for p in (self.store / "d" / "items").iterdir()}
        held = self.proc("maps") + " ".join(os.path.realpath(p) for p in pathlib.Path(f"/proc/{self.process.pid}/fd").glob("*"))
        return sorted(p for p in self.source.iterdir() if p.name not in done and p.name not in held)[10:]

    def proc(self, name):
        try:
            return pathlib.Path(f"/proc/{self.process.pid}/{name}").read_text()
        except OSError:  # it has ended
            return ""

    def test_files_that_vanish_while_encoding(self):
        gone = []

        def act():
            gone[:] = self.later()
            for path in gone:
                path.unlink()
            return len(gone) > 5

        code, output, errors = self.while_encoding(act)
        self.assertEqual(code, 1)
        for path in gone:
            self.assertRegex(errors, rf"mist encode: {path.name}: .*(No such file|no such file|not found)")
        self.assertEqual(len(errors.splitlines()), len(gone))
        items, files = self.assert_consistent()
        self.assertEqual((set(items), files), ({p.name for p in self.source.iterdir()}, {}))
        self.assertEqual(json.loads(output)["failed"], len(gone))
        report, _ = self.encode()
        self.assertEqual((report["items"], report["failed"]), (0, 0))

    def test_files_that_change_while_encoding(self):
        changed = []

        def act():
            changed[:] = self.later()
            for path in changed:
                png(path, 1000, size=150)
            return len(changed) > 5

        self.while_encoding(act)
        self.encode()  # sees what changed in between
        items, _ = self.assert_consistent()
        self.assertEqual(len(items), 80)
        out = self.work / "out"
        for path in changed:
            self.assertEqual(items[path.name]["width"], 150)
            mist("decode", self.store / "d/items" / (path.name + ".mist"), "-o", out, check=0)
            self.assertTrue(np.array_equal(np.array(PIL.Image.open(out / path.name)), np.array(PIL.Image.open(path))))

    def test_killed_at_any_moment(self):
        """kill -9: after each, the store opens and all that its catalog lists is whole; the end is as if nothing was."""
        shutil.copytree(EXAMPLES / "ct-head", self.source / "ct")
        shutil.copytree(EXAMPLES / "mr-brain", self.source / "mr")
        for i in range(40):
            png(self.source / f"{i:02}.png", i, size=150)
            (self.source / f"{i:02}.txt").write_text(str(i) * 50)
        reference = self.work / "reference"
        began = time.monotonic()
        mist("encode", self.source, "-o", reference, "--dataset", "d", check=0)
        whole = time.monotonic() - began
        rng, killed = random.Random(5), 0
        for attempt in range(12):
            process = self.start("-j", 1 + attempt % 3)
            time.sleep(whole * rng.random() / 2)
            killed += process.poll() is None
            process.kill()
            process.communicate()
            if (self.store / "d" / "catalog.jsonl.zst").exists():
                mist("info", self.store, "--items", check=0)
                mist("verify", self.store, check=0)
            for item in (self.store / "d" / "items").rglob("*.mist") if (self.store / "d").exists() else ():
                mist("verify", "--quick", item, check=0)
        self.assertGreater(killed, 0)
        self.encode()
        self.assertEqual(tree(self.store / "d"), tree(reference / "d"))
        self.assert_consistent()

    def test_a_file_that_cannot_be_read(self):
        """Its mode does not stop root; /proc/self/mem is a regular file whose first byte nobody can read."""
        png(self.source / "a.png")
        (self.source / "memory.png").symlink_to("/proc/self/mem")
        (self.source / "nowhere.png").symlink_to("/nonexistent/file.png")
        report, errors = self.encode(check=1)
        self.assertEqual((report["items"], report["failed"]), (1, 2))
        self.assertRegex(errors, "memory.png: .*error")
        self.assertRegex(errors, "nowhere.png: No such file")
        self.assertEqual(len(errors.splitlines()), 2)
        items, files = catalog(self.store, "d")[1:]
        self.assertEqual((set(items), files), ({"a.png"}, {}))
        for name in ("memory.png", "nowhere.png"):
            (self.source / name).unlink()
        self.encode()
        self.assert_consistent()

    def test_a_file_whose_bytes_can_be_read_later(self):
        """What failed by the machine is tried again, though neither size nor time has changed."""
        if not unprivileged.stopped_by_modes():
            self.skipTest("nobody at hand is stopped by the modes of files")
        png(self.source / "a.png")
        png(self.source / "closed.png")
        os.chmod(self.source / "closed.png", 0)
        unprivileged_mist("encode", self.source, "-o", self.store, "--dataset", "d", check=1)
        self.assertEqual(set(catalog(self.store, "d")[1]), {"a.png"})
        os.chmod(self.source / "closed.png", 0o644)
        report, errors = self.encode()
        self.assertEqual((report["unchanged"], errors), (1, ""))
        self.assertEqual(set(self.assert_consistent()[0]), {"a.png", "closed.png"})

    def test_a_slice_that_does_not_decode(self):
        """Only decoding finds which one it is: the others are a series without it."""
        slices = sorted((EXAMPLES / "ct-head").iterdir())
        for path in slices:
            dataset = pydicom.dcmread(path)
            dataset.compress(pydicom.uid.RLELossless, encoding_plugin="pydicom")
            (self.source / "ct").mkdir(parents=True, exist_ok=True)
            dataset.save_as(self.source / "ct" / path.name)
        bad = self.source / "ct" / slices[3].name
        data = bytearray(bad.read_bytes())
        at = data.rindex(b"\xfe\xff\xdd\xe0") - 2000
        data[at:at + 1500] = b"\x80" * 1500  # no operation: the rows are never filled
        bad.write_bytes(data)
        report, errors = self.encode(check=1)
        self.assertEqual((report["items"], report["failed"]), (1, 1), errors)
        self.assertIn(bad.name, errors)
        items, files = self.assert_consistent()
        self.assertEqual((list(items.values())[0]["slices"], list(files)), (5, [f"ct/{bad.name}"]))

    def test_codestreams_that_differ_in_their_comments(self):
        """Main headers of one size and other bytes: each frame comes back with its own."""
        if not shutil.which("opj_compress"):
            self.skipTest("there is no opj_compress")
        self.source.mkdir(parents=True)
        dataset = pydicom.dcmread(sorted((EXAMPLES / "ct-head").iterdir())[0])
        frames = []
        for i, comment in enumerate(("first ", "second", "third ", "first ")):
            array = np.add.outer(np.arange(64) * (i + 1), np.arange(80)).astype(">u2")
            (self.work / "x.pgm").write_bytes(b"P5\n80 64\n65535\n" + array.tobytes())
            subprocess.run(["opj_compress", "-i", self.work / "x.pgm", "-o", self.work / "x.j2k", "-C", comment], check=True,
                           capture_output=True)
            frames.append((self.work / "x.j2k").read_bytes())
        self.assertEqual(len({len(frame.partition(b"\xff\x90")[0]) for frame in frames}), 1)
        dataset.Rows, dataset.Columns, dataset.NumberOfFrames, dataset.BitsStored, dataset.HighBit = 64, 80, 4, 16, 15
        dataset.PixelRepresentation = 0
        dataset.PixelData = pydicom.encaps.encapsulate(frames)
        dataset["PixelData"].is_undefined_length = True
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.JPEG2000Lossless
        dataset.is_implicit_VR, dataset.is_little_endian = False, True
        dataset.save_as(self.source / "many.dcm", write_like_original=False)
        self.encode()
        mist("get", self.store / "d", "-o", self.work / "out", check=0)
        again = pydicom.dcmread(self.work / "out/many.dcm")
        found = list(pydicom.encaps.generate_pixel_data_frame(again.PixelData, 4))
        self.assertEqual([frame.rstrip(b"\0") for frame in found], [frame.rstrip(b"\0") for frame in frames])

    def test_samples_whose_header_needs_them_no_longer(self):
        volume = np.arange(5 * 30 * 40, dtype="<i2").reshape(5, 30, 40)
        head = "NDims = 3\nDimSize = 40 30 5\nElementType = MET_SHORT\nElementSpacing = 1 1 1\nElementDataFile = "
        self.source.mkdir(parents=True, exist_ok=True)
        (self.source / "a.mhd").write_text("ObjectType = Image\n" + head + "a.raw\n")
        (self.source / "a.raw").write_bytes(volume.tobytes())
        self.encode()
        items, files = self.assert_consistent()
        self.assertEqual((set(items), files), ({"a.mhd"}, {}))
        (self.source / "a.mhd").write_bytes(("ObjectType = Image\n" + head + "LOCAL\n").encode() + volume[::-1].tobytes())
        self.encode()
        items, files = self.assert_consistent()
        self.assertEqual((set(items), set(files)), ({"a.mhd"}, {"a.raw"}))

    def test_a_directory_that_cannot_be_read(self):
        if not unprivileged.stopped_by_modes():
            self.skipTest("nobody at hand is stopped by the modes of files")
        png(self.source / "a.png")
        png(self.source / "closed" / "b.png")
        os.chmod(self.source / "closed", 0)
        try:
            done = unprivileged_mist("encode", self.source, "-o", self.store, "--dataset", "d", "--json", check=1)
        finally:
            os.chmod(self.source / "closed", 0o755)
        self.assertEqual(json.loads(done.stdout)["items"], 1)
        self.assertIn("closed", done.stderr)

    def test_names(self):
        """Spaces, other scripts, quotes, percent signs, leading dashes and dots; and what is no text, as other characters."""
        good = ["with space.png", "胸部 X線/画像.png", "ä\u0308ö.png", "100%.png", "-o.png", ".hidden.png", "a'b\"c$d;e.png",
                "#1?.png", "deep/" * 30 + "x.png", "n" * 240 + ".png", "..x/..y.png", "files", "items/x.png", "x.mist"]
        for i, name in enumerate(good):
            png(self.source / name, i, size=40)
        odd = {"new\nline.png": "new\uf00aline.png", "tab\t.png": "tab\uf009.png", "escape\x1b[31m.png": "escape\uf01b[31m.png",
               "back\\slash.png": "back\uf05cslash.png", os.fsdecode(b"latin\xe4.png"): "latin\uf0e4.png",
               "\uf0e4.png": "\uf0ef\uf083\uf0a4.png", "\x85.png": "\uf0c2\uf085.png"}
        for name in odd:
            png(self.source / name, 1, size=40)
        report, errors = self.encode()
        self.assertEqual((report["items"], report["failed"], errors), (len(good) + len(odd), 0, ""))
        items, files = self.assert_consistent()
        self.assertEqual((set(items), files), (set(good) | set(odd.values()), {}))
        mist("get", self.store / "d", "-o", self.work / "back", check=0)
        self.assertEqual({str(p.relative_to(self.work / "back")) for p in (self.work / "back").rglob("*") if p.is_file()},
                         set(good) | set(odd))
        self.assertIn("unchanged", mist("get", self.store / "d", "-o", self.work / "back", check=0).stdout)
        out = self.work / "out"
        for name in good:
            mist("decode", self.store / "d" / "items" / (name + ".mist"), "-o", out, check=0)
            self.assertEqual((out / name).read_bytes()[:8], b"\x89PNG\r\n\x1a\n")


class Labels(Case):
    def segmentation(self, name, kind, bits):
        """A DICOM segmentation: "BINARY" of 1 bit a pixel or "LABELMAP" of 8 (PS3.3, C.8.20)."""
        source = pydicom.dcmread(next((EXAMPLES / "ct-head").iterdir()))
        source.SOPClassUID = source.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.66.4"
        source.Modality, source.SegmentationType, source.SeriesInstanceUID = "SEG", kind, f"1.2.3.{bits}"
        mask = (np.add.outer(np.arange(100), np.arange(90)) // 20 % 5).astype("u1")
        source.Rows, source.Columns, source.PixelRepresentation = 100, 90, 0
        source.BitsAllocated, source.BitsStored, source.HighBit = bits, bits, bits - 1
        source.PixelData = np.packbits(mask > 2, bitorder="little").tobytes() if bits == 1 else mask.tobytes()
        source["PixelData"].VR = "OB"
        if len(source.PixelData) % 2:
            source.PixelData += b"\0"
        source.save_as(self.source / name)
        return mask

    def test_what_is_a_label(self):
        volume = (np.add.outer(np.arange(90), np.add.outer(np.arange(80), np.arange(3))) // 15 % 6).astype("u1")
        noise = np.random.default_rng(2).integers(0, 200, volume.shape, "u1")
        called = {"labelsTr/a.nii": "name", "x/labels/y/a.nii.gz": "name", "labels.nii": "name", "intent.nii": "intent",
                  "x_seg.nii.gz": "option", "images/a.nii": None, "labelsTr/noise.nii": None, "labelsTr/no.nii": None,
                  "intent_noise.nii": "intent", "imagesTr/listed.nii": "dataset.json",
                  "a_ground_truth.nii": "name", "b/groundtruth.nii": "name", "truth.nii": None, "the_truth/c.nii": None}
        for name in called:
            image = nibabel.Nifti1Image(noise if "noise" in name else volume, np.eye(4))
            if name.startswith("intent"):
                image.header.set_intent("label")
            (self.source / name).parent.mkdir(parents=True, exist_ok=True)
            nibabel.save(image, self.source / name)
        (self.source / "dataset.json").write_text(json.dumps(
            {"training": [{"image": "./images/a.nii", "label": "./imagesTr/listed.nii"}], "test": ["./images/a.nii"]}))
        masks = {"labelmap.dcm": self.segmentation("labelmap.dcm", "LABELMAP", 8),
                 "binary.dcm": self.segmentation("binary.dcm", "BINARY", 1)}
        masks["binary.dcm"] = (masks["binary.dcm"] > 2).astype("u1")
        report, _ = self.encode("--labels", "*_seg.*", "--images", "*/no.nii")
        items, files = self.assert_consistent()
        self.assertEqual(set(files), {"dataset.json"})
        expected = {name: why for name, why in called.items() if why}
        expected |= {"1.2.3.8": "segmentation", "1.2.3.1": "segmentation"}
        self.assertEqual(labels_of(items), expected)
        self.assertEqual(report["labels_by"], {why: list(expected.values()).count(why) for why in expected.values()})
        self.assertEqual((report["looks_like_labels"], report["named_like_labels_only"]), (4, 1))
        out = self.work / "out"
        for path, row in items.items():
            mist("decode", self.store / "d/items" / (path + ".mist"), "-o", out, "--reduce", 1, check=0)
            if path in expected and path in called:
                small = nibabel.load(out / path)
                self.assertTrue(np.array_equal(np.asarray(small.dataobj), (noise if "noise" in path else volume)[::2, ::2]))
                self.assertTrue(np.allclose(small.affine, np.diag([2, 2, 1, 1])))
        for name, mask in masks.items():
            self.assertTrue(np.array_equal(pydicom.dcmread(out / name).pixel_array, mask[::2, ::2]), name)
        image = np.asarray(nibabel.load(out / "images/a.nii").dataobj)
        self.assertFalse(np.array_equal(image, volume[::2, ::2]))  # which no label: averaged

    def test_jpeg_asked_for_as_labels(self):
        """A JPEG file stays what it is, whoever asks: averaged, and said so."""
        mask = ((np.add.outer(np.arange(90) ** 2, np.arange(80) ** 2) < 4000) * 255).astype("u1")
        for name in "masks/a.jpg", "masks/b.jpg", "other/c.jpg", "masks/d.png":
            (self.source / name).parent.mkdir(parents=True, exist_ok=True)
            PIL.Image.fromarray(mask).save(self.source / name)
        report, _ = self.encode("--labels", "masks/*")
        self.assertEqual((report["asked_for_as_labels_only"], report["labels_by"]), (2, {"option": 1}))
        said = mist("encode", self.source, "-o", self.store, "--dataset", "e", "--labels", "masks/*").stdout
        self.assertRegex(said, r"asked for as label maps, but averaged, as JPEG .* are kept as they are: 2 \(masks/[ab].jpg, \.\.\.\)")
        report, _ = self.encode()  # by name only: as the samples are not like it
        self.assertEqual((report["asked_for_as_labels_only"], report["named_like_labels_only"]), (0, 2))


class Pairs(Case):
    """A header and its samples in two files are one item."""

    def setUp(self):
        super().setUp()
        x, y, z = np.mgrid[0:96, 0:80, 0:40]
        self.voxels = (300 + 200 * np.sin(x / 9) + np.random.default_rng(1).normal(0, 5, x.shape)).astype("i2")
        affine = np.diag([1.5, 1.2, 2, 1])
        big = nibabel.Nifti1Pair(self.voxels.astype(">i2"), affine, header=nibabel.Nifti1Header(endianness=">"))
        big.set_data_dtype(">i2")
        for name, image in (("nifti1", nibabel.Nifti1Pair(self.voxels, affine)), ("sub/nifti2", nibabel.Nifti2Pair(self.voxels, affine)),
                            ("analyze", nibabel.AnalyzeImage(self.voxels, affine)), ("big", big)):
            (self.source / name).parent.mkdir(parents=True, exist_ok=True)
            nibabel.save(image, self.source / f"{name}.hdr")
        self.names = {"nifti1.hdr", "sub/nifti2.hdr", "analyze.hdr", "big.hdr"}

    def text(self, header, samples, lines, data):
        """NRRD and MetaImage: a header that names its samples."""
        (self.source / header).write_text(lines)
        (self.source / samples).parent.mkdir(parents=True, exist_ok=True)
        (self.source / samples).write_bytes(data)

    def assert_comes_back(self):
        out = self.work / "full"
        mist("get", self.store / "d", "-o", out, check=0)
        for path in sorted(p for p in self.source.rglob("*") if p.is_file()):
            again = (out / path.relative_to(self.source))
            if path.name == "z.zraw":
                self.assertEqual(zlib.decompress(again.read_bytes()), zlib.decompress(path.read_bytes()))
            else:
                self.assertEqual(plain(again), plain(path), path)
        said = mist("verify", self.store / "d", "--against", self.source, check=0).stdout
        self.assertIn(" 0 not restored, 0 missing in the dataset, 0 not in the sources", said)

    def test_nifti(self):
        self.encode()
        items, files = self.assert_consistent()
        self.assertEqual((set(items), set(files)), (self.names, set()))
        self.assert_comes_back()
        for options, step in (["--reduce", 1], (2, 2, 1)), (["--reduce", "0,1"], (1, 1, 2)):
            out = self.work / "-".join(map(str, options))
            mist("get", self.store / "d", "-o", out, *options, check=0)
            for name in self.names:
                image = nibabel.load(out / name.replace(".hdr", ".img"))
                self.assertEqual(image.shape[:3], tuple(-(-side // n) for side, n in zip((96, 80, 40), step)))
                np.testing.assert_allclose(image.header.get_zooms()[:3], np.array((1.5, 1.2, 2)) * step, rtol=1e-6)
                if step[0] == 1:
                    self.assertTrue(np.array_equal(np.asarray(image.dataobj).squeeze(), self.voxels[:, :, ::2]), name)
        out = self.work / "joined"
        mist("get", self.store / "d", "-o", out, "--format", "nii.gz", check=0)
        self.assertEqual({p.relative_to(out).as_posix() for p in out.rglob("*.*")}, {n.replace(".hdr", ".nii.gz") for n in self.names})
        for name in self.names:
            image = nibabel.load(out / name.replace(".hdr", ".nii.gz"))
            self.assertTrue(np.array_equal(np.asarray(image.dataobj).squeeze(), self.voxels), name)
        mist("get", self.store / "d", "-o", self.work / "png", "--format", "png", "--include", "nifti1*", check=0)
        self.assertEqual(sorted(p.name for p in (self.work / "png").iterdir())[::39], ["nifti1_0001.png", "nifti1_0040.png"])

    def test_text_headers(self):
        data = (np.arange(64 * 50 * 9) % 1000).astype("<u2").tobytes()
        nrrd = "NRRD0004\ntype: unsigned short\ndimension: 3\nsizes: 64 50 9\nendian: little\nencoding: {}\ndata file: {}\n"
        meta = "ObjectType = Image\nNDims = 3\nDimSize = 64 50 9\nElementSpacing = 1 1 2\nElementType = MET_USHORT\nElementDataFile = {}\n"
        self.text("v.mhd", "v.raw", meta.format("v.raw"), data)
        self.text("n.nhdr", "below/n.raw", nrrd.format("raw", "./below/n.raw"), data)
        self.text("z.mhd", "z.zraw", meta.format("z.zraw").replace("ElementType", "CompressedData = True\nElementType"), zlib.compress(data))
        self.text("g.nhdr", "g.raw.gz", nrrd.format("gzip", "g.raw.gz"), gzip.compress(data))
        self.encode()
        items, files = self.assert_consistent()
        self.assertEqual((set(items), set(files)), (self.names | {"v.mhd", "n.nhdr", "g.nhdr", "z.mhd"}, set()))
        self.assert_comes_back()

    def test_odd(self):
        """Samples that are short, elsewhere, deflated, or those of two headers: named, and kept as they are."""
        meta = "ObjectType = Image\nNDims = 3\nDimSize = 64 50 9\nElementType = MET_USHORT\n{}ElementDataFile = {}\n"
        data = bytes(64 * 50 * 9 * 2)
        self.text("a.mhd", "one.raw", meta.format("", "one.raw"), data)
        self.text("b.mhd", "one.raw", meta.format("", "one.raw"), data)
        self.text("c.mhd", "c.raw", meta.format("", "c.raw"), b"1234")
        self.text("d.mhd", "d.zraw", meta.format("CompressedData = True\n", "d.zraw"), zlib.compress(data)[:40])
        outside = self.work / "outside.raw"
        outside.write_bytes(data)
        (self.source / "e.mhd").write_text(meta.format("", "../outside.raw"))
        (self.source / "f.mhd").write_text(meta.format("", outside))
        (self.source / "nifti1.img").write_bytes((self.source / "nifti1.img").read_bytes()[:1000])
        (self.source / "lone.hdr").write_bytes((self.source / "big.hdr").read_bytes())
        result = mist("encode", self.source, "-o", self.store, "--dataset", "d", check=1)
        for path, sentence in (("b.mhd", "a header whose samples are in another file, which is not here"),
                               ("c.mhd", "a header and its samples that are no image: c.raw: 4 bytes of samples"),
                               ("d.mhd", "a header and its samples that are no image: d.zraw: the deflated samples are fewer than the header says"),
                               ("e.mhd", "a header whose samples are in another file, which is not here"),
                               ("f.mhd", "a header whose samples are in another file, which is not here"),
                               ("nifti1.hdr", "a header and its samples that are no image: nifti1.img: 1000 bytes"),
                               ("lone.hdr", "the header of a pair, without its .img")):
            self.assertRegex(result.stderr, rf"(?m)^mist encode: {path}: {sentence}.*; kept byte for byte as an attachment$")
        self.assertEqual(result.stderr.count("\n"), 7, result.stderr)
        items, _ = self.assert_consistent()
        self.assertEqual(set(items), self.names - {"nifti1.hdr"} | {"a.mhd"})
        self.assert_comes_back()

    def test_one_comes_and_goes(self):
        image = self.source / "nifti1.img"
        samples = image.read_bytes()
        image.unlink()
        mist("encode", self.source, "-o", self.store, "--dataset", "d", check=1)
        self.assertEqual(set(self.assert_consistent()[1]), {"nifti1.hdr"})
        image.write_bytes(samples)  # it comes later
        mist("encode", self.source, "-o", self.store, "--dataset", "d", check=0)
        items, files = self.assert_consistent()
        self.assertEqual((set(items), set(files)), (self.names, set()))
        result = mist("encode", self.source, "-o", self.store, "--dataset", "d", check=0)
        self.assertIn("8 source files unchanged", result.stdout)
        (self.source / "nifti1.hdr").unlink()  # the header goes: what is left is no image
        mist("encode", self.source, "-o", self.store, "--dataset", "d", "--prune", check=0)
        items, files = self.assert_consistent()
        self.assertEqual((set(items), set(files)), (self.names - {"nifti1.hdr"}, {"nifti1.img"}))


UNPACKERS = {"JPEG-LS": "dcmdjpls", "JPEG": "dcmdjpeg"}  # of DCMTK, by the beginning of the transfer syntax's name


@unittest.skipUnless(SHARED.exists(), "no ../shared/data: the data at hand is not encoded")
class AllData(Case):
    def assert_same_dicom(self, got, source):
        """What was compressed comes back equal in its pixels and in all that it says, but of how it is stored."""
        syntax = pydicom.dcmread(source, stop_before_pixels=True, force=True).file_meta.TransferSyntaxUID
        tool = next((tool for start, tool in UNPACKERS.items() if syntax.name.startswith(start + " ")), None)
        self.assertTrue(tool or syntax.name.startswith(("RLE", "Deflated")), (source.name, syntax.name))
        if tool:
            plain = self.work / "plain.dcm"
            subprocess.run([tool, source, plain], check=True, capture_output=True, timeout=60)
            source = plain
        got, source = pydicom.dcmread(got), pydicom.dcmread(source)
        self.assertEqual(got.pixel_array.dtype, source.pixel_array.dtype)
        # The tools leave out the sign above the stored bits.
        stored = np.array((1 << source.BitsStored) - 1, f"u{source.pixel_array.itemsize}").view(source.pixel_array.dtype)
        self.assertTrue(np.array_equal(got.pixel_array & stored, source.pixel_array & stored))
        if syntax.name.startswith("JPEG Extended"):  # its 12 bits, whatever was said of how many are used
            self.assertEqual((got.BitsStored, got.HighBit), (12, 11))
            got.BitsStored, got.HighBit = source.BitsStored, source.HighBit
        for one in (got, source):
            del one.PixelData
        self.assertEqual(list(got), list(source))

    def test_everything(self):
        """No crash; a clear sentence for what is refused, which is kept; all else comes back as design.md promises."""
        result = mist("encode", SHARED, "-o", self.store, "--dataset", "d", check=1)
        refused, odd = {}, {}
        for line in result.stderr.splitlines():
            start, name, sentence = line.split(": ", 2)
            self.assertEqual(start, "mist encode")
            self.assertRegex(sentence, r"^[A-Za-z].{20,160}$")
            (refused if sentence.endswith("; kept byte for byte as an attachment") else odd)[name] = sentence
        self.assertEqual({pathlib.Path(sentence.rsplit(": ", 1)[1]).name for sentence in odd.values()},
                         {"MR_truncated.dcm", "OT-PAL-8-face.dcm", "the affine is sheared accordingly"})
        # The first begins in the middle of an element; the others have components of several sizes, 257 of them, or
        # are too small for levels.
        self.assertEqual(sorted(refused), ["dicom/misc/no_meta.dcm", *(
            f"htj2k/iso15444-4/ds0_ht_{name}.j2k" for name in ("05_b11", "05_b12", "06_b11", "10_b11", "11_b10", "13_b11"))])
        items, files = self.assert_consistent()
        inside = {file["path"] for path, row in items.items() for file in row.get("files", [{"path": path}])}
        everything = {p.relative_to(SHARED).as_posix(): p for p in SHARED.rglob("*") if p.is_file()}
        self.assertEqual(inside | set(files), set(everything))
        self.assertEqual(inside & set(files), set())
        self.assertTrue(set(refused) <= set(files))
        for name in files:
            self.assertEqual((self.store / "d/files" / name).read_bytes(), everything[name].read_bytes(), name)
        # Only what is a picture is complained of.
        self.assertFalse([name for name in files if name not in refused and name.endswith((".png", ".nii", ".nii.gz"))])
        out = self.work / "out"
        for path in items:
            mist("decode", self.store / "d/items" / (path + ".mist"), "-o", out, check=0)
        found = json.loads(mist("verify", self.store / "d", "--against", SHARED, "--json", check=0).stdout)
        for name in inside:
            if name in found["pixels"] and name.endswith(".dcm"):
                meta = pydicom.dcmread(everything[name], stop_before_pixels=True, force=True).file_meta
                syntax = meta.TransferSyntaxUID
                same = syntax.is_compressed or syntax == "1.2.840.10008.1.2.1.99"
            elif name.endswith(".png"):
                same = np.array_equal(np.array(PIL.Image.open(out / name)), np.array(PIL.Image.open(everything[name])))
            else:
                same = plain(out / name) == plain(everything[name])
            with self.subTest(name):
                if not same and name.startswith("dicom/"):
                    self.assert_same_dicom(out / name, everything[name])
                else:
                    self.assertTrue(same)


if __name__ == "__main__":
    if not SHARED.exists():
        print("../shared/data is not here: only examples/data and what is made here is encoded")
    unittest.main()
