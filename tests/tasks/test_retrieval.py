"""Retrieval: scores against loops and by hand, baselines, groups of copies, vectors of a network."""

import dataclasses

import numpy as np
import pytest

from cnncli.cli.options.shared import NetworkSettings
from cnncli.cli.trained import load_trained
from cnncli.errors import CnncliError
from cnncli.models.choice import build
from cnncli.nn import Conv, Flatten, Graph, Inference, Linear, Relu
from cnncli.tasks.retrieval.baselines import GRAY_BINS, histogram_vector, pixel_vector
from cnncli.tasks.retrieval.duplicates import groups
from cnncli.tasks.retrieval.embedding import Embedder, feature_layer, model_digest
from cnncli.tasks.retrieval.metrics import average_precision, leave_one_out


@pytest.fixture(scope="module")
def digits():
    return load_trained(NetworkSettings(model="digits"))


# Scores


@pytest.mark.parametrize(
    ("relevant", "expected"),
    [([1], 1.0), ([0, 1], 0.5), ([1, 0, 1], (1 + 2 / 3) / 2), ([0, 0, 1, 1], (1 / 3 + 2 / 4) / 2)],
)
def test_average_precision_by_hand(relevant, expected):
    assert average_precision(np.array(relevant, bool)) == pytest.approx(expected, abs=1e-15)


def plain_scores(vectors, labels, k):
    """Mean average precision and recall at k, in loops."""
    precisions, recalls = [], []
    for q in range(len(vectors)):
        others = [i for i in range(len(vectors)) if i != q]
        others.sort(key=lambda i: (-float(vectors[q] @ vectors[i]), i))
        hits = [labels[i] == labels[q] for i in others]
        if not any(hits):
            continue
        shares = [sum(hits[: rank + 1]) / (rank + 1) for rank, hit in enumerate(hits) if hit]
        precisions.append(sum(shares) / len(shares))
        recalls.append(any(hits[:k]))
    return len(precisions), np.mean(precisions), np.mean(recalls)


def test_scores_are_those_of_loops(rng):
    vectors = rng.integers(-3, 4, (40, 6)).astype(np.float32)  # with many that are equally near
    labels = rng.integers(0, 7, 40)
    labels[5] = 99  # alone: nothing is to be found for it
    found = leave_one_out(vectors, labels)
    for k in (1, 5, 10):
        queries, precision, recall = plain_scores(vectors, labels, k)
        assert found.queries == queries == 39
        assert found.mean_average_precision == pytest.approx(precision, abs=1e-12)
        assert found.recall[k] == pytest.approx(recall, abs=1e-12)


# Baselines


def test_pixels_are_compared_by_correlation(rng):
    a, b = rng.integers(0, 100, (2, 20, 30, 3)).astype(np.uint8)
    expected = np.corrcoef(a.ravel(), b.ravel())[0, 1]
    assert float(pixel_vector(a) @ pixel_vector(b)) == pytest.approx(expected, abs=1e-6)
    assert float(pixel_vector(a) @ pixel_vector(2 * a + 7)) == pytest.approx(1, abs=1e-6)


def test_histograms_are_compared_by_their_overlap():
    red, half = np.zeros((2, 4, 6, 3), np.uint8)
    red[..., 0] = half[:2, :, 0] = 255
    assert float(histogram_vector(red) @ histogram_vector(half)) == pytest.approx(0.5**0.5, abs=1e-6)
    gray = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    np.testing.assert_allclose(histogram_vector(gray), GRAY_BINS**-0.5, atol=1e-7)


# Copies


def at_angles(*degrees):
    vectors = np.zeros((len(degrees), 16), np.float32)
    vectors[:, 0], vectors[:, 1] = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return vectors


def test_groups_are_chains_of_near_ones_and_equal_files():
    vectors = at_angles(0, 90, 4, 8, 200, 90, 12)
    found = groups(vectors, [*"abcdefg"], 1 - np.cos(np.radians(5)), threads=2)
    assert [each.positions for each in found] == [(0, 2, 3, 6), (1, 5)]
    assert found[0].distances == pytest.approx(1 - np.cos(np.radians([0, 4, 8, 12])), abs=1e-6)
    assert not any(each.exact for each in found)
    equal = groups(vectors, [*"abadefa"], 0, threads=1)
    assert [(each.positions, each.exact, each.distances) for each in equal] == [((0, 2, 6), True, (0, 0, 0))]
    mixed = groups(at_angles(0, 90, 0, 4, 200, 90, 0), [*"abadefa"], 0.01, threads=1)
    assert [(each.positions, each.exact) for each in mixed] == [((0, 2, 3, 6), False), ((1, 5), False)]


def test_groups_of_many_are_those_of_all_pairs(rng):
    count, within = 600, 1e-5
    vectors = at_angles(*rng.uniform(0, 360, count))
    near = vectors.astype(np.float64) @ vectors.T.astype(np.float64) >= 1 - within
    names = np.arange(count)
    for i, j in zip(*np.nonzero(near), strict=True):
        names[names == names[j]] = names[i]
    sets = [tuple(np.flatnonzero(names == name).tolist()) for name in set(names.tolist())]
    expected = sorted(each for each in sets if len(each) > 1)
    found = groups(vectors, [str(i) for i in range(count)], within, threads=2)
    assert len(expected) > 20
    assert [each.positions for each in found] == expected


# Vectors


def test_a_vector_is_the_mean_of_the_last_maps_at_length_one(digits, rng):
    pixels = rng.integers(0, 256, (5, 28, 28, 1)).astype(np.uint8)
    embedder = Embedder(digits.network, digits.checkpoint.preprocessing, threads=2)
    assert (embedder.layer, embedder.width) == ("dropout1", 64)
    inference = Inference(digits.network, 5, threads=1, keep=("maxpool3",))
    maps = inference.activations(digits.checkpoint.preprocessing.normalise(pixels))["maxpool3"]
    means = maps.astype(np.float64).sum(axis=(1, 2)) / 4
    expected = means / np.linalg.norm(means, axis=1, keepdims=True)
    found = embedder.embed(pixels)
    np.testing.assert_allclose(found, expected, atol=1e-7)
    for i in range(5):  # whatever else is in the batch
        alone = Embedder(digits.network, digits.checkpoint.preprocessing, threads=1).embed(pixels[i : i + 1])
        np.testing.assert_array_equal(alone[0], found[i])


@pytest.mark.parametrize(
    ("name", "scope", "channels"),
    [("resnet18", "layer4", 512), ("squeezenet1.1", "classifier.0", 512), ("vgg11", "avgpool", 512)],
)
def test_the_last_maps_are_those_before_the_head(name, scope, channels):
    graph = build(name, (64, 64, 3), 10)
    found = feature_layer(graph)
    assert found.startswith(scope)
    assert graph.shape_of(found).channels == channels
    assert graph.shape_of(found).height > 1


def test_a_network_without_maps_is_refused():
    graph = Graph((8, 8, 1))
    graph.add(Flatten(), Linear(5), Relu(), Linear(3))
    with pytest.raises(CnncliError, match="no feature maps"):
        feature_layer(graph)
    graph = Graph((8, 8, 1))
    graph.add(Conv(4, 3), Relu(), Flatten(), Linear(3))
    assert feature_layer(graph) == "relu1"


def test_the_digest_is_that_of_weights_layers_and_preprocessing(digits):
    checkpoint = digits.checkpoint
    given = checkpoint.arrays, checkpoint.architecture, checkpoint.preprocessing
    digest = model_digest(*given)
    assert digest == model_digest(dict(reversed(given[0].items())), *given[1:])
    name = next(iter(given[0]))
    changed = given[0][name].copy()
    changed.flat[0] += 1
    assert model_digest({**given[0], name: changed}, *given[1:]) != digest
    assert model_digest(*given[:2], dataclasses.replace(given[2], fit="pad")) != digest
