"""DICOMweb of `mist serve`, judged by pydicom, OpenJPEG and PIL: what QIDO-RS finds, WADO-RS metadata, frames, files."""
import email.parser
import io
import json
import os
import pathlib
import shutil
import sys
import tempfile
import unittest
import warnings

import numpy as np
import PIL.Image
import pydicom
import pydicom.uid

from hosting import EXAMPLES, SOURCE, Host, mist

sys.path.insert(0, str(SOURCE / "tests" / "codec"))
import decoding

SHARED = pathlib.Path(os.environ.get("MIST_SHARED", "/nonexistent"))
EXPLICIT, HTJ2K, RPCL = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202"
STORED = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'
SAMPLES = 'multipart/related; type="application/octet-stream"'
warnings.filterwarnings("ignore", module="pydicom")


def parts_of(fields, data):
    """[(header fields, bytes)] of a multipart body, by Python's own parser of such things and by hand."""
    message = email.parser.HeaderParser().parsestr("Content-Type: " + fields["content-type"])
    boundary = message.get_boundary().encode()
    assert data.startswith(b"--" + boundary + b"\r\n"), data[:100]
    assert data.endswith(b"\r\n--" + boundary + b"--\r\n")
    parts = []
    for part in data[: -len(boundary) - 8].split(b"--" + boundary + b"\r\n")[1:]:
        head, body = part.split(b"\r\n\r\n", 1)
        parts.append((email.parser.BytesHeaderParser().parsebytes(head + b"\r\n\r\n"), body))
    return [(head, body[:-2] if i < len(parts) - 1 else body) for i, (head, body) in enumerate(parts)]


def value(row, tag):
    return row[tag].get("Value", [None])[0]


def plain(given):
    """An element's value as text, without padding."""
    several = given if isinstance(given, (list, pydicom.multival.MultiValue)) else [given]
    return [str(one).strip() for one in several]


def frames_of(ds):
    """One where what is said is no number, as in one of the files."""
    try:
        return int(ds.get("NumberOfFrames") or 1)
    except ValueError:
        return 1


def make_series(directory, name, count=5, study="1.2.3.4", modality="CT", **more):
    """A small CT series made by pydicom; slices are known by their mean."""
    directory.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(len(name))
    for i in range(count):
        ds = pydicom.Dataset()
        ds.file_meta = pydicom.dataset.FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = EXPLICIT
        ds.is_little_endian, ds.is_implicit_VR = True, False
        ds.SpecificCharacterSet = "ISO_IR 100"
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"{study}.{len(name)}.{i + 1}"
        ds.StudyInstanceUID, ds.SeriesInstanceUID = study, f"{study}.{len(name)}"
        ds.StudyDate, ds.StudyTime, ds.AccessionNumber, ds.StudyID = "20240229", "101530.5", "A 17", "S1"
        ds.Modality, ds.SeriesNumber, ds.InstanceNumber = modality, len(name), i + 1
        ds.PatientName, ds.PatientID, ds.SeriesDescription = "M\xfcller^Anna", "P-7", name
        ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = 96, 130, 1, "MONOCHROME2"
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
        ds.PixelSpacing, ds.SliceThickness = [0.7, 0.6], 2
        ds.ImagePositionPatient, ds.ImageOrientationPatient = [-40, -30, 2 * i], [1, 0, 0, 0, 1, 0]
        ds.RescaleSlope, ds.RescaleIntercept, ds.FrameOfReferenceUID = 1, -1024, study + ".9"
        y, x = np.mgrid[:96, :130]
        ds.PixelData = (900 * np.sin(x / 11) * np.cos(y / 7 + i) + rng.integers(-20, 20, (96, 130))).astype("<i2").tobytes()
        for key, given in more.items():
            setattr(ds, key, given)
        ds.save_as(directory / f"{i + 1}.dcm", write_like_original=False)


class DicomwebTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = pathlib.Path(tempfile.mkdtemp(prefix="mist-dicomweb-"))
        cls.store = cls.work / "store"
        make_series(cls.work / "made" / "a", "axial")
        make_series(cls.work / "made" / "b", "second", 3)
        make_series(cls.work / "made" / "c", "other patient", 2, "1.2.3.5", "MR", PatientID="Q[1]*", PatientName="Doe^John",
                    StudyDate="20231231", StudyTime="0900", AccessionNumber="B?", SeriesDescription="T2")
        mist("encode", cls.work / "made", "-o", cls.store, "--dataset", "made")
        mist("encode", EXAMPLES, "-o", cls.store, "--dataset", "examples")
        cls.trees = {"made": cls.work / "made", "examples": EXAMPLES}
        if (SHARED / "data" / "dicom").is_dir():
            cls.trees["dicom"] = SHARED / "data" / "dicom"
            tree = cls.work / "dicom"  # each instance once: some are there in several transfer syntaxes
            seen = set()
            for path in sorted((SHARED / "data" / "dicom").rglob("*")):
                if path.is_file() and path.name != "no_meta.dcm" and (uids := cls.uids_of(path)) and uids not in seen:
                    seen.add(uids)
                    tree.joinpath(path.parent.name).mkdir(parents=True, exist_ok=True)
                    shutil.copy(path, tree / path.parent.name)
            cls.trees["dicom"] = tree
            mist("encode", tree, "-o", cls.store, "--dataset", "dicom")
        else:
            print("../shared is not here: its DICOM files are not asked for", file=sys.stderr)
        cls.host = Host(cls.store)

    @classmethod
    def tearDownClass(cls):
        cls.host.stop()
        shutil.rmtree(cls.work)

    @staticmethod
    def uids_of(path):
        """Of study, series and instance; None: there are none."""
        try:
            ds = pydicom.dcmread(path, stop_before_pixels=True, force=path.suffix == ".dcm")
            return ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID
        except (pydicom.errors.InvalidDicomError, AttributeError):
            return None

    # ---- asking ----

    def json(self, path, status=200):
        got, fields, data = self.host.request("/dicom-web" + path, {"Accept": "application/dicom+json"})
        self.assertEqual(got, status, (path, data[:300]))
        if status == 200:
            self.assertEqual(fields["content-type"], "application/dicom+json")
        return json.loads(data)

    def parts(self, path, accept, status=200):
        got, fields, data = self.host.request("/dicom-web" + path, {"Accept": accept})
        self.assertEqual(got, status, (path, data[:300]))
        self.assertEqual(int(fields["content-length"]), len(data))
        self.assertNotIn("transfer-encoding", fields)
        return parts_of(fields, data)

    def files(self, path, accept='multipart/related; type="application/dicom"; transfer-syntax=*'):
        parts = self.parts(path, accept)
        for head, _ in parts:
            self.assertEqual(head["content-type"], "application/dicom")
        return [body for _, body in parts]

    def instances(self, *datasets):
        """Each instance's path and source file, of the datasets, as the tests' own walk finds them."""
        for dataset in datasets:
            by_uids = {self.uids_of(path): path for path in self.trees[dataset].rglob("*") if path.is_file()}
            for row in self.json(f"/{dataset}/instances"):
                uids = tuple(value(row, tag) for tag in ("0020000D", "0020000E", "00080018"))
                yield "/{}/studies/{}/series/{}/instances/{}".format(dataset, *uids), by_uids[uids]

    # ---- QIDO-RS ----

    def test_studies(self):
        rows = self.json("/made/studies")
        self.assertEqual([value(r, "0020000D") for r in rows], ["1.2.3.4", "1.2.3.5"])
        self.assertEqual([value(r, "00201206") for r in rows], [2, 1])
        self.assertEqual([value(r, "00201208") for r in rows], [8, 2])
        self.assertEqual([r["00080061"]["Value"] for r in rows], [["CT"], ["MR"]])
        self.assertEqual(value(rows[0], "00100010"), {"Alphabetic": "M\xfcller^Anna"})
        self.assertEqual(value(rows[0], "00081190"), "/dicom-web/made/studies/1.2.3.4")
        for row in rows:
            self.assertEqual(list(row), sorted(row))
            self.assertEqual(value(row, "00080056"), "ONLINE")

    def test_conditions(self):
        for query, found in [
                ("PatientID=P-7", 1), ("00100020=P-7", 1), ("PatientID=p-7", 1), ("PatientID=P-8", 0), ("PatientID=P*", 1),
                ("PatientID=?-7", 1), ("PatientID=Q%5B1%5D*", 1), ("PatientID=Q%5B1%5D%2A", 1), ("PatientID=Q1*", 0),
                ("PatientName=Doe%5EJohn", 1), ("PatientName=doe^john", 1), ("PatientName=DOE*", 1), ("PatientName=*john*", 1),
                ("PatientName=Doe", 0), ("PatientName=Doe^John^^", 1), ("PatientName=M%C3%BCller*", 1),
                ("StudyDate=20240229", 1), ("StudyDate=20240101-20241231", 1), ("StudyDate=20230101-", 2),
                ("StudyDate=-20231231", 1), ("StudyDate=-20230101", 0), ("StudyTime=10-11", 1), ("StudyTime=09", 1),
                ("StudyTime=1015-1015", 1), ("AccessionNumber=A%2017", 1), ("AccessionNumber=B%3F", 1),
                ("ModalitiesInStudy=MR", 1), ("ModalitiesInStudy=PT", 0), ("StudyInstanceUID=1.2.3.4", 1),
                ("StudyInstanceUID=1.2.3.4%5C1.2.3.5", 2), ("StudyInstanceUID=1.2.3.4,1.2.3.5,9", 2), ("StudyInstanceUID=1.2.3", 0),
                ("StudyInstanceUID=", 2), ("PatientID=*", 2), ("PatientID=", 2), ("fuzzymatching=true&PatientID=P-7", 1),
                ("includefield=all", 2), ("includefield=00081030%2C00080060", 2), ("limit=1", 1), ("limit=1&offset=1", 1),
                ("offset=2", 0), ("limit=0", 0), ("nonsense=1", 2), ("PatientID=P-7&StudyDate=20231231", 0),
                ("PatientID=%27%20OR%201=1--", 0), ("PatientID=%22", 0), ("Modality=MR", 2)]:
            rows = self.json("/made/studies?" + query)
            self.assertEqual(len(rows), found, query)

    def test_attributes_stand_once(self):
        """Whatever is asked for twice, under its keyword and its number."""
        def once(pairs):
            self.assertEqual(len({key for key, _ in pairs}), len(pairs), pairs)
            return dict(pairs)
        for query in ("includefield=PatientName&includefield=00100010", "includefield=StudyDate,StudyDate&StudyDate=20240229", "includefield=all&PatientID=*"):
            got, _, data = self.host.request("/dicom-web/made/studies?" + query)
            self.assertEqual(got, 200)
            self.assertTrue(json.loads(data, object_pairs_hook=once))

    def test_what_is_not_searched_by_is_said(self):
        for query, said in [("Foo=1", "Foo"), ("00180050=1", "00180050"), ("limit=1", "more results"), ("imageSetId=7", None)]:
            _, fields, _ = self.host.request("/dicom-web/made/studies?" + query)
            self.assertTrue(said in fields["warning"] if said else "warning" not in fields, (query, fields))
        self.json("/made/studies?limit=x", 400)
        self.json("/made/studies?PatientID=" + "a*" * 9, 400)
        self.json("/made/studies?StudyInstanceUID=" + ",".join(["1.2"] * 1500), 400)

    def test_series_and_instances(self):
        rows = self.json("/made/studies/1.2.3.4/series")
        self.assertEqual([(value(r, "0020000E"), value(r, "00201209"), value(r, "0008103E")) for r in rows],
                         [("1.2.3.4.5", 5, "axial"), ("1.2.3.4.6", 3, "second")])
        self.assertNotIn("00100010", rows[0])
        self.assertEqual([value(r, "00100020") for r in self.json("/made/series?Modality=MR")], ["Q[1]*"])
        self.assertEqual(len(self.json("/made/studies/1.2.3.4/series?SeriesDescription=AX*")), 1)
        self.assertEqual(len(self.json("/made/studies/1.2.3.4/series?SeriesNumber=6")), 1)
        rows = self.json("/made/studies/1.2.3.4/series/1.2.3.4.5/instances")
        self.assertEqual([value(r, "00200013") for r in rows], [1, 2, 3, 4, 5])
        self.assertEqual({(value(r, "00280010"), value(r, "00280011")) for r in rows}, {(96, 130)})
        self.assertEqual(len(self.json("/made/studies/1.2.3.4/instances")), 8)
        self.assertEqual(len(self.json("/made/instances?InstanceNumber=2")), 3)
        self.assertEqual(len(self.json("/made/instances?SOPInstanceUID=1.2.3.4.5.2")), 1)
        self.assertEqual(len(self.json("/made/series/1.2.3.4.5/instances", 404)), 1)

    def test_an_instance_that_is_there_twice_is_given_once(self):
        tree, store = self.work / "twice", self.work / "twice-store"
        make_series(tree / "x", "first", 3)
        make_series(tree / "y", "first", 3)
        mist("encode", tree, "-o", store, "--dataset", "d")
        mist("encode", tree / "x", "-o", store, "--dataset", "e")
        host = Host(store)
        try:
            for base in ["/dicom-web", "/dicom-web/d", "/dicom-web/e"]:
                self.assertEqual([value(r, "00201208") for r in json.loads(host.get(base + "/studies"))], [3], base)
                self.assertEqual([value(r, "00201209") for r in json.loads(host.get(base + "/series"))], [3], base)
                self.assertEqual(len(json.loads(host.get(base + "/instances"))), 3, base)
                self.assertEqual(len(json.loads(host.get(base + "/studies/1.2.3.4/metadata"))), 3, base)
        finally:
            host.stop()

    def test_a_dataset_that_is_not_published_here(self):
        """Neither found nor retrieved, under whatever address; what another dataset has, too, still is; /v1 is as ever."""
        tree, store = self.work / "hidden", self.work / "hidden-store"
        make_series(tree / "x", "first", 3)
        make_series(tree / "y", "second", 2)
        mist("encode", tree, "-o", store, "--dataset", "d")
        mist("encode", tree / "x", "-o", store, "--dataset", "e")
        for arguments, seen in [((), {"": 5, "/d": 5, "/e": 3}), (("d",), {"": 3, "/d": 0, "/e": 3}), (("e",), {"": 5, "/d": 5, "/e": 0}),
                                (("d", "e"), {"": 0, "/d": 0, "/e": 0}), (("none", "d' OR 1=1 --"), {"": 5, "/d": 5, "/e": 3})]:
            host = Host(store, *(word for name in arguments for word in ("--no-dicom-web", name)))
            try:
                for base, count in seen.items():
                    base = "/dicom-web" + base
                    found = json.loads(host.get(base + "/instances"))
                    self.assertEqual(len(found), count, (arguments, base))
                    studies = json.loads(host.get(base + "/studies"))
                    self.assertEqual(sum(value(row, "00201208") for row in studies), count, (arguments, base))
                    for row in found:
                        uids = [value(row, tag) for tag in ("0020000D", "0020000E", "00080018")]
                        host.get("{}/studies/{}/series/{}/instances/{}/metadata".format(base, *uids))
                    if not count:
                        self.assertEqual(host.request(base + "/studies/1.2.3.4/metadata")[0], 404)
                self.assertEqual(len(json.loads(host.get("/v1/datasets"))["datasets"]), 2)
            finally:
                host.stop()

    def test_the_whole_store_and_one_dataset(self):
        everything, made = self.json("/instances"), self.json("/made/instances")
        self.assertEqual(len(made), 10)
        self.assertGreater(len(everything), len(made))
        uids = [value(r, "00080018") for r in everything]
        self.assertEqual(len(uids), len(set(uids)))
        self.assertEqual(value(made[0], "00081190")[:16], "/dicom-web/made/")
        self.assertEqual(self.json("/studies?StudyInstanceUID=1.2.3.4")[0]["00201208"]["Value"], [8])
        self.json("/examples/studies/1.2.3.4/metadata", 404)

    def test_an_index_made_anew_finds_the_same(self):
        copy = self.work / "copy"
        shutil.copytree(self.store, copy)
        (copy / "mist.sqlite").unlink()
        mist("index", copy)
        host = Host(copy)
        try:
            for path in ["/studies", "/series", "/instances"]:
                self.assertEqual(json.loads(host.get("/dicom-web" + path)), self.json(path))
        finally:
            host.stop()

    def test_what_is_encoded_again_or_pruned_is_found_as_it_is(self):
        tree, store = self.work / "changing", self.work / "changing-store"
        make_series(tree / "x", "first", 3)
        mist("encode", tree, "-o", store, "--dataset", "d")
        (tree / "x" / "2.dcm").unlink()
        make_series(tree / "y", "later", 1, "1.9")
        mist("encode", tree, "-o", store, "--dataset", "d")
        shutil.rmtree(tree / "y")
        host = Host(store)
        try:
            self.assertEqual([value(r, "00201208") for r in json.loads(host.get("/dicom-web/studies"))], [3, 1])
        finally:
            host.stop()
        mist("encode", tree, "-o", store, "--dataset", "d", "--prune")
        host = Host(store)
        try:
            self.assertEqual([value(r, "00201208") for r in json.loads(host.get("/dicom-web/studies"))], [2])
        finally:
            host.stop()

    # ---- metadata ----

    def test_metadata_is_what_pydicom_reads(self):
        """Of every instance: all elements, but for what decoding changes."""
        decoded = {"00280002", "00280004", "00280006", "00280100", "00280101", "00280102"}
        count = 0
        for path, source in self.instances(*self.trees):
            ds = pydicom.dcmread(source, stop_before_pixels=True, force=True)
            got = self.json(path + "/metadata")[0]
            self.assertEqual(list(got), sorted(got), path)
            text = json.dumps(got)
            again = pydicom.Dataset.from_json(text, lambda uri: b"\x01")
            for element in ds:
                tag = f"{element.tag:08X}"
                if element.tag.element == 0 or tag >= "7FE0" or (ds.file_meta.get("TransferSyntaxUID", pydicom.uid.ImplicitVRLittleEndian).is_compressed and tag in decoded):
                    continue
                if tag == "00280004" and element.value == "YBR_FULL_422" or tag == "00280006":  # all chroma, interleaved
                    continue
                if element.VR == "IS" and "Value" not in got.get(tag, {"Value": 0}):  # no number, and left out
                    self.assertFalse(str(element.value).strip().isdigit(), (path, tag))
                    continue
                if tag in ("00080005",) or not isinstance(got.get(tag), dict):
                    self.assertTrue(tag == "00080005" or tag in got, (path, tag))
                    continue
                if element.VR in ("UI", "US", "IS", "CS", "DA", "SH", "LO") and element.value not in (None, "", []):
                    self.assertEqual(plain(again[element.tag].value), plain(element.value), (path, tag))
                elif element.VR in ("DS", "FD", "FL") and element.value not in (None, "", []):
                    np.testing.assert_allclose(np.atleast_1d(np.asarray(again[element.tag].value, float)),
                                               np.atleast_1d(np.asarray(element.value, float)), rtol=1e-6)
                elif element.VR == "SQ":
                    self.assertEqual(len(again[element.tag].value), len(element.value), (path, tag))
            count += 1
        self.assertGreaterEqual(count, 10)

    def test_metadata_of_series_and_studies(self):
        whole = self.json("/made/studies/1.2.3.4/metadata")
        self.assertEqual([value(r, "00080018") for r in whole],
                         [f"1.2.3.4.5.{i}" for i in range(1, 6)] + [f"1.2.3.4.6.{i}" for i in range(1, 4)])
        self.assertEqual(self.json("/made/studies/1.2.3.4/series/1.2.3.4.5/metadata"), whole[:5])
        self.assertEqual(self.json("/made/studies/1.2.3.4/series/1.2.3.4.5/instances/1.2.3.4.5.3/metadata"), [whole[2]])
        self.assertEqual(whole[0]["00083002"]["Value"], [EXPLICIT, RPCL, HTJ2K])

    def test_reduced_metadata_is_of_the_reduced_frames(self):
        for path in ["/made/studies/1.2.3.4/metadata?reduce=1", "/made/reduced/1/studies/1.2.3.4/metadata",
                     "/made/studies/1.2.3.4/series/1.2.3.4.5/reduced/1/metadata"]:
            row = self.json(path)[1]
            self.assertEqual((value(row, "00280010"), value(row, "00280011")), (48, 65))
            self.assertEqual(row["00280030"]["Value"], [1.4, 1.2])
            self.assertEqual(row["00200032"]["Value"], [-40, -30, 2])
            self.assertEqual(value(row, "00080018"), "1.2.3.4.5.2")
            self.assertEqual(value(row, "0020000E"), "1.2.3.4.5")

    def test_bulk_data(self):
        """Every BulkDataURI gives the element's bytes."""
        count = 0
        for path, source in self.instances(*self.trees):
            ds = pydicom.dcmread(source, stop_before_pixels=True, force=True)
            for tag, attribute in self.json(path + "/metadata")[0].items():
                if "BulkDataURI" not in attribute:
                    continue
                self.assertTrue(attribute["BulkDataURI"].startswith("/dicom-web/"))
                _, fields, data = self.host.request(attribute["BulkDataURI"], {"Accept": "application/octet-stream"})
                element = ds[tag].value
                if isinstance(element, bytes) and ds.is_little_endian:
                    self.assertEqual(data, element, (path, tag))
                    count += 1
                parts = self.parts(attribute["BulkDataURI"][10:], "multipart/related; type=application/octet-stream")
                self.assertEqual([body for _, body in parts], [data])
        if "dicom" in self.trees:
            self.assertGreater(count, 10)
        self.json("/made/studies/1.2.3.4/series/1.2.3.4.5/instances/1.2.3.4.5.3/bulkdata/00091010", 404)
        self.json("/made/studies/1.2.3.4/series/1.2.3.4.5/instances/1.2.3.4.5.3/bulkdata/zz", 404)

    # ---- frames ----

    def explicit(self, ds, frames):
        """The bytes of frames of a file in explicit VR little endian, as pydicom finds them."""
        size = (ds.Rows * ds.Columns * ds.SamplesPerPixel * ds.BitsAllocated + 7) // 8
        data = next(ds[tag].value for tag in ("PixelData", "FloatPixelData", "DoubleFloatPixelData") if tag in ds)
        if ds.BitsAllocated % 8 and frames > 1:
            bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
            each = ds.Rows * ds.Columns * ds.SamplesPerPixel * ds.BitsAllocated
            return [np.packbits(bits[i * each: (i + 1) * each], bitorder="little").tobytes() for i in range(frames)]
        return [data[i * size: (i + 1) * size] for i in range(frames)]

    def stored_pixels(self, ds, data):
        """Values, without the bits that are no part of them."""
        dtype = np.dtype(f"<u{ds.BitsAllocated // 8}")
        values = np.frombuffer(data, dtype)
        return (values >> (ds.HighBit + 1 - ds.BitsStored)) & dtype.type(2**ds.BitsStored - 1)

    def test_frames_as_samples(self):
        """Every frame of every instance, full and reduced, is that of the retrieved file in explicit VR little endian."""
        checked = 0
        for path, source in self.instances(*self.trees):
            for reduce in (0, 1):
                at = path.replace("/studies", f"/reduced/{reduce}/studies", 1)
                file = self.files(at, 'multipart/related; type="application/dicom"')
                self.assertEqual(len(file), 1)
                ds = pydicom.dcmread(io.BytesIO(file[0]))
                self.assertEqual(ds.file_meta.TransferSyntaxUID, EXPLICIT)
                frames = frames_of(ds)
                numbers = ",".join(map(str, range(1, min(frames, 40) + 1)))
                parts = self.parts(f"{at}/frames/{numbers}", SAMPLES)
                row = self.json(at + "/metadata")[0]
                self.assertEqual((value(row, "00280010"), value(row, "00280011")), (ds.Rows, ds.Columns), path)
                halved = ds.PhotometricInterpretation == "YBR_FULL_422"
                self.assertEqual(value(row, "00280004"), "YBR_FULL" if halved else ds.PhotometricInterpretation)
                self.assertEqual(value(row, "00280100"), ds.BitsAllocated)
                planar = ds.SamplesPerPixel > 1 and ds.PlanarConfiguration
                for expected, (head, body) in zip(self.explicit(ds, frames), parts):
                    self.assertEqual(head["content-type"], f"application/octet-stream; transfer-syntax={EXPLICIT}")
                    if planar:
                        expected = np.frombuffer(expected, f"u{ds.BitsAllocated // 8}").reshape(3, -1).T.tobytes()
                    if halved:  # Y Y Cb Cr (PS3.3, C.7.6.3.1.2)
                        pairs = np.frombuffer(ds.PixelData, np.uint8).reshape(-1, 4)
                        expected = pairs[:, [0, 2, 3, 1, 2, 3]].tobytes()[:ds.Rows * ds.Columns * 3]
                    if ds.BitsAllocated in (8, 16) and "PixelData" in ds:
                        np.testing.assert_array_equal(self.stored_pixels(ds, body), self.stored_pixels(ds, expected), path)
                    else:
                        self.assertEqual(body[:len(expected)], expected, path)
                    checked += 1
        self.assertGreater(checked, 20)

    def openjpeg(self, stream, components):
        """A codestream decoded by OpenJPEG: rows, columns, components."""
        path = self.work / "frame.j2c"
        path.write_bytes(stream)
        return np.stack(decoding.opj_decode(str(path), str(self.work), components=components), axis=-1)

    def test_stored_frames(self):
        """What is stored as HTJ2K is sent as it is; OpenJPEG decodes it to the samples that explicit VR has."""
        seen = {}
        for path, source in self.instances(*self.trees):
            for reduce in (0, 2):
                at = path.replace("/studies", f"/reduced/{reduce}/studies", 1)
                (head, body), = self.parts(at + "/frames/1", STORED)
                (_, samples), = self.parts(at + "/frames/1", SAMPLES)
                row = self.json(at + "/metadata")[0]
                syntax = head["content-type"].split("transfer-syntax=")[1]
                seen[syntax] = seen.get(syntax, 0) + 1
                self.assertIn(syntax, row["00083002"]["Value"])
                if syntax == EXPLICIT:
                    self.assertEqual(body, samples)
                elif head["content-type"].startswith("image/jphc") and reduce:
                    got = self.openjpeg(body, value(row, "00280002"))
                    allocated = value(row, "00280100")
                    dtype = f"<{'i' if value(row, '00280103') else 'u'}{allocated // 8}"
                    expected = np.frombuffer(samples, dtype).reshape(value(row, "00280010"), value(row, "00280011"), -1)
                    mask = (1 << value(row, "00280101")) - 1
                    shift = value(row, "00280102") + 1 - value(row, "00280101")
                    np.testing.assert_array_equal(got.reshape(expected.shape) & mask, (expected >> shift) & mask, path)
        self.assertGreater(seen[RPCL], 5)
        if "dicom" in self.trees:
            self.assertTrue(any(s.endswith((".50", ".70", ".90", ".80")) for s in seen), seen)

    def test_kept_streams_are_the_originals(self):
        if "dicom" not in self.trees:
            self.skipTest("../shared is not here")
        count = 0
        for path, source in self.instances("dicom"):
            ds = pydicom.dcmread(source, force=True)
            syntax = ds.file_meta.get("TransferSyntaxUID", pydicom.uid.ImplicitVRLittleEndian)
            (head, body), = self.parts(path + "/frames/1", STORED)
            if not syntax.is_encapsulated or not head["content-type"].endswith("transfer-syntax=" + syntax):
                continue
            frames = frames_of(ds)
            original = next(iter(pydicom.encaps.generate_pixel_data(ds.PixelData, frames)))
            self.assertEqual(body, b"".join(original)[:len(body)], path)
            self.assertLessEqual(len(b"".join(original)) - len(body), 1)
            count += 1
        self.assertGreater(count, 3)

    def test_media_types(self):
        at = "/made/studies/1.2.3.4/series/1.2.3.4.5/instances/1.2.3.4.5.3/frames/1"
        stored, = self.parts(at, STORED)
        samples, = self.parts(at, SAMPLES)
        self.assertEqual(stored[0]["content-type"], f"image/jphc; transfer-syntax={RPCL}")
        for accept, expected in [
                ("multipart/related; type=application/octet-stream; transfer-syntax=*", stored),
                ('multipart/related; type="application/octet-stream"; transfer-syntax="*"', stored),
                ("multipart/related; type=image/jphc", stored), ("multipart/related; type=image/jhc", stored),
                (f"multipart/related; type=image/jphc; transfer-syntax={RPCL}", stored),
                ("multipart/related; type=image/*", stored), ('multipart/related; type="*/*"', samples), ("*/*", samples),
                ("undefined", samples), ("", samples), ("multipart/related", samples),
                (f"multipart/related; type=application/octet-stream; transfer-syntax={EXPLICIT}", samples),
                ("multipart/related; type=image/jpeg, multipart/related; type=image/jphc; q=0.5", stored),
                ("multipart/related; type=image/jphc; q=0.2, multipart/related; type=application/octet-stream", samples)]:
            (head, body), = self.parts(at, accept)
            self.assertEqual((head["content-type"], body), (expected[0]["content-type"], expected[1]), accept)
        for accept, expected in [("image/jphc", stored), ("application/octet-stream", samples),
                                 ("application/octet-stream; transfer-syntax=*", stored)]:
            got, fields, data = self.host.request("/dicom-web" + at, {"Accept": accept})
            self.assertEqual((got, fields["content-type"], data), (200, expected[0]["content-type"], expected[1]), accept)
        for accept in ["text/html", "multipart/related; type=image/jpeg", f"multipart/related; type=image/jphc; transfer-syntax={EXPLICIT}",
                       "multipart/related; type=application/octet-stream; transfer-syntax=1.2.840.10008.1.2.4.50"]:
            self.assertEqual(self.host.request("/dicom-web" + at, {"Accept": accept})[0], 406, accept)
        # The parameter wins over the field.
        (head, _), = self.parts(at + "?accept=multipart/related;type=image/jphc", "undefined")
        self.assertEqual(head["content-type"], stored[0]["content-type"])

    def test_codestreams_made_on_the_fly(self):
        """Of what is not stored so: .201 with the precision and sign that the attributes declare."""
        made = 0
        for path, source in self.instances(*self.trees):
            got, fields, data = self.host.request("/dicom-web" + path + "/frames/1", {"Accept": f"image/jphc; transfer-syntax={HTJ2K}"})
            row = self.json(path + "/metadata")[0]
            if got == 406:
                self.assertNotIn(HTJ2K, row["00083002"]["Value"])
                continue
            self.assertEqual(got, 200, data)
            made += 1
            precision = data[data.index(b"\xff\x51") + 40]
            self.assertEqual(precision, (value(row, "00280103") << 7) | (value(row, "00280101") - 1), path)
        self.assertGreater(made, 5)

    def test_frame_lists(self):
        at = "/made/studies/1.2.3.4/series/1.2.3.4.5/instances/1.2.3.4.5.3/frames/"
        for frames, status in [("0", 400), ("2", 404), ("1,2", 404), ("x", 400), ("1,", 400), (",1", 400), ("-1", 400), ("1,1", 200),
                               ("99999999999999999999", 400), (",".join(["1"] * 3000), 400)]:
            self.assertEqual(self.host.request("/dicom-web" + at + frames)[0], status, frames)
        _, body = self.parts(at + "1,1", STORED)[1]
        self.assertEqual(body, self.parts(at + "1", STORED)[0][1])

    def test_ranges_and_versions(self):
        at = "/dicom-web/made/studies/1.2.3.4/series/1.2.3.4.5/instances/1.2.3.4.5.3/frames/1"
        _, fields, whole = self.host.request(at, {"Accept": STORED})
        got, part_fields, part = self.host.request(at, {"Accept": STORED, "Range": "bytes=100-199"})
        self.assertEqual((got, part, part_fields["content-range"]), (206, whole[100:200], f"bytes 100-199/{len(whole)}"))
        got, _, nothing = self.host.request(at, {"Accept": STORED, "Range": "bytes=99999999-"})
        self.assertEqual((got, nothing), (416, b""))
        self.assertEqual(self.host.request(at, {"Accept": STORED, "If-None-Match": fields["etag"]})[0], 304)
        other = self.host.request(at, {"Accept": SAMPLES})[1]["etag"]
        self.assertNotEqual(other, fields["etag"])
        got, head_fields, nothing = self.host.request(at, {"Accept": STORED}, method="HEAD")
        self.assertEqual((got, head_fields["content-length"], nothing), (200, str(len(whole)), b""))

    # ---- pictures ----

    def test_rendered(self):
        base = "/dicom-web/made/studies/1.2.3.4"
        at = base + "/series/1.2.3.4.5/instances/1.2.3.4.5.3"
        for path, accept, form, size in [
                (at + "/rendered", "image/jpeg", "JPEG", (130, 96)), (at + "/rendered", "image/png", "PNG", (130, 96)),
                (at + "/rendered", "*/*", "JPEG", (130, 96)), (at + "/frames/1/rendered?viewport=65,100", "image/png", "PNG", (65, 48)),
                (at + "/thumbnail?viewport=50,50", "image/jpeg", "JPEG", (50, 37)), (at + "/rendered?reduce=1", "image/png", "PNG", (65, 48)),
                (at + "/thumbnail?accept=image/jpeg", "text/x", "JPEG", (130, 96)), (base + "/thumbnail", "image/*", "JPEG", (130, 96)),
                (base + "/series/1.2.3.4.6/rendered", "image/*", "JPEG", (130, 96))]:
            got, fields, data = self.host.request(path, {"Accept": accept})
            self.assertEqual(got, 200, (path, data[:200]))
            picture = PIL.Image.open(io.BytesIO(data))
            self.assertEqual((picture.format, picture.size, picture.mode), (form, size, "L"), path)
        for path, status in [("/rendered?viewport=x", 400), ("/rendered?window=1", 400), ("/frames/2/rendered", 404),
                             ("/rendered?accept=text/html", 406), ("/rendered?viewport=0,5", 400)]:
            self.assertEqual(self.host.request(at + path)[0], status, path)

    def test_windows(self):
        """A window in the file's units, by the formula of PS3.3, C.11.2.1.2."""
        at = "/dicom-web/made/studies/1.2.3.4/series/1.2.3.4.5/instances/1.2.3.4.5.3/rendered?accept=image/png&window=-1000,400,LINEAR"
        got = np.asarray(PIL.Image.open(io.BytesIO(self.host.get(at))), float)
        values = pydicom.dcmread(self.work / "made" / "a" / "3.dcm").pixel_array - 1024.0
        expected = np.clip(((values + 1000.5) / 399 + 0.5) * 255, 0, 255)
        self.assertLessEqual(np.abs(got - expected).max(), 1)

    # ---- files ----

    def test_retrieved_files(self):
        series = "/made/studies/1.2.3.4/series/1.2.3.4.5"
        originals = [(self.work / "made" / "a" / f"{i}.dcm").read_bytes() for i in range(1, 6)]
        self.assertEqual(self.files(series), originals)
        self.assertEqual(self.files(series + "/instances/1.2.3.4.5.4"), originals[3:4])
        self.assertEqual(len(self.files("/made/studies/1.2.3.4")), 8)
        got, fields, data = self.host.request("/dicom-web" + series + "/instances/1.2.3.4.5.4", {"Accept": "application/dicom; transfer-syntax=*"})
        self.assertEqual((got, fields["content-type"], data), (200, "application/dicom", originals[3]))
        wrapped = pydicom.dcmread(io.BytesIO(self.files(series + "/instances/1.2.3.4.5.4",
                                                        f"multipart/related; type=application/dicom; transfer-syntax={HTJ2K}")[0]))
        self.assertEqual(wrapped.file_meta.TransferSyntaxUID, RPCL)
        self.assertEqual(self.host.request("/dicom-web" + series, {"Accept": "application/dicom"})[0], 406)
        self.assertEqual(self.host.request("/dicom-web" + series, {"Accept": "text/plain"})[0], 406)
        reduced = pydicom.dcmread(io.BytesIO(self.files(series + "/instances/1.2.3.4.5.4?reduce=1")[0]))
        self.assertEqual((reduced.Rows, reduced.Columns), (48, 65))
        self.assertEqual(reduced.ImageType[0], "DERIVED")
        self.assertNotEqual(reduced.SOPInstanceUID, "1.2.3.4.5.4")

    def test_all_sources_come_back(self):
        """Byte for byte where they were not compressed."""
        count = 0
        for path, source in self.instances(*self.trees):
            file, = self.files(path)
            ds = pydicom.dcmread(source, stop_before_pixels=True, force=True)
            if ds.file_meta.get("TransferSyntaxUID", EXPLICIT) in (EXPLICIT, "1.2.840.10008.1.2"):
                self.assertEqual(file, source.read_bytes(), path)
                count += 1
        self.assertGreaterEqual(count, 10)

    # ---- what is not there ----

    def test_what_is_not_there(self):
        for path in ["", "/", "/made", "/made/", "/nothing/studies", "/made/studies/1.2.3.4/frames/1", "/made/studies/9.9/metadata",
                     "/made/studies/*/metadata", "/made/studies/1.2.3.4%5C1.2.3.5/metadata", "/made/studies/1.2.3.4,1.2.3.5/metadata",
                     "/made/studies//series", "/made/studies/1.2.3.4/series/1.2.3.5.13/metadata", "/made/studies/1.2.3.4/nonsense",
                     "/made/studies/1.2.3.4/metadata/more", "/reduced/x/studies", "/reduced/1/reduced/2/studies", "/reduced/99/studies",
                     "/made/studies/1.2.3.4/series/1.2.3.4.5/instances/1.2.3.4.5.3/frames", "/../studies/1.2.3.4/metadata",
                     "/made/studies/" + "1" * 65 + "/metadata", "/" + "a/" * 40, "/made/instances/1.2.3/metadata"]:
            got, fields, data = self.host.request("/dicom-web" + path)
            self.assertIn(got, (404,) if "nothing" not in path else (200, 404), path)
        for path in ["/made/studies?reduce=x", "/made/studies/1.2.3.4/metadata?reduce=-1"]:
            self.assertEqual(self.host.request("/dicom-web" + path)[0], 400, path)
        # Where an item has fewer levels, its smallest is given, and the metadata say so.
        self.assertEqual(self.json("/made/studies/1.2.3.4/metadata?reduce=30"), self.json("/made/studies/1.2.3.4/metadata?reduce=1"))


if __name__ == "__main__":
    unittest.main()
