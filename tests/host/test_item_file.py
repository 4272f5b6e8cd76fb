# SPDX-License-Identifier: BSD-2-Clause
"""Files made of items by the host, for those who have no decoder: what nibabel, numpy, PIL and pydicom read of them, and the
same bytes as `mist decode` writes."""
import gzip
import io
import json
import pathlib
import shutil
import tempfile
import unittest

import nibabel
import numpy
import pydicom
from PIL import Image

from hosting import EXAMPLES, Host, mist, quote

ITEMS = "/v1/datasets/d/items/"
NIFTI = "mr-head/images/chris_PD.nii.gz"


class ItemFile(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = pathlib.Path(tempfile.mkdtemp(prefix="mist-item-file-"))
        cls.addClassCleanup(shutil.rmtree, cls.work)
        mist("encode", EXAMPLES, "-o", cls.work / "store", "--dataset", "d")
        cls.host = Host(cls.work / "store")
        cls.addClassCleanup(lambda: cls.host.stop())
        items = json.loads(cls.host.get("/v1/datasets/d/items"))["items"]
        cls.series = next(one["path"] for one in items if one["format"] == "dicom")
        cls.picture = next(one["path"] for one in items if one["format"] == "png")

    def get(self, path, query, status=200):
        got, fields, data = self.host.request(ITEMS + quote(path) + "?" + query)
        self.assertEqual(got, status, data[:300])
        return fields, data

    def decoded(self, path, *options):
        """The one file that `mist decode` makes."""
        out = pathlib.Path(tempfile.mkdtemp(dir=self.work))
        mist("decode", self.work / "store/d/items" / (path + ".mist"), "-o", out, *options)
        (file,) = [p for p in out.rglob("*") if p.is_file() and p.suffix != ".json"]
        return file.read_bytes()

    def test_nifti(self):
        full = nibabel.load(EXAMPLES / NIFTI)
        for query, options in (("format=nii", ()), ("format=nii&reduce=1", ("--reduce", 1)), ("format=nii&size=64", ("--size", 64)),
                               ("format=nii&size=100x90&exact=1", ("--size", "100x90", "--exact")),
                               ("format=nii&reduce=1&grid=center", ("--reduce", 1, "--grid", "center"))):
            with self.subTest(query=query):
                fields, data = self.get(NIFTI, query)
                self.assertEqual(data, self.decoded(NIFTI, "--format", "nii", *options))
                self.assertEqual(fields["content-disposition"], 'attachment; filename="chris_PD.nii"')
                image = nibabel.Nifti1Image.from_bytes(data)
                size = numpy.array(image.shape[:3]) * image.header.get_zooms()[:3]
                numpy.testing.assert_allclose(size, numpy.array(full.shape[:3]) * full.header.get_zooms()[:3], rtol=0.1)
        fields, data = self.get(NIFTI, "format=nii.gz")
        self.assertEqual(fields["content-type"], "application/gzip")
        self.assertEqual(gzip.decompress(data), gzip.decompress((EXAMPLES / NIFTI).read_bytes()))

    def test_other_formats(self):
        _, data = self.get(NIFTI, "format=npy&reduce=1")
        self.assertEqual(data, self.decoded(NIFTI, "--format", "npy", "--reduce", 1))
        self.assertEqual(numpy.load(io.BytesIO(data)).ndim, 3)
        fields, data = self.get(self.picture, "format=png&reduce=1")
        self.assertEqual(fields["content-type"], "image/png")
        with Image.open(EXAMPLES / self.picture) as full:
            self.assertEqual(Image.open(io.BytesIO(data)).size, tuple((side + 1) // 2 for side in full.size))
        _, data = self.get(self.picture, "format=jpg&size=128x128&exact=1")
        self.assertEqual(Image.open(io.BytesIO(data)).size, (128, 128))

    def test_series(self):
        _, data = self.get(self.series, "format=nii&reduce=1")
        self.assertEqual(data, self.decoded(self.series, "--format", "nii", "--reduce", 1))
        for file in 0, 5:
            _, data = self.get(self.series, f"format=dcm&reduce=1&file={file}")
            self.assertEqual(pydicom.dcmread(io.BytesIO(data)).Rows, 256)
        _, data = self.get(self.series, "format=dcm&file=0")
        self.assertIn(data, [p.read_bytes() for p in (EXAMPLES / "ct-head").iterdir()])

    def test_tags_and_ranges(self):
        fields, data = self.get(NIFTI, "format=nii&reduce=2")
        path = ITEMS + quote(NIFTI) + "?format=nii&reduce=2"
        self.assertEqual(self.host.request(path, {"If-None-Match": fields["etag"]})[0], 304)
        status, _, part = self.host.request(path, {"Range": "bytes=100-199"})
        self.assertEqual((status, part), (206, data[100:200]))
        self.assertNotEqual(self.get(NIFTI, "format=nii&reduce=1")[0]["etag"], fields["etag"])

    def test_what_cannot_be_made(self):
        for path, query, status, said in ((NIFTI, "format=gif", 400, "format is one of"), (NIFTI, "format=", 400, "format is one of"),
                                          (NIFTI, "format=png", 406, "frames"), (NIFTI, "format=nii&exact=1", 400, "size"),
                                          (NIFTI, "format=nii&exact=2&size=9", 400, "exact is"), (NIFTI, "format=nii&grid=x", 400, "grid"),
                                          (NIFTI, "format=nii&bogus=1", 400, "bogus"), (NIFTI, "format=nii&file=x", 400, "file"),
                                          (NIFTI, "format=nii&file=1", 404, "no file 1"), (self.series, "format=dcm", 406, "file=0 to 5"),
                                          (self.series, "format=dcm&file=6", 404, "no file"), ("nothing", "format=nii", 404, ""),
                                          (NIFTI, "format=nii&size=0", 400, "size"), (NIFTI, "format=nii&format=npy", 400, "format"),
                                          (NIFTI, "format=nii&size=65535x65535&exact=1", 406, "too large"),
                                          (self.picture, "format=nii&reduce=1,17", 400, "reduce")):
            with self.subTest(query=query):
                _, data = self.get(path, query, status)
                self.assertIn(said, json.loads(data)["error"])
        self.assertEqual(self.host.request("/healthz")[0], 200)

    def test_nothing_stays_behind(self):
        before = set(pathlib.Path(tempfile.gettempdir()).glob("mist-serve-*"))
        self.get(NIFTI, "format=nii")
        self.get(NIFTI, "format=png", 406)
        self.assertLessEqual(set(pathlib.Path(tempfile.gettempdir()).glob("mist-serve-*")), before)


if __name__ == "__main__":
    unittest.main()
