"""The transform inside the FFT loop: its order, its accuracy, and every vector width."""

import numpy as np
import pytest

from cnncli.core import native
from cnncli.filters.transforms import _radices, _spectrum

WIDTHS = {"avx512": 16, "neon": 4}  # the other tests run the processor's own
CHECK = """
import numpy as np
from cnncli.core import native
from cnncli.core.tiling import Surface
from cnncli.filters.fft import run_fft

rng = np.random.default_rng(3)
image = rng.random((45, 83, 3), dtype=np.float32)
weights = rng.normal(size=(6, 19))
out = np.empty((40, 65, 3), np.float32)
run_fft(weights, Surface(src=image, out=out, xmap=np.arange(83), ymap=np.arange(45)), threads=2)
windows = np.lib.stride_tricks.sliding_window_view(image.astype(float), (6, 19), axis=(0, 1))
error = abs(out - np.einsum("yxcvu,vu->yxc", windows, weights)).max()
print(native.processor()[3].lanes, error / abs(weights).sum())
"""


def digit_reversed(radices):
    """Frequencies in the order that decimation in frequency leaves them, by its recursion."""
    if not radices:
        return [0]
    inner = digit_reversed(radices[1:])
    return [radices[0] * frequency + first for first in range(radices[0]) for frequency in inner]


@pytest.mark.parametrize("size", [16, 32, 64, 128, 256, 512, 1024, 2048])
def test_radices_multiply_to_the_size(size):
    radices = _radices(size)
    assert np.prod(radices) == size
    assert radices[0] == 4
    assert set(radices) <= {4, 8}
    assert sorted(digit_reversed(radices)) == list(range(size))


@pytest.mark.parametrize(
    "size", [(16, 16), (16, 128), (128, 16), (32, 64), (64, 32), (256, 128), (128, 512), (1024, 64)]
)
def test_spectrum_is_numpys_in_digit_reversed_order(size):
    rng = np.random.default_rng(sum(size))
    rows, columns = size
    weights = rng.normal(size=(rows - 3, columns // 2 + 1))
    lanes = native.processor()[3].lanes
    points = _spectrum(weights, size).reshape(rows // lanes, columns, 2, lanes).astype(float)
    got = (points[:, :, 0] + 1j * points[:, :, 1]).transpose(0, 2, 1).reshape(rows, columns)
    expected = np.fft.fft2(weights, size) / (rows * columns)
    expected = expected[np.ix_(digit_reversed(_radices(rows)), digit_reversed(_radices(columns)[::-1]))]
    assert abs(got - expected).max() <= 5e-7 * abs(expected).max()


@pytest.mark.parametrize("target", WIDTHS)
def test_every_vector_width(python, target):
    lanes, error = python(CHECK, env={"CNNCLI_TARGET": target}).stdout.split()
    assert int(lanes) == WIDTHS[target]
    assert float(error) < 1e-6
