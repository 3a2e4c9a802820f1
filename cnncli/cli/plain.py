"""Command lines that are plainly right, read without Typer.

Importing Typer and building its parsers takes 80 ms, more than half of what all the rest of a command on
one small image takes. So the commands that people and scripts call image by image are read here if
there is nothing to explain; a request for help, a word that is not known, a value that is no number, and
words that only Typer's parser understands (``-qr``, ``-k=sobel``, ``--``), all go to Typer, which reads
the line from its beginning. Both read the same description of the command, in `options`.
"""

from collections.abc import Callable, Sequence
from typing import Any

from cnncli.cli import options

COMMANDS = ("compare", "convolve", "predict")
"""Commands whose lines are read here; their arguments are one that takes all words, or take a word each."""


def read_plainly(arguments: Sequence[str]) -> Any:
    """Read a command line.

    Parameters
    ----------
    arguments : sequence of str
        As after the program's name.

    Returns
    -------
    Settings or None
        Of the command, as Typer would give them; None where the line is left to Typer.
    """
    if not arguments or arguments[0] not in COMMANDS:
        return None
    described = options.command(arguments[0])
    by_word = {word: option for option in described.options for word in option.words + option.off}
    given: dict[str, Any] = {}
    words: list[str] = []
    rest = iter(arguments[1:])
    for argument in rest:
        if argument == "-" or not argument.startswith("-"):
            words.append(argument)
            continue
        word, equals, value = argument.partition("=")
        if word not in by_word or (equals and not word.startswith("--")):
            return None
        option = by_word[word]
        name = option.name
        if option.kind is bool:
            if equals:
                return None
            given[name] = word not in option.off
            continue
        if not equals:
            following = next(rest, None)
            if following is None:
                return None
            value = following
        try:
            given[name] = [*given.get(name, ()), value] if option.kind is list else option.kind(value)
        except ValueError:
            return None
    places = [option.name for option in described.options if not option.words]
    if "inputs" in places:
        return described.settings(**given, inputs=words or None)
    if len(words) != len(places):
        return None
    return described.settings(**given, **dict(zip(places, words, strict=True)))


def line_of(command: str, settings: Any) -> list[str]:
    """The words that `read_plainly` reads as these settings, those left out that have their defaults."""
    words = [command, *(settings.inputs or [])]
    for option in options.command(command).options:
        value = getattr(settings, option.name)
        if value == option.unset or not option.words:
            continue
        if option.kind is bool:
            words.append(option.words[0] if value else option.off[0])
            continue
        for each in value if option.kind is list else [value]:
            short = option.words[-1]
            # A value that looks like an option has to be joined to its name.
            words += [f"{option.words[0]}={each}"] if str(each).startswith("-") else [short, str(each)]
    return words


def work_of(command: str, settings: Any) -> Callable[[Any], int]:
    """Import what carries a command out; it takes the settings that `read_plainly` gives.

    A lone picture is decoded meanwhile, by a thread, where no limit of its own is set for it.
    """
    from importlib import import_module

    from cnncli.cli.late import put_off

    with put_off():
        if command != "predict" and settings.max_pixels is None:
            from cnncli.images.opening import decode_ahead

            decode_ahead(settings.inputs if command == "convolve" else [settings.first, settings.second])
        work: Callable[[Any], int] = import_module(f"cnncli.cli.{command}").run
    return work
