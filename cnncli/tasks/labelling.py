"""The class of each pixel of pictures of any size, by a network that was trained on pictures of one.

Legend: a picture has H rows and W columns, the network K classes.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cnncli.data.prepare import InputSpec, placement, prepared
from cnncli.errors import CnncliError
from cnncli.images.picture import Picture
from cnncli.images.resize import resized_values
from cnncli.nn import Inference, Network
from cnncli.nn.tiles import TiledNetwork, layer_of_wholes
from cnncli.records import replace
from cnncli.tasks.preprocessing import Preprocessing

Labels = NDArray[np.uint8]
Floats = NDArray[np.float32]


class Labeller:
    """A network for masks, ready for pictures.

    Parameters
    ----------
    network : Network
        With an output for each of K classes and each pixel.
    preprocessing : Preprocessing
        That it was trained with.
    threads : int
        To use.
    own_scale : bool
        Pictures keep their own size, and are labelled in tiles if they are large. Otherwise they are
        resized as in training, though never cut: those of another shape are larger than the network's input.

    Raises
    ------
    CnncliError
        Where the network looks at whole images, and is to label tiles.
    """

    def __init__(
        self, network: Network, preprocessing: Preprocessing, *, threads: int, own_scale: bool = False
    ) -> None:
        self._preprocessing, self._own_scale = preprocessing, own_scale
        self._classes = network.graph.output_shape.channels
        looks_at_all = layer_of_wholes(network.graph) is not None and not own_scale
        self._tiles = None if looks_at_all else TiledNetwork(network, threads=threads)
        self._whole = Inference(network, 1, threads=threads) if looks_at_all else None

    def labels(self, picture: Picture) -> Labels:
        """(H, W) the likeliest class of each pixel of a picture's first frame, of its own size.

        Where the network sees a picture in another size, its outputs are interpolated.

        Raises
        ------
        CnncliError
            Where an output is not a number, and as of `prepared`.
        """
        height, width = picture.frames[0].shape[:2]
        spec = self._preprocessing.input_spec
        high, wide = self._seen(spec, height, width)
        shape = (high, wide, spec.shape[2])
        pixels = prepared(
            picture, replace(spec, shape=shape, fit="stretch", resize=None, digits=False)
        ).pixels
        if (high, wide) == (height, width):
            labels = np.empty((height, width), np.uint8)
            for place, outputs in self._outputs(pixels):
                labels[place] = outputs.argmax(axis=-1)
            return labels
        whole = np.empty((high, wide, self._classes), np.float32)
        for place, outputs in self._outputs(pixels):
            whole[place] = outputs
        return _likeliest(whole, height, width)

    def _seen(self, spec: InputSpec, height: int, width: int) -> tuple[int, int]:
        """The size in which the network sees a picture."""
        if self._own_scale:
            return height, width
        if self._tiles is None:
            return spec.shape[:2]
        place = placement(spec, width, height)
        return place.high, place.wide

    def _outputs(self, pixels: NDArray[np.uint8]) -> Iterator[tuple[tuple[slice, slice], Floats]]:
        """Outputs (h, w, K), and the pixels that they are of."""
        if self._whole is not None:
            yield (slice(None), slice(None)), _finite(self._whole.run(self._normalised(pixels))[0])
            return
        assert self._tiles is not None
        height, width = pixels.shape[:2]

        def read(rows: slice, columns: slice) -> Floats:
            """Beyond the picture its last pixels go on."""
            down, along = (
                np.minimum(np.arange(each.start, each.stop), size - 1)
                for each, size in ((rows, height), (columns, width))
            )
            part: Floats = self._normalised(pixels[down[:, None], along])[0]
            return part

        for piece, outputs in self._tiles.run(read, height, width):
            yield (piece.rows, piece.columns), _finite(outputs)

    def _normalised(self, pixels: NDArray[np.uint8]) -> Floats:
        return self._preprocessing.normalise(pixels[None])


def _finite(outputs: Floats) -> Floats:
    if not np.isfinite(outputs).all():
        raise CnncliError(
            "the outputs of the network are not numbers: values overflow on their way; expected finite "
            "outputs",
            "Train the network again with a lower --lr, or copy the checkpoint again from where it came.",
        )
    return outputs


def _likeliest(outputs: Floats, height: int, width: int) -> Labels:
    """(height, width) classes of the largest of outputs (h, w, K), interpolated."""
    labels = np.zeros((height, width), np.uint8)
    best = resized_values(outputs[..., 0], width, height)
    for k in range(1, outputs.shape[2]):
        values = resized_values(outputs[..., k], width, height)
        more = values > best
        labels[more] = k
        np.maximum(best, values, out=best)
    return labels
