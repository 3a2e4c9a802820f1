"""The gradient of one layer's weights from that of its output: the chain rule, written out in NumPy.

Training computes these gradients in native loops, summed over a batch and with the batch's statistics in its
norms. This is the same sum for a single image in a network that is not being trained, where figures and
explanations need it.
"""

import numpy as np
from numpy.typing import NDArray

from cnncli.nn.graph import Node
from cnncli.nn.layers.convolution import Conv
from cnncli.nn.layers.linear import Linear

Floats = NDArray[np.float32]


def has_weights(node: Node) -> bool:
    """Whether `weight_gradient` knows the layer."""
    return isinstance(node.layer, Conv | Linear)


def weight_gradient(node: Node, x: Floats, dout: Floats) -> Floats:
    """The gradient of the weights of a convolution or a fully connected layer.

    dLoss/dw(k, c, i, j) is the sum over the rows y and columns x of dLoss/dout(y, x, k) times
    dout(y, x, k)/dw(k, c, i, j), which is the input's value under that weight.

    Parameters
    ----------
    node : Node
        The layer.
    x : ndarray, shape (H, W, C)
        Its input for one image.
    dout : ndarray, shape (H', W', K)
        The gradient with respect to its output.

    Returns
    -------
    ndarray, shape (K, C / groups, kh, kw)
        Of a fully connected layer (K, C), with C in the order of the input's memory.
    """
    if not isinstance(node.layer, Conv):
        return np.outer(dout.ravel(), x.ravel())
    groups = node.layer.groups
    rows, columns = node.layer.window(node.input_shapes[0])
    height, width, count = dout.shape
    padded = np.pad(x, ((rows.before, rows.after), (columns.before, columns.after), (0, 0)))
    slopes = dout.reshape(height * width, groups, count // groups).transpose(1, 2, 0)
    channels = x.shape[2] // groups
    out = np.empty((count, channels, rows.size, columns.size), np.float32)
    for i in range(rows.size):
        for j in range(columns.size):
            top, left = i * rows.dilation, j * columns.dilation
            under = padded[top :: rows.stride, left :: columns.stride][:height, :width]
            under = under.reshape(height * width, groups, channels).transpose(1, 0, 2)
            out[:, :, i, j] = (slopes @ under).reshape(count, channels)
    return out
