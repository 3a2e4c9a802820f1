"""train --look: a page of samples with what is to be learned of them, and nothing trained."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from cnncli.cli.train_look import _samples
from cnncli.data.assemble import LoadOptions
from cnncli.data.augment import Augment
from cnncli.data.load import load_dataset
from cnncli.data.loader import Loader
from cnncli.data.model import Arrays
from cnncli.data.pixel_labels import PixelLabels
from cnncli.views.samples import samples_page


@pytest.fixture
def data(rng, tmp_path):
    """toy.npz of four classes, t.tsv of texts, and annotations of boxes in two images of a folder."""
    images = rng.integers(0, 256, (40, 12, 12)).astype(np.uint8)
    np.savez(tmp_path / "toy.npz", x=images, y=np.arange(40) % 4)
    rows = [f"word number {n}\t{'ab'[n % 2]}\n" for n in range(20)]
    (tmp_path / "t.tsv").write_text("".join(["text\tlabel\n", *rows]))
    (tmp_path / "images").mkdir()
    for number in range(1, 13):
        Image.new("L", (40, 30), 10 * number).save(tmp_path / f"images/{number}.png")
    each = [{"image_id": n, "category_id": 7, "bbox": [4, 4, 20, 12]} for n in range(1, 13)]
    truth = {
        "images": [{"id": n, "file_name": f"{n}.png", "width": 40, "height": 30} for n in range(1, 13)],
        "annotations": each,
        "categories": [{"id": 7, "name": "cat"}],
    }
    (tmp_path / "boxes.json").write_text(json.dumps(truth))


@pytest.mark.parametrize(("dataset", "page"), [("toy.npz", "toy-look.png"), ("boxes.json", "boxes-look.png")])
def test_it_draws_and_trains_nothing(run, data, tmp_path, dataset, page):
    before = {each.name for each in tmp_path.iterdir()}
    done = run("train", dataset, "--look", "-q")
    assert (done.code, done.lines) == (0, [page])
    assert np.asarray(Image.open(tmp_path / page)).ndim == 3
    assert {each.name for each in tmp_path.iterdir()} == {*before, page}
    (fact,) = run("train", dataset, "--look", "--json", "--augment", "none", "-o", "p.png").results
    assert (fact["output"], fact["augment"]) == ("p.png", "none")


def test_it_says_what_is_left_out_and_why(run, data, tmp_path):
    said = json.loads((tmp_path / "boxes.json").read_text())
    said["annotations"][2]["bbox"] = [4, 4, -20, 12]
    (tmp_path / "boxes.json").write_text(json.dumps(said))
    done = run("train", "boxes.json", "--look")
    assert (
        done.code,
        "annotation 3 (3.png): box 4,4,-20,12 (x, y, width, height) is inverted" in done.err,
    ) == (
        0,
        True,
    )


def test_a_box_is_drawn_around_its_object(data, tmp_path):
    """Images of 40x30 are fitted into 64x32; in a tile of 256 the orange edge is 20 x 12 of their pixels."""
    dataset = load_dataset(str(tmp_path / "boxes.json"), LoadOptions(whole=True))
    (batch,) = Loader(dataset.train, 12).epoch(0)
    page = samples_page(_samples(batch, dataset.shape)[:1], title="", subtitle="").array().astype(int)
    orange = (np.abs(page - [0xE6, 0x9F, 0x00]) < 3).all(axis=2)
    columns = np.flatnonzero(orange.any(axis=0))
    scale = 32 / 30 * 256 / 64
    assert np.ptp(columns) + 1 == pytest.approx(20 * scale, abs=3)
    edge = np.flatnonzero(orange.sum(axis=1) > 19 * scale)  # upper and lower
    assert np.ptp(edge) + 1 == pytest.approx(12 * scale, abs=3)


def test_classes_of_pixels_move_with_the_pixels(rng):
    """Bright pixels are those of class 1, wherever augmentation moves them."""
    maps = np.zeros((6, 24, 24), np.uint8)
    maps[:, 6:15, 4:12] = 1
    images = (200 * maps)[..., None]
    split = Arrays(images, PixelLabels(maps, ("ground", "coin")))
    augment = Augment(flip=0.5, vflip=0.5, shift=5, border="black")
    (batch,) = Loader(split, 6, augment=augment, seed=5).epoch(0)
    for sample in _samples(batch, split.shape):
        assert samples_page([sample], title="", subtitle="").array().ndim == 3
        assert sample.caption == "coin"
        (mask,) = sample.masks
        assert np.array_equal(mask, sample.pixels[..., 0] > 100)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["toy.npz", "--look", "-o", "runs"], "--look writes runs; expected a file that ends in .png"),
        (["toy.npz", "--look", "--dry-run"], "--look stands beside"),
        (["t.tsv", "--look"], "has texts; expected images"),
        (["moved/boxes.json", "--look"], "1.png is not there"),
    ],
)
def test_what_it_refuses(run, data, two_lines, tmp_path, words, message):
    (tmp_path / "moved").mkdir()
    (tmp_path / "moved/boxes.json").write_bytes((tmp_path / "boxes.json").read_bytes())
    done = run("train", *words)
    assert re.search(message, two_lines(done, done.code))
    assert done.code in (1, 2)


def test_words_on_a_page_of_few_samples_stay_on_it(run, data, tmp_path):
    """The page of one image is narrower than a list of all augmentation."""
    said = json.loads((tmp_path / "boxes.json").read_text())
    said["images"] = said["images"][:1]
    said["annotations"] = said["annotations"][:1]
    (tmp_path / "boxes.json").write_text(json.dumps(said))
    words = "flip,crop=0.5,brightness=0.25,contrast=0.25,shift=4,rotate=10"
    assert run("train", "boxes.json", "--look", "--augment", words, "-o", "p.png").code == 0
    page = np.asarray(Image.open(tmp_path / "p.png")).astype(int)
    marked = np.abs(page - page[0, 0]).max(axis=2) > 8
    columns = np.flatnonzero(marked.any(axis=0))
    assert (columns[0] >= 38, columns[-1] < page.shape[1] - 38) == (True, True)
