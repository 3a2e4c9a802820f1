"""What a checkpoint says about pixels follows from the pixels, never from a name."""

import json
import re
from dataclasses import asdict, replace

import numpy as np
import pytest
from PIL import Image
from training_helpers import Watcher, never

from cnncli.checked import Fields, MalformedError
from cnncli.data.assemble import LoadOptions
from cnncli.data.augment import PRESETS
from cnncli.data.image_facts import ImageOptions
from cnncli.data.load import load_dataset
from cnncli.data.model import Arrays
from cnncli.errors import CnncliError
from cnncli.tasks.preprocessing import Preprocessing
from cnncli.training.options import TrainOptions, parse_size
from cnncli.training.pixels import preprocessing_of, shows_drawings
from cnncli.training.session import begin


@pytest.fixture
def folders(tmp_path, rng, monkeypatch):
    """One data set of dark strokes on light paper, in folders called mnist and paper."""
    for k in range(2):
        for i in range(8):
            page = np.full((28, 28), 230, np.uint8)
            page[4:24, 10 + 4 * k : 13 + 4 * k] = rng.integers(20, 60)
            for name in ("mnist", "paper"):
                (tmp_path / name / "lr"[k]).mkdir(parents=True, exist_ok=True)
                Image.fromarray(page).save(tmp_path / name / "lr"[k] / f"{i}.png")
    monkeypatch.chdir(tmp_path)


def test_a_folder_called_mnist_is_a_folder(folders):
    begun = {}
    for name in ("mnist", "paper"):
        options = TrainOptions(dataset=f"./{name}", model="conv2 gap fc", augment="auto")
        begun[name] = begin(options, output=f"run-{name}", kept=False)
    one, other = begun["mnist"], begun["paper"]
    assert asdict(one.preprocessing) == asdict(other.preprocessing)
    assert not one.preprocessing.digits
    batches = [next(iter(run.trainer.inputs.train.epoch(0))).x.copy() for run in (one, other)]
    np.testing.assert_array_equal(*batches)  # augmented alike: no preset by name


def test_the_collection_itself_is_known(folders, monkeypatch):
    monkeypatch.setenv("CNNCLI_DATA_DIR", "nowhere")
    dataset = load_dataset("mnist", LoadOptions(offline=True))
    assert (dataset.known, len(dataset.targets.classes)) == ("mnist", 10)
    assert dataset.known in PRESETS
    assert preprocessing_of(dataset, None)[0].digits
    papers = Arrays(255 - dataset.train.images, dataset.train.targets)
    made, warnings = preprocessing_of(replace(dataset, train=papers), None)
    assert (made.digits, len(warnings)) == (False, 1)
    larger = load_dataset("mnist", LoadOptions(image_options=ImageOptions(size=(32, 32)), offline=True))
    assert not preprocessing_of(larger, None)[0].digits  # predict would cut them out anew
    assert dataset.warnings == ("mnist is taken as the known data set; the local one is ./mnist",)
    assert load_dataset("./mnist").known == ""


def test_pixels_of_one_shade_are_said(tmp_path, rng):
    """Masks of 0 and 1 in bytes, and a dead pixel that pushes a camera's 12 bits in 16 down to few shades."""
    masks = rng.integers(0, 2, (20, 8, 8)).astype(np.uint8)
    camera = rng.integers(0, 1500, (20, 8, 8)).astype(np.uint16)
    fine = camera.copy()
    camera[0, 0, 0] = 65535
    for name, images, few in (
        ("masks", masks, 2),
        ("camera", camera, 7),
        ("fine", fine, None),
    ):
        np.savez(tmp_path / f"{name}.npz", x=images, y=np.arange(20) % 2)
        _, warnings = preprocessing_of(
            load_dataset(str(tmp_path / f"{name}.npz"), LoadOptions(val_split=0)), None
        )
        expected = [] if few is None else [f"nearly all pixels lie within {few} of 256 levels"]
        assert [each.partition(":")[0] for each in warnings] == expected


def test_size_and_fit_are_of_the_run_and_of_its_checkpoint(session, again, tmp_path):
    run = session(size="12x7", fit="pad")
    assert run.dataset.shape == (7, 12, 1)
    assert (run.preprocessing.size, run.preprocessing.fit) == ((7, 12), "pad")
    assert "--size 12x7 --fit pad" in run.options.command
    run.folder.unlock()
    resumed = again(tmp_path / "run")
    assert asdict(resumed.preprocessing) == asdict(run.preprocessing)
    np.testing.assert_array_equal(resumed.dataset.train.images, run.dataset.train.images)


def test_weights_to_start_from_bring_their_input_spec(session, tmp_path):
    first = session(size="12x7", fit="stretch", output=tmp_path / "first")
    first.trainer.run(Watcher(), never)
    then = session(init=str(tmp_path / "first"), output=tmp_path / "then", model="auto")
    assert (then.preprocessing.size, then.preprocessing.fit) == ((7, 12), "stretch")
    load_options = {"size": "9", "fit": "pad", "model": "auto"}
    other = session(init=str(tmp_path / "first"), output=tmp_path / "other", **load_options)
    assert (other.preprocessing.size, other.preprocessing.fit) == ((9, 9), "pad")


@pytest.mark.parametrize(("given", "taken"), [("1", (1, 1)), ("1x4000", (4000, 1)), ("4000x1", (1, 4000))])
def test_sizes_at_the_bounds(given, taken):
    """They are said as width x height, and held as (H, W)."""
    assert parse_size(given) == taken


@pytest.mark.parametrize(
    "given", ["0", "0x5", "5x0", "4001x5", "5x4001", "64x", "x64", "64x64x3", "-5", "4001", "big", ""]
)
def test_sizes_that_are_none(given):
    with pytest.raises(CnncliError, match=f"--size is '{given}'; expected a side, or width x height"):
        TrainOptions(dataset="a", size=given)


def test_a_fit_that_is_none():
    with pytest.raises(CnncliError, match="--fit is 'croop'; expected crop, pad, stretch") as caught:
        TrainOptions(dataset="a", fit="croop")
    assert caught.value.hint == "Did you mean --fit crop?"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"fit": "squeeze"}, "fit is 'squeeze'; expected crop, pad, stretch"),
        ({"scales": {"uint16": [5, 5, 0, 0]}}, "scales.uint16 is 5 to 5"),
        ({"scales": {"uint16": [0, 5]}}, "scales.uint16 has 2 values; expected 4"),
        ({"scales": {"int99": [0, 1, 1, 1]}}, "int99"),
        ({"scales": {"float32": [0, 1e300, 1, 1]}}, "scales.float32 is"),
        ({"resize": 1}, "resize is 1; expected a whole number from 2 to 4,000"),
        ({"resize": 5, "interpolation": "linear"}, "interpolation is 'linear'; expected bilinear, bicubic"),
        ({"resize": 5, "long_side": "cut"}, "long_side is 'cut'; expected truncated, rounded"),
    ],
)
def test_what_a_checkpoint_says_of_pixels_is_checked(changes, said):
    pre = asdict(Preprocessing((1, 2), 1, (0.5,), (0.25,)))
    with pytest.raises(MalformedError, match=re.escape(said)):
        Preprocessing.from_fields(Fields(json.loads(json.dumps(pre | changes)), "preprocessing"))


def test_checkpoints_of_the_first_release_crop_and_know_no_scales():
    old = {"size": [1, 2], "channels": 1, "mean": [0.5], "std": [0.25], "digits": True}
    assert Preprocessing.from_fields(Fields(old)) == Preprocessing((1, 2), 1, (0.5,), (0.25,), True)


@pytest.mark.parametrize(("ground", "drawn"), [(0.3, True), (0.2, False)])
def test_drawings_stand_on_a_plain_ground(ground, drawn):
    """A quarter of the pixels or more have one level."""
    counts = np.full((1, 256), round(1000 * (1 - ground) / 255))
    counts[0, 250] = round(1000 * ground)
    assert shows_drawings(counts) is drawn
