"""Each option is described once, and all that reads the description has all of it."""

import inspect
from importlib import import_module

import pytest
import typer

from cnncli.cli import options
from cnncli.cli.app import app
from cnncli.cli.complete import completions

GROUP = typer.main.get_command(app)
KINDS = {str: "STRING", int: "INT", float: "FLOAT", bool: "BOOL", list: "STRING"}
OPTIONS = [(name, option) for name in options.COMMANDS for option in options.command(name).options]


def test_typer_has_the_commands():
    assert list(GROUP.commands) == list(options.COMMANDS)


@pytest.mark.parametrize("name", options.COMMANDS)
def test_typer_has_each_option_as_it_is_described(name):
    theirs = {each.name: each for each in GROUP.commands[name].params}
    ours = {each.name: each for each in options.command(name).options}
    assert list(ours) == list(theirs)
    for option, other in zip(ours.values(), theirs.values(), strict=True):
        assert (other.param_type_name == "option") == bool(option.words)
        assert (other.opts, other.secondary_opts) == (list(option.words) or [option.name], list(option.off))
        assert (KINDS[option.kind], option.kind is list) == (
            str(other.type),
            other.nargs == -1 or getattr(other, "multiple", False),
        )
        assert (option.unset, option.required) == (other.default, other.required)


@pytest.mark.parametrize("name", options.COMMANDS)
def test_a_command_takes_all_of_its_options_by_name(name):
    taken = inspect.signature(import_module(f"cnncli.cli.{name}").run)
    taken.bind(**{option.name: option.unset for option in options.command(name).options})
    assert {each.kind for each in taken.parameters.values()} <= {
        inspect.Parameter.KEYWORD_ONLY,
        inspect.Parameter.VAR_KEYWORD,
    }


@pytest.mark.parametrize(("name", "option"), OPTIONS, ids=lambda each: getattr(each, "name", each))
def test_help_and_completion_have_each_option(run, name, option):
    text = " ".join(run(name, "--help").out.decode().split())
    offered = dict(completions([name, "-"])[1])
    assert option.help.split("  [default")[0].split()[0] in text
    for word in (*option.words, *option.off):
        assert word in text.replace(",", " ").split()
        assert word in offered
