"""What can be said after ``cnncli samples``."""

from cnncli.cli.options.model import Command, Option
from cnncli.cli.options.shared import DEBUG, QUIET

COMMAND = Command(
    help="Copy the sample images that ship with cnncli to a folder.",
    options=(
        Option(
            "folder",
            (),
            str,
            "Folder to copy to; created if missing.",
            metavar="[FOLDER]",
            default="samples",
        ),
        Option(
            "json",
            ("--json",),
            bool,
            "Print one JSON object per line, one for each file written.",
        ),
        QUIET,
        DEBUG,
    ),
)
