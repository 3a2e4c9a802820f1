"""What can be said after ``cnncli help``."""

from cnncli.cli.options.model import argument, command
from cnncli.cli.options.shared import DEBUG


@command("Show the help of a command, as COMMAND --help does.")
class Settings:
    """What was said after ``cnncli help``."""

    command: str | None = argument(
        "The command to explain.  [default: cnncli as a whole]", metavar="[COMMAND]"
    )
    debug: bool = DEBUG
