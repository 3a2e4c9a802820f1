"""A PyTorch script as its users write it: load the digit model, decode a picture, print the label.

Usage: ``torch_predict.py WEIGHTS PICTURE MEAN STD``, for a gray picture of 28x28.
"""

import sys
from collections import OrderedDict

import numpy as np
import torch
from PIL import Image
from torch import nn


def block(number, inputs, outputs, kernel, padding):
    """A convolution with its batch norm and ReLU, named as in the checkpoint."""
    return [
        (f"conv{number}", nn.Conv2d(inputs, outputs, kernel, padding=padding, bias=False)),
        (f"batchnorm{number}", nn.BatchNorm2d(outputs)),
        (f"relu{number}", nn.ReLU(inplace=True)),
    ]


def compact():
    """The network `compact` for 28x28x1 and ten classes."""
    layers = [
        *block(1, 1, 16, 5, 2),
        ("maxpool1", nn.MaxPool2d(2)),
        *block(2, 16, 32, 3, 1),
        *block(3, 32, 32, 3, 1),
        ("maxpool2", nn.MaxPool2d(2)),
        *block(4, 32, 64, 3, 1),
        *block(5, 64, 64, 3, 0),
        ("maxpool3", nn.MaxPool2d(2)),
        ("dropout1", nn.Dropout(0.2)),
        ("flatten1", nn.Flatten()),
        ("head", nn.Linear(256, 10)),
    ]
    return nn.Sequential(OrderedDict(layers))


def main():
    """Print the name of the picture and its label."""
    weights, picture, mean, std = sys.argv[1:]
    network = compact()
    network.load_state_dict(torch.load(weights, weights_only=True))
    network.eval()
    with Image.open(picture) as image:
        pixels = np.asarray(image.convert("L"), np.float32) / 255
    batch = torch.from_numpy((pixels - float(mean)) / float(std))[None, None].float()
    with torch.inference_mode():
        print(f"{picture},{int(network(batch).argmax())}")


if __name__ == "__main__":
    main()
