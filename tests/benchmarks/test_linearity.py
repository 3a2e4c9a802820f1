"""That planning is linear in layers, counted in lines that run, and networks and tiles in their sizes."""

import sys

import numpy as np
import pytest

from cnncli.core import jobs
from cnncli.core.tiling import lay_out
from cnncli.nn import Add, Conv, Graph, Inference, Network, Relu

from . import filters, linearity
from .networks import training_step

FEW, MANY = 50, 400
LINEAR = 1.05  # times as many lines as there are more layers, at most


def lines(work):
    """How many lines of Python run."""
    count = 0

    def follow(frame, event, argument):
        nonlocal count
        count += event == "line"
        return follow

    before = sys.gettrace()
    sys.settrace(follow)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def blocks(layers):
    """Residual blocks of five layers each, in all so many."""
    graph = Graph((8, 8, 8))
    for _ in range(layers // 5):
        source = graph.output
        graph.add(Conv(8, 3, padding=1), Relu(), Conv(8, 3, padding=1))
        graph.add(Add(), inputs=[graph.output, source])
        graph.add(Relu())
    return Network(graph, seed=1)


PLANS = {
    "graph": lambda network: lambda: Network(network.graph.pruned([network.graph.output]), seed=1),
    "inference": lambda network: lambda: Inference(network, 2, threads=2),
    "training": lambda network: lambda: training_step(network, 4, 2),
}


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("made", [linearity.chain, blocks])
def test_planning_is_linear_in_layers(made, plan):
    few, many = (PLANS[plan](made(count)) for count in (FEW, MANY))
    few(), many()  # what is loaded or compiled once
    assert lines(many) <= LINEAR * MANY / FEW * lines(few)


def test_adding_layers_is_linear_in_layers():
    linearity.chain(MANY)
    assert lines(lambda: linearity.chain(MANY)) <= LINEAR * MANY / FEW * lines(lambda: linearity.chain(FEW))


@pytest.mark.parametrize("batch", [1, 16])
def test_calls_and_memory_are_linear_in_layers(batch):
    few, many = (Inference(linearity.chain(count), batch, threads=1) for count in (FEW, MANY))
    assert len(many._program._calls) <= LINEAR * MANY / FEW * len(few._program._calls)
    assert many._arena.nbytes <= few._arena.nbytes  # memory of a layer is used again for those behind it


@pytest.mark.parametrize("extent", [1, 3, 31, 127])
def test_samples_read_are_linear_in_pixels(extent):
    def read(side):
        source = np.zeros((side, side, 1), np.uint8)
        surface = filters.surface_for(
            filters._linear(np.ones((extent, extent))), source, source.dtype, border="reflect101"
        )
        job = lay_out(jobs.DIRECT, surface, extent=(extent, extent))
        return job.count * job.loaded_rows * job.pitch

    assert read(4096) <= LINEAR * 16 * read(1024)


def test_growth_by_hand():
    assert linearity.growth([10, 100, 1000], [1.0, 5.0, 200.0]) == 2.0
