"""COCO's twelve figures, and those of each class, as tables of text."""

from cnncli.files.faults import shown
from cnncli.table import table_lines
from cnncli.tasks.detection_scores import DetectionScores

_CLASS = 24  # characters of a class's name
_ROWS = (
    ("AP", "IoU 0.50 to 0.95", ("ap", "ap_small", "ap_medium", "ap_large")),
    ("AP50", "IoU 0.50", ("ap50",)),
    ("AP75", "IoU 0.75", ("ap75",)),
    ("AR1", "1 detection", ("ar_1",)),
    ("AR10", "10 detections", ("ar_10",)),
    ("AR100", "100 detections", ("ar_100", "ar_small", "ar_medium", "ar_large")),
)
LEGEND = (
    "AP: mean average precision; AR: mean recall with so many detections of a class in an image; small: "
    "below 32x32 pixels, large: above 96x96; -: no such objects"
)


def table_of(scores: DetectionScores, classes: tuple[str, ...], *, by: str, columns: int | None) -> list[str]:
    """The twelve figures, and after a line a row for each class that has objects.

    Parameters
    ----------
    scores : DetectionScores
        What to show.
    classes : tuple of str
        Names of the classes.
    by : str
        What overlaps: boxes or masks.
    columns : int or None
        Of the terminal.
    """
    return [*_table(by, scores, columns), "", *_classes(scores, classes, columns)]


def _table(by: str, scores: DetectionScores, columns: int | None) -> list[str]:
    """COCO's twelve figures."""
    figures = scores.figures()
    rows = [[by, "", "all", "small", "medium", "large"]]
    for name, meaning, keys in _ROWS:
        cells = [_cell(figures[key]) for key in keys]
        rows.append([name, meaning, *cells, *[""] * (4 - len(cells))])
    return table_lines(rows, columns=columns, by_worth=(0, 2, 3, 4, 5, 1), right=(2, 3, 4, 5))


def _classes(scores: DetectionScores, classes: tuple[str, ...], columns: int | None) -> list[str]:
    """A row for each class that has objects."""
    rows = [["class", "objects", "AP", "AP50", "AP75", "AR100"]]
    for k, name in enumerate(map(shown, classes)):
        if scores.objects[k]:
            short = name if len(name) <= _CLASS else f"{name[: _CLASS - 1]}…"
            rows.append([short, f"{scores.objects[k]:,}", *map(_cell, scores.of_class(k).values())])
    return table_lines(rows, columns=columns, by_worth=(0, 2, 3, 1, 4, 5), right=(1, 2, 3, 4, 5))


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
