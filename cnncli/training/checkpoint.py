"""Checkpoints: weights as PyTorch users know them, and all it takes to use them.

Keys and layouts are PyTorch's (``conv1.weight`` is (K, C, kh, kw)). The metadata are JSON strings:
``format``, ``classes``, ``preprocessing``, ``architecture``, ``training``.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.errors import CnncliError
from cnncli.images.faults import shown
from cnncli.models import Architecture
from cnncli.nn import Network
from cnncli.training.tensors import as_weights, read_tensors, write_tensors

FORMAT = "cnncli checkpoint 1"


@dataclass(frozen=True)
class Preprocessing:
    """How a picture becomes a network's input.

    Attributes
    ----------
    size : (int, int)
        Rows and columns.
    channels : int
        1 gray, 3 red, green, blue.
    mean, std : tuple of float, one a channel
        Of the training images, in units of full scale: input = (value / 255 - mean) / std.
    digits : bool
        The network expects light digits on dark ground, centred as in MNIST: `predict` inverts,
        crops and centres others.
    """

    size: tuple[int, int]
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    digits: bool = False

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C) of an input."""
        return (*self.size, self.channels)

    def normalise(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Turn images (N, H, W, C) of uint8 into inputs, float32."""
        mean, std = np.asarray(self.mean, np.float64), np.asarray(self.std, np.float64)
        scale = (1 / (255 * std)).astype(np.float32)
        shift = (-mean / std).astype(np.float32)
        return np.ascontiguousarray(images.astype(np.float32) * scale + shift)


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A trained network as it lies in a file.

    Attributes
    ----------
    arrays : dict of str to ndarray
        By name, as ``Network.export`` gives them.
    classes : tuple of str
        In the order of the outputs.
    preprocessing : Preprocessing
        Of pictures.
    architecture : Architecture
        Of the network.
    training : dict
        What it was trained on and how.
    path : Path or None
        Where it was read from.
    """

    arrays: Mapping[str, NDArray[Any]]
    classes: tuple[str, ...]
    preprocessing: Preprocessing
    architecture: Architecture
    training: dict[str, Any] = field(default_factory=dict)
    path: Path | None = None

    def network(self, *, seed: int = 0) -> Network:
        """The network with its weights.

        Raises
        ------
        CnncliError
            Where the weights do not fit the architecture.
        """
        network = Network(self.architecture.graph(seed=seed), scheme=None)
        try:
            network.load(self.arrays)
        except CnncliError as fault:
            raise CnncliError(f"{shown(self.path or 'checkpoint')}: {fault.message}", fault.hint) from fault
        return network


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, whole or not at all.

    Raises
    ------
    CnncliError
        Where the file cannot be written.
    """
    import json

    def text(value: object) -> str:
        return json.dumps(value, ensure_ascii=False, sort_keys=True)

    metadata = {
        "format": FORMAT,
        "classes": text(checkpoint.classes),
        "preprocessing": text(asdict(checkpoint.preprocessing)),
        "architecture": text(asdict(checkpoint.architecture)),
        "training": text(checkpoint.training),
    }
    write_tensors(path, checkpoint.arrays, metadata)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Parameters
    ----------
    path : Path
        A file that ``cnncli train`` wrote, or the folder of a run: then its ``best.safetensors``.

    Raises
    ------
    CnncliError
        Where it cannot be read, is damaged or cut short, or is of another kind.
    """
    if path.is_dir():
        path = path / "best.safetensors"
    arrays, metadata = read_tensors(path)
    if metadata.get("format") != FORMAT:
        written = metadata.get("format")
        what = f"its format is {written!r}" if written else "it does not say which network it belongs to"
        raise CnncliError(
            f"{shown(path)} holds arrays, but no network of cnncli: {what}",
            "Give a file that cnncli train wrote: best.safetensors or last.safetensors in a run's folder.",
        )
    try:
        return _assembled(as_weights(arrays, path), metadata, path)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CnncliError(
            f"{shown(path)} is damaged: its metadata cannot be understood ({type(error).__name__}: {error})",
            "Copy the file again from where it came, or train the network again.",
        ) from error


def _assembled(arrays: dict[str, NDArray[Any]], metadata: dict[str, str], path: Path) -> Checkpoint:
    import json

    texts = {
        name: json.loads(metadata[name]) for name in ("classes", "preprocessing", "architecture", "training")
    }
    classes = tuple(str(name) for name in texts["classes"])
    pre, arch = texts["preprocessing"], texts["architecture"]
    height, width = (_count(n, 4000) for n in pre["size"])
    channels = _count(pre["channels"], 4)
    preprocessing = Preprocessing(
        (height, width),
        channels,
        _numbers(pre["mean"], channels),
        _numbers(pre["std"], channels),
        bool(pre["digits"]),
    )
    layers = arch["layers"]
    model = Architecture(
        str(arch["name"]),
        None if layers is None else str(layers),
        (height, width, channels),
        len(classes),
    )
    if tuple(arch["input_shape"]) != model.input_shape or arch["classes"] != len(classes):
        raise ValueError("the architecture has another input or output than the preprocessing and classes")
    if min(preprocessing.std) <= 0:
        raise ValueError(f"std is {preprocessing.std}; expected numbers above 0")
    return Checkpoint(arrays, classes, preprocessing, model, dict(texts["training"]), path)


def _count(value: object, most: int) -> int:
    if not isinstance(value, int) or not 1 <= value <= most:
        raise ValueError(f"{value!r} is no whole number from 1 to {most}")
    return value


def _numbers(values: list[float], count: int) -> tuple[float, ...]:
    numbers = tuple(float(value) for value in values)
    if len(numbers) != count or not np.isfinite(numbers).all():
        raise ValueError(f"{values} are not {count} numbers")
    return numbers
