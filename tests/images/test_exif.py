"""EXIF: entries one by one, orientation of any type, bounded memory, and no picture inside."""

import base64
import io
import struct
import tracemalloc

import numpy as np
import pytest
from image_samples import pixels, saved
from PIL import ExifTags, Image

from cnncli.images.encode import encode_picture
from cnncli.images.exif import fitted_exif, moved_exif, read_exif, tags_of
from cnncli.images.picture import Metadata, Picture
from cnncli.images.read import read_picture, read_size
from cnncli.images.resize import read_reduced

THUMBNAIL = saved(pixels(3, "uint8", size=(32, 48), seed=9), "JPEG")
TAGS = {"DocumentName": 269, "ImageDescription": 270, "Make": 271, "Model": 272, "PageName": 285,
        "Software": 305, "DateTime": 306, "Artist": 315, "HostComputer": 316, "Copyright": 33432}  # fmt: skip
FORMATS = ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"]
TYPES = {"BYTE": (1, "B3x"), "SHORT": (3, "H2x"), "LONG": (4, "I"), "SBYTE": (6, "b3x"), "SSHORT": (8, "h2x"),
         "SLONG": (9, "i")}  # fmt: skip


def block(*directories, order="<", at=8):
    """An EXIF block of directories one after another, each a list of (tag, type, count, value).

    Values longer than 4 bytes are laid behind the directory; ``("below", n)`` is the offset of directory n.
    """
    heads, tails = [], []
    starts = []
    for entries in directories:
        starts.append(at)
        tail = b"".join(value for *_, value in entries if isinstance(value, bytes) and len(value) > 4)
        at += 2 + 12 * len(entries) + 4 + len(tail)
    for number, entries in enumerate(directories):
        behind = starts[number] + 2 + 12 * len(entries) + 4
        head, tail = struct.pack(order + "H", len(entries)), b""
        for tag, kind, count, value in entries:
            raw = value
            if isinstance(value, tuple):
                raw = struct.pack(order + "I", starts[value[1]])
            elif isinstance(value, int):
                raw = struct.pack(order + ("I" if kind == 4 else "H2x"), value)
            if len(raw) > 4:
                tail, raw = tail + raw, struct.pack(order + "I", behind + len(tail))
            head += struct.pack(order + "HHI", tag, kind, count) + raw.ljust(4, b"\0")
        heads.append(head)
        tails.append(tail)
    chained = {0: 2} if len(directories) == 3 else {}
    out = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", starts[0])
    for number, (head, tail) in enumerate(zip(heads, tails, strict=True)):
        following = starts[chained[number]] if number in chained else 0
        out += head + struct.pack(order + "I", following) + tail
    return out


def with_exif(exif, *, size=(16, 24), format="JPEG"):
    return saved(pixels(3, "uint8", size=size), format, exif=b"Exif\0\0" + exif)


def camera(order="<", maker=b"maker's own words" * 20):
    """What a camera writes: a description, EXIF with maker notes, and a second directory with a thumbnail."""
    comment = b"ASCII\0\0\0" + base64.encodebytes(THUMBNAIL)
    return block(
        [(270, 2, 8, b"a photo\0"), (274, 3, 1, 1), (0x8769, 4, 1, ("below", 1))],
        [(0x9003, 2, 20, b"2024:01:02 03:04:05\0"), (0x927C, 7, len(maker), maker),
         (0x9286, 7, len(comment), comment), (0xA002, 4, 1, 4000), (0xA003, 4, 1, 3000)],
        [(259, 3, 1, 6), (513, 4, 1, ("below", 2)), (514, 4, 1, len(THUMBNAIL)),
         (273, 7, len(THUMBNAIL), THUMBNAIL)],
        order=order,
    )  # fmt: skip


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("format", FORMATS)
def test_no_picture_in_exif_survives_in_any_format(format, order):
    picture = read_picture(with_exif(camera(order)))
    for given in (picture, Picture(picture.frames, metadata=Metadata(camera(order)))):
        data = encode_picture(given, format)
        lines = base64.encodebytes(THUMBNAIL).splitlines()
        for part in (THUMBNAIL, THUMBNAIL[-100:-40], lines[-4], lines[-6]):
            assert part not in data
        with Image.open(io.BytesIO(data)) as image:
            exif = image.getexif()
            assert exif[270] == "a photo"
            assert exif.get_ifd(0x8769)[0x9003] == "2024:01:02 03:04:05"
            assert not exif.get_ifd(ExifTags.IFD.IFD1)


def private(value):
    return block([(270, 2, 8, b"a photo\0"), (0xC000, 7, len(value), value)])


@pytest.mark.parametrize("preview", [
    THUMBNAIL,
    b"\x02" + THUMBNAIL[1:],  # as Minolta's cameras wrote them
    saved(pixels(3, "uint8", size=(4, 4)), "PNG") + bytes(99),
    saved(pixels(3, "uint8"), "WEBP"),
    bytes(range(256)) * 20,  # nobody knows
])  # fmt: skip
def test_private_values_stay_where_they_are_unless_a_picture_may_be_in_them(preview):
    value = b"somebody's own words. " * 20
    kept = read_exif(b"Exif\0\0" + private(value))
    assert kept.block == private(value)
    assert kept.lost == ()
    dropped = read_exif(private(preview))
    assert dropped.lost == ("long values of EXIF",)
    assert preview[10:60] not in dropped.block


@pytest.mark.parametrize("order", ["<", ">"])
def test_maker_notes_are_left_out_and_named(order):
    kept = read_exif(camera(order))
    assert b"maker's own words" not in kept.block
    assert kept.lost == ("long values of EXIF", "maker notes")  # of which the first is the comment


def test_bytes_that_no_entry_names_are_not_written():
    gap = block([(270, 2, 8, b"a photo\0")], at=700)
    gap = gap[:8] + b"left over by an editor".ljust(692, b".") + gap[8:]
    kept = read_exif(gap + b"and behind the end")
    assert b"left over" not in kept.block
    assert len(kept.block) == len(gap)
    exif = Image.Exif()
    exif.load(kept.block)
    assert exif[270] == "a photo"


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("type_", TYPES)
def test_orientation_in_any_integer_type(type_, order):
    kind, letters = TYPES[type_]
    exif = block([(274, kind, 1, struct.pack(order + letters, 6))], order=order)
    for format in ("JPEG", "PNG", "WEBP"):
        data = with_exif(exif, format=format)
        lying = np.asarray(Image.open(io.BytesIO(data)))
        picture = read_picture(data)
        np.testing.assert_array_equal(picture.frames[0], np.rot90(lying, -1))
        assert read_size(data) == (16, 24, 1)
        kept = Image.Exif()
        kept.load(picture.metadata.exif)
        assert kept[274] == 1
    large = with_exif(exif, size=(160, 240))
    assert read_reduced(large, 10, name="large")[0].size == (20, 30)


@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_animations_are_turned(format):
    frames = [Image.fromarray(pixels(3, "uint8", seed=seed)) for seed in range(3)]
    exif = b"Exif\0\0" + block([(274, 3, 1, 6)])
    lossless = {"lossless": True} if format == "WEBP" else {}
    data = saved(
        frames[0], format, save_all=True, append_images=frames[1:], duration=50, exif=exif, **lossless
    )
    picture = read_picture(data)
    assert read_size(data) == (13, 17, 3)
    for frame, image in zip(picture.frames, frames, strict=True):
        np.testing.assert_array_equal(frame, np.rot90(np.asarray(image), -1))


def test_resolutions_follow_the_turn():
    across, down = struct.pack("<II", 300, 1), struct.pack("<II", 150, 1)
    exif = block([(274, 3, 1, 6), (282, 5, 1, across), (283, 5, 1, down), (296, 3, 1, 2)])
    picture = read_picture(with_exif(exif, format="PNG"))
    assert picture.metadata.dpi == (150, 300)
    exif = Image.Exif()
    exif.load(picture.metadata.exif)
    assert (exif[282], exif[283]) == (150, 300)


@pytest.mark.parametrize("bad", [
    (271, 2, 20, b"\x0f\x27\0\0"),  # lies outside
    (271, 99, 1, b"\0\0\0\0"),  # of no known type
    (271, 2, 2**32 - 1, b"\0\0\0\0"),
    (0x8769, 4, 1, b"\xff\xff\0\0"),  # a directory outside
    (0x8769, 4, 1, b"\x08\0\0\0"),  # a directory inside itself
])  # fmt: skip
def test_one_bad_entry_costs_no_other(bad):
    exif = block([bad, (274, 3, 1, 6), (270, 2, 8, b"a photo\0")])
    data = with_exif(exif)
    picture = read_picture(data)
    assert picture.size == (16, 24)
    assert b"a photo" in picture.metadata.exif
    cut = with_exif(exif[: 8 + 2 + 2 * 12 + 6])  # the last entry is cut off
    assert read_picture(cut).size == (16, 24)
    for format in FORMATS:
        again = read_picture(encode_picture(picture, format))
        assert b"a photo" in again.metadata.exif


def crowded(kind, *, entries=4096, body=500_000):
    """Entries that all point at the same bytes."""
    start = 8 + 2 + 12 * entries + 4
    head = b"".join(struct.pack("<HHII", 40_000 + i, kind, body, start) for i in range(entries))
    return b"II*\0\x08\0\0\0" + struct.pack("<H", entries) + head + bytes(4) + b"a b " * (body // 4)


@pytest.mark.parametrize("kind", [2, 7])
@pytest.mark.parametrize(("format", "entries"), [("PNG", 4096), ("WEBP", 4096), ("AVIF", 150)])
@pytest.mark.filterwarnings("ignore:Tag data larger")
def test_entries_that_share_their_bytes_take_no_more_memory_than_the_file(format, entries, kind):
    data = with_exif(crowded(kind, entries=entries), format=format)
    tracemalloc.start()
    try:
        picture = read_picture(data)
        encoded = encode_picture(picture, "PNG")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20e6
    assert len(encoded) < len(data) + 100_000


@pytest.mark.parametrize("pointer", [None, 0x8769])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.filterwarnings("ignore:Tag data larger")
def test_crowded_directories_of_tiff_take_no_more_memory_than_the_file(dtype, pointer):
    array = pixels(1, dtype)
    image = saved(array[..., 0], "TIFF")
    first = struct.unpack_from("<I", image, 4)[0]
    count = struct.unpack_from("<H", image, first)[0]
    own = image[first + 2 : first + 2 + 12 * count]
    below = [struct.pack("<HHII", 40_000 + i, 3, 50_000, 8) for i in range(4096)]
    if pointer:
        nested = len(image)
        image += struct.pack("<H", len(below)) + b"".join(below) + bytes(4)
        below = [struct.pack("<HHII", pointer, 4, 1, nested)]
    at = len(image)
    image = image[:4] + struct.pack("<I", at) + image[8:]
    image += struct.pack("<H", count + len(below)) + own + b"".join(below) + bytes(4) + bytes(100_000)
    tracemalloc.start()
    try:
        picture = read_picture(image)
        encode_picture(picture, "TIFF")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(picture.frames[0], array)
    assert peak < 20e6


@pytest.mark.parametrize("format", FORMATS)
def test_rationals_that_hold_text_break_no_format(format):
    exif = block(
        [(282, 2, 8, b"300 dpi\0"), (274, 3, 1, 1), (0x829A, 5, 1, b"1/60 s\0\0"), (33434, 2, 5, b"1/60\0")]
    )
    picture = read_picture(with_exif(exif))
    again = read_picture(encode_picture(picture, format))
    np.testing.assert_array_equal(again.frames[0].shape, picture.frames[0].shape)


def test_sizes_in_exif_are_those_of_the_picture():
    exif = Image.Exif()
    exif.load(fitted_exif(camera(), (70_000, 13)))
    below = exif.get_ifd(0x8769)
    assert (below[0xA002], below[0xA003]) == (70_000, 13)


def test_values_inside_others_are_whole():
    text = b"a long description, " * 10 + b"\0"
    exif = block([(270, 2, len(text), text), (271, 2, 20, struct.pack("<I", 0))])
    at = exif.index(text)
    exif = exif.replace(struct.pack("<HHII", 271, 2, 20, 0), struct.pack("<HHII", 271, 2, 20, at + 20))
    assert read_exif(exif).block == exif


def test_places_in_exif_do_not_outlive_a_turn():
    area = (0x9214, 3, 2, struct.pack("<HH", 10, 20))
    for orientation, left in ((1, {0x9214, 0x9003}), (3, {0x9003})):
        exif = Image.Exif()
        entries = [(274, 3, 1, orientation), (0x8769, 4, 1, ("below", 1))]
        exif.load(read_exif(block(entries, [area, (0x9003, 2, 20, b"2024:01:02 03:04:05\0")])).block)
        assert set(exif.get_ifd(0x8769)) == left


def test_places_in_exif_do_not_outlive_a_move():
    exif = block(
        [(270, 2, 8, b"a photo\0"), (0x8769, 4, 1, ("below", 1))],
        [(0x9214, 3, 2, struct.pack("<HH", 10, 20)), (0xA20E, 5, 1, struct.pack("<II", 4000, 1)),
         (0x9003, 2, 20, b"2024:01:02 03:04:05\0")],
    )  # fmt: skip
    for strided, left in ((False, {0xA20E, 0x9003}), (True, {0x9003})):
        kept = Image.Exif()
        kept.load(moved_exif(exif, strided=strided))
        assert set(kept.get_ifd(0x8769)) == left


def test_no_field_with_places_outlives_a_turn_or_a_move():
    """EXIF 2.32: SubjectArea and SubjectLocation. GeoTIFF 1.1: its three ways to tie pixels, and its keys."""
    places = (0x9214, 0xA214, 33550, 33922, 34264, 34735, 34736, 34737)
    for tag in places:
        entries = [(270, 2, 8, b"a photo\0"), (274, 3, 1, 3), (tag, 3, 2, struct.pack("<HH", 10, 20))]
        for kept in (read_exif(block(entries)).block, moved_exif(block(entries), strided=False)):
            exif = Image.Exif()
            exif.load(kept)
            assert tag not in exif
            assert exif[270] == "a photo"


def test_descriptions_of_tiff_travel_to_other_formats():
    """TIFF 6.0, 8 and 17 to 20: what describes a picture, as ASCII."""
    texts = {tag: f"words of {name}" for name, tag in TAGS.items()}
    picture = read_picture(saved(pixels(3, "uint8"), "TIFF", tiffinfo=texts))
    for format in ("PNG", "JPEG", "TIFF"):
        with Image.open(io.BytesIO(encode_picture(picture, format))) as image:
            kept = dict(image.tag_v2 if format == "TIFF" else image.getexif())
        assert {tag: kept.get(tag) for tag in texts} == texts


@pytest.mark.parametrize(("kind", "size", "kept"), [(7, 1024, True), (7, 1025, False), (2, 5000, True)])
def test_values_of_unknown_meaning_are_kept_up_to_a_kibibyte(kind, size, kept):
    """They may be an image in any encoding; text (type 2) is kept at any length."""
    exif = read_exif(block([(271, 2, 4, b"abc\0"), (65_000, kind, size, bytes(size))]))
    assert exif.lost == (() if kept else ("long values of EXIF",))
    assert 271 in tags_of(exif.block)
    assert (65_000 in tags_of(exif.block)) is kept
