"""What can be said after ``cnncli evaluate``."""

from cnncli.cli.options.model import Command, Option
from cnncli.cli.options.shared import (
    DATASET,
    DEBUG,
    JSON_OBJECT,
    LABEL_COLUMN,
    MAX_PIXELS,
    MODEL,
    OFFLINE,
    PATH_COLUMN,
    QUIET,
    SPLITS,
    TEXT_COLUMN,
    THREADS,
    WEIGHTS,
)

COMMAND = Command(
    help="Measure the accuracy of a trained network.\n\n"
    "Also precision and recall of each class, calibration, and the confusion matrix.",
    options=(
        DATASET._replace(required=True),
        MODEL,
        *WEIGHTS,
        Option(
            "output",
            ("--output", "-o"),
            str,
            "Also write the confusion matrix, the reliability diagram and the misclassified "
            "images to a folder.",
            metavar="FOLDER",
        ),
        Option(
            "split",
            ("--split",),
            str,
            "test, train or val: that split of the network's own run, or of other data that have "
            "splits; all: every image.  [default: test; all of other data without splits]",
            metavar="WHICH",
        ),
        SPLITS,
        LABEL_COLUMN,
        PATH_COLUMN,
        TEXT_COLUMN,
        OFFLINE,
        MAX_PIXELS,
        JSON_OBJECT,
        QUIET,
        THREADS,
        DEBUG,
    ),
)
