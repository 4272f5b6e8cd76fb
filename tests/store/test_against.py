# SPDX-License-Identifier: BSD-2-Clause
"""mist verify --against: what comes back of a dataset and how, and that whatever does not is named. Also what encode says
of DICOM files besides failures: that they name a patient, and what is odd about them."""
import gzip
import json
import os
import pathlib
import shutil
import struct
import sys
import unittest
import zlib

try:
    import nibabel
    import numpy
    import pydicom
    import pydicom.encaps
    from PIL import Image, PngImagePlugin
except ImportError as missing:
    print(f"skipped: a judge is not installed: {missing}")
    sys.exit(77)

from test_encode import EXAMPLES, Case, mist, png

SHARED = pathlib.Path(os.environ["MIST_SHARED"]) / "data"
KINDS = ["bytes", "content", "pixels", "not", "missing", "extra"]
RESTORED = KINDS[:3]
DEFLATED = "1.2.840.10008.1.2.1.99"


def picture(seed=0, size=90, type_="u2"):
    y, x = numpy.mgrid[0:size, 0:size]
    return (x * 3 + y * 7 + numpy.random.default_rng(seed).integers(0, 9, (size, size))).astype(type_)


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def dicom(path, seed=0, syntax=pydicom.uid.ExplicitVRLittleEndian, **more):
    """One instance, a series of its own; with RLE compressed, which is not kept as it is. `more`: attributes."""
    dataset = pydicom.Dataset()
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    dataset.SOPInstanceUID = f"1.2.826.0.1.3680043.8.498.9.{seed}.1"
    dataset.SeriesInstanceUID = f"1.2.826.0.1.3680043.8.498.9.{seed}"
    dataset.Rows = dataset.Columns = 90
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    item = pydicom.Dataset()
    item.CodeValue, item.CodeMeaning = "1", "odd"
    dataset.AnatomicRegionSequence = [item, item]
    dataset.PixelData = picture(seed).tobytes()
    for keyword, value in more.items():
        setattr(dataset, keyword, value)
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset.is_little_endian, dataset.is_implicit_VR = True, False
    if syntax == pydicom.uid.RLELossless:
        dataset.compress(syntax)
    dataset.file_meta.TransferSyntaxUID = syntax
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, write_like_original=False)


class Against(Case):
    def against(self, *more, check=0, source=None):
        result = mist("verify", self.store / "d", "--against", source or self.source, "--json", *more, check=check)
        found = json.loads(result.stdout)
        self.assertEqual(list(found), KINDS)
        named = sum(len(found[kind]) for kind in KINDS[3:])
        self.assertEqual(len(result.stderr.splitlines()), named, result.stderr)
        for kind in KINDS[3:]:
            for entry in found[kind]:
                self.assertIn(f"mist verify: {entry['path']}: ", result.stderr)
                self.assertTrue(entry["why"])
        return {kind: {e if isinstance(e, str) else e["path"]: "" if isinstance(e, str) else e["why"] for e in found[kind]}
                for kind in KINDS}

    def assert_complete(self, found):
        """Every file of the source is in one list."""
        files = [p.relative_to(self.source).as_posix() for p in self.source.rglob("*") if p.is_file()]
        self.assertEqual(sorted(p for kind in KINDS[:5] for p in found[kind]), sorted(files))

    def test_examples(self):
        shutil.copytree(EXAMPLES, self.source)
        self.encode()
        found = self.against()
        self.assert_complete(found)
        for path in found["content"]:
            self.assertTrue(path.endswith(".gz"), path)
        for path in found["pixels"]:
            self.assertTrue(path.endswith(".png"), path)
        self.assertGreater(len(found["bytes"]), 10)
        summary = mist("verify", self.store / "d", "--against", self.source, check=0).stdout
        self.assertIn(f"{len(found['bytes'])} restored byte for byte, ", summary)
        self.assertEqual(len(summary.splitlines()), 1)

    def test_made_files(self):
        Image.fromarray(picture(1)).convert("I;16").save(self.pictures("deep.png"))
        text = PngImagePlugin.PngInfo()
        text.add_text("Comment", "kept")
        Image.fromarray(picture(2, type_="u1")).save(self.pictures("text.png"), pnginfo=text, compress_level=1)
        Image.fromarray(numpy.dstack([picture(i, type_="u1") for i in range(3)])).save(self.pictures("rgb.png"), gamma=0.45)
        png(self.pictures("plain.png"), 3, level=0)
        for order in "<>":
            image = nibabel.Nifti1Image(picture(4).astype(order + "i2").reshape(90, 9, 10), numpy.eye(4))
            image = nibabel.Nifti1Image(numpy.asarray(image.dataobj), numpy.eye(4),
                                        nibabel.Nifti1Header(endianness=order))
            name = "little" if order == "<" else "big"
            nibabel.save(image, self.pictures(f"{name}.nii"))
            (self.source / f"{name}.nii.gz").write_bytes(gzip.compress((self.source / f"{name}.nii").read_bytes(), 3))
        dicom(self.source / "native.dcm", 1)
        dicom(self.source / "rle.dcm", 2, pydicom.uid.RLELossless)
        dicom(self.source / "deflated.dcm", 3, DEFLATED)
        (self.source / "notes.txt").write_text("kept")
        (self.source / "packed.csv.gz").write_bytes(gzip.compress(b"a,b"))
        self.encode()
        found = self.against()
        self.assert_complete(found)
        self.assertLessEqual({"big.nii", "little.nii", "native.dcm", "notes.txt", "packed.csv.gz"}, set(found["bytes"]))
        self.assertLessEqual({"text.png", "rgb.png", "plain.png"}, set(found["pixels"]))
        for path in ["big.nii.gz", "little.nii.gz"]:
            self.assertIn(path, found["content"])
        for path in ["rle.dcm", "deflated.dcm"]:
            self.assertTrue(any(path in found[kind] for kind in RESTORED), path)

    def pictures(self, name):
        self.source.mkdir(exist_ok=True)
        return self.source / name

    def test_shared_data(self):
        if not (SHARED / "dicom").exists():
            self.skipTest("../shared/data/dicom is not there")
        shutil.copytree(SHARED / "dicom", self.source)
        report, _ = self.encode(check=1)
        self.assertEqual(report["failed"], 1)  # no_meta.dcm, which begins in the middle of an element
        found = self.against("-j", 4)
        self.assert_complete(found)
        for path in found["pixels"]:
            syntax = pydicom.dcmread(self.source / path, stop_before_pixels=True, force=True).file_meta.TransferSyntaxUID
            self.assertTrue(syntax.is_compressed or syntax == DEFLATED, path)

    # ---- what is not as it was ----

    def base(self):
        for i in range(3):
            png(self.source / f"{i}.png", i)
        dicom(self.source / "scan" / "rle.dcm", 5, pydicom.uid.RLELossless, PatientComments="original")
        dicom(self.source / "scan" / "native.dcm", 6)
        nibabel.save(nibabel.Nifti1Image(picture(4).reshape(90, 9, 10), numpy.eye(4)), self.source / "v.nii.gz")
        (self.source / "notes.txt").write_text("kept")
        self.encode()
        self.assertEqual([len(self.against()[kind]) for kind in KINDS[3:]], [0, 0, 0])

    def assert_only(self, kind, path, why):
        found = self.against(check=1)
        self.assertEqual({k: set(found[k]) for k in KINDS[3:]}, {k: {path} if k == kind else set() for k in KINDS[3:]})
        self.assertRegex(found[kind][path], why)

    def test_changed_samples(self):
        self.base()
        image = numpy.array(Image.open(self.source / "1.png"))
        image[50, 50] ^= 1
        Image.fromarray(image).save(self.source / "1.png")
        self.assert_only("not", "1.png", "samples differ")

    def test_changed_size(self):
        self.base()
        png(self.source / "1.png", 1, size=101)
        self.assert_only("not", "1.png", "another size")

    def test_changed_png_chunk(self):
        self.base()
        data = (self.source / "2.png").read_bytes()
        (self.source / "2.png").write_bytes(data[:33] + chunk(b"tEXt", b"Comment\0new") + data[33:])
        self.assert_only("not", "2.png", "metadata differs")

    def test_changed_bytes(self):
        self.base()
        (self.source / "notes.txt").write_text("Kept")
        self.assert_only("not", "notes.txt", "bytes differ")

    def test_more_bytes_in_a_compressed_file(self):
        """What is stored is the beginning of what is there now, to the last byte."""
        self.base()
        data = gzip.decompress((self.source / "v.nii.gz").read_bytes())
        (self.source / "v.nii.gz").write_bytes(gzip.compress(data + b"more"))
        found = self.against(check=1)
        self.assertIn("v.nii.gz", found["not"])

    def test_changed_nifti_header(self):
        self.base()
        data = bytearray(gzip.decompress((self.source / "v.nii.gz").read_bytes()))
        data[148] ^= 1  # descrip
        (self.source / "v.nii.gz").write_bytes(gzip.compress(data))
        self.assert_only("not", "v.nii.gz", "metadata differs")

    def change_dicom(self, name, change):
        dataset = pydicom.dcmread(self.source / "scan" / name)
        change(dataset)
        dataset.save_as(self.source / "scan" / name)

    def test_changed_element_of_compressed_dicom(self):
        self.base()
        self.change_dicom("rle.dcm", lambda d: setattr(d, "PatientComments", "altered?"))
        self.assert_only("not", "scan/rle.dcm", r"\(0010,4000\) differs, though all samples are the same")

    def test_new_element_of_compressed_dicom(self):
        self.base()
        self.change_dicom("rle.dcm", lambda d: setattr(d, "PatientAge", "040Y"))
        self.assert_only("not", "scan/rle.dcm", r"\(0010,1010\) is not there any more")

    def test_removed_element_of_compressed_dicom(self):
        self.base()
        self.change_dicom("rle.dcm", lambda d: delattr(d, "PatientComments"))
        self.assert_only("not", "scan/rle.dcm", r"\(0010,4000\) was not there")

    def test_changed_element_in_a_sequence(self):
        self.base()
        self.change_dicom("rle.dcm", lambda d: setattr(d.AnatomicRegionSequence[1], "CodeMeaning", "even"))
        self.assert_only("not", "scan/rle.dcm", r"\(0008,0104\) differs")

    def test_lengths_of_sequences_do_not_matter(self):
        self.base()

        def open_ended(dataset):
            dataset["AnatomicRegionSequence"].is_undefined_length = True
            dataset.AnatomicRegionSequence[0].is_undefined_length_sequence_item = True

        self.change_dicom("rle.dcm", open_ended)
        found = self.against()
        self.assertIn("scan/rle.dcm", found["pixels"])

    def test_missing_in_the_store(self):
        self.base()
        png(self.source / "new" / "x.png", 9)
        self.assert_only("missing", "new/x.png", "does not have it")

    def test_missing_in_the_sources(self):
        self.base()
        for path in ["0.png", "scan/native.dcm", "notes.txt"]:
            (self.source / path).unlink()
        found = self.against(check=1)
        self.assertEqual(set(found["extra"]), {"0.png", "scan/native.dcm", "notes.txt"})
        self.assertEqual((found["not"], found["missing"]), ({}, {}))

    def test_damaged_items_are_named(self):
        self.base()
        item = self.store / "d" / "items" / "0.png.mist"
        data = bytearray(item.read_bytes())
        data[len(data) // 2] ^= 0x10
        item.write_bytes(data)
        self.assert_only("not", "0.png", ".")
        item.write_bytes(b"nothing")
        self.assert_only("not", "0.png", ".")
        item.unlink()
        self.assert_only("not", "0.png", ".")

    def test_damaged_attachment(self):
        self.base()
        (self.store / "d" / "files" / "notes.txt").write_text("keep")
        self.assert_only("not", "notes.txt", "bytes differ")

    def test_several_sources(self):
        for name in ["a", "b"]:
            png(self.work / name / "x.png", 1 if name == "a" else 2)
        sources = [self.work / "a", self.work / "b"]
        mist("encode", *sources, "-o", self.store, "--dataset", "d", check=0)
        result = mist("verify", f"{self.store}/d/", "--against", sources[0], "--against", sources[1], "--json", check=0)
        self.assertEqual(sum(len(json.loads(result.stdout)[kind]) for kind in RESTORED), 2)
        mist("verify", self.store / "d", "--against", sources[0], check=1)

    def test_leaves_nothing_behind(self):
        self.base()
        scratch = self.work / "scratch"
        scratch.mkdir()
        mist("verify", self.store / "d", "--against", self.source, check=0, env={**os.environ, "TMPDIR": str(scratch)})
        self.assertEqual(list(scratch.iterdir()), [])

    def test_usage(self):
        self.base()
        for arguments in [(self.store / "d", "--json"), ("d", "--against", self.source),
                          (self.store / "d", self.store, "--against", self.source)]:
            mist("verify", *arguments, check=2)
        mist("verify", self.store / "other", "--against", self.source, check=1)
        mist("verify", self.store / "d", "--against", self.work / "nowhere", check=1)


class Said(Case):
    def encode_loud(self):
        return mist("encode", self.source, "-o", self.store, "--dataset", "d", check=0)

    def test_patients(self):
        named = {"PatientName": "A^B", "PatientID": "1", "PatientBirthDate": "19700101"}
        for i, (keyword, value) in enumerate(named.items()):
            dicom(self.source / f"{i}.dcm", i, **{keyword: value})
        dicom(self.source / "without.dcm", 10)
        dicom(self.source / "empty.dcm", 11, PatientName="", PatientID=" ")
        dicom(self.source / "removed.dcm", 12, PatientIdentityRemoved="YES", **named)
        dicom(self.source / "deflated.dcm", 13, DEFLATED, PatientIdentityRemoved="NO", **named)
        dicom(self.source / "report.dcm", 14, **named)
        report = pydicom.dcmread(self.source / "report.dcm")
        del report.PixelData
        report.save_as(self.source / "report.dcm")
        report, _ = self.encode()
        self.assertEqual((report["naming_patient"], report["attachments"], report["failed"]), (5, 1, 0))
        self.assertEqual(self.encode()[0]["naming_patient"], 0)
        shutil.rmtree(self.store)
        self.assertIn("5 DICOM files name a patient and do not say that identity was removed\n", self.encode_loud().stdout)

    def test_one_and_none(self):
        dicom(self.source / "a.dcm", 1)
        self.assertNotIn("patient", self.encode_loud().stdout)
        dicom(self.source / "b.dcm", 2, PatientID="x")
        self.assertIn("1 DICOM file names a patient and does not say that identity was removed\n", self.encode_loud().stdout)

    def test_warnings(self):
        dicom(self.source / "short.dcm", 1)
        data = (self.source / "short.dcm").read_bytes()
        (self.source / "short.dcm").write_bytes(data[:-62])
        dicom(self.source / "bare.dcm", 2)
        data = (self.source / "bare.dcm").read_bytes()
        group = struct.unpack_from("<I", data, 140)[0]
        (self.source / "bare.dcm").write_bytes(data[144 + group:])
        dicom(self.source / "good.dcm", 3)
        report, errors = self.encode()
        self.assertEqual((report["warnings"], report["failed"], report["items"]), (2, 0, 3))
        self.assertEqual(len(errors.splitlines()), 2, errors)
        self.assertRegex(errors, r"mist encode: \S+: the last 62 of 16200 bytes of pixel data are missing: .*short\.dcm\n")
        self.assertRegex(errors, r"mist encode: \S+: no file meta information, .*bare\.dcm\n")
        found = mist("verify", self.store / "d", "--against", self.source, "--json", check=0)
        self.assertEqual(sorted(json.loads(found.stdout)["bytes"]), ["bare.dcm", "good.dcm", "short.dcm"])


if __name__ == "__main__":
    unittest.main()
