"""Metadata of GIF: comments and XMP.

Source: CompuServe, Graphics Interchange Format, Version 89a, 24 and 26; Adobe, XMP Specification, part 3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cnncli.images.metadata_reading import MetadataBlocks

_EXTENSION, _IMAGE = 0x21, 0x2C
_COMMENT, _APPLICATION = 0xFE, 0xFF
_XMP, _XMP_TAIL = b"\x0bXMP DataXMP", b"\x01\xff\xfe\xfd\xfc"


def collect_from_gif(data: bytes, blocks: MetadataBlocks) -> None:
    """Collect comments and XMP, from the first block to the trailer."""
    at = 13 + _table(data[10] if len(data) > 10 else 0)
    while at + 1 < len(data) and data[at] in (_EXTENSION, _IMAGE):
        if data[at] == _IMAGE:
            at += 11 + _table(data[at + 9] if at + 9 < len(data) else 0)
            at, _ = _blocks(data, at, keep=False)
            continue
        label, start = data[at + 1], at + 2
        xmp = label == _APPLICATION and data.startswith(_XMP, start)
        at, parts = _blocks(data, start, keep=label == _COMMENT)
        if xmp and blocks.xmp is None:
            end = data.find(_XMP_TAIL, start)
            blocks.xmp = data[start + len(_XMP) : end] if end > 0 else None
        elif label == _COMMENT:
            blocks.add_comment(b"".join(parts))


def _table(flags: int) -> int:
    """Size in bytes of the palette that a block's flags announce."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _blocks(data: bytes, at: int, *, keep: bool) -> tuple[int, list[bytes]]:
    """The offset behind a chain of blocks of up to 255 bytes, and their contents if ``keep``."""
    parts = []
    while at < len(data) and data[at]:
        if keep:
            parts.append(data[at + 1 : at + 1 + data[at]])
        at += data[at] + 1
    return at + 1, parts
