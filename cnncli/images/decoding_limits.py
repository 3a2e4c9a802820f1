"""What decoding may take: the most pixels of an image, and memory that several threads want at a time."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from cnncli.errors import CnncliError
from cnncli.images.faults import shown

Result = TypeVar("Result")

#: Pixels over all frames that are decoded unless more are allowed: 22,000 x 22,000, 1.5 GB as 8-bit RGB.
DEFAULT_MAX_PIXELS = 500_000_000

_OFTEN = 0.005  # seconds between two looks whether the others are done
_limit = [DEFAULT_MAX_PIXELS]


def max_pixels() -> int:
    """The most pixels, over all frames, that an image may have in this process."""
    return _limit[0]


def set_max_pixels(number: int | None) -> None:
    """Set it, for all that is decoded from now on; None: `DEFAULT_MAX_PIXELS`."""
    _limit[0] = DEFAULT_MAX_PIXELS if number is None else number


def with_memory_retry(work: Callable[[], Result], name: str) -> Result:
    """Do what may run out of memory.

    One great image must not be the end of small ones that other threads work on at that moment: what runs
    out of memory is done once more, while nothing else is.

    Parameters
    ----------
    work : callable
        Can be called twice.
    name : str
        What the error calls the image.

    Raises
    ------
    CnncliError
        If there is not enough memory for it alone.
    """
    try:
        return _TURNS.beside_others(work)
    except (MemoryError, CnncliError) as error:
        if not _out_of_memory(error):
            raise
    try:
        return _TURNS.alone(work)
    except MemoryError:
        pass
    raise CnncliError(
        f"{shown(name)}: there is not enough memory for it; expected an image that fits into memory",
        "Free some memory, or refuse such images at once: --max-pixels 100000000.",
    )


def _out_of_memory(error: BaseException) -> bool:
    """Whether an error, or what it was made of, is that memory has run out."""
    return isinstance(error, MemoryError) or isinstance(error.__cause__, MemoryError)


class _Turns:
    """Threads side by side, which takes them no lock, or one of them alone."""

    def __init__(self) -> None:
        self._busy: set[int] = set()  # threads; to add and to discard is one step of the interpreter
        self._lock = threading.Lock()  # held by the one that is alone, or wants to be
        self._claimed = False

    def beside_others(self, work: Callable[[], Result]) -> Result:
        me = threading.get_ident()
        self._busy.add(me)
        while self._claimed:
            self._busy.discard(me)
            with self._lock:
                self._busy.add(me)
        try:
            return work()
        finally:
            self._busy.discard(me)

    def alone(self, work: Callable[[], Result]) -> Result:
        with self._lock:
            self._claimed = True
            try:
                while self._busy:
                    time.sleep(_OFTEN)
                return work()
            finally:
                self._claimed = False


_TURNS = _Turns()
