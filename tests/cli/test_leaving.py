"""A process that has done its work ends at once, but for those who wait for its end."""

import os
import pstats
import subprocess
import sys
import threading

import pytest

from cnncli import __main__ as program
from cnncli.cli.messages import report


def test_a_profile_is_written(tmp_path):
    profile = tmp_path / "profile"
    command = [sys.executable, "-m", "cProfile", "-o", profile, "-m", "cnncli", "kernels", "box"]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    assert b"box" in done.stdout
    assert pstats.Stats(str(profile)).total_calls > 0


@pytest.mark.parametrize(
    ("arguments", "code"), [(["--version"], 0), (["kernels", "nonesuch"], 2), (["nonesuch"], 2)]
)
def test_the_exit_code_and_all_that_was_printed_arrive(start, arguments, code):
    process = start(*arguments)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert (out if code == 0 else err).endswith(b"\n")


def test_what_was_printed_before_a_fault_arrives(python):
    done = python(
        "import sys\n"
        "from cnncli import __main__ as program\n"
        "sys.argv = ['cnncli']\n"
        "import cnncli.cli.run as command\n"
        "command.run = lambda arguments: print('half a line', end='') or 1\n"
        "program.main()",
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "half a line")


def test_threads_that_work_are_waited_for(monkeypatch):
    ended = []
    monkeypatch.setattr(os, "_exit", ended.append)
    monkeypatch.setattr(sys, "gettrace", lambda: None)
    monkeypatch.setattr(sys, "getprofile", lambda: None)
    program._leave(3)
    go_on = threading.Event()
    worker = threading.Thread(target=go_on.wait)
    worker.start()
    try:
        program._leave(4)
    finally:
        go_on.set()
        worker.join()
    assert ended == [3]


def test_words_without_end_are_cut_in_what_is_said_and_kept_in_what_is_read(capsys):
    long = "x" * 2000
    report(f"warning: {long} is left out", f'{{"input":"{long}"}}')
    assert [len(line) < 500 for line in capsys.readouterr().err.splitlines()] == [True, True]
    report(f'{{"input":"{long}"}}', exactly=True)
    assert long in capsys.readouterr().err
