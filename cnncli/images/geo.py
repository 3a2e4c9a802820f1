"""GeoTIFF's fields for filtered images whose pixels have moved.

Source: OGC 19-008r4, GeoTIFF Standard 1.1, 7.3 and annex B.6; GDAL, GeoTIFF driver, "Internal nodata masks".
"""

import re
from collections.abc import Iterable

from cnncli.images.picture import GeoField
from cnncli.images.result_geometry import ResultGeometry
from cnncli.records import replace

_SCALE, _TIE_POINTS, _TRANSFORMATION, _KEYS = 33550, 33922, 34264, 34735
_GDAL_METADATA, NODATA, _RATIONAL_POLYNOMIAL = 42112, 42113, 50844
#: All fields that can be kept.
TAGS = (
    _SCALE,
    _TIE_POINTS,
    _TRANSFORMATION,
    _KEYS,
    34736,
    34737,
    _GDAL_METADATA,
    NODATA,
    _RATIONAL_POLYNOMIAL,
)
_RASTER_TYPE, _IS_POINT = 1025, 2
_STATISTICS = re.compile(rb"\s*<Item[^>]*name=[\"']STATISTICS_[^>]*>[^<]*</Item>")


def moved_geo(geo: Iterable[GeoField], geometry: ResultGeometry) -> tuple[tuple[GeoField, ...], bool]:
    """Update the fields to the new positions of the pixels.

    Returns
    -------
    geo, whole : tuple of GeoField, bool
        ``whole`` is False where some were left out: all positions where the file was not upright, and the
        rational polynomials where pixels have moved.
    """
    fields = {field.tag: field for field in geo}
    if geometry.unmoved:
        return tuple(fields.values()), True
    before = set(fields)
    fields.pop(_RATIONAL_POLYNOMIAL, None)
    if geometry.turned:
        for tag in (_SCALE, _TIE_POINTS, _TRANSFORMATION):
            fields.pop(tag, None)
    # Where pixels are areas, positions are relative to the corner: the first pixel's centre is at 0.5.
    middle = 0.0 if _is_point(fields.get(_KEYS)) else 0.5
    if (
        not geometry.upright and _SCALE in fields
    ):  # its steps are positive, from west to east and north to south
        _as_matrix(fields)
        if _TRANSFORMATION in fields:
            before = before - {_SCALE, _TIE_POINTS} | {_TRANSFORMATION}
    for tag, change in ((_SCALE, _scaled), (_TIE_POINTS, _tied), (_TRANSFORMATION, _transformed)):
        if tag in fields:
            values = tuple(float(value) for value in fields[tag].values)
            fields[tag] = replace(fields[tag], values=change(values, geometry, middle))
    return tuple(fields.values()), set(fields) == before


def _as_matrix(fields: dict[int, GeoField]) -> None:
    """Write the scale and its tie point as a matrix; both are left out where they are not whole."""
    scale, tie = fields.pop(_SCALE), fields.pop(_TIE_POINTS, None)
    if tie is None or len(tie.values) != 6 or len(scale.values) < 2:
        return
    i, j, _, east, north, height = map(float, tie.values)
    across, down = map(float, scale.values[:2])
    fields[_TRANSFORMATION] = replace(
        scale,
        tag=_TRANSFORMATION,
        values=(
            *(across, 0.0, 0.0, east - i * across),
            *(0.0, -down, 0.0, north + j * down),
            *(0.0, 0.0, 0.0, height),
            *(0.0, 0.0, 0.0, 1.0),
        ),
    )


def without_values(geo: Iterable[GeoField]) -> tuple[GeoField, ...]:
    """Leave out fields about pixel values, for pixels in other units."""
    return tuple(field for field in geo if field.tag not in (NODATA, _GDAL_METADATA))


def missing_value(geo: Iterable[GeoField]) -> float | None:
    """The value that stands for missing data, NaN perhaps; None where none is stated, or no number."""
    for field in geo:
        if field.tag == NODATA and isinstance(field.values, bytes):
            return number_of(field.values)
    return None


def number_of(text: bytes) -> float | None:
    """The number that GDAL wrote as text, which may end in a zero byte; None for other texts."""
    try:
        return float(text.split(b"\0")[0])
    except ValueError:
        return None


def without_statistics(field: GeoField) -> GeoField:
    """GDAL's metadata without the statistics of values, which a filter changes."""
    if field.tag != _GDAL_METADATA or not isinstance(field.values, bytes):
        return field
    return replace(field, values=_STATISTICS.sub(b"", field.values))


def _is_point(keys: GeoField | None) -> bool:
    values = keys.values if keys else ()
    entries = [tuple(values[at : at + 4]) for at in range(4, len(values), 4)]
    return any(entry[0] == _RASTER_TYPE and entry[3] == _IS_POINT for entry in entries if len(entry) == 4)


def _scaled(values: tuple[float, ...], geometry: ResultGeometry, middle: float) -> tuple[float, ...]:
    del middle
    return tuple(value * step for value, step in zip(values, (*geometry.step, 1), strict=False))


def _tied(values: tuple[float, ...], geometry: ResultGeometry, middle: float) -> tuple[float, ...]:
    """Tie points of six numbers, of which the first two are a position in the image."""
    moved = list(values)
    (a, d), (b, c) = geometry.step, geometry.skew
    area = a * d - b * c
    for at in range(0, len(values) - 5, 6):
        x = values[at] - geometry.offset[0] - middle
        y = values[at + 1] - geometry.offset[1] - middle
        if area:
            moved[at] = (d * x - b * y) / area + middle
            moved[at + 1] = (a * y - c * x) / area + middle
    return tuple(moved)


def _transformed(values: tuple[float, ...], geometry: ResultGeometry, middle: float) -> tuple[float, ...]:
    """The matrix (4, 4) from positions in the image to positions on earth, for the new pixels."""
    moved = list(values)
    (a, d), (b, c) = geometry.step, geometry.skew
    for row in range(0, len(values) - 3, 4):
        x, y = values[row], values[row + 1]
        moved[row], moved[row + 1] = x * a + y * c, x * b + y * d
        moved[row + 3] += x * (geometry.offset[0] + middle) + y * (geometry.offset[1] + middle)
        moved[row + 3] -= middle * (moved[row] + moved[row + 1])
    return tuple(moved)
