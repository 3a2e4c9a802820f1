"""Tables as text: encoding, delimiter, and rows, which are never all in memory."""

import csv
import io
import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from cnncli.data.unpacking import check_size, opened
from cnncli.errors import CnncliError
from cnncli.files.faults import shown

LONGEST = 16 << 20  # characters of a line: a row of 1,000x1,000 pixels in colour has 12 million
_HEAD = 4096  # bytes from which the encoding is determined
_MARKS = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_EXCEL = re.compile(r"sep=(.)\s*$", re.IGNORECASE)  # a first line by which Excel states the delimiter

Row = list[str]


@dataclass(frozen=True)
class Sheet:
    """A table that is read row by row.

    Attributes
    ----------
    path : Path
        A text file, possibly compressed.
    encoding : str
        UTF-8, or UTF-16 as in Excel's "Unicode text". Bytes that are not UTF-8 are preserved.
    delimiter : str
        The character between the cells of a row.
    has_separator_line : bool
        The first line is ``sep=…`` and not a row.
    """

    path: Path
    encoding: str
    delimiter: str
    has_separator_line: bool

    def lines(self) -> Generator[str, None, None]:
        """All lines, with their line endings."""
        with opened(self.path) as file:
            yield from _lines(self.path, file, self.encoding)

    def rows(self) -> Generator[tuple[int, Row], None, None]:
        """All rows that are not empty, their cells stripped, each with the number of the line it ends in.

        Raises
        ------
        CnncliError
            Where the file is damaged or not a table.
        """
        csv.field_size_limit(LONGEST)
        reader = csv.reader(self.lines(), delimiter=self.delimiter, skipinitialspace=True)
        try:
            for row in reader:
                cells = [cell.strip() for cell in row]
                if any(cells) and not (self.has_separator_line and reader.line_num == 1):
                    yield reader.line_num, cells
        except csv.Error as error:
            raise CnncliError(
                f"{shown(self.path)} is damaged or not a table (line {reader.line_num}: {error})",
                "Export it again.",
            ) from error


def open_sheet(path: Path) -> Sheet:
    """Find encoding and delimiter: tabs in a ``.tsv``, else the one most frequent in the first line.

    Raises
    ------
    CnncliError
        Where it cannot be read or is not text.
    """
    check_size(path)
    with opened(path) as file:
        encoding = _encoding(path, file.read(_HEAD))
    with opened(path) as file:
        first = next((line for line in _lines(path, file, encoding) if line.strip()), "")
    if has_separator_line := _EXCEL.match(first):
        return Sheet(path, encoding, has_separator_line[1], has_separator_line=True)
    tabs = ".tsv" in (suffix.lower() for suffix in path.suffixes)
    delimiter = "\t" if tabs else max((",", ";", "\t", "|"), key=first.count)
    return Sheet(path, encoding, delimiter, has_separator_line=False)


def _encoding(path: Path, head: bytes) -> str:
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    zeros = head.count(0)
    if not zeros:
        return "utf-8-sig"
    for name, start in (
        ("utf-16-le", 1),
        ("utf-16-be", 0),
    ):  # no byte order mark: each Latin letter has a zero byte
        if head[start::2].count(0) == zeros > len(head) // 4:
            return name
    raise CnncliError(
        f"{shown(path)} is not a table: it holds bytes that text does not have; expected UTF-8 or UTF-16",
        "Export it as CSV in UTF-8.",
    )


def _lines(path: Path, file: IO[bytes], encoding: str) -> Iterator[str]:
    # File names that are not UTF-8 are preserved; in UTF-16 there are no such bytes.
    errors = "surrogateescape" if encoding == "utf-8-sig" else "strict"
    text = io.TextIOWrapper(cast(io.BufferedReader, file), encoding, errors, newline="")
    try:
        while line := text.readline(LONGEST + 1):
            if len(line) > LONGEST:
                raise CnncliError(
                    f"{shown(path)} has a line of more than {LONGEST:,} characters; expected a row per image",
                    "Export it again, or save large images as files.",
                )
            yield line
    except UnicodeDecodeError as error:
        raise CnncliError(
            f"{shown(path)} begins as UTF-16, but is not UTF-16 further on",
            "Export it again as CSV in UTF-8.",
        ) from error
    finally:
        text.detach()
