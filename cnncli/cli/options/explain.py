"""What can be said after ``cnncli explain``."""

from cnncli.cli.options.model import command, option
from cnncli.cli.options.shared import DEBUG, QUIET, THREADS


@command(
    "Explain how a convolutional network works: a tour in six steps, with numbers that are computed as "
    "you read.\n\nKernel, feature map, layer, network, training, gradients: on a terminal Enter goes "
    "on, and q ends it.",
    after="output",
)
class Settings:
    """What was said after ``cnncli explain``."""

    step: str | None = option(
        "--step",
        help="One step alone: kernel, feature map, layer, network, training or gradients, or its number.",
        metavar="NAME|N",
    )
    output: str | None = option(
        "--output", "-o", help="Write the tour as a page for a browser, a .html.", metavar="FILE"
    )
    quiet: bool = QUIET
    threads: int | None = THREADS
    debug: bool = DEBUG
