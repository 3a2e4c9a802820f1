"""What predict answers, in which form and order, and how it bears bad inputs, slow pipes and signals."""

import csv
import io
import json
import os
import re
import select
import signal
import subprocess
import threading
import time

import numpy as np
import pytest
from PIL import Image
from small_networks import CLASSES, SHAPE, png, probabilities, save_gray, save_linear, save_seeded

from cnncli.cli.overlap import overlapped
from cnncli.cli.row_writers import Row, Table
from cnncli.errors import CnncliError
from cnncli.tasks.classification import LikeliestClasses, Prediction


@pytest.fixture
def net(run, rng, tmp_path):
    """A linear network in net.safetensors; answers to pixels as {label: probability}."""
    weight, bias = save_linear(tmp_path / "net.safetensors", rng)

    def expected(pixels):
        return dict(zip(CLASSES, probabilities(pixels, weight, bias), strict=True))

    return expected


def ranked(expected):
    return sorted(expected, key=expected.get, reverse=True)


def agrees(predictions, expected):
    assert [each["label"] for each in predictions] == ranked(expected)[: len(predictions)]
    for each in predictions:
        assert each["probability"] == pytest.approx(expected[each["label"]], abs=2e-6)


# --- answers ---------------------------------------------------------------------------------------


def test_json_agrees_with_float64(run, net, rng):
    pictures = {f"{i}.png": save_gray(f"{i}.png", rng) for i in range(7)}
    done = run("predict", *pictures, "-m", "net.safetensors", "--json")
    assert (done.code, done.err) == (0, "")
    assert [each["input"] for each in done.results] == list(pictures)
    for each in done.results:
        assert list(each) == ["input", "predictions"]
        assert len(each["predictions"]) == 3
        agrees(each["predictions"], net(pictures[each["input"]]))


@pytest.mark.parametrize(("top", "count"), [("1", 1), ("2", 2), ("99", 3)])
def test_top(run, net, rng, top, count):
    pixels = save_gray("a.png", rng)
    (result,) = run("predict", "a.png", "-m", "net.safetensors", "--json", "--top", top).results
    assert len(result["predictions"]) == count
    agrees(result["predictions"], net(pixels))


def test_columns_in_a_pipe(run, net, rng):
    pictures = {f"{i}.png": save_gray(f"{i}.png", rng) for i in range(3)}
    done = run("predict", *pictures, "-m", "net.safetensors", "--top", "2")
    for line, (name, pixels) in zip(done.lines, pictures.items(), strict=True):
        expected = net(pixels)
        first, second = ranked(expected)[:2]
        fields = line.split("\t")
        assert [fields[0], fields[1], fields[3]] == [name, first, second]
        assert float(fields[2]) == pytest.approx(expected[first], abs=2e-6)


def test_csv_is_read_back(run, rng, tmp_path):
    classes = ('cat, "tabby"', "dog", "a\nb")
    weight, bias = save_linear(tmp_path / "n.safetensors", rng, classes=classes)
    name = 'a,"b".png'
    pixels = save_gray(name, rng)
    done = run("predict", name, "missing.png", "-m", "n.safetensors", "--csv")
    good, bad = csv.DictReader(io.StringIO(done.out.decode(), newline=""))
    expected = dict(zip(classes, probabilities(pixels, weight, bias), strict=True))
    assert good["input"] == name
    assert [good["label"], good["label_2"], good["label_3"]] == ranked(expected)
    assert float(good["probability_2"]) == pytest.approx(expected[good["label_2"]], abs=2e-6)
    assert good["error"] == ""
    assert (bad["input"], bad["label"]) == ("missing.png", "")
    assert "no such file" in bad["error"]
    assert done.code == 1


def test_other_sizes_depths_and_colours_are_brought_to_the_input(run, net, rng):
    pixels = rng.integers(0, 256, SHAPE[:2]).astype(np.uint8)
    Image.fromarray(np.repeat(np.repeat(pixels, 8, 0), 8, 1)).save("large.png")
    Image.fromarray(pixels.astype(np.uint16) * 257).save("deep.png")
    Image.fromarray(np.dstack([pixels] * 3)).save("colour.png")
    Image.fromarray(np.dstack([pixels, np.full_like(pixels, 255)])).save("opaque.png")
    np.save("array.npy", pixels.astype(np.float32) / 255)
    names = ["large.png", "deep.png", "colour.png", "opaque.png", "array.npy"]
    for each in run("predict", *names, "-m", "net.safetensors", "--json").results[1:]:
        agrees(each["predictions"], net(pixels))


def test_the_answer_does_not_depend_on_company_or_threads(run, rng, tmp_path):
    save_seeded(tmp_path / "deep.safetensors")
    for i in range(150):
        save_gray(f"{i:03}.png", rng, (12, 10))
    names = [f"{i:03}.png" for i in range(150)]
    whole = run("predict", *names, "-m", "deep.safetensors", "--json", "--threads", "3")
    assert [each["input"] for each in whole.results] == names
    for threads in ("1", "2"):
        assert (
            run("predict", *names, "-m", "deep.safetensors", "--json", "--threads", threads).out == whole.out
        )
    alone = run("predict", "077.png", "-m", "deep.safetensors", "--json")
    assert alone.results == [whole.results[77]]


# --- inputs ----------------------------------------------------------------------------------------


def test_bad_inputs_are_lines_with_an_error_in_their_place(run, net, rng, tmp_path):
    save_gray("a.png", rng)
    save_gray("z.png", rng)
    (tmp_path / "cut.png").write_bytes((tmp_path / "a.png").read_bytes()[:50])
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty").mkdir()
    names = ["a.png", "cut.png", "missing.png", "text.png", "empty", "z.png"]
    done = run("predict", *names, "-m", "net.safetensors", "--json")
    assert done.code == 1
    assert [each["input"] for each in done.results] == names
    assert [list(each)[1] for each in done.results] == ["predictions", *["error"] * 4, "predictions"]
    assert "damaged" in done.results[1]["error"]
    assert "no such file" in done.results[2]["error"]
    assert done.err.startswith("error: 4 of 6 inputs could not be read\nhint: ")


def test_bad_inputs_of_a_table_are_on_standard_error(run, net, rng):
    save_gray("a.png", rng)
    done = run("predict", "missing.png", "a.png", "-m", "net.safetensors")
    assert done.code == 1
    assert [line.split("\t")[0] for line in done.lines] == ["a.png"]
    error, hint = done.err.splitlines()
    assert error == "error: cannot read missing.png: no such file"
    assert hint.startswith("hint: ")


def test_folders_and_standard_input(run, net, rng, tmp_path):
    (tmp_path / "in" / "deeper").mkdir(parents=True)
    pictures = {name: save_gray(name, rng) for name in ("in/b.png", "in/a.png", "in/deeper/c.png")}
    (tmp_path / "in" / "notes.txt").write_text("not an image")
    flat = run("predict", "in", "-m", "net.safetensors", "--json").results
    assert [each["input"] for each in flat] == ["in/a.png", "in/b.png"]
    deep = run("predict", "in", "-r", "-m", "net.safetensors", "--json").results
    assert [each["input"] for each in deep] == ["in/a.png", "in/b.png", "in/deeper/c.png"]
    agrees(deep[2]["predictions"], net(pictures["in/deeper/c.png"]))
    pixels = rng.integers(0, 256, SHAPE[:2]).astype(np.uint8)
    for words in (["-"], []):
        (piped,) = run("predict", *words, "-m", "net.safetensors", "--json", stdin=png(pixels)).results
        assert piped["input"] == "-"
        agrees(piped["predictions"], net(pixels))


def test_names_from_a_file(run, net, rng, tmp_path):
    for name in ("a.png", "b\nc.png", "-"):
        save_gray(f"./{name}" if name != "-" else "x.png", rng)
    (tmp_path / "x.png").rename(tmp_path / "-")
    (tmp_path / "names").write_bytes(b"a.png\0b\nc.png\0-\0")
    done = run("predict", "--files-from", "names", "-0", "-m", "net.safetensors", "--json")
    assert [each["input"] for each in done.results] == ["a.png", "b\nc.png", "./-"]
    assert done.code == 0


def test_each_name_of_a_slow_pipe_is_answered_before_the_next(start, net, rng):
    for i in range(3):
        save_gray(f"{i}.png", rng)
    process = start(
        "predict", "--files-from", "-", "-m", "net.safetensors", "--json", stdin=subprocess.PIPE, bufsize=0
    )
    for name in ("0.png", "nope.png", "1.png", "2.png"):
        # A name in two parts: the first alone says nothing.
        process.stdin.write(name[:2].encode())
        process.stdin.write(name[2:].encode() + b"\n")
        ready, _, _ = select.select([process.stdout], [], [], 60)
        assert ready, f"no answer to {name}"
        answer = json.loads(process.stdout.readline())
        assert answer["input"] == name
        assert ("error" in answer) == (name == "nope.png")
    process.stdin.write(b"2.png")  # the last line may lack its end
    process.stdin.close()
    process.stdin = None
    out, _ = process.communicate(timeout=60)
    assert json.loads(out)["input"] == "2.png"
    assert process.returncode == 1


def test_names_between_nul_from_find(shell, net, rng, tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("in/a b.png", "in/c\nd.png", "in/é.png"):
        save_gray(name, rng)
    line = "find in -type f -print0 | sort -z | cnncli predict --files-from - -0 -m net.safetensors --json"
    done = shell(line)
    assert (done.code, done.err) == (0, "")
    assert [each["input"] for each in done.results] == ["in/a b.png", "in/c\nd.png", "in/é.png"]


def test_a_name_that_is_not_utf8(run, net, rng):
    name = os.fsdecode(b"\xff.png")
    save_gray(name, rng)
    done = run("predict", name, "-m", "net.safetensors", "--json")
    assert done.results[0]["input"] == "\\xff.png"
    done = run("predict", name, "-m", "net.safetensors")
    assert done.out.startswith(b"\\xff.png\t")


@pytest.mark.parametrize("form", ["", "--json", "--csv"])
def test_names_where_the_locale_has_no_such_characters(shell, net, rng, tmp_path, form):
    for name in ("é日.png", "b.png"):
        save_gray(tmp_path / name, rng)
    (tmp_path / "ü.png").write_text("junk")
    line = f"cnncli predict é日.png ü.png b.png -m net.safetensors {form}"
    done = shell(line, env={"LC_ALL": "C", "PYTHONUTF8": "0"})
    assert done.code == 1
    assert "internal error" not in done.err
    text = done.out.decode() + done.err.encode().decode("unicode_escape")
    assert all(name in text for name in ("é日.png", "b.png", "ü.png"))


# --- pipes and signals -----------------------------------------------------------------------------


def test_a_reader_that_goes_away(shell, net, rng, tmp_path):
    (tmp_path / "in").mkdir()
    for i in range(60):
        save_gray(f"in/{i:02}.png", rng)
    names = " in" * 60
    line = f"cnncli predict{names} -m net.safetensors --top 3 --json | head -n 1; echo ${{PIPESTATUS[*]}}"
    first, codes = shell(line).lines
    assert json.loads(first)["input"] == "in/00.png"
    assert codes == "141 0"


def test_an_interruption_ends_a_command_that_waits(start, net, rng):
    save_gray("a.png", rng)
    process = start("predict", "--files-from", "-", "-m", "net.safetensors", "--json", stdin=subprocess.PIPE)
    process.stdin.write(b"a.png\n")
    process.stdin.flush()
    assert process.stdout.readline().startswith(b'{"input":"a.png"')
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, b"interrupted: 1 classified\n")


# --- digits ----------------------------------------------------------------------------------------


def test_digits_on_paper_are_turned_and_it_is_said(run, rng, tmp_path):
    save_linear(tmp_path / "d.safetensors", rng, shape=(28, 28, 1), digits=True)
    light = np.zeros((28, 28), np.uint8)
    light[4:24, 12:16] = 255
    paper = np.full((90, 70), 240, np.uint8)
    paper[10:70, 20:32] = 30
    Image.fromarray(light).save("mnist.png")
    Image.fromarray(paper).save("paper.png")
    done = run("predict", "mnist.png", "paper.png", "-m", "d.safetensors", "--json")
    plain, turned = done.results
    assert "adapted" not in plain
    assert turned["adapted"] == ["inverted", "cropped", "centred"]
    for one, other in zip(plain["predictions"], turned["predictions"], strict=True):
        assert one["label"] == other["label"]
        assert one["probability"] == pytest.approx(other["probability"], abs=0.02)
    note = "note: 1 of 2 pictures was inverted, cropped and centred: "
    assert done.err.startswith(note)
    assert run("predict", "paper.png", "-m", "d.safetensors").err.startswith("note: paper.png was inverted")
    assert run("predict", "paper.png", "-m", "d.safetensors", "-q").err == ""


# --- wrong usage -----------------------------------------------------------------------------------


def damage(data):
    spoilt = bytearray(data)
    spoilt[40:44] = b"\xff\xfe\xfd\xfc"
    return bytes(spoilt)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (lambda data: data[:-100], "damaged or cut short"),
        (lambda data: data[:50], "damaged or cut short"),
        (damage, "damaged"),
        (lambda data: b"", "empty"),
        (lambda data: data.replace(b'\\"stripes\\"', b'\\"x\\",\\"y\\"', 1), "damaged"),
    ],
)
def test_checkpoints_that_cannot_be_used(run, net, rng, two_lines, tmp_path, content, said):
    save_gray("a.png", rng)
    whole = (tmp_path / "net.safetensors").read_bytes()
    (tmp_path / "bad.safetensors").write_bytes(content(whole))
    done = run("predict", "a.png", "-m", "bad.safetensors")
    error = two_lines(done, 2)
    assert said in error
    assert "bad.safetensors" in error
    assert done.out == b""


def test_a_pickle_is_refused_with_two_lines_of_python(run, rng, tmp_path):
    save_gray("a.png", rng)
    (tmp_path / "bad.pth").write_bytes(b"PK\x03\x04 and so on")
    done = run("predict", "a.png", "-m", "bad.pth")
    error, hint, *lines = done.err.splitlines()
    assert error.startswith("error: bad.pth is a zip archive, as PyTorch")
    assert hint.startswith("hint: Convert it in Python")
    assert lines == [
        "  weights = torch.load('bad.pth', weights_only=True)",
        "  safetensors.torch.save_file(weights, 'bad.safetensors')",
    ]
    assert (done.code, done.out) == (2, b"")


def test_weights_of_another_network(run, rng, two_lines, tmp_path):
    from safetensors.numpy import save_file

    save_gray("a.png", rng)
    save_file({"head.weight": np.zeros((3, 30), np.float32)}, tmp_path / "bare.safetensors")
    assert "no network of cnncli" in two_lines(run("predict", "a.png", "-m", "bare.safetensors"), 2)
    save_linear(tmp_path / "n.safetensors", rng)
    data = (tmp_path / "n.safetensors").read_bytes()
    (tmp_path / "n.safetensors").write_bytes(data.replace(b'"shape":[3,30]', b'"shape":[30,3]'))
    error = two_lines(run("predict", "a.png", "-m", "n.safetensors"), 2)
    assert "head.weight has shape (30, 3)" in error


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a.png", "--json", "--csv"], "--json and --csv are both given"),
        (["a.png", "--top", "0"], "--top is 0; expected 1 or more"),
        (["a.png", "-m", "nothing.safetensors"], "no such file"),
        (["a.png", "-m", "."], "best.safetensors"),
        (["a.png", "-0"], "-0 is given without --files-from"),
        (["-", "-"], "given twice"),
        (["-", "--files-from", "-"], "expected it once"),
        (["--files-from", "nothing"], "cannot read names from nothing"),
        (["a.png", "--threads", "0"], "0"),
    ],
)
def test_wrong_usage(run, net, rng, two_lines, words, said):
    save_gray("a.png", rng)
    words = words if "-m" in words else [*words, "-m", "net.safetensors"]
    assert said in two_lines(run("predict", *words), 2)


def test_a_misspelt_network_is_known(run, net, rng):
    save_gray("a.png", rng)
    done = run("predict", "a.png", "-m", "imagnet")
    assert (done.code, "hint: Did you mean imagenet? Check the spelling" in done.err) == (2, True)
    os.mkdir("imagnet")  # noqa: PTH102
    assert "Did you mean" not in run("predict", "a.png", "-m", "imagnet").err


def test_one_image_needs_no_compiler(python, net, rng, tmp_path):
    save_gray("a.png", rng)
    code = """
import sys
from cnncli.cli.run import run
assert run(["predict", "a.png", "-m", "net.safetensors"]) == 0
heavy = {"numba", "llvmlite", "scipy", "rich", "numpy.random", "numpy.ma", "concurrent.futures"}
print(sorted(heavy & set(sys.modules)))
"""
    assert python(code, cwd=tmp_path).stdout.splitlines()  # compiles, where nothing is kept yet
    assert python(code, cwd=tmp_path).stdout.splitlines()[-1] == "[]"


# --- parts -----------------------------------------------------------------------------------------


def test_a_table_fits_its_columns():
    names = ["short.png", "a/very/long/path/to/a/picture/that/does/not/fit.png"]
    table = Table(names, ["cat", "x" * 60], columns=60, styled=False)
    rows = [
        Row(names[0], LikeliestClasses([Prediction("cat", 0.987), Prediction("x" * 60, 0.013)])),
        Row(names[1], LikeliestClasses([Prediction("x" * 60, 1.0), Prediction("cat", 0.0)])),
    ]
    lines = [table.header(), *(table.line(row) for row in rows)]
    assert re.search(r"short\.png +cat +98\.70%  █+", lines[1])
    assert "…" in lines[2]
    assert "fit.png" in lines[2]
    starts = {line.index(word) for line, word in ((lines[0], "label"), (lines[1], "cat"), (lines[2], "xxx"))}
    assert len(starts) == 1
    assert "\x1b" not in "".join(lines)


@pytest.mark.parametrize("columns", [40, 60, 79, 80, 120])
@pytest.mark.parametrize("label", ["7", "golden retriever", "x" * 60])
@pytest.mark.parametrize("name", ["a.png", "photos/2026/holiday/IMG_0001.jpg"])
def test_no_row_is_wider_than_the_terminal(columns, label, name):
    table = Table([name], ["0", label], columns=columns, styled=False)
    row = table.line(Row(name, LikeliestClasses([Prediction(label, 0.8765), Prediction("0", 0.1235)])))
    assert max(len(row), len(table.header())) <= columns
    assert " 87.65%" in row


def test_results_come_in_order_and_as_soon_as_they_are_there():
    gate = threading.Event()

    def work(number):
        if number == 3:
            gate.wait(60)
        return number * 10

    def groups():
        yield [0, 1]
        yield [2]
        yield list(range(3, 500))

    results = overlapped(groups(), work, workers=2, most=64)
    seen = []
    while len(seen) < 3:
        seen += next(results)
    assert seen == [(0, 0), (1, 10), (2, 20)]
    gate.set()
    for run in results:
        assert run
        seen += run
    assert seen == [(number, number * 10) for number in range(500)]


def test_a_fault_of_the_feeder_comes_after_what_was_fed():
    def groups():
        yield [1, 2]
        raise CnncliError("no more", "check")

    seen = []

    def read():
        for run in overlapped(groups(), str, workers=2, most=8):
            seen.extend(run)

    with pytest.raises(CnncliError, match="no more"):
        read()
    assert seen == [(1, "1"), (2, "2")]


def test_leaving_early_stops_the_work():
    done = []

    def work(number):
        done.append(number)
        time.sleep(0.001)
        return number

    results = overlapped([range(100_000)], work, workers=2, most=4)
    next(results)
    results.close()
    count = len(done)
    time.sleep(0.02)
    assert len(done) == count < 1000


# --- numbers ---------------------------------------------------------------------------------------


def test_bytes_and_floats_of_a_picture_have_one_answer(run, net, rng):
    pixels = save_gray("a.png", rng)
    np.save("bytes.npy", pixels)
    np.save("unit.npy", pixels / 255)
    np.save("to_255.npy", pixels.astype(np.float32))
    np.save("above.npy", pixels.astype(np.float32) / 255 * np.float32(1.0001))
    Image.fromarray(pixels.astype(np.float32)).save("to_255.tif")
    names = ["a.png", "bytes.npy", "unit.npy", "to_255.npy", "above.npy", "to_255.tif"]
    done = run("predict", *names, "-m", "net.safetensors", "--json")
    for each in done.results:
        assert each["predictions"] == done.results[0]["predictions"]


def test_a_picture_without_contrast_is_said(run, net, rng, tmp_path):
    """Of 0 and 1 in 8 bits, or of one shade: black or gray to the network, which answers all the same."""
    ones = rng.integers(0, 2, SHAPE[:2]).astype(np.uint8)
    for name, pixels in {"labels": ones, "shade": ones * 0 + 200, "good": ones * 90}.items():
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    done = run("predict", "labels.png", "shade.png", "good.png", "-m", "net.safetensors", "--json")
    assert [result.get("adapted") for result in done.results] == [["faint"], ["faint"], None]
    assert done.err.startswith("warning: 2 of 3 pictures were of one shade, or nearly, to the network")


def test_what_has_no_scale_is_an_error_and_what_is_clipped_is_said(run, net, rng):
    pixels = save_gray("a.png", rng).astype(np.float32) / 255
    for name, values in (("counts", pixels * 4000), ("signed", pixels * 2 - 1), ("nan", pixels * np.nan)):
        np.save(f"{name}.npy", values)
    Image.fromarray((pixels * 4095).astype(np.uint16)).save("camera.png")
    pixels[0, 0] = 1.4
    np.save("over.npy", pixels)
    names = ["counts.npy", "signed.npy", "nan.npy", "camera.png", "over.npy"]
    done = run("predict", *names, "-m", "net.safetensors", "--json")
    said = ["reach from", "reach from -", "NaN", "holds 12 bits or less"]
    for each, name, words in zip(done.results, names, said, strict=False):
        assert each["error"].startswith(f"{name}: ")
        assert words in each["error"]
    assert done.results[-1]["adapted"] == ["clipped"]
    assert done.err.startswith("note: 1 of 5 pictures was clipped: numbers lie beyond the black or white")
    assert run("predict", "over.npy", "-m", "net.safetensors", "-q").err == ""
