"""Completion, asked directly and in the shells that are installed."""

import json
import shutil
from pathlib import Path

import pytest

from cnncli.cli import shell_setup
from cnncli.cli.complete import _WORDS, completions
from cnncli.cli.task import BITS
from cnncli.data.load import NAMED
from cnncli.data.prepare import FITS
from cnncli.data.shipped import MODELS as SHIPPED
from cnncli.filters.borders import parse_border
from cnncli.filters.named import MODULES
from cnncli.filters.spec import parse_spec
from cnncli.models.catalog import MODELS
from cnncli.nn.schedules import SCHEDULES
from cnncli.views.featuremaps.table import VIEWS

SCRIPTS = Path(shell_setup.__file__).parent / "shells"


def values(*words):
    return [value for value, _ in completions(words)[1]]


def test_commands_and_options():
    assert values("con") == ["convolve"]
    assert "--border" in values("convolve", "--b")
    assert values("--vers") == ["--version"]
    assert values("help", "tra") == ["train"]


def test_second_pictures(tmp_path):
    (tmp_path / "other.png").touch()
    (tmp_path / "others").mkdir()
    (tmp_path / "other.xyz").touch()
    start = f"difference:{tmp_path}/"
    assert values("convolve", "-k", f"{start}oth") == [f"{start}other.png", f"{start}others/"]


def test_kernels_and_their_parameters():
    assert values("convolve", "a.png", "-k", "") == list(MODULES)
    assert values("kernels", "gauss") == ["gaussian"]
    assert values("kernels", "2*rot90(gauss") == ["2*rot90(gaussian"]
    assert values("convolve", "-k", "gaussian:3 - gaussian:size=3,sigma-") == [
        "gaussian:3 - gaussian:size=3,sigma-y="
    ]
    assert values("convolve", "-k", "gaussian:s")[0] == "gaussian:sigma="
    assert "gaussian:sigma=2,size=" in values("convolve", "-k", "gaussian:sigma=2,")
    assert "gaussian:sigma=2,sigma=" not in values("convolve", "-k", "gaussian:sigma=2,")
    for spec in values("convolve", "--kernel=sobel:output=") or [""]:
        parse_spec(spec.removeprefix("--kernel="))


def test_choices_are_those_that_the_commands_take():
    assert [*values("train", "--fit", "")] == list(FITS)
    assert values("featuremaps", "--view", "") == list(VIEWS)
    assert values("evaluate", "mnist", "--attributions", "sal") == ["saliency"]
    assert values("evaluate", "mnist", "--attributions", "all,gr") == ["all,gradcam"]
    assert values("convolve", "--bits", "") == [str(each) for each in BITS]
    assert values("evaluate", "") == list(NAMED)
    assert values("train", "-m", "") == ["auto", *MODELS]
    assert set(SCHEDULES) <= set(values("train", "--sched", ""))
    for border in values("convolve", "--border", ""):
        parse_border(f"{border}3" if border.endswith(":") else border)


def test_arguments_are_completed_in_their_order():
    assert values("search", "") == ["index", "query", "evaluate"]
    assert completions(["search", "-o", "x", "q"])[1] == [("query", "")]
    assert completions(["search", "query", ""]) == ("files", [])
    assert completions(["search", "query", "a.png", "--gallery", ""]) == ("folders", [])
    assert completions(["search", "query", "a.png", "--json", "b"]) == ("files", [])
    assert completions(["draw", "lenet5", ""]) == ("none", [])


def test_networks_and_their_options():
    assert values("models", "") == [*SHIPPED, "auto", *MODELS]
    assert completions(["models", ""])[0] == "files"
    assert values("models", "googlenet:") == ["googlenet:aux", "googlenet:width="]
    assert values("train", "-m", "googlenet:aux,w") == ["googlenet:aux,width="]
    assert values("predict", "-m", "im") == ["imagenet"]
    assert "conv8 relu" in values("models", "conv8 re")


def test_layers_are_those_of_the_checkpoint(run):
    done = run(
        "featuremaps", Path(__file__).parents[2] / "samples/digits/7.png", "-o", "a.png", "--json", "--all"
    )
    names = [each["name"] for each in done.results[0]["views"]["maps"]["layers"]]
    assert values("featuremaps", "a.png", "--layer", "") == names
    assert values("featuremaps", "-m", "missing", "--layer", "") == []
    assert values("featuremaps", "a.png", "--explain", "") == [each for each in names if "conv" in each]
    assert completions(["featuremaps", "a.png", "--explain", ""])[0] == "none"


def test_files_are_left_to_the_shell():
    assert completions(["convolve", ""])[0] == "files"
    assert completions(["train", "--resume", ""])[0] == "folders"
    assert completions(["train", "--epochs", ""])[0] == "none"
    assert completions(["convolve", "-k", "gaussian:"])[0] == "none"


def test_every_parameter_that_is_completed_exists():
    import typer

    from cnncli.cli.app import app

    commands = typer.main.get_command(app).commands
    known = {(name, each.name) for name, command in commands.items() for each in command.params}
    assert all(
        key in known if isinstance(key, tuple) else key in {name for _, name in known} for key in _WORDS
    )


BASH = """
source {scripts}/cnncli.bash
compopt() {{ :; }}
COMP_LINE={line!r} COMP_POINT=${{#COMP_LINE}}
_cnncli_complete cnncli
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.mark.parametrize(
    ("line", "answers"),
    [
        ("cnncli con", ["convolve"]),
        ("cnncli convolve -k lap", ["laplacian"]),
        ("cnncli convolve -k gaussian:sigma-", ["sigma-y="]),
        ("cnncli convolve -k gaussian:sigma=2,size-", ["2,size-y="]),
        ("cnncli convolve --border=wr", ["wrap"]),
        ("cnncli convolve phot", ["photo one.png"]),
        ("cnncli convolve 'x y.png' -k sob", ["sobel"]),
        ("cnncli train --resume ", ["runs"]),
    ],
)
def test_bash(shell, tmp_path, line, answers):
    (tmp_path / "photo one.png").touch()
    (tmp_path / "runs").mkdir()
    assert shell(BASH.format(scripts=SCRIPTS, line=line)).lines == answers


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
@pytest.mark.parametrize(
    ("line", "answers"),
    [
        ("cnncli con", ["convolve"]),
        ("cnncli convolve -k gaussian:sigma-", ["gaussian:sigma-y="]),
        ("cnncli convolve --border=wr", ["--border=wrap"]),
        ("cnncli convolve --mask=phot", ["--mask=photo.png"]),
    ],
)
def test_fish(shell, tmp_path, line, answers):
    (tmp_path / "photo.png").touch()
    done = shell(f"HOME=$PWD fish -N -c 'source {SCRIPTS}/cnncli.fish; complete -C \"{line}\"'")
    assert [each.partition("\t")[0] for each in done.lines] == answers


ZSH = """
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "fpath=({scripts} \\$fpath); autoload -Uz compinit; compinit -u -D"
zpty -w z "dump() {{ print -r -- \\"\\$BUFFER|\\" >after }}; zle -N dump; bindkey '^X' dump; print READ''Y"
zpty -m -r z out '*READY*'
zpty -w -n z {line}$'\\t\\x18'
for i in {{1..300}}; do [[ -s after ]] && break; sleep 0.1; done
cat after
zpty -d z
"""


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
@pytest.mark.parametrize(
    ("line", "after"),
    [
        ("cnncli con", "cnncli convolve |"),
        ("cnncli convolve -k gaussian:sigma=2,size-", "cnncli convolve -k gaussian:sigma=2,size-y=|"),
        ("cnncli convolve --mask=phot", "cnncli convolve --mask=photo.png |"),
    ],
)
def test_zsh(shell, tmp_path, line, after):
    (tmp_path / "photo.png").touch()
    (tmp_path / "drive.zsh").write_text(ZSH.format(scripts=SCRIPTS, line=f"'{line}'"))
    assert shell("zsh -f drive.zsh").lines == [after]


@pytest.mark.parametrize(("name", "startup"), [("bash", ".bashrc"), ("zsh", ".zshrc"), ("fish", None)])
def test_installing_twice_is_installing_once(tmp_path, monkeypatch, name, startup):
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(variable, raising=False)
    if startup:
        (tmp_path / startup).write_text("alias ll='ls -l'")  # without a line end
    first = shell_setup.install(name)
    files = {path: path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    shell_setup.install(name)
    assert {path: path.read_text() for path in tmp_path.rglob("*") if path.is_file()} == files
    assert shell_setup.script_of(name) in files.values()
    if startup:
        alias, line = files[tmp_path / startup].splitlines()
        assert alias == "alias ll='ls -l'"
        assert line
        assert any(startup in each for each in first)


def test_the_options_ask_which_shell_runs_them(run, monkeypatch, two_lines):
    monkeypatch.setattr("shellingham.detect_shell", lambda: ("fish", "fish"))
    assert run("--show-completion").out.decode() == (SCRIPTS / "cnncli.fish").read_text()
    monkeypatch.setattr("shellingham.detect_shell", lambda: ("tcsh", "tcsh"))
    assert "'tcsh'" in two_lines(run("--install-completion"), 2)


def test_json_is_not_what_completion_prints(run, monkeypatch):
    """The variable that asks for completion holds for one process; without it the command runs."""
    monkeypatch.delenv("_CNNCLI_COMPLETE", raising=False)
    assert json.loads(run("kernels", "sobel", "--json").out)
