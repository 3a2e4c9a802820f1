"""How features are learned: what ``--record-features`` keeps of every epoch, and how it is read again.

A folder in that of the run: ``inputs.safetensors`` with what stays the same, and a file for each epoch, which
follows from the weights alone: a run that is resumed writes the same bits.

Legend: E epochs, N validation images that become points, M of them with maps, K kernels of the first layer.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.checked import Fields, MalformedError, parse_json
from cnncli.data.class_labels import ClassLabels
from cnncli.data.model import Dataset
from cnncli.errors import CnncliError
from cnncli.files.faults import shown, writing_fault
from cnncli.nn import Conv, Graph, Inference, Network
from cnncli.tasks.preprocessing import Preprocessing
from cnncli.training.tensors import read_tensors, write_tensors

Floats = NDArray[np.float32]
FOLDER = "features"
_INPUTS, _FORMAT = "inputs.safetensors", "cnncli features 1"
_POINTS, _PICTURES, _MAPS = 1_000, 3, 4
_BATCH = 32
_KEPT = 1 << 27  # bytes of images that are kept from epoch to epoch: 128 MiB
_LAYERS = 2  # whose maps are kept
_SIDE = 7  # pixels of maps in which something is seen, at least
_SAID = ("train_", "val_")  # what of an epoch's metrics is kept: the time it took differs from run to run


@dataclass(frozen=True, eq=False)
class Epoch:
    """What was recorded after an epoch.

    Attributes
    ----------
    filters : ndarray, shape (K, C, kh, kw), float32
        Kernels of the first layer.
    maps : tuple of ndarray, shape (M, H, W, m), float32
        Of each of the layers, some maps of M images.
    points : ndarray, shape (N, 2), float32
        Of `principal_plane`.
    metrics : dict of str to float
        As in ``metrics.jsonl``, without what depends on the clock.
    """

    filters: Floats
    maps: tuple[Floats, ...]
    points: Floats
    metrics: dict[str, float]

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Of all arrays."""
        return tuple(array.shape for array in (self.filters, *self.maps, self.points))


@dataclass(frozen=True, eq=False)
class History:
    """What a run has recorded.

    Attributes
    ----------
    dataset : str
        Name.
    layers : tuple of str
        Whose maps were kept; the first is that of the kernels.
    labels : ndarray, shape (N,), int32
        Classes of the points.
    pictures : ndarray, shape (M, H, W, C), uint8
        Images whose maps were kept.
    epochs : tuple of Epoch
        From the first one.
    """

    dataset: str
    layers: tuple[str, ...]
    labels: NDArray[np.int32]
    pictures: NDArray[np.uint8]
    epochs: tuple[Epoch, ...]


class Recorder:
    """Records how a network learns to classify images.

    Parameters
    ----------
    run : Path
        The run's folder.
    network : Network
        Whose weights are looked at after each epoch.
    dataset : Dataset
        Up to 1,000 evenly spaced images of its validation split become points.
    preprocessing : Preprocessing
        How images become inputs.
    threads : int
        To use.

    Raises
    ------
    CnncliError
        As `check_recorded`.
    """

    def __init__(
        self, run: Path, network: Network, dataset: Dataset, preprocessing: Preprocessing, *, threads: int
    ) -> None:
        targets = check_recorded(dataset, network.graph)
        self._folder, self._network, self._dataset = run / FOLDER, network, dataset
        self._preprocessing, self._threads = preprocessing, threads
        graph = network.graph
        self._layers = first_convolution(graph), last_maps(graph)
        self._before_head = graph.nodes[graph.head()].inputs[0]
        self._chosen = _spaced(len(targets), _POINTS)
        self._labels = targets.numbers[self._chosen].astype(np.int32)
        _, first = np.unique(self._labels, return_index=True)
        self._pictured = np.sort(first)[:_PICTURES]
        self._inference: Inference | None = None
        self._kept: NDArray[np.uint8] | None = None

    def record(self, row: dict[str, Any]) -> None:
        """Write the file of an epoch, whose metrics are ``row``.

        Raises
        ------
        CnncliError
            Where it cannot be written.
        """
        import json

        if not (self._folder / _INPUTS).exists():
            self._write_inputs()
        features, maps = self._activations()
        metrics = {name: value for name, value in row.items() if name.startswith(_SAID)}
        arrays: dict[str, NDArray[Any]] = {
            "filters": self._network.export()[f"{self._layers[0]}.weight"],
            "points": principal_plane(features),
            **{f"maps.{number}": array for number, array in enumerate(maps)},
        }
        metadata = {"format": _FORMAT, "metrics": json.dumps(metrics)}
        write_tensors(self._folder / _name(row["epoch"]), arrays, metadata)

    def _write_inputs(self) -> None:
        import json

        try:
            self._folder.mkdir(exist_ok=True)
        except OSError as error:
            raise writing_fault(error, self._folder) from error
        metadata = {"format": _FORMAT, "dataset": self._dataset.name, "layers": json.dumps(self._layers)}
        arrays: dict[str, NDArray[Any]] = {
            "labels": self._labels,
            "pictures": self._read(self._chosen[self._pictured]),
        }
        write_tensors(self._folder / _INPUTS, arrays, metadata)

    def _read(self, positions: NDArray[np.intp]) -> NDArray[np.uint8]:
        pixels = np.empty((len(positions), *self._dataset.val.shape), np.uint8)
        self._dataset.val.read(positions, pixels, threads=self._threads)
        return pixels

    def _images(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Some of the chosen images, kept from the first epoch on as far as `_KEPT` goes."""
        if self._kept is None:
            most = _KEPT // int(np.prod(self._dataset.val.shape))
            self._kept = self._read(self._chosen[:most])
        held = self._kept[start:stop]
        if len(held) == stop - start:
            return held
        return np.concatenate([held, self._read(self._chosen[start + len(held) : stop])])

    def _activations(self) -> tuple[Floats, list[Floats]]:
        """(N, D) what the head reads of all images, and some maps of the pictured ones for each layer."""
        keep = {*self._layers, self._before_head}
        if self._inference is None:
            batch = min(_BATCH, len(self._chosen))
            self._inference = Inference(
                self._network, batch, threads=self._threads, keep=sorted(keep), outputs=()
            )
        self._inference.refresh()
        features, maps = [], [[] for _ in self._layers]  # type: tuple[list[Floats], list[list[Floats]]]
        for start in range(0, len(self._chosen), self._inference.batch):
            part = self._chosen[start : start + self._inference.batch]
            pixels = self._images(start, start + len(part))
            found = self._inference.activations(self._preprocessing.normalise(pixels))
            features.append(found[self._before_head].reshape(len(part), -1))
            here = self._pictured[(self._pictured >= start) & (self._pictured < start + len(part))] - start
            for kept, layer in zip(maps, self._layers, strict=True):
                values = found[layer]
                kept.append(values[here][..., _spaced(values.shape[-1], _MAPS)])
        return np.concatenate(features), [np.concatenate(kept) for kept in maps]


def check_recorded(dataset: Dataset, graph: Graph) -> ClassLabels:
    """The classes of the validation images.

    Raises
    ------
    CnncliError
        Where there is nothing to record: texts, masks, boxes, no validation split or no convolution.
    """
    targets = dataset.val.targets
    if dataset.noun != "images" or not isinstance(targets, ClassLabels):
        raise _nothing("networks that classify images", f"{dataset.name} has no classes of images")
    if not len(targets):
        raise _nothing("what validation images become", "the run has no validation images")
    first_convolution(graph)
    return targets


def principal_plane(features: Floats) -> Floats:
    """(N, 2) coordinates along the two principal axes of N lists of D values, the longer one first.

    By the singular values of the smaller of the two products of the centred features with themselves; of each
    axis the coordinate that is farthest from 0 is positive.

    Parameters
    ----------
    features : ndarray, shape (N, D)
        What is not a number counts as 0.
    """
    values = np.nan_to_num(features.astype(np.float64))
    values -= values.mean(axis=0)
    count, width = values.shape
    if width <= count:
        points = values @ np.linalg.svd(values.T @ values)[0][:, :2]
    else:
        axes, squares, _ = np.linalg.svd(values @ values.T)
        points = axes[:, :2] * np.sqrt(squares[:2])
    points = np.pad(points, ((0, 0), (0, 2 - points.shape[1])))
    farthest = points[np.abs(points).argmax(axis=0), [0, 1]]
    return np.asarray(points * np.where(farthest < 0, -1.0, 1.0), np.float32)


def first_convolution(graph: Graph) -> str:
    """The layer whose kernels look at the image.

    Raises
    ------
    CnncliError
        Where there is none.
    """
    found = next((name for name, node in graph.nodes.items() if isinstance(node.layer, Conv)), None)
    if found is None:
        raise _nothing("the kernels of a convolution", "the network has none")
    return found


def last_maps(graph: Graph) -> str:
    """The last layer before the head whose maps have 7 pixels a side or more; else the first convolution."""
    before = graph.nodes[graph.head()].inputs[0]
    nodes = graph.pruned([before]).nodes.values() if before in graph.nodes else ()
    large = [node.name for node in nodes if min(node.shape.height, node.shape.width) >= _SIDE]
    return large[-1] if large else first_convolution(graph)


def read_history(run: Path) -> History:
    """What a run has recorded.

    Raises
    ------
    CnncliError
        Where it has recorded nothing, or a file is missing or damaged.
    """
    folder = run / FOLDER
    files = sorted(folder.glob("[0-9]*.safetensors"))
    if not files or not (folder / _INPUTS).is_file():
        raise CnncliError(
            f"{shown(run)} holds no record of an epoch; expected the folder of a run with --record-features",
            "Train with it, for example: cnncli train mnist --record-features.",
        )
    expected = [_name(number) for number in range(1, len(files) + 1)]
    missing = next((name for name in expected if not (folder / name).is_file()), None)
    if missing:
        raise CnncliError(
            f"{shown(folder)} holds no {missing}; expected a file for each epoch", "Restore it from a copy."
        )
    path = folder / _INPUTS
    try:
        arrays, metadata = read_tensors(path)
        said = Fields({"layers": parse_json(metadata["layers"])})
        layers, labels = said.texts("layers"), arrays["labels"].astype(np.int32)
        if len(layers) != _LAYERS or not len(labels) or arrays["pictures"].ndim != 4:
            raise MalformedError("its arrays are of other shapes")
        pictures, epochs = np.asarray(arrays["pictures"], np.uint8), []
        for path in files:
            epochs.append(_read_epoch(path, len(pictures), len(labels)))
            if epochs[-1].shapes != epochs[0].shapes:
                raise MalformedError("its arrays are not those of the other epochs")
    except (KeyError, ValueError) as error:
        raise CnncliError(
            f"{shown(path)} is no record of learned features: {error}", "Restore it from a copy."
        ) from error
    return History(metadata["dataset"], layers, labels, pictures, tuple(epochs))


def _read_epoch(path: Path, pictures: int, points: int) -> Epoch:
    arrays, metadata = read_tensors(path)
    fields = Fields(parse_json(metadata["metrics"]), "metrics")
    metrics = {name: fields.number(name) for name in fields.raw()}
    maps = tuple(np.asarray(arrays[f"maps.{number}"], np.float32) for number in range(_LAYERS))
    epoch = Epoch(
        np.asarray(arrays["filters"], np.float32), maps, np.asarray(arrays["points"], np.float32), metrics
    )
    kernels, *others = epoch.shapes
    seen = all(len(shape) == 4 and shape[0] == pictures for shape in others[:-1])
    if len(kernels) != 4 or not seen or others[-1] != (points, 2):
        raise MalformedError("its arrays are of other shapes")
    return epoch


def _name(epoch: int) -> str:
    return f"{epoch:06}.safetensors"


def _spaced(count: int, most: int) -> NDArray[np.intp]:
    """At most so many evenly spaced numbers below ``count``."""
    return np.arange(min(count, most), dtype=np.intp) * count // min(count, most)


def _nothing(what: str, why: str) -> CnncliError:
    return CnncliError(f"--record-features records {what}; {why}", "Leave --record-features out.")
