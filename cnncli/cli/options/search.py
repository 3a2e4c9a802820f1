"""What can be said after ``cnncli search``."""

from cnncli.cli.options.model import argument, command, option
from cnncli.cli.options.shared import (
    DEBUG,
    JSON,
    MAX_PIXELS,
    MODEL,
    QUIET,
    SCHEDULER,
    SCHEDULER_FILE,
    THREADS,
)


@command(
    "Find images that look like others, by what a network sees in them.\n\n"
    "index embeds all images of folders, and of the folders below, into a gallery; run again, it reads what "
    "is new or changed, and drops what is gone. query finds the images of a gallery that are nearest to "
    "others. "
    "evaluate measures how well that works, on a folder with one folder per class.\n\n"
    "Distances are 1 minus the cosine of vectors: 0 for copies, 1 for images with nothing in common."
)
class Settings:
    """What was said after ``cnncli search``."""

    action: str = argument("index, query or evaluate.", metavar="ACTION", required=True)
    inputs: list[str] | None = argument(
        "index: folders (none: those of the gallery). query: images, folders (their images), or - for one "
        "image on standard input. evaluate: a folder of class folders.",
        metavar="[INPUT]...",
    )
    gallery: str | None = option(
        "--gallery", "-g", help="query: the folder that index wrote.", metavar="GALLERY"
    )
    output: str | None = option(
        "--output",
        "-o",
        help="index: the gallery, a folder that is made or brought up to date. query: a contact sheet, "
        ".png, or term to show "
        "it in the terminal.",
        metavar="OUT",
    )
    model: str | None = MODEL._replace(
        help="The network that sees: a .safetensors that cnncli train or weights wrote, a run's folder, "
        "or one that ships.  [default: that of the gallery; for a new one digits if all pictures are small "
        "and gray, else imagenet]"
    )
    top: int | None = option(
        "--top", help="query: images to find for each, nearest first.  [default: 8]", metavar="N"
    )
    within: float | None = option(
        "--within",
        help="query: find only images at this distance or less.  [default: any; 0.03 for --duplicates]",
        metavar="D",
    )
    duplicates: bool = option(
        "--duplicates", help="query: find groups of images of the gallery that are nearly the same."
    )
    approximate: bool = option(
        "--approximate",
        help="query: search with usearch's index, made once, for galleries of millions; says its recall.",
    )
    max_pixels: int | None = MAX_PIXELS
    json: bool = JSON
    quiet: bool = QUIET
    threads: int | None = THREADS
    scheduler: str | None = SCHEDULER
    scheduler_file: str | None = SCHEDULER_FILE
    debug: bool = DEBUG
