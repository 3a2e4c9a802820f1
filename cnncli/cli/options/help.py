"""What can be said after ``cnncli help``."""

from cnncli.cli.options.model import Command, Option
from cnncli.cli.options.shared import DEBUG

COMMAND = Command(
    help="Show the help of a command, as COMMAND --help does.",
    options=(
        Option(
            "command",
            (),
            str,
            "The command to explain.  [default: cnncli as a whole]",
            metavar="[COMMAND]",
        ),
        DEBUG,
    ),
)
