"""Read the metadata of an opened image."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

from cnncli.images import decode
from cnncli.images.metadata import fitting_profile, resolution
from cnncli.images.picture import Metadata, Text

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

    from cnncli.images.exif import Exif

_XMP, _MORE_XMP = b"http://ns.adobe.com/xap/1.0/\0", b"http://ns.adobe.com/xmp/extension/\0"
#: JPEG segments that are read, describe the encoding, or refer to images behind the first.
_KNOWN_SEGMENTS = (
    ("APP0", b""), ("APP1", b"Exif\0"), ("APP1", _XMP), ("APP1", _MORE_XMP), ("APP2", b"ICC_PROFILE\0"),
    ("APP2", b"MPF\0"), ("APP2", b"FPXR\0"), ("APP12", b"Ducky"), ("APP13", b"Photoshop 3.0\0"),
    ("APP14", b"Adobe"),
)  # fmt: skip
_SEGMENT_NAMES = (
    ("APP11", b"JP", "content credentials"),
    ("APP2", b"urn:iso:std:iso:ts:21496", "HDR gain map"),
)
#: Pillow's modes whose pixels are converted to sRGB with their profile.
_CONVERTED = frozenset({"CMYK", "LAB"})
#: Identifiers of JPEG 2000 boxes with EXIF and XMP.
_JPEG2000_BOXES = {
    b"JpgTiffExif->JP2": "the EXIF of JPEG 2000",
    bytes.fromhex("be7acfcb97a942e89c71999491e3afac"): "the XMP of JPEG 2000",
}
_JPEG2000_HEAD = 1 << 20
_PHOTOSHOP_EXIF, _PHOTOSHOP_XMP, _PHOTOSHOP_IPTC = 0x0422, 0x0424, 0x0404


class MetadataBlocks:
    """Metadata collected from a file; the first of each kind is used."""

    def __init__(self) -> None:
        self.exif: bytes | None = None
        self.xmp: bytes | None = None
        self.iptc: bytes | None = None
        self.texts: list[Text] = []
        self.color: list[tuple[bytes, bytes]] = []
        self.lost: list[str] = []

    def read(self) -> tuple[Exif | None, int]:
        """The EXIF block, and the orientation stated by it or by XMP."""
        exif = None
        if self.exif:
            from cnncli.images.exif import read_exif

            exif = read_exif(self.exif)
            if exif.oriented:
                return exif, exif.orientation
        if self.xmp is None:
            return exif, 1
        from cnncli.images.xmp import orientation_of_xmp

        return exif, orientation_of_xmp(self.xmp)

    def add_comment(self, comment: Any) -> None:
        """Add a comment, in UTF-8 or else Latin-1, unless it is empty."""
        if isinstance(comment, bytes):
            try:
                comment = comment.decode("utf-8")
            except UnicodeDecodeError:
                comment = comment.decode("latin-1")
        if isinstance(comment, str) and comment.strip("\0"):
            self.texts.append(Text("Comment", comment.rstrip("\0")))


def read_metadata(image: ImageFile, stream: IO[bytes], channels: int, *, alpha: bool) -> tuple[Metadata, int]:
    """Read the metadata that is kept with an image.

    Parameters
    ----------
    image : PIL image
        Decoded, of any format but TIFF.
    stream : binary file
        The file it was opened from.
    channels, alpha
        Of the decoded pixels.

    Returns
    -------
    metadata, orientation : Metadata, int
        The orientation, 1 to 8, has not been applied yet.
    """
    blocks = _collect_blocks(image, stream)
    exif, orientation = _exif_and_orientation(image, blocks)
    dpi = resolution(image.info) or (resolution({"dpi": exif.dpi}) if exif else None)
    if dpi and orientation >= 5:
        dpi = dpi[::-1]
    lossless = False
    if image.format == "WEBP":
        stream.seek(0)
        lossless = decode.is_lossless_webp(stream.read())
    if dpi is None and _stretched(image.info):
        blocks.lost.append("the shape of its pixels")
    icc = fitting_profile(image.info.get("icc_profile"), channels, alpha=alpha)
    if icc is None and image.info.get("icc_profile") and image.mode not in _CONVERTED:
        blocks.lost.append("a colour profile for other colours")
    metadata = Metadata(
        exif=exif.block if exif else None,
        icc=icc,
        dpi=dpi,
        halved=decode.halves_color(image),
        lossless=lossless,
        xmp=blocks.xmp,
        iptc=blocks.iptc,
        texts=tuple(blocks.texts),
        color=tuple(blocks.color),
        lost=tuple(dict.fromkeys((*(exif.lost if exif else ()), *blocks.lost))),
        turned=orientation != 1,
    )
    return metadata, orientation


def _stretched(info: dict[Any, Any]) -> bool:
    """Whether an aspect ratio of pixels other than 1 is stated without a resolution."""
    shape = info.get("aspect") or (info.get("jfif_density") if info.get("jfif_unit") == 0 else None)
    return shape is not None and shape[0] != shape[1]


def read_orientation(image: ImageFile, stream: IO[bytes]) -> int:
    """The orientation of an opened image, 1 to 8."""
    return _exif_and_orientation(image, _collect_blocks(image, stream))[1]


def _exif_and_orientation(image: ImageFile, blocks: MetadataBlocks) -> tuple[Exif | None, int]:
    exif, orientation = blocks.read()
    if image.format == "AVIF":  # the container takes precedence. Source: MIAF, ISO/IEC 23000-22, 7.3.6.7
        orientation = int(image.info.get("orientation", 1))
    return exif, orientation


def _collect_blocks(image: ImageFile, stream: IO[bytes]) -> MetadataBlocks:
    blocks = MetadataBlocks()
    info: dict[Any, Any] = image.info
    blocks.exif = info.get("exif")
    blocks.xmp = _as_bytes(info.get("xmp"))
    match image.format:
        case "PNG":
            from cnncli.images.png_chunks import collect_from_png

            blocks.exif = blocks.xmp = None
            collect_from_png(stream, blocks)
        case "JPEG" | "MPO":
            _collect_from_jpeg(image, blocks)
        case "PSD":
            resources = {code: data for code, _, data in getattr(image, "resources", ())}
            _collect_from_resources(resources, blocks)
        case "GIF":
            from cnncli.images.gif_metadata import collect_from_gif

            stream.seek(0)
            collect_from_gif(stream.read(), blocks)
        case "JPEG2000":
            comment = info.get("comment") or b""
            if not comment.startswith(b"Created by OpenJPEG"):  # which that library writes into every file
                blocks.add_comment(comment)
            stream.seek(0)
            head = stream.read(_JPEG2000_HEAD)
            blocks.lost += [name for mark, name in _JPEG2000_BOXES.items() if b"uuid" + mark in head]
    return blocks


def _as_bytes(value: Any) -> bytes | None:
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value


def _collect_from_jpeg(image: ImageFile, blocks: MetadataBlocks) -> None:
    photoshop = b""
    for name, segment in getattr(image, "applist", ()):
        if name == "COM":
            blocks.add_comment(segment)
        elif name == "APP13" and segment.startswith(b"Photoshop 3.0\0"):
            photoshop += segment[14:]
        elif name == "APP1" and segment.startswith(_MORE_XMP):
            blocks.lost.append("the extension of XMP")
        elif not any(name == known and segment.startswith(start) for known, start in _KNOWN_SEGMENTS):
            blocks.lost.append(_segment_name(name, segment))
    if photoshop:
        from cnncli.images.iptc import read_resources

        _collect_from_resources(read_resources(photoshop), blocks)


def _segment_name(name: str, segment: bytes) -> str:
    for known, start, meaning in _SEGMENT_NAMES:
        if name == known and segment.startswith(start):
            return meaning
    word = segment.split(b"\0", 1)[0][:24]
    return f"{name} {word.decode()}" if word.isascii() and word.decode().isprintable() and word else name


def _collect_from_resources(resources: dict[int, bytes], blocks: MetadataBlocks) -> None:
    from cnncli.images.iptc import resource_names

    blocks.iptc = blocks.iptc or resources.get(_PHOTOSHOP_IPTC)
    blocks.exif = blocks.exif or resources.get(_PHOTOSHOP_EXIF)
    blocks.xmp = blocks.xmp or resources.get(_PHOTOSHOP_XMP)
    blocks.lost += resource_names(resources)
