"""``--skip-existing``: what stands is left, and its input is not read."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

BLUR = ["-k", "box:3"]


def aged(path, seconds):
    """Make a file so much older."""
    at = Path(path).stat().st_mtime - seconds
    os.utime(path, (at, at))


@pytest.fixture
def filtered(run, photo):
    """Filter three pictures again, skipping: ``filtered("--json")``; they are filtered once before."""
    for name in ("a.png", "b.png", "c.png"):
        photo(name)
        aged(name, 10)

    def again(*words):
        return run("convolve", "a.png", "b.png", "c.png", *BLUR, "-o", "out/", "--skip-existing", *words)

    assert again().lines == ["out/a-box.png", "out/b-box.png", "out/c-box.png"]
    return again


def test_what_stands_is_left_and_not_read(filtered, tmp_path):
    Path("b.png").write_text("no picture any more")
    aged("b.png", 10)
    before = {each.name: each.stat().st_mtime_ns for each in (tmp_path / "out").iterdir()}
    (tmp_path / "out/c-box.png").unlink()
    done = filtered("--json")
    assert done.code == 0
    assert done.results[:2] == [
        {"input": "a.png", "output": "out/a-box.png", "skipped": True},
        {"input": "b.png", "output": "out/b-box.png", "skipped": True},
    ]
    assert (done.results[2]["output"], done.results[2]["width"]) == ("out/c-box.png", 31)
    assert done.err == "note: 2 of 3 outputs stand already and are left\n"
    after = {each.name: each.stat().st_mtime_ns for each in (tmp_path / "out").iterdir()}
    assert {name for name in after if after[name] != before[name]} == {"c-box.png"}


def test_all_stand(filtered, run):
    done = filtered()
    assert (done.code, done.lines) == (0, [])
    assert done.err == "note: 3 of 3 outputs stand already and are left\n"
    assert filtered("-q").err == ""
    done = run("convolve", "a.png", *BLUR, "-o", "out/a-box.png", "--skip-existing")
    assert (done.code, done.err) == (0, "note: the output stands already and is left\n")


def test_what_is_older_empty_or_no_file_does_not_stand(filtered, tmp_path):
    aged("out/a-box.png", 30)
    (tmp_path / "out/b-box.png").write_bytes(b"")
    (tmp_path / "out/c-box.png").unlink()
    assert filtered().lines == ["out/a-box.png", "out/b-box.png", "out/c-box.png"]
    (tmp_path / "out/c-box.png").unlink()
    (tmp_path / "out/c-box.png").mkdir()
    done = filtered()
    assert done.code == 1
    assert "cannot write out/c-box.png" in done.err
    assert done.lines == []


def test_without_an_input_the_fault_is_told(filtered, run, tmp_path):
    (tmp_path / "b.png").unlink()
    done = filtered()
    assert done.code == 1
    assert "cannot read b.png: no such file" in done.err
    assert "note: 2 of 3 outputs stand already and are left" in done.err


def test_masks_and_kernels_that_are_newer_count(run, photo, tmp_path):
    photo("a.png")
    Image.fromarray(np.full((24, 31), 255, np.uint8)).save(tmp_path / "mask.png")
    (tmp_path / "k.txt").write_text("0.3 0.5 0.2")
    for name in ("a.png", "mask.png", "k.txt"):
        aged(name, 20)
    words = ("convolve", "a.png", "-k", "k.txt", "--mask", "mask.png", "-o", "b.png", "--skip-existing")
    assert run(*words).err == ""
    assert "stands" in run(*words).err
    for name in ("mask.png", "k.txt"):
        aged("b.png", 5)
        aged(name, -20)
        assert run(*words).err == ""
        aged(name, 20)


def test_a_pipe_is_not_read(filtered, run):
    done = run("convolve", *BLUR, "-o", "out/a-box.png", "--skip-existing", stdin=b"no picture")
    assert (done.code, done.err) == (0, "note: the output stands already and is left\n")


def test_names_with_sizes(run, photo):
    photo("a.png")
    aged("a.png", 10)
    words = ("convolve", "a.png", *BLUR, "-o", "{stem}-{width}.png", "--skip-existing")
    assert run(*words).lines == ["a-31.png"]
    assert run(*words).err == "note: the output stands already and is left\n"


def test_numbers_that_may_belong_to_others_are_warned_of(run, photo):
    for name in ("a.png", "b.png"):
        photo(name)
        aged(name, 10)
    words = (*BLUR, "-o", "{n}.png", "--skip-existing")
    assert run("convolve", "b.png", *words).err == ""
    done = run("convolve", "a.png", "b.png", *words)
    assert done.lines == ["2.png"]
    said = done.err.splitlines()
    assert said[0] == "note: 1 of 2 outputs stands already and is left"
    assert said[1].startswith("warning: {n} in names counts inputs: where others were given before")


def test_addresses(run, photo, tmp_path):
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    photo("a.png")
    aged("a.png", 10)
    words = ("convolve", "a.png", *BLUR, "-o", "memory://out/", "--skip-existing")
    assert run(*words).lines == ["memory://out/a-box.png"]
    assert "stands" in run(*words).err
    aged("a.png", -10_000)
    assert run(*words).lines == ["memory://out/a-box.png"]


REFUSED = {
    "-o -": "the output is standard output",
    "-o /dev/null": "the output is /dev/null",
    "--in-place": "--skip-existing and --in-place",
    "-o b.png --explain x.png": "--skip-existing and --explain",
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_cannot_stand_is_refused(run, photo, two_lines, words):
    photo("a.png")
    done = run("convolve", "a.png", *BLUR, "--skip-existing", *words.split())
    assert REFUSED[words] in two_lines(done, 2)
