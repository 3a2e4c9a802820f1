"""That no picture of the test shows a pixel of the training, and that options reach `cnncli train`."""

import numpy as np
import pytest
from PIL import Image

from .textures import COINS, Cut, baselines, parsed, pictures, train_defaults

FOLDER = "photographs"


def test_options_after_two_dashes_are_for_cnncli():
    given, options = parsed([FOLDER, "--seeds", "1", "--", "--ema", "0.99"])
    assert (str(given.folder), given.seeds, options) == (FOLDER, 1, ["--ema", "0.99"])
    given, options = parsed([FOLDER, "--cuts", "1", "2", "--choose"])
    assert (given.cuts, given.choose, options) == ([1, 2], True, [])


def test_all_cuts_are_taken_but_those_without_room():
    assert parsed([FOLDER])[0].cuts == [0, 1, 2, 3, 4]
    assert parsed([FOLDER, "--choose"])[0].cuts == [0, 1, 2, 3]
    with pytest.raises(SystemExit):
        parsed([FOLDER, "--choose", "--cuts", "4"])


@pytest.mark.parametrize("turns", range(4))
def test_parts_have_no_pixel_in_common(turns, tmp_path):
    """A gray level is a column of the photograph, or a row where the test comes from above or below."""
    ramp = np.tile(np.arange(240, dtype=np.uint8), (240, 1))
    Image.fromarray(ramp if turns % 2 == 0 else ramp.T.copy()).save(tmp_path / "coins.png")
    cut = Cut((("coins.png", (0, 0, 240, 240)),), 16, turns, 0)
    train, test = pictures(tmp_path, cut)
    assert (train.images.shape, test.images.shape) == ((60, 16, 16), (30, 16, 16))
    seen = {"train": set(train.images.ravel()), "test": set(test.images.ravel())}
    low, high = sorted(seen.values(), key=min)
    assert max(low) < min(high)
    chosen, judged = pictures(tmp_path, cut, choose=True)
    assert {*chosen.images.ravel()} | {*judged.images.ravel()} <= {*range(240)} - seen["test"]
    assert not {*chosen.images.ravel()} & {*judged.images.ravel()}


def test_classes_are_in_the_order_of_the_textures(tmp_path):
    for name, gray in (("coins.png", 10), ("fur.png", 200)):
        Image.new("L", (380, 320), gray).save(tmp_path / name)
    train, _ = pictures(tmp_path, Cut((COINS, ("fur.png", (0, 0, 300, 300))), 32, 0, 0))
    assert [train.images[train.labels == n].mean() for n in (0, 1)] == [10, 200]


def test_pictures_of_two_shades_are_told_apart_by_all(tmp_path):
    pytest.importorskip("sklearn")
    for name, gray in (("coins.png", 10), ("fur.png", 200)):
        Image.new("L", (240, 240), gray).save(tmp_path / name)
    box = (0, 0, 240, 240)
    train, test = pictures(tmp_path, Cut((("coins.png", box), ("fur.png", box)), 16, 0, 0))
    assert set(baselines(train, test).values()) == {1.0}
    assert train_defaults(train, test, 0, ["--epochs", "2"])["test_accuracy"] == 1.0
