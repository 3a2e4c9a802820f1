"""Learning as frames: after each epoch the first kernels, some maps, the images as points, the curves."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.errors import CnncliError
from cnncli.images.canvas import Box, Canvas, shorten
from cnncli.training.recording import Epoch, History
from cnncli.views.colors import Colors, as_rgb, scale_around, scale_of
from cnncli.views.curves import metric_chart
from cnncli.views.featuremaps.frames import fitted, size_within
from cnncli.views.featuremaps.model import Drawing, Request, Subject
from cnncli.views.plot import BLUE, FAINT, GRID, ORANGE, Chart, Curve, draw_curves, draw_frame

Floats = NDArray[np.float32]
_WIDTH, _HEIGHT = 1080, 720
_MOST = 120  # frames; of a longer run some epochs are left out
_SECONDS, _LONGEST, _SHORTEST, _LAST = 12.0, 0.6, 0.1, 3.0  # of the film, of a frame, and of the last one
# Colours that colour-blind people tell apart (Okabe and Ito, 2008), the dark ones first. A class beyond them
# has one of the same again and another shape.
_HUES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#000000", "#e69f00", "#56b4e9")
_CLASSES = 3 * len(_HUES)  # in the legend; points of others are gray
_OTHERS = "#c3cad1"
_ROW, _GAP = 8, 5  # kernels beside each other, and pixels between pictures
_KERNEL_ROWS = 4
_MAP = 64  # pixels of a map, at most
_LEFT, _ROOM = 40, 395  # of the pictures: where they begin, and how wide they are together
_PLANE = Box(490, 130, 870, 430)


def draw(subject: Subject, request: Request) -> Drawing:
    """Draw a frame for each epoch of a run that was recorded.

    Raises
    ------
    CnncliError
        Where no record is given.
    """
    history = request.history
    if history is None:
        raise CnncliError("no record of a run is given; expected one", "Name the folder of a run.")
    if int(history.labels.max()) >= len(subject.classes):
        raise CnncliError(
            "the record of learned features is of other classes than the network", "Restore it from a copy."
        )
    planes = aligned([epoch.points for epoch in history.epochs])
    shown = _shown(len(history.epochs))
    page = _Pages(subject, history, planes)
    frames = tuple(page.drawn(number) for number in shown)
    each = max(_SHORTEST, min(_LONGEST, _SECONDS / len(frames)))
    arrays = {
        "filters": np.stack([epoch.filters for epoch in history.epochs]),
        "embedding": np.stack(planes),
    }
    return Drawing(
        (), _about(history, shown), arrays, frames=frames, seconds=(*[each] * (len(frames) - 1), _LAST)
    )


def aligned(planes: Sequence[Floats]) -> list[Floats]:
    """Points of each epoch turned and mirrored towards those of the next, so that they do not jump.

    The last epoch stays as it is: its axes are the principal ones.

    Source: Schönemann, A generalized solution of the orthogonal Procrustes problem, 1966.
    """
    found = [planes[-1]]
    for plane in reversed(planes[:-1]):
        left, _, right = np.linalg.svd(plane.T.astype(np.float64) @ found[-1])
        found.append(np.asarray(plane @ (left @ right), np.float32))
    return found[::-1]


def _shown(count: int) -> list[int]:
    """Epochs that get a frame, from 0, with the first and the last one."""
    return sorted({round(at) for at in np.linspace(0, count - 1, min(count, _MOST))})


def _about(history: History, shown: Sequence[int]) -> dict[str, Any]:
    return {
        "dataset": history.dataset,
        "layers": list(history.layers),
        "points": len(history.labels),
        "epochs": [{"epoch": number + 1, **history.epochs[number].metrics} for number in shown],
    }


class _Pages:
    """What all frames have in common: scales, axes and the legend."""

    def __init__(self, subject: Subject, history: History, planes: Sequence[Floats]) -> None:
        self._history, self._planes = history, planes
        self._name, self._watched = subject.checkpoint.architecture.name, subject.checkpoint.task.watched
        self._classes = subject.classes
        last = history.epochs[-1].filters
        strengths = np.sqrt((last.astype(np.float64) ** 2).sum(axis=(1, 2, 3)))
        self._order = np.sort(np.argsort(-strengths, kind="stable")[: _ROW * _KERNEL_ROWS])
        self._kernels = scale_around(np.stack([epoch.filters for epoch in history.epochs]))
        self._maps = [
            scale_of(np.concatenate([epoch.maps[at].ravel() for epoch in history.epochs]))
            for at in range(len(history.layers))
        ]
        every = np.abs(np.concatenate(planes))
        self._reach = float(np.quantile(every.max(axis=1), 0.995)) * 1.05 or 1.0
        self._legend = [int(label) for label in np.unique(history.labels)][:_CLASSES]

    def drawn(self, number: int) -> Colors:
        """The frame of an epoch, from 0."""
        canvas, epoch = Canvas(_WIDTH, _HEIGHT), self._history.epochs[number]
        title = shorten(f"{self._name} learns {self._history.dataset}", 700, size=28)
        canvas.text((_LEFT, 56), title, size=28, anchor="ls", bold=True)
        count = len(self._history.epochs)
        canvas.text((_WIDTH - 40, 56), f"epoch {number + 1} of {count}", size=28, anchor="rs", bold=True)
        low = self._draw_kernels(canvas, epoch)
        self._draw_maps(canvas, epoch, low + 46)
        self._draw_plane(canvas, self._planes[number])
        for left, name in ((525, "loss"), (845, self._watched.name)):
            self._draw_metric(canvas, Box(left, 525, left + 135, 645), name, number)
        return canvas.array()

    def _draw_kernels(self, canvas: Canvas, epoch: Epoch) -> int:
        """The strongest kernels of the last epoch, in their order; returns where they end."""
        _heading(canvas, 112, f"kernels of {self._history.layers[0]}", self._kernels_mean(epoch))
        side = (_ROOM - (_ROW - 1) * _GAP) // _ROW
        rows = -(-len(self._order) // _ROW)
        if rows > 2:
            side = min(side, 36)
        for place, kernel in enumerate(self._order):
            row, column = divmod(place, _ROW)
            left, top = _LEFT + column * (side + _GAP), 130 + row * (side + _GAP)
            _picture(canvas, (left, top), side, self._kernel(epoch.filters[kernel]))
        return 130 + rows * (side + _GAP)

    def _kernels_mean(self, epoch: Epoch) -> str:
        if epoch.filters.shape[1] == 3:
            return "as colours; gray is 0"
        return f"blue below 0, orange above, to ±{self._kernels.high:.2g}"

    def _kernel(self, weight: Floats) -> Colors:
        """A kernel (C, kh, kw) as colours, or the weights of its strongest channel."""
        if len(weight) == 3:
            shares = weight.transpose(1, 2, 0) / self._kernels.high
            return np.asarray(np.clip(np.rint(127.5 + 127.5 * shares), 0, 255), np.uint8)
        return self._kernels.colors(weight[np.abs(weight).sum(axis=(1, 2)).argmax()])

    def _draw_maps(self, canvas: Canvas, epoch: Epoch, top: int) -> None:
        """For each of the layers a row for each image: itself, then its maps."""
        rows = len(self._history.pictures)
        side = min(_MAP, (_HEIGHT - 30 - top - 36) // (2 * rows) - _GAP)
        for layer, maps, scale in zip(self._history.layers, epoch.maps, self._maps, strict=True):
            title = shorten(f"maps of {layer}", _ROOM // 2, size=16)
            _heading(canvas, top - 10, title, "a row for each image")
            for row, picture in enumerate(self._history.pictures):
                y = top + row * (side + _GAP)
                _picture(canvas, (_LEFT, y), side, as_rgb(picture))
                for at in range(maps.shape[-1]):
                    left = _LEFT + 10 + (at + 1) * (side + _GAP)
                    _picture(canvas, (left, y), side, scale.colors(maps[row, ..., at]))
            top += rows * (side + _GAP) + 36

    def _draw_plane(self, canvas: Canvas, points: Floats) -> None:
        """The validation images as points, and the legend."""
        box = _PLANE
        words = f"{len(points):,} validation images, by what the last layer reads of them"
        canvas.text((box.left, 112), words, size=16, anchor="ls", bold=True)
        canvas.rect(box, outline=GRID)
        middle_x, middle_y = box.center
        unit = min(box.width, box.height) / 2 / self._reach
        at = np.clip(
            points * unit, (-box.width / 2 + 6, -box.height / 2 + 6), (box.width / 2 - 6, box.height / 2 - 6)
        )
        radius = 3.0 if len(points) > 300 else 4.0
        for (x, y), label in zip(at, self._history.labels, strict=True):
            self._mark(int(label))(canvas, (middle_x + float(x), middle_y - float(y)), radius)
        rows = [(label, self._classes[label]) for label in self._legend]
        if not set(self._history.labels.tolist()) <= set(self._legend):
            rows.append((-1, "others"))
        step = min(26, box.height // len(rows))
        for row, (label, words) in enumerate(rows):
            y = box.top + 12 + row * step
            self._mark(label)(canvas, (box.right + 22, y), 6.0 if step > 18 else 4.5)
            name = shorten(words, 155, size=min(15, step))
            canvas.text((box.right + 38, y), name, size=min(15, step), anchor="lm")
        note = "two principal axes (PCA); each epoch turned towards the next"
        canvas.text((box.left, box.bottom + 20), note, size=14, color=FAINT, anchor="ls")

    def _mark(self, label: int) -> Callable[[Canvas, tuple[float, float], float], None]:
        """How points of a class are drawn."""
        if label not in self._legend:
            return lambda canvas, at, radius: _disc(canvas, at, radius, _OTHERS)
        shape, hue = divmod(self._legend.index(label), len(_HUES))
        return lambda canvas, at, radius: _SHAPES[shape](canvas, at, radius, _HUES[hue])

    def _draw_metric(self, canvas: Canvas, box: Box, name: str, number: int) -> None:
        """A chart of the whole run with a point at the epoch."""
        rows = [epoch.metrics for epoch in self._history.epochs]
        numbers = list(range(1, len(rows) + 1))
        splits = (("train", "training", BLUE), ("val", "validation", ORANGE))
        curves = [
            Curve(words, (numbers, [row[f"{split}_{name}"] for row in rows]), color, width=1.2)
            for split, words, color in splits
        ]
        chart = metric_chart(box, name, curves, shares=name != "loss" and self._watched.is_share, ticks=3)
        draw_frame(canvas, chart)
        draw_curves(canvas, chart, curves)
        for curve in curves:
            _moving_point(canvas, chart, curve, number)


def _moving_point(canvas: Canvas, chart: Chart, curve: Curve, number: int) -> None:
    at = chart.at(curve.points[0][number], curve.points[1][number])
    canvas.disc(at, 8, fill="#ffffff")
    canvas.disc(at, 6, fill=curve.color)


def _heading(canvas: Canvas, base: int, words: str, more: str) -> None:
    box = canvas.text((_LEFT, base), words, size=16, anchor="ls", bold=True)
    canvas.text((box.right + 10, base), more, size=14, color=FAINT, anchor="ls")


def _picture(canvas: Canvas, at: tuple[int, int], side: int, pixels: Colors) -> None:
    """A picture in a square, enlarged pixel by pixel, with a thin frame."""
    width, height = size_within(pixels.shape[1], pixels.shape[0], side)
    box = Box(at[0], at[1], at[0] + width, at[1] + height)
    canvas.image(box, fitted(pixels, (width, height)))
    canvas.rect(box.grown(1), outline="#c9d0d6")


def _disc(canvas: Canvas, at: tuple[float, float], radius: float, color: str) -> None:
    canvas.disc(at, radius, fill=color)


def _square(canvas: Canvas, at: tuple[float, float], radius: float, color: str) -> None:
    (x, y), half = at, radius * 0.95
    canvas.area(
        [(x - half, y - half), (x + half, y - half), (x + half, y + half), (x - half, y + half)], fill=color
    )


def _triangle(canvas: Canvas, at: tuple[float, float], radius: float, color: str) -> None:
    (x, y), half = at, radius * 1.3
    canvas.area([(x, y - half), (x + half, y + 0.8 * half), (x - half, y + 0.8 * half)], fill=color)


_SHAPES = (_disc, _triangle, _square)
