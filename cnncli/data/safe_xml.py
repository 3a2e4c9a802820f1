"""XML from outside, read without what can do harm: no document types, so no entities, nothing fetched."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.parsers import expat

from cnncli.errors import CnncliError
from cnncli.files.faults import reading_fault, shown

_MOST_BYTES = 4 << 20
_DEEPEST = 32


class _RefusedError(Exception):
    """Something that is not read."""


@dataclass(eq=False, slots=True)
class Element:
    """An element with its text and the elements within it."""

    name: str
    text: str = ""
    inner: "list[Element]" = field(default_factory=list)

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
        return _parsed(data)
    except (expat.ExpatError, _RefusedError, ValueError) as error:
        raise CnncliError(
            f"{shown(path)}: it cannot be read as XML: {error}; expected annotations of Pascal VOC",
            "Check what wrote the file.",
        ) from error


def _parsed(data: bytes) -> Element:
    root = Element("")
    open_ones = [root]
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def start(name: str, _: Any) -> None:
        if len(open_ones) > _DEEPEST:
            raise _RefusedError(f"it is nested more than {_DEEPEST} deep")
        element = Element(name)
        open_ones[-1].inner.append(element)
        open_ones.append(element)

    def end(_: str) -> None:
        open_ones.pop()

    def text(characters: str) -> None:
        open_ones[-1].text += characters

    def refuse(*_: Any) -> None:
        raise _RefusedError("it has a document type, which may declare entities without end")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = text
    for handler in ("StartDoctypeDeclHandler", "EntityDeclHandler", "ExternalEntityRefHandler"):
        setattr(parser, handler, refuse)
    parser.Parse(data, True)
    return root.inner[0]
