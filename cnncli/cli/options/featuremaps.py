"""What can be said after ``cnncli featuremaps``."""

from cnncli.cli.options.model import Command, Option
from cnncli.cli.options.shared import DEBUG, JSON_OBJECT, MAX_PIXELS, MODEL, QUIET, THREADS, WEIGHTS

COMMAND = Command(
    help="Draw the feature maps of a network for an image, or what words do in one for texts.\n\n"
    "Or the kernels that its layers have learned (--view filters).",
    options=(
        Option(
            "input",
            (),
            str,
            "An image or a text, or - for standard input.",
            metavar="[INPUT]",
        ),
        Option(
            "text",
            ("--text",),
            str,
            "A text, in place of INPUT, for a network that was trained on texts.",
            metavar="TEXT",
        ),
        MODEL,
        *WEIGHTS,
        Option(
            "layer",
            ("--layer",),
            list,
            "Draw all maps of this layer; may be given several times.  [default: every layer]",
            metavar="NAME",
        ),
        Option(
            "view",
            ("--view",),
            str,
            "maps: feature maps of the layers; filters: the learned kernels.",
            metavar="WHAT",
            default="maps",
        ),
        Option(
            "output",
            ("--output", "-o"),
            str,
            "A .png, a self-contained .html page, a folder of pictures, or - for stdout.  "
            "[default: featuremaps/{stem}-maps.png, -2.png where another page has that name]",
            metavar="OUT",
        ),
        Option(
            "raw",
            ("--raw",),
            str,
            "Also write the arrays to a folder, one .npy per layer.",
            metavar="DIR",
        ),
        MAX_PIXELS,
        JSON_OBJECT,
        QUIET,
        THREADS,
        DEBUG,
    ),
)
