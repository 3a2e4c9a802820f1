"""Standard input and output as bytes, with their faults as errors that a user can mend."""

import sys

from cnncli.cli.exit_codes import UsageError
from cnncli.cli.messages import silence
from cnncli.files.faults import encoded, reading_fault, shown, writing_fault


def read_stdin(*, example: str = "cat photo.png | cnncli convolve -k sobel") -> bytes:
    """Read standard input to its end.

    Parameters
    ----------
    example : str
        A command with a pipe, for the hint.

    Returns
    -------
    bytes

    Raises
    ------
    UsageError
        If it is closed, or a terminal.
    CnncliError
        If it cannot be read.
    """
    if sys.stdin is None or sys.stdin.closed:
        raise UsageError(
            "standard input is closed; expected a pipe or a file", "Name the input instead of -."
        )
    if sys.stdin.isatty():
        raise UsageError(
            "standard input is a terminal; expected a pipe or a file",
            f"Pipe an image in, for example: {example}",
        )
    try:
        return sys.stdin.buffer.read()
    except OSError as error:
        raise reading_fault(error, "standard input") from error


def write_stdout(data: bytes) -> None:
    """Write all of something to standard output, now.

    Parameters
    ----------
    data : bytes
        A part of what a raw stream did not take at once is offered again.

    Raises
    ------
    CnncliError
        If it cannot be written.
    BrokenPipeError
        If its reader is gone.
    """
    try:
        sys.stdout.flush()
        stream, rest = sys.stdout.buffer, memoryview(data)
        while rest:
            try:
                taken = stream.write(rest)
            except BlockingIOError as full:
                taken = full.characters_written
            if not taken:
                _await_room()
            rest = rest[taken or 0 :]
        _flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        silence(1)
        raise writing_fault(error, "standard output") from error


def write_line(text: str) -> None:
    """Write a line to standard output: printable on a terminal, else with the bytes of a file's name."""
    write_stdout((encoded(shown(text)) if sys.stdout.isatty() else encoded(text)) + b"\n")


def _flush() -> None:
    waiting = True
    while waiting:
        try:
            sys.stdout.buffer.flush()
            waiting = False
        except BlockingIOError:
            _await_room()


def _await_room() -> None:
    """Wait until a stream that does not block can take more."""
    from select import select

    select([], [sys.stdout.fileno()], [])
