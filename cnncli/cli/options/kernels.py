"""What can be said after ``cnncli kernels``."""

from cnncli.cli.options.model import Command, Option
from cnncli.cli.options.shared import DEBUG, JSON, QUIET, THREADS

COMMAND = Command(
    help="List the named kernels, or show one of them.\n\n"
    "One is shown with its parameters, weights, sum, rank, plan, source and an example in numbers.",
    options=(
        Option(
            "spec",
            (),
            str,
            "Show one kernel: its name, or any SPEC.",
            metavar="[SPEC]",
        ),
        JSON,
        DEBUG,
        QUIET,
        THREADS,
    ),
)
