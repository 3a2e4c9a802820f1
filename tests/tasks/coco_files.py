"""COCO annotations and results: those of 100 images that lie here, and random ones."""

import gzip
import json
from pathlib import Path

import numpy as np

FIXTURE = Path(__file__).parent / "coco_fixture"


def fixture(name):
    """JSON of `FIXTURE`: annotations, boxes_results or masks_results."""
    return json.loads(gzip.decompress((FIXTURE / f"{name}.json.gz").read_bytes()))


def polygon(rng, width, height, corners=6):
    """A random polygon that may reach beyond the image."""
    points = rng.uniform(-0.2, 1.2, (corners, 2)) * [width, height]
    return points.round(2).ravel().tolist()


def random_truth(rng, *, images=12, classes=4, masks=False):
    """Annotations: the last class and every fourth image have none, an eighth are crowds."""
    truth = {
        "images": [],
        "annotations": [],
        "categories": [{"id": 3 * k + 2, "name": f"class {k}"} for k in range(classes)],
    }
    for image in rng.permutation(images):
        width, height = (int(each) for each in rng.integers(40, 300, 2))
        truth["images"].append({"id": int(image) * 7 + 1, "width": width, "height": height})
        for _ in range(0 if image % 4 == 0 else int(rng.integers(1, 9))):
            x, y = rng.integers(0, width // 2), rng.integers(0, height // 2)
            w, h = rng.integers(2, width // 2), rng.integers(2, height // 2)
            each = {
                "id": len(truth["annotations"]) + 1,
                "image_id": int(image) * 7 + 1,
                "category_id": 3 * int(rng.integers(0, classes - 1)) + 2,
                "bbox": [int(x), int(y), int(w), int(h)],
                "area": float(w * h * rng.choice([0.5, 1.0])),
                "iscrowd": int(rng.random() < 1 / 8),
            }
            if masks:
                each["segmentation"] = [polygon(rng, width, height) for _ in range(rng.integers(1, 3))]
            truth["annotations"].append(each)
    return truth


def random_results(rng, truth, *, masks=False):
    """Detections near objects and anywhere, of all classes, with scores of one decimal: many are equal."""
    found = []
    sizes = {each["id"]: (each["width"], each["height"]) for each in truth["images"]}
    classes = [each["id"] for each in truth["categories"]]
    for each in truth["annotations"]:
        for _ in range(rng.integers(0, 4)):
            moved = rounded(each["bbox"] + rng.choice([0, 0, 1, 3], 4) * rng.normal(size=4))
            found.append({**_result(rng, each["image_id"], classes), "bbox": moved})
            if rng.random() < 0.7:
                found[-1]["category_id"] = each["category_id"]
            if masks:
                corners = [np.array(part) for part in each["segmentation"]]
                found[-1]["segmentation"] = [(c + rng.normal(size=len(c))).round(1).tolist() for c in corners]
    for image, (width, height) in sizes.items():
        for _ in range(130 if image == 15 else 3):
            box = rounded(rng.uniform(0, 1, 4) * [width, height, width, height])
            found.append({**_result(rng, image, classes), "bbox": box})
    for each in found if masks else ():
        del each["bbox"]
        each.setdefault("segmentation", [polygon(rng, *sizes[each["image_id"]], corners=4)])
    return [found[at] for at in rng.permutation(len(found))]


def _result(rng, image, classes):
    return {
        "image_id": image,
        "category_id": int(rng.choice(classes)),
        "score": round(float(rng.random()), 1),
    }


def rounded(values):
    """A box whose sides are not negative."""
    x, y, w, h = (float(each) for each in values.round(1))
    return [x, y, abs(w), abs(h)]
