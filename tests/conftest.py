"""One folder of compiled code for all processes of a session, so that each loop is compiled once."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import hypothesis
import numpy as np
import pytest

import cnncli

ROOT = Path(cnncli.__file__).parent.parent

# The same examples in every run, and no files of its own.
hypothesis.settings.register_profile("cnncli", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("cnncli")

# Commands inherit which signals are ignored: Ctrl-C where a shell runs the tests with &, SIGHUP under nohup.
for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, usual)


@pytest.fixture(scope="session", autouse=True)
def native_cache(tmp_path_factory):
    """Folder of the compiled code of this session, for this process and those that it starts.

    All workers of pytest-xdist share it, and a folder that CNNCLI_CACHE_DIR names outlives the session.
    """
    before = os.environ.get("CNNCLI_CACHE_DIR")
    if before:
        yield Path(before)
        return
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder = base / "compiled"
    folder.mkdir(mode=0o700, exist_ok=True)
    os.environ["CNNCLI_CACHE_DIR"] = str(folder)
    yield folder
    del os.environ["CNNCLI_CACHE_DIR"]


@pytest.fixture
def rng():
    """A generator of random numbers with a fixed seed."""
    return np.random.default_rng(20240607)


@pytest.fixture
def python():
    """Run Python code in a process of its own: ``python(code, *args, env={...})``.

    A variable set to None is taken away. The result has returncode, stdout and stderr as text.
    """

    def run(code, *args, env=None, path=(), root=ROOT, check=True, **options):
        variables = {**os.environ, **(env or {})}
        variables["PYTHONPATH"] = os.pathsep.join(map(str, [root, *path]))
        done = subprocess.run(
            [sys.executable, "-P", "-c", code, *map(str, args)],
            env={name: value for name, value in variables.items() if value is not None},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            **options,
        )
        assert not check or done.returncode == 0, done.stderr
        return done

    return run


@pytest.fixture
def synced(monkeypatch):
    """What the kernel was told to bring to the disk, in order, and what lay in the folder by then."""
    found = []
    real = os.fsync

    def spy(handle):
        path = Path(f"/proc/self/fd/{handle}").readlink()
        found.append(
            (path, path.stat().st_size if path.is_file() else sorted(each.name for each in path.iterdir()))
        )
        return real(handle)

    monkeypatch.setattr(os, "fsync", spy)
    return found
