"""Random annotations and results, with ties, empty images, absent classes and crowds, beside pycocotools."""

import contextlib
import io
from pathlib import Path

import numpy as np
import pytest
from coco_files import polygon, random_results, random_truth

from cnncli.data.coco import parse_annotations
from cnncli.data.coco_results import parse_results
from cnncli.data.masks import Masks
from cnncli.data.polygons import masks_of_polygons
from cnncli.data.rle import runs_of_rle
from cnncli.tasks.detection_scores import detection_scores

theirs = pytest.importorskip("pycocotools.mask")
HERE = Path("file.json")


def their_figures(truth, results, kind):
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = truth
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(results), kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("masks", [False, True], ids=["boxes", "masks"])
def test_the_twelve_figures(seed, masks):
    rng = np.random.default_rng(seed)
    truth = {"info": {}, **random_truth(rng, masks=masks)}
    results = random_results(rng, truth, masks=masks)
    annotated = parse_annotations(truth, HERE, masks=masks, as_written=True)
    found = parse_results(results, HERE, annotated)
    assert not annotated.skipped
    assert not found.skipped
    figures = detection_scores(annotated.objects, found, "masks" if masks else "boxes").figures()
    if masks:  # pycocotools reads no polygons among results
        sizes = {each["id"]: (each["height"], each["width"]) for each in truth["images"]}
        for each in results:
            size = sizes[each["image_id"]]
            each["segmentation"] = theirs.merge(theirs.frPyObjects(each["segmentation"], *size))
    expected = their_figures(truth, results, "segm" if masks else "bbox")
    mine = [-1 if value is None else value for value in figures.values()]
    assert mine == pytest.approx(expected.tolist(), abs=1e-9)
    assert 0.005 < mine[0] < 0.995


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of its decode
def test_polygons_have_their_pixels(rng):
    sizes = [(int(h), int(w)) for h, w in rng.integers(1, 60, (120, 2))]
    objects = [[polygon(rng, w, h, int(rng.integers(3, 9))) for _ in range(2)] for h, w in sizes]
    mine = masks_of_polygons(objects, sizes, threads=2)
    encoded = [
        theirs.merge(theirs.frPyObjects(each, *size)) for each, size in zip(objects, sizes, strict=True)
    ]
    areas, boxes = mine.areas, mine.boxes
    for at, each in enumerate(encoded):
        np.testing.assert_array_equal(mine.dense(at), theirs.decode(each).astype(bool))
        assert areas[at] == theirs.area(each)
        assert not areas[at] or boxes[at].tolist() == theirs.toBbox(each).tolist()


def test_texts_of_counts_are_read(rng):
    shapes = [(int(h), int(w)) for h, w in rng.integers(1, 90, (40, 2))]
    masks = [rng.random(shape) < rng.random() for shape in shapes]
    masks += [np.ones((200, 300), bool), np.zeros((200, 300), bool)]
    texts = [theirs.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode() for mask in masks]
    sizes = [mask.shape for mask in masks]
    read = Masks.of(sizes, [runs_of_rle(text, *size) for text, size in zip(texts, sizes, strict=True)])
    for at, mask in enumerate(masks):
        np.testing.assert_array_equal(read.dense(at), mask)
