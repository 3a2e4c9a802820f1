"""The curves of a run: loss and the watched metric by epoch; and that of a search for a learning rate."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cnncli.images.canvas import Box, Canvas, measure
from cnncli.views.plot import (
    BLUE,
    FAINT,
    ORANGE,
    Chart,
    Curve,
    Scale,
    draw_curves,
    draw_frame,
    linear_scale,
    log_scale,
    page_title,
)

if TYPE_CHECKING:
    from cnncli.tasks.task import Metric
    from cnncli.training.finder import FoundRate

_WIDTH, _HEIGHT = 1400, 620
_PLOT = 364  # height of a plot
_LEAST_RANGE = 0.02  # of an axis of shares
_LOG_RANGE = 20  # a loss that falls by more than this is drawn on a logarithmic axis


def curves_page(
    history: list[dict[str, Any]],
    watched: "Metric",
    *,
    title: str,
    best: int,
    only_in_training: Sequence[str] = (),
) -> Canvas:
    """Draw loss and the watched metric side by side.

    Parameters
    ----------
    history : list of dict
        Rows of ``metrics.jsonl``, one at least.
    watched : Metric
        The metric that decides which epoch is the best.
    title : str
        What was trained on what.
    best : int
        The epoch whose weights count as the best.
    only_in_training : sequence of str
        What makes the task harder in training than in validation: label smoothing, augmentation, dropout.

    Returns
    -------
    Canvas
    """
    canvas = Canvas(_WIDTH, margin=28)
    top = page_title(canvas, title, _subtitle(history, watched, best)) + 78
    epochs = [row["epoch"] for row in history]
    for left, name in ((100, "loss"), (795, watched.name)):
        curves = [Curve("training", (epochs, [row[f"train_{name}"] for row in history]), BLUE)]
        if f"val_{name}" in history[0]:
            curves.append(Curve("validation", (epochs, [row[f"val_{name}"] for row in history]), ORANGE))
        shares = name != "loss" and watched.is_share
        _draw(canvas, Box(left, top, left + 480, top + _PLOT), name, curves, best, shares=shares)
    if "val_loss" in history[0]:
        canvas.paragraph(
            (40, top + _PLOT + 78), _why_losses_differ(only_in_training), _WIDTH - 80, size=15, color=FAINT
        )
    return canvas


def _why_losses_differ(only_in_training: Sequence[str]) -> str:
    """Say why the two lines need not lie as one expects."""
    text = "Training is measured during each epoch, while the weights still change"
    if only_in_training:
        *first, last = only_in_training
        text += f", and with {', '.join(first)}{' and ' if first else ''}{last}"
    return f"{text}; validation after it, without these, so its loss may be the lower one."


def _subtitle(history: list[dict[str, Any]], watched: "Metric", best: int) -> str:
    last, epochs, name = history[-1], len(history), watched.name
    reached = f"training {name} {watched.text(last[f'train_{name}'])}"
    text = f"after {epochs} epoch{'s' if epochs != 1 else ''}: {reached}"
    if f"val_{name}" in last:
        held = next(row for row in history if row["epoch"] == best)
        text += f", validation {name} {watched.text(last[f'val_{name}'])}"
        text += f"; best {watched.text(held[f'val_{name}'])} in epoch {best}"
    return text


def _draw(canvas: Canvas, box: Box, name: str, curves: list[Curve], best: int, *, shares: bool) -> None:
    chart = metric_chart(box, name, curves, shares=shares)
    draw_frame(canvas, chart)
    draw_curves(canvas, chart, curves)
    if len(curves) > 1:
        _mark_best(canvas, chart, curves[1], best)


def metric_chart(box: Box, name: str, curves: list[Curve], *, shares: bool, ticks: int = 5) -> Chart:
    """The frame of a chart of a metric by epoch.

    Parameters
    ----------
    box : Box
        Its place.
    name : str
        Of the metric.
    curves : list of Curve
        All that is drawn in it, by epochs from 1 on.
    shares : bool
        Values are shares, written in percent.
    ticks : int
        On each axis, about.
    """
    values = [y for curve in curves for y in curve.points[1]]
    epochs = curves[0].points[0]
    low, high = min(values), max(values)
    if shares:
        y = _share_scale(low, high, ticks)
    elif low > 0 and high / low > _LOG_RANGE:
        y = log_scale(low, high)
    else:
        y = linear_scale(0.0, high, count=ticks)
    x = linear_scale(min(epochs), max(epochs), count=ticks, whole=True)
    if x.low < 1 <= min(epochs):
        x = type(x)(min(epochs), x.high, (1, *(t for t in x.ticks if t > 1)))
    digits = next((n for n in range(3) if all(abs(round(t, n + 2) - t) < 1e-9 for t in y.ticks)), 3)
    return Chart(
        box,
        type(x)(
            x.low,
            max(epochs) if max(epochs) > x.low else x.high,
            tuple(t for t in x.ticks if t <= max(epochs)),
        ),
        y,
        f"{name}, logarithmic scale" if y.log else name,
        "epoch",
        lambda v: f"{v:.0f}",
        (lambda v: f"{v:.{digits}%}") if shares else (lambda v: f"{v:g}"),
    )


def _mark_best(canvas: Canvas, chart: Chart, curve: Curve, best: int) -> None:
    """A thin line at the epoch whose weights are kept, and a ring on the validation curve."""
    epochs, values = curve.points
    x, y = chart.at(best, values[list(epochs).index(best)])
    canvas.rect(Box(round(x), chart.box.top, round(x) + 1, chart.box.bottom), fill=FAINT)
    canvas.disc((x, y), 8, fill=curve.color)
    canvas.disc((x, y), 5, fill="#ffffff")
    text = f"best epoch: {best}"
    half = measure(text, size=14)[0] / 2
    middle = min(max(x, chart.box.left + half), chart.box.right - half)
    canvas.text((middle, chart.box.top - 3), text, size=14, color=FAINT, anchor="mb")


def _share_scale(low: float, high: float, ticks: int) -> Scale:
    """From a little below the least to the most; around a share that hardly changes."""
    low -= 0.05 * (high - low)
    if high - low < _LEAST_RANGE:
        low = min(max(0.0, (low + high - _LEAST_RANGE) / 2), 1 - _LEAST_RANGE)
        high = low + _LEAST_RANGE
    return linear_scale(max(0.0, low), min(1.0, high), count=ticks)


def rates_page(found: "FoundRate", *, title: str) -> Canvas:
    """Draw the loss against a learning rate that rises step by step."""
    canvas = Canvas(1100, _HEIGHT)
    subtitle = (
        f"the loss is lowest at {found.lowest:.2g}; a tenth of that, {found.suggested:.2g}, is suggested"
    )
    top = page_title(canvas, f"{title}: learning rate", subtitle) + 78
    shown = found.smoothed
    x = log_scale(found.rates[0], found.rates[-1])
    x = type(x)(
        found.rates[0],
        found.rates[-1],
        tuple(t for t in x.ticks if found.rates[0] <= t <= found.rates[-1]),
        True,
    )
    chart = Chart(
        Box(100, top, 1000, _HEIGHT - 90),
        x,
        linear_scale(min(shown), max(shown[: max(2, len(shown) // 3)]) * 1.2),
        "loss, smoothed",
        "learning rate, logarithmic scale",
        lambda v: f"{v:g}",
        lambda v: f"{v:g}",
    )
    draw_frame(canvas, chart)
    at, _ = chart.at(found.suggested, chart.y.low)
    canvas.rect(Box(round(at) - 1, chart.box.top, round(at) + 1, chart.box.bottom), fill=ORANGE)
    canvas.text((at + 10, chart.box.top + 8), f"--lr {found.suggested:.2g}", size=17, color=ORANGE, bold=True)
    draw_curves(canvas, chart, [Curve("", (found.rates, shown), BLUE)])
    least, height = chart.at(found.lowest, min(shown))
    canvas.disc((least, height), 5, fill=BLUE)
    canvas.text((least, height - 28), "lowest", size=14, color=FAINT, anchor="mt")
    return canvas
