"""Limits of decoding: the most pixels of an image, and memory shared by several threads."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from cnncli.errors import CnncliError
from cnncli.files.faults import shown

Result = TypeVar("Result")

#: Default limit of pixels over all frames: 22,000 x 22,000, 1.5 GB as 8-bit RGB.
DEFAULT_MAX_PIXELS = 500_000_000

_OFTEN = 0.005  # seconds between checks whether other threads have finished
_limit = [DEFAULT_MAX_PIXELS]


def max_pixels() -> int:
    """Most pixels, over all frames, that an image may have in this process."""
    return _limit[0]


def set_max_pixels(number: int | None) -> None:
    """Set the most pixels of images from now on; None: `DEFAULT_MAX_PIXELS`."""
    _limit[0] = DEFAULT_MAX_PIXELS if number is None else number


def with_memory_retry(work: Callable[[], Result], name: str) -> Result:
    """Run work that may run out of memory.

    A large image must not make small ones fail that other threads decode at the same time: work that runs out
    of memory is run once more, alone.

    Parameters
    ----------
    work : callable
        May be called twice.
    name : str
        Name of the image in the error.

    Raises
    ------
    CnncliError
        Where memory does not suffice even for this work alone.
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
    """Whether an error or its cause is a lack of memory."""
    return isinstance(error, MemoryError) or isinstance(error.__cause__, MemoryError)


class _Turns:
    """Run work concurrently without a lock, or alone with no other running."""

    def __init__(self) -> None:
        self._busy: set[int] = set()  # thread identifiers; add and discard are atomic in the interpreter
        self._lock = threading.Lock()  # held by a thread that runs alone or waits to
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
