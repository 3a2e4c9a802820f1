"""Correct XMP packets for the image that is written: no previews, upright, its size and position.

Source: Adobe, XMP Specification, parts 1 to 3; Google, Photo Sphere XMP Metadata.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from cnncli.images.previews import holds_picture

if TYPE_CHECKING:
    from cnncli.images.result_geometry import ResultGeometry

_ORIENTATION = re.compile(rb"""tiff:Orientation\s*(?:=\s*["']|>)\s*([1-8])""")
_DECLARATION = re.compile(r"\s*<\?xml\s[^>]*\?>")
#: First bytes of packets in encodings other than UTF-8.
_WIDE = (
    (b"\0\0\0<", "utf-32-be"), (b"<\0\0\0", "utf-32-le"), (b"\0<", "utf-16-be"), (b"<\0", "utf-16-le"),
    (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"),
)  # fmt: skip
_HARMLESS = re.compile(r"<!--|<!\[CDATA\[")  # allowed constructs with an exclamation mark
_TIFF, _EXIF = "http://ns.adobe.com/tiff/1.0/", "http://ns.adobe.com/exif/1.0/"
_XMP, _CAMERA_RAW = "http://ns.adobe.com/xap/1.0/", "http://ns.adobe.com/camera-raw-settings/1.0/"
_GOOGLE = "http://ns.google.com/photos/"
_PANORAMA, _CAMERA = _GOOGLE + "1.0/panorama/", _GOOGLE + "1.0/camera/"
_EXTENDED = "http://ns.adobe.com/xmp/note/"

#: Namespaces of previews, depth maps and other data behind the image that are not written.
_OTHER_PICTURES = (
    "http://ns.adobe.com/xap/1.0/g/img/", _EXTENDED, "http://ns.adobe.com/hdr-gain-map/1.0/",
    "http://ns.apple.com/", *(_GOOGLE + name for name in ("1.0/image/", "1.0/depthmap/", "1.0/audio/",
    "1.0/focus/", "1.0/container/", "dd/")),
)  # fmt: skip
_OTHER_NAMES = ((_XMP, ("Thumbnails", "PageInfo")), (_CAMERA, ("Micro", "Motion", "Hdr", "hdr")))
#: Properties with positions in the image, and crop settings of raw converters.
_PLACES = (
    (_CAMERA_RAW, ("Crop", "HasCrop")), (_EXIF, ("SubjectArea", "SubjectLocation")),
    ("http://www.metadataworkinggroup.com/schemas/regions/", ("",)),
    ("http://ns.microsoft.com/photo/1.2/", ("RegionInfo",)),
    ("http://iptc.org/std/Iptc4xmpExt/2008-02-29/", ("ImageRegion",)),
)  # fmt: skip
#: Most elements and attributes of a packet; as a tree, millions would take gigabytes.
_MOST_ELEMENTS = 50_000


def orientation_of_xmp(xmp: bytes | None) -> int:
    """The orientation in a packet, 1 to 8; Pillow and ImageMagick also apply it where EXIF has none."""
    match = _ORIENTATION.search(xmp) if xmp else None
    return int(match[1]) if match else 1


def fitted_xmp(xmp: bytes, size: tuple[int, int], geometry: ResultGeometry | None = None) -> bytes | None:
    """Correct a packet for the image that is written.

    Parameters
    ----------
    xmp : bytes
        The packet as it was read.
    size : (width, height)
        Of the image.
    geometry : ResultGeometry or None
        How its pixels have moved, if they have.

    Returns
    -------
    bytes or None
        UTF-8. None where the packet is not XML, defines entities, or is too large.
    """
    from xml.dom import minidom
    from xml.parsers.expat import ExpatError

    try:
        packet = _as_text(xmp)
        if any(packet.count(sign) > _MOST_ELEMENTS for sign in ("<", '="', "='")):
            return None
        if "<!" in _HARMLESS.sub("", packet):
            return None
        document: Any = minidom.parseString(packet.encode())
        for parent, node in list(_properties(document.documentElement)):
            _correct(parent, node, size, moved=geometry is not None)
        if geometry is not None:
            _move_panorama(document.documentElement, geometry)
        text = "\n".join(part.toxml() for part in document.childNodes)
    except (ExpatError, RecursionError, ValueError, LookupError):
        return None
    fitted = text.encode()
    return None if holds_picture(fitted) else fitted


def _as_text(xmp: bytes) -> str:
    """The decoded packet without its XML declaration, so that the text that is checked is the one parsed."""
    encoding = next((name for start, name in _WIDE if xmp.startswith(start)), "utf-8-sig")
    text = xmp.decode(encoding).strip("\0 \t\r\n")
    return _DECLARATION.sub("", text, count=1)


def _properties(element: Any) -> Iterator[tuple[Any, Any]]:
    """Every element with its parent, and every attribute with its element, innermost first."""
    for child in list(element.childNodes):
        if child.nodeType == child.ELEMENT_NODE:
            yield from _properties(child)
            yield element, child
        elif child.nodeType in (child.COMMENT_NODE, child.PROCESSING_INSTRUCTION_NODE):
            element.removeChild(child)  # not a property
    for attribute in list((element.attributes or {}).values()):
        yield element, attribute


def _is_named(node: Any, names: tuple[tuple[str, tuple[str, ...]], ...]) -> bool:
    return any(
        node.namespaceURI == space and (node.localName or "").startswith(starts) for space, starts in names
    )


def _correct(parent: Any, node: Any, size: tuple[int, int], *, moved: bool) -> None:
    """Remove, correct or keep one property."""
    space = node.namespaceURI or ""
    gone = space.startswith(_OTHER_PICTURES) or _is_named(node, _OTHER_NAMES)
    if gone or (moved and _is_named(node, _PLACES)) or holds_picture(_value(node).encode()):
        _remove(parent, node)
        return
    width, height = map(str, size)
    correct = {
        (_TIFF, "Orientation"): "1",
        (_TIFF, "ImageWidth"): width,
        (_TIFF, "ImageLength"): height,
        (_EXIF, "PixelXDimension"): width,
        (_EXIF, "PixelYDimension"): height,
    }.get((space, node.localName))
    if correct is not None:
        _set(node, correct)


def _value(node: Any) -> str:
    """The text of an attribute, or directly in an element."""
    if node.nodeType == node.ATTRIBUTE_NODE:
        return str(node.value)
    texts = (node.TEXT_NODE, node.CDATA_SECTION_NODE)
    return "".join(child.data for child in node.childNodes if child.nodeType in texts)


def _set(node: Any, value: str) -> None:
    if node.nodeType == node.ATTRIBUTE_NODE:
        node.value = value
        return
    for child in list(node.childNodes):
        node.removeChild(child)
    node.appendChild(node.ownerDocument.createTextNode(value))


def _remove(parent: Any, node: Any) -> None:
    if node.nodeType == node.ATTRIBUTE_NODE:
        parent.removeAttributeNode(node)
    else:
        parent.removeChild(node)


def _move_panorama(root: Any, geometry: ResultGeometry) -> None:
    """Update which part of a panorama the image shows, in its own pixels."""
    found: dict[str, tuple[Any, Any]] = {}
    for parent, node in _properties(root):
        if node.namespaceURI == _PANORAMA:
            found.setdefault(node.localName, (parent, node))
    if not found:
        return
    numbers = {}
    for name, (parent, node) in found.items():
        if name.endswith("Pixels") or name.startswith("LargestValid"):
            with contextlib.suppress(ValueError):
                numbers[name] = float(_value(node))
            _remove(parent, node)
    if not geometry.upright or "ProjectionType" not in found:
        return
    parent, node = found["ProjectionType"]
    prefix = node.prefix
    for axis, (side, edge) in enumerate((("Width", "Left"), ("Height", "Top"))):
        part = numbers.get(f"CroppedAreaImage{side}Pixels") or float(geometry.before[axis])
        full = numbers.get(f"FullPano{side}Pixels") or part
        first = numbers.get(f"CroppedArea{edge}Pixels", 0.0)
        # Pixels of the output for each pixel of the panorama.
        scale = geometry.before[axis] / part / geometry.step[axis]
        pixels = geometry.after[axis]
        whole = part >= full and geometry.spans(axis)  # the whole width or height, which begins at 0
        start = 0 if whole else max(0, round(first * scale + geometry.offset[axis] / geometry.step[axis]))
        total = pixels if whole else max(round(full * scale), start + pixels)
        for name, value in (
            (f"CroppedAreaImage{side}Pixels", pixels),
            (f"FullPano{side}Pixels", total),
            (f"CroppedArea{edge}Pixels", start),
        ):
            parent.setAttributeNS(_PANORAMA, f"{prefix}:{name}", str(value))
