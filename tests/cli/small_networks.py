"""Checkpoints small enough to work out by hand: one fully connected layer, or a few seeded ones."""

import io

import numpy as np
from PIL import Image

from cnncli.models.architecture import Architecture
from cnncli.models.choice import architecture
from cnncli.nn import INPUT, Conv, GlobalAvgPool, Graph, Network, ScaleChannels
from cnncli.nn.exchange import as_dict
from cnncli.tasks.classification import Classification
from cnncli.tasks.detection import Detection
from cnncli.tasks.preprocessing import Preprocessing
from cnncli.tasks.segmentation import Segmentation
from cnncli.training.checkpoint import Checkpoint, save_checkpoint

CLASSES = ("night", "day", "stripes")
SHAPE = (6, 5, 1)
MEAN, STD = 0.4, 0.3


def save_linear(path, rng, *, shape=SHAPE, classes=CLASSES, digits=False, spread=0.3):
    """Write a checkpoint of one layer with random weights; its weight (K, C, H, W) and bias."""
    height, width, channels = shape
    weight = rng.normal(0, spread, (len(classes), channels * height * width)).astype(np.float32)
    bias = rng.normal(0, 0.5, len(classes)).astype(np.float32)
    save_checkpoint(
        path,
        Checkpoint(
            {"head.weight": weight, "head.bias": bias},
            Classification(tuple(classes)),
            Preprocessing((height, width), channels, (MEAN,) * channels, (STD,) * channels, digits),
            Architecture("custom", "fc", shape, len(classes)),
        ),
    )
    return weight.reshape(len(classes), channels, height, width), bias


def save_seeded(path, *, layers="conv4 bn relu pool conv6 relu gap fc", shape=(12, 10, 1), classes=CLASSES):
    """Write a checkpoint of a small convolutional network with its first weights; the network."""
    model = Architecture("custom", layers, shape, len(classes))
    network = Network(model.graph(seed=3), seed=3)
    channels = shape[2]
    save_checkpoint(
        path,
        Checkpoint(
            network.export(),
            Classification(tuple(classes)),
            Preprocessing(shape[:2], channels, (MEAN,) * channels, (STD,) * channels),
            model,
        ),
    )
    return network


def save_dense(path):
    """Write a checkpoint of a small U-Net, which has outputs for each of 32 x 32 pixels."""
    model = architecture("unet:width=0.05", (32, 32, 1), len(CLASSES), of="pixels")
    weights = Network(model.graph(), seed=3).export()
    pre = Preprocessing((32, 32), 1, (MEAN,), (STD,))
    save_checkpoint(path, Checkpoint(weights, Segmentation(CLASSES), pre, model))


def save_detector(path, task=None):
    """Write a checkpoint of a small detector with its first weights, for 32 x 32 pixels."""
    task = task or Detection(CLASSES)
    model = architecture("detector:neck=8", (32, 32, 1), len(CLASSES), of="boxes")
    weights = Network(model.graph(seed=3), seed=3).export()
    pre = Preprocessing((32, 32), 1, (MEAN,), (STD,))
    save_checkpoint(path, Checkpoint(weights, task, pre, model))


def probabilities(pixels, weight, bias):
    """What the linear network answers to pixels (H, W), in float64."""
    x = (pixels.astype(np.float64) / 255 - MEAN) / STD
    outputs = (weight.astype(np.float64) * x).sum(axis=(1, 2, 3)) + bias
    shares = np.exp(outputs - outputs.max())
    return shares / shares.sum()


def save_gray(path, rng, shape=SHAPE[:2]):
    """Write a PNG of noise; its pixels."""
    pixels = rng.integers(0, 256, shape).astype(np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


def png(pixels):
    """Pixels as the bytes of a PNG."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def save_for_masks(path, *, shape=(8, 8, 1), whole=False):
    """Write a checkpoint of one 1x1 convolution that tells dark, gray and bright pixels apart.

    With ``whole``, the mean of the image is added to each pixel first.
    """
    graph = Graph(shape)
    if whole:
        graph.add(ScaleChannels(), inputs=(INPUT, graph.add(GlobalAvgPool())))
    head = graph.add(Conv(3, 1), name="head")
    network = Network(graph, scheme=None)
    # Of v, 0 to 1: the largest of 0, 3 v - 1 and 6 v - 3, which change places at 1/3 and 2/3.
    slope, offset = np.array([0, 3, 6], np.float32), np.array([0, -1, -3], np.float32)
    network.load({f"{head}.weight": slope.reshape(3, 1, 1, 1), f"{head}.bias": offset})
    height, width, channels = shape
    save_checkpoint(
        path,
        Checkpoint(
            network.export(),
            Segmentation(("dark", "gray", "bright")),
            Preprocessing((height, width), channels, (0.0,), (1.0,)),
            Architecture("custom", None, shape, 3, as_dict(graph)),
        ),
    )
