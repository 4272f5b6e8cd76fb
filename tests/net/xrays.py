"""540 X-rays of 1024 x 1024 made of 28, shifted and flipped, each a picture of its own."""
import os
import pathlib

import numpy
from PIL import Image

SHARED = pathlib.Path(os.environ["MIST_SHARED"])
COUNT = 540


def make(directory):
    """False where ../shared is not here."""
    sources = sorted((SHARED / "data" / "cxr" / "images").glob("*.png"))
    if not sources:
        return False
    directory.mkdir(parents=True)
    for number in range(COUNT):
        name, variant = sources[number % len(sources)], number // len(sources)
        samples = numpy.asarray(Image.open(name).convert("L"))
        samples = numpy.roll(samples, (13 * variant, 29 * variant), axis=(0, 1))
        if variant % 2:
            samples = samples[:, ::-1]
        Image.fromarray(numpy.ascontiguousarray(samples)).save(directory / f"{number:04}.png", compress_level=1)
    return True
