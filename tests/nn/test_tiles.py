"""Networks in tiles: the same bits as for the whole image, for random small U-Nets and images of any size."""

import numpy as np
import pytest

from cnncli.errors import CnncliError
from cnncli.models.choice import build
from cnncli.nn import (
    BatchNorm,
    Concat,
    Conv,
    ConvTranspose,
    GlobalAvgPool,
    Graph,
    Inference,
    MaxPool,
    Network,
    Relu,
    ScaleChannels,
    Sigmoid,
    Upsample,
)
from cnncli.nn.tiles import TiledNetwork, _read, resized
from cnncli.nn.window import Axis


def random_unet(random, side=32):
    """Two or three levels, of random kernels, maps and ways up; perhaps with a stride at its start."""
    graph = Graph((side, side, int(random.choice([1, 3]))))
    stride, levels = int(random.integers(1, 3)), int(random.integers(1, 3))
    maps = [int(random.choice([5, 8, 16, 24])) for _ in range(levels + 1)]

    def block(k):
        kernel = int(random.choice([3, 3, 5]))
        dilation = int(random.integers(1, 3))
        graph.add(Conv(k, kernel, padding=dilation * (kernel // 2), dilation=dilation, bias=False))
        graph.add(BatchNorm(), Relu())
        return graph.add(Conv(k, 3, padding=1), Relu())

    graph.add(Conv(maps[0], 3, stride, padding=1))
    skips = [block(maps[0])]
    for each in maps[1:]:
        graph.add(MaxPool(2))
        skips.append(block(each))
    for number, each in enumerate(reversed(maps[:-1]), 1):
        kind = int(random.integers(3))
        up = ConvTranspose(each, 2, 2) if kind == 0 else Upsample(2, ["nearest", "bilinear"][kind - 1])
        finer = graph.add(up)
        graph.add(Concat(), inputs=(skips[-1 - number], finer))
        block(each)
    graph.add(ConvTranspose(3, stride, stride))
    return graph


def whole(network, image, size):
    """Outputs of one pass over an image that is filled up with zeros."""
    same = Network(resized(network.graph, size), scheme=None)
    same.load(network.export())
    padded = np.zeros((1, *size, image.shape[2]), np.float32)
    padded[0, : image.shape[0], : image.shape[1]] = image
    return Inference(same, 1, threads=1).run(padded)[0, : image.shape[0], : image.shape[1]]


def tiled(tiles, image):
    """The same in tiles; where no piece is, NaN stays."""
    height, width, channels = image.shape
    found = []

    def read(rows, columns):
        part = np.zeros((rows.stop - rows.start, columns.stop - columns.start, channels), np.float32)
        inside = image[rows, columns]
        part[: inside.shape[0], : inside.shape[1]] = inside
        return part

    out = None
    for piece, outputs in tiles.run(read, height, width):
        if out is None:
            out = np.full((height, width, outputs.shape[-1]), np.nan, np.float32)
        assert np.isnan(out[piece.rows, piece.columns]).all()  # each pixel once
        out[piece.rows, piece.columns] = outputs
        found.append(piece)
    return out, len(found)


@pytest.mark.parametrize("seed", range(8))
def test_tiles_are_the_whole_bit_for_bit(seed):
    random = np.random.default_rng(seed)
    network = Network(random_unet(random), seed=seed)
    tiles = TiledNetwork(network, threads=2, side=1)
    side = tiles.padded(1, 1)[0]
    tall, wide = int(random.integers(1, 2 * side)), 7 * tiles.margin + int(random.integers(side))
    image = random.normal(size=(tall, wide, network.graph.input_shape.channels)).astype(np.float32)
    out, count = tiled(tiles, image)
    assert count > 1
    np.testing.assert_array_equal(out, whole(network, image, tiles.padded(tall, wide)))


def test_tiles_in_both_directions():
    graph = Graph((16, 16, 1))
    skip = graph.add(Conv(16, 3, padding=1), Relu())
    graph.add(MaxPool(2), Conv(16, 3, padding=1), Relu())
    graph.add(Concat(), inputs=(skip, graph.add(Upsample(2, "bilinear"))))
    graph.add(Conv(2, 3, padding=1))
    tiles = TiledNetwork(Network(graph, seed=1), threads=1, side=1)
    image = np.random.default_rng(0).normal(size=(301, 257, 1)).astype(np.float32)
    out, count = tiled(tiles, image)
    assert count >= 9
    np.testing.assert_array_equal(out, whole(tiles.network, image, tiles.padded(301, 257)))


def test_tiles_of_a_pyramid_for_masks():
    network = Network(build("segmenter:width=0.25", (32, 32, 1), 3), seed=2)
    tiles = TiledNetwork(network, threads=1, side=1)
    image = np.random.default_rng(2).normal(size=(90, 9 * tiles.margin, 1)).astype(np.float32)
    out, count = tiled(tiles, image)
    assert count > 1
    np.testing.assert_array_equal(out, whole(network, image, tiles.padded(*image.shape[:2])))


def test_memory_for_a_tile_is_bounded():
    """Of the largest network, a tile's widest layer takes 256 MB or what three margins take."""
    tiles = TiledNetwork(Network(build("unet:width=0.5", (64, 64, 3), 2), scheme=None), threads=1)
    high, wide = tiles.tile(10_000, 10_000)
    assert max(high, wide) <= 1600


def test_margins_are_no_smaller_than_what_outputs_depend_on():
    """A change of one pixel changes outputs up to the margin at most, and others not at all."""
    network = Network(build("unet:width=0.125,stride=2", (32, 32, 1), 2), seed=3)
    tiles = TiledNetwork(network, threads=1)
    size = tiles.padded(1, 2 * tiles.margin + 200)
    image = np.random.default_rng(1).normal(size=(*size, 1)).astype(np.float32)
    other = image.copy()
    at = size[1] // 2
    other[:, at] += 5
    changed = (whole(network, image, size) != whole(network, other, size)).any(axis=(0, 2))
    reached = np.abs(np.flatnonzero(changed) - at).max()
    assert 0 < reached <= tiles.margin


@pytest.mark.parametrize(
    "layers",
    [
        lambda graph: graph.add(
            ScaleChannels(), inputs=(graph.output, graph.add(GlobalAvgPool(), Conv(4, 1), Sigmoid()))
        ),
    ],
)
def test_what_looks_at_the_whole_image_is_refused(layers):
    graph = Graph((16, 16, 1))
    graph.add(Conv(4, 3, padding=1), Relu())
    layers(graph)
    with pytest.raises(CnncliError, match="globalavgpool1 looks at the whole image"):
        TiledNetwork(Network(graph), threads=1)


def test_outputs_that_are_not_of_pixels_are_refused():
    graph = Graph((16, 16, 1))
    graph.add(Conv(4, 3, 2, padding=1))
    with pytest.raises(CnncliError, match="expected one for each pixel"):
        TiledNetwork(Network(graph), threads=1)


@pytest.mark.parametrize(
    "axis",
    [
        Axis(3, before=1, after=1),
        Axis(5, stride=2, before=2, after=2),
        Axis(3, stride=3, before=0, dilation=2),
        Axis(2, before=1, dilation=3),
        Axis(4, before=1, after=1, upsampled=2),
        Axis(2, upsampled=3),
        Axis(5, before=2, after=2, upsampled=3),
        Axis(6, before=1, upsampled=4),
    ],
)
def test_which_inputs_outputs_depend_on(axis):
    """Tap by tap: of a window over inputs, and of one in outputs that an input adds to."""
    taps = [tap * axis.dilation for tap in range(axis.size)]
    for first, last in ((0, 1), (5, 9), (12, 13), (7, 30)):
        if axis.upsampled == 1:
            seen = {out * axis.stride - axis.before + tap for out in range(first, last) for tap in taps}
        else:
            seen = {
                at
                for at in range(-20, 60)
                for tap in taps
                if first <= at * axis.upsampled - axis.before + tap < last
            }
        if seen:
            assert _read(axis, first, last) == (min(seen), max(seen) + 1)
