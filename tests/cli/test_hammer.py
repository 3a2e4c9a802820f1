"""A few signals at random moments in every run of the tests; `hammer.py` sends as many as one likes."""

import os
from pathlib import Path

import hammer
import pytest

ROOT = Path(hammer.__file__).parent.parent.parent


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hammer")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    hammer.prepared(folder, environment)
    return {"folder": folder, "environment": environment}


@pytest.mark.parametrize("command", ["convolve", "batch", "predict", "train"])
def test_signals_at_random_moments(workplace, command):
    seen, wrong = hammer.hammer(command, 4, seed=7, **workplace)
    assert not wrong
    assert seen.total() == 4
