"""The contact sheet: what stands where, and that nothing overlaps."""

import itertools

import numpy as np
import pytest

from cnncli.views.contact_sheet import PICTURE, SheetRow, Shot, contact_sheet


def shot(height, width, **given):
    return Shot(np.full((height, width, 3), 90, np.uint8), **{"name": "a.png"} | given)


def sheet(hits):
    row = SheetRow(
        shot(300, 500, name="query.png", note="2 equal files"),
        tuple(shot(40 + 30 * i, 100, name=f"hit {i}", distance=i / 10) for i in range(hits)),
    )
    empty = SheetRow(Shot(None, "gone.png"), ())
    return contact_sheet([row, empty, row], title="The nearest images", subtitle="of 3")


@pytest.mark.parametrize("hits", [0, 1, 8, 11])
def test_nothing_overlaps_and_all_is_on_the_page(hits):
    canvas = sheet(hits)
    page = canvas.array()
    assert page.shape == (canvas.height, canvas.width, 3)
    marks = [mark for mark in canvas.marks if mark.kind in ("text", "image")]
    assert all(mark.box.left >= 0 and mark.box.right <= canvas.width for mark in marks)
    for a, b in itertools.combinations(marks, 2):
        assert not a.box.grown(-2).overlaps(b.box.grown(-2)), (a.text, b.text)


def test_pictures_keep_their_shape_and_hits_their_order():
    canvas = sheet(8)
    images = [mark.box for mark in canvas.marks if mark.kind == "image"]
    assert (images[0].width, images[0].height) == (PICTURE, round(PICTURE * 300 / 500))
    hits = images[1:9]
    assert [box.left for box in hits] == sorted(box.left for box in hits)
    assert len({box.bottom for box in hits}) == 1
    texts = [mark.text for mark in canvas.marks if mark.kind == "text"]
    assert [text for text in texts if text.startswith("0.")][:8] == [f"{i / 10:.3f}" for i in range(8)]
    assert texts.count("query.png") == 2
