"""Detection: all things of some classes in an image, each with a box.

Legend: n images, D detections, K classes. Outputs are maps (n, H, W, K) before the sigmoid and the sides of
boxes (n, H, W, 4) for each scale of a detector.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from cnncli.checked import MalformedError
from cnncli.errors import OptionError
from cnncli.models.detector import BOXES, CLASSES, strides_for
from cnncli.nn import BoxOverlap, Focal, SmoothL1, Term
from cnncli.tasks.detected import Found, found_in, strides_of
from cnncli.tasks.detection_targets import placed, targets_of
from cnncli.tasks.task import Metric, OfClasses, Outputs, Tally

if TYPE_CHECKING:
    from cnncli.checked import Fields
    from cnncli.data.coco_results import Detections
    from cnncli.data.loader import Batch
    from cnncli.data.objects import Objects
    from cnncli.data.targets import Targets
    from cnncli.nn import Graph, Network
    from cnncli.tasks.detection_evaluation import DetectionEvaluation
    from cnncli.tasks.detection_results import Things
    from cnncli.tasks.task import Decoded, Task

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]
_RARE = 0.01  # the score that points begin with, for nearly all of them show nothing
_BOXES_WEIGH = 1.0  # as much as classes do
_SIDES_WEIGH = 0.5
_FOCAL = Focal(alpha=0.5)
_SIDES = SmoothL1(beta=0.1, weighted=True)
_USUAL_SIDE, _FAINT = 0.5, 0.1  # of the first boxes; of the weights that change them
_BINS = 50  # of the logarithm of the odds, in which scores are counted for the precision of an epoch
_SURE = 0.4  # score from which predictions name a thing


@dataclass(frozen=True)
class Detection(OfClasses):
    """Things of K classes in an image, with their boxes.

    Attributes
    ----------
    numbers : tuple of int or None
        What the annotations that it learned from call the classes, as in `Objects`.
    """

    numbers: tuple[int, ...] | None = None
    name: ClassVar[str] = "detection"
    noun: ClassVar[str] = "images"
    outputs_of: ClassVar[str] = "boxes"
    bars_show: ClassVar[str] = ""
    watched: ClassVar[Metric] = Metric("map")

    @classmethod
    def of(cls, targets: "Targets") -> Self:
        """Of the classes of these targets."""
        return cls(cls.classes_of(targets), numbers=objects_in(targets).numbers)

    @classmethod
    def from_fields(cls, fields: "Fields") -> Self:
        """The reverse of `settings`; networks of before have no numbers.

        Raises
        ------
        MalformedError
            Where ``classes`` are no names, or ``numbers`` are not one for each.
        """
        found, numbers = super().from_fields(fields), fields.raw().get("numbers")
        if numbers is None:
            return found
        if not isinstance(numbers, list) or [type(each) for each in numbers] != [int] * len(found.classes):
            raise MalformedError("numbers are not a whole number for each class")
        return replace(found, numbers=tuple(numbers))

    @property
    def settings(self) -> dict[str, Any]:
        """The names of the classes, and their numbers where they have some."""
        return super().settings | ({} if self.numbers is None else {"numbers": self.numbers})

    @classmethod
    def classes_of(cls, targets: "Targets") -> tuple[str, ...]:
        """The names that labels are numbers of."""
        return objects_in(targets).classes

    def counts_of(self, targets: "Targets") -> Labels:
        """(K,) objects of each class."""
        return np.bincount(objects_in(targets).labels, minlength=len(self.classes))

    def as_known(self, targets: "Targets", dataset: str) -> "Objects":
        """Objects in the network's numbering.

        Raises
        ------
        CnncliError
            Where the network does not know one of the classes that objects have.
        """
        found = objects_in(targets)
        there = np.unique(found.labels)
        names = [found.classes[label] for label in there]
        numbers = np.zeros(len(found.classes), np.int64)
        numbers[there] = self.numbers_of(names, dataset, "objects")
        return replace(found, labels=numbers[found.labels], classes=self.classes)

    def rows_of(self, other: "Task") -> list[int]:
        """The outputs of the same classes, by their names."""
        known = {name: row for row, name in enumerate(other.outputs)}
        return [known.get(name, -1) for name in self.classes]

    def accepts(self, graph: "Graph") -> bool:
        """Whether there are maps of classes and boxes at each scale that images of this size have."""
        height, width = graph.input_shape[:2]
        wanted: dict[str, tuple[int, ...]] = {}
        for stride in strides_for(height, width):
            size = height // stride, width // stride
            wanted |= {f"{CLASSES}{stride}": (*size, len(self.classes)), f"{BOXES}{stride}": (*size, 4)}
        shapes = {role: graph.shape_of(name)[:3] for role, name in graph.outputs.items() if role in wanted}
        return shapes == wanted

    def read(self, outputs: Sequence[str]) -> tuple[str, ...]:
        """Maps of classes and boxes of all scales."""
        return tuple(role for role in outputs if role.startswith((CLASSES, BOXES)))

    # Training

    def trained_with(self, options: Mapping[str, Any], targets: "Targets") -> Self:
        """The same; images with boxes are not blended."""
        if "mixup" in options["augment"]:
            raise OptionError(
                f"--augment is {options['augment']!r}, but images with boxes cannot be blended; expected no "
                "mixup",
                "Leave mixup out.",
            )
        if options["class_weights"]:
            raise OptionError(
                "--class-weights is given, but the focal loss of a detector has none; expected no weights",
                "Leave --class-weights out.",
            )
        return self

    def begin(self, network: "Network") -> None:
        """Let all points begin as nearly sure that nothing is there, with a box of usual size around each.

        Otherwise the first steps would be lost on the many points that find nothing, and boxes that are
        inverted overlap nothing, whichever way they change.

        Source: Lin et al., Focal loss for dense object detection, 2017, section 3.3.
        """
        graph, arrays = network.graph, network.export()
        for role in graph.outputs:
            head = graph.head(role)
            if role.startswith(CLASSES):
                arrays[f"{head}.bias"] = np.full_like(arrays[f"{head}.bias"], np.log(_RARE / (1 - _RARE)))
            elif role.startswith(BOXES):
                arrays[f"{head}.bias"] = np.full_like(arrays[f"{head}.bias"], _USUAL_SIDE)
                arrays[f"{head}.weight"] *= np.float32(_FAINT)
        network.load(arrays)

    def objective(self, outputs: Sequence[str]) -> list[Term]:
        """Focal loss of the classes, and the overlap of boxes, of all scales together.

        A little of the distance of the sides brings back boxes that are inverted.
        """
        terms = [Term(role, _FOCAL, group=CLASSES) for role in outputs if role.startswith(CLASSES)]
        boxes = [role for role in outputs if role.startswith(BOXES)]
        terms += [Term(role, BoxOverlap(), _BOXES_WEIGH, group=BOXES) for role in boxes]
        return terms + [Term(role, _SIDES, _SIDES_WEIGH, group="sides") for role in boxes]

    def encode(self, batch: "Batch") -> dict[str, NDArray[np.generic]]:
        """For each scale what its points are to say, and how much each counts."""
        objects = placed(batch, objects_in(batch.targets))
        height, width = batch.x.shape[1:3]
        strides = strides_for(height, width)
        maps = {stride: (height // stride, width // stride) for stride in strides}
        targets = targets_of(batch, objects, maps)
        return {
            role: array
            for stride, pair in targets.items()
            for role, array in zip((f"{CLASSES}{stride}", f"{BOXES}{stride}"), pair, strict=True)
        }

    def losses(self, outputs: Outputs, batch: "Batch") -> NDArray[np.float64]:
        """(n,) focal loss and overlap of boxes, each divided by the points that have something to find."""
        return _losses(outputs, self.encode(batch))

    def tally(self, outputs: Outputs, batch: "Batch") -> Tally:
        """Detections by class, score and the overlap that they reach, and objects by class."""
        from cnncli.tasks.detection_scores import matches_of

        objects = placed(batch, objects_in(batch.targets))
        found = matches_of(objects, detections_of(found_in(outputs)))
        odds = np.log(found.scores / np.maximum(1e-7, 1 - found.scores))
        bins = np.rint(odds * _BINS).astype(np.int64)
        right = (1 << np.arange(len(found.right))) @ found.right.astype(np.int64)  # a bit for each threshold
        keys, counts = np.unique(np.stack([found.labels, bins, right]), axis=1, return_counts=True)
        tally = {
            f"found {label} {place} {bits}": int(count)
            for (label, place, bits), count in zip(keys.T.tolist(), counts, strict=True)
        }
        return tally | {f"objects {k}": int(number) for k, number in enumerate(found.objects)}

    def metrics(self, tally: Tally, images: int) -> dict[str, float]:
        """Mean over the classes of COCO's average precision, at overlaps of 0.5 to 0.95, and at 0.5.

        Scores are rounded, in logarithms of the odds to 1/50: of those that are alike the best come first.
        """
        from cnncli.tasks.detection_scores import THRESHOLDS, precision_of

        del images
        rows = [(*map(int, key.split()[1:]), n) for key, n in tally.items() if key.startswith("found") and n]
        found = np.array(rows, np.int64).reshape(-1, 4)
        right = found[:, 2] >> np.arange(len(THRESHOLDS))[:, None] & 1 > 0
        order = np.lexsort((-right.sum(axis=0), -found[:, 1]))
        found, right = found[order], right[:, order]
        means = []
        for k in range(len(self.classes)):
            if objects := tally.get(f"objects {k}", 0):
                own = found[:, 0] == k
                means.append(precision_of(np.repeat(right[:, own], found[own, 3], axis=1), objects))
        table = np.array(means).reshape(-1, len(THRESHOLDS))
        return {"map": float(table.mean()), "map50": float(table[:, 0].mean())} if means else _NOTHING

    # Results

    def kept(self, outputs: Outputs, batch: "Batch") -> NDArray[np.float64]:
        """(n, 1 + 100 * 6) of each image its loss, and what is found: x, y, width, height, score, class."""
        from cnncli.tasks.detection_evaluation import rows_of

        return np.column_stack([self.losses(outputs, batch), rows_of(found_in(outputs), len(batch))])

    def evaluation(
        self, indices: NDArray[np.intp], targets: "Targets", kept: NDArray[np.float64]
    ) -> "DetectionEvaluation":
        """Score detections as COCO does."""
        from cnncli.tasks.detection_evaluation import DetectionEvaluation

        return DetectionEvaluation(indices, objects_in(targets), kept[:, 1:], kept[:, 0])

    def no_result(self) -> dict[str, Any]:
        """No images, and no precision."""
        return {"images": 0, "map": None, "map50": None, "loss": None}

    def sentence(self, result: Mapping[str, Any]) -> str:
        """Mean average precision."""
        from cnncli.tasks.detection_evaluation import sentence

        return sentence(result)

    def decode(self, outputs: Outputs, *, top: int) -> "list[Decoded]":
        """Things that are found with a score of 0.4 or more."""
        from cnncli.tasks.detection_results import things_of

        del top
        return things_of(outputs, self.classes, least=_SURE)

    def decode_tiles(
        self, pixels: NDArray[np.uint8], tile: tuple[int, int], run: Callable[[NDArray[np.uint8]], Outputs]
    ) -> "Things":
        """Things that are found in an image of any size, as of `things_in_tiles`."""
        from cnncli.tasks.detection_results import things_in_tiles

        return things_in_tiles(pixels, tile, run, self.classes, least=_SURE)

    def columns(self, top: int) -> list[str]:
        """How many things there are, and all of them in words."""
        del top
        return ["count", "objects"]


_NOTHING = {"map": 0.0, "map50": 0.0}


def _losses(outputs: Outputs, targets: Mapping[str, NDArray[np.generic]]) -> NDArray[np.float64]:
    """(n,) as `Detection.losses`."""
    first = next(iter(outputs.values()))
    focal, overlap, points = (np.zeros(len(first)) for _ in range(3))
    for stride in strides_of(outputs):
        wanted, sides = targets[f"{CLASSES}{stride}"], targets[f"{BOXES}{stride}"]
        focal += _focal(outputs[f"{CLASSES}{stride}"], wanted)
        overlap += _overlap(outputs[f"{BOXES}{stride}"], sides)
        points += sides[..., 4].sum(axis=(1, 2))
    return np.asarray((focal + _BOXES_WEIGH * overlap) / np.maximum(1, points))


def _focal(values: Floats, wanted: NDArray[Any]) -> NDArray[np.float64]:
    """(n,) sums of the focal loss."""
    loss = _FOCAL
    targets, z = wanted[..., :-1], values.astype(np.float64)
    share = 1 / (1 + np.exp(-z))
    entropy = np.logaddexp(0, z) - targets * z
    weight = (loss.alpha * targets + (1 - loss.alpha) * (1 - targets)) * np.abs(targets - share) ** loss.gamma
    return np.asarray((entropy * weight * wanted[..., -1:]).sum(axis=(1, 2, 3)))


def _overlap(sides: Floats, wanted: NDArray[Any]) -> NDArray[np.float64]:
    """(n,) sums of one minus the generalised intersection over union."""
    image, row, column = np.nonzero(wanted[..., 4])
    own = sides[image, row, column].astype(np.float64)
    true = wanted[image, row, column, :4].astype(np.float64)
    shared = np.minimum(own, true)
    around = np.maximum(own, true)

    def area(each: NDArray[np.float64]) -> NDArray[np.float64]:
        lengths = each[:, :2] + each[:, 2:]
        return np.asarray(np.maximum(lengths, 0).prod(axis=1))

    union = area(own) + area(true) - area(shared)
    each = 2 - area(shared) / np.maximum(union, 1e-7) - union / np.maximum(area(around), 1e-7)
    return np.asarray(np.bincount(image, each, minlength=len(sides)), np.float64)


def detections_of(found: Found) -> "Detections":
    """What is found, as results of any detector are."""
    from cnncli.data.coco_results import Detections

    sizes = found.boxes[:, 2:] - found.boxes[:, :2]
    return Detections(
        images=found.images,
        labels=found.labels,
        scores=found.scores.astype(np.float64),
        boxes=np.concatenate([found.boxes[:, :2], sizes], axis=1).astype(np.float64),
        masks=None,
    )


def objects_in(targets: "Targets") -> "Objects":
    """Targets, which are objects where the task is this one."""
    from cnncli.data.objects import Objects

    if not isinstance(targets, Objects):
        raise TypeError(f"targets are {type(targets).__name__}; expected Objects")
    return targets
