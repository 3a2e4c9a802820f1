"""The chunks of a PNG that hold metadata.

Source: W3C, Portable Network Graphics (PNG) Specification, Third Edition. ImageMagick's raw profiles are
texts of hexadecimal digits.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

from cnncli.images.picture import Text

if TYPE_CHECKING:
    from cnncli.images.metadata_reading import MetadataBlocks

#: Chunks that define how colours are interpreted.
COLOR = (b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI")
#: Chunks of pixels, and those about their storage or about the file's date.
_OF_PIXELS = frozenset(
    (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"acTL", b"fcTL", b"fdAT", b"bKGD", b"sBIT", b"hIST",
     b"tIME", b"sPLT", b"iDOT", b"iCCP", b"pHYs")
)  # fmt: skip
_XMP_KEYWORD, _RAW_KEYWORD = "XML:com.adobe.xmp", "Raw profile type "
_XMP_START = b"http://ns.adobe.com/xap/1.0/\0"
#: Bytes to which all texts together may decompress.
_MOST_TEXT = 1 << 24


def collect_from_png(stream: IO[bytes], blocks: MetadataBlocks) -> None:
    """Collect a PNG's metadata; damaged chunks are left out."""
    budget = _MOST_TEXT
    for kind, body in _chunks(stream):
        if kind in COLOR:
            blocks.color.append((kind, body))
        elif kind == b"eXIf":
            blocks.exif = body  # takes precedence over a raw profile
        elif kind in (b"tEXt", b"zTXt", b"iTXt"):
            text = _text(kind, body, budget)
            if text is None:
                blocks.lost.append("damaged or very long text")
                continue
            budget -= len(text.text)
            _add_text(text, blocks)
        elif kind not in _OF_PIXELS:
            blocks.lost.append(f"the chunk {kind.decode('latin-1')}")


def _chunks(stream: IO[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Type and contents of each metadata chunk; repeated and damaged ones are left out."""
    stream.seek(0)
    at = 8
    seen: set[bytes] = set()
    while True:
        stream.seek(at)
        head = stream.read(8)
        if len(head) < 8:
            return
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        at += 12 + length
        if kind == b"IEND":
            return
        if kind in _OF_PIXELS:
            continue
        body = stream.read(length)
        whole = len(body) == length and stream.read(4) == zlib.crc32(head[4:] + body).to_bytes(4, "big")
        if whole and (kind not in seen or kind in (b"tEXt", b"zTXt", b"iTXt")):
            seen.add(kind)
            yield kind, body


def _text(kind: bytes, body: bytes, budget: int) -> Text | None:
    keyword, _, rest = body.partition(b"\0")
    language, translated = b"", b""
    packed, encoding = kind == b"zTXt", "latin-1"
    try:
        if packed:
            rest = rest[1:]
        elif kind == b"iTXt":
            packed, encoding = rest[:1] == b"\1", "utf-8"
            language, _, rest = rest[2:].partition(b"\0")
            translated, _, rest = rest.partition(b"\0")
        if packed:
            unpacker = zlib.decompressobj()
            rest = unpacker.decompress(rest, budget + 1)
        if len(rest) > budget:
            return None
        return Text(
            keyword.decode("latin-1"),
            rest.decode(encoding),
            language.decode("latin-1"),
            translated.decode("utf-8"),
        )
    except (zlib.error, UnicodeDecodeError):
        return None


def _add_text(text: Text, blocks: MetadataBlocks) -> None:
    """Add a text, or the XMP, EXIF or IPTC that it contains."""
    if text.keyword == _XMP_KEYWORD:
        blocks.xmp = blocks.xmp or text.text.encode()
        return
    if not text.keyword.startswith(_RAW_KEYWORD):
        blocks.texts.append(text)
        return
    try:
        raw = bytes.fromhex("".join(text.text.split("\n")[3:]))
    except ValueError:
        blocks.lost.append(f"a damaged {text.keyword.lower()}")
        return
    match text.keyword.removeprefix(_RAW_KEYWORD).lower():
        case "exif" | "app1" if not raw.startswith(_XMP_START):
            blocks.exif = blocks.exif or raw
        case "xmp" | "app1":
            blocks.xmp = blocks.xmp or raw.removeprefix(_XMP_START)
        case "iptc" | "8bim":
            from cnncli.images.iptc import read_resources, resource_names

            resources = read_resources(raw)
            blocks.iptc = blocks.iptc or resources.get(0x0404) or (raw if raw[:1] == b"\x1c" else None)
            blocks.lost += resource_names(resources)
        case "icc" | "icm":
            pass  # in old files; a profile has its own chunk
        case other:
            blocks.lost.append(f"the raw profile {other}")
