"""A run made longer: its learning rates, and that it does not matter when it is told so."""

import math

import numpy as np
import pytest
from training_helpers import Watcher, never

from cnncli.errors import OptionError
from cnncli.training.changes import Changes
from cnncli.training.checkpoint import load_checkpoint
from cnncli.training.schedules import parse_schedule, prolonged


def one_cycle(step, steps):
    """As PyTorch documents it, with rises and falls along half a cosine, for 4 steps or more."""
    top, low = 0.3 * steps - 1, 1 / 250_000
    if step <= top:
        return 1 / 25 + (1 - 1 / 25) * (1 - math.cos(math.pi * step / top)) / 2
    return low + (1 - low) * (1 + math.cos(math.pi * (step - top) / (steps - 1 - top))) / 2


def test_each_part_keeps_the_rates_that_it_was_planned_with():
    rate = prolonged(parse_schedule("one-cycle"), (4, 6, 10), 5)
    for step in range(60):
        steps = 20 if step < 20 else 30 if step < 30 else 50
        assert rate(step) == pytest.approx(one_cycle(min(step, 49), steps))


def finished(session, output, **options):
    run = session(output=output, epochs=3, ema=0.9, patience=None, **options)
    assert run.trainer.run(Watcher(), never)
    run.finish({"images": 1, "right": 1, "accuracy": 1.0, "loss": 0.0})
    run.folder.unlock()
    return run


def stop_after(steps):
    taken = []
    return lambda: len(taken) >= steps or taken.append(0)


def test_prolonged_before_or_after_its_end_and_killed_it_has_the_same_bits(session, again, tmp_path):
    finished(session, tmp_path / "late")
    run = session(output=tmp_path / "early", epochs=3, ema=0.9)
    assert not run.trainer.run(Watcher(), stop_after(4))
    run.folder.unlock()
    for name in ("late", "early"):
        run = again(tmp_path / name, changes=Changes(epochs=5))
        assert run.trainer.progress.result is None
        assert run.trainer.epochs == 5
        if name == "early":  # stopped in the old part and in the new one, and gone on with in plain words
            for steps in (1, 4):
                assert not run.trainer.run(Watcher(), stop_after(steps))
                run.folder.unlock()
                run = again(tmp_path / name)
        watcher = Watcher()
        assert run.trainer.run(watcher, never)
        assert watcher.rows[-1]["epoch"] == 5
        run.folder.unlock()
    for kind in ("best", "last"):
        late, early = ((tmp_path / name / f"{kind}.safetensors").read_bytes() for name in ("late", "early"))
        assert late == early
    assert load_checkpoint(tmp_path / "late" / "last.safetensors").training["plans"] == [3, 5]


def test_the_first_epochs_are_those_of_the_shorter_run(session, again, tmp_path):
    first = finished(session, tmp_path / "run").trainer.progress.history
    run = again(tmp_path / "run", changes=Changes(epochs=4))
    run.trainer.run(Watcher(), never)
    rates = [row["lr"] for row in run.trainer.progress.history]
    assert rates[:3] == [row["lr"] for row in first]
    batches = len(run.trainer.inputs.train)
    assert rates[3] == pytest.approx(0.05 * one_cycle(4 * batches - 1, 4 * batches))


def test_the_same_number_changes_nothing(session, again, tmp_path):
    finished(session, tmp_path / "run")
    run = again(tmp_path / "run", changes=Changes(epochs=3))
    assert run.trainer.progress.result is not None
    assert run.trainer.inputs.plans == ()


@pytest.mark.parametrize("epochs", [2, 0, -1])
def test_a_run_is_not_made_shorter(session, again, tmp_path, epochs):
    finished(session, tmp_path / "run")
    with pytest.raises(
        OptionError, match=f"--epochs is {epochs} for a run of 3, 3 of them done; expected more"
    ):
        again(tmp_path / "run", changes=Changes(epochs=epochs))


def test_patience_that_ended_a_run_ends_it(session, again, tmp_path):
    run = session(output=tmp_path / "run", epochs=50, patience=1, lr=1e-9)
    assert run.trainer.run(Watcher(), never)
    run.finish({"images": 1, "right": 1, "accuracy": 1.0, "loss": 0.0})
    run.folder.unlock()
    with pytest.raises(OptionError, match="ended after epoch 2 of 50, by --patience 1"):
        again(tmp_path / "run", changes=Changes(epochs=60))


def test_averages_go_on(session, again, tmp_path):
    """The averaged weights of a prolonged run are not those of its first end."""
    finished(session, tmp_path / "run")
    before = load_checkpoint(tmp_path / "run" / "last.safetensors").arrays["head.weight"]
    run = again(tmp_path / "run", changes=Changes(epochs=4))
    run.trainer.run(Watcher(), never)
    after = load_checkpoint(tmp_path / "run" / "last.safetensors").arrays["head.weight"]
    assert not np.array_equal(before, after)
