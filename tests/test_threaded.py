"""Pieces of work in threads: all of them, in order, and the first fault after all have stopped."""

import threading

import pytest

from cnncli.threaded import in_threads


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

    before = threading.active_count()
    with pytest.raises(ZeroDivisionError):
        in_threads(make, 1000, threads=threads)
    assert len(begun) < 5 + threads
    assert threading.active_count() == before


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
