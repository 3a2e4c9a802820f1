"""What can be said after ``cnncli formats``."""

from cnncli.cli.options.model import command
from cnncli.cli.options.shared import DEBUG, JSON, QUIET, THREADS


@command(
    "List the image formats that are read and written.\n\n"
    "Also the bit depths that each of them holds, and the metadata that are kept."
)
class Settings:
    """What was said after ``cnncli formats``."""

    json: bool = JSON
    debug: bool = DEBUG
    quiet: bool = QUIET
    threads: int | None = THREADS
