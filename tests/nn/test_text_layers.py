"""Layers of networks for texts, against NumPy in double precision by their definitions."""

import numpy as np
import pytest
from oracle import slope

from cnncli.errors import CnncliError
from cnncli.nn import (
    INPUT,
    SGD,
    AdamW,
    Concat,
    Graph,
    Inference,
    Network,
    SoftmaxCrossEntropy,
    Term,
    TrainingStep,
    exchange,
)
from cnncli.nn.layers import text
from cnncli.nn.layers.text import BoundedLinear, ConvOverTime, Embedding, with_room

LENGTHS = (0, 1, 3, 12, 5, 2, 12, 4, 7)


def graph_of(words=40, size=7, outputs=5, kernels=(3, 4, 5), room=12, *, trained=(True,), max_norm=1e6):
    graph = Graph((1, room, 1))
    vectors = [graph.add(Embedding(words, size, each), inputs=INPUT) for each in trained]
    joined = vectors[0] if len(vectors) == 1 else graph.add(Concat(), inputs=vectors)
    maxima = [graph.add(ConvOverTime(outputs, k), inputs=(joined, INPUT), name=f"conv{k}") for k in kernels]
    graph.add(Concat(), inputs=maxima)
    graph.add(BoundedLinear(3, max_norm=max_norm), name="fc")
    return graph


def texts_of(lengths=LENGTHS, room=12, words=40):
    random = np.random.default_rng(7)
    x = np.zeros((len(lengths), 1, room, 1), np.float32)
    for row, count in zip(x[:, 0, :, 0], lengths, strict=True):
        row[:count] = random.integers(1, words, count)
    return x, random.integers(0, 3, len(lengths))


def features(vectors, weight, bias):
    """For a text (n, C) the maximum of each output (K,) over all windows that hold a word of it."""
    kernel = weight.shape[2]
    if not len(vectors):
        return np.zeros(len(bias))
    padded = np.pad(vectors, ((kernel - 1, kernel - 1), (0, 0)))
    windows = np.stack([padded[at : at + kernel] for at in range(len(vectors) + kernel - 1)])
    return np.maximum(0, np.einsum("tjc,kcj->tk", windows, weight) + bias).max(axis=0)


def outputs_of(arrays, x):
    tables = [arrays[name] for name in sorted(arrays) if name.startswith("embedding")]
    convs = sorted({name.split(".")[0] for name in arrays if name.startswith("conv")})
    rows = []
    for numbers in x[:, 0, :, 0].astype(int):
        vectors = np.concatenate([table[numbers[numbers > 0]] for table in tables], axis=1)
        found = [features(vectors, arrays[f"{c}.weight"], arrays[f"{c}.bias"]) for c in convs]
        rows.append(np.concatenate(found) @ arrays["fc.weight"].T + arrays["fc.bias"])
    return np.array(rows)


def loss_of(arrays, x, labels):
    outputs = outputs_of(arrays, x)
    return float(np.mean(np.log(np.exp(outputs).sum(axis=1)) - outputs[np.arange(len(x)), labels]))


def doubled(network):
    return {name: array.astype(np.float64) for name, array in network.export().items()}


def step_of(network, batch, optimiser=None, *, threads=1, clip=0.0):
    optimiser = optimiser or SGD(momentum=0.0)
    objective = [Term("main", SoftmaxCrossEntropy())]
    return TrainingStep(network, batch, objective=objective, optimiser=optimiser, threads=threads, clip=clip)


@pytest.mark.parametrize("sizes", [(7, 5), (16, 32), (20, 33), (300, 100)])
@pytest.mark.parametrize("trained", [(True,), (False,), (False, True)])
def test_values_and_gradients(sizes, trained):
    graph = graph_of(size=sizes[0], outputs=sizes[1], trained=trained)
    x, labels = texts_of()
    runs = []
    for threads in (1, 3):
        network = Network(graph, seed=3)
        start = doubled(network)
        step = step_of(network, 16, threads=threads)  # more room than there are texts
        step._arena.view(np.float32)[:] = np.nan
        loss = step.run(x, labels, rate=0.0)
        runs.append((loss, step.outputs[: len(x)].copy(), dict(network.unpack(network.gradient))))
    loss, outputs, gradients = runs[0]
    assert runs[1][0] == loss
    assert all(runs[1][2][name].tobytes() == each.tobytes() for name, each in gradients.items())
    np.testing.assert_allclose(outputs, outputs_of(start, x), rtol=1e-4, atol=1e-5)
    assert loss == pytest.approx(loss_of(start, x, labels), rel=1e-5)
    random = np.random.default_rng(1)
    for name, gradient in gradients.items():
        direction = random.standard_normal(gradient.shape)
        if "embedding" in name:
            direction[0] = 0  # the row of padding is no word
        wanted = slope(lambda arrays: loss_of(arrays, x, labels), start, name, direction)
        assert (gradient * direction).sum() == pytest.approx(wanted, rel=2e-3, abs=2e-5), name


def test_padding_and_neighbours_change_no_bit():
    network = Network(graph_of(), seed=1)
    x, _ = texts_of()
    together = Inference(network, len(x), threads=1).run(x)
    for row, count in enumerate(LENGTHS):
        for room in {max(1, count), 12, 50}:
            alone = np.zeros((1, 1, room, 1), np.float32)
            alone[0, 0, :count] = x[row, 0, :count]
            found = Inference(with_room(network, room), 1, threads=1).run(alone)
            assert found.tobytes() == together[row : row + 1].tobytes()


def test_words_move_on_by_their_moments():
    """AdamW as its formula has it, the gradient of words that are not in a batch being 0."""
    network = Network(graph_of(), seed=2)
    optimiser = AdamW(weight_decay=0.1)
    step, rate = step_of(network, 4, optimiser), 0.01
    x, labels = texts_of((3, 2, 5, 4))
    weight = network.array("embedding1.weight").astype(np.float64)
    mean, square = np.zeros_like(weight), np.zeros_like(weight)
    for at, lengths in enumerate((slice(0, 2), slice(2, 4), slice(0, 1)), 1):
        step.run(np.ascontiguousarray(x[lengths]), labels[lengths], rate=rate)
        gradient = dict(network.unpack(network.gradient))["embedding1.weight"].astype(np.float64)
        there = np.unique(x[lengths]).astype(int)
        assert not gradient[np.setdiff1d(np.arange(40), there)].any()
        assert gradient[there[there > 0]].any(axis=1).all()
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        weight -= rate * (mean / (1 - 0.9**at)) / (np.sqrt(square / (1 - 0.999**at)) + 1e-8)
        np.testing.assert_allclose(network.array("embedding1.weight"), weight, rtol=1e-5, atol=1e-6)
    assert not network.array("embedding1.weight")[0].any()


def test_the_norm_of_a_gradient_counts_its_words():
    network = Network(graph_of(words=3000, size=33), seed=2)
    step = step_of(network, 16)
    x, labels = texts_of(words=3000)
    for texts in (x, x[:3]):
        step.run(texts, labels[: len(texts)], rate=0.0)
        gradients = dict(network.unpack(network.gradient))
        total = sum(float((each.astype(np.float64) ** 2).sum()) for each in gradients.values())
        assert step.gradient_norm == pytest.approx(total**0.5, rel=1e-5)


def test_weights_stay_within_their_norm():
    network = Network(graph_of(outputs=40, max_norm=0.5), seed=2)
    step = step_of(network, 16)
    x, labels = texts_of()
    for _ in range(3):
        before = network.array("fc.weight")
        step.run(x, labels, rate=0.3)
        free = before - np.float32(0.3) * dict(network.unpack(network.gradient))["fc.weight"]
        norms = np.linalg.norm(free, axis=1, keepdims=True)
        np.testing.assert_allclose(network.array("fc.weight"), free * np.minimum(1, 0.5 / norms), rtol=1e-5)
    assert np.linalg.norm(network.array("fc.weight"), axis=1) == pytest.approx([0.5] * 3, rel=1e-5)


def test_what_is_no_number_is_not_lost():
    network = Network(graph_of(), seed=2)
    arrays = network.export()
    arrays["embedding1.weight"][5] = np.nan
    network.load(arrays)
    x = np.array([5, 6, 7, 8, 0], np.float32).reshape(1, 1, 5, 1)
    assert np.isnan(Inference(with_room(network, 5), 1, threads=1).run(x)).all()


def test_graphs_survive_json():
    graph = graph_of(trained=(False, True))
    layout = exchange.as_dict(graph)
    assert exchange.as_dict(exchange.from_dict(exchange.Fields(layout))) == layout
    assert sorted(text.LAYERS) == sorted(exchange.OF_TEXTS)


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (Embedding(1, 5), "for 1 words"),
        (Embedding(5, 0), "vectors of 0 values"),
        (ConvOverTime(0, 3), "to 0 outputs"),
        (BoundedLinear(3, max_norm=0.0), "norm is 0.0"),
    ],
)
def test_sizes_are_checked(layer, words):
    graph = Graph((1, 6, 1))
    if isinstance(layer, BoundedLinear):
        graph = Graph((1, 1, 6))
    with pytest.raises(CnncliError, match=words):
        graph.add(layer, inputs=(INPUT, INPUT) if isinstance(layer, ConvOverTime) else INPUT)


def test_images_are_refused():
    with pytest.raises(CnncliError, match="expected texts"):
        Graph((8, 8, 3)).add(Embedding(5, 5))
