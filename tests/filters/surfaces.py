"""Fill in a surface as the filters do, run one way over it, and give back the float32 answer."""

import numpy as np

from cnncli.core.tiling import Surface
from cnncli.filters.borders import Axis
from cnncli.filters.execute import run_box, run_direct, run_responses, run_separable
from cnncli.filters.fft import run_fft

SCIPY_MODES = {
    "replicate": "nearest",
    "reflect": "reflect",
    "reflect101": "mirror",
    "wrap": "grid-wrap",
    "constant": "grid-constant",
}
BORDERS = list(SCIPY_MODES)
DTYPES = [np.uint8, np.uint16, np.float32]


def random_image(rng, shape, dtype=np.float32):
    """Values over the whole range of the type."""
    if dtype == np.float32:
        return rng.random(shape, dtype=np.float32)
    return rng.integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)


def four_bytes(pixels):
    """Colours as (H, W, 4), with a fourth byte that nobody should see."""
    return np.concatenate([pixels, np.full((*pixels.shape[:2], 1), 77, pixels.dtype)], axis=2)


def surface_over(image, shape, *, anchor=None, border="reflect101", mode="same", dilation=1, **fields):
    """A surface for a kernel of (kh, kw) cells, with an output of float32 unless ``out`` names a type."""
    stride = fields.setdefault("stride", (1, 1))
    out = fields.pop("out", np.float32)
    kh, kw = shape
    x, y = anchor or (kw // 2, kh // 2)
    across = Axis(image.shape[1], (kw - 1) * dilation + 1, x * dilation)
    down = Axis(image.shape[0], (kh - 1) * dilation + 1, y * dilation)
    xmap, width = across.input_map(mode, border, stride=stride[0])
    ymap, height = down.input_map(mode, border, stride=stride[1])
    channels = 1 if fields.get("luma") else image.shape[2]
    return Surface(src=image, out=np.empty((height, width, channels), out), xmap=xmap, ymap=ymap, **fields)


def factored(weights):
    """Columns and rows of the weights: one as filters are planned, else by singular values."""
    i, j = np.unravel_index(np.abs(weights).argmax(), weights.shape)
    if weights[i, j] and np.allclose(np.outer(weights[:, j] / weights[i, j], weights[i]), weights, 1e-12, 0):
        return weights[None, :, j] / weights[i, j], weights[None, i]
    u, s, v = np.linalg.svd(weights, full_matrices=False)
    rank = max(1, int((s > 1e-12 * s[0]).sum()))
    return (u[:, :rank] * s[:rank]).T, v[:rank]


def spread_out(weights, dilation):
    """Weights with zeros between them."""
    kh, kw = weights.shape
    wide = np.zeros(((kh - 1) * dilation + 1, (kw - 1) * dilation + 1))
    wide[::dilation, ::dilation] = weights
    return wide


def run_way(way, weights, surface, *, dilation=1, threads=1):
    """Run by ``direct``, ``separable``, ``box``, ``fft`` or ``responses`` (the largest, at least 0)."""
    if way == "direct":
        return run_direct(weights, surface, dilation=dilation, threads=threads)
    if way == "separable":
        return run_separable(*factored(weights), surface, dilation=dilation, threads=threads)
    if way == "box":
        return run_box(weights.shape, weights[0, 0], surface, threads=threads)
    if way == "fft":
        return run_fft(spread_out(weights, dilation), surface, threads=threads)
    return run_responses([weights], surface, combine="max", dilation=dilation, threads=threads)


def filtered(way, image, weights, *, threads=1, dilation=1, **fields):
    """The answer of one way, (Ho, Wo, C), and how many values were clipped."""
    surface = surface_over(image, weights.shape, dilation=dilation, **fields)
    clipped = run_way(way, weights, surface, dilation=dilation, threads=threads)
    return surface.out, clipped
