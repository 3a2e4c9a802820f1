"""What is done to pictures of other sizes and channels, in words, as JSON, and on the command line."""

import io

import numpy as np
import pytest
from PIL import Image

from cnncli.data.conversion import read_taken
from cnncli.data.prepare import InputSpec, Resize

TO_GRAY, TO_COLOUR = "made gray", "repeated as red, green and blue"


def png(shape):
    stream = io.BytesIO()
    pixels = np.random.default_rng(3).integers(0, 256, shape).astype(np.uint8)
    Image.fromarray(pixels).save(stream, "png")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("came", "spec", "words"),
    [
        ((30, 45, 3), InputSpec((28, 28, 1)), ("resized and cropped from 45x30 to 28x28, made gray",)),
        ((30, 30, 3), InputSpec((28, 28, 3)), ("resized from 30x30 to 28x28",)),
        ((30, 45, 3), InputSpec((28, 28, 3), "stretch"), ("resized from 45x30 to 28x28",)),
        ((30, 45, 3), InputSpec((28, 28, 3), "pad"), ("resized and padded from 45x30 to 28x28",)),
        ((30, 30), InputSpec((24, 24, 1), resize=Resize(26)), ("resized and cropped from 30x30 to 24x24",)),
        ((8, 9), InputSpec((8, 9, 3)), (TO_COLOUR,)),
        ((8, 9, 3), InputSpec((8, 9, 1)), (TO_GRAY,)),
        ((8, 9, 3), InputSpec((8, 9, 3)), ()),
        ((8, 9), InputSpec((8, 9, 1)), ()),
    ],
)
def test_what_is_done_is_said(came, spec, words):
    found = read_taken(png(came), spec, name="a.png")
    assert found.changes == words
    if not words:
        assert found.record() == {}
        return
    said = found.record()["converted"]
    assert said["from"] == {"height": came[0], "width": came[1], "channels": 3 if len(came) == 3 else 1}
    assert said["to"] == dict(zip(("height", "width", "channels"), spec.shape, strict=True))


@pytest.mark.parametrize("kind", ["gif", "webp", "tiff"])
def test_of_several_frames_the_first_is_taken(kind):
    frames = [Image.fromarray(np.full((8, 9, 3), (value, 0, 90), np.uint8)) for value in (0, 120, 250)]
    stream = io.BytesIO()
    frames[0].save(stream, kind, save_all=True, append_images=frames[1:])
    found = read_taken(stream.getvalue(), InputSpec((8, 9, 3)), name=f"a.{kind}")
    assert found.changes == ("taken by its first frame of 3",)
    assert found.record()["converted"]["from"]["frames"] == 3


def test_gray_in_three_channels_is_gray():
    pixels = np.repeat(np.arange(72, dtype=np.uint8).reshape(8, 9, 1), 3, axis=2)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "png")
    assert read_taken(stream.getvalue(), InputSpec((8, 9, 1)), name="a.png").changes == ()
