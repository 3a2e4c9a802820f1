"""Wrong command lines are answered with a line that runs."""

import shlex
from pathlib import Path

import pytest

from cnncli.cli.plain import line_of, read_plainly


def suggested(done):
    """The words of the line that the hint says to run."""
    line = done.err.splitlines()[1]
    assert line.startswith("hint: Run: cnncli "), done.err
    return shlex.split(line.removeprefix("hint: Run: "))[1:]


@pytest.mark.parametrize(
    ("words", "right"),
    [
        (["a.png"], ["convolve", "a.png", "-k", "sobel"]),
        (["a.png", "-k", "gaussian"], ["convolve", "a.png", "-k", "gaussian"]),
        (["a.png", "median"], ["convolve", "a.png", "-k", "median"]),
        (["sobel", "a.png"], ["convolve", "a.png", "-k", "sobel"]),
        (["--kernel", "sobel", "a.png"], ["convolve", "--kernel", "sobel", "a.png"]),
        (["-k", "sobel", "convolve", "a.png"], ["convolve", "-k", "sobel", "a.png"]),
        (["-q", "a b.png", "--scale=-1"], ["convolve", "-q", "a b.png", "--scale=-1", "-k", "sobel"]),
        (["--threads", "1", "a.png", "median"], ["convolve", "--threads", "1", "a.png", "-k", "median"]),
        (
            ["--threads", "1", "convolve", "a.png"],
            ["convolve", "--threads", "1", "a.png", "-k", "sobel"],
        ),
        (["convolve", "a.png", "sobel"], ["convolve", "a.png", "-k", "sobel"]),
        (["convolve", "sobel", "a.png", "-q"], ["convolve", "a.png", "-k", "sobel", "--quiet"]),
        (["convolve", "a.png", "-1 0 1"], None),
        (
            ["convolve", "a b.png", "0 -1 0; -1 5 -1; 0 -1 0"],
            ["convolve", "a b.png", "-k", "0 -1 0; -1 5 -1; 0 -1 0"],
        ),
        (
            ["convolve", "a.png", "-k", "sobel", "median:5"],
            ["convolve", "a.png", "-k", "sobel", "-k", "median:5"],
        ),
        (["--top", "1", "a.png"], ["predict", "--top", "1", "a.png"]),
    ],
)
def test_the_corrected_line_runs(run, photo, two_lines, words, right):
    photo("a.png")
    photo("a b.png")
    if right is None:  # begins like an option
        assert run(*words).code == 2
        return
    done = run(*words)
    two_lines(done, 2)
    assert suggested(done) == right
    assert run(*right).code == 0


def test_a_file_is_no_kernel(run, photo):
    """A file may be called as a kernel is."""
    photo("a.png")
    Path("sobel").write_bytes(Path("a.png").read_bytes())
    assert run("convolve", "sobel", "-k", "box", "-o", "b.png").code == 0


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["train", "mnist", "--batch", "8"], "Did you mean --batch-size?"),
        (["train", "mnist", "--learning-rate", "1"], "Did you mean --lr?"),
        (["train", "mnist", "--epoch", "1"], "Did you mean --epochs?"),
        (["convolve", "a.png", "--sigma", "2"], "-k gaussian:sigma=2"),
        (["convolve", "a.png", "--grayscale"], "Did you mean --gray?"),
        (["convolve", "a.png", "--kernal", "box"], "Did you mean --kernel?"),
        (["predict", "--checkpoint", "x"], "Did you mean --model?"),
        (["fit", "mnist"], "Did you mean cnncli train?"),
        (["convolv", "a.png"], "Did you mean cnncli convolve?"),
        (["--versio"], "Did you mean --version?"),
        (["featuremaps", "a.png", "b.png"], "Give one INPUT at a time, or -o page.html for all of them."),
        (["train", "mnist", "cifar10"], "Give one DATASET at a time."),
        (["xyzzy"], "List the commands with: cnncli help"),
    ],
)
def test_words_of_other_programs(run, two_lines, words, hint):
    done = run(*words)
    two_lines(done, 2)
    assert hint in done.err.splitlines()[1]


@pytest.mark.parametrize(
    ("line", "quoted"),
    [
        ("models conv8 relu fc", "models 'conv8 relu fc'"),
        ("draw conv8 relu6 fc --json", "draw 'conv8 relu6 fc' --json"),
        ("train mnist -m conv8 relu fc -b 8", "train mnist -m 'conv8 relu fc' -b 8"),
    ],
)
def test_layers_without_quotes_are_quoted_in_the_hint(run, two_lines, line, quoted):
    done = run(*line.split(" "))
    assert "are 3 words; expected one" in two_lines(done, 2)
    assert done.err.splitlines()[1] == f"hint: Quote them: cnncli {quoted}"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("evaluate mnist b", "'b' is given besides the DATASET; expected nothing more"),
        ("formats a", "'a' is given; expected no argument"),
        ("models resnet18 relu", "'relu' is given besides the MODEL; expected nothing more"),
        ("evaluate", "no DATASET is given; expected one"),
        ("predict -m", "-m has no value; expected one after it"),
        ("train mnist --no-splits=3", "--no-splits has a value; expected none"),
        ("train mnist --epochs two", "--epochs is 'two'; expected a whole number"),
        ("train mnist -b two", "--batch-size is 'two'; expected a whole number"),
        ("train mnist --lr it's", '--lr is "it\'s"; expected a number'),
    ],
)
def test_sentences_of_typer_are_said_as_ours(run, two_lines, line, message):
    done = run(*line.split(" "))
    two_lines(done, 2)
    assert done.err.splitlines()[0] == f"error: {message}"
    assert done.err.splitlines()[1].startswith(("hint: See: cnncli", "hint: Give one", "hint: Leave it out"))


@pytest.mark.parametrize(
    "line",
    [
        ["convolve", "a.png", "-k", "sobel"],
        [
            "convolve",
            "a.png",
            "b.png",
            "-k",
            "-1 0 1",
            "-k",
            "box",
            "--scale=-2.5",
            "--color",
            "-q",
            "-o",
            "-",
        ],
        ["predict", "a.png", "--top", "1", "--json"],
    ],
)
def test_a_line_is_written_as_it_is_read(line):
    given = read_plainly(line)
    assert read_plainly(line_of(line[0], given)) == given
