"""``cnncli help``: the help of a command, or of all of cnncli."""

from typing import Any

from cnncli.cli.exit_codes import DONE, UsageError
from cnncli.cli.options import COMMANDS
from cnncli.cli.options.help import Settings
from cnncli.nearest import did_you_mean


def run(settings: Settings) -> int:
    """Print the help of a command, or of all of cnncli, and return the exit code.

    Raises
    ------
    UsageError
        For a command that there is not; the nearest is suggested.
    """
    from typer.main import get_command

    from cnncli.cli.app import app

    command = settings.command
    group: Any = get_command(app)
    root = group.make_context("cnncli", [], resilient_parsing=True)
    if command is None:
        print(root.get_help())
        return DONE
    if command not in COMMANDS:
        hint = did_you_mean(command, COMMANDS, form="cnncli help {}") or "List the commands with: cnncli help"
        raise UsageError(f"there is no command {command!r}; expected one of {', '.join(COMMANDS)}", hint)
    one = group.commands[command]
    with type(root)(one, info_name=command, parent=root) as below:
        print(one.get_help(below))
    return DONE
