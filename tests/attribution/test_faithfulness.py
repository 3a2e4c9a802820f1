"""Methods beside the centre and chance, the pointing game, and means with their errors."""

import numpy as np
import pytest

from cnncli.attribution.comparison import Difference, difference, mean_of
from cnncli.attribution.faithfulness import centre, faithfulness, relevance_of
from cnncli.attribution.methods import METHODS
from cnncli.attribution.model import Attribution, How, Plans
from cnncli.attribution.pointing import hits
from cnncli.attribution.removal import ranks_of
from cnncli.nn import Conv, Flatten, Graph, Linear, Network, Relu

SIDE = 12


def corner_network():
    """Class 1 where the upper left corner is bright, class 2 where the lower right one is."""
    graph = Graph((SIDE, SIDE, 1))
    graph.add(Conv(1, 1), Relu(), Flatten(), Linear(3))
    network = Network(graph, seed=0)
    weight = np.zeros((3, SIDE, SIDE), np.float32)
    weight[1, :3, :3] = weight[2, -3:, -3:] = 1
    arrays = network.export()
    arrays["conv1.weight"] = np.ones_like(arrays["conv1.weight"])
    arrays["conv1.bias"] = np.zeros_like(arrays["conv1.bias"])
    arrays["linear1.weight"] = weight.reshape(3, -1)
    arrays["linear1.bias"] = np.zeros(3, np.float32)
    network.load(arrays)
    return network


@pytest.fixture(scope="module")
def measured():
    x = np.zeros((SIDE, SIDE, 1), np.float32)
    x[:3, :3] = 1
    x[-3:, -3:] = 0.9
    boxes = {1: np.array([[0, 0, 3, 3.0]]), 2: np.array([[9, 9, 3, 3.0]])}
    plans = Plans(corner_network(), threads=1)
    return faithfulness(plans, x, ["integrated", "saliency"], How(), std=(0.3,), boxes=boxes)


def test_methods_that_find_what_counts_beat_the_centre_and_chance(measured):
    assert measured.target == 1
    assert list(measured.removals) == ["integrated", "saliency", "centre", "random"]
    best, centred, random = (measured.figures(name) for name in ("integrated", "centre", "random"))
    for other in (centred, random):
        assert best["insertion"] > other["insertion"] + 0.02
        assert best["deletion"] < other["deletion"] - 0.02
        assert best["road"] > other["road"] + 0.2


def test_each_class_with_boxes_is_pointed_at_by_a_heatmap_of_its_own(measured):
    assert measured.pointing["integrated"] == [True, True]
    assert measured.pointing["saliency"] == [True, True]
    assert measured.pointing["centre"] == [False, False]
    assert measured.figures("centre")["pointing"] == 0


def test_figures_of_a_method_do_not_depend_on_the_others(measured):
    x = np.zeros((SIDE, SIDE, 1), np.float32)
    x[:3, :3] = 1
    x[-3:, -3:] = 0.9
    plans = Plans(corner_network(), threads=1)
    alone = faithfulness(plans, x, ["saliency"], How(), std=(0.3,), boxes={})
    for name in ("saliency", "centre", "random"):
        assert alone.removals[name].figures == measured.removals[name].figures
    assert np.isnan(alone.figures("saliency")["pointing"])
    other = faithfulness(plans, x, ["saliency"], How(seed=1), std=(0.3,), boxes={})
    assert other.removals["random"].figures != alone.removals["random"].figures


@pytest.mark.parametrize("name", METHODS)
def test_gradients_are_ordered_by_magnitude_and_what_adds_up_by_its_sign(name):
    """By hand: two pixels of two channels."""
    values = np.array([[[1.0, -3]], [[2.0, 1]]], np.float32).transpose(1, 0, 2)
    found = Attribution(values, values.sum(-1), {})
    of_gradients = name in {"saliency", "smoothgrad", "guided"}
    assert relevance_of(name, found).tolist() == ([[3, 2]] if of_gradients else [[-2, 3]])


def pointing_at(row, column, shape=(100, 80)):
    relevance = np.zeros(shape)
    relevance[row, column] = 1
    return ranks_of(relevance, np.arange(relevance.size))


@pytest.mark.parametrize(
    ("row", "column", "hit"),
    [(20, 10, True), (39, 29, True), (42, 29, True), (43, 29, False), (20, 32, True), (20, 33, False),
     (41, 31, True), (42, 32, False), (17, 10, True), (16, 10, False), (80, 70, True)],
)  # fmt: skip
def test_a_hit_lies_in_a_box_or_three_pixels_of_a_hundred_beside_it(row, column, hit):
    """Pixel centres lie half a pixel inside: 42.5 is 2.5 below the box that ends at 40."""
    boxes = np.array([[10, 20, 20, 20], [70, 80, 5, 5.0]])
    assert hits(pointing_at(row, column), boxes) is hit


def test_the_centre_is_highest_in_the_middle_and_falls_as_a_gaussian():
    found = centre(40, 21)
    assert np.unravel_index(found.argmax(), found.shape) in {(19, 10), (20, 10)}
    np.testing.assert_allclose(found, found[::-1, ::-1])
    assert found[0, 10] / found[19, 10] == pytest.approx(np.exp(-0.5 * (39 / 80 / 0.25) ** 2) / np.exp(
        -0.5 * (1 / 80 / 0.25) ** 2
    ))  # fmt: skip


def test_means_and_paired_differences():
    """By hand: differences 1, 2 and 3 have the mean 2, the deviation 1, the error 1 over the root of 3."""
    values, others = np.array([2.0, 4, 7, np.nan]), np.array([1.0, 2, 4, 1])
    found = difference("insertion", values, others)
    assert found == pytest.approx((2, 3**-0.5))
    assert found.verdict == "better"
    assert difference("deletion", values, others).verdict == "worse"
    assert mean_of(values).images == 3
    assert mean_of(np.array([5.0])) == (5, None, 1)
    assert mean_of(np.array([np.nan])) is None
    assert difference("pointing", np.array([np.nan]), np.array([1.0])) is None
    assert Difference(0.19, 0.1).verdict == "neither"
    assert Difference(0.21, 0.1).verdict == "better"
    assert Difference(-0.21, 0.1).verdict == "worse"
    assert Difference(0.5, None).verdict == "neither"
    assert Difference(0.0, 0.0).verdict == "neither"
