"""Cores that may be used, and work that is spread over them."""

import _thread
import gc
import os
import threading
import time
import weakref
from pathlib import Path

import numpy as np
import pytest

from cnncli.core.threads import available_cores, current_core, leave_core, spread, thread_count
from cnncli.errors import CnncliError

AFFINITY = len(os.sched_getaffinity(0))


def fake_root(tmp_path, membership, files):
    """A file system of control groups."""
    for name, text in {"proc/self/cgroup": membership, **files}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


# The quotas grant whole cores, rounded up, and never more than the affinity.
GROUPS = {
    "v2 without a limit": ("0::/\n", {"sys/fs/cgroup/cpu.max": "max 100000\n"}, None),
    "v2, one core": ("0::/\n", {"sys/fs/cgroup/cpu.max": "100000 100000\n"}, 1),
    "v2, half a core": ("0::/\n", {"sys/fs/cgroup/cpu.max": "50000 100000\n"}, 1),
    "v2, a core and a half": ("0::/\n", {"sys/fs/cgroup/cpu.max": "150000 100000\n"}, 2),
    "v2, a thousand cores": ("0::/\n", {"sys/fs/cgroup/cpu.max": "100000000 100000\n"}, None),
    "v2, the group's own": ("0::/a/b\n", {"sys/fs/cgroup/a/b/cpu.max": "100000 100000\n"}, 1),
    "v2, a parent's": (
        "0::/a/b\n",
        {"sys/fs/cgroup/a/cpu.max": "90000 100000\n", "sys/fs/cgroup/a/b/cpu.max": "max 100000\n"},
        1,
    ),
    "v2, the tightest": (
        "0::/a/b\n",
        {"sys/fs/cgroup/a/cpu.max": "100000 100000\n", "sys/fs/cgroup/a/b/cpu.max": "800000 100000\n"},
        1,
    ),
    "v2, seen from outside its namespace": (
        "0::/../../a\n",
        {"sys/fs/cgroup/a/cpu.max": "100000 100000\n"},
        1,
    ),
    "v2, unreadable numbers": ("0::/\n", {"sys/fs/cgroup/cpu.max": "many few\n"}, None),
    "v2, a period of zero": ("0::/\n", {"sys/fs/cgroup/cpu.max": "100000 0\n"}, None),
    "v1, one core": (
        "5:memory:/x\n4:cpu,cpuacct:/job\n",
        {
            "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us": "100000\n",
            "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us": "100000\n",
        },
        1,
    ),
    "v1 without a limit": (
        "4:cpu:/\n",
        {"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"},
        None,
    ),
    "v1, another controller's": (
        "4:cpuset:/\n",
        {"sys/fs/cgroup/cpuset/cpu.cfs_quota_us": "1\n", "sys/fs/cgroup/cpuset/cpu.cfs_period_us": "1\n"},
        None,
    ),
    "both, v1 holds the limit": (
        "4:cpu:/a\n0::/a\n",
        {
            "sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "20000\n",
            "sys/fs/cgroup/cpu/a/cpu.cfs_period_us": "100000\n",
        },
        1,
    ),
    "no group": ("", {}, None),
    "lines that mean nothing": ("what\n\n0::/\n", {"sys/fs/cgroup/cpu.max": "100000 100000\n"}, 1),
}


@pytest.mark.parametrize("name", GROUPS)
def test_a_control_group_limits_the_cores(tmp_path, name):
    membership, files, quota = GROUPS[name]
    expected = AFFINITY if quota is None else min(quota, AFFINITY)
    assert available_cores(fake_root(tmp_path, membership, files)) == expected


def test_without_control_groups_affinity_decides(tmp_path):
    assert available_cores(tmp_path) == AFFINITY


def test_affinity_limits_the_cores(tmp_path):
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert available_cores(tmp_path) == 1
        assert thread_count(None) == 1
    finally:
        os.sched_setaffinity(0, allowed)


def test_thread_count():
    assert thread_count(3) == 3
    assert thread_count(None) == available_cores()


@pytest.mark.parametrize("requested", [0, -1])
def test_fewer_than_one_thread_is_refused(requested):
    with pytest.raises(CnncliError, match=f"--threads is {requested}; expected 1 or more"):
        thread_count(requested)


# Work


@pytest.mark.parametrize("count", [0, 1, 2, 3, 15, 16, 17, 1000])
@pytest.mark.parametrize("threads", [-1, 0, 1, 2, 3, 7, 64])
def test_every_item_is_done_once(count, threads):
    done, workers = [0] * count, set()

    def work(worker, lo, hi):
        assert 0 <= lo < hi <= count
        workers.add(worker)
        for i in range(lo, hi):
            done[i] += 1

    spread(work, count, threads)
    assert done == [1] * count
    assert workers <= set(range(max(1, threads)))


def test_each_thread_starts_the_next_while_there_is_work():
    """Twelve meet in their first range: nobody waits until the caller has started all."""
    met, workers = threading.Barrier(12, timeout=20), set()

    def work(worker, lo, hi):
        if worker not in workers:
            workers.add(worker)
            met.wait()

    spread(work, 1000, 12)
    assert workers == set(range(12))


def test_no_thread_is_started_for_work_that_is_done():
    started = set()
    spread(lambda worker, lo, hi: started.add(worker), 3, 64)
    assert max(started) <= 2


def test_shares_get_smaller_so_that_all_threads_end_together():
    shares = []
    spread(lambda worker, lo, hi: shares.append(hi - lo), 1000, 2)
    assert 100 <= max(shares) <= 250
    assert min(shares) <= 25
    assert len(shares) <= 40


def test_the_caller_is_worker_zero_and_the_others_end():
    barrier = threading.Barrier(3)
    seen = {}

    def work(worker, lo, hi):
        if worker not in seen:
            seen[worker] = threading.get_native_id()
            barrier.wait(timeout=30)

    spread(work, 300, 3)
    assert seen[0] == threading.main_thread().native_id
    assert sorted(seen) == [0, 1, 2]
    tasks = Path("/proc/self/task")
    deadline = time.monotonic() + 30
    while tasks.exists() and any((tasks / str(seen[worker])).exists() for worker in (1, 2)):
        assert time.monotonic() < deadline, "a helper is still there"


def test_a_helper_leaves_its_callers_core():
    if len(allowed := os.sched_getaffinity(0)) < 2:
        pytest.skip("only one core")

    def leaves():
        core = current_core()
        leave_core(core)
        return current_core() != core

    assert any(leaves() for _ in range(50))  # the system may move the thread back at once
    assert os.sched_getaffinity(0) == allowed


@pytest.mark.parametrize("threads", [1, 2, 7])
@pytest.mark.parametrize("fault", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_fault_reaches_the_caller_and_stops_the_rest(threads, fault):
    done = []
    before = set(threading.enumerate())  # other tests keep threads of their own

    def work(worker, lo, hi):
        if lo <= 40 < hi:
            raise fault("forty")
        done.append(lo)

    with pytest.raises(fault, match="forty"):
        spread(work, 100_000, threads)
    assert len(done) < 100
    assert set(threading.enumerate()) <= before


def test_a_fault_of_another_thread_reaches_the_caller():
    together = threading.Barrier(2)

    def work(worker, lo, hi):
        if lo < 2 * hi - 2 * lo:
            together.wait(timeout=30)
        if worker == 1:
            raise ValueError("worker one")

    with pytest.raises(ValueError, match="worker one"):
        spread(work, 1000, 2)


@pytest.mark.parametrize("started", [0, 1, 2])
def test_threads_that_cannot_be_started_end_the_work_with_a_fault(monkeypatch, started):
    """A limit on processes: nothing waits for a thread that never was."""
    begin, begun = _thread.start_new_thread, []

    def limited(*arguments):
        if len(begun) == started:
            raise RuntimeError("can't start new thread")
        begun.append(arguments)
        return begin(*arguments)

    monkeypatch.setattr(_thread, "start_new_thread", limited)
    with pytest.raises(RuntimeError, match="can't start"):
        spread(lambda *_: time.sleep(0.001), 1000, 4)


def test_what_was_worked_on_is_freed_at_once():
    def worked_on():
        values = np.zeros(100)

        def work(worker, lo, hi):
            values[lo:hi] += 1

        spread(work, 100, 3)
        assert (values == 1).all()
        return weakref.ref(values)

    gc.disable()
    try:
        assert worked_on()() is None
    finally:
        gc.enable()
