"""COCO's scores of detections: precision and recall over thresholds of overlap, sizes and counts.

Legend: D detections, G objects, P pairs of a detection and an object of its image and class, K classes,
T thresholds of overlap, A ranges of area. Source: the COCO API's cocoeval (P. Dollár, T.-Y. Lin), whose
numbers these are.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from cnncli.core import native
from cnncli.core.object_jobs import FOUND, MATCH

if TYPE_CHECKING:
    from cnncli.data.coco_results import Detections
    from cnncli.data.masks import Masks
    from cnncli.data.objects import Objects

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
THRESHOLDS = np.linspace(0.5, 0.95, 10)
_RECALLS = np.linspace(0.0, 1.0, 101)
_AREAS = np.array([[0, 1e5**2], [0, 32**2], [32**2, 96**2], [96**2, 1e5**2]])  # all, small, medium, large
_MOST = 100  # detections of a class in an image that count
_FEWER = (1, 10)
_EXACT = 1 - 1e-10  # an overlap of 1 may be a little less by rounding


@dataclass(frozen=True, eq=False)
class DetectionScores:
    """Scores of detections; NaN where there is nothing to be found.

    Attributes
    ----------
    precision : ndarray, shape (A, K, T)
        Mean over 101 recalls, for the 100 surest detections of a class in an image.
    recall : ndarray, shape (A, K, T)
        Of the same.
    recall_of_fewer : ndarray, shape (2, K, T)
        Of the surest one and the 10 surest, over all areas.
    objects : ndarray, shape (K,), int64
        That were to be found.
    """

    precision: Floats
    recall: Floats
    recall_of_fewer: Floats
    objects: Ints

    def figures(self) -> dict[str, float | None]:
        """COCO's twelve figures by name; None where there is nothing to be found."""
        every, fifty, seventy_five = self.precision[0], self.precision[0, :, 0], self.precision[0, :, 5]
        means = {"ap": every, "ap50": fifty, "ap75": seventy_five}
        means |= {f"ap_{size}": self.precision[a] for a, size in enumerate(("small", "medium", "large"), 1)}
        means |= {"ar_1": self.recall_of_fewer[0], "ar_10": self.recall_of_fewer[1], "ar_100": self.recall[0]}
        means |= {f"ar_{size}": self.recall[a] for a, size in enumerate(("small", "medium", "large"), 1)}
        return {name: _mean(values) for name, values in means.items()}

    def of_class(self, number: int) -> dict[str, float | None]:
        """The figures of one class that say most."""
        precision = self.precision[0, number]
        return {
            "ap": _mean(precision),
            "ap50": _mean(precision[:1]),
            "ap75": _mean(precision[5:6]),
            "ar_100": _mean(self.recall[0, number]),
        }


def _mean(values: Floats) -> float | None:
    there = values[~np.isnan(values)]
    return float(there.mean()) if there.size else None


def detection_scores(
    objects: "Objects", found: "Detections", by: Literal["boxes", "masks"], *, threads: int = 1
) -> DetectionScores:
    """Score detections.

    Parameters
    ----------
    objects : Objects
        What is to be found.
    found : Detections
        In the same images.
    by : "boxes" or "masks"
        What overlaps; both have to have them.
    threads : int
        To use.
    """
    classes, kept = len(objects.classes), _surest(found)
    asked = np.lexsort((objects.labels, objects.images))
    pairs = _pairs(
        found.images[kept] * np.int64(classes) + found.labels[kept],
        (objects.images * np.int64(classes) + objects.labels)[asked],
    )
    crowd, object_areas = objects.crowd[asked], objects.areas[asked]
    if by == "boxes":
        assert found.boxes is not None
        overlaps, areas = _box_overlap(found.boxes[kept], objects.boxes[asked], crowd, pairs)
    else:
        assert found.masks is not None
        assert objects.masks is not None
        one, other = found.masks.take(kept), objects.masks.take(asked)
        overlaps, areas = _mask_overlap(one, other, crowd, pairs, threads)
    ignored = np.array([crowd | (object_areas < low) | (object_areas > high) for low, high in _AREAS])
    return _accumulated(
        _matched(pairs, overlaps, crowd, ignored, threads),
        beyond=np.array([(areas < low) | (areas > high) for low, high in _AREAS]),
        labels=found.labels[kept],
        scores=found.scores[kept],
        ranks=_ranks(pairs.detections),
        counts=np.array([np.bincount(objects.labels[asked][~row], minlength=classes) for row in ignored]),
    )


@dataclass(frozen=True, eq=False)
class Matches:
    """Detections beside objects, of all sizes: numbers that add up over batches of images.

    Attributes
    ----------
    labels, scores : ndarray, shape (D,)
        Class of each detection that counts, and how sure it is.
    right : ndarray, shape (T, D), bool
        Whether it is of an object, at each threshold of overlap.
    objects : ndarray, shape (K,), int64
        That were to be found.
    """

    labels: Ints
    scores: Floats
    right: NDArray[np.bool_]
    objects: Ints


def matches_of(objects: "Objects", found: "Detections") -> Matches:
    """Match detections with objects by their boxes; those of crowds are left out."""
    assert found.boxes is not None
    classes, kept = len(objects.classes), _surest(found)
    asked = np.lexsort((objects.labels, objects.images))
    pairs = _pairs(
        found.images[kept] * np.int64(classes) + found.labels[kept],
        (objects.images * np.int64(classes) + objects.labels)[asked],
    )
    crowd = objects.crowd[asked]
    overlaps, _ = _box_overlap(found.boxes[kept], objects.boxes[asked], crowd, pairs)
    result = _matched(pairs, overlaps, crowd, np.repeat(crowd[None], len(_AREAS), axis=0), 1)[0]
    counts = ~(result == FOUND["ignored"]).any(axis=0)
    right = (result == FOUND["object"])[:, counts]
    number = np.bincount(objects.labels[~objects.crowd], minlength=classes)
    return Matches(found.labels[kept][counts], found.scores[kept][counts], right, number)


def precision_of(right: NDArray[np.bool_], objects: int) -> Floats:
    """(T,) average precision of a class, of detections (T, D) of it from the surest on."""
    return _curve(right, ~right, objects)[0]


def _surest(found: "Detections") -> NDArray[np.intp]:
    """The 100 surest detections of each class in each image, by image and class; ties as they were read."""
    order = np.lexsort((-found.scores, found.labels, found.images))
    images, labels = found.images[order], found.labels[order]
    new = (np.diff(images) != 0) | (np.diff(labels) != 0)
    first = np.concatenate([[0], np.flatnonzero(new) + 1, [len(order)]])
    return np.asarray(order[_ranks(first) < _MOST], np.intp)


def _ranks(first: Ints) -> Ints:
    """Of each detection how many of its group come before it, of groups that begin at these places."""
    return np.asarray(np.arange(first[-1]) - np.repeat(first[:-1], np.diff(first)), np.int64)


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Detections and objects of each group, an image and a class, and all pairs of them.

    Attributes
    ----------
    detections, objects : ndarray
        Where those of each group begin; one more than there are groups.
    one, other : ndarray, shape (P,)
        The detection and the object of each pair: group by group, detection by detection.
    places : ndarray
        Where the pairs of each group begin.
    """

    detections: Ints
    objects: Ints
    one: Ints
    other: Ints
    places: Ints


def _pairs(d_group: Ints, g_group: Ints) -> _Pairs:
    """Pairs of detections and objects that are sorted by these groups."""
    groups = np.union1d(d_group, g_group)
    d_first, g_first = (
        np.append(np.searchsorted(each, groups), len(each)).astype(np.int64) for each in (d_group, g_group)
    )
    width = np.diff(g_first)
    sizes = np.diff(d_first) * width
    places = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    within = np.arange(places[-1]) - np.repeat(places[:-1], sizes)
    rows, columns = np.divmod(within, np.repeat(width, sizes))
    one, other = np.repeat(d_first[:-1], sizes) + rows, np.repeat(g_first[:-1], sizes) + columns
    return _Pairs(d_first, g_first, one, other, places)


def _box_overlap(
    one: Floats, other: Floats, crowd: NDArray[np.bool_], pairs: _Pairs
) -> tuple[Floats, Floats]:
    """(P,) overlap of detected boxes with objects', and (D,) areas of the detected ones."""
    d, g = one[pairs.one], other[pairs.other]
    sides = np.minimum(d[:, :2] + d[:, 2:], g[:, :2] + g[:, 2:]) - np.maximum(d[:, :2], g[:, :2])
    common = np.where((sides > 0).all(axis=1), sides[:, 0] * sides[:, 1], 0.0)
    areas, object_areas = one[:, 2] * one[:, 3], other[:, 2] * other[:, 3]
    return _share(common, areas[pairs.one], object_areas[pairs.other], crowd[pairs.other]), areas


def _mask_overlap(
    one: "Masks", other: "Masks", crowd: NDArray[np.bool_], pairs: _Pairs, threads: int
) -> tuple[Floats, Floats]:
    """(P,) overlap of detected masks with objects', and (D,) areas of the detected ones."""
    common = one.joined([other]).overlap(pairs.one, len(one) + pairs.other, threads=threads).astype(float)
    areas, object_areas = one.areas.astype(float), other.areas.astype(float)
    return _share(common, areas[pairs.one], object_areas[pairs.other], crowd[pairs.other]), areas


def _share(common: Floats, areas: Floats, object_areas: Floats, crowd: NDArray[np.bool_]) -> Floats:
    """Intersection over union; over the detection alone where the object is a crowd; 0 of nothing."""
    union = np.where(crowd, areas, areas + object_areas - common)
    return np.divide(common, union, out=np.zeros_like(common), where=common > 0)


def _matched(
    pairs: _Pairs, overlaps: Floats, crowd: NDArray[np.bool_], ignored: NDArray[np.bool_], threads: int
) -> NDArray[np.uint8]:
    """(A, T, D) what each detection is of: a value of `FOUND`."""
    thresholds = np.minimum(THRESHOLDS, _EXACT)
    found = np.zeros((len(_AREAS), len(thresholds), int(pairs.detections[-1])), np.uint8)
    job = np.zeros(1, MATCH)
    arrays: dict[str, NDArray[Any]] = {
        "detections": pairs.detections,
        "objects": pairs.objects,
        "overlaps": overlaps,
        "places": pairs.places,
        "crowd": crowd,
        "ignored": ignored,
        "thresholds": thresholds,
        "found": found,
    }
    for name, array in arrays.items():
        job[name] = array.ctypes.data
    job["threshold_count"], job["range_count"] = len(thresholds), len(_AREAS)
    job["detection_count"], job["object_count"] = found.shape[2], ignored.shape[1]
    most = int(np.diff(pairs.objects).max(initial=0))
    native.run("match_objects", job, len(pairs.detections) - 1, threads=threads, scratch_bytes=most + 1)
    return found


def _accumulated(
    matches: NDArray[np.uint8],
    *,
    beyond: NDArray[np.bool_],
    labels: Ints,
    scores: Floats,
    ranks: Ints,
    counts: Ints,
) -> DetectionScores:
    """Precision and recall of each class, from what detections are of, in the order of image and class."""
    ranges, classes = counts.shape
    shape = (ranges, classes, len(THRESHOLDS))
    precision, recall = np.full(shape, np.nan), np.full(shape, np.nan)
    fewer = np.full((len(_FEWER), *shape[1:]), np.nan)
    order = np.lexsort((-scores, labels))
    first = np.searchsorted(labels[order], np.arange(classes + 1))
    for k in np.flatnonzero(counts[0]):
        here = order[first[k] : first[k + 1]]
        for a in np.flatnonzero(counts[:, k]):
            what = matches[a][:, here]
            right = what == FOUND["object"]
            wrong = (what == FOUND["nothing"]) & ~beyond[a, here]
            precision[a, k], recall[a, k] = _curve(right, wrong, int(counts[a, k]))
            if a == 0:
                for at, most in enumerate(_FEWER):
                    fewer[at, k] = right[:, ranks[here] < most].sum(axis=1) / counts[a, k]
    return DetectionScores(precision, recall, fewer, counts[0])


def _curve(right: NDArray[np.bool_], wrong: NDArray[np.bool_], count: int) -> tuple[Floats, Floats]:
    """Mean precision over recalls, and recall, at each threshold; detections from the surest on."""
    if not right.shape[1]:
        return np.zeros(len(right)), np.zeros(len(right))
    hits, misses = np.cumsum(right, axis=1).astype(float), np.cumsum(wrong, axis=1).astype(float)
    recalls, precisions = hits / count, hits / (hits + misses + np.spacing(1))
    precisions = np.maximum.accumulate(precisions[:, ::-1], axis=1)[:, ::-1]
    means = np.empty(len(right))
    for t, (row, values) in enumerate(zip(recalls, precisions, strict=True)):
        at = np.searchsorted(row, _RECALLS, side="left")
        means[t] = values[at[at < len(values)]].sum() / len(_RECALLS)
    return means, recalls[:, -1]
