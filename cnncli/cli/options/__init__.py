"""The commands and their options, each described once: Typer, plain lines, help and man pages read it here.

A command's options lie in the module with its name; what carries it out is `run` in the module of that name
beside this folder, which takes all of them by name and returns the exit code.
"""

from importlib import import_module

from cnncli.cli.options.model import Command

COMMANDS = (
    "convolve",
    "predict",
    "evaluate",
    "featuremaps",
    "kernels",
    "models",
    "formats",
    "train",
    "samples",
    "help",
)
"""In the order in which help lists them."""


def command(name: str) -> Command:
    """The description of one of `COMMANDS`, or of ``cnncli`` itself."""
    found: Command = import_module(f"cnncli.cli.options.{name}").COMMAND
    return found
