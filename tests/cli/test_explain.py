"""`cnncli explain`: the tour on a terminal, through a pipe, and as a page."""

import os
import pty
import re
import sys

import pytest


def test_a_pipe_gets_the_whole_tour(run):
    done = run("explain")
    assert done.code == 0
    assert done.out.isascii()
    titles = [line for line in done.lines if re.match(r"\d/6  ", line)]
    assert [line[:3] for line in titles] == [f"{number}/6" for number in range(1, 7)]
    assert done.lines.count("Try next:") == 6


@pytest.mark.parametrize(("step", "title"), [("2", "2/6"), ("Feature Map", "2/6"), ("kernel", "1/6")])
def test_one_step(run, step, title):
    done = run("explain", "--step", step)
    assert done.code == 0
    assert done.lines[0].startswith(title)
    assert done.lines.count("Try next:") == 1


def test_a_page(run, tmp_path):
    done = run("explain", "-o", str(tmp_path / "tour.html"), "--step", "kernel")
    assert (done.code, done.lines) == (0, [str(tmp_path / "tour.html")])
    assert (tmp_path / "tour.html").read_text().startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["--step", "7"], "expected kernel, feature map, layer, network, training, gradients, or 1 to 6"),
        (["--step", "gradient"], "Did you mean gradients?"),
        (["-o", "tour.png"], "expected a name that ends in .html"),
    ],
)
def test_wrong_lines(run, line, said):
    done = run("explain", *line)
    assert done.code == 2
    assert said in done.err


def test_a_terminal_waits_for_enter_and_has_colours():
    """In a terminal of its own: Enter shows the next step, q ends the tour."""
    child, terminal = pty.fork()
    if not child:
        os.environ.update(TERM="xterm-256color", PYTHONIOENCODING="utf-8")
        os.environ.pop("NO_COLOR", None)
        os.execv(sys.executable, [sys.executable, "-m", "cnncli", "explain", "--threads", "1"])
    shown = ""

    def until(text):
        nonlocal shown
        while text not in shown:
            shown += os.read(terminal, 65536).decode("utf-8", "replace")
        before, _, shown = shown.partition(text)
        return before

    first = until("q: end")
    os.write(terminal, b"\n")
    second = until("q: end")
    os.write(terminal, b"q\n")
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0
    assert "1/6" in first
    assert "2/6" in second
    assert "3/6" not in second
    assert "\u2580" in second
