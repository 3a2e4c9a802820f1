"""What can be said after ``cnncli predict``."""

from cnncli.cli.options.model import argument, command, option
from cnncli.cli.options.shared import (
    DEBUG,
    JSON,
    MAX_PIXELS,
    MODEL,
    NETWORK,
    NULL,
    QUIET,
    RECURSIVE,
    SCHEDULER,
    SCHEDULER_FILE,
    SKIP_EXISTING,
    TEXT,
    THREADS,
    NetworkSettings,
)


@command("Classify images or texts with a trained network: one result per line.", after="text")
class Settings(NetworkSettings):
    """What was said after ``cnncli predict``."""

    inputs: list[str] | None = argument(
        "Files, folders (their images), or - for one image on standard input, which is also "
        "read when no INPUT is given and it is a pipe; for a network for texts, each line is one.",
        metavar="[INPUT]...",
    )
    text: list[str] | None = TEXT
    model: str | None = MODEL._replace(
        help=f"{NETWORK}  [default: digits for small gray pictures, else imagenet]"
    )
    top: int = option(
        "--top",
        help="Number of classes to print for each input, most probable first.",
        metavar="K",
        default=3,
    )
    output: str | None = option(
        "--output",
        "-o",
        help=(
            "Of networks for masks or boxes: draw classes or boxes over each picture, into a file, a folder, "
            "for masks a template such as 'out/{stem}-seen{ext}', - for standard output, or term to show it "
            "in "
            "the terminal."
        ),
        metavar="OUT",
    )
    masks: str | None = option(
        "--masks",
        help="Of networks for masks: write the number of each pixel's class as a PNG with a palette; as -o.",
        metavar="OUT",
    )
    skip_existing: bool = SKIP_EXISTING._replace(
        help=f"Of networks for masks: {SKIP_EXISTING.help[0].lower()}{SKIP_EXISTING.help[1:]}"
    )
    yolo: str | None = option(
        "--yolo",
        help="Of networks for boxes: write a text file of YOLO's lines for each picture into this folder.",
        metavar="FOLDER",
    )
    coco: str | None = option(
        "--coco",
        help=(
            "Of networks for boxes: write COCO's results, a list of boxes, as JSON (- is standard output); "
            "ids are numbers that pictures are named by, or their names, and those that classes were learned "
            "with."
        ),
        metavar="FILE",
    )
    own_scale: bool = option(
        "--own-scale",
        help=(
            "Of networks for masks or detectors: look at pictures at their own scale, large ones in tiles.  "
            "[default: resized as in training]"
        ),
    )
    csv: bool = option("--csv", help="Print comma-separated values with a header.")
    recursive: bool = RECURSIVE
    files_from: str | None = option(
        "--files-from",
        help="Read the names of inputs from a file, one per line; - is stdin, classified as they come.",
        metavar="FILE",
    )
    null: bool = NULL
    max_pixels: int | None = MAX_PIXELS
    json: bool = JSON
    quiet: bool = QUIET
    threads: int | None = THREADS
    scheduler: str | None = SCHEDULER
    scheduler_file: str | None = SCHEDULER_FILE
    debug: bool = DEBUG
