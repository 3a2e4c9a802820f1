"""Entry point of a process that helps another one to compile."""

import gc
from collections.abc import Sequence

from cnncli.core.native import compile_missing
from cnncli.ending import end_at_once, handle_signals


def main(names: Sequence[str]) -> None:
    """Compile native functions, in a process that does nothing else."""
    handle_signals(end_at_once)
    gc.disable()  # a tenth of the time; the process ends before its garbage matters
    compile_missing(names)
