"""A task that does not ship: where the one bright rectangle of an image lies. It shows what a task takes."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cnncli.data.assemble import DatasetDescription, from_arrays
from cnncli.data.warp import moved_points
from cnncli.nn import SmoothL1, Term
from cnncli.tasks.task import Metric

COUNT, SIDE = 1200, 16
EDGES = ("left", "top", "right", "bottom")


@dataclass(frozen=True, eq=False)
class Boxes:
    """Targets: ``edges`` (N, 4) float32, of the outermost pixels."""

    edges: np.ndarray
    task = "box"
    noun = "images"
    groups = None

    def __len__(self):
        return len(self.edges)

    def take(self, positions):
        return Boxes(self.edges[positions])

    def joined(self, others):
        return Boxes(np.concatenate([self.edges, *(each.edges for each in others)]))

    @property
    def known(self):
        return np.isfinite(self.edges).all(axis=1)

    @property
    def identities(self):
        return np.array([hash(row.tobytes()) & 0xFFFF_FFFF for row in self.edges], np.uint64)

    def texts(self):
        return [" ".join(f"{edge:g}" for edge in row) for row in self.edges]

    def check_learnable(self, dataset, warnings):
        pass

    def problems(self, test):
        return ()


class Found:
    """The box of one image."""

    def __init__(self, edges):
        self.edges = [round(float(edge), 3) for edge in edges]

    def record(self):
        return {"box": self.edges}

    def cells(self):
        return [str(edge) for edge in self.edges]

    def seen_in(self, input_spec, size):
        return self

    def bars(self):
        return []


@dataclass(frozen=True, eq=False)
class BoxEvaluation:
    """Found boxes beside the true ones."""

    indices: np.ndarray
    true: np.ndarray
    found: np.ndarray

    def __len__(self):
        return len(self.indices)

    @property
    def error(self):
        return float(np.abs(self.found - self.true).mean())

    def result(self):
        return {"images": len(self), "error": self.error, "loss": self.error}

    def scores(self):
        return {"error": round(self.error, 6)}

    def headline(self):
        return f"error {self.error:.3g} pixels"

    def report(self, columns):
        return [f"{edge}: {gap:.3g}" for edge, gap in zip(EDGES, self.gaps, strict=True)]

    @property
    def gaps(self):
        return np.abs(self.found - self.true).mean(axis=0)


@dataclass(frozen=True)
class Box:
    """Four outputs, in units of the side."""

    name: ClassVar[str] = "box"
    noun: ClassVar[str] = "images"
    output_noun: ClassVar[str] = "edges"
    outputs_of: ClassVar[str] = "images"
    bars_show: ClassVar[str] = ""
    watched: ClassVar[Metric] = Metric("error", higher_is_better=False, is_share=False)
    outputs: ClassVar[tuple[str, ...]] = EDGES
    settings: ClassVar[dict] = {}

    @classmethod
    def of(cls, targets):
        return cls()

    @classmethod
    def from_fields(cls, fields):
        return cls()

    def difference(self, targets):
        return "" if targets.task == self.name else "the targets are no boxes"

    def as_known(self, targets, dataset):
        return targets

    def rows_of(self, other):
        return list(range(4)) if other.name == self.name else [-1] * 4

    def trained_with(self, options, targets):
        return self

    def objective(self, outputs):
        return [Term("main", SmoothL1(beta=0.1)), Term("main", SmoothL1(beta=1.0), weight=0.1)]

    def encode(self, batch):
        left, top, right, bottom = batch.targets.edges.T
        corners = np.stack([[left, top], [right, top], [right, bottom], [left, bottom]]).transpose(2, 0, 1)
        corners = moved_points(corners, batch.moves)
        edges = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1) / np.float32(SIDE)
        return {"main": edges}

    def accepts(self, graph):
        return graph.output_shape[:3] == (1, 1, 4)

    def begin(self, network):
        pass

    def read(self, outputs):
        return tuple(outputs)

    def losses(self, outputs, batch):
        return np.abs(outputs["main"] - self.encode(batch)["main"]).mean(axis=1).astype(np.float64)

    def tally(self, outputs, batch):
        return {"pixels": SIDE * float(self.losses(outputs, batch).sum())}

    def metrics(self, tally, images):
        return {"error": tally["pixels"] / images}

    def kept(self, outputs, batch):
        return outputs["main"]

    def evaluation(self, indices, targets, kept):
        return BoxEvaluation(indices, targets.edges, SIDE * kept)

    def no_result(self):
        return {"images": 0, "error": None, "loss": None}

    def sentence(self, result):
        return f"error {result['error']:.3g} pixels"

    def decode(self, outputs, *, top):
        return [Found(SIDE * row) for row in outputs["main"]]

    def columns(self, top):
        return list(EDGES)


def rectangles(load_options):
    """A data set of bright rectangles on dark ground."""
    rng = np.random.default_rng(4)
    images = rng.integers(0, 40, (COUNT, SIDE, SIDE, 1)).astype(np.uint8)
    start = rng.integers(1, 7, (COUNT, 2))
    edges = np.concatenate([start, start + rng.integers(3, 8, (COUNT, 2))], axis=1).astype(np.float32)
    for image, (left, top, right, bottom) in zip(images, edges.astype(int), strict=True):
        image[top : bottom + 1, left : right + 1] += 180
    description = DatasetDescription(name="rectangles", provenance="made up", known="rectangles")
    return from_arrays(description, {"train": (images, Boxes(edges))}, load_options)
