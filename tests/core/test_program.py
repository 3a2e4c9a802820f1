"""Programs: phases in order, every task once, samples beyond the batch left out."""

import gc
import time
import weakref
from itertools import pairwise

import numpy as np
import pytest

from cnncli.core import native, nn_jobs
from cnncli.core import program as program_module
from cnncli.core.program import Call, Program
from cnncli.core.workers import WorkerThreads


def copying(source, out):
    """A job that copies float32 by the order 0, 1, 2 …"""
    order = np.arange(source.size, dtype=np.int32)
    job = np.zeros(1, nn_jobs.PACK)
    job["src"], job["order"], job["out"] = source.ctypes.data, order.ctypes.data, out.ctypes.data
    return job, order


def chain(length, *, phases, samples=False):
    """Phases that each copy what the one before has copied, in tasks of 7 values."""
    arrays = [np.arange(length, dtype=np.float32), *(np.zeros(length, np.float32) for _ in range(phases))]
    jobs = [copying(a, b) for a, b in pairwise(arrays)]
    cuts = [(lo, min(lo + 7, length)) for lo in range(0, length, 7)]
    steps = [[[Call("pack", job, lo, hi, samples)] for lo, hi in cuts] for job, _ in jobs]
    return arrays, jobs, steps


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_a_phase_waits_for_the_one_before(threads):
    arrays, jobs, steps = chain(500, phases=40)
    program = Program(steps, threads=threads, scratch_bytes=0)
    for offset in range(30):
        arrays[0][:] = np.arange(500) + offset
        program.run(500)
        assert (arrays[-1] == arrays[0]).all()
    assert len(jobs) == 40


def test_samples_beyond_the_batch_are_left_out():
    arrays, jobs, steps = chain(50, phases=1, samples=True)
    Program(steps, threads=2, scratch_bytes=0).run(17)
    assert (arrays[1][:17] == arrays[0][:17]).all()
    assert (arrays[1][17:] == 0).all()
    assert len(jobs) == 1


def test_a_program_of_nothing_runs():
    Program([], threads=2, scratch_bytes=0).run(1)


def test_there_are_no_more_threads_than_tasks():
    _, jobs, steps = chain(20, phases=2)
    assert Program(steps, threads=64, scratch_bytes=0).threads == 3
    assert len(jobs) == 2


PAUSES = (0, 2e-5, 2e-4)  # seconds: helpers still wait for the next step, or have gone to sleep


@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize("lingers", [True, False])
def test_helpers_that_wait_take_part_in_the_steps_that_there_are(monkeypatch, threads, lingers):
    """Some phases and samples of two programs in turn, as they change from step to step."""
    monkeypatch.setattr(program_module, "STORES_IN_ORDER", (native.processor()[0],) if lingers else ())
    arrays, jobs, steps = chain(300, phases=4)
    program = Program(steps, threads=threads, scratch_bytes=0)
    others, other_jobs, other_steps = chain(200, phases=2, samples=True)
    other = Program(other_steps, threads=threads, scratch_bytes=0)
    for turn in range(300):
        for at, array in enumerate(arrays):
            array[:] = 10 * turn + at
        first = turn % 3
        after = first + 1 + turn % 2
        program.run(300, phases=(first, after))
        for at, array in enumerate(arrays):
            assert (array == 10 * turn + (first if first < at <= after else at)).all()
        if turn % 4 == 0:
            samples = 1 + 37 * turn % 200
            for array, value in zip(others, (turn + 1, 0, 0), strict=True):
                array[:] = value
            other.run(samples)
            assert (others[2] == np.where(np.arange(200) < samples, turn + 1, 0)).all()
        end = time.perf_counter() + PAUSES[turn % len(PAUSES)]
        while time.perf_counter() < end:
            pass
    assert len(jobs) + len(other_jobs) == 6


class Counter:
    """Counts the workers that have called."""

    def __init__(self):
        self.workers = set()

    def work(self, worker):
        self.workers.add(worker)


def test_every_helper_of_a_crew_works_and_none_keeps_the_work_alive():
    workers = WorkerThreads(2)
    counter = Counter()
    workers.call(counter, "work")
    deadline = time.monotonic() + 30
    while counter.workers != {1, 2} and time.monotonic() < deadline:
        time.sleep(0.001)
    assert counter.workers == {1, 2}
    reference = weakref.ref(counter)
    del counter
    while reference() is not None and time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.001)
    assert reference() is None
