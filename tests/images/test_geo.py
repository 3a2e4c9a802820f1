"""GeoTIFF's fields follow the pixels: every pixel of a result lies on the earth where it lay."""

import io

import numpy as np
import pytest
from image_samples import pixels, saved, tiff
from PIL import Image

from cnncli.images.encode import encode_picture
from cnncli.images.geo import moved_geo
from cnncli.images.moved_metadata import moved_metadata
from cnncli.images.picture import GeoField, Picture
from cnncli.images.read import read_picture
from cnncli.images.result_geometry import ResultGeometry

MOVES = [
    ResultGeometry((40, 30), (10, 8), (3, 5)),
    ResultGeometry((40, 30), (20, 10), step=(2, 3)),
    ResultGeometry((40, 30), (44, 34), (-2, -2)),
    ResultGeometry((40, 30), (7, 5), (4, 9), (3, 2)),
]
SCALED = (GeoField(33550, 12, (30.0, 20.0, 0.0)), GeoField(33922, 12, (2.0, 3.0, 0.0, 5e5, 4e6, 0.0)))
AREA, POINT = (1, 1, 0, 1, 1025, 0, 1, 1), (1, 1, 0, 1, 1025, 0, 1, 2)
MATRIX = (30.0, 2.0, 0.0, 5e5, -1.0, -20.0, 0.0, 4e6, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)


def middles(geo, size, keys):
    """Where the middle of every pixel lies on the earth: (H, W, 2). In PixelIsArea it is at a half."""
    fields = {field.tag: np.array(field.values) for field in geo if field.tag in (33550, 33922, 34264)}
    half = 0.5 if keys == AREA else 0.0
    x, y = np.meshgrid(np.arange(size[0]) + half, np.arange(size[1]) + half)
    if 34264 in fields:
        matrix = fields[34264].reshape(4, 4)
        return np.stack([matrix[n, 0] * x + matrix[n, 1] * y + matrix[n, 3] for n in (0, 1)], axis=2)
    i, j, _, east, north, _ = fields[33922]
    across, down, _ = fields[33550]
    return np.stack([east + (x - i) * across, north - (y - j) * down], axis=2)


@pytest.mark.parametrize("keys", [AREA, POINT])
@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("matrix", [False, True])
def test_pixels_stay_where_they_are_on_the_earth(matrix, move, keys):
    geo = [GeoField(34735, 3, keys), *((GeoField(34264, 12, MATRIX),) if matrix else SCALED)]
    after, whole = moved_geo(geo, move)
    assert whole
    ys = move.offset[1] + move.step[1] * np.arange(move.after[1])
    xs = move.offset[0] + move.step[0] * np.arange(move.after[0])
    far = middles(geo, (60, 60), keys)
    inside = [(v, u) for v in range(len(ys)) for u in range(len(xs)) if ys[v] >= 0 and xs[u] >= 0]
    got = middles(after, move.after, keys)
    for v, u in inside:
        np.testing.assert_allclose(got[v, u], far[ys[v], xs[u]], rtol=1e-12)


TURNS = [
    ResultGeometry((40, 30), (40, 30), (39, 0), (-1, 1)),  # mirrored
    ResultGeometry((40, 30), (30, 40), (0, 29), (0, 0), (1, -1)),  # a quarter turn clockwise
    ResultGeometry((40, 30), (20, 60), (0.5, -0.25), (2, 0.5)),  # another size
    ResultGeometry((40, 30), (50, 45), (-3.5, 7.25), (0.8, 0.8), (0.6, -0.6)),
]


@pytest.mark.parametrize("keys", [AREA, POINT])
@pytest.mark.parametrize("move", TURNS)
@pytest.mark.parametrize("matrix", [False, True])
def test_pixels_that_are_turned_stay_on_the_earth(matrix, move, keys):
    geo = [GeoField(34735, 3, keys), *((GeoField(34264, 12, MATRIX),) if matrix else SCALED)]
    after, whole = moved_geo(geo, move)
    assert whole
    assert (34264 in {field.tag for field in after}) == (matrix or not move.upright)
    got = middles(after, move.after, keys)
    (a, d), (b, c), (x0, y0) = move.step, move.skew, move.offset
    first, right, below = middles(geo, (2, 2), keys)[[0, 0, 1], [0, 1, 0]]
    v, u = np.mgrid[: move.after[1], : move.after[0]]
    x, y = x0 + a * u + b * v, y0 + c * u + d * v
    want = first + x[..., None] * (right - first) + y[..., None] * (below - first)
    np.testing.assert_allclose(got, want, rtol=1e-12)


STATISTICS = '<GDALMetadata>\n  <Item name="STATISTICS_MAXIMUM">5</Item>\n</GDALMetadata>'


def geotiff():
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    info = ImageFileDirectory_v2()
    fields = [(33550, 12, (30.0, 20.0, 0.0)), (33922, 12, (0.0, 0.0, 0.0, 5e5, 4e6, 0.0)), (34735, 3, AREA)]
    for tag, kind, value in [*fields, (42113, 2, "-9999"), (42112, 2, STATISTICS)]:
        info.tagtype[tag] = kind
        info[tag] = value
    return saved(pixels(1, "uint8")[..., 0], "TIFF", tiffinfo=info)


def test_fields_travel_and_what_a_filter_changes_is_left_out():
    picture = read_picture(geotiff())
    unmoved = [ResultGeometry(picture.size, picture.size)]
    about = moved_metadata(picture.metadata, unmoved, same_units=True)
    with Image.open(io.BytesIO(encode_picture(Picture(picture.frames, metadata=about), "TIFF"))) as image:
        assert image.tag_v2[33550] == (30, 20, 0)
        assert image.tag_v2[33922] == (0, 0, 0, 5e5, 4e6, 0)
        assert image.tag_v2[34735] == AREA
        assert image.tag_v2[42113] == "-9999"
        assert "STATISTICS" not in image.tag_v2[42112]
        assert "<GDALMetadata>" in image.tag_v2[42112]
    other = moved_metadata(picture.metadata, unmoved, same_units=False)
    assert other.lost == ("GDAL's nodata value and metadata",)
    assert {field.tag for field in other.geo} == {33550, 33922, 34735}
    big = read_picture(tiff(pixels(1, "uint16"), order=">", tags=[(34735, 3, AREA)])).metadata
    assert big.geo == (GeoField(34735, 3, AREA),)


def test_a_turned_picture_loses_its_place_and_says_so():
    geo = (GeoField(33550, 12, (30.0, 20.0, 0.0)), GeoField(50844, 12, (1.0,) * 92))
    left, whole = moved_geo(geo, ResultGeometry((4, 3), (4, 3), turned=True))
    assert (left, whole) == ((), False)
    left, whole = moved_geo(geo, ResultGeometry((4, 3), (2, 3), (1, 0)))
    assert (len(left), whole) == (1, False)
    assert moved_geo(geo, ResultGeometry((4, 3), (4, 3))) == (geo, True)


@pytest.mark.parametrize("at", [0, 1, 4])
@pytest.mark.parametrize("points", [False, True])
def test_the_kind_of_pixels_is_found_among_all_keys(points, at):
    others = [(1024, 0, 1, 2), (1026, 34737, 22, 0), (2048, 0, 1, 4326), (3076, 0, 1, 2)]  # others are 2, too
    entries = [*others[:at], (1025, 0, 1, 2 if points else 1), *others[at:]]
    keys = GeoField(34735, 3, (1, 1, 0, len(entries), *(number for entry in entries for number in entry)))
    move = ResultGeometry((40, 30), (20, 10), step=(2, 3))
    after, whole = moved_geo([keys, *SCALED], move)
    assert whole
    assert after[1:] == moved_geo([GeoField(34735, 3, POINT if points else AREA), *SCALED], move)[0][1:]
    assert after[1:] != moved_geo([GeoField(34735, 3, AREA if points else POINT), *SCALED], move)[0][1:]
