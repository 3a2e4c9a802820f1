"""The processors that wheels carry machine code for, so that nothing is compiled on them.

The levels of x86-64 are those of the System V ABI's AMD64 supplement, section 3.1.1; code for one runs on
every processor that has its features. Blocks follow the calling convention of Linux, and are for Linux alone.
"""

import sys

from cnncli.core.choices import TARGETS, Target
from cnncli.records import record


@record
class Platform:
    """A family of processors, as a compiler and the kernel describe it.

    Attributes
    ----------
    name : str
        Of its folder, such as ``x86-64-v3``.
    architecture : str
        As ``uname -m`` gives it.
    target : Target
        Vector width and register tiles of its code.
    features : frozenset of str
        What a processor must have, as the Linux kernel names it.
    cpu : str
        The least of the family, as LLVM names it.
    """

    name: str
    architecture: str
    target: Target
    features: frozenset[str]
    cpu: str

    @property
    def triple(self) -> str:
        """The platform as LLVM names it."""
        return f"{self.architecture}-unknown-linux-gnu"


_V2 = frozenset(("cx16", "lahf_lm", "popcnt", "pni", "sse4_1", "sse4_2", "ssse3"))
_V3 = _V2 | frozenset(("avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"))
_V4 = _V3 | frozenset(("avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"))

PLATFORMS = {
    "x86-64-v4": Platform("x86-64-v4", "x86_64", TARGETS["avx512"], _V4, "x86-64-v4"),
    "x86-64-v3": Platform("x86-64-v3", "x86_64", TARGETS["avx2"], _V3, "x86-64-v3"),
    "x86-64-v2": Platform("x86-64-v2", "x86_64", TARGETS["sse"], _V2, "x86-64-v2"),
    "aarch64": Platform("aarch64", "aarch64", TARGETS["neon"], frozenset({"fp", "asimd"}), "generic"),
}


def fitting(architecture: str, features: frozenset[str], target: Target) -> Platform | None:
    """The platform whose code does on a processor what code compiled for it and this target would.

    Parameters
    ----------
    architecture, features : str and frozenset of str
        Of the processor, as the Linux kernel names them.
    target : Target
        The one that was chosen for it, or that it is held to.

    Returns
    -------
    Platform or None
        None where the processor lacks a feature, and on other systems than Linux.
    """
    if sys.platform != "linux":
        return None
    fits = (
        each
        for each in PLATFORMS.values()
        if each.architecture == architecture and each.target == target and each.features <= features
    )
    return next(fits, None)
