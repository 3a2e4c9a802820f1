"""Kernels where files should stand: what to run instead."""

import os
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from cnncli.cli.exit_codes import UsageError
from cnncli.cli.plain import line_of


def is_kernel(word: str) -> bool:
    """A word that is a SPEC, and not the name of a file."""
    from cnncli.errors import CnncliError
    from cnncli.filters.spec import parse_spec

    if os.path.lexists(word) or not word.strip():
        return False
    try:
        parse_spec(word)
    except CnncliError:
        return False
    return True


def refuse_kernels_among_inputs(specs: Sequence[str], given: Mapping[str, Any]) -> None:
    """Tell of kernels that are given as inputs: ``convolve photo.jpg sobel``.

    Parameters
    ----------
    specs : sequence of str
        The kernels that are given as such.
    given : mapping
        The other options of ``convolve``.

    Raises
    ------
    UsageError
        With the line that was meant.
    """
    words = given["inputs"]
    named = [word for word in words if is_kernel(word)]
    if not named:
        return
    inputs = [word for word in words if word not in named] or ["photo.jpg"]
    line = line_of("convolve", {**given, "inputs": inputs, "kernel": [*specs, *named]})
    raise UsageError(
        f"{named[0]!r} is a kernel, and no file; expected kernels after -k",
        f"Run: {shlex.join(['cnncli', *line])}",
    )
