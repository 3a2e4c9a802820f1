"""What can be said after ``cnncli predict``."""

from cnncli.cli.options.model import Command, Option
from cnncli.cli.options.shared import (
    DEBUG,
    JSON,
    MAX_PIXELS,
    MODEL,
    NETWORK,
    NULL,
    QUIET,
    RECURSIVE,
    TEXT,
    THREADS,
    WEIGHTS,
)

COMMAND = Command(
    help="Classify images or texts with a trained network: one result per line.",
    options=(
        Option(
            "inputs",
            (),
            list,
            "Files, folders (their images), or - for one image on standard input, which is also "
            "read when no INPUT is given and it is a pipe; for a network for texts, each line is one.",
            metavar="[INPUT]...",
        ),
        TEXT,
        MODEL._replace(help=f"{NETWORK}  [default: digits for small gray pictures, else imagenet]"),
        *WEIGHTS,
        Option(
            "top",
            ("--top",),
            int,
            "Number of classes to print for each input, most probable first.",
            metavar="K",
            default=3,
        ),
        Option(
            "csv",
            ("--csv",),
            bool,
            "Print comma-separated values with a header.",
        ),
        RECURSIVE,
        Option(
            "files_from",
            ("--files-from",),
            str,
            "Read the names of inputs from a file, one per line; - is stdin, classified as they come.",
            metavar="FILE",
        ),
        NULL,
        MAX_PIXELS,
        JSON,
        QUIET,
        THREADS,
        DEBUG,
    ),
)
