"""How faithful attributions are, as text and as one JSON object."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from cnncli import checked
from cnncli.attribution.comparison import BETTER, ERRORS, Difference, difference, mean_of
from cnncli.attribution.faithfulness import CENTRE, RANDOM, SPREAD
from cnncli.attribution.imputation import NOISE
from cnncli.attribution.methods import METHODS
from cnncli.attribution.pointing import TOLERANCE
from cnncli.attribution.removal import SHARES, STEPS, Removal
from cnncli.cli.evaluate_choice import WORDS
from cnncli.cli.messages import columns_of, wrapped
from cnncli.data.split_names import joined
from cnncli.files.faults import in_unicode, shown
from cnncli.table import table_lines

if TYPE_CHECKING:
    from cnncli.cli.evaluate_attributions import Measured
    from cnncli.cli.trained import Trained

_COLUMNS = 100  # characters of a line where it does not go to a terminal
_HEADS = {"insertion": "insertion", "deletion": "deletion", "road": "ROAD", "pointing": "pointing"}
_CURVES = ("insertion", "deletion")


def as_json(measured: "Measured", trained: "Trained", model: str | None) -> str:
    """One object: what was measured and how, and the figures of each method."""
    images, found = measured.images, measured.found
    boxes = [len(each.pointing[CENTRE]) for each in found]
    return checked.as_json(
        {
            "dataset": in_unicode(images.name),
            "provenance": in_unicode(images.provenance),
            "split": images.split,
            "model": in_unicode(model or str(trained.checkpoint.path)),
            "images": len(found),
            "dataset_images": images.among,
            "chosen": images.reason,
            "seed": measured.seed,
            "class": "predicted",
            "probability": _rounded(np.mean([each.probability for each in found])),
            "base": "blur",
            "base_probability": _rounded(np.mean([each.base_probability for each in found])),
            "steps": STEPS,
            "removed": list(SHARES),
            "imputation": {"kind": "noisy linear", "noise": NOISE},
            "centre_spread": SPREAD,
            "tolerance": TOLERANCE,
            "classes_with_boxes": sum(boxes),
            "without_boxes": images.without_boxes or None,
            "methods": [_record(measured, name) for name in measured.methods],
            "unusable": measured.unusable,
            "not_better_than_centre": dict(_losers(measured)),
            "skipped": len(measured.skipped),
            "seconds": round(measured.seconds, 3),
        }
    )


def _record(measured: "Measured", name: str) -> dict[str, Any]:
    removals = [each.removals[name] for each in measured.found]
    return {
        "method": name,
        "baseline": name not in METHODS,
        "ordered_by": "magnitude" if name in METHODS and METHODS[name].of_gradients else "value",
        **{figure: _figure(measured, name, figure) for figure in BETTER},
        "curves": {each: _means(removals, each) for each in (*_CURVES, "most", "least")},
        "class_kept": {each: _means(removals, f"{each}_kept") for each in ("most", "least")},
    }


def _figure(measured: "Measured", name: str, figure: str) -> dict[str, Any] | None:
    """Mean and standard error of a figure, and of how much better it is than that of the centre."""
    mean = mean_of(measured.figures(name, figure))
    if mean is None:
        return None
    beside = _beside_centre(measured, name, figure)
    return {
        "mean": _rounded(mean.value),
        "error": _rounded(mean.error),
        "images": mean.images,
        "better_than_centre_by": None if beside is None else _rounded(beside.value),
        "error_of_that": None if beside is None else _rounded(beside.error),
        "beside_centre": None if beside is None else beside.verdict,
    }


def _means(removals: list[Removal], name: str) -> list[float]:
    """A curve, the mean over images."""
    curve = np.mean([getattr(each, name) for each in removals], axis=0)
    return [round(float(value), 6) for value in curve]


def _rounded(value: Any) -> float | None:
    return None if value is None else round(float(value), 6)


def _beside_centre(measured: "Measured", name: str, figure: str) -> Difference | None:
    """How much better a method is than the centre; None of the centre itself, and where nothing is known."""
    if name == CENTRE:
        return None
    return difference(figure, measured.figures(name, figure), measured.figures(CENTRE, figure))


def _losers(measured: "Measured") -> Iterator[tuple[str, list[str]]]:
    """Methods that do not beat the centre, with the figures in which they do not."""
    for name in measured.methods:
        verdicts = {figure: _beside_centre(measured, name, figure) for figure in BETTER}
        lost = [figure for figure, each in verdicts.items() if each is not None and each.verdict != "better"]
        if name in METHODS and lost:
            yield name, lost


def as_text(measured: "Measured", trained: "Trained") -> str:
    """What was measured, a row for each method, and which ones do not beat the centre."""
    images, columns = measured.images, columns_of(sys.stdout)
    which = f"{WORDS[images.split]} " if images.split in WORDS else ""
    count = len(measured.found)
    sure, base = (
        np.mean([getattr(each, name) for each in measured.found])
        for name in ("probability", "base_probability")
    )
    head = [
        shown(images.provenance),
        f"{shown(trained.checkpoint.architecture.name)}: attributions of the predicted class, {count:,} of "
        f"{images.among:,} {which}images, chosen by seed {measured.seed}: {in_unicode(images.reason)}",
        f"mean probability of that class: {sure:.3f}, of the blurred images {base:.3f}",
    ]
    below = wrapped([*_legend(measured), "", *_verdicts(measured)], columns or _COLUMNS, "  ")
    return "\n".join([*wrapped(head, columns or _COLUMNS), "", *_table(measured, columns), "", *below])


def _table(measured: "Measured", columns: int | None) -> list[str]:
    """The figures, with standard errors where there is room."""
    there = [figure for figure in BETTER if mean_of(measured.figures(CENTRE, figure))]
    by_worth = (0, *range(1, len(there) + 1))
    for errors in (True, False):
        rows = [["method", *(_HEADS[figure] for figure in there)]]
        rows += [
            [name, *(_cell(measured, name, figure, errors=errors) for figure in there)]
            for name in measured.methods
        ]
        lines = table_lines(rows, columns=None, by_worth=by_worth, right=by_worth[1:])
        if columns is None or max(map(len, lines)) <= columns:
            return lines
    return table_lines(rows, columns=columns, by_worth=by_worth, right=by_worth[1:])


def _cell(measured: "Measured", name: str, figure: str, *, errors: bool) -> str:
    mean = mean_of(measured.figures(name, figure))
    if mean is None:
        return "-"
    return f"{mean.value:.3f}" + (f" ± {mean.error:.3f}" if errors and mean.error is not None else "")


def _legend(measured: "Measured") -> list[str]:
    """What the figures mean, and how they were measured."""
    shares = ", ".join(f"{share:.0%}"[:-1] for share in SHARES[:-1])
    without = measured.images.without_boxes
    count = sum(len(each.pointing[CENTRE]) for each in measured.found)
    pointing = f"pointing: not measured: {without}"
    if not without:
        pointing = (
            f"pointing (higher is better): share of the classes in an image ({count:,} in all) whose heatmap "
            f"is highest on an object of theirs, or at most {TOLERANCE:.0%} of the longer side beside it"
        )
    return [
        f"insertion (higher is better), deletion (lower): area under the probability of the class while "
        f"pixels are revealed over the blurred image, or taken away to it, in {STEPS} steps",
        f"ROAD (higher is better): how much more probable the class is without the least relevant {shares} "
        f"and {SHARES[-1]:.0%} of pixels than without the most relevant, these imputed from their neighbours "
        f"with noise of {NOISE:g}",
        pointing,
        f"{CENTRE}: a Gaussian in the middle, {SPREAD:g} of each side wide; {RANDOM}: a map of noise; "
        "±: standard error over images",
    ]


def _verdicts(measured: "Measured") -> Iterator[str]:
    """In words which methods cannot be used, and which do not beat the centre, and in what."""
    for name, reason in measured.unusable.items():
        yield f"{name} is left out: {reason}"
    if len(measured.found) < 2:
        yield "of one image no standard error is known, and so not which methods beat the centre"
        return
    losers = dict(_losers(measured))
    for name, lost in losers.items():
        said = [
            _said(figure, beside) for figure in lost if (beside := _beside_centre(measured, name, figure))
        ]
        yield f"{name} does not beat the centre: {', '.join(said)}"
    winners = [name for name in measured.methods if name in METHODS and name not in losers]
    if winners:
        verb = "beats" if len(winners) == 1 else "beat"
        names = joined(winners, len(winners))
        yield f"{names} {verb} the centre in every figure, by more than {ERRORS} standard errors"


def _said(figure: str, beside: Difference) -> str:
    """How much worse a method is, or that the difference is none to speak of."""
    head, error = _HEADS[figure], f"± {beside.error or 0:.3f}"
    if beside.verdict == "worse":
        return f"worse in {head} by {-beside.value:.3f} {error}"
    return f"no better in {head} ({beside.value:+.3f} {error})"
