"""Kernels where files should stand: what to run instead."""

import os
import shlex

from cnncli.cli.exit_codes import UsageError
from cnncli.cli.options.convolve import Settings
from cnncli.cli.plain import line_of
from cnncli.records import replace


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


def refuse_kernels_among_inputs(settings: Settings) -> None:
    """Tell of kernels that are given as inputs: ``convolve photo.jpg sobel``.

    Parameters
    ----------
    settings : Settings
        Of ``convolve``.

    Raises
    ------
    UsageError
        With the line that was meant.
    """
    words = settings.inputs or []
    named = [word for word in words if is_kernel(word)]
    if not named:
        return
    inputs = [word for word in words if word not in named] or ["photo.jpg"]
    meant = replace(settings, inputs=inputs, kernel=[*(settings.kernel or []), *named])
    line = line_of("convolve", meant)
    raise UsageError(
        f"{named[0]!r} is a kernel, and no file; expected kernels after -k",
        f"Run: {shlex.join(['cnncli', *line])}",
    )
