"""Layer 0: how a process ends that a signal asks to end: at once, and with nothing left half written.

Python's own way is to raise an exception wherever the program happens to be. That lands inside an import,
whose lock then never opens for a thread that waits for it, or in a library that makes another error of it,
or loses it. So nothing is raised here: the handler itself takes away what is unfinished and ends the
process. Work that comes to an orderly end of its own (a batch, a training) handles its first signal itself.

Only what the interpreter has loaded anyway is imported, for this stands in front of all other imports.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _thread
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from subprocess import Popen
    from types import FrameType, TracebackType

SIGNALS = (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP)

# Whoever begins a file holds it; who ends the process takes it and never gives it back. Reentrant, because
# the handler runs on top of whatever the main thread is doing.
_gate = _thread.RLock()
_unfinished: dict[str, Callable[[str], object]] = {}
_helpers: list[Popen[bytes]] = []
_words: list[Callable[[], str]] = []
_screens: list[str] = []  # what takes each display off the terminal


def end_silently(number: int, frame: FrameType | None = None) -> None:
    """Handle a signal before there is anything to take away."""
    os._exit(128 + number)


def end_at_once(number: int, frame: FrameType | None = None) -> None:
    """Handle a signal: remove what is unfinished, say so in a line, and leave with 128 + its number."""
    for each in SIGNALS:  # the next one need not wait for any of this
        if _signal.getsignal(each) != _signal.SIG_IGN:
            _signal.signal(each, _signal.SIG_DFL)
    _gate.acquire()
    for path, remove in reversed(list(_unfinished.items())):  # what lies in a folder before the folder
        _attempt(remove, path)
    for each in _helpers:
        _attempt(each.terminate)
    what = "interrupted" if number == _signal.SIGINT else "terminated"
    said = ": ".join([what, *(words() for words in _words[-1:])])
    # Not through sys.stderr, in the middle of which the signal may have come.
    _attempt(os.write, 2, f"{''.join(_screens)}{said}\n".encode("utf-8", "backslashreplace"))
    os._exit(128 + number)


def _attempt(work: Callable[..., object], *given: object) -> None:
    try:
        work(*given)
    except OSError:
        return


def handle_signals(handler: Callable[[int, FrameType | None], None]) -> None:
    """Let a handler have the signals that ask a process to end, unless it was started to ignore them.

    Parameters
    ----------
    handler : callable
        `end_silently` at first, then `end_at_once`. Handlers of others (a debugger's, a test's) stay.
    """
    ours = (_signal.SIG_DFL, _signal.default_int_handler, end_silently, end_at_once)
    for number in SIGNALS:
        if _signal.getsignal(number) in ours:
            _signal.signal(number, handler)


def begin(path: str, create: Callable[[str], int], remove: Callable[[str], object] = os.unlink) -> int:
    """Begin something that is of no use until it is finished.

    Parameters
    ----------
    path : str
        Its place.
    create : callable
        Makes it; called with the path.
    remove : callable
        Takes it away again, if a signal ends the process before `finished` is called.

    Returns
    -------
    int
        What ``create`` returns.

    Raises
    ------
    OSError
        What ``create`` raises; nothing has begun then.
    """
    with _gate:
        _unfinished[path] = remove  # before it is there: a signal may come in between
        try:
            return create(path)
        except BaseException:
            del _unfinished[path]
            raise


def finished(path: str) -> None:
    """What was begun there stays, or is gone already."""
    _unfinished.pop(path, None)


class _Entry:
    """Something that stands in a list while the context lasts."""

    def __init__(self, entries: list, entry: object) -> None:  # type: ignore[type-arg]
        self._entries, self._entry = entries, entry

    def __enter__(self) -> None:
        self._entries.append(self._entry)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entries.remove(self._entry)


def helper(process: Popen[bytes]) -> _Entry:
    """A process that ends with this one, while the context lasts."""
    return _Entry(_helpers, process)


def saying(words: Callable[[], str]) -> _Entry:
    """How far the work is, printable: added to ``interrupted`` or ``terminated`` while the context lasts."""
    return _Entry(_words, words)


def screen(erase: str) -> _Entry:
    """Characters that take a display off the terminal, if the process is ended while the context lasts."""
    return _Entry(_screens, erase)
