"""Every layer once more: float64, slow, by definition; and gradients by central differences."""

import math

import numpy as np


def windows(size, kernel, stride, dilation):
    """For each output position: the padded input positions under the kernel."""
    count = (size - dilation * (kernel - 1) - 1) // stride + 1
    return [[o * stride + i * dilation for i in range(kernel)] for o in range(count)]


def both(padding):
    """(before, after) of rows and of columns, from numbers or pairs."""
    return [(each, each) if isinstance(each, int) else tuple(each) for each in padding]


def conv(x, weight, bias, *, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1):
    x = np.pad(x, ((0, 0), *both(padding), (0, 0)))
    outputs, each, kh, kw = weight.shape
    rows = windows(x.shape[1], kh, stride[0], dilation[0])
    columns = windows(x.shape[2], kw, stride[1], dilation[1])
    seen = x[:, rows][:, :, :, columns]  # N, output row, kernel row, output column, kernel column, C
    y = np.zeros((len(x), len(rows), len(columns), outputs))
    share = outputs // groups
    for group in range(groups):
        first, last = group * share, (group + 1) * share
        window = seen[..., group * each : (group + 1) * each]
        y[..., first:last] = np.tensordot(window, weight[first:last], ([2, 4, 5], [2, 3, 1]))
    return y if bias is None else y + bias


def same_padding(size, kernel, stride, dilation):
    """TensorFlow's SAME, as its documentation says it (https://www.tensorflow.org/api_docs/python/tf/nn)."""
    reach = (kernel - 1) * dilation + 1
    zeros = max(reach - stride, 0) if size % stride == 0 else max(reach - size % stride, 0)
    return zeros // 2, zeros - zeros // 2


def pool(x, *, window, stride, padding, ceil, average, count_padding):
    n, height, width, channels = x.shape
    ranges = []
    padding = both(padding)
    for size, w, s, (p, after) in zip((height, width), window, stride, padding, strict=True):
        count = (math.ceil if ceil else math.floor)((size + p + after - w) / s) + 1
        if ceil and (count - 1) * s >= size + p:
            count -= 1
        ranges.append([range(o * s - p, o * s - p + w) for o in range(count)])
    y = np.zeros((n, len(ranges[0]), len(ranges[1]), channels))
    for i, rows in enumerate(ranges[0]):
        for j, columns in enumerate(ranges[1]):
            inside = [r for r in rows if 0 <= r < height], [c for c in columns if 0 <= c < width]
            values = x[:, inside[0]][:, :, inside[1]].reshape(n, -1, channels)
            size = values.shape[1]
            if count_padding:
                size = sum(r < height + padding[0][1] for r in rows) * sum(
                    c < width + padding[1][1] for c in columns
                )
            y[:, i, j] = values.sum(1) / size if average else values.max(1)
    return y


def batch_norm(x, weight, bias, epsilon=1e-5):
    mean = x.mean((0, 1, 2))
    variance = ((x - mean) ** 2).mean((0, 1, 2))
    return (x - mean) / np.sqrt(variance + epsilon) * weight + bias


def response_norm(x, *, size, alpha, beta, bias):
    y = np.empty_like(x)
    for c in range(x.shape[3]):
        near = x[..., max(0, c - size // 2) : c + (size - 1) // 2 + 1]
        y[..., c] = x[..., c] / (bias + alpha / size * (near**2).sum(-1)) ** beta
    return y


def normal_share(x):
    return 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


ACTIVATIONS = {
    "Relu": lambda x: np.maximum(x, 0),
    "Relu6": lambda x: np.clip(x, 0, 6),
    "LeakyRelu": lambda x: np.where(x > 0, x, 0.01 * x),
    "Sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "Tanh": np.tanh,
    "Silu": lambda x: x / (1 + np.exp(-x)),
    "Gelu": lambda x: x * normal_share(x),
}


def slope(function, arrays, name, direction, step=1e-6):
    """Central difference of a scalar function of named arrays along a direction of one of them."""
    ahead, behind = dict(arrays), dict(arrays)
    ahead[name] = arrays[name] + step * direction
    behind[name] = arrays[name] - step * direction
    return (function(ahead) - function(behind)) / (2 * step)
