"""Tables as text: their encoding, their delimiter, and their rows, which are never all held at once."""

import csv
import io
import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from cnncli.data.unpacking import check_size, opened
from cnncli.errors import CnncliError
from cnncli.images.faults import shown

LONGEST = 16 << 20  # characters of a line: a row of 1,000x1,000 pixels in colour has 12 million
_HEAD = 4096  # bytes that tell the encoding
_MARKS = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_EXCEL = re.compile(r"sep=(.)\s*$", re.IGNORECASE)  # a first line by which Excel tells the delimiter

Row = list[str]


@dataclass(frozen=True)
class Sheet:
    """A table that is read row by row.

    Attributes
    ----------
    path : Path
        A text file, maybe compressed.
    encoding : str
        UTF-8, or UTF-16 as Excel's "Unicode text" has it. Bytes that are not UTF-8 come through unchanged.
    delimiter : str
        Between the cells of a row.
    told : bool
        The first line is ``sep=…`` and no row.
    """

    path: Path
    encoding: str
    delimiter: str
    told: bool

    def lines(self) -> Generator[str, None, None]:
        """All lines, with their ends."""
        with opened(self.path) as file:
            yield from _lines(self.path, file, self.encoding)

    def rows(self) -> Generator[tuple[int, Row], None, None]:
        """All rows that are not empty, their cells stripped, each with the number of the line it ends in.

        Raises
        ------
        CnncliError
            Where the file is damaged or no table.
        """
        csv.field_size_limit(LONGEST)
        reader = csv.reader(self.lines(), delimiter=self.delimiter, skipinitialspace=True)
        try:
            for row in reader:
                cells = [cell.strip() for cell in row]
                if any(cells) and not (self.told and reader.line_num == 1):
                    yield reader.line_num, cells
        except csv.Error as error:
            raise CnncliError(
                f"{shown(self.path)} is damaged or no table (line {reader.line_num}: {error})",
                "Export it again.",
            ) from error


def open_sheet(path: Path) -> Sheet:
    """Find encoding and delimiter of a table: tabs in a ``.tsv``, else what its first line has most of.

    Raises
    ------
    CnncliError
        Where it cannot be read or is no text.
    """
    check_size(path)
    with opened(path) as file:
        encoding = _encoding(path, file.read(_HEAD))
    with opened(path) as file:
        first = next((line for line in _lines(path, file, encoding) if line.strip()), "")
    if told := _EXCEL.match(first):
        return Sheet(path, encoding, told[1], told=True)
    tabs = ".tsv" in (suffix.lower() for suffix in path.suffixes)
    delimiter = "\t" if tabs else max((",", ";", "\t", "|"), key=first.count)
    return Sheet(path, encoding, delimiter, told=False)


def _encoding(path: Path, head: bytes) -> str:
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    zeros = head.count(0)
    if not zeros:
        return "utf-8-sig"
    for name, start in (("utf-16-le", 1), ("utf-16-be", 0)):  # no mark: Latin letters have a zero each
        if head[start::2].count(0) == zeros > len(head) // 4:
            return name
    raise CnncliError(
        f"{shown(path)} is no table: it holds bytes that no text has; expected UTF-8 or UTF-16",
        "Export it as CSV in UTF-8.",
    )


def _lines(path: Path, file: IO[bytes], encoding: str) -> Iterator[str]:
    # Names of files that are not UTF-8 come through; UTF-16 has no bytes to pass on.
    errors = "surrogateescape" if encoding == "utf-8-sig" else "strict"
    text = io.TextIOWrapper(cast(io.BufferedReader, file), encoding, errors, newline="")
    try:
        while line := text.readline(LONGEST + 1):
            if len(line) > LONGEST:
                raise CnncliError(
                    f"{shown(path)} has a line of more than {LONGEST:,} characters; expected a row an image",
                    "Export it again, or save large images as files.",
                )
            yield line
    except UnicodeDecodeError as error:
        raise CnncliError(
            f"{shown(path)} begins as UTF-16 and is none further on", "Export it again as CSV in UTF-8."
        ) from error
    finally:
        text.detach()
