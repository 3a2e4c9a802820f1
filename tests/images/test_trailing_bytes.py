"""What lies behind an image is said; what belongs to it, is not."""

import io
import struct

import numpy as np
import pytest
from image_samples import chunk, pixels, saved
from PIL import Image

from cnncli.errors import CnncliError
from cnncli.images.read import read_picture
from cnncli.images.trailing_bytes import notes_at_end

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


def photoshop(packed, channels=3, height=7, width=5):
    """A file of Photoshop with a resource, as its specification has it."""
    head = struct.pack(">4sH6xHIIHH", b"8BPS", 1, channels, height, width, 8, 3)
    resource = b"8BIM" + struct.pack(">HHI", 1005, 0, 16) + bytes(16)
    sections = bytes(4) + struct.pack(">I", len(resource)) + resource + bytes(4)
    rows = channels * height
    if not packed:
        return head + sections + bytes(2) + bytes(range(rows * width % 256)).ljust(rows * width, b"\7")
    row = bytes([width - 1]) + bytes(range(1, width + 1))  # a literal run
    return head + sections + b"\0\1" + struct.pack(">H", len(row)) * rows + row * rows


def bitmap(size, bits, colors, packed=0, width=5, height=6):
    """A bitmap written byte by byte, with or without an entry for each colour."""
    row = -(-width * bits // 32) * 4
    palette = bytes(k % 256 for k in range(4 * (colors or (1 << bits if bits <= 8 else 0))))
    masks = struct.pack("<3I", 0xF800, 0x7E0, 0x1F) if packed == 3 else b""
    head = struct.pack("<IiiHHIIiiII", size, width, -height, 1, bits, packed, 0, 0, 0, colors, 0)
    body = head.ljust(size, b"\0") + (masks if size == 40 else b"") + palette
    if size > 40:
        body = body[:40] + masks.ljust(12, b"\0") + body[52:]
    pixels = bytes(range(100, 100 + row % 100)).ljust(row, b"\1") * height
    return struct.pack("<2sIII", b"BM", 0, 0, 14 + len(body)) + body + pixels


GRAY = Image.fromarray(COLOR[..., 0])
OTHERS = {
    "bmp": saved(COLOR, "BMP"),
    "bmp-gray": saved(GRAY, "BMP"),
    "bmp-1": saved(GRAY.convert("1"), "BMP"),
    "bmp-alpha": saved(Image.fromarray(COLOR).convert("RGBA"), "BMP"),
    "bmp-top-down": bitmap(40, 24, 0),
    "bmp-few-colours": bitmap(40, 4, 3),
    "bmp-masks": bitmap(40, 16, 0, packed=3),
    "bmp-version-5": bitmap(124, 24, 0),
    "dib": saved(COLOR, "DIB"),
    "dib-gray": saved(GRAY, "DIB"),
    "dib-masks": bitmap(40, 16, 0, packed=3)[14:],
    **{f"dib-of-{size}": bitmap(size, 24, 0)[14:] for size in (40, 52, 56, 64, 108, 124)},
    "tga": saved(COLOR, "TGA"),
    "tga-rle": saved(COLOR, "TGA", compression="tga_rle"),
    "tga-1": saved(COLOR, "TGA")[:-26],
    "tga-1-palette": saved(GRAY.convert("P"), "TGA")[:-26],
    "ico": saved(Image.fromarray(COLOR), "ICO", sizes=[(16, 16), (32, 32)]),
    "icns": saved(Image.fromarray(COLOR).resize((32, 32)), "ICNS"),
    "qoi": saved(COLOR, "QOI"),
    "qoi-alpha": saved(Image.fromarray(COLOR).convert("RGBA"), "QOI"),
    "qoi-one-colour": saved(np.full((90, 70, 3), 9, np.uint8), "QOI"),
    "psd": photoshop(packed=False),
    "psd-packed": photoshop(packed=True),
}


@pytest.mark.parametrize("name", OTHERS)
def test_bytes_behind_the_end_of_older_formats_are_said(name):
    data, file = OTHERS[name], f"a.{name.partition('-')[0]}"
    picture = read_picture(data, name=file)
    before = picture.notes
    assert not any("after the end" in note for note in before)
    text = b"what is this?"
    said = f"{len(text)} bytes after the end of the image left out"
    assert read_picture(data + text, name=file).notes == (*before, said)
    assert read_picture(data + bytes(100), name=file).notes == before, "filled up with zeros"
    (note,) = set(read_picture(data + data, name=file).notes) - set(before)
    like = "" if file in ("a.tga", "a.ico") else f", which begin like another {picture.format} image,"
    assert note == f"{len(data):,} bytes after the end of the image{like} left out"


def test_bitmaps_whose_rows_are_compressed_end_where_they_say():
    stated = bytearray(bitmap(40, 8, 0))
    rows = b"\5\1\0\0" * 6 + b"\0\1"
    stated = stated[: 14 + 40 + 1024] + rows
    stated[30:38] = struct.pack("<II", 1, len(rows))
    stated[22:26] = struct.pack("<i", 6)
    assert read_picture(bytes(stated)).notes == ()
    assert "3 bytes after the end of the image left out" in read_picture(bytes(stated) + b"abc").notes


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
    assert note == "2 further images of the file (previews, depth maps) left out"


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


@pytest.mark.parametrize("length", [0, 1, 2, *range(32_764, 32_770), 65_534, 65_535, 65_536, 200_001])
@pytest.mark.parametrize("behind", [b"", b"abcde", b"\xff\xd9", b"\xd9"])
def test_the_end_of_a_scan_is_found_wherever_it_lies(length, behind):
    scan = (b"\xff\x00\xd9\xff\xd0\xd9" * (length // 6 + 1))[:length]  # stuffed zeros and restart markers
    if scan.endswith(b"\xff"):
        scan = scan[:-1] + b"\0"
    data = b"\xff\xd8\xff\xda\0\2" + scan + b"\xff\xd9"
    notes = notes_at_end(io.BytesIO(data + behind), "JPEG")
    assert [note.split(" after")[0] for note in notes] == (
        [f"{len(behind)} byte{'s' * (len(behind) > 1)}"] if behind else []
    )


def test_a_scan_without_an_end_has_no_notes():
    assert notes_at_end(io.BytesIO(b"\xff\xd8\xff\xda\0\2" + b"\xd9\0\xff\0" * 20_000), "JPEG") == ()
