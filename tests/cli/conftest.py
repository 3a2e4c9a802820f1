"""The command, driven in this process by `run`, and as a real process by `start` and `shell`."""

import fcntl
import io
import json
import os
import pty
import select
import stat
import struct
import subprocess
import sys
import termios
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnncli.cli.run import run as run_command

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it said."""

    code: int
    out: bytes
    err: str

    @property
    def lines(self):
        return os.fsdecode(self.out).splitlines()

    @property
    def results(self):
        return [json.loads(line) for line in self.out.decode().splitlines()]

    @property
    def image(self):
        return np.asarray(Image.open(io.BytesIO(self.out)))


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Drive the command in this process, in the test's own folder: ``run("convolve", "a.png", ...)``."""
    monkeypatch.chdir(tmp_path)

    def drive(*args, stdin=None):
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
        source = None if stdin is None else io.TextIOWrapper(io.BytesIO(stdin))
        with monkeypatch.context() as patch:
            for name, stream in (("stdin", source), ("stdout", out), ("stderr", err)):
                patch.setattr(sys, name, stream)
            code = run_command([str(arg) for arg in args])
            out.flush()
            err.flush()
        return Done(code, out.buffer.getvalue(), err.buffer.getvalue().decode())

    return drive


@pytest.fixture
def start(tmp_path, commands):
    """Start the command as a process in the test's own folder; takes what `subprocess.Popen` takes.

    With ``line`` it is a line of bash, in which ``cnncli`` is a command.
    """
    begun = []

    def begin(*args, line=None, env=None, **options):
        options = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
        } | options
        variables = {**os.environ, "PYTHONPATH": str(ROOT), **(env or {})}
        command = [sys.executable, "-m", "cnncli", *args]
        if line is not None:
            command = ["bash", "-c", line]
            variables["PATH"] = f"{commands}:{variables['PATH']}"
        process = subprocess.Popen(command, cwd=tmp_path, env=variables, **options)
        begun.append(process)
        return process

    yield begin
    for process in begun:
        process.kill()
        process.communicate()


@pytest.fixture
def on_terminal(start):
    """What a command writes to a terminal of so many columns: ``on_terminal(80, "convolve", ...)``.

    With ``line``, what a line of bash does.
    """

    def watch(columns, *arguments, env=None, line=None):
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        variables = {"TERM": "xterm", **(env or {})}
        process = start(*arguments, line=line, stdout=theirs, stderr=theirs, env=variables)
        os.close(theirs)
        text = b""
        while select.select([ours], [], [], 60)[0]:
            try:
                text += os.read(ours, 65536)
            except OSError:
                break
        os.close(ours)
        assert process.wait(60) in (0, 1)
        return text.decode()

    return watch


@pytest.fixture
def commands(tmp_path_factory):
    """A folder in which ``cnncli`` is a command."""
    folder = tmp_path_factory.mktemp("bin")
    command = folder / "cnncli"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cnncli "$@"\n')
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    return folder


@pytest.fixture
def shell(tmp_path, commands):
    """Run a line of bash in the test's own folder, where ``cnncli`` is a command."""

    def execute(line, env=None, timeout=60):
        variables = {**os.environ, "PYTHONPATH": str(ROOT), **(env or {})}
        variables["PATH"] = f"{commands}:{variables['PATH']}"
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=tmp_path,
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr.decode())

    return execute


@pytest.fixture
def photo(rng, monkeypatch, tmp_path):
    """Make an image of smooth shapes and noise in the test's own folder: ``photo("a.png", (H, W, C))``."""
    monkeypatch.chdir(tmp_path)

    def make(path, shape=(24, 31), dtype=np.uint8, **options):
        height, width = shape[:2]
        y, x = np.mgrid[:height, :width]
        smooth = 0.5 + 0.3 * np.sin(x / 5) * np.cos(y / 7)
        if len(shape) == 3:
            smooth = smooth[..., None] * np.linspace(0.6, 1.0, shape[2])
        values = np.clip(smooth + rng.normal(0, 0.05, shape), 0, 1)
        if dtype == np.float32:
            pixels = values.astype(np.float32)
            np.save(path, pixels)
            return pixels
        pixels = np.rint(values * np.iinfo(dtype).max).astype(dtype)
        Image.fromarray(pixels).save(path, **options)
        return pixels

    return make


@pytest.fixture
def two_lines():
    """Check that a command failed with one error and one hint, and give the error."""

    def check(done, code):
        lines = done.err.splitlines()
        assert done.code == code, done.err
        assert len(lines) == 2, done.err
        assert lines[0].startswith("error: ")
        assert lines[1].startswith("hint: ")
        assert len(lines[1]) > len("hint: ")
        return lines[0]

    return check
