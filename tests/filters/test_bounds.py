"""No loop reads or writes a byte beyond its arrays: see ``guarded``."""

import signal
from pathlib import Path

import pytest

HERE = Path(__file__).parent
RUN = "import runpy; runpy.run_module('guarded', run_name='__main__', alter_sys=False)"


WAYS = ["direct", "whole", "pairs", "separable", "factors", "box", "responses", "fft"]


@pytest.mark.parametrize("way", WAYS)
def test_loops_stay_within_their_arrays(python, way):
    done = python(RUN, way, path=[HERE], check=False)
    last = (done.stdout.splitlines() or ["nothing"])[-1]
    assert done.returncode == 0, f"{last}\n{done.stderr}"
    assert last == "456 cases"


def test_the_guard_guards(python):
    assert python(RUN, "trespass", path=[HERE], check=False).returncode in (-signal.SIGSEGV, -signal.SIGBUS)
