# SPDX-License-Identifier: BSD-2-Clause
"""mist.js and mist.wasm in Node (tests/web/read.mjs), on a store that is made here, with the samples that nibabel, PIL and
pydicom read of the same files."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import nibabel
import numpy
import pydicom
from PIL import Image

SOURCE = pathlib.Path(os.environ["MIST_SOURCE"])
EXAMPLES = SOURCE / "examples" / "data"


def made(work):
    """Kinds of images that the examples have not."""
    random = numpy.random.default_rng(1)
    ramp = numpy.add.outer(numpy.arange(90.0), numpy.arange(70.0))
    smooth = (ramp[..., None] + random.normal(0, 3, (90, 70, 6))).astype(numpy.float32)
    affine = numpy.diag([0.8, 0.8, 2.0, 1.0])
    nibabel.save(nibabel.Nifti1Image((smooth - smooth.mean()) / smooth.std(), affine), work / "zscored.nii.gz")
    scaled = nibabel.Nifti1Image((smooth * 10).astype(numpy.int16), affine)
    scaled.header.set_slope_inter(0.5, -3)
    nibabel.save(scaled, work / "scaled.nii")
    nibabel.save(nibabel.Nifti1Image((smooth[..., None].repeat(3, 3) + numpy.arange(3)).astype(numpy.uint16), affine), work / "series.nii.gz")
    nibabel.save(nibabel.Nifti1Image((smooth * 1e6).astype(numpy.int32), affine), work / "wide.nii.gz")
    color = numpy.clip(numpy.stack([ramp, 160 - ramp, ramp * 0.5], 2), 0, 255).astype(numpy.uint8)
    Image.fromarray(color).save(work / "color.png")
    Image.fromarray((ramp * 300).astype(numpy.uint16)).save(work / "deep.png")
    mask = ((ramp > 60).astype(numpy.uint8) + (ramp > 100))[:, :, None].repeat(5, 2)
    (work / "labels").mkdir()
    nibabel.save(nibabel.Nifti1Image(mask, affine), work / "labels" / "mask.nii.gz")
    color[20:40, 20:50] = random.integers(0, 255, (20, 30, 3))
    Image.fromarray(color).save(work / "photo.jpg", quality=90)
    Image.fromarray(255 - color).save(work / "negative.jpg", quality=50)


def expectations(work, store):
    """Files with the bytes of samples as they are stored, by other readers: frame by frame, row by row."""
    found = []

    def add(path, array, kind):
        file = work / f"expected-{len(found)}"
        file.write_bytes(numpy.ascontiguousarray(array).tobytes())
        found.append({"path": path, "file": str(file), "type": kind})

    for path in "mr-head/images/chris_PD.nii.gz", "mr-head/labels/chris_PD.nii.gz":
        image = nibabel.load(EXAMPLES / path)
        add(path, numpy.asarray(image.dataobj.get_unscaled()).T, "u8")
    for name, kind in ("zscored.nii.gz", "f32"), ("scaled.nii", "s16"), ("wide.nii.gz", "s32"), ("labels/mask.nii.gz", "u8"):
        add("made/" + name, numpy.asarray(nibabel.load(work / "source/made" / name).dataobj.get_unscaled()).T, kind)
    for file in sorted((EXAMPLES / "cxr").glob("*.png")):
        add(f"cxr/{file.name}", numpy.asarray(Image.open(file)), "u8")
    add("made/color.png", numpy.asarray(Image.open(work / "source/made/color.png")), "u8")
    add("made/deep.png", numpy.asarray(Image.open(work / "source/made/deep.png")).astype(numpy.uint16), "u16")
    slices = sorted((pydicom.dcmread(file) for file in (EXAMPLES / "ct-head").iterdir()), key=lambda one: one.ImagePositionPatient[2])
    (series,) = (store / "d/items/ct-head").glob("*.mist")
    add(f"ct-head/{series.name[:-5]}", numpy.stack([one.pixel_array for one in slices]), "u16")
    (work / "expected.json").write_text(json.dumps(found))


def main():
    node = shutil.which("node")
    wasm = pathlib.Path(os.environ["MIST_WEB_WASM"])
    if not node or not (wasm / "mist.wasm").exists():
        print(f"skipped: {'there is no node' if not node else 'this build has no mist.wasm (scripts/setup installs what it takes)'}")
        return 77
    work = pathlib.Path(tempfile.mkdtemp(prefix="mist-js-"))
    try:
        shutil.copytree(EXAMPLES, work / "source")
        (work / "source/made").mkdir()
        made(work / "source/made")
        subprocess.run([os.environ["MIST_PROGRAM"], "encode", work / "source", "-o", work / "store", "--dataset", "d", "-q"], check=True,
                       stderr=subprocess.DEVNULL)
        expectations(work, work / "store")
        return subprocess.run([node, "--test", SOURCE / "tests/web/read.mjs"], env={
            **os.environ, "MIST_WEB_STORE": str(work / "store"), "MIST_WEB_EXPECTED": str(work / "expected.json")}).returncode
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    sys.exit(main())
