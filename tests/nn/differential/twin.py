"""The same network in PyTorch, in double precision, from the words alone."""

import zlib

import numpy as np
import torch
from torch.nn import functional

ACTIVATIONS = {
    "relu": functional.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "silu": functional.silu,
    "gelu": functional.gelu,
}
NAMES = {"conv": "conv", "fc": "linear", "bn": "batchnorm", "dropout": "dropout"}
DECAYS = ("conv", "fc")  # whose weights decay; biases and norms do not


class Twin:
    """Words, and numbers by the names that ours have."""

    def __init__(self, recipe):
        self.recipe = recipe
        self.names = self._names()
        self.arrays = {}
        self.training = True
        self.step = 0
        self.image = None  # (C, H, W) of what has been flattened, as long as it is that image
        self.noise = None  # a generator, to see how far rounding may reach

    def _names(self):
        """Of each word: its kind and its number among its kind."""
        counts, names = {}, []
        for word in self.recipe.words:
            kind = NAMES.get(word.kind, word.kind)
            counts[kind] = counts.get(kind, 0) + 1
            names.append(f"{kind}{counts[kind]}")
        return [*names[:-1], "head"]

    def load(self, arrays, kind=torch.float64):
        """Take over numbers; those that are trained get gradients."""
        self.arrays = {
            name: torch.tensor(value, dtype=kind, requires_grad="running" not in name)
            for name, value in arrays.items()
        }

    def run(self, images):
        """Outputs (N, K) of images (N, H, W, C)."""
        kind = next(iter(self.arrays.values())).dtype
        x = torch.as_tensor(images, dtype=kind).permute(0, 3, 1, 2)
        self.image = None
        for number, (word, name) in enumerate(zip(self.recipe.words, self.names, strict=True)):
            x = self._word(x, word, name, number + 1)
            if self.noise is not None:
                x = self._shaken(x)
        return x.flatten(1)

    def _shaken(self, x):
        x = x + self._tremble(x)
        if x.requires_grad:
            x.register_hook(lambda slope: slope + self._tremble(slope))
        return x

    def _tremble(self, x):
        return 3e-7 * x.detach().abs().amax() * torch.randn(x.shape, generator=self.noise, dtype=x.dtype)

    def _word(self, x, word, name, number):
        if word.kind in ("conv", "fc"):
            self.image = None
        if word.kind in ACTIVATIONS:
            return ACTIVATIONS[word.kind](x)
        if word.kind == "leaky":
            return functional.leaky_relu(x, word.number)
        if word.kind == "conv":
            weight, bias = self.arrays[f"{name}.weight"], self.arrays.get(f"{name}.bias")
            return functional.conv2d(x, weight, bias, word.stride, word.padding, word.dilation, word.groups)
        if word.kind == "fc":
            y = functional.linear(x.flatten(1), self.arrays[f"{name}.weight"], self.arrays[f"{name}.bias"])
            return y[:, :, None, None]
        if word.kind == "bn":
            parts = [self.arrays[f"{name}.{p}"] for p in ("running_mean", "running_var", "weight", "bias")]
            if self.noise is not None and self.training:
                return self._shaken_norm(x, *parts)
            return functional.batch_norm(x, *parts, training=self.training)
        if word.kind == "maxpool":
            return functional.max_pool2d(x, word.kernel, word.stride, word.padding)
        if word.kind == "avgpool":
            return functional.avg_pool2d(x, word.kernel, word.stride, word.padding)
        if word.kind == "gap":
            return functional.adaptive_avg_pool2d(x, 1)
        if word.kind == "flatten":
            self.image = x.shape[1:] if self.image is None else self.image
            return x.flatten(1)[:, :, None, None]
        if word.kind == "dropout":
            return self._dropped(x, word, name, number)
        raise ValueError(word.kind)

    def _dropped(self, x, word, name, number):
        """PyTorch cannot draw our masks: they are drawn here once more."""
        if not self.training:
            return x
        seed = self.recipe.seed * 1009 + number
        shape = (len(x), *(self.image or x.shape[1:]))
        stays = dropout_mask(shape, zlib.crc32(f"{seed} {name}".encode()), self.step, word.number)
        return x * torch.tensor(stays, dtype=x.dtype).reshape(x.shape) / (1 - word.number)

    def _shaken_norm(self, x, *parts):
        """A batch norm whose statistics, and what it takes off gradients, are off by rounding as well.

        A value that is the same for all pixels of a channel is rounded alike in all of them.
        """
        *running, weight, bias = parts
        slopes = []

        def alike(size):
            noise = torch.randn((1, x.shape[1], 1, 1), generator=self.noise, dtype=x.dtype)
            return 3e-7 * size * noise

        if x.requires_grad:
            x = x * 1
            x.register_hook(lambda slope: slope + alike(slopes[-1]))
        mean = self._shaken(x.mean((0, 2, 3), keepdim=True) + alike(x.detach().abs().amax()))
        centred = self._shaken(x - mean)
        if x.requires_grad:
            centred.register_hook(lambda slope: slopes.append(slope.abs().amax()))
        variance = self._shaken((centred**2).mean((0, 2, 3), keepdim=True))
        count = x.numel() // x.shape[1]
        for kept, new in ((running[0], mean), (running[1], variance * count / (count - 1))):
            kept.mul_(0.9).add_(0.1 * new.detach().flatten())
        normal = self._shaken(centred / (variance + 1e-5).sqrt())
        return normal * weight[:, None, None] + bias[:, None, None]

    def gradients(self):
        return {name: each.grad.numpy() for name, each in self.arrays.items() if each.grad is not None}


def _hashed(x):
    x = np.asarray(x, np.uint32)
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B)
    return x ^ (x >> np.uint32(16))


def dropout_mask(shape, key, step, share):
    """(N, C, H, W) of 0 and 1: a hash of layer, step, sample and place, as ``core/loops/dropout.py`` says."""
    golden = np.uint32(0x9E3779B9)
    samples, channels, height, width = shape
    with np.errstate(over="ignore"):
        key = _hashed(np.uint32(key) * golden + np.uint32(step))
        keys = _hashed(key * golden + np.arange(samples, dtype=np.uint32))[:, None]
        places = np.arange(height * width * channels, dtype=np.uint32)[None]
        bits = _hashed(_hashed((places * golden) ^ keys) + keys) >> np.uint32(8)
    stays = (bits * 2.0**-24 >= np.float32(share)).reshape(samples, height, width, channels)
    return stays.transpose(0, 3, 1, 2)


def optimiser(recipe, arrays):
    """PyTorch's optimiser of a recipe, for numbers by name."""
    name, settings = recipe.optimiser
    settings = dict(settings)
    decay = settings.pop("weight_decay", 0.0)
    weights = [v for k, v in arrays.items() if k.endswith("weight") and not k.startswith("batchnorm")]
    others = [v for k, v in arrays.items() if not any(v is weight for weight in weights)]
    groups = [{"params": weights, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]
    if name in ("SGD", "Nesterov", "Dampened"):
        return torch.optim.SGD(groups, lr=recipe.rate, nesterov=name == "Nesterov", **settings)
    return getattr(torch.optim, name)(groups, lr=recipe.rate, **settings)
