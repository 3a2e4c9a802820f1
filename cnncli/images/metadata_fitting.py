"""Fit metadata to the image and the format that are written, and name what is lost."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from cnncli.images.metadata import fitting_profile
from cnncli.images.picture import Metadata, Picture, Text
from cnncli.records import replace

EXIF, XMP, IPTC, PROFILE, RESOLUTION = "EXIF", "XMP", "IPTC", "the colour profile", "the resolution"
_BROKEN_XMP = "XMP that is damaged or very long"
TEXTS, COMMENT, COLOR, GEO = "texts", "the comment", "gamma and primaries", "GeoTIFF's fields"

#: Metadata that each format can keep. Arrays (.npy) hold none, which is not reported.
KEEPS: dict[str, frozenset[str]] = {
    "PNG": frozenset((EXIF, XMP, IPTC, PROFILE, RESOLUTION, TEXTS, COMMENT, COLOR)),
    "TIFF": frozenset((EXIF, XMP, IPTC, PROFILE, RESOLUTION, COMMENT, GEO)),
    "JPEG": frozenset((EXIF, XMP, IPTC, PROFILE, RESOLUTION, COMMENT)),
    "WEBP": frozenset((EXIF, XMP, PROFILE, RESOLUTION)),
    "AVIF": frozenset((EXIF, XMP, PROFILE, RESOLUTION)),
    "GIF": frozenset((XMP, COMMENT)),
    "BMP": frozenset((RESOLUTION,)),
}
_SUGGESTED = {"PNG": ".png", "TIFF": ".tif", "JPEG": ".jpg"}
_LONGEST_SEGMENT = 65_533
_LONGEST = {EXIF: _LONGEST_SEGMENT - 6, XMP: _LONGEST_SEGMENT - 29, IPTC: _LONGEST_SEGMENT - 28}
_SRGB_GAMMA = range(45_000, 46_001)  # gAMA, in units of 1/100,000: the usual value, not reported
_NO_RESOLUTIONS = ({72}, {96})  # defaults that programs write without a known resolution
_CHUNK_NAMES = {
    b"gAMA": "gamma",
    b"cHRM": "chromaticities",
    b"cICP": "cICP",
    b"mDCV": "mDCV",
    b"cLLI": "cLLI",
}
#: TIFF tags for PNG's text keywords.
TIFF_TEXTS = {
    "Title": 269,
    "Description": 270,
    "Comment": 270,
    "Software": 305,
    "Author": 315,
    "Copyright": 33432,
}


def fitted_metadata(picture: Picture, format: str) -> tuple[Metadata, list[str]]:
    """Correct metadata for the image that is written, and remove what the format cannot hold.

    Parameters
    ----------
    picture : Picture
        The image as it is written.
    format : str
        A key of ``FORMATS``.

    Returns
    -------
    metadata, lost : Metadata, list of str
        The metadata to write, and names of what is lost.
    """
    metadata, lost = _corrected(picture.metadata, picture, format)
    keeps = KEEPS.get(format, frozenset())
    if format == "NPY":
        return Metadata(), []
    dropped: list[str] = []
    for kind, held in _present(metadata).items():
        longest = _LONGEST.get(kind) if format == "JPEG" else None
        if held and (kind not in keeps or (longest is not None and len(held) > longest)):
            dropped.append(kind)
    if metadata.dpi and RESOLUTION in keeps and format in ("WEBP", "AVIF"):
        metadata, stated = _with_resolution(metadata)
        dropped += [] if stated else [RESOLUTION]
    kept_texts = _kept_texts(metadata, format, keeps)
    lost += [*_names(dropped, metadata), *_text_names(set(metadata.texts) - set(kept_texts))]
    fields = {
        EXIF: "exif",
        XMP: "xmp",
        IPTC: "iptc",
        PROFILE: "icc",
        RESOLUTION: "dpi",
        COLOR: "color",
        GEO: "geo",
    }
    emptied = {fields[kind]: getattr(Metadata, fields[kind]) for kind in dropped}
    metadata = replace(metadata, texts=kept_texts, **emptied)
    if metadata.later:
        metadata, more = _with_later(metadata, picture, format)
        lost += more
    return metadata, list(dict.fromkeys(lost))


def _with_later(metadata: Metadata, picture: Picture, format: str) -> tuple[Metadata, list[str]]:
    """Fit the metadata of each page from the second on."""
    later, lost = [], []
    if len(picture.frames) == 1 + len(metadata.later):
        for frame, own in zip(picture.frames[1:], metadata.later, strict=True):
            fitted, dropped = fitted_metadata(replace(picture, frames=(frame,), metadata=own), format)
            later.append(fitted)
            lost += dropped
    return replace(metadata, later=tuple(later)), lost


def suggest_suffixes(lost: Iterable[str]) -> list[tuple[list[str], str]]:
    """Group lost metadata: that which other formats keep, with their suffixes, and that which none keeps.

    Returns
    -------
    list of (names, suffixes)
        At most two groups, none empty. The suffixes are empty where no single format keeps everything.
    """
    kinds = {name: _kind(name) for name in lost}
    known = frozenset[str]().union(*KEEPS.values())
    able = [name for name, kind in kinds.items() if kind in known]
    wanted = {kinds[name] for name in able}
    suffixes = [suffix for format, suffix in _SUGGESTED.items() if wanted <= KEEPS[format]]
    parts = [(able, " or ".join(suffixes[:2])), ([name for name in kinds if name not in able], "")]
    return [part for part in parts if part[0]]


def _kind(name: str) -> str:
    return COLOR if name in _CHUNK_NAMES.values() else TEXTS if name.startswith(TEXTS) else name


def listed(names: list[str]) -> str:
    """Names joined for a sentence: a, b and c."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _present(metadata: Metadata) -> dict[str, bytes | tuple[object, ...] | None]:
    return {
        EXIF: metadata.exif, XMP: metadata.xmp, IPTC: metadata.iptc, PROFILE: metadata.icc,
        RESOLUTION: None if {round(dpi) for dpi in metadata.dpi or ()} in _NO_RESOLUTIONS else metadata.dpi,
        COLOR: tuple(name for name, body in metadata.color if _matters(name, body)), GEO: metadata.geo,
    }  # fmt: skip


def _matters(name: bytes, body: bytes) -> bool:
    """Whether a colour chunk says anything other than the usual sRGB."""
    if name == b"gAMA" and len(body) == 4:
        return int.from_bytes(body, "big") not in _SRGB_GAMMA
    if name == b"cHRM" and len(body) == 32:
        srgb = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
        return any(abs(a - b) > 100 for a, b in zip(struct.unpack(">8I", body), srgb, strict=True))
    return name != b"sRGB" and not (name == b"cICP" and body[:2] == b"\1\r")


def _corrected(metadata: Metadata, picture: Picture, format: str) -> tuple[Metadata, list[str]]:
    """Leave out metadata about other images, and correct the rest for this one."""
    lost = list(metadata.lost)
    exif, xmp, iptc = metadata.exif, metadata.xmp, metadata.iptc
    if metadata.axes is not None:
        from cnncli.images.stacks import holds_axes

        if format != "TIFF" or not holds_axes(picture):
            metadata = replace(metadata, axes=None)
            lost.append("the axes of its stack")
    if exif is not None:
        from cnncli.images.exif import fitted_exif

        exif = fitted_exif(exif, picture.size, oriented=format != "AVIF")
    if xmp is not None:
        xmp, broken = _corrected_xmp(xmp, picture, turned=metadata.turned)
        lost += broken
    if iptc is not None:
        from cnncli.images.iptc import fitted_iptc

        iptc = fitted_iptc(iptc)
        lost += [] if iptc else [IPTC]
    icc = fitting_profile(metadata.icc, picture.channels, alpha=picture.alpha)
    if metadata.icc and icc is None:
        from cnncli.images.profile import gray_profile

        icc = gray_profile(metadata.icc) if picture.channels - picture.alpha == 1 else None
        lost += [] if icc else [PROFILE]
    texts = metadata.texts
    if texts:
        from cnncli.images.previews import holds_picture

        texts = tuple(text for text in texts if not holds_picture(text.text.encode("utf-8", "replace")))
        lost += _text_names(set(metadata.texts) - set(texts))
    return replace(metadata, exif=exif, xmp=xmp, iptc=iptc, icc=icc, texts=texts), lost


def _corrected_xmp(xmp: bytes, picture: Picture, *, turned: bool) -> tuple[bytes | None, list[str]]:
    from cnncli.images.result_geometry import ResultGeometry
    from cnncli.images.xmp import fitted_xmp

    geometry = ResultGeometry(picture.size, picture.size, turned=True) if turned else None
    fitted = fitted_xmp(xmp, picture.size, geometry)
    return fitted, [] if fitted else [_BROKEN_XMP]


def _with_resolution(metadata: Metadata) -> tuple[Metadata, bool]:
    """Add an EXIF block with the resolution where there is no block; return whether it is stated."""
    from cnncli.images.exif import read_exif
    from cnncli.images.tags import entry, pack_directory

    if metadata.exif is not None:
        return metadata, read_exif(metadata.exif).dpi is not None
    values = [(round(dpi * 10_000), 10_000) for dpi in metadata.dpi or ()]
    fields = {tag: entry(5, *value) for tag, value in zip((282, 283), values, strict=True)}
    fields[296] = entry(3, 2)
    return replace(metadata, exif=b"II*\0\x08\0\0\0" + pack_directory(fields, {}, order="<", at=8)), True


def _kept_texts(metadata: Metadata, format: str, keeps: frozenset[str]) -> tuple[Text, ...]:
    if TEXTS in keeps:
        return metadata.texts
    if format == "TIFF":  # in tags not used by EXIF, one text each
        free = set(TIFF_TEXTS.values()) - _exif_tags(metadata.exif)
        first: dict[int, Text] = {}
        for text in metadata.texts:
            if TIFF_TEXTS.get(text.keyword) in free:
                first.setdefault(TIFF_TEXTS[text.keyword], text)
        return tuple(first.values())
    comments = (
        [text for text in metadata.texts if text.keyword.lower() == "comment"] if COMMENT in keeps else []
    )
    return tuple(text for text in comments[:1] if len(text.text.encode()) <= _LONGEST_SEGMENT)


def _exif_tags(exif: bytes | None) -> set[int]:
    """Tags of a TIFF page that are used by EXIF."""
    if exif is None:
        return set()
    from cnncli.images.exif import tags_of

    return tags_of(exif)


def _names(dropped: list[str], metadata: Metadata) -> list[str]:
    names: list[str] = []
    for kind in dropped:
        if kind == COLOR:
            names += [_CHUNK_NAMES[name] for name, body in metadata.color if _matters(name, body)]
        else:
            names.append(kind)
    return names


def _text_names(texts: Iterable[Text]) -> list[str]:
    keywords = sorted({text.keyword for text in texts})
    if [word.lower() for word in keywords] == ["comment"]:
        return [COMMENT]
    shown = ", ".join(keywords[:5]) + (", …" if len(keywords) > 5 else "")
    return [f"{TEXTS} ({shown})"] if keywords else []
