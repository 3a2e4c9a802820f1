"""What can be said after ``cnncli kernels``."""

from cnncli.cli.options.model import argument, command
from cnncli.cli.options.shared import DEBUG, JSON, QUIET, THREADS


@command(
    "List the named kernels, or show one of them.\n\n"
    "One is shown with its parameters, weights, sum, rank, plan, source and an example in numbers."
)
class Settings:
    """What was said after ``cnncli kernels``."""

    spec: str | None = argument("Show one kernel: its name, or any SPEC.", metavar="[SPEC]")
    json: bool = JSON
    debug: bool = DEBUG
    quiet: bool = QUIET
    threads: int | None = THREADS
