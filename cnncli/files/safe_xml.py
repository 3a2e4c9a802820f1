"""XML from outside, read without what can do harm: no document types, so no entities, nothing fetched."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.parsers import expat

from cnncli.errors import CnncliError
from cnncli.files.faults import reading_fault, shown

_MOST_BYTES = 4 << 20
_DEEPEST = 32


class XmlError(ValueError):
    """Bytes that are not XML, or are refused."""


@dataclass(eq=False, slots=True)
class Element:
    """An element with its text, its attributes, and the elements within it."""

    name: str
    text: str = ""
    inner: "list[Element]" = field(default_factory=list)
    attributes: dict[str, str] = field(default_factory=dict)

    def all(self, name: str) -> "list[Element]":
        """Those within it that have a name."""
        return [each for each in self.inner if each.name == name]

    def get(self, *names: str) -> str | None:
        """The text of the first element at the end of a path of names; None where there is none."""
        if not names:
            return self.text.strip()
        found = self.all(names[0])
        return found[0].get(*names[1:]) if found else None


def read_xml(path: Path) -> Element:
    """Read a file's outermost element.

    Raises
    ------
    CnncliError
        Where it cannot be read, is not XML, has a document type (``<!DOCTYPE``, where entities are declared),
        is nested more than 32 deep, or larger than 4 MiB.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise CnncliError(
                f"{shown(path)} is larger than {_MOST_BYTES >> 20} MiB; expected those of one image",
                "Check what wrote the file.",
            )
        data = path.read_bytes()
    except OSError as error:
        raise reading_fault(error, path) from error
    try:
        return parse_xml(data)
    except XmlError as error:
        raise CnncliError(
            f"{shown(path)}: it cannot be read as XML: {error}; expected annotations of Pascal VOC",
            "Check what wrote the file.",
        ) from error


def parse_xml(data: bytes) -> Element:
    """The outermost element of XML.

    Raises
    ------
    XmlError
        Where it is not XML, has a document type, or is nested more than 32 deep.
    """
    root = Element("")
    open_ones = [root]
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(open_ones) > _DEEPEST:
            raise XmlError(f"it is nested more than {_DEEPEST} deep")
        element = Element(name, attributes=attributes)
        open_ones[-1].inner.append(element)
        open_ones.append(element)

    def end(_: str) -> None:
        open_ones.pop()

    def text(characters: str) -> None:
        open_ones[-1].text += characters

    def refuse(*_: Any) -> None:
        raise XmlError("it has a document type, which may declare entities without end")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = text
    for handler in ("StartDoctypeDeclHandler", "EntityDeclHandler", "ExternalEntityRefHandler"):
        setattr(parser, handler, refuse)
    try:
        parser.Parse(data, True)
    except XmlError:
        raise
    except (expat.ExpatError, ValueError) as error:
        raise XmlError(str(error)) from error
    return root.inner[0]
