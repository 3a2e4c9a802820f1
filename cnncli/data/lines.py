"""Small text files that have something in each line."""

from pathlib import Path

from cnncli.errors import CnncliError
from cnncli.files.faults import reading_fault, shown

_MOST_BYTES = 64 << 20


def read_lines(path: Path) -> list[str]:
    """The lines of a file, empty ones too, without blanks around them.

    Raises
    ------
    CnncliError
        Where it cannot be read, or is larger than 64 MiB.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise CnncliError(
                f"{shown(path)} is larger than {_MOST_BYTES >> 20} MiB; expected a few lines",
                "Check what wrote the file.",
            )
        text = path.read_text(encoding="utf-8-sig", errors="backslashreplace")
    except OSError as error:
        raise reading_fault(error, path) from error
    return [line.strip() for line in text.splitlines()]
