"""``--mask``, ``--inside`` and ``--channels``: the part of a picture that ``convolve`` filters."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnncli.cli import values
from cnncli.cli.exit_codes import UsageError
from cnncli.cli.names import STREAM
from cnncli.cli.options.convolve import Settings
from cnncli.core.luma import LUMA
from cnncli.files.faults import shown
from cnncli.filters.area import FilterArea
from cnncli.filters.channels import parse_channels
from cnncli.filters.model import Filter, Move
from cnncli.images.levels import picture_white
from cnncli.images.picture import Picture
from cnncli.images.read import read_picture

# What no pixel of a mask exceeds where its numbers mean something else: 0 and 1, classes, 8 bits in 16.
_DIMMEST = 1 / 16


def read_part(settings: Settings, max_pixels: int, filters: Sequence[Filter]) -> FilterArea | None:
    """Where filters are to work, if not everywhere.

    Parameters
    ----------
    settings : Settings
        Of ``convolve``.
    max_pixels : int
        Larger masks are refused.
    filters : sequence of Filter
        What is done there.

    Raises
    ------
    CnncliError
        If options do not go together, or the mask is none.
    """
    inside, mask, channels = settings.inside, settings.mask, settings.channels
    if inside and settings.roi is None:
        raise UsageError(
            "--inside is given without --roi; expected the region that is to be filtered",
            "Add --roi X,Y,W,H or WxH+X+Y, or leave --inside out.",
        )
    if not inside and mask is None and channels is None:
        return None
    name = "--mask" if mask is not None else "--inside" if inside else "--channels"
    if settings.mode != "same" or values.pair("--stride", settings.stride) != (1, 1):
        raise UsageError(
            f"{name} is given with --mode {settings.mode} and --stride {settings.stride}; "
            "expected a result of the picture's size",
            f"Leave --mode and --stride out, or {name}.",
        )
    if moving := next((each.name for each in filters if isinstance(each, Move)), ""):
        raise UsageError(
            f"{name} is given with {moving}, which moves pixels; expected kernels that leave them in place",
            f"Leave {name} out, or run {moving} in another command.",
        )
    if settings.explain is not None:
        raise UsageError(
            f"{name} and --explain are both given; expected one of them",
            f"Explain the filter without {name}.",
        )
    if channels is not None and settings.gray is not None:
        raise UsageError(
            f"--channels and --{'gray' if settings.gray else 'color'} are both given; expected one of them",
            "Leave the other out: with --channels each is filtered by itself.",
        )
    region = values.region("--roi", settings.roi) if inside else None
    names = () if channels is None else parse_channels(channels)
    return FilterArea(region, None if mask is None else _read_mask(mask, max_pixels), names)


def notes_on_the_rest(target: str, result: Picture) -> list[str]:
    """Say where what is not filtered changes all the same, for want of colours in the output's format."""
    if result.format != "GIF":
        return []
    from cnncli.images.gif_write import dithered_frames

    if not (count := dithered_frames(result)):
        return []
    where = "standard output" if target == STREAM else shown(target)
    of_frames = "" if len(result.frames) == 1 else f" in {count:,} of {len(result.frames):,} frames"
    return [
        f"note: {where}: GIF holds 256 colours and there are more{of_frames}, so that pixels outside the "
        "filtered part change, too; PNG keeps them"
    ]


def _read_mask(path: str, max_pixels: int) -> NDArray[np.float32]:
    """A mask as shares from 0 to 1: luma, times opacity where the file has it."""
    if path == STREAM or not os.path.exists(path):  # noqa: PTH110
        raise UsageError(f"--mask is {shown(path)}; expected a picture's file", "Check the name.")
    picture = read_picture(Path(path), max_pixels=max_pixels)
    if len(picture.frames) != 1:
        raise UsageError(
            f"--mask is {shown(path)}, which holds {len(picture.frames)} pictures; expected one",
            "Save one of them as a picture of its own.",
        )
    frame = picture.frames[0]
    white = picture_white(picture)
    color = (frame[..., :-1] if picture.alpha else frame).astype(np.float64) / white
    share = color @ LUMA if color.shape[2] == 3 else color[..., 0]
    if picture.alpha:
        share = share * (frame[..., -1] / white)
    if not (share.min() >= -1e-6 and share.max() <= 1 + 1e-6):
        raise UsageError(
            f"--mask is {shown(path)}, whose values reach from {share.min() * white:g} to "
            f"{share.max() * white:g}; expected 0 to {white:g}",
            "Draw black where pixels are kept, and white where they are filtered.",
        )
    if 0 < share.max() < _DIMMEST:
        raise UsageError(
            f"--mask is {shown(path)}, whose values reach {share.max() * white:g} of {white:g}: "
            "it is almost black; expected white where filters work",
            "Multiply its numbers so that what is to be filtered is white.",
        )
    return np.clip(share, 0, 1).astype(np.float32)
