"""The image that ``cnncli featuremaps`` looks at: as it came, and as the network takes it."""

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnncli.cli.names import STREAM
from cnncli.cli.streams import read_stdin
from cnncli.cli.trained import Trained
from cnncli.data.conversion import Taken, read_taken
from cnncli.data.prepare import InputSpec, eight_bits, read_file
from cnncli.files.faults import shown
from cnncli.images.picture import Picture
from cnncli.images.read import read_picture
from cnncli.images.resize import resized
from cnncli.records import record
from cnncli.views.colors import as_rgb
from cnncli.views.featuremaps.model import Seen

EXAMPLE = "cat digit.png | cnncli featuremaps - -o maps.png"
_SHOWN = 448  # pixels of the picture in the head, at most


@record(eq=False)
class Image:
    """An image as it came: what the user calls it, its names, its bytes, and what they hold."""

    source: str
    name: str
    label: str
    data: bytes
    picture: Picture


def read_image(source: str) -> Image:
    """Read an image.

    Parameters
    ----------
    source : str
        A path, or ``-`` for standard input.

    Raises
    ------
    CnncliError
        Where it cannot be read.
    """
    if source == STREAM:
        data, name = read_stdin(example=EXAMPLE), "standard input"
    else:
        data, name = read_file(Path(source)), source
    label = "standard input" if source == STREAM else shown(os.path.basename(source))  # noqa: PTH119
    return Image(source, name, label, data, read_picture(data, name=name, first=True))


def seen_by(image: Image, trained: Trained) -> tuple[Seen, Taken]:
    """An image as a network takes it, and what was done to it."""
    found = read_taken(image.data, trained.input_spec, name=image.name)
    pixels = found.prepared.pixels
    x = trained.checkpoint.preprocessing.normalise(pixels[None])[0]
    size = image.picture.size[::-1]
    return Seen(image.label, _small(image.picture, trained.input_spec), pixels, x, size), found


def _small(picture: Picture, input_spec: InputSpec) -> NDArray[np.uint8]:
    """The picture as it looks, opacity on white, no larger than it is drawn."""
    pixels = picture.frames[0]
    if pixels.dtype != np.uint8:
        pixels, _ = eight_bits(picture, input_spec)
    if picture.alpha:
        opacity = pixels[..., -1:].astype(np.float32) / 255
        shades = pixels[..., :-1].astype(np.float32)
        pixels = np.rint(shades * opacity + 255 * (1 - opacity)).astype(np.uint8)
    height, width = pixels.shape[:2]
    scale = min(1.0, _SHOWN / max(height, width))
    if scale < 1:
        pixels = resized(
            np.ascontiguousarray(pixels), max(1, round(width * scale)), max(1, round(height * scale))
        )
    return as_rgb(pixels)
