"""Man pages and completion say the same as help, of every option."""

import shutil
import subprocess

import pytest
import typer

from cnncli.cli.app import app
from cnncli.cli.complete import completions
from cnncli.cli.manual import pages, write_pages

GROUP = typer.main.get_command(app)
PAGES = pages("2026-01-31")
OPTIONS = [
    (name, parameter)
    for name, command in GROUP.commands.items()
    for parameter in command.params
    if parameter.param_type_name == "option"
]


def plain(page):
    """The text of a page without what troff is told."""
    for sign, letter in (
        ("\\fB", ""),
        ("\\fI", ""),
        ("\\fR", ""),
        ("\\-", "-"),
        ("\\(aq", "'"),
        ("\\&", ""),
        ("\\ ", " "),
    ):
        page = page.replace(sign, letter)
    return page


@pytest.mark.parametrize(("command", "option"), OPTIONS, ids=lambda each: getattr(each, "name", each))
def test_each_option_is_explained_everywhere(command, option):
    page = plain(PAGES[f"cnncli-{command}"])
    assert option.help
    assert " ".join(option.help.split())[:60].replace("…", "...") in page
    for word in [*option.opts, *option.secondary_opts]:
        assert word in page
        assert word in dict(completions([command, word])[1])


def test_there_is_a_page_of_each_command():
    assert set(PAGES) == {"cnncli", *(f"cnncli-{name}" for name in GROUP.commands)}
    for name in GROUP.commands:
        assert f"cnncli {name}" in plain(PAGES["cnncli"])
        assert f"cnncli {name}" in plain(PAGES[f"cnncli-{name}"].partition(".SH EXAMPLES")[2])


@pytest.mark.skipif(shutil.which("mandoc") is None, reason="mandoc is not installed")
def test_pages_are_clean(tmp_path):
    for page in write_pages(tmp_path, "2026-01-31"):
        done = subprocess.run(
            ["mandoc", "-Tlint", "-Wwarning", page], capture_output=True, text=True, check=False
        )
        assert done.stdout == ""


@pytest.mark.skipif(shutil.which("man") is None, reason="man is not installed")
def test_pages_fit_80_columns(shell, tmp_path):
    for page in write_pages(tmp_path, "2026-01-31"):
        done = shell(f"man -l {page}", env={"MANWIDTH": "80", "LC_ALL": "C.UTF-8"})
        assert done.code == 0
        if done.out:  # a minimal system has no troff
            assert max(map(len, done.out.decode().splitlines())) <= 80
