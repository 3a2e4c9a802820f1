"""What travels besides pixels: kept where the format can, named where it is lost, and never a picture."""

import base64
import io
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from image_samples import chunk, exif_with, pixels, png, saved
from PIL import Image, ImageCms

from cnncli.images.encode import encode_picture, encode_with_losses
from cnncli.images.iptc import fitted_iptc, in_photoshop
from cnncli.images.metadata import resolution
from cnncli.images.metadata_fitting import KEEPS, fitted_metadata, suggest_suffixes
from cnncli.images.metadata_reading import MetadataBlocks
from cnncli.images.picture import Metadata, Picture, Text
from cnncli.images.png_chunks import collect_from_png
from cnncli.images.previews import holds_picture
from cnncli.images.profile import gray_profile
from cnncli.images.read import read_picture, read_size

COLOR = pixels(3, "uint8", size=(20, 30))
THUMBNAIL = saved(pixels(3, "uint8", size=(16, 24), seed=9), "JPEG")
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
FORMATS = ["JPEG", "PNG", "TIFF", "WEBP", "AVIF", "GIF", "BMP", "PPM", "JPEG2000", "TGA"]


def iim(record, number, data):
    return bytes([0x1C, record, number]) + struct.pack(">H", len(data)) + data


def resource(code, data):
    return b"8BIM" + struct.pack(">HHI", code, 0, len(data)) + data + bytes(len(data) % 2)


def segment(marker, data):
    return struct.pack(">HH", marker, len(data) + 2) + data


IPTC = iim(1, 90, b"\x1b%G") + iim(2, 80, b"A. Writer") + iim(2, 120, "Schöner Blick".encode())
TITLE = "Łódź & Umgebung"
XMP = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:xmpGImg="http://ns.adobe.com/xap/1.0/g/img/"
 xmlns:GImage="http://ns.google.com/photos/1.0/image/" xmlns:mine="http://example.org/mine/"
 xmlns:Container="http://ns.google.com/photos/1.0/container/"
 GImage:Data="{base64.b64encode(THUMBNAIL).decode()}" mine:own="{base64.b64encode(THUMBNAIL).decode()}">
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{TITLE.replace("&", "&amp;")}</rdf:li></rdf:Alt></dc:title>
<xmp:Thumbnails><rdf:Alt><rdf:li rdf:parseType="Resource"><xmpGImg:format>JPEG</xmpGImg:format>
<xmpGImg:image>{base64.encodebytes(THUMBNAIL).decode().replace(chr(10), "&#xA;")}</xmpGImg:image>
</rdf:li></rdf:Alt></xmp:Thumbnails><Container:Directory/>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>""".encode()
PHOTOSHOP = (
    b"Photoshop 3.0\0"
    + resource(0x0404, IPTC + iim(2, 202, THUMBNAIL))
    + resource(0x0409, bytes(28) + THUMBNAIL)
    + resource(0x040C, bytes(28) + THUMBNAIL)
    + resource(2000, bytes(26))
)
EXTRA = (
    segment(0xFFE0, b"JFXX\0\x10" + THUMBNAIL)
    + segment(0xFFE2, b"MPF\0" + bytes(30))
    + segment(0xFFE1, b"http://ns.adobe.com/xmp/extension/\0" + bytes(40) + THUMBNAIL)
    + segment(0xFFEB, b"JP\0\1" + THUMBNAIL)
    + segment(0xFFED, PHOTOSHOP)
)


def rich_jpeg():
    """A photograph with everything in it, by Pillow's hand."""
    return saved(
        COLOR, "JPEG", exif=b"Exif\0\0" + exif_with(1), xmp=XMP, extra=EXTRA, icc_profile=SRGB,
        comment="Grüße".encode(), dpi=(300, 150),
    )  # fmt: skip


def rich_png():
    """The same as a PNG, in texts as far as possible."""

    def raw(name, data):
        lines = "\n".join(data.hex()[at : at + 72] for at in range(0, 2 * len(data), 72))
        return (
            f"Raw profile type {name}".encode()
            + b"\0\0"
            + zlib.compress(f"\n{name}\n{len(data):8}\n{lines}\n".encode())
        )

    chunks = [
        ("zTXt", raw("exif", b"Exif\0\0" + exif_with(1))),
        ("zTXt", raw("iptc", PHOTOSHOP[14:])),
        ("zTXt", raw("xmp", XMP)),
        ("pHYs", struct.pack(">IIB", 11811, 5906, 1)),
        ("iCCP", b"sRGB\0\0" + zlib.compress(SRGB)),
        ("iTXt", b"Comment\0\0\0\0\0" + "Grüße".encode()),
        ("tEXt", b"Preview\0" + base64.b64encode(THUMBNAIL)),
        ("prVW", THUMBNAIL),
    ]
    return png(COLOR, before=chunks)


# Walkers by the specifications, so that what was written is found by other code than wrote it.
def png_pieces(data):
    at = 8
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", data, at + 8 + length)[0] == zlib.crc32(kind + body)
        yield kind.decode(), body
        at += 12 + length


def jpeg_pieces(data):
    at = 2
    while data[at + 1] != 0xDA:
        marker, length = struct.unpack_from(">HH", data, at)
        yield marker, data[at + 4 : at + 2 + length]
        at += 2 + length


def riff_pieces(data):
    at = 12
    while at < len(data):
        kind, length = struct.unpack_from("<4sI", data, at)
        yield kind.decode(), data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


def gif_pieces(data):
    at = 13 + (3 << ((data[10] & 7) + 1) if data[10] & 0x80 else 0)
    while data[at] == 0x21:
        start, label = at + 2, data[at + 1]
        at = start
        while data[at]:
            at += data[at] + 1
        yield label, data[start:at]
        at += 1


def unpacked(data, format):
    """The file, and all that is deflated in it, as one run of bytes."""
    more = []
    if format == "PNG":
        for kind, body in png_pieces(data):
            if kind == "zTXt":
                text = zlib.decompress(body.partition(b"\0")[2][1:])
                more.append(text)
                if body.startswith(b"Raw profile"):
                    more.append(bytes.fromhex("".join(text.decode().split("\n")[3:])))
    return b"\0".join([data, *more])


@pytest.mark.parametrize("make", [rich_jpeg, rich_png])
@pytest.mark.parametrize("format", FORMATS)
def test_no_picture_survives_anywhere_and_what_is_lost_is_named(make, format):
    picture = read_picture(make())
    data, lost = encode_with_losses(picture, format)
    whole = unpacked(data, format)
    lines = base64.encodebytes(THUMBNAIL).splitlines()
    for part in (THUMBNAIL[-80:-40], lines[-3], lines[-5], base64.b64encode(THUMBNAIL)[-90:-40]):
        assert part not in whole
    keeps = KEEPS.get(format, frozenset())
    for kind, sign in (("EXIF", b"a test picture"), ("XMP", TITLE.replace("&", "&amp;").encode()),
                       ("IPTC", b"A. Writer"), ("the comment", "Grüße".encode())):  # fmt: skip
        seen = sign in whole or sign.decode().encode("latin-1", "replace") in whole
        taken = kind == "the comment" and format == "TIFF"  # by the description in EXIF
        assert seen == (kind in keeps and not taken) == (kind not in lost)
    for kind in ("the colour profile", "the resolution"):
        assert (kind in lost) == (kind not in keeps) or format in ("WEBP", "AVIF")
    assert ("clipping paths" in lost) == (make is rich_jpeg) or make is rich_png
    assert ("content credentials" in lost) == (make is rich_jpeg)
    assert ("the chunk prVW" in lost) == (make is rich_png)


def test_pieces_lie_where_the_specifications_want_them():
    picture = read_picture(rich_jpeg())
    pieces = list(jpeg_pieces(encode_picture(picture, "JPEG")))
    apps = [(marker, body[:14]) for marker, body in pieces if marker >= 0xFFE0]
    assert apps[0] == (0xFFE0, b"JFIF\0\1\1\1\x01\x2c\0\x96\0\0")
    assert apps[1][1].startswith(b"Exif\0\0")
    photoshop = next(body for marker, body in pieces if marker == 0xFFED)
    assert photoshop == b"Photoshop 3.0\0" + resource(0x0404, IPTC)
    names = [kind for kind, _ in png_pieces(encode_picture(picture, "PNG"))]
    assert names == ["IHDR", "iCCP", "pHYs", "eXIf", "iTXt", "zTXt", "tEXt", "IDAT", "IEND"]
    webp = dict(riff_pieces(encode_picture(picture, "WEBP")))
    assert {"VP8X", "ICCP", "EXIF", "XMP "} <= webp.keys()
    assert webp["VP8X"][0] & 0b101100 == 0b101100  # profile, EXIF, XMP
    gif = list(gif_pieces(encode_picture(picture, "GIF")))
    assert (0xFE, b"\x07" + "Grüße".encode()) in gif
    assert gif[1][1].startswith(b"\x0bXMP DataXMP<?xpacket")
    with Image.open(io.BytesIO(encode_picture(picture, "GIF"))) as image:
        assert image.info["comment"] == "Grüße".encode()
    with Image.open(io.BytesIO(encode_picture(picture, "TIFF"))) as image:
        assert image.tag_v2[33723] == IPTC
        assert image.tag_v2[270] == "a test picture."
        assert TITLE.replace("&", "&amp;").encode() in image.tag_v2[700]
    for format in ("JPEG", "PNG", "TIFF", "WEBP", "AVIF", "GIF"):
        first = read_picture(encode_picture(picture, format))
        again = read_picture(encode_picture(first, format))
        assert again.metadata == first.metadata


@pytest.mark.parametrize("order", ["<", ">"])
def test_orientation_in_raw_profiles_and_in_xmp(order):
    exif = b"Exif\0\0" + exif_with(6, order)
    lines = f"\nexif\n{len(exif):8}\n{exif.hex()}\n".encode()
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/" xmlns:tiff="http://ns.adobe.com/tiff/1.0/"'
    xmp += b' tiff:Orientation="6"/>'
    expected = np.rot90(COLOR, -1)
    for name in ("exif", "APP1"):
        data = png(COLOR, before=[("zTXt", f"Raw profile type {name}\0\0".encode() + zlib.compress(lines))])
        np.testing.assert_array_equal(read_picture(data).frames[0], expected)
        assert read_size(data) == (20, 30, 1)
    for data in (
        png(COLOR, after=[("eXIf", exif[6:])]),
        png(COLOR, before=[("iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp)]),
        saved(COLOR, "WEBP", lossless=True, xmp=xmp),
    ):
        picture = read_picture(data)
        np.testing.assert_array_equal(picture.frames[0], expected)
        assert read_size(data) == (20, 30, 1)
        for format in ("PNG", "WEBP", "JPEG"):
            assert b'Orientation="6"' not in encode_picture(picture, format)
    # EXIF's word comes first.
    both = saved(COLOR, "WEBP", lossless=True, xmp=xmp, exif=b"Exif\0\0" + exif_with(1))
    np.testing.assert_array_equal(read_picture(both).frames[0], COLOR)


def test_chunks_about_colour_are_kept_and_named():
    primaries = struct.pack(">8I", *range(30_000, 38_000, 1000))
    chunks = [("gAMA", struct.pack(">I", 100_000)), ("cHRM", primaries), ("cICP", bytes([9, 16, 0, 1]))]
    picture = read_picture(png(pixels(3, "uint16"), before=chunks))
    found = dict(png_pieces(encode_picture(picture, "PNG")))
    for kind, body in chunks:
        assert found[kind] == body
    gray = Picture((picture.frames[0][..., :1],), metadata=picture.metadata)
    assert {kind for kind, _ in png_pieces(encode_picture(gray, "PNG"))} >= {"gAMA", "cICP"}
    _, lost = encode_with_losses(picture, "JPEG", bits=8)
    assert lost == ["gamma", "chromaticities", "cICP"]
    assert suggest_suffixes([*lost, "clipping paths"]) == [(lost, ".png"), (["clipping paths"], "")]
    primaries = struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
    srgb = [("sRGB", b"\0"), ("gAMA", struct.pack(">I", 45_455)), ("cHRM", primaries),
            ("pHYs", struct.pack(">IIB", 2835, 2835, 1))]  # fmt: skip
    assert encode_with_losses(read_picture(png(COLOR, before=srgb)), "PPM")[1] == []


@pytest.mark.parametrize("text", [
    Text("Title", "plain"),
    Text("Title", "x" * 100 + " and on. " * 500),
    Text("Author", "Łucja"),
    Text("Author", "Łucja and on. " * 500, "pl", "Autor"),
    Text("parameters", "a castle, masterpiece\nNegative prompt: none\nSteps: 20, Seed: 1"),
])  # fmt: skip
def test_texts_of_png_travel(text):
    picture = Picture((COLOR,), metadata=Metadata(texts=(text,)))
    data = encode_picture(picture, "PNG")
    with Image.open(io.BytesIO(data)) as image:
        assert image.text == {text.keyword: text.text}
    assert read_picture(data).metadata.texts == (text,)
    _, lost = encode_with_losses(picture, "WEBP")
    assert lost == [f"texts ({text.keyword})"]


def test_text_that_unpacks_large_takes_no_memory():
    data = png(COLOR, after=[("zTXt", b"Title\0\0" + zlib.compress(bytes(200_000_000)))])
    found = MetadataBlocks()
    tracemalloc.start()
    try:
        collect_from_png(io.BytesIO(data), found)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 60e6
    assert found.lost == ["damaged or very long text"]


def test_damaged_chunks_cost_nobody_the_others():
    broken = chunk(b"eXIf", exif_with(6))[:-1] + b"!"
    data = png(COLOR, before=[("tEXt", b"Title\0a title")])
    data = data[:33] + broken + data[33:]
    found = MetadataBlocks()
    collect_from_png(io.BytesIO(data), found)
    assert found.exif is None
    assert found.texts == [Text("Title", "a title")]


def test_iptc_keeps_what_describes():
    whole = IPTC + iim(2, 202, THUMBNAIL) + iim(8, 10, THUMBNAIL) + iim(2, 125, bytes(7360))
    assert fitted_iptc(whole) == IPTC
    long = bytes([0x1C, 2, 202, 0x80, 4]) + struct.pack(">I", len(THUMBNAIL)) + THUMBNAIL
    assert fitted_iptc(long + IPTC) == IPTC
    assert fitted_iptc(IPTC + b"\x1c\2\x05\x70\0cut off") == IPTC
    assert fitted_iptc(b"no data sets") is None
    assert in_photoshop(IPTC).startswith(b"Photoshop 3.0\x008BIM\4\4")


@pytest.mark.parametrize("channels", [1, 2])
def test_a_gray_answer_keeps_the_curve_of_its_profile(channels):
    picture = Picture((pixels(channels, "uint8"),), channels == 2, metadata=Metadata(icc=SRGB))
    about, lost = fitted_metadata(picture, "PNG")
    assert lost == []
    gray = np.arange(256, dtype=np.uint8)[None]
    lab = ImageCms.createProfile("LAB")
    shades = []
    for profile, image in ((about.icc, Image.fromarray(gray)), (SRGB, Image.fromarray(gray).convert("RGB"))):
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        change = ImageCms.buildTransform(source, lab, image.mode, "LAB")
        shades.append(np.asarray(ImageCms.applyTransform(image, change))[..., 0].astype(int))
    np.testing.assert_allclose(shades[0], shades[1], atol=1)
    assert shades[0][0, 255] == 255
    other = SRGB.replace(b"gTRC", b"xTRC")
    assert gray_profile(other) is None
    assert fitted_metadata(Picture(picture.frames, picture.alpha, metadata=Metadata(icc=other)), "PNG")[
        1
    ] == ["the colour profile"]


def test_a_profile_for_other_colours_is_named():
    picture = read_picture(saved(pixels(1, "uint8")[..., 0], "PNG", icc_profile=SRGB))
    assert picture.metadata.lost == ("a colour profile for other colours",)


def test_resolution_goes_to_exif_where_there_is_no_other_place():
    for format in ("WEBP", "AVIF"):
        data, lost = encode_with_losses(Picture((COLOR,), metadata=Metadata(dpi=(300.0, 72.5))), format)
        assert lost == []
        assert read_picture(data).metadata.dpi == (300, 72.5)


def test_what_a_jpeg_segment_cannot_hold_is_named():
    long = XMP.replace(b"Umgebung", b"Umgebung and on. " * 6000)
    about = Metadata(
        xmp=long, iptc=iim(2, 120, b"a word. " * 9) * 900, texts=(Text("Comment", "a b " * 20_000),)
    )
    picture = Picture((COLOR,), metadata=about)
    assert sorted(encode_with_losses(picture, "JPEG")[1]) == ["IPTC", "XMP", "the comment"]
    assert encode_with_losses(picture, "PNG")[1] == []


def test_pages_keep_their_own_words():
    frames = (COLOR, COLOR[:10], COLOR)
    abouts = [Metadata(exif_with(1), dpi=(100.0 + n, 100.0), xmp=XMP.replace(b"mine", b"own%d" % n))
              for n in range(3)]  # fmt: skip
    first = Metadata(exif_with(1), None, (100.0, 100.0), later=tuple(abouts[1:]))
    data = encode_picture(Picture(frames, metadata=first), "TIFF")
    with Image.open(io.BytesIO(data)) as image:
        for number in range(3):
            image.seek(number)
            assert image.info["dpi"] == (100 + number, 100)
            assert image.tag_v2[270] == "a test picture."
            assert (b"own%d" % number in image.tag_v2.get(700, b"")) == (number > 0)
    again = read_picture(data).metadata
    assert [about.dpi for about in again.later] == [(101.0, 100.0), (102.0, 100.0)]
    assert encode_picture(Picture(frames, metadata=again), "TIFF") == data


@pytest.mark.parametrize(("text", "left"), [
    ('{"shape": [20, 30, 3]}', None),
    ("ImageJ=1.53t\nimages=3\n", None),
    ('<?xml version="1.0"?><OME xmlns="x"/>', None),
    ("a picture", "a picture"),
])  # fmt: skip
def test_descriptions_of_other_layouts_are_not_repeated(text, left):
    picture = read_picture(saved(COLOR, "TIFF", description=text))
    with Image.open(io.BytesIO(encode_picture(picture, "TIFF"))) as image:
        assert image.tag_v2.get(270) == left
    assert len(picture.metadata.lost) == (left is None and not text.startswith("{"))


def test_pictures_are_told_from_words():
    coded = base64.b64encode(THUMBNAIL)
    files = [saved(COLOR, format) for format in ("JPEG", "PNG", "GIF", "WEBP", "AVIF", "JPEG2000")]
    texts = [coded, base64.encodebytes(THUMBNAIL), b'{"image":"' + coded + b'"}', THUMBNAIL.hex().encode(),
             coded.decode().encode("utf-16-le"), coded.decode().encode("utf-16-be")]  # fmt: skip
    for data in (*files, *texts):
        assert holds_picture(data)
        assert holds_picture(b"... " + data)
    words = [
        "a long text. " * 100,
        "Donaudampfschifffahrtsgesellschaftskapitän, " * 20,
        "日本語の説明。" * 100,
    ]
    for text in (*words, "https://example.org/" + "a/" * 50, '{"prompt": "' + "castle, " * 100 + '"}'):
        assert not holds_picture(text.encode())


def test_the_shape_of_pixels_is_named():
    wide = png(COLOR, before=[("pHYs", struct.pack(">IIB", 2, 1, 0))])
    assert read_picture(wide).metadata.lost == ("the shape of its pixels",)
    assert read_picture(png(COLOR, before=[("pHYs", struct.pack(">IIB", 1, 1, 0))])).metadata.lost == ()
    jpeg = saved(COLOR, "JPEG")
    at = jpeg.index(b"JFIF\0") + 7
    assert read_picture(jpeg[:at] + b"\0\0\2\0\1" + jpeg[at + 5 :]).metadata.lost == (
        "the shape of its pixels",
    )


def test_private_fields_of_tiff_are_named():
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    info = ImageFileDirectory_v2()
    for tag in (40_001, 50_000):
        info.tagtype[tag] = 2
        info[tag] = "somebody's own"
    assert read_picture(saved(COLOR, "TIFF", tiffinfo=info)).metadata.lost == (
        "private fields (40001, 50000)",
    )
    assert read_picture(saved(COLOR, "TIFF", icc_profile=SRGB)).metadata.lost == ()


@pytest.mark.parametrize(
    ("dpi", "expected"),
    [
        ((72, 300), (72.0, 300.0)),
        ((0.5, 999_999), (0.5, 999_999.0)),
        ((0, 72), None),
        ((72, 0), None),
        ((-1, 72), None),
        ((1_000_000, 72), None),
        ((float("nan"), 72), None),
        ((72, float("inf")), None),
        (None, None),
        (("a", 72), None),
        ((72,), None),
    ],
)
def test_a_resolution_is_a_positive_finite_pair(dpi, expected):
    assert resolution({"dpi": dpi}) == expected
