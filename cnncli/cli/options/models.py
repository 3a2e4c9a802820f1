"""What can be said after ``cnncli models``."""

from cnncli.cli.options.model import argument, command, option
from cnncli.cli.options.shared import DEBUG, JSON, QUIET, THREADS, FormSettings


@command(
    "List the networks by name, or show the layers of one.\n\n"
    "Layers are shown block by block, with the shapes of their outputs, parameters, multiply-adds and "
    "receptive fields, and all of it is summed up.",
    after="model",
)
class Settings(FormSettings):
    """What was said after ``cnncli models``."""

    model: str | None = argument(
        "Show one network: a name, with options if it has any (vgg16:width=0.5); layers, as train "
        "takes them; a checkpoint, a run's folder, or one that ships, such as digits or imagenet.",
        metavar="[MODEL]",
    )
    all: bool = option("--all", help="Show every block, also those that are like the one before.")
    json: bool = JSON
    quiet: bool = QUIET
    threads: int | None = THREADS
    debug: bool = DEBUG
