"""Images as vectors: the means of a network's last feature maps, at length 1.

Legend: N images, H, W, C of the last feature maps, D floats of a vector: C and zeros that fill it up to whole
cache lines, as `cnncli.core.search` takes it.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnncli.core.search import padded_width
from cnncli.errors import CnncliError
from cnncli.nn import Graph, Inference, Network

if TYPE_CHECKING:
    from cnncli.models.architecture import Architecture
    from cnncli.tasks.preprocessing import Preprocessing

Floats = NDArray[np.float32]
_BATCH, _LARGEST = 32, 1 << 24  # images of a batch, and values of its widest layer, at most


class Embedder:
    """A network that turns images into vectors.

    An image's vector depends on no other image of its batch, nor on the number of threads, to the last bit.

    Parameters
    ----------
    network : Network
        Trained on images.
    preprocessing : Preprocessing
        How images become its input.
    threads : int
        To use.

    Attributes
    ----------
    layer : str
        Whose feature maps are pooled: `feature_layer`.
    width : int
        C: numbers of a vector that are not filling.
    batch : int
        Images to embed at a time, at most.

    Raises
    ------
    CnncliError
        Where the network has no feature maps.
    """

    def __init__(self, network: Network, preprocessing: "Preprocessing", *, threads: int) -> None:
        graph = network.graph
        self.layer = feature_layer(graph)
        self.width = graph.shape_of(self.layer).channels
        self._preprocessing = preprocessing
        widest = max(node.shape.size for node in graph.nodes.values())
        self.batch = max(1, min(_BATCH, _LARGEST // widest))
        self._inference = Inference(network, self.batch, threads=threads, keep=(self.layer,), outputs=())

    def embed(self, pixels: NDArray[np.uint8]) -> Floats:
        """Vectors of images.

        Parameters
        ----------
        pixels : ndarray, shape (N, H, W, C), uint8
            Prepared for the network; at most a batch.

        Returns
        -------
        ndarray, shape (N, D), float32
            Of length 1; zeros where no feature responds, and not finite where values overflow.
        """
        maps = self._inference.activations(self._preprocessing.normalise(pixels))[self.layer]
        return unit_rows(np.stack([pooled(each) for each in maps]))


def pooled(maps: Floats) -> NDArray[np.float64]:
    """Means over all positions: (H, W, C) becomes (C,)."""
    mean: NDArray[np.float64] = maps.reshape(-1, maps.shape[-1]).mean(axis=0, dtype=np.float64)
    return mean


def unit_rows(rows: NDArray[np.floating]) -> Floats:
    """Rows divided by their length, and filled up: (N, C) becomes (N, D). Rows of zeros stay so."""
    rows = np.asarray(rows, np.float64)
    lengths = np.sqrt((rows * rows).sum(axis=1, keepdims=True))
    out = np.zeros((len(rows), padded_width(rows.shape[1])), np.float32)
    out[:, : rows.shape[1]] = rows / np.where(lengths > 0, lengths, 1)
    return out


def feature_layer(graph: Graph) -> str:
    """The last layer before the head that has a position for its values: whose maps are larger than 1 x 1.

    Maps of classes, as of networks that end with a convolution and pooling, belong to the head.

    Raises
    ------
    CnncliError
        Where there is none.
    """
    before = graph.nodes[graph.head()].inputs[0]
    nodes = graph.pruned([before]).nodes.values() if before in graph.nodes else ()
    with_maps = [node.name for node in nodes if node.shape.height * node.shape.width > 1]
    if not with_maps:
        raise CnncliError(
            "the network has no feature maps before its last layer; expected a convolutional network",
            "Use a network with convolutions, such as imagenet.",
        )
    return with_maps[-1]


def model_digest(
    arrays: Mapping[str, NDArray[Any]], architecture: "Architecture", preprocessing: "Preprocessing"
) -> str:
    """A digest of all that an image's vector depends on, in hexadecimal.

    The same for copies of a checkpoint, wherever they lie and whatever is noted about their training.
    """
    import json
    from hashlib import sha256

    digest = sha256()
    about = [asdict(architecture), asdict(preprocessing)]
    digest.update(json.dumps(about, sort_keys=True).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"\0{name} {array.dtype.str} {array.shape}\0".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
