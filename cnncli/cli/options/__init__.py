"""The commands and their options, each described once: Typer, plain lines, help and man pages read it here.

A command's options are its `Settings`, in the module with its name. What carries it out is `run` in the
module of that name beside this folder, which takes such `Settings` and returns the exit code.
"""

from importlib import import_module

from cnncli.cli.options.model import Command

COMMANDS = (
    "convolve",
    "compare",
    "predict",
    "evaluate",
    "featuremaps",
    "kernels",
    "models",
    "draw",
    "explain",
    "search",
    "weights",
    "export",
    "formats",
    "train",
    "samples",
    "help",
)
"""In the order in which help lists them."""


def command(name: str) -> Command:
    """The description of one of `COMMANDS`, or of ``cnncli`` itself."""
    found: Command = import_module(f"cnncli.cli.options.{name}").Settings.COMMAND
    return found
