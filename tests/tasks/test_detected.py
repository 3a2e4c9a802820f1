"""What a detector's maps say, against loops over all points and pairs of boxes; parts at seams of tiles."""

import tracemalloc

import numpy as np
import pytest

from cnncli.tasks.detected import Found, found_in, point_at
from cnncli.tasks.detection_targets import UNIT
from cnncli.tasks.detection_tiles import _covered, _merged, joined

SIDE, CLASSES, IMAGES = 32, 2, 3


@pytest.fixture
def maps():
    """Maps of two scales, whose points find large boxes that overlap each other a lot."""
    random = np.random.default_rng(6)
    outputs = {}
    for stride in (8, 16):
        count = SIDE // stride
        outputs[f"classes{stride}"] = random.normal(-1, 2, (IMAGES, count, count, CLASSES)).astype(np.float32)
        sides = random.uniform(6, 14, (IMAGES, count, count, 4)) / (UNIT * stride)
        outputs[f"boxes{stride}"] = sides.astype(np.float32)
    return outputs


def overlap(a, b):
    shared = max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))
    areas = [(each[2] - each[0]) * (each[3] - each[1]) for each in (a, b)]
    return shared / (sum(areas) - shared)


def by_loops(outputs, least, most):
    """Rows (image, class, score, box) of each image, the surest first."""
    found = []
    for image in range(IMAGES):
        every = []
        for stride in (8, 16):
            values, sides = outputs[f"classes{stride}"][image], outputs[f"boxes{stride}"][image]
            for row, column, label in np.ndindex(values.shape):
                score = 1 / (1 + np.exp(-float(values[row, column, label])))
                x, y = (column + 0.5) * stride, (row + 0.5) * stride
                left, top, right, bottom = (float(each) * UNIT * stride for each in sides[row, column])
                box = [max(0, x - left), max(0, y - top), min(SIDE, x + right), min(SIDE, y + bottom)]
                if score >= least:
                    every.append((image, label, score, box))
        kept = []
        for one in sorted(every, key=lambda each: -each[2]):
            if all(one[1] != other[1] or overlap(one[3], other[3]) <= 0.6 for other in kept):
                kept.append(one)
        found += kept[:most]
    return found


@pytest.mark.parametrize(("least", "most"), [(0.05, 100), (0.4, 100), (0.05, 5)])
def test_all_points_and_pairs(maps, least, most):
    found, expected = found_in(maps, least=least, most=most), by_loops(maps, least, most)
    assert len({label for _, label, _, _ in expected}) == CLASSES
    assert found.images.tolist() == [each[0] for each in expected]
    assert found.labels.tolist() == [each[1] for each in expected]
    np.testing.assert_allclose(found.scores, [each[2] for each in expected], rtol=1e-5)
    np.testing.assert_allclose(found.boxes, [each[3] for each in expected], atol=1e-3)
    for image, label, score, number in zip(
        found.images, found.labels, found.scores, found.points, strict=True
    ):
        role, row, column = point_at(maps, int(number))
        assert score == pytest.approx(1 / (1 + np.exp(-maps[role][image, row, column, label])), rel=1e-5)


def of_tile(*rows):
    """What one tile shows: (label, score, x0, y0, x1, y1)."""
    table = np.array(rows, np.float64).reshape(-1, 6)
    zeros = np.zeros(len(table), np.int64)
    return Found(
        zeros,
        table[:, 0].astype(np.int64),
        table[:, 2:].astype(np.float32),
        table[:, 1].astype(np.float32),
        zeros,
    )


@pytest.mark.parametrize(
    ("whole", "label", "expected"),
    [
        ((47, 10, 80, 20), 0, 1),  # it covers 17 of 24 columns of the part: they are one thing
        ((55, 10, 80, 20), 0, 2),  # 9 of 24: two things
        ((47, 10, 80, 20), 1, 2),  # another class
        ((47, 16, 80, 26), 0, 2),  # 17 of 24 columns, but 4 of 10 rows
    ],
)
def test_a_part_at_a_seam_that_another_tile_shows_whole(whole, label, expected):
    """Tiles begin at columns 0 and 32 of an image of 64x96; the first shows a part that ends at its edge."""
    x0, y0, x1, y1 = whole
    parts = [of_tile((0, 0.9, 40, 10, 64, 20)), of_tile((label, 0.8, x0 - 32, y0, x1 - 32, y1))]
    found = joined(parts, [(0, 0), (0, 32)], (64, 96), (64, 64))
    assert len(found.labels) == expected
    assert [*whole] in found.boxes.tolist()


@pytest.mark.parametrize(
    ("label", "right", "seen_twice", "expected"),
    [
        (0, 60, False, 1),  # 4 of 64 columns before the edge at which its tile cuts the thing off
        (1, 60, False, 2),  # another class
        (0, 58, False, 2),  # 6 columns: it ends there
        (0, 60, True, 2),  # it ends there, as the other tile shows
    ],
)
def test_a_part_that_seems_to_end_before_the_seam(label, right, seen_twice, expected):
    """The thing is at 40 to 72, which the second tile, from column 32, shows whole."""
    part = (label, 0.9, 40, 10, right, 20)
    other = [(0, 0.8, 8, 8, 40, 22), *([(label, 0.7, 8, 10, right - 32, 20)] if seen_twice else [])]
    found = joined([of_tile(part), of_tile(*other)], [(0, 0), (0, 32)], (64, 96), (64, 64))
    assert len(found.labels) == expected
    assert [40, 8, 72, 22] in found.boxes.tolist()


def test_parts_of_one_thing_become_one_box():
    """It ends at the seam in both tiles; as sure as the surer part."""
    parts = [of_tile((1, 0.7, 10, 30, 64, 40)), of_tile((1, 0.9, 0, 29, 50, 41))]
    found = joined(parts, [(0, 0), (0, 32)], (64, 96), (64, 64))
    assert (found.labels.tolist(), found.boxes.tolist()) == ([1], [[10, 29, 82, 41]])
    assert found.scores.tolist() == [np.float32(0.9)]


def test_many_parts_are_joined_as_a_search_through_all_of_them_does():
    """Components of the graph of overlapping parts, found one by one; of more parts than a block has."""
    random = np.random.default_rng(7)
    corners = random.integers(0, 400, (500, 2)).astype(np.float32)
    boxes = np.concatenate([corners, corners + random.integers(4, 30, (500, 2))], axis=1).astype(np.float32)
    labels, scores = random.integers(0, 3, 500), random.random(500).astype(np.float32)
    parts = Found(np.zeros(500, np.int64), labels, boxes, scores, np.arange(500))

    def linked(a, b):
        low, high = np.maximum(boxes[a, :2], boxes[b, :2]), np.minimum(boxes[a, 2:], boxes[b, 2:])
        smaller = min((boxes[k, 2:] - boxes[k, :2]).prod() for k in (a, b))
        return labels[a] == labels[b] and np.maximum(high - low, 0).prod() > 0.3 * smaller

    left, expected = set(range(500)), []
    while left:
        group, new = set(), {min(left)}
        while new:
            group |= new
            new = {b for b in left - group if any(linked(a, b) for a in new)}
        left -= group
        here = sorted(group)
        box = [*boxes[here, :2].min(axis=0), *boxes[here, 2:].max(axis=0)]
        expected.append((here[0], labels[here[0]], scores[here].max(), box))
    found = _merged(parts)
    assert 100 < len(expected) < 400
    assert found.points.tolist() == [first for first, *_ in expected]
    assert found.labels.tolist() == [label for _, label, *_ in expected]
    np.testing.assert_array_equal(found.scores, [score for *_, score, _ in expected])
    np.testing.assert_array_equal(found.boxes, [box for *_, box in expected])


def test_memory_of_many_boxes_in_tiles_stays_small():
    """Twenty thousand parts: all pairs of them at once would take gigabytes."""
    random = np.random.default_rng(3)
    corners = random.integers(0, 5000, (20_000, 2)).astype(np.float32)
    boxes = np.concatenate([corners, corners + 20], axis=1)
    count = len(boxes)
    parts = Found(
        np.zeros(count, np.int64),
        np.zeros(count, np.int64),
        boxes,
        np.ones(count, np.float32),
        np.arange(count),
    )
    tracemalloc.start()
    try:
        _merged(parts)
        _covered(parts, parts)
        assert tracemalloc.get_traced_memory()[1] < 200 << 20
    finally:
        tracemalloc.stop()
