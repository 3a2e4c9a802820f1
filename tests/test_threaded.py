"""Pieces of work in threads: all of them, in order, and faults where results are read; how a pool is left."""

import _thread
import threading
from contextlib import closing

import pytest

from cnncli.threaded import Pool, PoolLeftError, in_order, in_threads


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 2, 4, 5, 6, 100])
def test_results_are_in_order(count, threads):
    assert in_threads(lambda index: index * index, count, threads=threads) == [n * n for n in range(count)]


def test_as_many_run_at_a_time_as_there_are_threads():
    together = threading.Barrier(3, timeout=30)  # breaks unless three meet
    assert sorted(in_threads(lambda _: together.wait(), 6, threads=3)) == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("threads", [1, 3])
def test_the_first_fault_ends_the_work(threads):
    begun = []

    def make(index):
        begun.append(index)
        if index >= 4:
            raise ZeroDivisionError(index)

    before = _thread._count()
    with pytest.raises(ZeroDivisionError):
        in_threads(make, 1000, threads=threads)
    assert len(begun) < 5 + threads
    assert _thread._count() == before


def test_of_several_faults_the_first_in_order_is_raised():
    later = threading.Event()

    def make(index):
        if index == 1:
            later.set()
            raise ZeroDivisionError
        later.wait(timeout=30)
        raise LookupError

    with pytest.raises(LookupError):
        in_threads(make, 2, threads=2)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("ahead", [1, 2, 50])
@pytest.mark.parametrize("count", [0, 1, 2, 7, 40])
def test_results_of_items_are_in_order(count, ahead, threads):
    found = in_order(range(count), lambda item: item * item, threads=threads, ahead=ahead)
    assert list(found) == [(item, item * item) for item in range(count)]


def test_no_more_items_are_begun_than_may_wait():
    given = []
    items = (given.append(item) or item for item in range(100))
    with closing(in_order(items, str, threads=2, ahead=5)) as found:
        for item, _ in found:
            assert len(given) <= item + 5


def test_a_fault_comes_where_the_result_would():
    def invert(item):
        return 1 / item

    found = in_order([1, 2, 0, 4], invert, threads=2, ahead=3)
    assert [next(found), next(found)] == [(1, 1.0), (2, 0.5)]
    with pytest.raises(ZeroDivisionError):
        next(found)


def test_who_leaves_waits_for_pieces_in_work_and_begins_no_more():
    begun, go, ended, before = threading.Event(), threading.Event(), [], _thread._count()

    def work(item):
        begun.set()
        go.wait(timeout=30)
        ended.append(item)

    with Pool(1) as pool:
        first, second = pool.begin(lambda: work(1)), pool.begin(lambda: work(2))
        assert begun.wait(timeout=30)
        threading.Timer(0.05, go.set).start()
    assert (ended, first.done, second.done) == ([1], True, True)
    with pytest.raises(PoolLeftError):
        second.result()
    assert _thread._count() <= before + 1  # the timer's


def test_a_pool_that_waits_for_somebody_else_is_left_behind():
    begun, answer = threading.Event(), threading.Event()
    pool = Pool(1)
    task = pool.begin(lambda: begun.set() or answer.wait(timeout=30))
    assert begun.wait(timeout=30)
    pool.leave(wait=False)
    assert not task.wait(0.01)
    answer.set()
    assert task.result() is True
