"""What can follow on a command line, for the completion of shells.

The shells' scripts, which lie beside this file in ``shells``, call ``cnncli`` with the words so far. The
first line of the answer says whether names of files complete the word too: ``files``, ``folders`` or
``none``; each other line is a ``value``, or ``value<tab>meaning``.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

Answers = Iterator[tuple[str, str]]

#: Parameters that take files or folders; what else they take, if anything, is in `_WORDS`.
_FILES = {
    "inputs",
    "input",
    "output",
    "files_from",
    "mask",
    "explain",
    "model",
    "weights",
    "classes",
    "init",
    "dataset",
    "kernel",
    "spec",
}
_FOLDERS = {"raw", "resume", "data", "folder"}


def complete(words: Sequence[str], shell: str) -> int:
    """Print what can follow.

    Parameters
    ----------
    words : sequence of str
        As after the program's name; the last is the one to be completed, and may be empty. From ``bash``
        one word: the line as far as it is written.
    shell : str
        Which asks.

    Returns
    -------
    int
        The exit code.
    """
    start = ""
    if shell == "bash":
        words, start = _split(words[0])
    kind, answers = completions(words)
    # Bash completes names of files from what readline takes for the word.
    print(f"{kind}\t{words[-1].removeprefix(start)}" if shell == "bash" else kind)
    for value, meaning in answers:
        print(value.removeprefix(start) if shell == "bash" else f"{value}\t{meaning}".rstrip("\t"))
    return 0


def _split(line: str) -> tuple[list[str], str]:
    """Words of a line of bash after the program's name, and how much of the last readline keeps.

    Readline takes ``:`` and ``=``, which belong to our words, for ends of words, unless a quote is open.
    """
    import shlex

    for quote in ("", "'", '"'):
        try:
            words = shlex.split(line + quote)[1:]
        except ValueError:  # a quote is open
            continue
        if not quote and (line[-1:].isspace() or not words):
            words.append("")
        word = words[-1] if words else ""
        last = max(word.rfind(":"), word.rfind("=")) + 1
        return words or [""], "" if quote else word[:last]
    return [""], ""


def completions(words: Sequence[str]) -> tuple[str, list[tuple[str, str]]]:
    """Find what can follow.

    Parameters
    ----------
    words : sequence of str
        As for `complete`.

    Returns
    -------
    kind : str
        ``files``, ``folders`` or ``none``.
    answers : list of (str, str)
        Whole words, each with its meaning. Those that end with ``:``, ``=`` or ``,`` go on.
    """
    *before, word = words or [""]
    from typer.main import get_command

    from cnncli.cli.app import app

    group: Any = get_command(app)
    command = group.commands.get(before[0]) if before else None
    if command is None:
        return "none", [] if before else [*_beginning(_commands(group, word), word)]
    if "--" not in before:
        waiting = _waiting(command, before[1:])
        if waiting is None and word.startswith("-"):
            name, equals, value = word.partition("=")
            option = _option(command, name)
            if not equals:
                return "none", [*_beginning(_options(command), word)]
            if option is None:
                return "none", []
            kind, answers = _values(option, value, before)
            return kind, [(f"{name}={each}", meaning) for each, meaning in answers]
        if waiting is not None:
            return _values(waiting, word, before)
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    return _values(arguments[0], word, before) if arguments else ("none", [])


def _commands(group: Any, word: str) -> Answers:
    from cnncli.cli.help_pages import summary

    yield from ((name, summary(command)) for name, command in group.commands.items())
    if word.startswith("-"):
        yield from _options(group)


def _options(command: Any) -> Answers:
    for each in command.params:
        if each.param_type_name == "option":
            meaning = " ".join((each.help or "").partition("  [default")[0].split())
            yield from ((name, meaning) for name in [*each.opts, *each.secondary_opts])
    yield "--help", "Show this message and exit."


def _option(command: Any, name: str) -> Any:
    return next((each for each in command.params if name in each.opts), None)


def _waiting(command: Any, words: Sequence[str]) -> Any:
    """The option whose value is still to come, or None."""
    waiting = None
    for word in words:
        option = None if waiting is not None else _option(command, word)
        waiting = option if option is not None and not option.is_flag else None
    return waiting


def _values(parameter: Any, word: str, before: Sequence[str]) -> tuple[str, list[tuple[str, str]]]:
    """What completes the value of an option or argument."""
    name = parameter.name
    find = _WORDS.get((before[0], name)) or _WORDS.get(name)
    answers = [*_beginning(find(word, before), word)] if find else []
    files = name in _FILES and not (name in ("kernel", "spec") and ":" in word)
    return ("files" if files else "folders" if name in _FOLDERS else "none"), answers


def _beginning(answers: Iterable[tuple[str, str]], word: str) -> Answers:
    return ((value, meaning) for value, meaning in answers if value.startswith(word))


def _kernels(word: str, before: Sequence[str]) -> Answers:
    """Names; after a colon what the kernel takes, and of choices their words."""
    del before
    from cnncli.filters.named import MODULES

    head, colon, rest = word.partition(":")
    if not colon:
        for name, module in MODULES.items():
            yield name, "non-linear" if module.startswith("kinds.") else module
        return
    from cnncli.filters.spec import find_entry

    entry = find_entry(head)
    if entry is None:
        return
    *given, last = rest.split(",")
    start = f"{head}:" + "".join(f"{part}," for part in given)
    taken = {part.partition("=")[0] for part in given}
    name, equals, _ = last.partition("=")
    for each in entry.parameters:
        if equals and each.name == name:
            yield from ((f"{start}{name}={choice}", "") for choice in each.choices)
        elif not equals and each.name not in taken:
            yield f"{start}{each.name}=", f"{each.meaning} (default: {each.default})"


def _borders(word: str, before: Sequence[str]) -> Answers:
    del word, before
    yield from (
        ("replicate", "aaa|abcd"),
        ("reflect", "cba|abcd"),
        ("reflect101", "dcb|abcd"),
        ("wrap", "bcd|abcd"),
        ("constant", "000|abcd"),
        ("constant:", "VVV|abcd, V in units of the image"),
    )


def _models(word: str, before: Sequence[str]) -> Answers:
    """Names of networks; after a blank, the words that layers are written in."""
    del before
    from cnncli.models.catalog import MODELS
    from cnncli.models.grammar import WORDS

    start, blank, _ = word.rpartition(" ")
    if blank:
        yield from ((f"{start} {each}", "layer") for each in WORDS)
        return
    yield "auto", "by the size of the images"
    yield from ((name, "network") for name in MODELS)


def _layers(word: str, before: Sequence[str]) -> Answers:
    """The layers of the checkpoint that the line names, or of the model that ships."""
    del word
    from cnncli.cli.featuremap_views import chosen_layers
    from cnncli.cli.trained import load_trained
    from cnncli.errors import CnncliError

    model = _given(before, ("--model", "-m"))
    try:
        graph = load_trained(str(Path(model).expanduser()) if model else None).network.graph
        names, _ = chosen_layers(graph, [], _given(before, ("--view",)) or "maps")
    except (CnncliError, RuntimeError):  # no network, or the home of nobody
        return
    yield from ((name, "") for name in names)


def _given(before: Sequence[str], names: Sequence[str]) -> str | None:
    """The value that an option has so far."""
    for place, word in enumerate(before):
        name, equals, value = word.partition("=")
        if name in names:
            return value if equals else next(iter(before[place + 1 :]), None)
    return None


def _formats(word: str, before: Sequence[str]) -> Answers:
    del word, before
    from cnncli.images.formats import FORMATS

    yield from ((name.lower(), "") for name in FORMATS)


def _augmentations(word: str, before: Sequence[str]) -> Answers:
    del before
    start = word[: word.rfind(",") + 1]
    if not start:
        yield from (("auto", ""), ("none", ""))
    words = "shift= rotate= scale= shear= flip vflip rot90 crop= erase color= mixup= border="
    yield from ((f"{start}{each}", "") for each in words.split())


def _commands_by_name(word: str, before: Sequence[str]) -> Answers:
    del before
    from typer.main import get_command

    from cnncli.cli.app import app

    group: Any = get_command(app)
    return _commands(group, word)


def _one_of(*words: str) -> Callable[[str, Sequence[str]], Answers]:
    return lambda word, before: ((each, "") for each in words)


#: What completes a parameter, by its name, or by its command's and its own.
_WORDS: dict[str | tuple[str, str], Callable[[str, Sequence[str]], Answers]] = {
    "kernel": _kernels,
    "spec": _kernels,
    "border": _borders,
    "mode": _one_of("same", "valid", "full"),
    "normalize": _one_of("none", "sum", "abs", "auto"),
    "range_": _one_of("clip", "abs", "offset", "stretch", "none"),
    "bits": _one_of("8", "16", "32"),
    "format_": _formats,
    ("train", "model"): _models,
    "layer": _layers,
    "view": _one_of("maps", "filters"),
    "dataset": _one_of("mnist", "fashion-mnist", "cifar10", "movie-reviews"),
    "split": _one_of("test", "train", "val", "all"),
    "opt": _one_of("adamw", "adam", "sgd", "rmsprop"),
    "sched": _one_of(
        "constant", "step", "step:", "cosine", "cosine:warmup=", "one-cycle", "one-cycle:warmup="
    ),
    "augment": _augmentations,
    "fit": _one_of("crop", "pad", "stretch"),
    "command": _commands_by_name,
}
