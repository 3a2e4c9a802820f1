"""What lies behind an image is said; what belongs to it, is not."""

import io
import struct

import numpy as np
import pytest
from image_samples import chunk, pixels, saved
from PIL import Image

from cnncli.errors import CnncliError
from cnncli.images.read import read_picture

COLOR = pixels(3, "uint8", size=(40, 50))
FRAMES = [Image.fromarray(np.roll(COLOR, 5 * k, 1)) for k in range(3)]
MOVING = {"save_all": True, "append_images": FRAMES[1:], "duration": 50}
FILES = {
    "png": saved(COLOR, "PNG"),
    "apng": saved(FRAMES[0], "PNG", **MOVING),
    "jpeg": saved(COLOR, "JPEG"),
    "jpeg-progressive": saved(COLOR, "JPEG", progressive=True),
    "jpeg-restarts": saved(COLOR, "JPEG", restart_marker_blocks=2),
    "jpeg-comment": saved(COLOR, "JPEG", comment=b"\xff\xd9 is an end mark, \xff\xda no scan"),
    "gif": saved(FRAMES[0], "GIF"),
    "gif-moving": saved(FRAMES[0], "GIF", **MOVING),
    "webp": saved(COLOR, "WEBP"),
    "webp-moving": saved(FRAMES[0], "WEBP", **MOVING),
    "avif": saved(COLOR, "AVIF"),
    "jp2": saved(COLOR, "JPEG2000"),
    "j2k": saved(COLOR, "JPEG2000", no_jp2=True),
}


@pytest.mark.parametrize("name", FILES)
def test_bytes_behind_the_end_are_said(name):
    data = FILES[name]
    assert read_picture(data).notes == ()
    text = b"what is this?"
    assert read_picture(data + text).notes == (f"{len(text)} bytes after the end of the image left out",)
    assert read_picture(data + bytes(100)).notes == (), "filled up with zeros"
    format = read_picture(data).format
    if name == "jp2":  # its decoder takes all boxes for one file's
        with pytest.raises(CnncliError, match="damaged"):
            read_picture(data + data)
        return
    (note,) = read_picture(data + data).notes
    like = f", which begin like another {format} image, left out"
    assert note == f"{len(data):,} bytes after the end of the image{like}"


def test_a_video_behind_a_photograph_is_said():
    (note,) = read_picture(FILES["jpeg"] + struct.pack(">I", 24) + b"ftypmp42" + bytes(90)).notes
    assert "begin like a video" in note


def test_further_pictures_of_a_camera_are_counted():
    data = saved(FRAMES[0], "MPO", save_all=True, append_images=FRAMES[1:])
    (note,) = read_picture(data).notes
    assert note == "2 further pictures of the file (previews, depth maps) left out"


def test_an_end_mark_inside_a_thumbnail_is_none():
    exif = Image.Exif()
    exif[37510] = FILES["jpeg"]
    assert read_picture(saved(COLOR, "JPEG", exif=exif)).notes == ()


def test_chunks_of_any_kind_before_the_end_are_no_rest():
    data = FILES["png"]
    longer = data[:-12] + chunk(b"teSt", b"IEND" * 5) + data[-12:]
    assert read_picture(longer).notes == ()
    assert read_picture(io.BytesIO(longer).getvalue() + b"x").notes == (
        "1 byte after the end of the image left out",
    )
