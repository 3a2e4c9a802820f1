"""Update metadata after a filter: positions and values follow the pixels, or are left out."""

from collections.abc import Sequence

from cnncli.images.picture import Metadata
from cnncli.images.result_geometry import ResultGeometry
from cnncli.records import replace


def moved_metadata(metadata: Metadata, moves: Sequence[ResultGeometry], *, same_units: bool) -> Metadata:
    """Update metadata for the result of a filter.

    Parameters
    ----------
    metadata : Metadata
        Of the image that was filtered.
    moves : sequence of ResultGeometry
        The geometry of each frame.
    same_units : bool
        Whether the result's values are in the units of the input.

    Returns
    -------
    Metadata
        Names of what was left out are in ``lost``.
    """
    geometry = replace(moves[0], turned=metadata.turned)
    lost = list(metadata.lost)
    if metadata.geo:
        metadata, more = _moved_geo(metadata, geometry, same_units=same_units)
        lost += more
    if not geometry.unmoved and metadata.exif is not None:
        from cnncli.images.exif import moved_exif

        strided = any(abs(abs(step) - 1) > 1e-9 for step in geometry.step)
        exif = moved_exif(metadata.exif, strided=strided and not geometry.swapped, swapped=geometry.swapped)
        metadata = replace(metadata, exif=exif)
    if geometry.swapped and metadata.dpi is not None:
        metadata = replace(metadata, dpi=metadata.dpi[::-1])
    if not geometry.unmoved and metadata.xmp is not None:
        from cnncli.images.xmp import fitted_xmp

        xmp = fitted_xmp(metadata.xmp, geometry.after, geometry)
        lost += [] if xmp else ["XMP that is damaged or very long"]
        metadata = replace(metadata, xmp=xmp)
    later = tuple(
        moved_metadata(each, [own], same_units=same_units)
        for each, own in zip(metadata.later, moves[1:], strict=False)
    )
    return replace(metadata, lost=tuple(lost), later=later, turned=False)


def _moved_geo(
    metadata: Metadata, geometry: ResultGeometry, *, same_units: bool
) -> tuple[Metadata, list[str]]:
    from cnncli.images.geo import moved_geo, without_statistics, without_values

    geo, whole = moved_geo(metadata.geo, geometry)
    lost = [] if whole else ["the place on the earth"]
    if not same_units and (kept := without_values(geo)) != geo:
        geo = kept
        lost.append("GDAL's nodata value and metadata")
    return replace(metadata, geo=tuple(map(without_statistics, geo))), lost
