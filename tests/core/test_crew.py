"""Threads that share the items of a native function: each item once, whoever calls and whoever comes."""

import ctypes
import threading
import time
from pathlib import Path

import pytest
from squares import MODULE, NAME, right, squares

from cnncli.core import crew as crew_module
from cnncli.core import native
from cnncli.core.threads import _ranges

PAUSES = (0, 2e-5, 2e-4)  # seconds: helpers still wait for the next call, or have gone to sleep


@pytest.fixture(autouse=True)
def own_crews(monkeypatch):
    monkeypatch.setitem(native.LOOPS, NAME, MODULE)
    monkeypatch.setattr(crew_module, "crews", [])


@pytest.mark.parametrize("lingers", [True, False])
def test_helpers_that_wait_and_those_that_sleep_do_each_item_once(monkeypatch, lingers):
    monkeypatch.setattr(crew_module, "STORES_IN_ORDER", (native.processor()[0],) if lingers else ())
    for turn in range(400):
        count, threads = (1, 2, 5, 64, 1000)[turn % 5], (2, 5, 3, 1)[turn % 4]
        numbers, done = squares(count, seed=turn, threads=threads)
        assert right(numbers, seed=turn)
        assert sum(done) == count
        assert len(done) == min(threads, count)
        end = time.perf_counter() + PAUSES[turn % len(PAUSES)]
        while time.perf_counter() < end:
            pass
    assert len(crew_module.crews) == 1


def test_no_item_is_taken_twice_where_all_want_the_next(monkeypatch):
    monkeypatch.setattr(crew_module, "MIN_RANGES", 1 << 20)
    monkeypatch.setattr(crew_module, "RANGE_DIVISOR", 1 << 20)
    for seed in range(20):
        numbers, done = squares(100_000, seed=seed, threads=3)
        assert right(numbers, seed=seed)
        assert sum(done) == 100_000


def test_all_threads_take_part():
    workers, deadline = set(), time.monotonic() + 60
    while workers != {0, 1, 2} and time.monotonic() < deadline:
        _, done = squares(100_000, threads=3)
        workers |= {worker for worker, items in enumerate(done) if items}
    assert workers == {0, 1, 2}


def test_callers_at_the_same_time_have_a_crew_each():
    wrong, together = [], threading.Barrier(4, timeout=30)

    def call(seed):
        together.wait()
        for count in range(1, 300):
            numbers, done = squares(count, seed=seed, threads=3)
            if not right(numbers, seed=seed) or sum(done) != count:
                wrong.append((seed, count))

    callers = [threading.Thread(target=call, args=(seed,)) for seed in range(4)]
    for each in callers:
        each.start()
    for each in callers:
        each.join()
    assert wrong == []
    assert 1 <= len(crew_module.crews) <= 4


@pytest.mark.parametrize("threads", [2, 3, 8])
@pytest.mark.parametrize("count", [2, 3, 100, 4097])
def test_ranges_are_those_of_threads_in_python(threads, count):
    taken = []

    @ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_ssize_t)
    def note(job, scratch, lo, hi):
        taken.append((lo, hi))

    address = ctypes.cast(note, ctypes.c_void_p).value
    loop, architecture = native.native_function("share"), native.processor()[0]
    crew_module.share(loop, address, 0, [0] * threads, count, architecture=architecture)
    assert sorted(taken) == _ranges(count, threads)


FORKED = """
import os, sys
from cnncli.core import crew, native
from squares import NAME, MODULE, right, squares
native.LOOPS[NAME] = MODULE
def runs():
    return all(right(squares(count, threads=3)[0]) for count in (1, 10, 1000))
assert runs()
child = os.fork()
if not child:
    os._exit(0 if not crew.crews and runs() else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert runs()
"""


def test_a_process_that_was_forked_has_threads_of_its_own(python):
    python(FORKED, path=[Path(__file__).parent])
