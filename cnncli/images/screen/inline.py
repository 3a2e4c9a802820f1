"""Pictures as files in the text: Kitty's graphics protocol and iTerm2's inline images.

Sources: sw.kovidgoyal.net/kitty/graphics-protocol; iterm2.com/documentation-images.html.
"""

from base64 import b64encode
from collections.abc import Iterator

_MOST = 4096  # letters of a picture in one of Kitty's codes


def kitty_codes(png: bytes, columns: int | None = None) -> Iterator[bytes]:
    """Give Kitty's codes, one after the other, for a picture that is shown at the cursor and not kept.

    Parameters
    ----------
    png : bytes
        The file of the picture.
    columns : int or None
        Cells that it is to be wide; None: a pixel is a pixel.
    """
    letters = b64encode(png)
    wide = b"" if columns is None else b",c=%d" % columns
    first = b"a=T,f=100,q=2" + wide + b","
    for at in range(0, len(letters), _MOST):
        more = b"m=%d" % (at + _MOST < len(letters))
        yield b"\x1b_G" + (first if at == 0 else b"") + more + b";" + letters[at : at + _MOST] + b"\x1b\\"


def iterm_code(png: bytes, size: tuple[int, int], columns: int | None = None) -> bytes:
    """Give iTerm2's code for a picture that is shown at the cursor.

    Parameters
    ----------
    png : bytes
        The file of the picture.
    size : (width, height)
        In pixels.
    columns : int or None
        Cells that it is to be wide; None: a pixel is a pixel.
    """
    width = f"{size[0]}px;height={size[1]}px" if columns is None else f"{columns};height=auto"
    what = f"inline=1;size={len(png)};width={width};preserveAspectRatio=1"
    return b"\x1b]1337;File=" + what.encode() + b":" + b64encode(png) + b"\a"


def through_tmux(code: bytes) -> bytes:
    """Wrap a code that tmux is to hand to the terminal around it, where its allow-passthrough is on."""
    return b"\x1bPtmux;" + code.replace(b"\x1b", b"\x1b\x1b") + b"\x1b\\"
