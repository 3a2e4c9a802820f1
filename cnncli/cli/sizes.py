"""``{width}`` and ``{height}`` in names of outputs: headers of inputs are read before anything is done.

So names are known from the start, two results of one name are found before one of them is written, and work
on other machines is the same as with any other name.
"""

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from cnncli.cli.exit_codes import UsageError
from cnncli.cli.names import STREAM, Source, is_address, is_stream
from cnncli.errors import CnncliError
from cnncli.files.faults import shown
from cnncli.images.large import LargePicture, open_large
from cnncli.images.read import read_size
from cnncli.records import replace

Size = tuple[int, int]
"""Width and height, in pixels."""
_START = 1 << 16  # bytes of what has an address, among which its size usually is


def measured(
    sources: Sequence[Source], result: Callable[[Size], Size], *, max_pixels: int | None = None
) -> list[Source]:
    """Inputs with the sizes of their results, or with why those are not known.

    Parameters
    ----------
    sources : sequence of Source
        The inputs.
    result : callable
        The size of a result, by that of an input: upright, of its first frame.
    max_pixels : int or None
        As for ``read_picture``.

    Raises
    ------
    UsageError
        Where an input can be read once only.
    """
    return [_measured(source, result, max_pixels) for source in sources]


def _measured(source: Source, result: Callable[[Size], Size], max_pixels: int | None) -> Source:
    path = source.path
    if is_stream(path):
        what = "standard input" if path == STREAM else shown(path)
        raise UsageError(
            f"-o has {{width}} or {{height}} in it, and {what} is an input, which is read once; expected "
            "files",
            "Write it to a file first, or leave the size out of the name.",
        )
    try:
        size = _size_at(path) if is_address(path) else _size_of(Path(path), max_pixels)
        return replace(source, size=_checked(path, size, result))
    except CnncliError as error:
        return replace(source, fault=error)


def _checked(path: str, size: Size, result: Callable[[Size], Size]) -> Size:
    try:
        return result(size)
    except CnncliError as error:  # an option that does not fit the size of this image
        raise UsageError(f"{shown(path)}: {error.message}", error.hint) from error


def _size_of(path: Path, max_pixels: int | None) -> Size:
    large = open_large(path, max_pixels=max_pixels)
    if not isinstance(large, LargePicture):
        return read_size(path)[:2]
    with closing(large):
        return large.picture.size


def _size_at(address: str) -> Size:
    """The size of a picture that has an address: by its first bytes, by all of them if those do not say."""
    from cnncli.cli.addresses import read_address

    start = read_address(address, most=_START)
    try:
        return read_size(start, name=address)[:2]
    except CnncliError:
        return read_size(start if len(start) < _START else read_address(address), name=address)[:2]


def check_size(source: str, named: Size | None, found: Size) -> None:
    """Refuse to write a result under a name that gives it another size.

    Raises
    ------
    CnncliError
        Where the input has been changed since its header was read.
    """
    if named is not None and named != found:
        raise CnncliError(
            f"the result of {shown(source)} is {found[0]} x {found[1]}, and its name was made for "
            f"{named[0]} x {named[1]}; expected a file that nobody changes meanwhile",
            "Run the command again.",
        )
