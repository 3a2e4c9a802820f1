"""What ``cnncli evaluate --attributions`` writes besides its numbers: a table, and a page of curves."""

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cnncli.attribution.comparison import BETTER
from cnncli.cli.page_files import write_page
from cnncli.files.atomic import write_atomic
from cnncli.views.attribution_curves import attribution_page

if TYPE_CHECKING:
    from cnncli.cli.evaluate_attributions import Measured

FILES = ("attributions.csv", "attributions.png")


def write_files(folder: Path, measured: "Measured", *, title: str) -> None:
    """Write a row of CSV for each image and method, and the mean curves as a picture."""
    write_atomic(folder / FILES[0], _table(measured).encode("utf-8", "backslashreplace"))
    curves = {
        name: [
            np.mean([getattr(each.removals[name], curve) for each in measured.found], axis=0)
            for curve in ("insertion", "deletion", "most", "least")
        ]
        for name in measured.methods
    }
    count = len(measured.found)
    subtitle = f"probability of the predicted class, mean of {count:,} image{'' if count == 1 else 's'}"
    write_page(folder / FILES[1], attribution_page(curves, title=title, subtitle=subtitle))


def _table(measured: "Measured") -> str:
    stream = io.StringIO()
    rows = csv.writer(stream, lineterminator="\n")
    rows.writerow(["image", "method", "probability", *BETTER])
    for name, found in zip(measured.names, measured.found, strict=True):
        for method in measured.methods:
            figures = found.figures(method).values()
            cells = ["" if np.isnan(value) else f"{value:.6f}" for value in figures]
            rows.writerow([name, method, f"{found.probability:.6f}", *cells])
    return stream.getvalue()
