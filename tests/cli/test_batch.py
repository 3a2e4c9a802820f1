"""Many images in one command: order, interruptions, the progress bar, and bounded memory."""

import os
import re
import signal
import threading
import time

import numpy as np
import pytest
from PIL import Image

from cnncli.cli.batch import Outcome, run_batch
from cnncli.cli.progress import progress_line
from cnncli.errors import CnncliError


@pytest.fixture
def album(tmp_path, photo):
    """Make ``count`` images of different sizes in the test's folder: their names."""

    def make(count, shape=(40, 60, 3)):
        names = [f"p{number:03}.png" for number in range(count)]
        pixels = photo(tmp_path / names[0], shape)
        for number, name in enumerate(names[1:], 1):
            if number < 7:
                cut = np.roll(pixels, number, axis=1)[: shape[0] - number]
                Image.fromarray(cut).save(tmp_path / name, compress_level=1)
            else:
                os.link(tmp_path / names[number % 7], tmp_path / name)
        return names

    return make


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_outcomes_come_in_order_and_one_fault_stops_nobody(threads):
    running, most = [], []
    lock = threading.Lock()

    def work(item, own):
        with lock:
            running.append(item)
            most.append(len(running))
        time.sleep(0.02 if item % 5 == 0 else 0.001)
        with lock:
            running.remove(item)
        if item == 7:
            raise CnncliError("seven", "not seven")
        if item == 8:
            raise ZeroDivisionError
        return Outcome(value={"item": item, "threads": own})

    results = list(run_batch(range(30), work, threads, quiet=True))
    assert [item for item, _ in results] == list(range(30))
    assert [item for item, outcome in results if outcome.error] == [7, 8]
    assert all(outcome.value["item"] == item for item, outcome in results if not outcome.error)
    assert max(most) <= threads
    assert {outcome.value.get("threads", 1) for _, outcome in results} == {1}


def test_few_items_share_the_threads():
    def work(item, own):
        return Outcome(value={"threads": own})

    assert [outcome.value["threads"] for _, outcome in run_batch([1], work, 8, quiet=True)] == [8]
    assert [outcome.value["threads"] for _, outcome in run_batch([1, 2], work, 8, quiet=True)] == [4, 4]
    assert list(run_batch([], work, 8, quiet=True)) == []


def test_workers_do_not_run_far_ahead():
    begun = []

    def work(item, own):
        begun.append(item)
        return Outcome()

    outcomes = run_batch(range(1000), work, 2, quiet=True)
    for _ in range(3):
        next(outcomes)
        time.sleep(0.01)
    assert len(begun) <= 10
    outcomes.close()
    ended = len(begun)
    time.sleep(0.02)
    assert len(begun) == ended


def test_a_reader_that_is_gone_ends_the_batch():
    def work(item, own):
        if item == 3:
            raise BrokenPipeError
        return Outcome()

    with pytest.raises(BrokenPipeError):
        list(run_batch(range(50), work, 2, quiet=True))


def test_a_batch_equals_its_images_one_by_one(run, album):
    names = album(9)
    done = run("convolve", *names, "-k", "gaussian:1", "-o", "batch/", "--threads", "3", "--json")
    assert done.code == 0
    assert [result["input"] for result in done.results] == names
    for name, result in zip(names, done.results, strict=True):
        assert run("convolve", name, "-k", "gaussian:1", "-o", "one.png").code == 0
        alone, together = Image.open("one.png"), Image.open(result["output"])
        with alone, together:
            np.testing.assert_array_equal(np.asarray(alone), np.asarray(together))
            assert together.size == (result["width"], result["height"])


def test_clipping_in_a_batch_is_one_line(run, album):
    done = run("convolve", *album(5), "-k", "3", "-o", "out/")
    (line,) = done.err.splitlines()
    assert re.match(
        r"warning: pixels were clipped in 5 of 5 images, \d+\.\d% at most \(out/p\d+-custom-[0-9a-f]+\.png\)",
        line,
    )


@pytest.mark.parametrize("threads", ["1", "2"])
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_ends_a_batch_with_whole_files(start, album, tmp_path, number, code, threads):
    names = album(150, (300, 400, 3))
    process = start(
        "convolve", *names, "-k", "gaussian:sigma=2", "-o", "out/", "--threads", threads, bufsize=0
    )
    first = process.stdout.readline()  # one is done, so it is in the middle of the others
    process.send_signal(number)
    rest, err = process.communicate(timeout=60)
    reported = (first + rest).decode().splitlines()
    assert process.returncode == code
    assert 1 <= len(reported) < 150
    what = "interrupted" if number == signal.SIGINT else "terminated"
    assert err.decode() == f"{what}: {len(reported)} of 150 images are done\n"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [name[4:] for name in reported]
    for name in reported:
        with Image.open(tmp_path / name) as image:
            image.load()


def test_a_signal_during_one_image_leaves_no_file(start, tmp_path, photo):
    photo(tmp_path / "a.png", (1200, 1500, 3))
    process = start("convolve", "a.png", "-k", "gaussian:sigma=9", "--repeat", "200", "-o", "b.png")
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.decode().splitlines()[-1:] in (["interrupted"], [])
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("columns", [90, 30])
def test_a_bar_on_a_terminal_leaves_the_lines_whole(on_terminal, album, tmp_path, columns):
    names = album(40)
    names[20] = "none.png"
    text = on_terminal(columns, "convolve", *names, "-k", "box:3", "-o", "out/")
    drawn = [line for line in re.findall(r"\r\x1b\[K([^\r\n]+)", text) if "/40" in line]
    assert len(drawn) == 40
    assert all(len(line) < columns for line in drawn)
    assert any(re.search(r"\d+(\.\d)? images/s  \d+:\d\d left", line) for line in drawn) == (columns == 90)
    left = [re.sub(r".*\x1b\[K", "", line) for line in text.replace("\r\n", "\n").split("\n")]
    expected = [f"out/{name.removesuffix('.png')}-box.png" for name in names if name != "none.png"]
    assert [line for line in left if line.startswith("out/")] == expected
    assert "error: cannot read none.png: no such file" in " ".join(" ".join(left).split())


def test_no_bar_in_a_pipe_or_when_quiet(run, on_terminal, album, tmp_path):
    names = album(6)
    assert run("convolve", *names, "-k", "box:3", "-o", "out/").err == ""
    text = on_terminal(80, "convolve", *names, "-k", "box:3", "-o", "out/", "--quiet")
    assert "\x1b" not in text


@pytest.mark.parametrize(
    "line", ["convolve {} -k box:3 -o out/ --json", "predict {} -m digits", "predict {} -m digits --json"]
)
def test_no_bar_where_others_read_and_print(on_terminal, album, line):
    """What goes through a pipe is shown on the terminal by its reader, at any time."""
    names = " ".join(album(12))
    text = on_terminal(80, line=f"cnncli {line.format(names)} | while read l; do sleep 0.02; echo $l; done")
    lines = text.split("\r\n")
    data = [each for each in lines if each and not each.startswith(("compiling ", "note: ", "      "))]
    assert len(data) == 12
    assert all(each.startswith(("p0", '{"input":"p0')) for each in data)
    assert "\x1b" not in text


def test_a_bar_where_the_output_is_a_file(on_terminal, album, tmp_path):
    text = on_terminal(80, line=f"cnncli predict {' '.join(album(12))} > rows.txt")
    assert "12/12" in text
    assert len((tmp_path / "rows.txt").read_text().splitlines()) == 12


def test_no_bar_on_a_terminal_that_cannot_take_it_away(on_terminal, album):
    text = on_terminal(80, "convolve", *album(6), "-k", "box:3", "-o", "out/", env={"TERM": "dumb"})
    assert "images/s" not in text
    assert "\x1b" not in text


@pytest.mark.parametrize("columns", range(1, 60))
def test_a_narrow_bar_has_whole_numbers(columns):
    line = progress_line(125, 250, 12.5, unit="images", columns=columns)
    assert len(line) <= columns
    without_bar = re.sub(r"^\[[#-]+\]  ", "", line)
    assert without_bar in (
        "",
        "125/250",
        "125/250  0:10 left",
        "125/250  12.5 images/s  0:10 left",
    )


@pytest.mark.parametrize("columns", [8, 30, 60, 79, 200])
def test_the_bar_fits(columns):
    lines = [progress_line(done, 250, 12.5, unit="images", columns=columns) for done in (0, 1, 125, 250)]
    assert all(len(line) <= columns for line in lines)
    if columns >= 60:
        assert [line.count("#") for line in lines] == sorted(line.count("#") for line in lines)
        assert "-" not in lines[-1]
        assert lines[2].endswith("125/250  12.5 images/s  0:10 left")
    assert progress_line(1, 10**6, 3.0, unit="images", columns=99).endswith("92:35:33 left")


def test_memory_does_not_grow_with_the_number_of_images(python, album, tmp_path):
    album(60, (400, 500, 3))
    code = """if True:
        import os, resource, sys
        from cnncli.cli.run import run
        os.chdir(sys.argv[1])
        names = sorted(name for name in os.listdir() if name.endswith(".png"))
        def peak(names):
            assert run(["convolve", *names, "-k", "gaussian:2", "-o", "out/", "--threads", "2", "-q"]) == 0
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        peak(names[:6])
        print(peak(names[:10]), peak(names), file=sys.stderr)
    """
    few, many = map(int, python(code, tmp_path).stderr.split())
    assert many - few < 12_000  # KB; 60 images decoded are 36,000
