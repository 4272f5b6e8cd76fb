# SPDX-License-Identifier: BSD-2-Clause
"""Items larger than their sources and 300 bytes are counted by mist encode, each with its reason; the others are not."""
import json
import unittest

import numpy as np
import PIL.Image

from made import Case, mist, waves, write_nifti


def tiled():
    """A tile of noise again and again: deflate sees the repetition, a wavelet sees noise."""
    return np.tile(np.random.default_rng(1).integers(0, 256, (16, 64), "u1"), (20, 5))


class Larger(Case):
    def test_counted_with_reasons(self):
        PIL.Image.fromarray(tiled()).save(self.source / "a.png")
        write_nifti(self.source / "b.nii.gz", tiled()[None])
        PIL.Image.fromarray(np.round(waves((200, 300), 255, 3)).astype("u1")).save(self.source / "c.png")
        write_nifti(self.source / "d.nii", np.round(waves((3, 200, 300), 900, 3)).astype("i2"))
        summary = json.loads(mist("encode", self.source, "-o", self.work / "s", "--dataset", "d", "--json").stdout)
        sizes = {path: (self.work / "s" / "d" / "items" / f"{path}.mist").stat().st_size - (self.source / path).stat().st_size
                 for path in ("a.png", "b.nii.gz", "c.png", "d.nii")}
        self.assertEqual({path for path, more in sizes.items() if more > 300}, {"a.png", "b.nii.gz"})
        self.assertEqual((summary["items"], summary["larger"]), (4, 2))
        self.assertEqual(summary["larger_by"], {"its source is compressed better than HTJ2K can": 1,
                                                "its samples deflate better than HTJ2K codes them": 1})
        text = mist("encode", self.source, "-o", self.work / "t", "--dataset", "d").stdout
        self.assertRegex(text, r"2 items are larger than their sources: (a.png|b.nii.gz), \.\.\.\n")
        self.assertIn("  1: its source is compressed better than HTJ2K can\n", text)

    def test_none(self):
        write_nifti(self.source / "d.nii", np.round(waves((3, 200, 300), 900, 3)).astype("i2"))
        summary = json.loads(mist("encode", self.source, "-o", self.work / "s", "--dataset", "d", "--json").stdout)
        self.assertEqual((summary["larger"], summary["larger_by"]), (0, {}))
        self.assertNotIn("larger", mist("encode", self.source, "-o", self.work / "t", "--dataset", "d").stdout)


if __name__ == "__main__":
    unittest.main()
