"""Localization: what the one thing in an image is, and where: a class and a box.

Legend: n images, K classes. Outputs are values of the classes (n, K) before the softmax, and of the box
(n, 4) how far its left, top, right and bottom are from the middle of the image, in halves of its sides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from cnncli.errors import OptionError
from cnncli.models.localizer import BOX
from cnncli.nn import BoxOverlap, SmoothL1, SoftmaxCrossEntropy, Term
from cnncli.nn.graph import MAIN
from cnncli.tasks.detection import Detection, objects_in
from cnncli.tasks.detection_targets import corners_of, placed
from cnncli.tasks.softmax import log_softmax, probabilities
from cnncli.tasks.task import Metric, Outputs, Tally

if TYPE_CHECKING:
    from cnncli.data.loader import Batch
    from cnncli.data.objects import Objects
    from cnncli.data.targets import Targets
    from cnncli.nn import Graph, Network
    from cnncli.tasks.localization_evaluation import LocalizationEvaluation
    from cnncli.tasks.task import Decoded

Floats = NDArray[np.float32]
_SIDES = SmoothL1(beta=0.1, weighted=True)
_USUAL_SIDE, _FAINT = 0.4, 0.1  # of the first boxes; of the weights that change them
FOUND = 0.5  # overlap from which a box is where the thing is


@dataclass(frozen=True)
class Localization(Detection):
    """One of K classes, and one box, for an image."""

    name: ClassVar[str] = "localization"
    outputs_of: ClassVar[str] = "box"
    watched: ClassVar[Metric] = Metric("iou")

    def accepts(self, graph: "Graph") -> bool:
        """Whether there is a value for each class, and a box."""
        shapes = {role: graph.shape_of(name)[:3] for role, name in graph.outputs.items()}
        return shapes[MAIN] == (1, 1, len(self.classes)) and shapes.get(BOX) == (1, 1, 4)

    def read(self, outputs: Sequence[str]) -> tuple[str, ...]:
        """The classes and the box."""
        del outputs
        return MAIN, BOX

    def begin(self, network: "Network") -> None:
        """Let boxes begin as the middle of the image: those that are inverted overlap nothing."""
        head, arrays = network.graph.head(BOX), network.export()
        arrays[f"{head}.bias"] = np.full_like(arrays[f"{head}.bias"], _USUAL_SIDE)
        arrays[f"{head}.weight"] *= np.float32(_FAINT)
        network.load(arrays)

    def trained_with(self, options: Mapping[str, Any], targets: "Targets") -> "Localization":
        """With label smoothing as the options say; images with boxes are not blended."""
        super().trained_with(options, targets)
        if objects_in(targets).task != self.name:
            raise OptionError(
                "images have several things; expected one in each", "Leave --task localize out, to detect."
            )
        return replace(self, smoothing=options["smoothing"])

    def objective(self, outputs: Sequence[str]) -> list[Term]:
        """Cross-entropy of the classes, smooth L1 of the sides and the overlap of the boxes."""
        del outputs
        entropy = SoftmaxCrossEntropy(smoothing=self.smoothing)
        return [Term(MAIN, entropy), Term(BOX, _SIDES), Term(BOX, BoxOverlap())]

    def encode(self, batch: "Batch") -> dict[str, NDArray[np.generic]]:
        """Classes (n,) and boxes (n, 5): sides from the middle, and 1, or 0 where the thing is cut off."""
        objects = placed(batch, objects_in(batch.targets))
        return {MAIN: objects.labels, BOX: self._sides(objects, batch.x.shape[1:3])}

    @staticmethod
    def _sides(objects: "Objects", size: tuple[int, ...]) -> Floats:
        """(n, 5) of objects that are one for each image."""
        half = np.array([size[1], size[0]], np.float32) / 2
        corners = corners_of(objects.boxes)
        sides = np.concatenate([half - corners[:, :2], corners[:, 2:] - half], axis=1) / np.tile(half, 2)
        return np.column_stack([sides, ~objects.crowd]).astype(np.float32)

    @staticmethod
    def _boxes(outputs: Outputs, size: tuple[int, ...]) -> Floats:
        """(n, 4) x0, y0, x1, y1 of what a network says, within the image."""
        half = np.array([size[1], size[0]], np.float32) / 2
        low, high = half - outputs[BOX][:, :2] * half, half + outputs[BOX][:, 2:] * half
        boxes = np.concatenate([np.minimum(low, high), np.maximum(low, high)], axis=1)
        return np.asarray(np.clip(boxes, 0, np.tile(2 * half, 2)), np.float32)

    def losses(self, outputs: Outputs, batch: "Batch") -> NDArray[np.float64]:
        """(n,) cross-entropy, and how much the boxes do not overlap."""
        labels = objects_in(batch.targets).labels
        entropy = -log_softmax(outputs[MAIN])[np.arange(len(labels)), labels]
        return np.asarray(entropy + 1 - self._overlaps(outputs, batch), np.float64)

    def _overlaps(self, outputs: Outputs, batch: "Batch") -> NDArray[np.float64]:
        """(n,) intersection over union of the boxes and the true ones."""
        size = batch.x.shape[1:3]
        true = corners_of(placed(batch, objects_in(batch.targets)).boxes)
        return overlaps_of(self._boxes(outputs, size), true)

    def tally(self, outputs: Outputs, batch: "Batch") -> Tally:
        """How many classes are right, overlaps of the boxes, and how many are above 0.5."""
        right = outputs[MAIN].argmax(axis=1) == objects_in(batch.targets).labels
        overlaps = self._overlaps(outputs, batch)
        return {
            "hits": int(right.sum()),
            "overlap": float(overlaps.sum()),
            "found": int((overlaps > FOUND).sum()),
        }

    def metrics(self, tally: Tally, images: int) -> dict[str, float]:
        """Mean intersection over union, accuracy, and the share of boxes above 0.5."""
        return {
            "iou": tally["overlap"] / images,
            "accuracy": tally["hits"] / images,
            "iou_above_half": tally["found"] / images,
        }

    def kept(self, outputs: Outputs, batch: "Batch") -> NDArray[np.float64]:
        """(n, K + 2) values of the classes, the overlap and the loss."""
        columns = outputs[MAIN], self._overlaps(outputs, batch), self.losses(outputs, batch)
        return np.column_stack([each.astype(np.float64) for each in columns])

    def evaluation(  # type: ignore[override]
        self, indices: NDArray[np.intp], targets: "Targets", kept: NDArray[np.float64]
    ) -> "LocalizationEvaluation":
        """Judge classes and boxes."""
        from cnncli.tasks.localization_evaluation import LocalizationEvaluation

        return LocalizationEvaluation(
            indices, objects_in(targets).labels, kept[:, :-2], kept[:, -2], kept[:, -1], self.classes
        )

    def no_result(self) -> dict[str, Any]:
        """No images, and no scores."""
        return {"images": 0, "iou": None, "accuracy": None, "iou_above_half": None, "loss": None}

    def sentence(self, result: Mapping[str, Any]) -> str:
        """Mean overlap and accuracy."""
        from cnncli.tasks.localization_evaluation import sentence

        return sentence(result)

    def decode(self, outputs: Outputs, *, top: int) -> "list[Decoded]":
        """The likeliest class and the box, in shares of the image's sides."""
        from cnncli.tasks.detection_results import Located, Thing

        del top
        boxes, shares = self._boxes(outputs, (1, 1)), probabilities(outputs[MAIN])
        sizes = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1).tolist()
        rows = zip(shares.argmax(axis=1).tolist(), shares.max(axis=1).tolist(), sizes, strict=True)
        return [Located([Thing(self.classes[k], share, tuple(box))]) for k, share, box in rows]


def overlaps_of(one: Floats, other: Floats) -> NDArray[np.float64]:
    """(n,) intersection over union of boxes x0, y0, x1, y1, one to one."""
    a, b = one.astype(np.float64), other.astype(np.float64)
    shared = np.maximum(np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2]), 0).prod(axis=1)
    areas = [(each[:, 2:] - each[:, :2]).prod(axis=1) for each in (a, b)]
    return np.asarray(shared / np.maximum(areas[0] + areas[1] - shared, 1e-9), np.float64)
