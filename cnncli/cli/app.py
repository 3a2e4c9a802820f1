"""The command line as Typer reads it, built from the descriptions in `options`."""

import inspect
from collections.abc import Callable
from importlib import import_module
from typing import Annotated, Any

import typer

from cnncli.cli import options
from cnncli.cli.exit_codes import DONE, WRONG_USAGE, carry_out
from cnncli.cli.help_pages import Command, Group
from cnncli.cli.messages import report
from cnncli.cli.options.model import Option

# The usage error of click, or of the copy of click that newer Typer carries.
WrongCommand: Any = typer.BadParameter.__base__


def _version() -> None:
    from cnncli import __version__

    print(f"cnncli {__version__}")


def _install_completion() -> None:
    from cnncli.cli.shell_setup import current_shell, install

    report(*install(current_shell()))


def _show_completion() -> None:
    from cnncli.cli.shell_setup import current_shell, script_of

    print(script_of(current_shell()), end="")


#: Options of ``cnncli`` itself, which are carried out as soon as they are read.
_AT_ONCE = {
    "version": _version,
    "install_completion": _install_completion,
    "show_completion": _show_completion,
}


def _parameter(option: Option) -> inspect.Parameter:
    """What Typer reads in a function's signature."""
    kind: Any = list[str] if option.kind is list else option.kind
    if option.unset is None and not option.required:
        kind |= None
    info: Any
    if option.words:
        words = ["/".join((*option.words, *option.off))] if option.off else option.words
        info = typer.Option(*words, metavar=option.metavar, help=option.help)
    else:
        info = typer.Argument(metavar=option.metavar, help=option.help)
    if option.name in _AT_ONCE:
        info.callback, info.is_eager = _at_once(_AT_ONCE[option.name]), True
    return inspect.Parameter(
        option.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if option.required else option.unset,
        annotation=Annotated[kind, info],
    )


def _at_once(work: Callable[[], None]) -> Callable[[bool], None]:
    def carried_out(wanted: bool) -> None:
        if wanted:
            work()
            raise typer.Exit

    return carried_out


def _signed(work: Callable[..., int], name: str, *before: inspect.Parameter) -> Callable[..., int]:
    """A function with the signature and the documentation that the description of a command asks for."""
    described = options.command(name)
    given: Any = work
    given.__signature__ = inspect.Signature([*before, *map(_parameter, described.options)])
    given.__annotations__ = {}
    given.__doc__ = described.help
    return work


def _command(name: str) -> Callable[..., int]:
    """A command for Typer; what it needs is imported when it runs."""

    def work(**given: Any) -> int:
        settings = options.command(name).settings(**given)

        def run() -> int:
            code: int = import_module(f"cnncli.cli.{name}").run(settings)
            return code

        return carry_out(run, debug=settings.debug)

    return _signed(work, name)


def _without_command(context: typer.Context, **given: Any) -> int:
    """``cnncli`` without a command: its help."""
    del given  # carried out already
    if context.invoked_subcommand is not None:
        return DONE
    report(*context.get_help().splitlines())
    return WRONG_USAGE


def _built() -> typer.Typer:
    found = typer.Typer(
        name="cnncli",
        cls=Group,
        help=options.command("cnncli").help,
        invoke_without_command=True,
        rich_markup_mode=None,  # plain help: importing Rich would take longer than all the rest
        pretty_exceptions_enable=False,  # Rich again; carry_out turns faults into two lines
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    context = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    found.callback()(_signed(_without_command, "cnncli", context))
    for name in options.COMMANDS:
        found.command(name, cls=Command)(_command(name))
    return found


app = _built()
