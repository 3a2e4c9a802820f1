"""Integrated gradients: gradients on the straight path from a baseline to the image, times its length.

Source: Sundararajan, Taly and Yan, Axiomatic attribution for deep networks, 2017.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cnncli.attribution.model import Attribution, Floats, How, Plans, Target, baseline_of, of_pixels, value_of
from cnncli.nn import INPUT
from cnncli.nn.gradient import Flow

FIRST = 64  # steps, of equal length: fewer miss what single pixels add, however well the sum fits
LAST = 4096
KEPT = 1 << 28  # bytes of gradients that are kept, 440 at 224x224: more are computed again at the end
GAP = 0.01  # of the difference of outputs that the sum may miss
STRAY = 0.15  # of the way that the output goes that single steps may miss, to either side


def attribute(plans: Plans, x: Floats, target: Target, how: How) -> Attribution:
    """What each value adds to the difference of the output from that of the baseline.

    The sum is that of the trapezoidal rule. What a step of it misses is known, for the outputs at its ends
    are: the worst quarter of the steps is halved until the values sum to the difference within 1 %, and what
    single steps miss to either side is 15 % at most of the way that the output goes. Steps of equal length
    would have to be three to five times as many on photographs.
    """
    steps = how.steps or FIRST
    path = _Path(plans, x, baseline_of(x, how.baseline), target)
    path.look(np.arange(steps + 1) / steps, how)
    while not (how.steps or path.is_fine() or path.steps >= LAST):
        path.look(path.middles(min(max(plans.batch, path.steps // 4), LAST - path.steps)), how)
    about = {"baseline": how.baseline, "steps": path.steps, "gap": float(f"{path.gap:.3g}")}
    return of_pixels(path.values(how), {**about, "difference": float(f"{path.difference:.6g}")})


class _Path:
    """The straight path from a baseline to an image, and what was seen on it.

    Attributes
    ----------
    places : ndarray, shape (P,)
        From 0 to 1, in rising order.
    outputs, slopes : ndarray, shape (P,)
        The class's output there, and how fast it changes along the path.
    """

    def __init__(self, plans: Plans, x: Floats, base: Floats, target: Target) -> None:
        self._plans, self._base, self._target = plans, base, target
        self._line = x - base
        self._gradients: list[Floats] = []  # in the order of `places`
        self._kept = True  # they are few enough
        self.places, self.outputs, self.slopes = np.empty(0), np.empty(0), np.empty(0)

    @property
    def steps(self) -> int:
        return len(self.places) - 1

    @property
    def difference(self) -> float:
        """Of the outputs at the two ends."""
        return float(self.outputs[-1] - self.outputs[0])

    @property
    def gap(self) -> float:
        """What the sum of all values misses, as a share of the difference."""
        return abs(float(self._missed().sum())) / max(abs(self.difference), 1e-6)

    def is_fine(self) -> bool:
        """Whether there are steps enough."""
        way = float(np.abs(np.diff(self.outputs)).sum())
        return self.gap <= GAP and float(np.abs(self._missed()).sum()) <= STRAY * way

    def _missed(self) -> NDArray[np.float64]:
        """(P - 1,) by how much each step's difference of outputs is not what its slopes say."""
        means = (self.slopes[1:] + self.slopes[:-1]) / 2
        return np.diff(self.outputs) - np.diff(self.places) * means

    def middles(self, count: int) -> NDArray[np.float64]:
        """The middles of those steps that miss most."""
        worst = np.sort(np.argsort(-np.abs(self._missed()), kind="stable")[:count])
        return (self.places[worst] + self.places[worst + 1]) / 2

    def look(self, places: NDArray[np.float64], how: How) -> None:
        """Run forward and back at places of the path."""
        values, slopes, found = [], [], []
        keeps = self._kept and (len(self.places) + len(places)) * self._line.nbytes <= KEPT
        for flow in self._flows(places, how):
            gradients = flow.gradients[INPUT]
            values.append(value_of(self._target, flow.outputs))
            slopes += [np.vdot(each.astype(np.float64), self._line) for each in gradients]
            found += [*gradients] if keeps else []
        every = np.concatenate([self.places, places])
        order = np.argsort(every, kind="stable")
        self.places = every[order]
        self.outputs = np.concatenate([self.outputs, *values])[order]
        self.slopes = np.concatenate([self.slopes, slopes])[order]
        self._kept = keeps
        self._gradients = [(*self._gradients, *found)[at] for at in order] if keeps else []

    def _flows(self, places: NDArray[np.float64], how: How) -> Iterator[Flow]:
        """What flows at places of the path, in batches."""
        batch = self._plans.batch
        with how.progress(len(places), "steps") as bar:
            for done in range(0, len(places), batch):
                shares = places[done : done + batch, None, None, None].astype(np.float32)
                yield self._plans.flow(self._base + shares * self._line, self._target, batch=batch)
                bar.draw(done + len(shares))

    def values(self, how: How) -> Floats:
        """(H, W, C) what each value adds, by the trapezoidal rule."""
        lengths = np.diff(self.places, prepend=0.0, append=1.0)
        weights = (lengths[1:] + lengths[:-1]) / 2
        total = np.zeros(self._line.shape)
        for weight, each in zip(weights, self._every_gradient(how), strict=True):
            total += weight * each
        return np.asarray(total * self._line, np.float32)

    def _every_gradient(self, how: How) -> Iterator[Floats]:
        """In the order of the places."""
        if self._kept:
            yield from self._gradients
            return
        for flow in self._flows(self.places, how):
            yield from flow.gradients[INPUT]
