"""Insertion, deletion and ROAD against plain loops in float64, and a network whose best map is known."""

import numpy as np
import pytest

from cnncli.attribution.imputation import imputed
from cnncli.attribution.model import Plans, blurred
from cnncli.attribution.removal import SHARES, STEPS, Remover, area, ranks_of
from cnncli.nn import Conv, Flatten, Graph, Linear, Network, Relu

SHAPE = (5, 7, 2)
PIXELS = 35
TIES = np.arange(PIXELS)


def remover(network, x, target, **how):
    how = {"noise": np.full(x.shape[2], 0.1), "seed": (3, 1), **how}
    return Remover(Plans(network, threads=1), x, target, **how)


@pytest.fixture
def looks_at_one_pixel():
    """A network whose class 1 is likely where channel 0 of pixel (2, 3) is bright; nothing else counts."""
    graph = Graph(SHAPE)
    graph.add(Flatten(), Linear(2))
    network = Network(graph, seed=0)
    weight = np.zeros((2, 2, 5, 7), np.float32)  # channels first
    weight[1, 0, 2, 3] = 3
    network.load({"linear1.weight": weight.reshape(2, -1), "linear1.bias": np.array([0, -2], np.float32)})
    return network


def bright():
    x = np.zeros(SHAPE, np.float32)
    x[2, 3, 0] = 2
    return x


def probability(value):
    return 1 / (1 + np.exp(-(3 * np.float64(value) - 2)))


def test_curves_are_those_of_plain_loops(rng):
    graph = Graph(SHAPE)
    graph.add(Flatten(), Linear(3))
    network = Network(graph, seed=1)
    arrays = {name: array.astype(np.float64) for name, array in network.export().items()}
    x = rng.standard_normal(SHAPE, np.float32)
    ranks = ranks_of(rng.random(SHAPE[:2]), TIES)
    found = remover(network, x, 2).by(ranks)

    def answer(image):
        outputs = [0.0] * 3
        for k in range(3):
            for value, weight in zip(
                image.transpose(2, 0, 1).ravel(), arrays["linear1.weight"][k], strict=True
            ):
                outputs[k] += float(value) * weight
            outputs[k] += arrays["linear1.bias"][k]
        powers = np.exp(outputs)
        return powers[2] / powers.sum(), powers.argmax() == 2

    base = blurred(x)
    for step in range(STEPS + 1):
        inserted, deleted = base.copy(), x.copy()
        for (row, column), rank in np.ndenumerate(ranks):
            if rank < round(step * PIXELS / STEPS):
                inserted[row, column] = x[row, column]
                deleted[row, column] = base[row, column]
        assert found.insertion[step] == pytest.approx(answer(inserted)[0], abs=1e-6)
        assert found.deletion[step] == pytest.approx(answer(deleted)[0], abs=1e-6)
    gone = [ranks < int(share * PIXELS) for share in SHARES]
    gone += [ranks >= PIXELS - int(share * PIXELS) for share in SHARES]
    noise = {"noise": np.full(2, 0.1), "random": np.random.default_rng((3, 1))}
    parts = [answer(image) for image in imputed(x, np.stack(gone), **noise)]
    np.testing.assert_allclose([*found.most, *found.least], [share for share, _ in parts], atol=1e-6)
    assert [*found.most_kept, *found.least_kept] == [kept for _, kept in parts]


def test_area_of_a_step():
    """By hand: 0.25 up to the middle of four steps, then 1, and half of that rise in between."""
    assert area(np.array([0.25, 0.25, 0.25, 1, 1])) == pytest.approx(0.5 * 0.25 + 0.25 * 0.625 + 0.25)
    assert area(np.ones(33)) == 1


def test_the_one_pixel_that_counts_is_the_best_map_and_its_inverse_the_worst(looks_at_one_pixel):
    x = bright()
    perfect = np.zeros(SHAPE[:2])
    perfect[2, 3] = 1
    removing = remover(looks_at_one_pixel, x, 1, noise=np.zeros(2))
    best, worst = (removing.by(ranks_of(relevance, TIES)) for relevance in (perfect, -perfect))
    low, high = probability(blurred(x)[2, 3, 0]), probability(2)
    assert (removing.base_probability, removing.probability) == pytest.approx((low, high), abs=1e-6)
    edge = (high - low) / (2 * STEPS)  # of one step between the two
    assert best.figures["insertion"] == pytest.approx(high - edge, abs=1e-6)
    assert best.figures["deletion"] == pytest.approx(low + edge, abs=1e-6)
    assert worst.figures["insertion"] == pytest.approx(low + edge, abs=1e-6)
    assert worst.figures["deletion"] == pytest.approx(high - edge, abs=1e-6)
    # Imputed, the pixel is as dark as all others.
    assert best.figures["road"] == pytest.approx(high - probability(0), abs=1e-6)
    assert worst.figures["road"] == -best.figures["road"]
    assert not best.most_kept.any()
    assert best.least_kept.all()


def test_no_random_order_is_better_than_the_perfect_one_or_worse_than_the_worst(looks_at_one_pixel, rng):
    removing = remover(looks_at_one_pixel, bright(), 1, noise=np.zeros(2))
    perfect = np.zeros(SHAPE[:2])
    perfect[2, 3] = 1
    best, worst = (removing.by(ranks_of(relevance, TIES)).figures for relevance in (perfect, -perfect))
    for _ in range(5):
        some = removing.by(ranks_of(rng.random(SHAPE[:2]), TIES)).figures
        assert worst["insertion"] <= some["insertion"] <= best["insertion"]
        assert best["deletion"] <= some["deletion"] <= worst["deletion"]
        assert worst["road"] - 1e-6 <= some["road"] <= best["road"] + 1e-6


def test_ranks():
    relevance = np.array([[1.0, 5, 1], [-2, 5, 0]])
    assert ranks_of(relevance, np.array([0, 1, 2, 3, 4, 5])).tolist() == [[2, 0, 3], [5, 1, 4]]
    assert ranks_of(relevance, np.array([2, 5, 1, 3, 4, 0])).tolist() == [[3, 1, 2], [5, 0, 4]]


def test_curves_do_not_depend_on_the_batch(rng):
    graph = Graph((12, 12, 3))
    graph.add(Conv(4, 3), Relu(), Flatten(), Linear(3))
    network = Network(graph, seed=1)
    x = rng.standard_normal((12, 12, 3), np.float32)
    ranks = ranks_of(rng.random((12, 12)), np.arange(144))

    class Few(Plans):
        batch = 5

    how = {"noise": np.full(3, 0.1), "seed": (0,)}
    many, few = (Remover(kind(network, threads=1), x, 1, **how).by(ranks) for kind in (Plans, Few))
    np.testing.assert_allclose(few.insertion, many.insertion, atol=1e-6)
    np.testing.assert_array_equal(few.most, many.most)
    np.testing.assert_array_equal(few.least, many.least)
