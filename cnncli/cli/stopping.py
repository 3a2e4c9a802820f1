"""Signals that let work in hand come to its end."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from cnncli import ending


@contextlib.contextmanager
def orderly_stop() -> Iterator[list[int]]:
    """Let work in hand come to its end when the user interrupts: the signal is noted, not raised.

    A second signal ends the process at once.

    Yields
    ------
    list of int
        The signal, as soon as there is one. Outside the main thread, which signals do not reach,
        it stays empty.
    """
    noted: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield noted
        return

    def note(number: int, frame: FrameType | None) -> None:
        noted.append(number)
        for each in handled:
            signal.signal(each, ending.end_at_once)

    before = {number: signal.getsignal(number) for number in ending.SIGNALS}
    handled = [number for number, handler in before.items() if handler != signal.SIG_IGN]
    for number in handled:
        signal.signal(number, note)
    try:
        yield noted
    finally:
        for number in handled:
            signal.signal(number, before[number])
