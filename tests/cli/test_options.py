"""Each option is described once, and all that reads the description has all of it."""

from importlib import import_module
from types import NoneType, UnionType
from typing import get_args, get_origin, get_type_hints

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
def test_a_command_takes_its_settings_and_nothing_else(name):
    taken = get_type_hints(import_module(f"cnncli.cli.{name}").run)
    assert taken == {"settings": options.command(name).settings, "return": int}


@pytest.mark.parametrize(("name", "option"), OPTIONS, ids=lambda each: getattr(each, "name", each))
def test_what_is_not_given_has_the_type_of_its_setting(name, option):
    told = get_type_hints(options.command(name).settings)[option.name]
    kinds = get_args(told) if isinstance(told, UnionType) else (told,)
    assert option.kind in (get_origin(kinds[0]), kinds[0])
    assert kinds[1:] == ((NoneType,) if option.unset is None and not option.required else ())
    assert option.unset is None or isinstance(option.unset, option.kind)


def test_settings_are_made_of_what_was_given_and_stay():
    found = options.command("predict").settings(inputs=["a.png"], top=5)
    assert (found.inputs, found.top, found.model, found.json) == (["a.png"], 5, None, False)
    with pytest.raises(AttributeError, match="frozen"):
        found.top = 3
    with pytest.raises(TypeError, match="without its field 'dataset'"):
        options.command("evaluate").settings()
    with pytest.raises(TypeError, match="border"):
        options.command("predict").settings(border="wrap")


@pytest.mark.parametrize(("name", "option"), OPTIONS, ids=lambda each: getattr(each, "name", each))
def test_help_and_completion_have_each_option(run, name, option):
    text = " ".join(run(name, "--help").out.decode().split())
    offered = dict(completions([name, "-"])[1])
    assert option.help.split("  [default")[0].split()[0] in text
    for word in (*option.words, *option.off):
        assert word in text.replace(",", " ").split()
        assert word in offered
