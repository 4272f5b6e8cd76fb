"""540 X-rays of 1024 x 1024 made of 28 (of four, where ../shared is not here), shifted and flipped, each a picture of its own."""
import os
import pathlib

import numpy
from PIL import Image

PLACES = [pathlib.Path(os.environ.get("MIST_SHARED", "../shared")) / "data" / "cxr" / "images",
          pathlib.Path(__file__).resolve().parents[2] / "examples" / "data" / "cxr"]
COUNT = 540


def make(directory):
    """The folder that they are made of."""
    place = next(place for place in PLACES if list(place.glob("*.png")))
    sources = sorted(place.glob("*.png"))
    directory.mkdir(parents=True)
    for number in range(COUNT):
        name, variant = sources[number % len(sources)], number // len(sources)
        samples = numpy.asarray(Image.open(name).convert("L"))
        samples = numpy.roll(samples, (13 * variant, 29 * variant), axis=(0, 1))
        if variant % 2:
            samples = samples[:, ::-1]
        Image.fromarray(numpy.ascontiguousarray(samples)).save(directory / f"{number:04}.png", compress_level=1)
    return place
