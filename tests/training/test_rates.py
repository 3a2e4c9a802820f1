"""The usual learning rate follows the network, and deep ones without batch norms learn with it."""

import numpy as np
import pytest
from training_helpers import Watcher, never

from cnncli.data.shipped import sample_path
from cnncli.models.choice import build
from cnncli.training.evaluation import evaluate
from cnncli.training.options import TrainOptions
from cnncli.training.rates import layers_in_a_row, suited
from cnncli.training.session import begin


@pytest.mark.parametrize(
    ("name", "layers"),
    [("lenet5", 5), ("alexnet", 8), ("vgg16", 16), ("squeezenet1.1", 18), ("conv8 relu conv8 gap fc", 3)],
)
def test_layers_with_weights_as_papers_count_them(name, layers):
    assert layers_in_a_row(build(name, (64, 64, 3), 10)) == layers


@pytest.mark.parametrize(
    ("name", "rate"),
    [
        *((name, 0.005) for name in ("compact", "2conv", "lenet5", "vgg-small", "resnet20", "googlenet")),
        *((name, 0.005) for name in ("vgg11-bn", "densenet121", "mobilenet-v2")),
        *((name, 0.001) for name in ("alexnet", "alexnet:lrn", "vgg11", "squeezenet1.0", "squeezenet1.1")),
    ],
)
def test_networks(name, rate):
    settled, notes = suited(TrainOptions(dataset="d").settled(3600), build(name, (64, 64, 3), 10))
    assert settled.lr == rate
    assert bool(notes) == (rate != 0.005)


def test_what_is_given_stays(session):
    deep = " ".join(["conv8 relu"] * 8) + " gap fc"
    assert session(model=deep, lr=0.05).options.lr == 0.05


def test_it_is_said(session, tmp_path):
    deep = " ".join(["conv8 relu"] * 8) + " gap fc"
    made = session(model=deep, lr=None, output=tmp_path / "deep")
    usual = session(lr=None, output=tmp_path / "usual")
    assert made.options.lr == usual.options.lr / 5
    lower, higher = made.options.lr, usual.options.lr
    assert (
        f"learning rate {lower:g} instead of {higher:g}, as 9 layers in a row have no batch norm"
        in made.notes
    )
    assert not [each for each in usual.notes if "learning rate" in each]


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """600 digits to learn, and 1,000 others."""
    path = tmp_path_factory.mktemp("digits") / "digits.npz"
    with np.load(sample_path("mnist_5k.npz")) as held:
        order = np.random.default_rng(0).permutation(5000)
        train, test = order[:600], order[4000:]
        arrays = {"x_train": train, "x_test": test, "y_train": train, "y_test": test}
        np.savez(path, **{name: held[name[0]][rows] for name, rows in arrays.items()})
    return str(path)


@pytest.mark.parametrize(
    ("name", "side", "epochs"),
    [("alexnet:width=0.25", 28, 1), ("vgg11:width=0.1", 32, 2), ("squeezenet1.1:width=0.25", 28, 4)],
)
def test_narrow_forms_learn_from_a_few_hundred_digits(name, side, epochs, digits, tmp_path):
    """What guesses is right in 10 % of 1,000, with a deviation of 0.95 %."""
    options = TrainOptions(dataset=digits, model=name, size=str(side), epochs=epochs, batch_size=8)
    session = begin(options, dry=True, output=str(tmp_path / "run"))
    session.trainer._save = lambda state, ended: None
    session.trainer.run(Watcher(), never)
    found = evaluate(session.best_network(), session.dataset.test, session.preprocessing, session.task)
    assert found.result()["accuracy"] > 0.16
