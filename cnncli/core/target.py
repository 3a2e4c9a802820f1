"""The target processor of loops: vector width and size of register tiles.

``CNNCLI_TARGET`` forces one of `TARGETS` by name: its vector width and tiles and, where this processor has
more, its instructions and registers. So what a laptop does can be measured on a server. A target that needs
more than this processor has is computed with what there is, so that every target runs on every machine.
"""

import os

from cnncli.errors import CnncliError
from cnncli.records import record


@record
class Target:
    """Vector width and register tile of a processor family.

    Attributes
    ----------
    name : str
        ``avx512``, ``avx2``, ``neon`` or ``sse``.
    lanes : int
        float32 values in one vector.
    tap_rows : int
        Rows that the filter loops sum at once, so that they share their loads: as many as it takes for
        multiply-adds, not loads, to be the limit; a load that crosses cache lines counts twice.
    tap_vectors : int
        Vectors of one row that they keep as accumulators, for two rows at once: 2 * tap_vectors
        accumulators, tap_rows weights and 1 load must fit the vector registers.
    gemm_rows : int
        Output pixels that the network convolution keeps as accumulators, for two vectors each.
    gemm_half_rows : int
        The same for the remainder after whole tiles.
    gemm_narrow_rows : int
        The same for one vector each.
    level : str
        The x86-64 level, as LLVM names processors, with the instructions of the family; empty elsewhere.
    """

    name: str
    lanes: int
    tap_rows: int
    tap_vectors: int
    gemm_rows: int
    gemm_half_rows: int
    gemm_narrow_rows: int
    level: str = ""

    def tap_chunk(self, sums: int) -> int:
        """Floats of a row that the filter loops process at a time, with ``sums`` sums at once."""
        return 2 * self.tap_vectors * self.lanes // sums

    @property
    def stretches(self) -> list[tuple[int, int]]:
        """First and last of the `tap_rows` output rows that a row of source pixels contributes to, in order.

        Going down the source, output rows are added at the end and removed at the start; each gets its cells
        from the top of the kernel to the bottom.
        """
        return [(first, last) for first in range(self.tap_rows) for last in range(first, self.tap_rows)]


# Registers: 32 of 512 bits, 16 of 256, 32 of 128, 16 of 128.
TARGETS = {
    "avx512": Target(
        "avx512",
        lanes=16,
        tap_rows=4,
        tap_vectors=12,
        gemm_rows=14,
        gemm_half_rows=8,
        gemm_narrow_rows=12,
        level="x86-64-v4",
    ),
    "avx2": Target(
        "avx2",
        lanes=8,
        tap_rows=2,
        tap_vectors=6,
        gemm_rows=6,
        gemm_half_rows=4,
        gemm_narrow_rows=13,
        level="x86-64-v3",
    ),
    "neon": Target(
        "neon", lanes=4, tap_rows=2, tap_vectors=12, gemm_rows=8, gemm_half_rows=4, gemm_narrow_rows=13
    ),
    "sse": Target(
        "sse",
        lanes=4,
        tap_rows=2,
        tap_vectors=6,
        gemm_rows=6,
        gemm_half_rows=4,
        gemm_narrow_rows=13,
        level="x86-64-v2",
    ),
}
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
