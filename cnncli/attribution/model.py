"""What every attribution method takes and gives."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnncli.nn import INPUT, Graph, Inference, Network
from cnncli.nn.gradient import Flow, Gradient, of_class
from cnncli.records import record

Floats = NDArray[np.float32]
BASELINES = ("mean", "blur")
_LARGEST = 1 << 21  # values of the widest layer in a batch: 8 MB
_MOST = 32  # images of a batch
_BLUR = 0.08  # sigma of a blurred image, in units of its longer side


@record
class Aim:
    """A number to be explained: a weighted sum of what a layer computes of an image.

    Attributes
    ----------
    layer : str
        Name of the layer.
    weights : ndarray, shape (h, w, K), float32
        Of its outputs.
    """

    layer: str
    weights: Floats

    def start(self, outputs: Floats) -> Floats:
        """The gradient of the number with respect to the layer's outputs (N, h, w, K), or (N, K)."""
        return np.broadcast_to(self.weights.reshape(outputs.shape[1:]), outputs.shape)


Target = int | Aim
"""What is explained: the main output's value of a class, by its number, or any other number."""


def value_of(target: Target, outputs: Floats) -> NDArray[np.float64]:
    """(N,) the number that is explained, from what the network or the target's layer computes of N images."""
    if not isinstance(target, Aim):
        return outputs[:, target].astype(np.float64)
    rows = outputs.reshape(len(outputs), -1).astype(np.float64)
    return np.asarray(rows @ target.weights.ravel().astype(np.float64), np.float64)


class _Unseen:
    def draw(self, done: int) -> None:
        """Show nothing."""


def unseen(count: int, unit: str) -> AbstractContextManager[Any]:
    """Progress that nobody sees."""
    del count, unit
    return nullcontext(_Unseen())


@record
class Attribution:
    """What a method says of one image and one class.

    Attributes
    ----------
    values : ndarray, shape (h, w, c), float32
        Of pixels and channels; of the positions of a layer, (h, w, 1).
    heatmap : ndarray, shape (H, W), float32
        Summed over channels, at the size of the input.
    about : dict
        How it was computed, as JSON.
    """

    values: Floats
    heatmap: Floats
    about: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class How:
    """What a user may choose.

    Attributes
    ----------
    layer : str or None
        Whose maps Grad-CAM weighs; None: it chooses.
    baseline : str
        What stands for nothing to see, of `BASELINES`: the mean colour of the training images, or the image
        blurred.
    seed : int
        Of noise.
    steps : int or None
        Of integrated gradients, of equal length; None: as many as are enough, halved where they miss most.
    progress : callable
        Of a number of items and their name in the plural: a context that shows how far the work is.
    """

    layer: str | None = None
    baseline: str = "mean"
    seed: int = 0
    steps: int | None = None
    progress: Callable[[int, str], AbstractContextManager[Any]] = unseen


class Plans:
    """A network with the plans that methods run, each made once.

    Parameters
    ----------
    network : Network
        Call `refresh` after its weights have changed.
    threads : int or None
        None: all cores.
    """

    def __init__(self, network: Network, *, threads: int | None = None) -> None:
        self.network = network
        self.threads = threads
        self._gradients: dict[object, Gradient] = {}
        self._inferences: dict[tuple[int, str | None], Inference] = {}

    @property
    def batch(self) -> int:
        """Images at a time: many, as long as they take little memory."""
        graph = self.network.graph
        widest = max([graph.input_shape.size, *(node.shape.size for node in graph.nodes.values())])
        return max(2, min(_MOST, _LARGEST // widest))

    def flow(
        self,
        images: Floats,
        target: Target,
        *,
        batch: int | None = None,
        wrt: Collection[str] = (INPUT,),
        keep: Collection[str] = (),
        guided: bool = False,
    ) -> Flow:
        """What flows through the network, and back from the target; ``batch`` images fit in at most."""
        layer = target.layer if isinstance(target, Aim) else None
        count = len(images) if batch is None else batch
        key = count, tuple(wrt), tuple(keep), guided, layer
        if key not in self._gradients:
            self._gradients[key] = Gradient(
                self.network, count, of=layer, wrt=wrt, keep=keep, guided=guided, threads=self.threads
            )
        start = target.start if isinstance(target, Aim) else of_class(target)
        return self._gradients[key].run(images, start)

    def outputs(self, images: Floats) -> Floats:
        """(N, K) of any number of images, before the softmax."""
        return self._inference(images, None).run(images)

    def values(self, images: Floats, target: Target) -> NDArray[np.float64]:
        """(N,) the number that is explained, of any number of images that `batch` allows."""
        if not isinstance(target, Aim):
            return value_of(target, self.outputs(images))
        return value_of(target, self._inference(images, target.layer).activations(images)[target.layer])

    def _inference(self, images: Floats, layer: str | None) -> Inference:
        batch = 1 if len(images) == 1 else self.batch  # one plan for all numbers but one
        key = batch, layer
        if key not in self._inferences:
            keep = () if layer is None else (layer,)
            self._inferences[key] = Inference(self.network, batch, threads=self.threads, keep=keep)
        return self._inferences[key]

    def refresh(self) -> None:
        """Load the network's current weights into all plans."""
        for gradient in self._gradients.values():
            gradient.refresh()
        for inference in self._inferences.values():
            inference.refresh()


def _nothing(graph: Graph) -> None:
    """What a method lacks that can be used with every network."""
    del graph


class Method(NamedTuple):
    """A method.

    Attributes
    ----------
    about : str
        What its heatmap shows, for help and completion.
    reading : str
        How to read it, with its weaknesses.
    attribute : callable
        Of `Plans`, an image (H, W, C), the `Target`, and `How`.
    of_gradients : bool
        Values are gradients: their magnitude says how much a pixel matters, their sign which way it would
        have to change.
    lacks : callable
        Of a network's graph: why the method cannot be used with it; None where it can.
    """

    about: str
    reading: str
    attribute: Callable[[Plans, Floats, Target, How], Attribution]
    of_gradients: bool = False
    lacks: Callable[[Graph], str | None] = _nothing


def of_pixels(values: Floats, about: dict[str, Any]) -> Attribution:
    """An attribution of each pixel and channel of the input."""
    return Attribution(values, np.asarray(values.sum(-1, dtype=np.float64), np.float32), about)


def baseline_of(x: Floats, kind: str) -> Floats:
    """An image in which nothing is to be seen, (H, W, C); normalised images are 0 at the mean colour."""
    return np.zeros_like(x) if kind == "mean" else blurred(x)


def blurred(x: Floats) -> Floats:
    """An image (H, W, C) without what is smaller than about a tenth of it."""
    return smoothed(x, _BLUR * max(x.shape[:2]))


def smoothed(x: Floats, sigma: float) -> Floats:
    """Maps (H, W, C) smoothed by a Gaussian of ``sigma`` pixels, mirrored outside."""
    reach = max(1, round(3 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    padded = np.pad(x.astype(np.float64), ((reach, reach), (reach, reach), (0, 0)), mode="symmetric")
    windows = np.lib.stride_tricks.sliding_window_view
    rows = windows(padded, len(kernel), axis=0) @ kernel
    return np.asarray(windows(rows, len(kernel), axis=1) @ kernel, np.float32)


def enlarged(values: Floats, height: int, width: int) -> Floats:
    """A map (h, w) at another size, by bilinear interpolation; centres of corner pixels stay at corners."""
    rows, columns = _weights(values.shape[0], height), _weights(values.shape[1], width)
    return np.asarray(rows @ values.astype(np.float64) @ columns.T, np.float32)


def _weights(count: int, wanted: int) -> NDArray[np.float64]:
    """(wanted, count): each wanted pixel from its two neighbours, as in PyTorch without align_corners."""
    at = np.clip((np.arange(wanted) + 0.5) * count / wanted - 0.5, 0, count - 1)
    below = np.minimum(at.astype(np.intp), max(count - 2, 0))
    made = np.zeros((wanted, count))
    made[np.arange(wanted), below] = 1 - (at - below)
    made[np.arange(wanted), np.minimum(below + 1, count - 1)] += at - below
    return made
