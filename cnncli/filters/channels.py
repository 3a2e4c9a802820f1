"""Filter some channels of an image, each by itself as if it were gray, and leave the others as they are."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.errors import CnncliError
from cnncli.filters.apply import Applied, Depth, apply_filters
from cnncli.filters.kinds.levels import Gray
from cnncli.filters.model import Filter
from cnncli.filters.options import Options
from cnncli.records import replace

Pixels = NDArray[Any]

_LETTERS = "rgba"
_WORDS = {"red": "r", "green": "g", "blue": "b", "alpha": "a", "opacity": "a"}
_FORM = (
    "Write letters of rgba such as --channels rg or --channels a, or numbers from 1 such as --channels 1,3."
)


def parse_channels(text: str) -> tuple[str, ...]:
    """Read names of channels: letters of ``rgba``, their words, or numbers from 1.

    Returns
    -------
    tuple of str
        Letters and numbers, each once.

    Raises
    ------
    CnncliError
        For other words, and for a channel that is named twice.

    Examples
    --------
    >>> parse_channels("rg"), parse_channels("alpha"), parse_channels("1,3")
    (('r', 'g'), ('a',), ('1', '3'))
    """
    names: list[str] = []
    for part in re.split(r"[\s,]+", text.strip().lower()):
        word = _WORDS.get(part, part)
        if word.isdecimal() and word.isascii() and int(word) > 0:
            names.append(str(int(word)))
        elif word and set(word) <= set(_LETTERS):
            names += word
        else:
            raise CnncliError(f"--channels is {text!r}; expected letters of rgba, or numbers from 1", _FORM)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise CnncliError(f"--channels is {text!r}, which names {twice} twice; expected it once", _FORM)
    return tuple(names)


def places_of(names: Sequence[str], channels: int, *, alpha: bool) -> list[int]:
    """Which channels of an image names mean, from 0.

    Raises
    ------
    CnncliError
        If the image has no such channel.
    """
    colors = channels - alpha
    known = {str(number + 1): number for number in range(channels)}
    if colors == 3:
        known |= {"r": 0, "g": 1, "b": 2}
    if alpha:
        known["a"] = channels - 1
    missing = [name for name in names if name not in known]
    if missing:
        kind = {1: "gray", 3: "colour"}.get(colors, f"of {colors} channels")
        numbers = "1" if channels == 1 else f"1 to {channels}"
        letters = "".join(f"{name}, " for name in known if name.isalpha()) + (
            "or " if alpha or colors == 3 else ""
        )
        raise CnncliError(
            f"--channels names {', '.join(missing)}; expected {letters}{numbers} "
            f"of this image, which is {kind} {'with' if alpha else 'without'} opacity",
            "Name channels that it has, or leave --channels out to filter all.",
        )
    return sorted({known[name] for name in names})


def filter_channels(
    frame: Pixels,
    filters: Sequence[Filter],
    options: Options,
    places: Sequence[int],
    *,
    alpha: bool,
    depths: tuple[Depth, Depth],
    threads: int,
) -> tuple[Applied, list[Pixels]]:
    """Filter channels of one frame, each by itself.

    A colour is weighted by opacity, which stays; opacity is filtered as a gray image, without a tone curve.

    Parameters
    ----------
    places : sequence of int
        The channels to filter.
    frame, filters, options, alpha, depths, threads
        As for `apply_filters`; depths are of source and target.

    Returns
    -------
    applied : Applied
        Of the last channel, but that clipped samples are those of all.
    responses : list of ndarray, each (H, W)
        In the order of ``places``.

    Raises
    ------
    CnncliError
        For opacity that marks missing data, and for luma, which one channel has not.
    """
    if any(isinstance(filter, Gray) for filter in filters):
        raise CnncliError(
            "--channels is given with gray, which makes luma of all colours; expected other kernels",
            "Make it gray first: -k gray -o -, piped into another command.",
        )
    last = frame.shape[2] - 1
    if options.masked and last in places:
        raise CnncliError(
            "--channels names opacity, which marks the pixels without data here; expected colours",
            "Name other channels.",
        )
    found, responses = [], []
    colors = frame.shape[2] - alpha
    for place in places:
        own = [filter.of_channel(place, colors) for filter in filters]
        how: dict[str, Any] = {"source": depths[0], "target": depths[1], "threads": threads}
        if alpha and place == last:
            channel = np.ascontiguousarray(frame[..., place:])
            plain = replace(options, linear=False)
            applied = apply_filters(channel, own, plain, alpha=False, **how)
        else:
            channel = np.ascontiguousarray(frame[..., [place, last] if alpha else [place]])
            applied = apply_filters(channel, own, replace(options, masked=True), alpha=alpha, **how)
        found.append(applied)
        responses.append(applied.pixels[..., 0])
    share = sum(each.clipped for each in found) / len(found)
    return replace(found[-1], clipped=share), responses
