"""Published networks: names, shapes and counts as torchvision 0.28 and timm 1.0 have them.

``state_dicts.json.gz`` was written by those packages (the networks for 28x28 and 32x32 by common code in
PyTorch): of each network its parameters, multiply-adds at its usual size, and the shape of each key.
"""

import gzip
import json
from pathlib import Path

PUBLISHED = json.loads(gzip.decompress(Path(__file__).with_name("state_dicts.json.gz").read_bytes()))
PHOTOGRAPH = ((224, 224, 3), 1000)
#: By the name there, ours with image and classes.
OURS = {
    "tv/alexnet": ("alexnet", *PHOTOGRAPH),
    **{f"tv/vgg{n}": (f"vgg{n}", *PHOTOGRAPH) for n in (11, 13, 16, 19)},
    **{f"tv/vgg{n}_bn": (f"vgg{n}-bn", *PHOTOGRAPH) for n in (11, 13, 16, 19)},
    "tv/googlenet(aux)": ("googlenet:aux", *PHOTOGRAPH),
    "tv/googlenet(noaux)": ("googlenet", *PHOTOGRAPH),
    **{f"tv/resnet{n}": (f"resnet{n}", *PHOTOGRAPH) for n in (18, 34, 50, 101)},
    **{f"tv/squeezenet{n}_{m}": (f"squeezenet{n}.{m}", *PHOTOGRAPH) for n, m in ((1, 0), (1, 1))},
    **{f"tv/densenet{n}": (f"densenet{n}", *PHOTOGRAPH) for n in (121, 169, 201)},
    "tv/mobilenet_v2": ("mobilenet-v2", *PHOTOGRAPH),
    **{f"timm/seresnet{n}": (f"seresnet{n}", *PHOTOGRAPH) for n in (18, 34, 50)},
    **{f"cifar resnet{n} (opt A)": (f"resnet{n}", (32, 32, 3), 10) for n in (20, 32, 56)},
    "lenet5 28x28 pad2": ("lenet5", (28, 28, 1), 10),
    "lenet5 3x32x32": ("lenet5", (32, 32, 3), 10),
}
LEGACY = {name for name in PUBLISHED if "legacy" in name}  # other names and strides: not built here
