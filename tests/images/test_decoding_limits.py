"""Memory that several threads want: who runs out of it is tried once more, alone."""

import threading

import pytest

from cnncli.errors import CnncliError
from cnncli.images import decoding_limits
from cnncli.images.decoding_limits import DEFAULT_MAX_PIXELS, max_pixels, set_max_pixels, with_memory_retry
from cnncli.images.read import read_picture


def test_what_fits_is_done_once():
    calls = []
    assert with_memory_retry(lambda: calls.append(1) or "done", "a.png") == "done"
    assert len(calls) == 1


@pytest.mark.parametrize("wrapped", [False, True])
def test_what_fits_alone_is_done_when_the_others_have_ended(wrapped):
    great_began, small_failed = threading.Event(), threading.Event()
    order = []

    def great():
        great_began.set()
        assert small_failed.wait(10)
        order.append("great")

    def small():
        if not small_failed.is_set():
            assert great_began.wait(10)
            small_failed.set()
            if wrapped:
                raise CnncliError("a.png: no memory", "free some") from MemoryError()
            raise MemoryError
        order.append("small")
        return "small"

    other = threading.Thread(target=with_memory_retry, args=(great, "great.png"))
    other.start()
    assert with_memory_retry(small, "small.png") == "small"
    other.join()
    assert order == ["great", "small"]
    assert not decoding_limits._TURNS._busy


def test_nobody_begins_while_one_is_alone():
    inside, seen = threading.Event(), []
    attempts = []

    def great():
        attempts.append(1)
        if len(attempts) == 1:
            raise MemoryError
        inside.set()
        seen.append(late.is_alive() and not done.wait(0.1))
        raise MemoryError

    done = threading.Event()
    late = threading.Thread(target=lambda: inside.wait(10) and with_memory_retry(done.set, "late.png"))
    late.start()
    with pytest.raises(CnncliError, match=r"great\.png: there is not enough memory for it"):
        with_memory_retry(great, "great.png")
    late.join()
    assert seen == [True]
    assert done.is_set()


def test_other_faults_are_not_tried_again():
    calls = []

    def work():
        calls.append(1)
        raise CnncliError("it is damaged", "copy it")

    with pytest.raises(CnncliError, match="it is damaged"):
        with_memory_retry(work, "a.png")
    assert len(calls) == 1


def test_the_limit_of_the_process_counts_where_none_is_given(tmp_path):
    (tmp_path / "a.pgm").write_bytes(b"P5 30 20 255\n" + bytes(600))
    try:
        set_max_pixels(599)
        assert max_pixels() == 599
        with pytest.raises(CnncliError, match="at most 599 pixels"):
            read_picture(tmp_path / "a.pgm")
        assert read_picture(tmp_path / "a.pgm", max_pixels=600).frames[0].shape == (20, 30, 1)
    finally:
        set_max_pixels(None)
    assert max_pixels() == DEFAULT_MAX_PIXELS
