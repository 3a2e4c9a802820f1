"""That costs and ratios are what they say: of known numbers, and of processes of known appetite."""

import sys
import threading
import time

import numpy as np
import pytest

from .model import Case, Contest, Cost, Goal
from .pictures import photograph
from .timing import Launcher, measure_case, settle, summarise, typical

MEGABYTE = 1 << 20


def costs(*seconds):
    return [Cost(wall, 2 * wall) for wall in seconds]


def test_ratios_are_taken_within_a_repeat():
    # Everything is ten times slower in the second repeat: the ratio stays 3, that of the medians would not.
    ours, peer = costs(1, 10, 1.5), costs(3, 30, 4.5)
    measured = summarise("peer", ours, peer)
    assert (measured.ratio, measured.low, measured.high) == (3, 3, 3)
    assert measured.cost == Cost(4.5, 9)


def test_the_middle_ratio_counts():
    measured = summarise("peer", costs(1, 1, 1), costs(2, 1, 9))
    assert (measured.ratio, measured.low, measured.high) == (2, 1, 9)


def test_ratios_of_the_cores():
    measured = summarise("peer", [Cost(1, 4)], [Cost(2, 2)], clock="cpu")
    assert measured.ratio == 0.5


def test_memory_is_the_largest():
    assert typical([Cost(1, 1, 5), Cost(3, 3, 7), Cost(2, 2, 6)]) == Cost(2, 2, 7)


@pytest.mark.parametrize(
    ("goal", "verdict"),
    [
        (Goal(2), "ok"),
        (Goal(2.1), "short"),
        (Goal(2, seconds=1), "ok"),
        (Goal(2, seconds=0.9), "short"),
        (Goal(seconds=1), "ok"),
    ],
)
def test_verdict_goes_by_the_hardest_peer(goal, verdict):
    contest = Contest(
        lambda: Cost(1, 1), {"slow": lambda: Cost(5, 5), "fast": lambda: Cost(2, 2)}, lambda: {"fast": "off"}
    )
    row = measure_case(Case("group", "work", "", goal, lambda: contest), seconds=0, least=3)
    assert row.fastest.peer == "fast"
    assert row.fastest.difference == "off"
    assert (row.verdict, row.repeats) == (verdict, 3)


def test_without_a_peer_there_is_no_verdict():
    contest = Contest(lambda: Cost(1, 1), {}, missing=("vips",))
    row = measure_case(Case("group", "work", "", Goal(2), lambda: contest), seconds=0, least=3)
    assert (row.verdict, row.missing) == ("no peer", ("vips",))


def test_memory_of_a_process_is_its_own():
    here = np.ones(300 * MEGABYTE, np.uint8)  # which must not count for the processes started from here
    with Launcher() as launcher:
        small = launcher.cost([sys.executable, "-I", "-S", "-c", "pass"])
        large = launcher.cost([sys.executable, "-I", "-S", "-c", f"bytearray(b'1') * {100 * MEGABYTE}"])
    assert here.any()
    assert small.memory < 50 * MEGABYTE
    assert 100 * MEGABYTE < large.memory < 150 * MEGABYTE


def test_processor_time_of_children_counts(tmp_path):
    spin = "import time\nwhile time.process_time() < 0.3: pass"
    script = tmp_path / "spin.py"
    script.write_text(spin)
    with Launcher() as launcher:
        cost = launcher.cost(["sh", "-c", f"'{sys.executable}' -I -S '{script}'; true"])
    assert cost.cpu >= 0.3


def test_a_command_that_fails_is_no_measurement():
    with Launcher() as launcher, pytest.raises(RuntimeError, match=r"exit code 3: oh no"):
        launcher.cost([sys.executable, "-c", "import sys; print('oh no', file=sys.stderr); sys.exit(3)"])


def test_photographs_are_the_same_every_time():
    first = photograph(64, 48, 3, seed=5)
    assert first.shape == (48, 64, 3)
    assert np.array_equal(first, photograph(64, 48, 3, seed=5))
    assert not np.array_equal(first, photograph(64, 48, 3, seed=6))
    assert first.std() > 10


def test_the_threads_of_others_are_asleep_before_a_block_is_timed():
    spinning = threading.Event()

    def spin():
        end = time.perf_counter() + 0.15
        while time.perf_counter() < end:
            pass
        spinning.set()

    threading.Thread(target=spin).start()
    settle()
    assert spinning.is_set()
