"""A picture with the classes of its pixels over it, and their names below."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cnncli.images.canvas import Box, Canvas, measure, shorten
from cnncli.views.colors import as_rgb, class_color, mask_palette

_VEIL = 0.5  # opacity of a class's colour
_LEAST = 480  # pixels of the wider side: smaller pictures are enlarged by a whole factor
_SIZE, _LINE, _EDGE, _SWATCH = 16, 26, 14, 14  # of the names: letters, lines, margin, patch of colour


def overlay_page(
    pixels: NDArray[np.uint8], classes: NDArray[np.uint8], areas: Sequence[tuple[int, str, float]]
) -> Canvas:
    """Draw a picture, its classes as veils with outlines, and a legend.

    Class 0, the background, is left as it is, and so are pixels without a class.

    Parameters
    ----------
    pixels : ndarray, shape (H, W, C), uint8
        The picture.
    classes : ndarray, shape (H, W), uint8
        Of each pixel; 255 where there is none.
    areas : sequence of (int, str, float)
        Number, name and share of the picture of each class that is named below it.
    """
    times = max(1, _LEAST // max(classes.shape))
    veiled = _veiled(_enlarged(as_rgb(pixels), times), _enlarged(classes, times))
    height, width = veiled.shape[:2]
    canvas = Canvas(width)
    canvas.image(Box(0, 0, width, height), veiled)
    _legend(canvas, areas, height)
    return canvas


def _enlarged(pixels: NDArray[np.uint8], times: int) -> NDArray[np.uint8]:
    return pixels if times == 1 else pixels.repeat(times, axis=0).repeat(times, axis=1)


def _veiled(pixels: NDArray[np.uint8], classes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Band by band, as a picture may be large."""
    palette, out = mask_palette(), pixels.copy()
    thing = (classes != 0) & (classes != 255)
    wide = max(1, round(max(classes.shape) / 500))  # of an outline
    edge = np.zeros_like(thing)
    for shift in range(1, wide + 1):
        for axis in range(2):
            ahead, behind = _shifted(classes.shape, shift, axis)
            differ = classes[ahead] != classes[behind]
            edge[ahead] |= differ
            edge[behind] |= differ
    edge &= thing
    for at in range(0, len(out), 256):
        rows = slice(at, at + 256)
        colors, here = palette[classes[rows]], thing[rows]
        mixed = (1 - _VEIL) * out[rows].astype(np.float32) + _VEIL * colors
        out[rows][here] = np.rint(mixed[here]).astype(np.uint8)
        out[rows][edge[rows]] = colors[edge[rows]]
    return out


def _shifted(
    shape: tuple[int, ...], shift: int, axis: int
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Two views of an array, one so many pixels ahead of the other."""
    whole, ahead, behind = slice(None), slice(shift, None), slice(None, max(0, shape[axis] - shift))
    return ((ahead, whole), (behind, whole)) if axis == 0 else ((whole, ahead), (whole, behind))


def _legend(canvas: Canvas, areas: Sequence[tuple[int, str, float]], top: int) -> None:
    """Names with their colours, in lines as wide as the picture."""
    x, y = _EDGE, top + _EDGE
    for number, name, share in areas:
        text = shorten(
            f"{name}: {_percent(share)}", max(40, canvas.width - 2 * _EDGE - _SWATCH - 8), size=_SIZE
        )
        width = _SWATCH + 8 + measure(text, size=_SIZE)[0]
        if x > _EDGE and x + width > canvas.width - _EDGE:
            x, y = _EDGE, y + _LINE
        color = "#{:02x}{:02x}{:02x}".format(*(class_color(number - 1) if number else (255, 255, 255)))
        canvas.rect(Box(x, y, x + _SWATCH, y + _SWATCH), fill=color, outline="#52606d")
        canvas.text((x + _SWATCH + 8, y - 2), text, size=_SIZE)
        x += width + 20


def _percent(share: float) -> str:
    return f"{share:.1%}" if share >= 0.0005 else "less than 0.1%"
