# SPDX-License-Identifier: BSD-2-Clause
"""Classes of label maps that vanish at a level are named by mist info and mist eval; numpy says which they are."""
import json
import unittest

import numpy as np
import PIL.Image

from made import Case, mist, reduced, write_nifti


def labels(kind):
    """Large regions, and thin or small ones: on odd columns only, on lattices of 2 and 4, in one slice only."""
    volume = np.zeros((5, 250, 262), kind)
    volume[:, 40:200, 30:120] = 1
    volume[:, 50:70, 131] = 2  # an odd column
    volume[3, 102, 202] = 5  # on the lattice of 2 only
    volume[2, 100, 204] = 6  # on that of 4
    volume[4, 1:3, 1:3] = 9  # on that of 2
    volume[1, 120:140, 210:240] = 11
    return volume


class Vanish(Case):
    def expected(self, volume, levels):
        """[{reduce, classes, values}] as mist prints it."""
        rows, there = [], np.unique(volume)
        for r in range(1, levels):
            gone = [int(v) for v in there if not (reduced(volume, r) == v).any()]
            if gone:
                rows.append({"reduce": r, "classes": len(gone), "values": gone})
        return rows

    def test_info_and_eval(self):
        for kind in ("u1", "i2", "f4", "i8"):
            write_nifti(self.source / "labels" / f"{kind}.nii.gz", labels(kind))
        for path, item in self.encode("--labels", "*").items():
            info = self.info(item)
            truth = self.expected(labels("u1"), info["levels"])
            self.assertGreater(len(truth), 1)
            self.assertEqual((info["classes"], info["vanish"]), (7, truth), path)
            text = mist("info", item).stdout
            self.assertIn(f"at 1/2 of each side 1 of 7 classes vanishes: {truth[0]['values'][0]}\n", text)
        rows = [json.loads(line) for line in mist("eval", self.source, "--labels", "*", "--json", "-q").stdout.splitlines()]
        for row in rows[:-1]:
            self.assertEqual((row["classes"], row["vanish"]), (7, truth))
        text = mist("eval", self.source, "--labels", "*", "-q").stdout
        self.assertIn("labels/u1.nii.gz: at 1/2 of each side 1 of 7 classes vanishes: 2\n", text)

    def test_nothing_vanishes(self):
        plane = np.zeros((200, 220), "u1")
        plane[30:150, 30:150] = 255
        PIL.Image.fromarray(plane).save(self.source / "a_mask.png")
        ((_, item),) = self.encode().items()
        self.assertEqual((self.info(item)["classes"], self.info(item)["vanish"]), (2, []))
        self.assertIn("classes: 2; none vanishes", mist("info", item).stdout)

    def test_colours(self):
        plane = np.zeros((200, 220, 3), "u1")
        plane[30:150, 30:150] = 255, 0, 0
        plane[31, 171:191:2] = 0, 128, 7
        PIL.Image.fromarray(plane).save(self.source / "a_mask.png")
        ((_, item),) = self.encode().items()
        info = self.info(item)
        self.assertEqual(info["vanish"][0], {"reduce": 1, "classes": 1, "values": [[0, 128, 7]]})

    def test_images_have_none(self):
        write_nifti(self.source / "a.nii.gz", np.arange(64 * 70, dtype="i2").reshape(1, 64, 70))
        ((_, item),) = self.encode().items()
        self.assertNotIn("vanish", self.info(item))


if __name__ == "__main__":
    unittest.main()
