"""What can be said after ``cnncli models``."""

from cnncli.cli.options.model import Command, Option
from cnncli.cli.options.shared import DEBUG, JSON, QUIET, THREADS

COMMAND = Command(
    help="List the networks by name, or show the layers of one.\n\n"
    "Layers are shown block by block, with the shapes of their outputs, parameters, multiply-adds and "
    "receptive fields, and all of it is summed up.",
    options=(
        Option(
            "model",
            (),
            str,
            "Show one network: a name, with options if it has any (vgg16:width=0.5); layers, as train "
            "takes them; a checkpoint, a run's folder, digits or imagenet.",
            metavar="[MODEL]",
        ),
        Option(
            "size",
            ("--size",),
            str,
            "Size of the images, in pixels.  [default: the published network's, or 28]",
            metavar="N|WxH",
        ),
        Option(
            "classes",
            ("--classes",),
            int,
            "Number of classes.  [default: the published network's, or 10]",
            metavar="N",
        ),
        Option(
            "gray",
            ("--gray",),
            bool,
            "Images in gray or in colour.  [default: the published network's, or gray]",
            off=("--color",),
        ),
        Option(
            "all",
            ("--all",),
            bool,
            "Show every block, also those that are like the one before.",
        ),
        JSON,
        QUIET,
        THREADS,
        DEBUG,
    ),
)
