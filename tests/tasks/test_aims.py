"""What attributions explain: a box at its point, the pixels of a class in a region, a class of an image."""

import numpy as np
import pytest

from cnncli.attribution.model import Aim
from cnncli.errors import OptionError
from cnncli.models.choice import build
from cnncli.nn import Conv, Graph
from cnncli.tasks.aims import explained
from cnncli.tasks.classification import Classification
from cnncli.tasks.detection import Detection
from cnncli.tasks.detection_targets import UNIT
from cnncli.tasks.segmentation import Segmentation

SIDE = 64


@pytest.fixture(scope="module")
def detector():
    return build("detector:neck=8", (SIDE, SIDE, 3), 3)


def maps(things):
    """Maps of a detector that finds things: (stride, row, column, label, logit, half a side in pixels)."""
    outputs = {}
    for stride in (8, 16):
        outputs[f"classes{stride}"] = np.full((1, SIDE // stride, SIDE // stride, 3), -9, np.float32)
        outputs[f"boxes{stride}"] = np.ones((1, SIDE // stride, SIDE // stride, 4), np.float32)
    for stride, row, column, label, logit, half in things:
        outputs[f"classes{stride}"][0, row, column, label] = logit
        outputs[f"boxes{stride}"][0, row, column] = half / (UNIT * stride)
    return outputs


THINGS = [(8, 1, 2, 0, 1.5, 6), (16, 2, 3, 2, 2.5, 8), (8, 6, 1, 2, 0.5, 7)]


@pytest.mark.parametrize(
    ("label", "region", "expected"),
    [
        (None, None, 1),  # the surest
        (0, None, 0),
        (2, None, 1),
        (None, (4, 44, 16, 16), 2),  # the one that is there, though others are surer
        (2, (0, 40, 30, 24), 2),
        (None, (14, 6, 36, 28), 0),  # that which overlaps most, though it also touches a surer one
        (None, (0, 0, 64, 64), 1),  # that which covers most of it
    ],
)
def test_a_box_is_explained_at_its_point(detector, label, region, expected):
    found = explained(Detection(("a", "b", "c")), detector, maps(THINGS), label, region)
    stride, row, column, number, logit, half = THINGS[expected]
    assert (found.label, found.value) == (number, logit)
    assert found.target.layer == detector.output_of(f"classes{stride}")
    assert np.argwhere(found.target.weights).tolist() == [[row, column, number]]
    assert found.target.weights.sum() == 1
    middle = np.array([column, row]) * stride + stride / 2
    np.testing.assert_allclose(found.box, [*(middle - half), 2 * half, 2 * half], atol=1)
    assert found.record == {"score": pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-6)}


@pytest.mark.parametrize(("label", "region"), [(1, None), (0, (40, 40, 20, 20)), (None, (0, 20, 4, 4))])
def test_nothing_is_there(detector, label, region):
    with pytest.raises(OptionError, match="is found"):
        explained(Detection(("a", "b", "c")), detector, maps(THINGS), label, region)


def map_of(labels, classes=3):
    """Outputs of a network for masks whose likeliest class is the one in a map."""
    outputs = np.random.default_rng(2).random((1, *labels.shape, classes)).astype(np.float32)
    np.put_along_axis(outputs[0], labels[..., None], 3, axis=-1)
    return {"main": outputs}


@pytest.mark.parametrize(
    ("label", "region", "expected", "inside"),
    [
        (None, None, 2, None),  # most pixels but those of class 0
        (1, None, 1, None),
        (None, (0, 0, 4, 3), 1, (slice(0, 3), slice(0, 4))),
        (None, (8, 0, 2, 3), 0, (slice(0, 3), slice(8, 10))),  # there is no other
        (2, (2.6, 4.4, 3, 2), 2, (slice(4, 6), slice(3, 6))),  # pixels whose middle is in it
    ],
)
def test_pixels_of_a_class(label, region, expected, inside):
    labels = np.zeros((8, 10), np.intp)
    labels[1:3, 1:4], labels[4:7, 2:8] = 1, 2
    outputs = map_of(labels)
    graph = Graph((8, 10, 1))
    graph.add(Conv(3, 1), name="out")
    found = explained(Segmentation(("ground", "a", "b")), graph, outputs, label, region)
    chosen = np.zeros_like(labels, bool)
    chosen[inside or slice(None)] = True
    chosen &= labels == expected
    assert (found.label, found.record, found.note) == (expected, {"pixels": chosen.sum()}, "")
    assert found.target.layer == "out"
    np.testing.assert_allclose(found.target.weights[..., expected], chosen / chosen.sum(), rtol=1e-6)
    assert found.target.weights.sum() == pytest.approx(1)
    assert found.value == pytest.approx(outputs["main"][0][chosen, expected].mean())


def test_a_class_that_no_pixel_is_seen_as():
    graph = Graph((4, 4, 1))
    graph.add(Conv(3, 1), name="out")
    found = explained(
        Segmentation(("ground", "a", "b")), graph, map_of(np.zeros((4, 4), int)), 1, (0, 0, 2, 1)
    )
    assert found.record == {"pixels": 2}
    assert "no pixel of the region is seen as a" in found.note
    with pytest.raises(OptionError, match="holds no pixel"):
        explained(Segmentation(("ground", "a", "b")), graph, map_of(np.zeros((4, 4), int)), 1, (9, 9, 2, 2))


def test_a_class_of_an_image_has_no_place():
    outputs = {"main": np.array([[0.5, 2, 1]], np.float32)}
    task, graph = Classification(("a", "b", "c")), Graph((4, 4, 1))
    assert explained(task, graph, outputs, None)[:3] == (1, 1, 2.0)
    assert explained(task, graph, outputs, 2)[:3] == (2, 2, 1.0)
    with pytest.raises(OptionError, match="--region"):
        explained(task, graph, outputs, None, (0, 0, 2, 2))


def test_values_and_gradients_of_an_aim_are_of_its_sum():
    weights = np.zeros((4, 4, 3), np.float32)
    weights[1, 2, 0], weights[3, 3, 2] = 2, -1
    aim, outputs = Aim("out", weights), np.random.default_rng(0).random((2, 4, 4, 3)).astype(np.float32)
    np.testing.assert_array_equal(aim.start(outputs), np.stack([weights, weights]))
