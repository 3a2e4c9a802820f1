"""COCO's figures: as published for 100 images, and by hand for a few boxes."""

from pathlib import Path

import pytest
from coco_files import fixture

from cnncli.data.coco import parse_annotations
from cnncli.data.coco_results import parse_results
from cnncli.tasks.detection_scores import detection_scores

NAMES = [
    "ap",
    "ap50",
    "ap75",
    "ap_small",
    "ap_medium",
    "ap_large",
    "ar_1",
    "ar_10",
    "ar_100",
    "ar_small",
    "ar_medium",
    "ar_large",
]
# What pycocotools 2.0.11 computes; COCO publishes the first three digits of each.
PUBLISHED = {
    "boxes": [
        0.504580699,
        0.696972725,
        0.572981667,
        0.585625721,
        0.519399695,
        0.501397899,
        0.38681278,
        0.593679576,
        0.595352983,
        0.639810963,
        0.566420598,
        0.564290598,
    ],
    "masks": [
        0.319545276,
        0.562288397,
        0.298926534,
        0.387374032,
        0.310182724,
        0.326933907,
        0.268229723,
        0.415448681,
        0.416839499,
        0.469449862,
        0.376759227,
        0.38147151,
    ],
}
HERE = Path("file.json")


def scored(truth, results, by="boxes"):
    annotated = parse_annotations(truth, HERE, masks=by == "masks", as_written=True)
    found = parse_results(results, HERE, annotated)
    assert not annotated.skipped
    assert not found.skipped
    return detection_scores(annotated.objects, found, by, threads=2)


@pytest.mark.parametrize("by", PUBLISHED)
def test_the_published_figures(by):
    figures = scored(fixture("annotations"), fixture(f"{by}_results"), by).figures()
    assert list(figures) == NAMES
    assert list(figures.values()) == pytest.approx(PUBLISHED[by], abs=1e-8)


def truth_of(*boxes, crowd=()):
    return {
        "images": [{"id": 1, "width": 100, "height": 100}, {"id": 2, "width": 100, "height": 100}],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
        "annotations": [
            {"image_id": 1, "category_id": 1, "bbox": list(box), "iscrowd": int(at in crowd)}
            for at, box in enumerate(boxes)
        ],
    }


def found(*rows):
    return [{"image_id": 1, "category_id": 1, "bbox": list(box), "score": score} for box, score in rows]


def test_a_wrong_one_that_is_surer_halves_precision():
    scores = scored(truth_of((0, 0, 10, 10)), found(((50, 50, 10, 10), 0.9), ((0, 0, 10, 10), 0.8)))
    figures = scores.figures()
    assert (figures["ap"], figures["ap_small"], figures["ar_100"]) == pytest.approx((0.5, 0.5, 1))
    assert figures["ar_1"] == 0
    assert figures["ap_medium"] is None


def test_thresholds_go_from_half_to_nearly_whole():
    """8 of 12 columns in common is an overlap of 2/3: right at .50, .55, .60 and .65 of ten thresholds."""
    scores = scored(truth_of((0, 0, 10, 10)), found(((2, 0, 10, 10), 0.9)))
    assert scores.figures()["ap"] == pytest.approx(0.4)
    assert scores.of_class(0) == pytest.approx({"ap": 0.4, "ap50": 1, "ap75": 0, "ar_100": 0.4})
    assert set(scores.of_class(1).values()) == {None}


def test_a_second_detection_of_an_object_is_wrong_but_not_of_a_crowd():
    box = (0, 0, 50, 50)
    again = found((box, 0.9), ((1, 0, 50, 50), 0.8), ((60, 60, 20, 20), 0.7))
    two = scored(truth_of(box, (60, 60, 20, 20)), again).figures()
    assert two["ap"] == pytest.approx((51 + 50 * 2 / 3) / 101)
    crowd = scored(truth_of(box, (60, 60, 20, 20), crowd={0}), again)
    assert (crowd.figures()["ap"], crowd.objects.tolist()) == (pytest.approx(1), [1, 0])


def test_of_each_class_in_an_image_the_100_surest_count():
    rows = [((50, 50, 10, 10), 0.9)] * 100 + [((0, 0, 10, 10), 0.8)]
    assert scored(truth_of((0, 0, 10, 10)), found(*rows)).figures()["ar_100"] == 0
    assert scored(truth_of((0, 0, 10, 10)), found(*rows[1:])).figures()["ar_100"] == 1


def test_nothing_found_and_nothing_to_be_found():
    assert scored(truth_of((0, 0, 10, 10)), []).figures()["ap"] == 0
    assert set(scored(truth_of(), found(((0, 0, 5, 5), 0.5))).figures().values()) == {None}
    assert set(scored(truth_of(), []).figures().values()) == {None}
