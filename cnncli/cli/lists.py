"""Lists of names, as systems write them: lines or NUL, CRLF, byte order marks, UTF-16, backslashes.

Names of files are bytes, and may hold anything but NUL. So a carriage return, a mark or a backslash is
taken off or turned only where the name as it stands is no file.
"""

import codecs
import os
from collections.abc import Iterator

from cnncli.cli.exit_codes import UsageError
from cnncli.files.faults import encoded, shown

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class NameList:
    """Names out of a list that comes piece by piece.

    Parameters
    ----------
    where : str
        What errors call the list.
    null : bool
        Names end with NUL, and stand as they are.
    """

    def __init__(self, where: str, *, null: bool) -> None:
        self._where, self._null = where, null
        self._rest = b""
        self._line = 0
        self._wide: codecs.IncrementalDecoder | None = None

    def names(self, data: bytes) -> Iterator[tuple[str, str]]:
        """The names that are whole after the next piece, and where each stands; an empty piece ends the list.

        Raises
        ------
        UsageError
            Where NUL stands in a line, or UTF-16 is damaged.
        """
        if not data:
            data = self._decoded(b"", final=True)
            self._rest, whole = b"", [self._rest + data]
        else:
            first = not self._line and not self._rest and self._wide is None
            if first and data.startswith(_UTF16) and b"\0" in data and not self._null:
                self._wide = codecs.getincrementaldecoder("utf-16")()
            *whole, self._rest = (self._rest + self._decoded(data)).split(b"\0" if self._null else b"\n")
        for raw in whole:
            self._line += 1
            if name := self._name(raw):
                yield name, f"{self._where}:{self._line}"

    def _decoded(self, data: bytes, *, final: bool = False) -> bytes:
        """Bytes of names, whatever the list's encoding."""
        if self._wide is None:
            return data
        try:
            return encoded(self._wide.decode(data, final))
        except UnicodeDecodeError as error:
            raise UsageError(
                f"--files-from: {self._where} begins as UTF-16 and is none behind line {self._line}",
                "Save it as UTF-8.",
            ) from error

    def _name(self, raw: bytes) -> str:
        if not self._null and b"\0" in raw:
            raise UsageError(
                f"--files-from: line {self._line} of {self._where} holds NUL, which no name does; "
                "expected one name per line",
                "Add -0 if names end with NUL, or save the list as UTF-8.",
            )
        name = os.fsdecode(raw if self._null else self._mended(raw))
        # In a list, a lone dash is the name of a file.
        return f".{os.sep}{name}" if name == "-" else name

    def _mended(self, raw: bytes) -> bytes:
        """A name without what an editor or another system put around it, unless it is a file as it stands."""
        if raw.endswith(b"\r") and not os.path.lexists(raw):
            raw = raw[:-1]
        if self._line == 1 and raw.startswith(codecs.BOM_UTF8) and not os.path.lexists(raw):
            raw = raw.removeprefix(codecs.BOM_UTF8)
        if b"\\" in raw and os.sep == "/" and not os.path.lexists(raw):
            slashes = raw.replace(b"\\", b"/")
            return slashes if os.path.lexists(slashes) else raw
        return raw


def names_in(data: bytes, *, where: str, null: bool) -> list[tuple[str, str]]:
    """All names of a list, and where each stands, as ``names.txt:17``."""
    names = NameList(shown(where), null=null)
    return [*(names.names(data) if data else ()), *names.names(b"")]
