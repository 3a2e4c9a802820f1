"""Temporary files: found and taken away after a kill, left alone while somebody writes them."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import cnncli
from cnncli import ending
from cnncli.files.atomic import drafted, write_atomic
from cnncli.files.drafts import open_draft, remove_remnant

ROOT = Path(cnncli.__file__).parent.parent
WRITER = """
import sys, time
from pathlib import Path
from cnncli.core import cache
from cnncli.files.atomic import drafted
with drafted(Path(sys.argv[1]), b"half"):
    print("written", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def writer(tmp_path):
    """A process that has written ``out.png`` but not yet given it its name."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, tmp_path / "out.png"], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"written\n"
    yield process
    process.kill()
    process.communicate()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_a_killed_process_left_goes_when_the_output_is_written_again(writer, tmp_path):
    (remnant,) = names(tmp_path)
    assert remnant.startswith(".cnncli-")
    write_atomic(tmp_path / "other.png", b"other")
    assert names(tmp_path) == [remnant, "other.png"]
    write_atomic(tmp_path / "out.png", b"mine")  # while it is alive, its file is left alone
    assert names(tmp_path) == [remnant, "other.png", "out.png"]
    writer.kill()
    writer.wait()
    assert names(tmp_path) == [remnant, "other.png", "out.png"]
    write_atomic(tmp_path / "out.png", b"again")
    assert names(tmp_path) == ["other.png", "out.png"]
    assert (tmp_path / "out.png").read_bytes() == b"again"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_takes_it_away(tmp_path, number):
    code = "from cnncli.ending import *; handle_signals(end_at_once)\n" + WRITER
    process = subprocess.Popen(
        [sys.executable, "-c", code, tmp_path / "out.png"], cwd=ROOT,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout.readline() == b"written\n"
    assert len(names(tmp_path)) == 1
    process.send_signal(number)
    process.communicate(timeout=30)
    assert (process.returncode, names(tmp_path)) == (128 + number, [])


def test_two_drafts_of_one_file_at_a_time(tmp_path):
    out = tmp_path / "out.png"
    with drafted(out, b"first"), drafted(out, b"second"):
        assert len(names(tmp_path)) == 2
    assert (names(tmp_path), out.read_bytes()) == (["out.png"], b"first")


def test_a_fault_inside_drops_the_draft(tmp_path):
    before = dict(ending._unfinished)
    with pytest.raises(ZeroDivisionError), drafted(tmp_path / "out.png", b"never"):
        raise ZeroDivisionError
    assert names(tmp_path) == []
    assert ending._unfinished == before


def test_links_pipes_and_folders_are_no_remnants(tmp_path):
    (tmp_path / "file").write_bytes(b"kept")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "folder", "pipe"):
        remove_remnant(str(tmp_path / name))
    assert names(tmp_path) == ["file", "folder", "link", "pipe"]


def test_a_file_that_is_being_written_is_no_remnant(tmp_path):
    path, handle = open_draft(str(tmp_path), "out.png")
    remove_remnant(path)
    assert names(tmp_path) == [Path(path).name]
    os.close(handle)
    remove_remnant(path)
    ending.finished(path)
    assert names(tmp_path) == []
