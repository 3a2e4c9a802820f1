"""What a checkpoint says about pixels follows from the pixels, never from a name."""

from dataclasses import asdict

import numpy as np
import pytest
from PIL import Image
from training_helpers import make_task

from cnncli.data.augment import PRESETS
from cnncli.data.load import load_dataset
from cnncli.training.options import TrainOptions
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
        begun[name] = begin(options, make_task, output=f"run-{name}", kept=False)
    one, other = begun["mnist"], begun["paper"]
    assert asdict(one.preprocessing) == asdict(other.preprocessing)
    assert not one.preprocessing.digits
    batches = [next(iter(run.trainer.material.train.epoch(0))).x.copy() for run in (one, other)]
    np.testing.assert_array_equal(*batches)  # augmented alike: no preset by name


def test_the_collection_itself_is_known(folders, monkeypatch):
    monkeypatch.setenv("CNNCLI_DATA_DIR", "nowhere")
    dataset = load_dataset("mnist", offline=True)
    assert (dataset.known, len(dataset.classes)) == ("mnist", 10)
    assert dataset.known in PRESETS
    assert dataset.warnings == ("mnist is taken for the known data set; what lies here is ./mnist",)
    assert load_dataset("./mnist").known == ""
