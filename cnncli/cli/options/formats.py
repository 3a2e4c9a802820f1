"""What can be said after ``cnncli formats``."""

from cnncli.cli.options.model import Command
from cnncli.cli.options.shared import DEBUG, JSON, QUIET, THREADS

COMMAND = Command(
    help="List the image formats that are read and written.\n\n"
    "Also the bit depths that each of them holds, and the metadata that are kept.",
    options=(
        JSON,
        DEBUG,
        QUIET,
        THREADS,
    ),
)
