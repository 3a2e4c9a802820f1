"""That work is split evenly, by a replay of how threads take ranges, which `test_crew` compares with them."""

import numpy as np
import pytest

from cnncli.core import jobs
from cnncli.core.tiling import lay_out, sliding_tiles
from cnncli.nn.chunks import chunked

from . import filters, scaling

EVEN = 0.85  # of the time, at least, that threads work: the rest they wait for the last


def efficiency(items, threads):
    return sum(items) / (threads * scaling.split(items, threads, wake=0.0, take=0.0))


def test_a_split_by_hand():
    assert scaling.split([1.0] * 6, 1, wake=0.5, take=0.1) == 6
    # Helpers begin at 0.5, 1 and 1.5, the caller then, too: the first helper takes two.
    assert scaling.split([1.0] * 4, 4, wake=0.5, take=0.0) == pytest.approx(2.5)
    assert scaling.split([1.0, 1.0], 8, wake=0.0, take=0.1) == pytest.approx(1.2)  # one line
    assert scaling.joined([(4, 1.0), (1, 0.5)], 1) == 1.5
    assert scaling.joined([(4, 1.0), (1, 0.5)], 2) == pytest.approx(1.0, abs=1e-4)
    assert scaling.joined([(4, 1.0), (1, 0.5)], 3) == pytest.approx(1.0, abs=1e-4)  # two of four again


@pytest.mark.parametrize("threads", [2, 8, 16, 32, 64])
@pytest.mark.parametrize("extent", [3, 7, 31])
@pytest.mark.parametrize("slides", [False, True], ids=["tiles", "slides"])
def test_an_image_is_split_evenly(threads, extent, slides):
    source = np.zeros((filters.HEIGHT, filters.WIDTH, 1), np.uint8)
    surface = filters.surface_for(
        filters._linear(np.ones((extent, extent))), source, source.dtype, border="reflect101"
    )
    tiles = sliding_tiles(threads) if slides else 0
    job = lay_out(jobs.SEPARABLE if slides else jobs.DIRECT, surface, extent=(extent, extent), slides=tiles)
    assert efficiency([1.0] * job.count, threads) >= EVEN


@pytest.mark.parametrize("batch", [1, 7, 64, 100, 128, 256, 500, 1024, 4096])
def test_a_batch_is_split_evenly(batch):
    chunks = chunked(batch)
    sizes = [
        sum(np.diff(chunks.samples(chunk))[0] for chunk in chunks.of_slot(slot))
        for slot in range(chunks.slots)
    ]
    assert sum(sizes) == batch
    assert chunks.slots == {1: 1, 7: 7, 256: 16, 500: 16, 1024: 64, 4096: 64}.get(batch, 8)
    assert max(sizes) <= max(16, -(-batch // chunks.slots) + 15)
    assert batch / (max(sizes) * chunks.slots) >= 0.8
