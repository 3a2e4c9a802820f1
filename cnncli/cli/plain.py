"""Command lines that are plainly right, read without Typer.

Importing Typer and building its parsers takes 80 ms, more than half of what all the rest of a command on
one small image takes. So the two commands that people and scripts call image by image are read here if
there is nothing to explain; a request for help, a word that is not known, a value that is no number, and
words that only Typer's parser understands (``-qr``, ``-k=sobel``, ``--``), all go to Typer, which reads
the line from its beginning. `app.py` stays the one description of the commands.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any, NamedTuple


class _Option(NamedTuple):
    """An option: how it is written, and what it is when it is not."""

    words: tuple[str, ...]
    #: Of its value. bool: none follows, True; list: text, may be given several times.
    kind: type
    default: Any = None
    #: Words of a bool that set it to False.
    off: tuple[str, ...] = ()


class _Command(NamedTuple):
    """Where a command's work is found, and its options by the names that it knows them under."""

    module: str
    function: str
    options: Mapping[str, _Option]


_EVERYWHERE = {
    "recursive": _Option(("--recursive", "-r"), bool, False),
    "files_from": _Option(("--files-from",), str),
    "null": _Option(("--null", "-0"), bool, False),
    "json": _Option(("--json",), bool, False),
    "quiet": _Option(("--quiet", "-q"), bool, False),
    "threads": _Option(("--threads",), int),
    "debug": _Option(("--debug",), bool, False),
}
_CONVOLVE = {
    **_EVERYWHERE,
    "kernel": _Option(("--kernel", "-k"), list),
    "output": _Option(("--output", "-o"), str),
    "in_place": _Option(("--in-place",), bool, False),
    "correlate": _Option(("--correlate",), bool, False),
    "border": _Option(("--border",), str, "reflect101"),
    "mode": _Option(("--mode",), str, "same"),
    "stride": _Option(("--stride",), str, "1"),
    "dilation": _Option(("--dilation",), int, 1),
    "anchor": _Option(("--anchor",), str),
    "repeat": _Option(("--repeat",), int, 1),
    "normalize": _Option(("--normalize",), str),
    "scale": _Option(("--scale",), float, 1.0),
    "bias": _Option(("--bias",), str, "0"),
    "range_": _Option(("--range",), str),
    "gray": _Option(("--gray",), bool, None, ("--color",)),
    "linear": _Option(("--linear",), bool, False),
    "roi": _Option(("--roi",), str),
    "inside": _Option(("--inside",), bool, False),
    "mask": _Option(("--mask",), str),
    "bits": _Option(("--bits",), int),
    "format_": _Option(("--format",), str),
    "quality": _Option(("--quality",), int),
    "compress": _Option(("--compress",), bool, False),
    "strip": _Option(("--strip",), bool, False),
    "max_pixels": _Option(("--max-pixels",), int),
    "explain": _Option(("--explain",), str),
}
_PREDICT = {
    **_EVERYWHERE,
    "model": _Option(("--model", "-m"), str),
    "top": _Option(("--top",), int, 3),
    "csv": _Option(("--csv",), bool, False),
    "max_pixels": _Option(("--max-pixels",), int),
}
COMMANDS = {
    "convolve": _Command("cnncli.cli.convolve", "convolve_command", _CONVOLVE),
    "predict": _Command("cnncli.cli.predict", "predict_command", _PREDICT),
}


# Modules in which NumPy hangs manuals on its functions, 7 of the 70 ms of its import; no command shows them.
_MANUALS = ("numpy._core._add_newdocs", "numpy._core._add_newdocs_scalars")


def read_plainly(arguments: Sequence[str]) -> dict[str, Any] | None:
    """Read a command line.

    Parameters
    ----------
    arguments : sequence of str
        As after the program's name.

    Returns
    -------
    dict or None
        What each parameter of the command is, as Typer would give it; None where it is left to Typer.
    """
    command = COMMANDS.get(arguments[0]) if arguments else None
    if command is None:
        return None
    options = command.options.items()
    by_word = {word: (name, option) for name, option in options for word in option.words + option.off}
    given: dict[str, Any] = {name: option.default for name, option in options}
    inputs: list[str] = []
    rest = iter(arguments[1:])
    for argument in rest:
        if argument == "-" or not argument.startswith("-"):
            inputs.append(argument)
            continue
        word, equals, value = argument.partition("=")
        if word not in by_word or (equals and not word.startswith("--")):
            return None
        name, option = by_word[word]
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
            given[name] = [*(given[name] or []), value] if option.kind is list else option.kind(value)
        except ValueError:
            return None
    return given | {"inputs": inputs or None}


def line_of(command: str, given: Mapping[str, Any]) -> list[str]:
    """The words that `read_plainly` reads as these parameters, those left out that have their defaults."""
    words = [command, *(given.get("inputs") or [])]
    for name, option in COMMANDS[command].options.items():
        value = given.get(name, option.default)
        if value == option.default:
            continue
        if option.kind is bool:
            words.append(option.words[0] if value else option.off[0])
            continue
        for each in value if option.kind is list else [value]:
            short = option.words[-1]
            # A value that looks like an option has to be joined to its name.
            words += [f"{option.words[0]}={each}"] if str(each).startswith("-") else [short, str(each)]
    return words


def work_of(command: str, given: Mapping[str, Any]) -> Callable[..., int]:
    """Import what carries a command out; it takes what `read_plainly` gives.

    A lone picture is decoded meanwhile, by a thread, where no limit of its own is set for it.
    """
    from importlib import import_module

    if command == "convolve" and given["max_pixels"] is None:
        from cnncli.images.opening import decode_ahead

        decode_ahead(given["inputs"])
    for name in _MANUALS:
        sys.modules.setdefault(name, ModuleType(name))
    module, function, _ = COMMANDS[command]
    work: Callable[..., int] = getattr(import_module(module), function)
    return work
