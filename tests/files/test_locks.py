"""Locks: waited for with a word and a limit, through no link."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import cnncli
from cnncli.core import cache
from cnncli.files import locks
from cnncli.files.locks import held

ROOT = Path(cnncli.__file__).parent.parent
HOLDER = """
import sys, time
from pathlib import Path
from cnncli.files.locks import held
with held(Path(sys.argv[1]), "rests", limit=9):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


@pytest.fixture
def holder(tmp_path):
    """Start a process that holds ``a.lock`` for so many seconds."""
    begun = []

    def start(seconds):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, tmp_path / "a.lock", str(seconds)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
        )
        begun.append(process)
        assert process.stdout.readline() == b"held\n"
        return process

    yield start
    for process in begun:
        process.kill()
        process.communicate()


def test_it_waits_and_says_for_whom(holder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(locks, "_SOON", 0.05)
    other = holder(0.5)
    with held(tmp_path / "a.lock", "rests", limit=9):
        pass
    assert capsys.readouterr().err == f"waiting for process {other.pid}, which rests …\n"


def test_a_stopped_process_is_waited_for_so_long_and_no_longer(holder, tmp_path):
    other = holder(60)
    other.send_signal(signal.SIGSTOP)
    begun = time.monotonic()
    words = re.escape(f"process {other.pid} rests and has not got on for 0 s")
    with pytest.raises(TimeoutError, match=words), held(tmp_path / "a.lock", "rests", limit=0.3):
        pass
    assert time.monotonic() - begun >= 0.3


def test_progress_prolongs_the_patience(holder, tmp_path):
    holder(0.8)
    with held(tmp_path / "a.lock", "rests", limit=0.3, progress=time.monotonic):
        pass


def test_code_is_compiled_without_a_lock_that_a_stopped_process_holds(holder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cache, "PATIENCE", 0.2)
    monkeypatch.setattr(locks, "_SOON", 0.05)
    other = holder(60)
    other.send_signal(signal.SIGSTOP)
    with cache.compiling(tmp_path / "a.o"):
        assert cache.keep(tmp_path / "a.o", b"payload")
    assert f"waiting for process {other.pid}, which compiles a" in capsys.readouterr().err


def test_no_link_is_followed(tmp_path):
    (tmp_path / "victim").write_bytes(b"kept")
    (tmp_path / "a.lock").symlink_to("victim")
    with pytest.raises(OSError, match="symbolic"), held(tmp_path / "a.lock", "rests", limit=9):
        pass
    with cache.compiling(tmp_path / "a.o"):
        assert not cache.is_being_compiled(tmp_path / "a.o")
    assert (tmp_path / "victim").read_bytes() == b"kept"
