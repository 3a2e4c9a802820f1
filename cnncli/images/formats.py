"""Image formats: their suffixes, their first bytes, and what each can hold."""

import os
import re
from pathlib import PurePath

from cnncli.errors import CnncliError
from cnncli.records import record

#: Suffix of an output file to its format.
SUFFIXES: dict[str, str] = {
    ".png": "PNG",
    ".apng": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".jfif": "JPEG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
    ".gif": "GIF",
    ".bmp": "BMP",
    ".dib": "BMP",
    ".ppm": "PPM",
    ".pnm": "PPM",
    ".pgm": "PGM",
    ".pbm": "PBM",
    ".pfm": "PFM",
    ".pam": "PAM",
    ".avif": "AVIF",
    ".jp2": "JPEG2000",
    ".tga": "TGA",
    ".npy": "NPY",
}

#: Offset and value of the first bytes, format, and the plugin of Pillow that reads it.
_SIGNATURES: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "PNG", "PngImagePlugin"),
    (0, b"\xff\xd8\xff", "JPEG", "JpegImagePlugin"),
    (0, b"\x93NUMPY", "NPY", ""),
    (0, b"II*\0", "TIFF", "TiffImagePlugin"),
    (0, b"MM\0*", "TIFF", "TiffImagePlugin"),
    (0, b"II+\0", "TIFF", "TiffImagePlugin"),
    (0, b"MM\0+", "TIFF", "TiffImagePlugin"),
    (8, b"WEBPVP8", "WEBP", "WebPImagePlugin"),
    (0, b"GIF87a", "GIF", "GifImagePlugin"),
    (0, b"GIF89a", "GIF", "GifImagePlugin"),
    (0, b"BM", "BMP", "BmpImagePlugin"),
    (4, b"ftypavif", "AVIF", "AvifImagePlugin"),
    (4, b"ftypavis", "AVIF", "AvifImagePlugin"),
    (0, b"\xff\x4f\xff\x51", "JPEG2000", "Jpeg2KImagePlugin"),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG2000", "Jpeg2KImagePlugin"),
    (0, b"qoif", "QOI", "QoiImagePlugin"),
    (0, b"8BPS", "PSD", "PsdImagePlugin"),
    (0, b"\0\0\1\0", "ICO", "IcoImagePlugin"),
    (0, b"\0\0\2\0", "CUR", "CurImagePlugin"),
    (0, b"icns", "ICNS", "IcnsImagePlugin"),
    (0, b"DDS ", "DDS", "DdsImagePlugin"),
    (0, b"\x01\xda", "SGI", "SgiImagePlugin"),
    (0, b"\x59\xa6\x6a\x95", "SUN", "SunImagePlugin"),
    (0, b"\x0a\0\1", "PCX", "PcxImagePlugin"),
    (0, b"\x0a\2\1", "PCX", "PcxImagePlugin"),
    (0, b"\x0a\3\1", "PCX", "PcxImagePlugin"),
    (0, b"\x0a\5\1", "PCX", "PcxImagePlugin"),
    (0, b"\xb1\x68\xde\x3a", "DCX", "DcxImagePlugin"),
    (0, b"DanM", "MSP", "MspImagePlugin"),
    (0, b"LinS", "MSP", "MspImagePlugin"),
    (0, b"/* XPM */", "XPM", "XpmImagePlugin"),
    (0, b"#define ", "XBM", "XbmImagePlugin"),
    (4, b"\x11\xaf", "FLI", "FliImagePlugin"),
    (4, b"\x12\xaf", "FLI", "FliImagePlugin"),
)
_AVIF_BRANDS = frozenset((b"avif", b"avis"))
_PNM = re.compile(rb"P[1-6fF][\s#]|P7[ \t\r]*\n")


def sniffed(prefix: bytes) -> tuple[str, str] | None:
    """Identify a file's format by its first bytes.

    Returns
    -------
    format, plugin : str
        The plugin is empty for formats that are read without Pillow; None where nothing matches.
    """
    for at, magic, format, plugin in _SIGNATURES:
        if prefix.startswith(magic, at):
            return format, plugin
    if prefix[4:8] == b"ftyp" and _AVIF_BRANDS & brands(prefix):
        return "AVIF", "AvifImagePlugin"
    if _is_bare_bitmap(prefix):
        return "DIB", "BmpImagePlugin"
    return ("PPM", "") if _PNM.match(prefix) else None


def _is_bare_bitmap(prefix: bytes) -> bool:
    """Whether a file is a bitmap without a file header: known header size, one plane, bits per pixel."""
    size, planes, bits = (
        int.from_bytes(prefix[at:end], "little") for at, end in ((0, 4), (12, 14), (14, 16))
    )
    return size in (40, 52, 56, 64, 108, 124) and planes == 1 and bits in (1, 4, 8, 16, 24, 32)


def brands(prefix: bytes) -> set[bytes]:
    """The main and compatible brands of an ISO base media file (AVIF, HEIC, videos)."""
    length = min(int.from_bytes(prefix[:4], "big"), len(prefix))
    return {prefix[8:12], *(prefix[at : at + 4] for at in range(16, length - 3, 4))}


@record
class WriteSupport:
    """What a format can hold.

    Attributes
    ----------
    depths : tuple of int
        8 (uint8), 16 (uint16) and 32 (float32).
    alpha : bool
        Opacity; without it, images are composited on white.
    animation : bool
        Several frames with durations.
    pages : bool
        Several frames of any size, without durations.
    gray : bool
        Only gray.
    """

    depths: tuple[int, ...] = (8,)
    alpha: bool = False
    animation: bool = False
    pages: bool = False
    gray: bool = False


#: Formats that are written.
FORMATS: dict[str, WriteSupport] = {
    "PNG": WriteSupport(depths=(8, 16), alpha=True, animation=True),
    "JPEG": WriteSupport(),
    "TIFF": WriteSupport(depths=(8, 16, 32), alpha=True, pages=True),
    "WEBP": WriteSupport(alpha=True, animation=True),
    "GIF": WriteSupport(alpha=True, animation=True),
    "BMP": WriteSupport(),
    "PPM": WriteSupport(depths=(8, 16), pages=True),
    "PGM": WriteSupport(depths=(8, 16), gray=True, pages=True),
    "PBM": WriteSupport(gray=True, pages=True),
    "PFM": WriteSupport(depths=(32,), pages=True),
    "PAM": WriteSupport(depths=(8, 16), alpha=True, pages=True),
    "AVIF": WriteSupport(alpha=True, animation=True),
    "JPEG2000": WriteSupport(alpha=True),
    "TGA": WriteSupport(alpha=True),
    "NPY": WriteSupport(depths=(8, 16, 32), alpha=True),
}


@record
class ReadSupport:
    """What can be read of a format.

    Attributes
    ----------
    suffixes : tuple of str
        Suffixes of its files.
    depths : tuple of int
        8, 16 and 32 (float); others are refused.
    alpha : bool
        Opacity.
    frames : str
        ``animation``, ``pages``, or ``first`` where only the first of several images is read; empty for
        formats of a single image.
    """

    suffixes: tuple[str, ...]
    depths: tuple[int, ...] = (8,)
    alpha: bool = False
    frames: str = ""


#: Formats that are read.
READ: dict[str, ReadSupport] = {
    "PNG": ReadSupport((".png", ".apng"), (8, 16), True, "animation"),
    "JPEG": ReadSupport((".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"), frames="first"),
    "TIFF": ReadSupport((".tif", ".tiff"), (8, 16, 32), True, "pages"),
    "WEBP": ReadSupport((".webp",), (8,), True, "animation"),
    "GIF": ReadSupport((".gif",), (8,), True, "animation"),
    "AVIF": ReadSupport((".avif",), (8,), True, "animation"),
    "BMP": ReadSupport((".bmp", ".dib"), (8,), True),
    "PPM": ReadSupport((".ppm", ".pnm"), (8, 16), frames="pages"),
    "PGM": ReadSupport((".pgm",), (8, 16), frames="pages"),
    "PBM": ReadSupport((".pbm",), (8,), frames="pages"),
    "PFM": ReadSupport((".pfm",), (32,), frames="pages"),
    "PAM": ReadSupport((".pam",), (8, 16), True, "pages"),
    "JPEG2000": ReadSupport((".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"), (8, 16), True),
    "TGA": ReadSupport((".tga",), (8,), True),
    "NPY": ReadSupport((".npy",), (8, 16, 32), True),
    "QOI": ReadSupport((".qoi",), (8,), True),
    "PSD": ReadSupport((".psd",), (8,), True, "first"),
    "ICO": ReadSupport((".ico",), (8,), True, "first"),
    "CUR": ReadSupport((".cur",), (8,), True, "first"),
    "ICNS": ReadSupport((".icns",), (8,), True, "first"),
    "DDS": ReadSupport((".dds",), (8,), True),
    "SGI": ReadSupport((".sgi", ".rgb", ".rgba", ".bw"), (8,), True),
    "SUN": ReadSupport((".ras",)),
    "PCX": ReadSupport((".pcx",)),
    "DCX": ReadSupport((".dcx",), frames="first"),
    "MSP": ReadSupport((".msp",)),
    "XPM": ReadSupport((".xpm",), (8,), True),
    "XBM": ReadSupport((".xbm",)),
    "FLI": ReadSupport((".fli", ".flc"), frames="animation"),
}

#: Suffixes of the files that are read in folders.
READ_SUFFIXES: frozenset[str] = frozenset(suffix for reads in READ.values() for suffix in reads.suffixes)


def format_for(path: str | os.PathLike[str], *, format: str | None = None) -> str:
    """Choose the format that an output is written in.

    Parameters
    ----------
    path : str or path
        A file name, or a suffix alone (``.png`` or ``png``).
    format : str or None
        The value of ``--format``: a format's name or one of its suffixes, in any case. It overrides the
        suffix of ``path``.

    Returns
    -------
    str
        A key of ``FORMATS``.

    Raises
    ------
    CnncliError
        For a suffix or a format that cannot be written; the nearest one is suggested.
    """
    if format is not None:
        return _named(format)
    text = os.fspath(path)
    suffix = PurePath(text).suffix.lower() or (text.lower() if text.startswith(".") else "")
    if suffix in SUFFIXES:
        return SUFFIXES[suffix]
    if not suffix and "/" not in text and "." + text.lower() in SUFFIXES:
        return SUFFIXES["." + text.lower()]
    from cnncli.files.faults import shown
    from cnncli.nearest import did_you_mean

    valid = " ".join(SUFFIXES)
    if not suffix:
        raise CnncliError(
            f"output {shown(text)} has no suffix; expected one of {valid}",
            "Add a suffix such as .png, or use --format png.",
        )
    raise CnncliError(
        f"unknown suffix {shown(suffix)} in {shown(text)}; expected one of {valid}",
        did_you_mean(suffix, SUFFIXES, "Use --format png to choose the format yourself."),
    )


def _named(format: str) -> str:
    key = format.strip().upper()
    if key in FORMATS:
        return key
    suffix = "." + key.lower().lstrip(".")
    if suffix in SUFFIXES:
        return SUFFIXES[suffix]
    from cnncli.nearest import did_you_mean

    names = [name.lower() for name in FORMATS]
    raise CnncliError(
        f"unknown format {format!r}; expected one of {', '.join(names)}",
        did_you_mean(format, names) or "Use --format png.",
    )
