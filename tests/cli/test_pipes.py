"""The command among others: cat, head, xargs, find, and streams that are closed."""

import io
import os
import re

import numpy as np
import pytest
from PIL import Image


def test_cat_into_two_filters(shell, photo, run, tmp_path):
    photo("a.png", (40, 50, 3))
    done = shell("cat a.png | cnncli convolve -k sobel | cnncli convolve -k gaussian:sigma=2 -o out.png")
    assert (done.code, done.out, done.err) == (0, b"", "")
    assert run("convolve", "a.png", "-k", "sobel", "-o", "edges.png").code == 0
    assert run("convolve", "edges.png", "-k", "gaussian:sigma=2", "-o", "blurred.png").code == 0
    with Image.open(tmp_path / "out.png") as piped, Image.open(tmp_path / "blurred.png") as filed:
        np.testing.assert_array_equal(np.asarray(piped), np.asarray(filed))


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_goes_away(shell, photo, run, unbuffered):
    photo("a.png", (400, 500, 3))
    line = "cnncli convolve a.png -k box:3 -o - --format tiff | head -c 1 | wc -c; echo ${PIPESTATUS[*]}"
    done = shell(line, env={"PYTHONUNBUFFERED": unbuffered})
    assert done.lines == ["1", "141 0 0"]
    assert done.err == ""


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_all_of_an_image_arrives_at_a_slow_reader(shell, photo, run, unbuffered):
    photo("a.png", (400, 500, 3))
    line = "cnncli convolve a.png -k identity -o - --format bmp | (head -c 7; sleep 0.3; cat)"
    done = shell(line, env={"PYTHONUNBUFFERED": unbuffered})
    np.testing.assert_array_equal(done.image, np.asarray(Image.open("a.png").copy()))


@pytest.mark.parametrize(
    "command", ["convolve --help", "kernels", "--version", "convolve a.png b.png -k box:3 --json"]
)
def test_a_reader_of_text_that_goes_away(shell, photo, run, command):
    photo("a.png")
    photo("b.png")
    done = shell(f"cnncli {command} | true; echo ${{PIPESTATUS[0]}}")
    assert done.err == ""
    assert done.lines in (["141"], ["0"])
    if "convolve" in command:
        done = shell(f"(cnncli {command}; echo $? >&2) > >(exec 0<&-; exit 0)")
        assert done.err.strip() in ("141", "0")


def test_find_and_xargs(shell, photo, run, tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("in/a b.png", "in/c\nd.png", "in/-e.png"):
        photo(name)
    done = shell("find in -name '*.png' -print0 | xargs -0 cnncli convolve -k box:3 -o out/")
    assert (done.code, done.err) == (0, "")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "-e-box.png",
        "a b-box.png",
        "c\nd-box.png",
    ]
    done = shell("cd in && ls -- *b.png -*.png | cnncli convolve --files-from - -k box:3 -o ../listed/")
    assert sorted(done.lines) == ["../listed/-e-box.png", "../listed/a b-box.png"]
    done = shell("find in -print0 -type f | cnncli convolve --files-from - -0 -r -k box:3 -o found/")
    assert done.code == 2  # `in` and what lies in it: the same images twice
    done = shell("find in -type f -print0 | cnncli convolve --files-from - -0 -k box:3 -o found/")
    assert (done.code, len(list((tmp_path / "found").iterdir()))) == (0, 3)


def test_output_goes_where_the_next_command_reads(shell, photo, run):
    photo("a.png")
    assert shell("cnncli convolve a.png -k box:3 | xargs -I{} cnncli convolve {} -k sobel").lines == [
        "a-box-sobel.png"
    ]
    done = shell("cnncli convolve a.png -k box:3 --json -o - 2>report | wc -c; cat report")
    size, report = done.lines
    assert int(size) > 100
    assert report.startswith('{"input":"a.png","output":"-",')


def test_process_substitution_and_device_files(shell, photo, run):
    photo("a.png")
    done = shell("cnncli convolve <(cat a.png) -k identity -o /dev/stdout --format png")
    np.testing.assert_array_equal(done.image, np.asarray(Image.open("a.png").copy()))
    done = shell("cnncli convolve a.png -k identity -o >(wc -c); wait")
    assert int(done.out) > 100


@pytest.mark.parametrize(
    "line",
    ["cat a.png | X /dev/stdin", "X /dev/stdin <a.png", "X <(cat a.png)", "X pipe & cat a.png >pipe; wait"],
)
def test_an_input_without_a_name_goes_to_standard_output(shell, photo, run, tmp_path, line):
    photo("a.png")
    os.mkfifo(tmp_path / "pipe")
    done = shell(line.replace("X", "cnncli convolve -k identity"))
    assert (done.code, done.err) == (0, "")
    np.testing.assert_array_equal(done.image, np.asarray(Image.open("a.png").copy()))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "pipe"]


def test_samples_are_listed_as_they_are_written(run, tmp_path):
    done = run("samples", "here", "--json")
    written = sorted(path for path in (tmp_path / "here").rglob("*") if path.is_file())
    assert (done.code, done.err) == (0, "")
    assert [tmp_path / each["output"] for each in done.results] == written
    assert [each["bytes"] for each in done.results] == [path.stat().st_size for path in written]
    (tmp_path / "here/coins.png").unlink()
    assert run("samples", "here", "-q").out == b""
    (tmp_path / "here/coins.png").unlink()
    assert [each["output"] for each in run("samples", "here", "--json").results] == ["here/coins.png"]
    assert run("samples", "here").lines == [f"{len(written)} files in here"]


CLOSED = {
    "input not needed": ("cnncli convolve a.png -k box:3 <&-", 0, b"a-box.png\n", ""),
    "input is asked for": ("cnncli convolve -k box:3 <&-", 2, b"", "no input is given"),
    "input is named": ("cnncli convolve - -k box:3 <&-", 2, b"", "standard input is closed"),
    "output not needed": ("cnncli convolve a.png -k box:3 -o b.png >&-", 0, b"", ""),
    "output for a path": ("cnncli convolve a.png -k box:3 >&-", 1, b"", "cannot write standard output"),
    "output for an image": (
        "cnncli convolve a.png -k box:3 -o - >&-",
        1,
        b"",
        "cannot write standard output",
    ),
    "errors": ("cnncli convolve a.png -k box:3 2>&-", 0, b"a-box.png\n", ""),
    "errors of a fault": ("cnncli convolve none.png -k box:3 2>&-", 1, b"", ""),
    "errors to a full disk": ("cnncli convolve none.png -k box:3 2>/dev/full", 1, b"", ""),
    "all": ("cnncli convolve a.png -k box:3 -o b.png <&- >&- 2>&-", 0, b"", ""),
}


@pytest.mark.parametrize("name", CLOSED)
def test_closed_streams(shell, photo, run, tmp_path, name):
    line, code, out, message = CLOSED[name]
    photo("a.png", (64, 64, 3))
    done = shell(line)
    assert (done.code, done.out) == (code, out)
    assert message in done.err
    assert len(done.err.splitlines()) == (2 if message else 0)
    for path in tmp_path.glob("*-box.png"):  # no message went into a file that took a closed stream's number
        with Image.open(path) as image:
            image.load()


def test_a_terminal_gets_no_image_and_is_no_input(shell, photo, run):
    photo("a.png")
    for line, message in (
        ("cnncli convolve -k box:3", "no input is given"),
        ("cnncli convolve - -k box:3 -o b.png", "standard input is a terminal"),
        ("cnncli convolve a.png -k box:3 -o -", "the image would go to the terminal"),
        ("cnncli convolve a.png -k box:3 -o /dev/stdout", "the image would go to the terminal"),
    ):
        done = shell(f"""python3 -c '
import os, pty, sys
status = pty.spawn(["sh", "-c", sys.argv[1]])
sys.exit(os.waitstatus_to_exitcode(status))' "{line}" """)
        assert done.code == 2
        assert message in done.out.decode()
        assert b"PNG" not in done.out


def test_languages_and_encodings_of_the_terminal(shell, photo, run, tmp_path):
    photo("é.png")
    for env in ({"LC_ALL": "POSIX", "PYTHONUTF8": "0"}, {"PYTHONIOENCODING": "ascii"}):
        done = shell("cnncli convolve é.png -k box:3; cnncli convolve é.png -k ü", env=env)
        assert done.out == "é-box.png\n".encode()
        assert re.search(r"error: unknown kernel", done.err)
        assert len(done.err.splitlines()) == 2
        assert shell("cnncli kernels gaussian", env=env).code == 0


def test_no_color_codes(shell, photo, run):
    photo("a.png")
    for env in ({"NO_COLOR": "1"}, {"FORCE_COLOR": "1"}):
        done = shell("cnncli convolve a.png none.png -k 3; cnncli convolve --help", env=env)
        assert b"\x1b" not in done.out
        assert "\x1b" not in done.err


def test_bytes_after_the_image_do_no_harm(shell, photo, run):
    image = photo("a.png")
    done = shell("(cat a.png; echo more) | cnncli convolve -k identity")
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(done.out))), image)
