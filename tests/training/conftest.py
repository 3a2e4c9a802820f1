"""A dataset that is learned in a moment, and runs on it."""

import numpy as np
import pytest

from cnncli.training.loading import Execution
from cnncli.training.options import TrainOptions
from cnncli.training.session import begin, resume

TINY = "conv4 bn relu pool dropout0.1 gap fc"


@pytest.fixture(scope="session")
def bars(tmp_path_factory):
    """Three classes of 10x10 pictures: bars that lie, bars that stand, and dots."""
    rng = np.random.default_rng(5)
    images = rng.integers(0, 60, (150, 10, 10)).astype(np.uint8)
    labels = np.arange(150) % 3
    for image, label in zip(images, labels, strict=True):
        at = int(rng.integers(1, 8))
        if label == 0:
            image[at : at + 2] += 150
        elif label == 1:
            image[:, at : at + 2] += 150
        else:
            image[1::3, 1::3] += 150
    path = tmp_path_factory.mktemp("data") / "bars.npz"
    test = slice(120, 150)
    np.savez(path, x_train=images[:120], y_train=labels[:120], x_test=images[test], y_test=labels[test])
    return path


@pytest.fixture
def session(bars, tmp_path):
    """Begin a run: ``session(epochs=2, …)``."""

    def make(*, output=None, threads=1, **options):
        load_options = {
            "dataset": str(bars),
            "model": TINY,
            "epochs": 3,
            "batch_size": 32,
            "lr": 0.05,
            "opt": "sgd",
            "smoothing": 0.0,
            "augment": "none",
            "val_split": 0.2,
        }
        asked = TrainOptions(**(load_options | options))
        return begin(asked, output=str(output or tmp_path / "run"), execution=Execution(threads=threads))

    return make


@pytest.fixture
def again():
    """Go on with a run."""
    return lambda path, **how: resume(str(path), **how)
