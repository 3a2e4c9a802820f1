"""Bad input, bad options and failing disks: two lines, the right exit code, and nothing lost."""

import os
import resource
import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_networks import save_gray, save_seeded

from cnncli.cli.exit_codes import UsageError, carry_out
from cnncli.errors import CnncliError

USAGE = {
    "no kernel": ([], "no kernel is given"),
    "unknown name": (["-k", "sobl"], "unknown kernel 'sobl'"),
    "unknown parameter": (["-k", "gaussian:sgma=2"], "sgma"),
    "NaN": (["-k", "1 nan 3"], "row 1, column 2"),
    "infinity": (["-k", "1 2; 3 inf"], "row 2, column 2"),
    "ragged": (["-k", "1 2 3; 4 5"], "row 2, column 3: the row has 2 numbers; expected 3"),
    "empty": (["-k", ""], "the kernel is empty"),
    "nothing but separators": (["-k", ";;"], "expected"),
    "only zeros": (["-k", "0 0; 0 0"], "has no weight but 0"),
    "missing kernel file": (["-k", "none.csv"], "none.csv"),
    "stride 0": (["-k", "box", "--stride", "0"], "--stride is '0'; expected a whole number of 1 or more"),
    "stride word": (["-k", "box", "--stride", "x"], "--stride is 'x'"),
    "three strides": (["-k", "box", "--stride", "1,2,3"], "--stride is '1,2,3'"),
    "stride without end": (["-k", "box", "--stride", str(2**63)], "--stride is (9223372036854775808, "),
    "repeat without end": (["-k", "box", "--repeat", str(2**63)], "; expected at most 1,000,000"),
    "digits without end": (["-k", "[[" + "9" * 5000 + "]]"], "holds a number of thousands of digits"),
    "size without end": (["-k", "9" * 5000 + "x3: 1"], "is not WxH: or WxH+X+Y: and numbers"),
    "dilation 0": (["-k", "box", "--dilation", "0"], "--dilation is 0; expected 1 or more"),
    "dilation without end": (["-k", "sobel", "--dilation", "100000"], "sobel covers 200001 x 200001 pixels"),
    "repeat 0": (["-k", "box", "--repeat", "0"], "--repeat is 0"),
    "border": (["-k", "box", "--border", "foo"], "--border is 'foo'; expected one of replicate"),
    "border value": (["-k", "box", "--border", "constant:x"], "--border is 'constant:x'"),
    "mode": (["-k", "box", "--mode", "smae"], "--mode is 'smae'; expected same, valid or full"),
    "anchor word": (["-k", "box", "--anchor", "1"], "--anchor is '1'; expected 2 whole numbers"),
    "anchor outside": (["-k", "box:3", "--anchor", "3,0"], "--anchor is 3,0; expected a cell of the 3 x 3"),
    "anchor of none": (["-k", "median:3", "--anchor", "1,1"], "--anchor is given, but median"),
    "normalize": (["-k", "box", "--normalize", "one"], "--normalize is 'one'"),
    "normalize by 0": (["-k", "-1 0 1", "--normalize", "sum"], "sum to 0"),
    "scale": (["-k", "box", "--scale", "nan"], "--scale is nan; expected a finite number"),
    "bias": (["-k", "box", "--bias", "much"], "--bias is 'much'"),
    "range": (["-k", "box", "--range", "clop"], "--range is 'clop'"),
    "roi numbers": (["-k", "box", "--roi", "1,2"], "--roi is '1,2'; expected 4 whole numbers"),
    "roi negative": (["-k", "box", "--roi=-1,0,5,5"], "--roi is '-1,0,5,5'"),
    "roi without width": (["-k", "box", "--roi", "0,0,0,5"], "--roi is '0,0,0,5'"),
    "roi outside": (
        ["-k", "box", "--roi", "0,0,999,5"],
        "a.png: --roi is 0,0,999,5; expected X,Y,W,H inside",
    ),
    "kernel too large": (["-k", "box:99", "--mode", "valid"], "a.png: --mode valid"),
    "bits": (["-k", "box", "--bits", "7"], "--bits is 7; expected 8, 16 or 32"),
    "bits of a suffix": (["-k", "box", "--bits", "16", "-o", "x.jpg"], "--bits is 16 and the output JPEG"),
    "bits of a format": (["-k", "box", "--bits", "32", "--format", "png"], "expected 8 or 16 bits"),
    "bits of a stream": (["-k", "box", "--bits", "16", "--format", "webp", "-o", "-"], "expected 8 bits"),
    "bits word": (["-k", "box", "--bits", "x"], "--bits"),
    "format": (["-k", "box", "--format", "pgn"], "unknown format 'pgn'"),
    "quality": (["-k", "box", "--quality", "0"], "--quality is 0; expected 1 to 100"),
    "threads": (["-k", "box", "--threads", "0"], "--threads is 0; expected 1 or more"),
    "max pixels": (["-k", "box", "--max-pixels", "0"], "--max-pixels is 0; expected 1 or more"),
    "option": (["-k", "box", "--foo"], "cnncli convolve has no option --foo"),
    "option without value": (["-k"], "-k has no value; expected one after it"),
}
NEAREST = {"unknown name": "-k sobel", "mode": "same", "range": "clip", "format": "png"}


@pytest.mark.parametrize("name", USAGE)
def test_wrong_usage(run, photo, tmp_path, two_lines, name):
    arguments, message = USAGE[name]
    photo("a.png")
    done = run("convolve", "a.png", *arguments)
    assert message in two_lines(done, 2)
    assert NEAREST.get(name, "") in done.err.splitlines()[1]
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    assert done.out == b""


@pytest.fixture(scope="module")
def bomb():
    """A real PNG of 60,000 x 60,000 black pixels in half a megabyte."""
    side = 60_000

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(1)
    some = bytes((side // 8 + 1) * 1000)
    rows = b"".join(packer.compress(some) for _ in range(side // 1000)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.fixture
def bad_inputs(photo, tmp_path, bomb):
    photo("a.png", (60, 80, 3))
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "flipped.png").write_bytes(whole[:200] + bytes([whole[200] ^ 255]) + whole[201:])
    (tmp_path / "text.png").write_text("I am no image")
    (tmp_path / "bomb.png").write_bytes(bomb)
    (tmp_path / "circle.png").symlink_to("circle.png")
    photo("z.png", (30, 20, 3))


def test_bad_inputs_are_reported_and_the_others_done_in_order(run, bad_inputs, tmp_path):
    names = [
        "a.png",
        "none.png",
        "empty.png",
        "cut.png",
        "flipped.png",
        "text.png",
        "bomb.png",
        "circle.png",
        "z.png",
    ]
    done = run("convolve", *names, "-k", "box:3", "-o", "out/")
    assert (done.code, done.lines) == (1, ["out/a-box.png", "out/z-box.png"])
    lines = done.err.splitlines()
    assert all(line.startswith("hint: ") for line in lines[1::2])
    for name, line in zip(names[1:-1], lines[::2], strict=True):
        assert line.startswith("error: ")
        assert name in line
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a-box.png", "z-box.png"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.png", "cannot read none.png: no such file"),
        ("empty.png", "empty.png is empty; expected an image"),
        ("cut.png", "cut.png is damaged or truncated"),
        ("flipped.png", "flipped.png is damaged"),
        ("text.png", "text.png is not an image in a format that can be read"),
        ("bomb.png", "bomb.png: it has 60000x60000 pixels; at most 500,000,000 pixels are decoded"),
    ],
)
def test_one_bad_input(run, bad_inputs, tmp_path, two_lines, name, message):
    (tmp_path / "out.png").write_bytes(b"what stood here before")
    assert message in two_lines(run("convolve", name, "-k", "box:3", "-o", "out.png"), 1)
    assert (tmp_path / "out.png").read_bytes() == b"what stood here before"


def test_an_empty_or_broken_stream(run, two_lines):
    for data in (b"", b"P5 3", b"\x89PNG\r\n\x1a\n"):
        assert "standard input" in two_lines(run("convolve", "-k", "box:3", stdin=data), 1)


def test_a_bomb_is_refused_with_little_memory(start, tmp_path, bomb):
    (tmp_path / "bomb.png").write_bytes(bomb)
    limit = 1 << 30  # of addresses; decoded it would be 3.6 GB

    process = start(
        "convolve", "bomb.png", "-k", "box:3", "--threads", "1",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )  # fmt: skip
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"at most 500,000,000 pixels" in err
    assert b"--max-pixels 3600000000" in err


def test_max_pixels_is_a_limit_and_lifts_it(run, photo, two_lines):
    photo("a.png", (20, 30))
    assert "at most 599 pixels" in two_lines(
        run("convolve", "a.png", "-k", "box:3", "--max-pixels", "599"), 1
    )
    assert run("convolve", "a.png", "-k", "box:3", "--max-pixels", "600").code == 0


def test_a_full_disk_leaves_what_stood_there(start, photo, run, tmp_path):
    photo("a.png", (200, 300, 3))
    (tmp_path / "b.png").write_bytes(b"before")
    process = start(
        "convolve", "a.png", "-k", "box:3", "-o", "b.png",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000)),
    )  # fmt: skip
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.decode().startswith("error: cannot write b.png: the file would be larger")
    assert len(err.splitlines()) == 2
    assert (tmp_path / "b.png").read_bytes() == b"before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]


@pytest.mark.parametrize("options", ["-o /dev/full", "-o - >/dev/full", ">/dev/full", "--json >/dev/full"])
def test_a_full_device(shell, photo, run, options):
    photo("a.png")
    done = shell(f"cnncli convolve a.png -k box:3 {options}")
    assert done.code == 1
    assert "the disk is full" in done.err
    assert len(done.err.splitlines()) == 2


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root may write anywhere")
def test_a_folder_that_is_read_only(run, photo, tmp_path):
    (tmp_path / "locked").mkdir()
    photo("locked/a.png")
    photo("locked/a-box.png")
    before = (tmp_path / "locked/a-box.png").read_bytes()
    photo("secret.png")
    (tmp_path / "secret.png").chmod(0)
    (tmp_path / "locked").chmod(0o555)
    plain = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    root = str(Path(__file__).parent.parent.parent)
    command = [*plain, sys.executable, "-m", "cnncli", "convolve", "-k", "box:3"]
    try:
        for given, options in (
            ("locked/a.png", []),
            ("locked/a.png", ["-o", "locked/new/"]),
            ("secret.png", []),
        ):
            done = subprocess.run(
                [*command, given, *options], cwd=tmp_path, capture_output=True, check=False,
                env={**os.environ, "PYTHONPATH": root},
            )  # fmt: skip
            assert done.returncode == 1, done.stderr
            assert b"permission denied" in done.stderr
            assert len(done.stderr.splitlines()) == 2
        assert (tmp_path / "locked/a-box.png").read_bytes() == before
        assert len(list((tmp_path / "locked").iterdir())) == 2
    finally:
        (tmp_path / "locked").chmod(0o755)


@pytest.mark.parametrize(
    "target", ["none/b.png", "a.png/b.png", "folder.png", "x" * 300 + ".png", "circle.png"]
)
def test_places_that_cannot_be_written(run, photo, tmp_path, two_lines, target):
    photo("a.png")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "folder.png" / "kept").write_text("")
    (tmp_path / "circle.png").symlink_to("circle.png")
    before = sorted(tmp_path.rglob("*"))
    done = run("convolve", "a.png", "-k", "box:3", "-o", target)
    if target == "folder.png":
        assert (done.code, done.lines) == (0, ["folder.png/a-box.png"])
        return
    two_lines(done, 1)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_failed_in_place_leaves_the_input(run, photo, tmp_path, two_lines):
    photo("a.png")
    before = (tmp_path / "a.png").read_bytes()
    two_lines(run("convolve", "a.png", "-k", "box:3", "--in-place", "--roi", "0,0,999,999"), 2)
    assert (tmp_path / "a.png").read_bytes() == before


@pytest.mark.parametrize(
    ("fault", "code", "message"),
    [
        (RuntimeError("the moon is full"), 1, "error: internal error (RuntimeError: the moon is full)"),
        (MemoryError(), 1, "error: out of memory"),
        (OSError(28, "No space left on device", "a.png"), 1, "error: no space left on device: a.png"),
        (CnncliError("bad", "mend it"), 1, "error: bad"),
        (UsageError("wrong", "see --help"), 2, "error: wrong"),
    ],
)
def test_every_fault_is_two_lines(capsys, fault, code, message):
    def work():
        raise fault

    assert carry_out(work) == code
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == message
    assert lines[1].startswith("hint: ")
    assert len(lines) == 2
    assert carry_out(work, debug=True) == code
    debugged = capsys.readouterr().err.splitlines()
    assert debugged[0] == "Traceback (most recent call last):"
    assert debugged[-2:] == lines


def test_messages_cannot_write_to_the_terminal(run, two_lines):
    error = two_lines(run("convolve", "\x1b[31m\nred.png", "-k", "box:3"), 1)
    assert "\x1b" not in error
    assert r"\x1b[31m\nred.png" in error


def test_an_array_of_nothing_but_nan(run, tmp_path):
    np.save(tmp_path / "a.npy", np.full((8, 8), np.nan, np.float32))
    assert run("convolve", "a.npy", "-k", "box:3", "-o", "b.png", "-q").code == 0
    assert np.asarray(Image.open(tmp_path / "b.png").convert("L")).max() == 0


def webp_of_one_colour(width, height):
    """A whole lossless WebP: five Huffman codes of one symbol each, and no bits for the pixels."""
    sizes = struct.pack("<I", (width - 1) | (height - 1) << 14)
    codes = sum(1 << (3 + 4 * i) for i in range(5)).to_bytes(3, "little")
    data = b"\x2f" + sizes + codes + bytes(6)
    chunk = b"VP8L" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


@pytest.mark.parametrize("command", [["predict", "--json"], ["convolve", "-k", "box:3", "-o", "out/"]])
def test_an_image_that_memory_does_not_hold_is_one_that_failed(start, photo, tmp_path, command):
    great = webp_of_one_colour(16383, 16383)
    (tmp_path / "great.webp").write_bytes(great)
    photo(tmp_path / "a.png", (28, 28))
    photo(tmp_path / "b.png", (28, 28))
    limit = 2 << 30  # of addresses; it takes 1.1 GB to decode, and as much again for the array
    process = start(
        command[0], "a.png", "great.webp", "b.png", "--threads", "2", *command[1:],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )  # fmt: skip
    out, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert b"great.webp" in (out if command[0] == "predict" else err)
    assert b"memory" in (out if command[0] == "predict" else err)
    lines = [line for line in out.splitlines() if b"error" not in line]
    assert [b"a" in lines[0], b"b" in lines[1]] == [True, True]
    assert len(lines) == 2


def test_the_great_image_is_whole(run, tmp_path):
    (tmp_path / "small.webp").write_bytes(webp_of_one_colour(30, 20))
    done = run("convolve", "small.webp", "-k", "identity", "-o", "-", "--format", "png")
    assert done.image.shape[:2] == (20, 30)


def test_max_pixels_holds_for_networks_too(run, photo, tmp_path, two_lines):
    for name in ("k/a/0.png", "k/a/1.png", "k/b/2.png", "k/b/3.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        photo(name, (28, 28))
    photo("k/a/large.png", (28, 29))
    photo("large.png", (28, 29))
    for command in ("predict", "featuremaps"):
        assert "at most 811 pixels" in two_lines(run(command, "large.png", "--max-pixels", "811"), 1)
        assert run(command, "large.png", "--max-pixels", "812", "-q").code == 0
        assert "--max-pixels is 0" in two_lines(run(command, "large.png", "--max-pixels", "0"), 2)
    words = ["train", "k", "-m", "conv1 gap fc", "--epochs", "1", "--val-split", "0"]
    done = run(*words, "-o", "run", "--max-pixels", "811", "--json")
    assert done.results[0]["skipped"] == 1
    assert "left out: k/a/large.png: it has 29x28 pixels; at most 811" in done.err
    assert run(*words, "-o", "whole", "--json").results[0]["skipped"] == 0
    done = run("evaluate", "k", "-m", "whole", "--split", "all", "--max-pixels", "811", "--json")
    assert (done.code, done.results[0]["skipped"]) == (1, 1)


def test_of_a_result_and_its_explanation_none_appears_alone(start, run, photo, tmp_path, two_lines):
    photo("a.png")
    (tmp_path / "page.png").write_bytes(b"before")
    given = ("convolve", "a.png", "-k", "sobel", "--explain", "page.png")
    two_lines(run(*given, "-o", "none/b.png"), 1)
    assert (tmp_path / "page.png").read_bytes() == b"before"
    process = start(
        *given, "-o", "b.png", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
    )
    _, err = process.communicate(timeout=60)
    assert err.startswith(b"error: cannot write page.png: the file would be larger")
    assert (tmp_path / "page.png").read_bytes() == b"before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "page.png"]
    assert run(*given, "-o", "b.png").code == 0
    assert (tmp_path / "page.png").read_bytes() != b"before"


def test_a_run_that_cannot_be_saved_leaves_no_folder(start, photo, tmp_path):
    for name in ("k/a/0.png", "k/a/1.png", "k/b/2.png", "k/b/3.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        photo(tmp_path / name, (28, 28))
    process = start(
        "train", "k", "-m", "fc", "-o", "run", "-q",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000)),
    )  # fmt: skip
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"cannot write run/state.safetensors: the file would be larger" in err
    assert [path.name for path in tmp_path.iterdir()] == ["k"]


def test_faults_of_writing_in_a_batch_name_their_file(run, photo, tmp_path):
    photo("a.png")
    photo("b.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a-box.png").mkdir()
    done = run("convolve", "a.png", "b.png", "-k", "box:3", "-o", "out/")
    assert (done.code, done.lines) == (1, ["out/b-box.png"])
    assert done.err.startswith("error: cannot write out/a-box.png: it is a folder")
    done = run("convolve", "a.png", "b.png", "-k", "box:3", "-o", f"out/{{stem}}{'x' * 260}.png")
    assert [line.split("x")[0] for line in done.err.splitlines()[::2]] == [
        "error: cannot write out/a",
        "error: cannot write out/b",
    ]


DEVICES = [
    ["convolve", "a.png", "-k", "sobel"],
    ["featuremaps", "a.png", "-m", "net.safetensors"],
    ["draw", "net.safetensors"],
    ["explain", "--step", "1"],
]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")  # noqa: PTH110
@pytest.mark.parametrize("words", DEVICES, ids=[words[0] for words in DEVICES])
def test_devices_are_written_to_whatever_their_names(run, tmp_path, rng, words):
    save_gray("a.png", rng, (12, 10))
    save_seeded(tmp_path / "net.safetensors")
    assert run(*words, "-o", "/dev/null").code == 0
    done = run(*words, "-o", "/dev/full")
    assert done.code in (1, 2)
    assert "error: cannot write /dev/full: the disk is full" in done.err


def test_a_folder_is_not_made_where_a_file_stands(run, tmp_path, rng):
    save_gray("a.png", rng, (12, 10))
    save_seeded(tmp_path / "net.safetensors")
    (tmp_path / "out").write_bytes(b"mine")
    done = run("featuremaps", "a.png", "-m", "net.safetensors", "-o", "out")
    assert "cannot write out: something that is no folder has that name" in done.err
    assert (tmp_path / "out").read_bytes() == b"mine"
