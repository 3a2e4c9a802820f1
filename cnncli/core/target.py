"""The target of loops: which instruction set, of those in `cnncli.core.choices`, a processor gets.

``CNNCLI_TARGET`` forces one of `TARGETS` by name: its vector width and tiles and, where this processor has
more, its instructions and registers. So what a laptop does can be measured on a server. A target that needs
more than this processor has is computed with what there is, so that every target runs on every machine.
"""

import os

from cnncli.core.choices import TARGETS, Target
from cnncli.errors import CnncliError

_LEVELS = ("x86-64-v4", "x86-64-v3", "x86-64-v2")  # each has all instructions of those that follow


def choose_target(architecture: str, features: frozenset[str]) -> Target:
    """Choose the target for a processor.

    Parameters
    ----------
    architecture : str
        First part of the target triple, such as ``x86_64`` or ``aarch64``.
    features : frozenset of str
        Names of the instruction sets that the processor has, as LLVM calls them.

    Returns
    -------
    Target
        The forced one if ``CNNCLI_TARGET`` is set, else the widest that the processor has.

    Raises
    ------
    CnncliError
        If ``CNNCLI_TARGET`` is not the name of a target.
    """
    forced = os.environ.get("CNNCLI_TARGET")
    if forced:
        if forced not in TARGETS:
            raise CnncliError(
                f"CNNCLI_TARGET is {forced!r}; expected one of {', '.join(TARGETS)}",
                "Unset CNNCLI_TARGET to let the processor decide.",
            )
        return TARGETS[forced]
    return _widest(architecture, features)


def held_to(target: Target, architecture: str, features: frozenset[str]) -> str:
    """The x86-64 level to which code for a target is held, as LLVM names processors.

    Empty where it may use all instructions of the processor: for the target that fits it best, and for one
    that needs more than it has, or another architecture.
    """
    own = _widest(architecture, features)
    if not target.level or not own.level or _LEVELS.index(target.level) <= _LEVELS.index(own.level):
        return ""
    return target.level


def _widest(architecture: str, features: frozenset[str]) -> Target:
    """The target with the widest vectors that the processor has."""
    if architecture in ("aarch64", "arm64"):
        return TARGETS["neon"]
    if {"avx512f", "avx512bw", "avx512vl"} <= features:
        return TARGETS["avx512"]
    if {"avx2", "fma"} <= features:
        return TARGETS["avx2"]
    return TARGETS["sse"]
