"""Checkpoints small enough to work out by hand: one fully connected layer, or a few seeded ones."""

import io

import numpy as np
from PIL import Image

from cnncli.models.architecture import Architecture
from cnncli.nn import Network
from cnncli.tasks.classification import Classification
from cnncli.tasks.preprocessing import Preprocessing
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
    architecture = Architecture("custom", layers, shape, len(classes))
    network = Network(architecture.graph(seed=3), seed=3)
    channels = shape[2]
    save_checkpoint(
        path,
        Checkpoint(
            network.export(),
            Classification(tuple(classes)),
            Preprocessing(shape[:2], channels, (MEAN,) * channels, (STD,) * channels),
            architecture,
        ),
    )
    return network


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
