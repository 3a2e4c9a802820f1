"""XMP packets made true of the picture that is written."""

import re
import xml.etree.ElementTree as ET

import pytest

from cnncli.images.result_geometry import ResultGeometry
from cnncli.images.xmp import fitted_xmp, orientation_of_xmp

PANORAMA = "{http://ns.google.com/photos/1.0/panorama/}"


def packet(inside="", *, names="", more=""):
    return f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<r:Description r:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:exif="http://ns.adobe.com/exif/1.0/"
 xmlns:GPano="http://ns.google.com/photos/1.0/panorama/" xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/"
 xmlns:mwg="http://www.metadataworkinggroup.com/schemas/regions/" {names}>{inside}</r:Description>{more}
</r:RDF></x:xmpmeta><?xpacket end="w"?>""".encode()


def properties(xmp):
    """Every attribute and every element with text, by the last part of its name."""
    found = {}
    for node in ET.fromstring(xmp.decode().split("?>", 1)[1].rsplit("<?", 1)[0]).iter():
        for name, value in [*node.attrib.items(), (node.tag, (node.text or "").strip())]:
            found[name.rsplit("}", 1)[-1]] = value
    return found


def test_sizes_and_orientation_as_attributes_and_elements():
    as_elements = packet("<tiff:Orientation>6</tiff:Orientation><tiff:ImageWidth>4000</tiff:ImageWidth>"
                         "<exif:PixelYDimension>3000</exif:PixelYDimension>")  # fmt: skip
    as_attributes = packet(names='tiff:Orientation="6" tiff:ImageWidth="4000" exif:PixelYDimension="3000"')
    for xmp in (as_elements, as_attributes, as_attributes.replace(b'"6"', b"'6'")):
        assert orientation_of_xmp(xmp) == 6
        found = properties(fitted_xmp(xmp, (40, 30)))
        assert (found["Orientation"], found["ImageWidth"], found["PixelYDimension"]) == ("1", "40", "30")
    assert orientation_of_xmp(None) == orientation_of_xmp(packet()) == 1


def test_places_do_not_outlive_a_move():
    xmp = packet(
        '<mwg:Regions r:parseType="Resource"><mwg:AppliedToDimensions/></mwg:Regions>'
        "<exif:SubjectArea><r:Seq><r:li>10</r:li></r:Seq></exif:SubjectArea>",
        names='crs:CropTop="0.2" crs:HasCrop="True" crs:Contrast="7"',
    )
    still = properties(fitted_xmp(xmp, (40, 30)))
    assert {"Regions", "SubjectArea", "CropTop", "Contrast"} <= still.keys()
    for move in (ResultGeometry((40, 30), (20, 30), (5, 0)), ResultGeometry((40, 30), (40, 30), turned=True)):
        moved = properties(fitted_xmp(xmp, (20, 30), move))
        assert moved.keys() & {"Regions", "SubjectArea", "CropTop", "HasCrop"} == set()
        assert moved["Contrast"] == "7"


SIZES = ("CroppedAreaImageWidthPixels", "CroppedAreaLeftPixels", "FullPanoWidthPixels")


@pytest.mark.parametrize(("stated", "move", "expected"), [
    # The picture shows 400 of 1600 pixels from 100 on. A part from 30 on begins at 130.
    ((400, 100, 1600), ResultGeometry((400, 200), (200, 100), (30, 10)), (200, 130, 1600)),
    # Every other pixel: half of everything.
    ((400, 100, 1600), ResultGeometry((400, 200), (200, 100), step=(2, 2)), (200, 50, 800)),
    # Every other pixel of a part: 100 and 30 become 50 and 15.
    ((400, 100, 1600), ResultGeometry((400, 200), (100, 50), (30, 10), (2, 2)), (100, 65, 800)),
    # A whole turn stays one, although 401 pixels become 201.
    ((401, 0, 401), ResultGeometry((401, 200), (201, 100), step=(2, 2)), (201, 0, 201)),
    # It has nothing left of it either, whatever is stated: 50 and 401 would reach beyond 401.
    ((401, 50, 401), ResultGeometry((401, 200), (201, 100), step=(2, 2)), (201, 0, 201)),
    # A whole turn without numbers is cut.
    (None, ResultGeometry((400, 200), (100, 200), (300, 0)), (100, 300, 400)),
    # The picture was made smaller before, and the numbers were not: 2 of theirs are 1 of ours.
    ((800, 200, 3200), ResultGeometry((400, 200), (200, 100), (30, 10)), (200, 130, 1600)),
])  # fmt: skip
def test_panoramas_state_the_part_that_is_left(stated, move, expected):
    numbers = dict(zip(SIZES, stated, strict=True)) if stated else {}
    names = " ".join(f'GPano:{name}="{value}"' for name, value in numbers.items())
    xmp = packet("<GPano:ProjectionType>equirectangular</GPano:ProjectionType>", names=names)
    found = properties(fitted_xmp(xmp, move.after, move))
    assert tuple(int(found[name]) for name in SIZES) == expected
    assert found["ProjectionType"] == "equirectangular"
    assert int(found["CroppedAreaImageHeightPixels"]) == move.after[1]


def test_a_turned_panorama_loses_its_numbers():
    xmp = packet(names='GPano:ProjectionType="cylindrical" GPano:FullPanoWidthPixels="400"')
    found = properties(fitted_xmp(xmp, (200, 400), ResultGeometry((200, 400), (200, 400), turned=True)))
    assert "FullPanoWidthPixels" not in found
    assert found["ProjectionType"] == "cylindrical"


def test_other_prefixes_and_encodings_are_understood():
    xmp = packet("<other:Directory/>text", names='xmlns:other="http://ns.google.com/photos/1.0/container/"')
    assert "Directory" not in properties(fitted_xmp(xmp, (4, 3)))
    text = packet(names='tiff:ImageWidth="4000"').decode()
    for encoding in ("utf-16", "utf-16-be", "utf-16-le", "utf-32-be", "utf-8-sig"):
        assert properties(fitted_xmp(text.encode(encoding), (40, 30)))["ImageWidth"] == "40"
    padded = packet(names='tiff:ImageWidth="4000"') + b" \n" * 2000 + b"\0"
    assert len(fitted_xmp(padded, (40, 30))) < 1500


@pytest.mark.parametrize("broken", [
    b"no markup",
    packet()[:-30],
    packet().replace(b"<x:xmpmeta", b'<!DOCTYPE a [<!ENTITY b "cc">]><x:xmpmeta', 1),
    packet("<a>" * 20_000 + "</a>" * 20_000),
    packet("<a/>" * 60_000),
    packet("<a " + " ".join(f'b{n}="c"' for n in range(60_000)) + "/>"),
    packet().replace(b"<x:xmpmeta", b"<!DOCTYPE a><x:xmpmeta", 1).decode().encode("utf-16"),
    packet().decode().replace("\ufeff", "").encode("cp037"),
])  # fmt: skip
def test_packets_that_are_not_understood_are_left_out(broken):
    assert fitted_xmp(broken, (4, 3)) is None


def test_comments_are_nobodys_property():
    xmp = packet("<!-- " + "QUJD" * 100 + " --><?x y?>", names='tiff:Make="a"')
    fitted = fitted_xmp(xmp, (4, 3))
    assert b"QUJD" not in fitted
    assert properties(fitted)["Make"] == "a"


def test_long_values_that_are_words_stay():
    words = "a word, " * 500
    xmp = packet(f"<tiff:Artist>{words}</tiff:Artist>", names='crs:LensProfile="' + "x, " * 200 + '"')
    assert re.search(b"(a word, ){500}", fitted_xmp(xmp, (4, 3)))
