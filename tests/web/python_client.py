# SPDX-License-Identifier: BSD-2-Clause
"""dicomweb-client for Python on mist serve, and pydicom on what it retrieves. Run by scripts/check-web."""
import os
import pathlib
import re
import subprocess
import unittest

import numpy
import pydicom
from dicomweb_client.api import DICOMwebClient

EXAMPLES = pathlib.Path(os.environ["MIST_SOURCE"]) / "examples" / "data" / "ct-head"


class Client(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.host = subprocess.Popen([os.environ["MIST_PROGRAM"], "serve", os.environ["MIST_WEB_STORE"], "--listen", "127.0.0.1:0"],
                                    stdout=subprocess.PIPE, text=True)
        cls.addClassCleanup(cls.host.stdout.close)
        cls.addClassCleanup(cls.host.wait)
        cls.addClassCleanup(cls.host.terminate)
        url = re.search(r"http://\S+", cls.host.stdout.readline()).group(0)
        cls.client = DICOMwebClient(url=url + "dicom-web")
        cls.originals = {one.SOPInstanceUID: one for one in map(pydicom.dcmread, sorted(EXAMPLES.iterdir()))}
        cls.first = next(iter(cls.originals.values()))
        cls.place = {"study_instance_uid": cls.first.StudyInstanceUID, "series_instance_uid": cls.first.SeriesInstanceUID}

    def test_searches(self):
        (study,) = self.client.search_for_studies(search_filters={"StudyInstanceUID": self.first.StudyInstanceUID})
        self.assertEqual(pydicom.Dataset.from_json(study).PatientName, self.first.PatientName)
        found = self.client.search_for_instances(**self.place)
        self.assertEqual({pydicom.Dataset.from_json(one).SOPInstanceUID for one in found}, set(self.originals))

    def test_metadata(self):
        for one in self.client.retrieve_series_metadata(**self.place):
            data = pydicom.Dataset.from_json(one, bulk_data_uri_handler=lambda uri: b"")
            original = self.originals[data.SOPInstanceUID]
            for name in ("Rows", "Columns", "PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient", "RescaleSlope",
                         "RescaleIntercept", "BitsStored", "PixelRepresentation", "InstanceNumber", "Modality"):
                self.assertEqual(getattr(data, name), getattr(original, name), name)

    def test_frames(self):
        for uid, original in self.originals.items():
            (frame,) = self.client.retrieve_instance_frames(**self.place, sop_instance_uid=uid, frame_numbers=[1])
            pixels = numpy.frombuffer(frame, original.pixel_array.dtype).reshape(original.pixel_array.shape)
            numpy.testing.assert_array_equal(pixels, original.pixel_array)
            (coded,) = self.client.retrieve_instance_frames(**self.place, sop_instance_uid=uid, frame_numbers=[1],
                                                            media_types=("image/*",))
            self.assertLess(len(coded), len(frame) / 2)

    def test_instances(self):
        for data in self.client.retrieve_series(**self.place, media_types=(("application/dicom", "1.2.840.10008.1.2.1"),)):
            original = self.originals[data.SOPInstanceUID]
            numpy.testing.assert_array_equal(data.pixel_array, original.pixel_array)

    def test_rendered(self):
        picture = self.client.retrieve_instance_rendered(**self.place, sop_instance_uid=self.first.SOPInstanceUID,
                                                         media_types=("image/png",))
        self.assertEqual(picture[:4], b"\x89PNG")


if __name__ == "__main__":
    unittest.main()
