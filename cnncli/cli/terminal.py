"""``-o term``: pictures in the terminal, by what it speaks.

What a terminal speaks is known by its name in the environment, or it is asked: all that understand the
question answer it at once, and the last part of it is one that every terminal answers. Nothing is asked where
standard output is none, where the command is in the background, or where keys have been pressed that would be
taken for the answer.
"""

import functools
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from cnncli.cli.exit_codes import UsageError
from cnncli.cli.messages import report
from cnncli.cli.names import TERMINAL
from cnncli.cli.streams import write_stdout
from cnncli.images.picture import Picture
from cnncli.images.resize import resized
from cnncli.images.screen.preview import on_squares, preview_of
from cnncli.nearest import did_you_mean
from cnncli.records import record

Shades = NDArray[np.uint8]
WAYS = {
    "kitty": "Kitty's graphics protocol",
    "iterm": "iTerm2's inline images",
    "sixel": "Sixel",
    "blocks": "half blocks in colour",
    "dots": "Braille's dots, without colour",
    "signs": "signs of ASCII",
}
MOST = 1024  # pixels of a preview's longer side, or up to twice as many
_BY_TERM = {"xterm-kitty": "kitty", "xterm-ghostty": "kitty", "foot": "sixel", "foot-extra": "sixel"}
_BY_PROGRAM = {"ghostty": "kitty", "iTerm.app": "iterm", "WezTerm": "iterm", "mintty": "iterm"}
_SILENT = ("dumb", "unknown", "linux")  # terminals that are not asked
_USUAL_CELL = (10, 20)  # pixels of a letter, where nobody knows
_PATIENCE = 1.0  # seconds
_SMALL = 320  # pixels: smaller pictures are enlarged, up to that, by whole factors
_SQUARE = 8  # pixels a side of the squares behind what is transparent; in letters one of four
_ASK_KITTY = b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\"
_ASK = b"\x1b[16t\x1b[c"  # the size of a letter; then what it is, which all answer
_ANSWERED = re.compile(rb"\x1b\[\?([\d;]*)c")
_CELL = re.compile(rb"\x1b\[6;(\d+);(\d+)t")


@record
class Screen:
    """Where and how pictures are shown.

    Attributes
    ----------
    way : str
        Of `WAYS`.
    columns, rows : int
        Letters of the terminal.
    cell : (width, height) or None
        Pixels of a letter, if they are known.
    colors : int
        256, or more for all.
    tmux : bool
        Codes have to go through tmux.
    """

    way: str
    columns: int
    rows: int
    cell: tuple[int, int] | None = None
    colors: int = 256
    tmux: bool = False


def screen_of(word: str) -> Screen:
    """The terminal, as ``-o`` says.

    Parameters
    ----------
    word : str
        ``term``, or ``term:`` and one of `WAYS`, which is then used wherever standard output goes.

    Raises
    ------
    UsageError
        If there is no such way, or standard output is no terminal and no way is named.
    """
    way = word.removeprefix(TERMINAL).removeprefix(":")
    if word != TERMINAL and way not in WAYS:
        known = " ".join(WAYS)
        hint = did_you_mean(way, WAYS, form=f"-o {TERMINAL}:{{}}") or "Write -o term to let it be found out."
        raise UsageError(f"-o is {word}; expected {TERMINAL}, or {TERMINAL}: and one of {known}", hint)
    if not way and not sys.stdout.isatty():
        raise UsageError(
            f"{TERMINAL} shows pictures in the terminal, and standard output is none; expected one",
            f"Name a file (./{TERMINAL} for a folder of that name), or how to write it all the same, for "
            f"example -o {TERMINAL}:blocks.",
        )
    columns, rows = shutil.get_terminal_size()
    environment = os.environ
    answer = Answer() if way and way != "sixel" else _answer(environment)
    return Screen(
        way or _way(environment, answer, sys.stdout.encoding or ""),
        columns,
        rows,
        _cell_by_system(columns, rows) or answer.cell,
        _colors(environment),
        tmux=bool(environment.get("TMUX")),
    )


@record
class Answer:
    """What a terminal answered: that it speaks Kitty's protocol, or Sixel, and how large its letters are."""

    kitty: bool = False
    sixel: bool = False
    cell: tuple[int, int] | None = None


def _way(environment: Mapping[str, str], answer: Answer, encoding: str) -> str:
    """The best way that a terminal is known to speak, else letters."""
    term = environment.get("TERM", "")
    if not _is_inside(environment):
        program = environment.get("TERM_PROGRAM", "")
        known = _BY_TERM.get(term) or _BY_PROGRAM.get(program)
        if known is None and environment.get("KITTY_WINDOW_ID"):
            known = "kitty"
        if known is None and environment.get("LC_TERMINAL") == "iTerm2":
            known = "iterm"
        if known or answer.kitty:
            return known or "kitty"
    if answer.sixel:
        return "sixel"
    if encoding.lower().replace("-", "") != "utf8":
        return "signs"
    return "dots" if environment.get("NO_COLOR") or term in ("dumb", "unknown") else "blocks"


def _is_inside(environment: Mapping[str, str]) -> bool:
    """Whether tmux or screen stands between, which keep variables of the terminal that they were begun in."""
    term = environment.get("TERM", "")
    return bool(environment.get("TMUX") or environment.get("STY")) or term.startswith(("screen", "tmux"))


def _colors(environment: Mapping[str, str]) -> int:
    term, more = environment.get("TERM", ""), environment.get("COLORTERM", "")
    every = more in ("truecolor", "24bit") or term.endswith("-direct") or bool(environment.get("WT_SESSION"))
    return 1 << 24 if every or term in _BY_TERM else 256


def _cell_by_system(columns: int, rows: int) -> tuple[int, int] | None:
    """Pixels of a letter, where the system knows how large the window is."""
    import struct

    try:
        import fcntl
        import termios

        known = fcntl.ioctl(sys.stdout.fileno(), termios.TIOCGWINSZ, bytes(8))
    except (ImportError, OSError, ValueError):  # another system, or no terminal
        return None
    down, across, width, height = struct.unpack("HHHH", known)
    cell = (width // across, height // down) if across and down else (0, 0)
    return cell if all(cell) else None


def _answer(environment: Mapping[str, str]) -> Answer:
    """What the terminal answers to the question what it speaks; nothing where it cannot be asked."""
    silent = environment.get("TERM", "") in _SILENT or environment.get("TERM_PROGRAM") == "Apple_Terminal"
    if silent or not sys.stdout.isatty():
        return Answer()
    question = _ASK if _is_inside(environment) else _ASK_KITTY + _ASK
    text = _asked(question)
    found, cell = _ANSWERED.search(text), _CELL.search(text)
    return Answer(
        kitty=b"\x1b_Gi=31;OK" in text,
        sixel=found is not None and b"4" in found[1].split(b";")[1:],
        cell=(int(cell[2]), int(cell[1])) if cell and int(cell[1]) and int(cell[2]) else None,
    )


@functools.cache
def _asked(question: bytes) -> bytes:
    """What a terminal answers, as far as it does so in time."""
    try:
        import termios
        import tty
    except ImportError:  # another system
        return b""
    try:
        terminal = os.open(os.ttyname(sys.stdout.fileno()), os.O_RDWR | os.O_NOCTTY)
    except OSError:
        return b""
    try:
        if os.tcgetpgrp(terminal) != os.getpgrp() or _is_readable(terminal, 0):
            return b""
        before = termios.tcgetattr(terminal)
        try:
            tty.setcbreak(terminal, termios.TCSANOW)
            os.write(terminal, question)
            return b"".join(_answers(terminal))
        finally:
            termios.tcsetattr(terminal, termios.TCSANOW, before)
    except (OSError, termios.error):
        return b""
    finally:
        os.close(terminal)


def _answers(terminal: int) -> Iterator[bytes]:
    """Pieces of an answer, up to the one that all give, or until patience ends."""
    end, text = monotonic() + _PATIENCE, b""
    while not _ANSWERED.search(text) and _is_readable(terminal, max(0.0, end - monotonic())):
        piece = os.read(terminal, 4096)
        if not piece:
            return
        text += piece
        yield piece


def _is_readable(handle: int, seconds: float) -> bool:
    from select import select

    return bool(select([handle], [], [], seconds)[0])


def show_file(word: str, data: bytes) -> None:
    """Show a picture that has been encoded.

    Raises
    ------
    UsageError
        As `screen_of` does.
    """
    from cnncli.images.read import read_picture

    picture = read_picture(data, bands=True)
    if len(picture.frames) > 1:
        report(f"note: the first of {len(picture.frames):,} frames is shown")
    show(preview_of(picture, MOST), screen_of(word))


def show(pixels: Shades, screen: Screen) -> None:
    """Write a picture, (h, w, 3 or 4), to the terminal."""
    write_stdout(codes_of(pixels, screen))


def codes_of(pixels: Shades, screen: Screen) -> bytes:
    """The codes that show a picture, with the line's end.

    Parameters
    ----------
    pixels : ndarray, shape (h, w, 3 or 4), uint8
        RGB, and opacity.
    screen : Screen
        Where.
    """
    if screen.way in ("blocks", "dots", "signs"):
        return _in_letters(pixels, screen)
    cell = screen.cell or _USUAL_CELL
    small = _fitted(pixels, screen.columns * cell[0], max(1, screen.rows - 2) * cell[1])
    height, width = small.shape[:2]
    factor = min(_SMALL, screen.columns * cell[0], max(1, screen.rows - 2) * cell[1]) // max(height, width)
    if factor > 1:
        small = small.repeat(factor, axis=0).repeat(factor, axis=1)
        height, width = small.shape[:2]
    opaque = np.ascontiguousarray(on_squares(small, _SQUARE))
    if screen.way == "sixel":
        from cnncli.images.screen.sixel import encode_sixel

        return encode_sixel(opaque) + b"\n"
    from cnncli.images.png import encode_png
    from cnncli.images.screen import inline

    png = encode_png(Picture((opaque,)))
    columns = None if screen.cell else max(1, round(width / cell[0]))
    if screen.way == "iterm":
        codes = [inline.iterm_code(png, (width, height), columns)]
    else:
        codes = [*inline.kitty_codes(png, columns)]
    return b"".join(inline.through_tmux(code) if screen.tmux else code for code in codes) + b"\n"


def _in_letters(pixels: Shades, screen: Screen) -> bytes:
    """A picture of letters, whose cells are taken for twice as high as wide."""
    from cnncli.images.screen import letters

    across, down = (2, 4) if screen.way == "dots" else (1, 2)
    small = _fitted(pixels, screen.columns * across, max(1, screen.rows - 2) * down)
    opaque = on_squares(small, _SQUARE // 4 * across)
    if screen.way == "blocks":
        lines = letters.half_blocks(opaque, colors=screen.colors)
    else:
        lines = letters.dots(opaque) if screen.way == "dots" else letters.signs(opaque)
    return "".join(f"{line}\n" for line in lines).encode()


def _fitted(pixels: Shades, width: int, height: int) -> Shades:
    """A picture no larger than a box; opacity weighs colours."""
    scale = min(1.0, width / pixels.shape[1], height / pixels.shape[0])
    if scale == 1:
        return pixels
    size = max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale))
    if pixels.shape[2] == 3:
        return resized(pixels, *size)
    opacity = pixels[..., 3:]
    weighed = np.rint(pixels[..., :3] * (opacity / 255)).astype(np.uint8)
    colors, clear = resized(weighed, *size), resized(np.ascontiguousarray(opacity), *size)
    shares = np.where(clear > 0, clear, 1) / 255
    return np.concatenate([np.rint(np.clip(colors / shares, 0, 255)).astype(np.uint8), clear], axis=2)
