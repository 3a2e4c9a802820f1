"""What can be said after ``cnncli samples``."""

from cnncli.cli.options.model import argument, command, option
from cnncli.cli.options.shared import DEBUG, QUIET


@command("Copy the sample images that ship with cnncli to a folder.")
class Settings:
    """What was said after ``cnncli samples``."""

    folder: str = argument("Folder to copy to; created if missing.", metavar="[FOLDER]", default="samples")
    json: bool = option("--json", help="Print one JSON object per line, one for each file written.")
    quiet: bool = QUIET
    debug: bool = DEBUG
