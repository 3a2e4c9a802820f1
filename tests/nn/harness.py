"""One layer or a small graph through the native loops, forward and backward, with poisoned memory."""

import numpy as np
from oracle import slope

from cnncli.nn import INPUT, Graph, Network
from cnncli.nn.calls import program
from cnncli.nn.chunks import chunked
from cnncli.nn.elementwise import copy
from cnncli.nn.memory import Tensor, lay_out
from cnncli.nn.schedule import Schedule, trained_layers
from cnncli.nn.slots import Slots


def passes(graph, x, dout, *, threads=1, arrays=None, samples=None):
    """Output, gradient of the input, gradients of the parameters, and the network."""
    network = Network(graph, seed=5)
    if arrays:
        network.load({**network.export(), **arrays})
    pruned = graph.pruned((graph.output,))
    trained = trained_layers(pruned, (), also=[INPUT])
    slots = Slots(network, chunked(len(x)).slots, trained)
    schedule = Schedule(network, pruned, len(x), trained=trained, slots=slots)
    schedule.forward()
    value = schedule.value(graph.output)
    out = np.zeros((len(x), *value.shape[:3]), np.float32)
    copy(schedule, value, Tensor(value.shape, external=out.ctypes.data))
    given = np.ascontiguousarray(dout, np.float32)
    slot, _ = schedule.gradient_target(graph.output)
    copy(schedule, Tensor(value.shape, external=given.ctypes.data), slot)
    schedule.start_backward()
    schedule.backward()
    dx = np.zeros(x.shape, np.float32)
    found = schedule.gradient(INPUT)
    copy(schedule, found, Tensor(found.shape, external=dx.ctypes.data))
    schedule.emit_after_chunks()
    schedule.barrier()
    slots.sum_others(schedule, network.parameters)
    phases = [phase for each in schedule.passes() for phase in each]
    layout = lay_out(phases, schedule.chunks)
    step = program(phases, schedule.chunks, threads=threads, scratch_bytes=layout.scratch_bytes)
    # What no loop has written is NaN, so that reading it cannot go unseen.
    for scratch in step._scratch:
        scratch[2048:].view(np.float32)[:] = np.nan
    layout.arena.view(np.float32)[:] = np.nan
    images = np.ascontiguousarray(x, np.float32)
    schedule.start(images, samples or len(x), 1)
    step.run(samples or len(x))
    return out, dx, dict(network.unpack(network.gradient)), network


def check(layer_or_graph, shape, reference, *, samples=3, seed=0, scale=1.0, tolerance=2e-5):
    """Values against the reference, gradients against its central differences.

    ``reference(arrays)`` computes the output from ``x`` and the parameters by their short names.
    """
    graph = layer_or_graph
    if not isinstance(graph, Graph):
        graph = Graph(shape)
        graph.add(layer_or_graph, name="layer")
    random = np.random.default_rng(seed)
    x = (scale * random.standard_normal((samples, *shape))).astype(np.float32)
    start = {
        name: random.standard_normal(parameter.shape).astype(np.float32)
        for name, parameter in Network(graph).parameters.items()
    }
    dout = random.standard_normal((samples, *graph.output_shape[:3])).astype(np.float32)
    runs = [passes(graph, x, dout, threads=threads, arrays=start) for threads in (1, 2, 3)]
    out, dx, gradients, _ = runs[0]
    for other in runs[1:]:
        assert other[0].tobytes() == out.tobytes()
        assert other[1].tobytes() == dx.tobytes()
        assert all(other[2][name].tobytes() == each.tobytes() for name, each in gradients.items())
    arrays = {"x": x, **{name.removeprefix("layer."): value for name, value in start.items()}}
    arrays = {name: value.astype(np.float64) for name, value in arrays.items()}
    expected = reference(arrays).reshape(out.shape)
    np.testing.assert_allclose(out, expected, rtol=tolerance, atol=tolerance * (1 + np.abs(expected).max()))
    found = {"x": dx, **{name.removeprefix("layer."): value for name, value in gradients.items()}}

    def scalar(values):
        return float((reference(values).reshape(out.shape) * dout).sum())

    for name, gradient in found.items():
        size = np.abs(gradient).max() + 1e-3
        directions = [
            np.eye(1, gradient.size, place).reshape(gradient.shape) for place in picks(random, gradient.size)
        ]
        directions += [random.standard_normal(gradient.shape) for _ in range(3)]
        for direction in directions:
            wanted = slope(scalar, arrays, name, direction)
            got = float((gradient.astype(np.float64) * direction).sum())
            bound = 10 * tolerance * size * max(1.0, np.sqrt((direction**2).sum()))
            assert abs(got - wanted) <= bound, (name, got, wanted)


def picks(random, size, most=12):
    """Some places, the first and the last among them."""
    return sorted({0, size - 1, *random.integers(0, size, most).tolist()})
