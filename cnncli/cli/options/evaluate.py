"""What can be said after ``cnncli evaluate``."""

from cnncli.cli.options.model import command, option
from cnncli.cli.options.shared import (
    DATASET,
    DEBUG,
    JSON_OBJECT,
    LABEL_COLUMN,
    MAX_PIXELS,
    OFFLINE,
    PATH_COLUMN,
    QUIET,
    SPLITS,
    TEXT_COLUMN,
    THREADS,
    NetworkSettings,
)


@command(
    "Measure the accuracy of a trained network, or of detections.\n\n"
    "Also precision and recall of each class, calibration, and the confusion matrix; of detections "
    "(--predictions), COCO's twelve figures; how faithful attributions are (--attributions).",
    after="dataset",
)
class Settings(NetworkSettings):
    """What was said after ``cnncli evaluate``."""

    dataset: str = DATASET._replace(required=True)
    output: str | None = option(
        "--output",
        "-o",
        help=(
            "Also write the confusion matrix, the reliability diagram and the misclassified "
            "images to a folder."
        ),
        metavar="FOLDER",
    )
    split: str | None = option(
        "--split",
        help=(
            "test, train or val: that split of the network's own run, or of other data that have "
            "splits; all: every image.  [default: test; all of other data without splits]"
        ),
        metavar="WHICH",
    )
    predictions: str | None = option(
        "--predictions",
        help=(
            "Score these detections, of any program, instead of running a network: COCO results with boxes, "
            "masks or both. DATASET is COCO's annotations (.json), YOLO's data.yaml or a folder of VOC's XML."
        ),
        metavar="RESULTS.json",
    )
    strict: bool = option(
        "--strict", help="Refuse data of which something cannot be used, instead of leaving that out."
    )
    attributions: str | None = option(
        "--attributions",
        help=(
            "Instead of the accuracy measure how faithful attributions are, beside a Gaussian in the centre "
            "and random maps: gradcam, saliency, smoothgrad, guided, integrated, occlusion (several between "
            "commas), or all. DATASET may be a folder of images, too."
        ),
        metavar="METHOD,…",
    )
    images: int | None = option(
        "--images",
        help="With --attributions: on so many images, chosen by --seed.  [default: 100]",
        metavar="N",
    )
    seed: int | None = option(
        "--seed",
        help="With --attributions: chooses images, and draws random maps and noise.  [default: 0]",
        metavar="N",
    )
    splits: bool | None = SPLITS
    label_column: str | None = LABEL_COLUMN
    path_column: str | None = PATH_COLUMN
    text_column: str | None = TEXT_COLUMN
    offline: bool = OFFLINE
    max_pixels: int | None = MAX_PIXELS
    json: bool = JSON_OBJECT
    quiet: bool = QUIET
    threads: int | None = THREADS
    debug: bool = DEBUG
