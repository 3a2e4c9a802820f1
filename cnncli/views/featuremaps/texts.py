"""Which words of a text fired which filters: words as boxes, and the n-grams that gave the maxima.

Legend: n words, K filters of a width, windows of k words, n + k - 1 of them; C classes.

What a network of maxima says is a sum: the output of a class is its bias and, of each filter, the maximum
times a weight. So each filter's share in the distance between the predicted class and the mean of the others
is known exactly, and it belongs to the words of the one window that the maximum is from.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.views.colors import ColorScale, scale_around, scale_of, short
from cnncli.views.sections import BarRow, Section, WordBox

Floats = NDArray[np.float32]
MOST = 10  # n-grams of a width
_LONGEST = 40  # characters of an n-gram in a page


@dataclass(frozen=True, eq=False)
class Filters:
    """The filters of one width, and what they make of a text.

    Attributes
    ----------
    name : str
        Of the layer.
    width : int
        k.
    responses : ndarray, shape (n + k - 1, K), float32
        After ReLU; window j ends with word j.
    shares : ndarray, shape (K,), float64
        Of each filter in the distance between the predicted class and the mean of the others.
    """

    name: str
    width: int
    responses: Floats
    shares: NDArray[np.float64]

    @property
    def maxima(self) -> Floats:
        """(K,) maximum over time."""
        return np.asarray(self.responses.max(axis=0, initial=0), np.float32)

    @property
    def winners(self) -> NDArray[np.intp]:
        """(K,) window of the maximum; -1 where no window fires."""
        if not len(self.responses):
            return np.full(self.responses.shape[1], -1, np.intp)
        return np.where(self.maxima > 0, self.responses.argmax(axis=0), -1)

    def words_of(self, window: int, count: int) -> range:
        """The words of a window, of a text of ``count``."""
        return range(max(0, window - self.width + 1), min(count, window + 1))


def responses_of(vectors: Floats, weight: Floats, bias: Floats) -> Floats:
    """What filters (K, C, k) respond to word vectors (n, C), at every window: (n + k - 1, K), after ReLU."""
    width = weight.shape[2]
    if not len(vectors):
        return np.zeros((0, len(bias)), np.float32)
    padded = np.pad(vectors, ((width - 1, width - 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, width, axis=0)
    found = np.tensordot(windows, weight, ([1, 2], [1, 2])) + bias
    return np.asarray(np.maximum(0, found), np.float32)


def evidence(filters: Sequence[Filters], words: int) -> NDArray[np.float64]:
    """(n,) what each word adds to the distance: a filter's share, divided among the words of its window."""
    total = np.zeros(words)
    for each in filters:
        for share, window in zip(each.shares, each.winners.tolist(), strict=True):
            if window >= 0:
                inside = each.words_of(window, words)
                total[inside.start : inside.stop] += share / len(inside)
    return total


def ngrams(filters: Filters, words: Sequence[str]) -> list[dict[str, Any]]:
    """The windows that gave maxima, those with the largest share first: text, filters, share and response."""
    found = []
    for window in sorted(set(filters.winners.tolist()) - {-1}):
        fired = np.flatnonzero(filters.winners == window)
        inside = filters.words_of(window, len(words))
        found.append(
            {
                "ngram": " ".join(words[inside.start : inside.stop]),
                "first": inside.start,
                "filters": fired.tolist(),
                "evidence": round(float(filters.shares[fired].sum()), 6),
                "response": round(float(filters.maxima[fired].max()), 6),
            }
        )
    return sorted(found, key=lambda each: -abs(each["evidence"]))


def text_sections(
    filters: Sequence[Filters], words: Sequence[str], known: Sequence[bool], predicted: str
) -> list[Section]:
    """All words, coloured by what they say for the predicted class; then each width with its n-grams."""
    said = evidence(filters, len(words))
    lines = (
        f"{len(words)} words, {known.count(False)} of them unknown (in brackets)",
        f"orange speaks for {predicted}, blue against it",
    )
    scale = scale_around(said)
    first = Section("text", lines, words=_boxes(words, known, said, scale), scale=scale)
    return [first, *(_section(each, words, known) for each in filters)]


def _section(filters: Filters, words: Sequence[str], known: Sequence[bool]) -> Section:
    fired = np.zeros(len(words))
    for maximum, window in zip(filters.maxima.tolist(), filters.winners.tolist(), strict=True):
        if window >= 0:
            inside = filters.words_of(window, len(words))
            fired[inside.start : inside.stop] += maximum
    found = ngrams(filters, words)
    largest = max((abs(each["evidence"]) for each in found), default=0.0) or 1.0
    bars = tuple(
        BarRow(
            _cut(each["ngram"]),
            f"{_counted(len(each['filters']))}, {short(each['evidence'])}",
            each["evidence"] / largest,
        )
        for each in found[:MOST]
    )
    count = len(filters.winners)
    lines = (
        f"{count} filters over {filters.width} words",
        f"{int((filters.winners >= 0).sum())} fired; a word's colour: the sum of the maxima it is part of",
    )
    scale = scale_of(fired)
    return Section(filters.name, lines, words=_boxes(words, known, fired, scale), bars=bars, scale=scale)


def _boxes(
    words: Sequence[str], known: Sequence[bool], values: NDArray[np.float64], scale: ColorScale
) -> tuple[WordBox, ...]:
    colors = scale.colors(values).tolist()
    return tuple(
        WordBox(word if there else f"[{word}]", (red, green, blue))
        for word, there, (red, green, blue) in zip(words, known, colors, strict=True)
    )


def _counted(filters: int) -> str:
    return f"{filters} filter{'s' if filters > 1 else ''}"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
