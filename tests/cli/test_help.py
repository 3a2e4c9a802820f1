"""What the command says about itself, and what it imports to do so."""

import pytest
import typer

from cnncli import __version__
from cnncli.cli import app as commands
from cnncli.cli import options

COMMANDS = list(options.COMMANDS)


@pytest.mark.parametrize("command", [[], *[[name] for name in COMMANDS]])
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_fits_80_columns(start, command, flag):
    process = start(*command, flag, env={"COLUMNS": "80"})
    out, err = process.communicate(timeout=60)
    text = out.decode()
    assert (process.returncode, err) == (0, b"")
    assert text.startswith("Usage: cnncli")
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text


@pytest.mark.parametrize("columns", [60, 80])
@pytest.mark.parametrize("command", [[], *[[name] for name in COMMANDS]])
def test_no_word_is_torn_and_no_summary_cut(run, monkeypatch, command, columns):
    monkeypatch.setenv("COLUMNS", "1000")
    group = typer.main.get_command(commands.app)
    whole = {word for each in (group, *group.commands.values()) for word in texts_of(each)}
    monkeypatch.setenv("COLUMNS", str(columns))
    text = run(*command, "--help").out.decode()
    assert max(map(len, text.splitlines())) <= columns
    assert "..." not in text.replace("ARGS]...", "").replace("INPUT]...", "")
    body = text.partition("Examples:")[0].partition("\n\n")[2]
    assert {word for word in body.split() if len(word) > 1} <= whole


def texts_of(command):
    """Every word that stands somewhere in what is said about a command, its options and all of cnncli."""
    parts = [
        command.name,
        command.help,
        commands.app.info.help,
        "Arguments: Options: Commands: Print the version.",
    ]
    for parameter in command.params:
        parts += [parameter.metavar or "", parameter.help, f"{parameter.default}]"]
    parts += ["-h, --help Show this message and exit. [default: [required] / --version"]
    words = {word for part in parts for word in part.split()}
    for parameter in command.params:
        words |= {
            f"{each}{comma}" for each in [*parameter.opts, *parameter.secondary_opts] for comma in ("", ",")
        }
    return words


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_is_its_help_option(run, name):
    assert run("help", name).out == run(name, "--help").out
    assert run("help").out == run("--help").out


def test_help_of_a_command_that_is_none(run, two_lines):
    done = run("help", "convovle")
    assert "'convovle'" in two_lines(done, 2)
    assert done.err.endswith("hint: Did you mean cnncli help convolve?\n")


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_end_the_help(run, name):
    last = run(name, "--help").out.decode().partition("\n\nExamples:\n")[2]
    assert last.startswith(f"  cnncli {name}")


def test_the_commands_are_those_that_the_readme_describes():
    agreed = {"convolve", "formats", "kernels", "train", "predict", "evaluate", "featuremaps", "samples"}
    assert agreed <= set(COMMANDS)


def test_help_names_every_option_of_convolve(run):
    text = run("convolve", "--help").out.decode()
    agreed = """--correlate --normalize --anchor --border --mode --stride --dilation --repeat --scale --bias
    --range --gray --linear --roi --bits --format --quality --explain --json --quiet --threads --recursive
    --max-pixels --in-place --files-from --compress"""
    for option in agreed.split():
        assert option in text


def test_version(run):
    assert (run("--version").code, run("--version").out) == (0, f"cnncli {__version__}\n".encode())


def test_without_a_command_it_shows_help_and_fails(run):
    done = run()
    assert (done.code, done.out) == (2, b"")
    assert done.err.startswith("Usage: cnncli")


@pytest.mark.parametrize(("word", "near"), [("convolv", "convolve"), ("kernel", "kernels")])
def test_an_unknown_command_suggests_the_nearest(run, two_lines, word, near):
    assert near in two_lines(run(word), 2)


IMPORTED = """
import sys
from cnncli.cli.run import run
code = run(sys.argv[1:])
heavy = {"numba", "llvmlite", "numpy", "PIL", "rich", "scipy", "pydantic", "concurrent.futures", "json"}
print("imported:", *sorted(heavy & set(sys.modules)), file=sys.stderr)
sys.exit(code)
"""


def imported(done):
    return set(done.stderr.split("imported:")[1].split())


@pytest.mark.parametrize("command", [["--help"], ["convolve", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(python, command):
    assert imported(python(IMPORTED, *command)) == set()


@pytest.mark.parametrize("kernel", ["sobel", "gaussian:2", "0 1 0; 1 -4 1; 0 1 0"])
def test_a_filter_that_is_compiled_needs_no_compiler(python, run, photo, tmp_path, kernel):
    photo("a.png")
    assert run("convolve", "a.png", "-k", kernel, "-o", "b.png", "-q").code == 0
    done = python(IMPORTED, "convolve", tmp_path / "a.png", "-k", kernel, "-o", tmp_path / "b.png", "-q")
    assert not imported(done) & {"numba", "llvmlite", "rich", "scipy", "pydantic", "concurrent.futures"}


def test_kernels_in_json_takes_every_spec(run):
    for spec in ("sobel", "1 2; 3 4", "gaussian:sigma=2"):
        done = run("kernels", spec, "--json")
        assert (done.code, done.err) == (0, "")
        assert len(done.results) == 1
