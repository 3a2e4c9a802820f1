"""Options that several commands have, each with one meaning."""

import os
from typing import Any

from cnncli.cli.options.model import argument, group, option

RECURSIVE = option("--recursive", "-r", help="Read folders with all their subfolders.")
NULL = option(
    "--null", "-0", help="Names in --files-from end with NUL instead of newline, as find -print0 writes them."
)
MAX_PIXELS = option(
    "--max-pixels", help="Refuse larger images before decoding.  [default: 500 million]", metavar="N"
)
JSON = option("--json", help="Print one JSON object per line, one for each result.")
QUIET = option("--quiet", "-q", help="Print errors only: no warnings, no progress.")
SKIP_EXISTING = option(
    "--skip-existing",
    help=(
        "Leave outputs that are there and no older than their inputs, which are not read then; of what else "
        "was asked for under the same name nothing is noticed."
    ),
)
THREADS = option("--threads", help="Threads to use.  [default: all cores]", metavar="N")
DEBUG = option("--debug", help="Show a traceback when something fails.")
SCHEDULER_VARIABLE = "DASK_SCHEDULER_ADDRESS"  # as Dask's own clients heed it
SCHEDULER = option(
    "--scheduler",
    help=(
        "Work on the machines of a Dask cluster, whose workers see the same files: its scheduler, such as "
        f"tcp://host:8786.  [default: ${SCHEDULER_VARIABLE}; else this machine alone]"
    ),
    metavar="ADDRESS",
)
SCHEDULER_FILE = option(
    "--scheduler-file",
    help="The file that dask scheduler --scheduler-file wrote, in place of an address.",
    metavar="FILE",
)
NETWORK = (
    "A .safetensors that cnncli train wrote, a run's folder, a model of ONNX (.onnx), or a model that ships: "
    "digits, imagenet for photographs, or one for boxes, masks or clips (cnncli models "
    "lists them); with --weights a network's name, such as resnet18."
)
MODEL = option("--model", "-m", help=f"{NETWORK}  [default: digits]", metavar="CHECKPOINT")
DATASET = argument(
    "mnist, fashion-mnist, cifar10, movie-reviews, digit-scenes or digit-motions; a folder of class folders "
    "(of images or clips) or of IDX files; an .npz; a .csv or .tsv (path,label or text,label); boxes and "
    "masks: COCO's .json, YOLO's data.yaml, a folder of Pascal VOC or labelme, or of images/ and masks/.",
    metavar="DATASET",
)
SPLITS = option(
    "--splits",
    help=(
        "Folders called train, val and test, or a table's column, are splits; or they are "
        "classes (the column is ignored).  [default: splits where no other reading is "
        "possible]"
    ),
    off=("--no-splits",),
)
LABEL_COLUMN = option(
    "--label-column",
    help="Of a table: the column with the class of each image or text, by name or number from 1.",
    metavar="COLUMN",
)
TEXT_COLUMN = option(
    "--text-column", help="Of a table: the column with the texts, by name or number from 1.", metavar="COLUMN"
)
TEXT = option(
    "--text",
    help="A text for a network that was trained on texts; may be given several times.",
    metavar="TEXT",
)
PATH_COLUMN = option(
    "--path-column",
    help="Of a table: the column with the file of each image, by name or number from 1.",
    metavar="COLUMN",
)
OFFLINE = option("--offline", help="Download nothing.")
JSON_OBJECT = option("--json", help="Print one JSON object.")


@group
class NetworkSettings:
    """What was said of the network that a command takes: a checkpoint, or weights from elsewhere."""

    model: str | None = MODEL
    weights: str | None = option(
        "--weights",
        help=(
            "Weights of torchvision or timm for the network -m names: a .safetensors, or a folder of "
            "model.safetensors and config.json; or a model of ONNX, without -m."
        ),
        metavar="FILE|FOLDER",
    )
    classes: str | None = option(
        "--classes",
        help="Names of their classes: a name a line, or JSON; imagenet: the 1,000 of ImageNet.",
        metavar="FILE",
    )
    mean: str | None = option(
        "--mean",
        help=(
            "Mean of their training pictures, one or one for each channel, white being 1.  [default: as "
            "published, or config.json]"
        ),
        metavar="R,G,B",
    )
    std: str | None = option("--std", help="Their standard deviation, as --mean.", metavar="R,G,B")
    resize: int | None = option(
        "--resize", help="Resize the short side of pictures to N pixels for them.", metavar="N"
    )
    crop: str | None = option(
        "--crop", help="Cut N x N pixels out of the middle then: the input of the network.", metavar="N|WxH"
    )
    interpolation: str | None = option(
        "--interpolation", help="How to resize: bilinear, bicubic, lanczos or nearest.", metavar="HOW"
    )


@group
class FormSettings:
    """What was said of the images and classes that a network is to be built for."""

    size: str | None = option(
        "--size",
        help="Size of the images, in pixels.  [default: the published network's, or 28]",
        metavar="N|WxH",
    )
    classes: int | None = option(
        "--classes", help="Number of classes.  [default: the published network's, or 10]", metavar="N"
    )
    gray: bool | None = option(
        "--gray",
        help="Images in gray or in colour.  [default: the published network's, or gray]",
        off=("--color",),
    )


def names_cluster(settings: Any) -> bool:
    """Whether a command is to work on a Dask cluster, by its options or Dask's variable."""
    named = settings.scheduler is not None or settings.scheduler_file is not None
    return named or bool(os.environ.get(SCHEDULER_VARIABLE))
