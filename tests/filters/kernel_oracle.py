"""Plain loops in float64: what a filter answers at one pixel."""

import functools
import math

import numpy as np
from scipy import ndimage

from cnncli.filters.kinds.bank import Bank
from cnncli.filters.kinds.bilateral import Bilateral
from cnncli.filters.kinds.canny import Canny
from cnncli.filters.kinds.clahe import Clahe
from cnncli.filters.kinds.gradient import Gradient
from cnncli.filters.kinds.kuwahara import Kuwahara
from cnncli.filters.kinds.levels import Levels
from cnncli.filters.kinds.linear import Linear
from cnncli.filters.kinds.median import Median
from cnncli.filters.kinds.morphology import Morphology
from cnncli.filters.kinds.pair import Pair
from cnncli.filters.kinds.zero_crossings import ZeroCrossings
from cnncli.filters.model import Filter, Move


def response(weights, patch, x, y, anchor=None):
    """Convolve by the definition; pixels outside are the nearest inside."""
    kh, kw = weights.shape
    ax, ay = anchor or (kw // 2, kh // 2)
    height, width = len(patch), len(patch[0])
    total = 0.0
    for row in range(kh):
        for column in range(kw):
            i = min(max(x + ax - column, 0), width - 1)
            j = min(max(y + ay - row, 0), height - 1)
            total += float(weights[row, column]) * patch[j][i]
    return total


def window(patch, x, y, size):
    half = size // 2
    for j in range(y - half, y + half + 1):
        for i in range(x - half, x + half + 1):
            inside = patch[min(max(j, 0), len(patch) - 1)][min(max(i, 0), len(patch[0]) - 1)]
            yield i - x, j - y, inside


def sobel_magnitude(patch, x, y):
    weights = np.array([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]]) / 4
    return math.hypot(response(weights, patch, x, y), response(weights.T, patch, x, y))


def morphology(operation, image, cells):
    """By scipy; pixels outside do not count."""
    low = functools.partial(ndimage.minimum_filter, footprint=cells, mode="constant", cval=np.inf)
    high = functools.partial(ndimage.maximum_filter, footprint=cells, mode="constant", cval=-np.inf)
    image = image.astype(np.float64)
    found = {
        "erode": lambda: low(image),
        "dilate": lambda: high(image),
        "open": lambda: high(low(image)),
        "close": lambda: low(high(image)),
        "tophat": lambda: image - high(low(image)),
        "blackhat": lambda: low(high(image)) - image,
        "morph-gradient": lambda: high(image) - low(image),
    }
    return found[operation]()


def level(name, patch, here):
    """By the definitions, of a patch whose white is 1."""
    values = np.sort(np.unique(patch))
    counts = [np.count_nonzero(patch <= value) - np.count_nonzero(patch == values[0]) for value in values]
    return {
        "invert": lambda: 1 - here,
        "gamma": lambda: math.sqrt(here),
        "gray": lambda: here,
        "threshold": lambda: float(here > 0.5),
        "normalize": lambda: (here - values[0]) / (values[-1] - values[0]),
        "equalize": lambda: counts[list(values).index(here)] / counts[-1],
    }[name]()


def pair(found, here):
    """With the level in place of a second picture."""
    other = found.level
    return {
        "add": here + other,
        "subtract": here - other,
        "difference": abs(here - other),
        "multiply": here * other,
        "screen": 1 - (1 - here) * (1 - other),
        "darken": min(here, other),
        "lighten": max(here, other),
        "blend": (1 - found.share) * here + found.share * other,
    }[found.operation]


#: The results of the catalog's examples.
MOVED = {
    "resize:size=50%,interpolation=area": lambda image: image.reshape(2, 2, 2, 2).mean(axis=(1, 3)),
    "crop:area=1x1+2+0,gravity=northwest": lambda image: image[:1, 2:3],
    "rotate:angle=90,interpolation=bilinear,fill=0": lambda image: np.rot90(image, -1),
    "flip:direction=vertical": np.flipud,
    "flop": np.fliplr,
    "transpose": np.transpose,
}


def answer(found: Filter, patch, x, y):
    """Answer for every kind of filter."""
    if isinstance(found, Linear):
        return response(found.weights, patch, x, y, found.anchor)
    if isinstance(found, Gradient):
        dx, dy = (response(weights, patch, x, y) for weights in (found.dx, found.dy))
        return math.hypot(dx, dy) if found.output == "magnitude" else math.atan2(dy, dx)
    if isinstance(found, Bank):
        values = [response(weights, patch, x, y) for weights in found.bank]
        if found.output == "energy":
            return math.sqrt(sum(value * value for value in values))
        keys = [abs(value) if found.rectified else value for value in values]
        return found.angles[keys.index(max(keys))] if found.output == "direction" else max(keys)
    if isinstance(found, Median):
        values = sorted(value for _, _, value in window(patch, x, y, found.size))
        return values[len(values) // 2]
    if isinstance(found, Bilateral):
        total = scale = 0.0
        for i, j, value in window(patch, x, y, found.size):
            weight = math.exp(-(i * i + j * j) / (2 * found.sigma**2))
            weight *= math.exp(-((value - patch[y][x]) ** 2) / (2 * found.sigma_color**2))
            total, scale = total + weight * value, scale + weight
        return total / scale
    if isinstance(found, Kuwahara):
        corners = [[], [], [], []]
        for i, j, value in window(patch, x, y, found.size):
            for corner, (right, down) in enumerate(((0, 0), (1, 0), (0, 1), (1, 1))):
                if (i >= 0 if right else i <= 0) and (j >= 0 if down else j <= 0):
                    corners[corner].append(value)
        return float(np.mean(min(corners, key=np.var)))
    if isinstance(found, Pair):
        return pair(found, patch[y][x])
    if isinstance(found, Clahe):
        return float(np.mean(np.array(patch) <= patch[y][x]))
    if isinstance(found, Levels):
        return level(found.name, np.array(patch), patch[y][x])
    if isinstance(found, Morphology):
        return morphology(found.operation, np.array(patch), found.cells)[y, x]
    if isinstance(found, ZeroCrossings):
        # The jump over the edge to the left of this pixel.
        here, left = (response(found.weights, patch, at, y) for at in (x, x - 1))
        assert here * left < 0
        assert abs(here - left) > found.threshold
        return here - left
    if isinstance(found, Move):
        moved = MOVED[found.spec](np.array(patch))
        return moved[moved.shape[0] // 2, moved.shape[1] // 2]
    assert isinstance(found, Canny)
    assert found.sigma == 0
    here, left, right = (sobel_magnitude(patch, at, y) for at in (x, x - 1, x + 1))
    return float(here > max(left, right) and here >= found.high)
