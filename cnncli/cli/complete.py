"""What can follow on a command line, for the completion of shells.

The shells' scripts, which lie beside this file in ``shells``, call ``cnncli`` with the words so far. The
first line of the answer says whether names of files complete the word too: ``files``, ``folders`` or
``none``; each other line is a ``value``, or ``value<tab>meaning``.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cnncli.cli.options import COMMANDS, command
from cnncli.cli.options.model import Option

if TYPE_CHECKING:
    from cnncli.nn import Node

Answers = Iterator[tuple[str, str]]

#: Parameters that take files or folders; what else they take, if anything, is in `_WORDS`.
_FILES = {
    "inputs",
    "input",
    "output",
    "files_from",
    "mask",
    "montage",
    "explain",
    "model",
    "weights",
    "classes",
    "init",
    "dataset",
    "predictions",
    "kernel",
    "spec",
    "first",
    "second",
}
#: Of them those that take no file in a command.
_NO_FILES = {("featuremaps", "explain")}
_FOLDERS = {"raw", "resume", "data", "folder", "gallery"}


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
    if not before or before[0] not in COMMANDS:
        return "none", [] if before else [*_beginning(_commands(word, before), word)]
    described = command(before[0]).options
    if "--" not in before:
        waiting = _waiting(described, before[1:])
        if waiting is None and word.startswith("-"):
            name, equals, value = word.partition("=")
            option = _option(described, name)
            if not equals:
                return "none", [*_beginning(_options(described), word)]
            if option is None:
                return "none", []
            kind, answers = _values(option, value, before)
            return kind, [(f"{name}={each}", meaning) for each, meaning in answers]
        if waiting is not None:
            return _values(waiting, word, before)
    argument = _argument(described, before[1:])
    return _values(argument, word, before) if argument else ("none", [])


def _argument(described: Sequence[Option], words: Sequence[str]) -> Option | None:
    """The argument that comes after these words: the next one, or the last if that takes several."""
    arguments = [each for each in described if not each.words]
    given = 0
    for place, word in enumerate(words):
        dashed = word.startswith("-") and word != "-" and "--" not in words[:place]
        given += not dashed and _waiting(described, words[:place]) is None
    if given < len(arguments):
        return arguments[given]
    return arguments[-1] if arguments and arguments[-1].kind is list else None


def _commands(word: str, before: Sequence[str]) -> Answers:
    """Commands with their summaries; instead of one, options of ``cnncli`` itself."""
    yield from ((name, " ".join(command(name).help.partition("\n\n")[0].split())) for name in COMMANDS)
    if word.startswith("-") and not before:
        yield from _options(command("cnncli").options)


def _options(described: Sequence[Option]) -> Answers:
    for each in described:
        meaning = " ".join(each.help.partition("  [default")[0].split())
        yield from ((name, meaning) for name in [*each.words, *each.off])
    yield "--help", "Show this message and exit."


def _option(described: Sequence[Option], name: str) -> Option | None:
    return next((each for each in described if name in each.words), None)


def _waiting(described: Sequence[Option], words: Sequence[str]) -> Option | None:
    """The option whose value is still to come, or None."""
    waiting = None
    for word in words:
        option = None if waiting is not None else _option(described, word)
        waiting = option if option is not None and option.kind is not bool else None
    return waiting


def _values(parameter: Option, word: str, before: Sequence[str]) -> tuple[str, list[tuple[str, str]]]:
    """What completes the value of an option or argument."""
    name = parameter.name
    find = _WORDS.get((before[0], name)) or _WORDS.get(name)
    answers = [*_beginning(find(word, before), word)] if find else []
    files = (
        name in _FILES
        and (before[0], name) not in _NO_FILES
        and not (name in ("kernel", "spec") and ":" in word)
    )
    return ("files" if files else "folders" if name in _FOLDERS else "none"), answers


def _beginning(answers: Iterable[tuple[str, str]], word: str) -> Answers:
    return ((value, meaning) for value, meaning in answers if value.startswith(word))


#: Values of geometry that are given without a name.
_SIZES = {
    "resize": (("50%", "half of the size"), ("640x480", "as large as fits in"), ("640x480!", "exactly")),
    "crop": (("640x480", "the middle"), ("640x480+0+0", "from a corner on")),
    "rotate": (("90", "clockwise"), ("180", "upside down"), ("270", "counterclockwise")),
    "flip": (("vertical", "upside down"), ("horizontal", "mirrored")),
}


def _kernels(word: str, before: Sequence[str]) -> Answers:
    """Names; after a colon what the kernel takes, and of choices their words."""
    from cnncli.filters.named import MODULES

    start = word[: max(word.rfind(mark) for mark in " (*") + 1]
    if start:  # of an expression, the kernel that is being written
        for value, meaning in _kernels(word.removeprefix(start), before):
            yield f"{start}{value}", meaning
        return
    head, colon, rest = word.partition(":")
    if not colon:
        for name, module in MODULES.items():
            yield name, "non-linear" if module.startswith("kinds.") else module
        return
    from cnncli.filters.named import find_entry

    entry = find_entry(head)
    if entry is None:
        return
    if entry.operand:
        yield from ((f"{head}:{each}", "second picture") for each in _pictures(rest))
    *given, last = rest.split(",")
    start = f"{head}:" + "".join(f"{part}," for part in given)
    taken = {part.partition("=")[0] for part in given}
    if not given:
        yield from ((f"{head}:{form}:", ", ".join(names)) for form, names in entry.forms.items())
        yield from ((f"{head}:{value}", meaning) for value, meaning in _SIZES.get(entry.name, ()))
    name, equals, _ = last.partition("=")
    for each in entry.parameters:
        if equals and each.name == name:
            yield from ((f"{start}{name}={choice}", "") for choice in each.choices)
        elif not equals and each.name not in taken:
            yield f"{start}{each.name}=", f"{each.meaning} (default: {each.default})"


def _pictures(start: str) -> Iterator[str]:
    """Names of pictures, and of folders, that begin with a text."""
    from cnncli.images.formats import READ_SUFFIXES

    folder = Path(start).parent if start and not start.endswith("/") else Path(start or ".")
    front = start[: start.rfind("/") + 1]
    try:
        found = sorted(folder.expanduser().iterdir())
    except OSError:
        return
    for each in found:
        if each.is_dir() or each.suffix.lower() in READ_SUFFIXES:
            yield f"{front}{each.name}{'/' if each.is_dir() else ''}"


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
    """Names of networks; after a colon their options, after a blank the words that layers are written in."""
    del before
    from cnncli.models.catalog import MODELS
    from cnncli.models.grammar import WORDS

    start, blank, _ = word.rpartition(" ")
    if blank:
        yield from ((f"{start} {each}", "layer") for each in WORDS)
        return
    head, colon, rest = word.partition(":")
    if colon:
        start = word[: len(word) - len(rest.rpartition(",")[2])]
        for name, limits in MODELS[head].options.items() if head in MODELS else ():
            yield from (
                (f"{start}{name}={each}", "") for each in (limits if isinstance(limits, tuple) else ())
            )
            yield f"{start}{name}{'' if limits is None else '='}", ""
        return
    yield "auto", "by the size of the images"
    yield from ((name, model.about) for name, model in MODELS.items())


def _networks(word: str, before: Sequence[str]) -> Answers:
    """The same, and the trained networks that ship."""
    yield from _shipped(word, before)
    yield from _models(word, before)


def _shipped(word: str, before: Sequence[str]) -> Answers:
    """The trained networks that ship."""
    del word, before
    from cnncli.data.shipped import MODELS

    yield from ((name, "trained, and shipped with cnncli") for name in MODELS)


def _networks_or_shipped(word: str, before: Sequence[str]) -> Answers:
    """The trained networks that ship; beside weights from elsewhere, names of networks."""
    return (_shipped if _given(before, ("--weights",)) is None else _models)(word, before)


def _layers(word: str, before: Sequence[str]) -> Answers:
    """The layers of the checkpoint that the line names, or of the model that ships."""
    del word
    from cnncli.views.featuremaps.table import VIEWS

    view = VIEWS[(_given(before, ("--view",)) or "maps").split(",")[0]]
    yield from ((node.name, "") for node in _nodes(before) if view.has(node))


def _convolutions(word: str, before: Sequence[str]) -> Answers:
    """Those of these layers that are convolutions."""
    del word
    from cnncli.nn import Conv

    yield from ((node.name, "") for node in _nodes(before) if isinstance(node.layer, Conv))


def _nodes(before: Sequence[str]) -> "Iterable[Node]":
    """The nodes of the network that a line names, or of the model that ships; none where there is none."""
    from cnncli.cli.trained import open_trained
    from cnncli.errors import CnncliError

    model = _given(before, ("--model", "-m"))
    try:
        _, graph = open_trained(str(Path(model).expanduser()) if model else None)
    except (CnncliError, RuntimeError):  # no network, or the home of nobody
        return ()
    return graph.nodes.values()


def _targets(word: str, before: Sequence[str]) -> Answers:
    """The classes of the checkpoint that the line names, or of the model that ships."""
    del word
    from cnncli.cli.trained import open_trained
    from cnncli.errors import CnncliError

    model = _given(before, ("--model", "-m"))
    try:
        checkpoint, _ = open_trained(str(Path(model).expanduser()) if model else None)
    except (CnncliError, RuntimeError):  # no network, or the home of nobody
        return
    yield from ((name, "") for name in checkpoint.task.outputs)


def _views(word: str, before: Sequence[str]) -> Answers:
    """Views, also after a comma."""
    del before
    from cnncli.views.featuremaps.table import VIEWS

    start = word[: word.rfind(",") + 1]
    yield from ((f"{start}{name}", view.about) for name, view in VIEWS.items())


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


def _attributions(word: str, before: Sequence[str]) -> Answers:
    """Methods after a comma too."""
    del before
    from cnncli.attribution.methods import METHODS

    start = word[: word.rfind(",") + 1]
    if not start:
        yield "all", "all of them"
    yield from ((f"{start}{name}", method.about) for name, method in METHODS.items())


def _one_of(*words: str) -> Callable[[str, Sequence[str]], Answers]:
    return lambda word, before: ((each, "") for each in words)


def _shown(word: str, before: Sequence[str]) -> Answers:
    """The terminal; after a colon how pictures are shown in it."""
    del before
    from cnncli.cli.terminal import WAYS

    yield "term", "shown in the terminal"
    if word.startswith("term"):
        yield from ((f"term:{way}", meaning) for way, meaning in WAYS.items())


#: What completes a parameter, by its name, or by its command's and its own.
_WORDS: dict[str | tuple[str, str], Callable[[str, Sequence[str]], Answers]] = {
    "kernel": _kernels,
    "spec": _kernels,
    "border": _borders,
    "window": _one_of("uniform", "gaussian"),
    "low": _one_of("ssim=", "psnr="),
    "high": _one_of("mse=", "mae=", "largest=", "differing="),
    "mode": _one_of("same", "valid", "full"),
    "normalize": _one_of("none", "sum", "abs", "auto"),
    "range_": _one_of("clip", "abs", "offset", "stretch", "none"),
    "bits": _one_of("8", "16", "32"),
    **{
        (name, "output"): _shown
        for name in ("convolve", "compare", "predict", "draw", "featuremaps", "search")
    },
    "channels": _one_of("r", "g", "b", "a", "rgb"),
    "montage": _shown,
    "format_": _formats,
    ("train", "model"): _models,
    ("models", "model"): _networks,
    ("draw", "model"): _networks,
    "action": _one_of("index", "query", "evaluate"),
    "style": _one_of("blocks", "flow"),
    "step": _one_of("kernel", "feature map", "layer", "network", "training", "gradients"),
    "model": _networks_or_shipped,
    "init": _shipped,
    "classes": _one_of("imagenet"),
    "interpolation": _one_of("bilinear", "bicubic", "lanczos", "nearest"),
    "layer": _layers,
    ("featuremaps", "explain"): _convolutions,
    "view": _views,
    "target": _targets,
    "attributions": _attributions,
    "baseline": _one_of("mean", "blur"),
    "dataset": _one_of("mnist", "fashion-mnist", "cifar10", "movie-reviews", "digit-scenes", "digit-motions"),
    "task": _one_of("classify", "localize", "detect", "segment", "video"),
    "split": _one_of("test", "train", "val", "all"),
    "opt": _one_of("adamw", "adam", "sgd", "rmsprop", "muon"),
    "sched": _one_of(
        *("constant", "step", "step:", "cosine", "cosine:warmup=", "linear", "linear:warmup="),
        *("one-cycle", "one-cycle:warmup="),
    ),
    "augment": _augmentations,
    "fit": _one_of("crop", "pad", "stretch"),
    "command": _commands,
}
