"""What several families share: numbered layers, narrow and wide forms, and stems for small images."""

from collections.abc import Sequence

from cnncli.nn import BatchNorm, Conv, Graph, Layer, Relu

SMALL = 64  # pixels: images with a shorter side get a stem that keeps their resolution
_MULTIPLE = 8  # of channels, so that vectors are full


def numbered(graph: Graph, scope: str, layers: Sequence[Layer]) -> str:
    """Add layers named by their number within a scope, as those of a ``Sequential`` in PyTorch.

    Returns
    -------
    str
        Whole name of the last one.
    """
    with graph.scope(scope):
        return graph.add(*layers, names=[str(number) for number in range(len(layers))])


def conv_bn(graph: Graph, number: str, conv: Conv, norm: BatchNorm, *, relu: bool = True) -> str:
    """Add a convolution, its batch norm and perhaps a ReLU: ``conv1``, ``bn1`` and ``relu1``.

    Returns
    -------
    str
        Whole name of the last one.
    """
    layers, names = [conv, norm], [f"conv{number}", f"bn{number}"]
    if relu:
        return graph.add(*layers, Relu(), names=[*names, f"relu{number}"])
    return graph.add(*layers, names=names)


def widened(channels: int, width: float) -> int:
    """``channels`` times ``width``: the nearest multiple of 8, at least 8; itself where width is 1."""
    return channels if width == 1 else max(_MULTIPLE, round(channels * width / _MULTIPLE) * _MULTIPLE)


def in_eights(channels: float) -> int:
    """The nearest multiple of 8, at least 8; halves go up."""
    return max(_MULTIPLE, int(channels + _MULTIPLE / 2) // _MULTIPLE * _MULTIPLE)


def kept_in_eights(channels: float) -> int:
    """The nearest multiple of 8, but not less than nine tenths."""
    nearest = in_eights(channels)
    return nearest if nearest >= 0.9 * channels else nearest + _MULTIPLE


def is_small(input_shape: tuple[int, int, int]) -> bool:
    """Whether images are too small for a stem that quarters their resolution."""
    return min(input_shape[:2]) < SMALL
