"""Correlation by the definition, in float64, pixel by pixel; nothing here comes from the package.

Images have shape (H, W, C), weights (kh, kw) are as applied to the image: no flip.
"""

import numpy as np


def pixel_at(i, n, border):
    """The pixel that stands at position i of a line of n, found by walking; None for the constant."""
    if border == "constant":
        return i if 0 <= i < n else None
    if border == "replicate":
        return sorted((0, i, n - 1))[1]
    if border == "wrap":
        while i < 0:
            i += n
        while i >= n:
            i -= n
        return i
    if n == 1:
        return 0
    edge = {"reflect": 1, "reflect101": 0}[border]  # whether the mirror stands behind the last pixel
    while not 0 <= i < n:
        i = -i - edge if i < 0 else 2 * (n - 1) + edge - i
    return i


def starts(size, extent, anchor, mode, stride):
    """The positions of a line under the kernel's first cell, one for each output."""
    first, last = {
        "same": (-anchor, size - 1 - anchor),
        "valid": (0, size - extent),
        "full": (1 - extent, size - 1),
    }[mode]
    return list(range(first, last + 1, stride))


def correlate(
    image,
    weights,
    *,
    anchor=None,
    border="reflect101",
    fill=0.0,
    mode="same",
    stride=(1, 1),
    dilation=1,
):
    """Sum of weights times pixels at every output place; ``anchor`` is (x, y), as are strides."""
    height, width, channels = image.shape
    kh, kw = weights.shape
    x_anchor, y_anchor = anchor or (kw // 2, kh // 2)
    rows = starts(height, (kh - 1) * dilation + 1, y_anchor * dilation, mode, stride[1])
    columns = starts(width, (kw - 1) * dilation + 1, x_anchor * dilation, mode, stride[0])
    pixels, numbers = image.astype(float).tolist(), weights.astype(float).tolist()
    out = np.zeros((len(rows), len(columns), channels))
    outside = [float(fill)] * channels
    for at_y, top in enumerate(rows):
        lines = [pixel_at(top + dilation * k, height, border) for k in range(kh)]
        for at_x, left in enumerate(columns):
            places = [pixel_at(left + dilation * k, width, border) for k in range(kw)]
            total = [0.0] * channels
            for line, row in zip(lines, numbers, strict=True):
                for place, weight in zip(places, row, strict=True):
                    pixel = outside if line is None or place is None else pixels[line][place]
                    for channel, value in enumerate(pixel):
                        total[channel] += weight * value
            out[at_y, at_x] = total
    return out
