"""Options and schedules: what is refused, what is chosen, and the way to a command and back."""

import re

import numpy as np
import pytest

from cnncli.checked import Fields, MalformedError
from cnncli.errors import CnncliError
from cnncli.nn import SGD, Adam, AdamW, Muon, RMSprop
from cnncli.training.options import TrainOptions
from cnncli.training.schedules import parse_schedule


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"epochs": 0}, "--epochs is 0; expected a whole number, 1 to"),
        ({"batch_size": 0}, "--batch-size is 0"),
        ({"lr": -1.0}, "--lr is -1"),
        ({"lr": float("nan")}, "--lr is nan"),
        ({"weight_decay": -0.1}, "--weight-decay is -0.1"),
        ({"momentum": 1.0}, "--momentum is 1"),
        ({"smoothing": 1.0}, "--smoothing is 1"),
        ({"seed": -1}, "--seed is -1"),
        ({"val_split": 1.0}, "--val-split is 1"),
        ({"patience": 0}, "--patience is 0"),
        ({"ema": 1.0}, "--ema is 1"),
        ({"clip": -1.0}, "--clip is -1"),
        ({"opt": "adamm"}, "--opt is 'adamm'"),
        ({"sched": "cosin"}, "--sched is 'cosin'"),
        ({"freeze": True}, "--freeze without --init"),
        ({"patience": 2, "val_split": 0.0}, "--patience with --val-split 0"),
    ],
)
def test_what_is_refused(wrong, what):
    with pytest.raises(CnncliError, match=what):
        TrainOptions(dataset="mnist", **wrong)


@pytest.mark.parametrize(
    ("name", "least", "most", "below", "above"),
    [
        ("epochs", 1, 1_000_000, 0, 1_000_001),
        ("batch_size", 1, 65_536, 0, 65_537),
        ("lr", 1e-12, 1e6, 0.0, 1.1e6),
        ("weight_decay", 0.0, 1000.0, -1e-9, 1001.0),
        ("momentum", 0.0, 0.9999, -1e-9, 1.0),
        ("smoothing", 0.0, 0.99, -1e-9, 1.0),
        ("seed", 0, 2**63 - 1, -1, 2**63),
        ("val_split", 0.0, 0.99, -1e-9, 1.0),
        ("patience", 1, 1_000_000, 0, 1_000_001),
        ("ema", 0.0, 0.999999, -1e-9, 1.0),
        ("clip", 0.0, 1e12, -1e-9, 1.1e12),
        ("max_pixels", 1, 2**62, 0, 2**62 + 1),
    ],
)
def test_bounds_of_numbers(name, least, most, below, above):
    for value in (least, most):
        assert getattr(TrainOptions(dataset="mnist", **{name: value}), name) == value
    for value in (below, above):
        with pytest.raises(CnncliError, match=f"--{name.replace('_', '-')} is .*; expected "):
            TrainOptions(dataset="mnist", **{name: value})


@pytest.mark.parametrize(("images", "epochs"), [(1, 100), (200, 100), (3600, 24), (60_000, 18), (10**6, 18)])
def test_epochs_follow_the_images(images, epochs):
    assert TrainOptions(dataset="d").settled(images).epochs == epochs


@pytest.mark.parametrize(
    ("images", "batch", "rate"),
    [(1, 8, 0.00063), (30, 8, 0.0018), (129, 8, 0.0018), (360, 16, 0.0025), (700, 32, 0.0035)],
)
def test_batch_and_rate_follow_the_images(images, batch, rate):
    settled = TrainOptions(dataset="d").settled(images)
    assert (settled.batch_size, settled.lr) == (batch, rate)


def test_many_images_have_batches_of_64():
    settled = TrainOptions(dataset="d").settled(3600)
    assert (settled.batch_size, settled.lr) == (64, 0.005)
    assert TrainOptions(dataset="d", opt="sgd", batch_size=16).settled(3600).lr == 0.1 * 16 / 64
    assert TrainOptions(dataset="d", batch_size=256).settled(3600).lr == 0.005


def test_what_is_given_stays():
    settled = TrainOptions(dataset="d", epochs=3, lr=0.5, weight_decay=0.0).settled(100)
    assert (settled.epochs, settled.lr, settled.weight_decay) == (3, 0.5, 0.0)


@pytest.mark.parametrize(
    ("opt", "kind"), [("sgd", SGD), ("adam", Adam), ("adamw", AdamW), ("rmsprop", RMSprop), ("muon", Muon)]
)
def test_optimisers(opt, kind):
    made = TrainOptions(dataset="d", opt=opt, weight_decay=0.25).settled(10).optimiser()
    assert type(made) is kind
    assert made.weight_decay == 0.25


@pytest.mark.parametrize(("opt", "momentum"), [("sgd", 0.9), ("muon", 0.95), ("adamw", None)])
def test_momentum_suits_the_optimiser(opt, momentum):
    assert TrainOptions(dataset="d", opt=opt).settled(10).momentum == momentum
    assert TrainOptions(dataset="d", opt=opt, momentum=0.0).settled(10).momentum == 0.0


@pytest.mark.parametrize(
    ("of", "opt", "batch"),
    [("images", "adamw", 64), ("pixels", "muon", 8), ("box", "adamw", 16), ("boxes", "muon", 16)],
)
def test_the_optimiser_suits_the_targets(of, opt, batch):
    settled = TrainOptions(dataset="d").settled(10_000, of=of)
    assert (settled.opt, settled.batch_size) == (opt, batch)
    assert TrainOptions(dataset="d", opt="sgd").settled(10_000, of=of).opt == "sgd"


def test_there_and_back():
    options = TrainOptions(dataset="d", epochs=3, ema=0.9).settled(10)
    assert TrainOptions.from_fields(Fields(options.as_dict())) == options


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": 1}, '"colour"'),
        ({"epochs": 10**9}, "--epochs is"),
        ({"epochs": 3.5}, "epochs is 3.5; expected a whole number"),
        ({"epochs": True}, "epochs is true; expected a whole number"),
        ({"lr": "0.1"}, 'lr is "0.1"; expected a number'),
        ({"lr": 10**400}, "lr is 1000"),
        ({"freeze": 1}, "freeze is 1; expected true or false"),
        ({"model": ["conv8"]}, "model is a list of 1; expected text"),
        ({"seed": None}, "seed is null"),
        ({"seed": 2**63}, "seed is 9223372036854775808"),
        ({"augment": "somersault"}, "somersault"),
    ],
)
def test_options_that_somebody_edited(changes, message):
    options = TrainOptions(dataset="d", epochs=3, ema=0.9).settled(10)
    with pytest.raises(MalformedError, match=re.escape(message)):
        TrainOptions.from_fields(Fields(options.as_dict() | changes))


def test_an_option_that_is_missing():
    values = TrainOptions(dataset="d").settled(10).as_dict()
    del values["opt"]
    with pytest.raises(MalformedError, match='"opt": unknown or missing'):
        TrainOptions.from_fields(Fields(values))


def test_the_command_names_what_differs():
    options = TrainOptions(dataset="my data", model="conv8 fc", lr=0.1, class_weights=True, epochs=5)
    assert options.command == (
        "cnncli train 'my data' --model 'conv8 fc' --epochs 5 --lr 0.1 --class-weights"
    )


def factors(text, epochs=10, batches=10):
    schedule = parse_schedule(text).schedule(epochs, batches)
    return np.array([schedule.factor(step) for step in range(epochs * batches)])


def test_constant():
    assert (factors("constant") == 1).all()


def test_cosine_falls_along_half_a_cosine():
    got = factors("cosine")
    assert got == pytest.approx((1 + np.cos(np.pi * np.arange(100) / 100)) / 2)


def test_warm_up_rises_in_a_line_then_the_schedule_begins():
    got = factors("cosine:warmup=2")
    assert got[:20] == pytest.approx(np.arange(1, 21) / 20)
    assert got[20] == 1
    assert (np.diff(got[20:]) < 0).all()


def test_step_falls_at_shares_of_the_run():
    got = factors("step:at=0.3/0.6,gamma=0.5")
    assert got[[0, 29, 30, 59, 60, 99]] == pytest.approx([1, 1, 0.5, 0.5, 0.25, 0.25])


def test_one_cycle_rises_and_falls():
    got = factors("onecycle")
    assert got.argmax() == 29  # the last step of the first 30 %
    assert got[0] == pytest.approx(1 / 25)
    assert got[-1] == pytest.approx(1 / 250_000)


@pytest.mark.parametrize("warmup", [1, 2, 7.5, 10])
def test_the_warm_up_of_one_cycle_is_its_rise(warmup):
    got = factors(f"one-cycle:warmup={warmup}")
    peak = round(warmup * 10) - 1
    assert got[0] == pytest.approx(1 / 25)
    assert (np.diff(got[: peak + 1]) > 0).all()
    assert (np.diff(got[peak:]) < 0).all()
    assert got[peak] == 1
    assert peak == 99 or got[-1] == pytest.approx(1 / 250_000)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("exponential", "expected constant, step, cosine, linear, one-cycle"),
        ("cosine:at=0.5", "has no setting 'at'; expected warmup"),
        ("cosine:", "has no setting ''"),
        ("cosine:warmup=x", "warmup is 'x'; expected a number"),
        ("cosine:warmup=-1", "warmup is -1"),
        ("cosine:warmup=1/2", "warmup is 1/2"),
        ("step:gamma=-0.5", "gamma is -0.5; expected a number from 0 to 1"),
        ("step:gamma=2", "gamma is 2; expected a number from 0 to 1"),
        ("step:at=0.5/1.5", "shares of the run between 0 and 1"),
    ],
)
def test_schedules_that_are_none(text, what):
    with pytest.raises(CnncliError, match=what):
        parse_schedule(text)


def test_warm_up_longer_than_the_run():
    assert factors("cosine:warmup=99", epochs=2) == pytest.approx(np.arange(1, 21) / 20)


@pytest.mark.parametrize(("of", "smoothing"), [("images", 0.05), ("texts", 0.05), ("pixels", 0.0)])
def test_labels_are_smoothed_unless_they_are_of_pixels(of, smoothing):
    assert TrainOptions(dataset="d").settled(100, of=of).smoothing == smoothing
    for given in (0.0, 0.2):
        assert TrainOptions(dataset="d", smoothing=given).settled(100, of=of).smoothing == given
