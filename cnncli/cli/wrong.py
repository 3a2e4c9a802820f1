"""Command lines that are wrong: what to run instead."""

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from cnncli.cli.exit_codes import UsageError
from cnncli.cli.misplaced import is_kernel
from cnncli.cli.plain import read_plainly
from cnncli.nearest import did_you_mean, meant

#: Options by the names that other programs have for them.
_OPTIONS = {
    **dict.fromkeys(("--learning-rate", "--learning_rate"), "--lr"),
    **dict.fromkeys(("--batch", "--bs", "--batchsize", "--batch_size"), "--batch-size"),
    **dict.fromkeys(("--epoch", "--num-epochs", "--iterations", "--iters", "-e"), "--epochs"),
    **dict.fromkeys(("--optimizer", "--optimiser", "--optim"), "--opt"),
    **dict.fromkeys(("--scheduler", "--schedule", "--lr-schedule"), "--sched"),
    **dict.fromkeys(
        ("--net", "--network", "--arch", "--architecture", "--checkpoint", "--weights"), "--model"
    ),
    **dict.fromkeys(("--pretrained", "--finetune", "--from"), "--init"),
    **dict.fromkeys(("--continue", "--restart"), "--resume"),
    **dict.fromkeys(("--val", "--validation-split", "--validation"), "--val-split"),
    **dict.fromkeys(("--early-stopping",), "--patience"),
    **dict.fromkeys(("--wd", "--decay", "--l2"), "--weight-decay"),
    **dict.fromkeys(("--label-smoothing",), "--smoothing"),
    **dict.fromkeys(("--augmentation", "--aug"), "--augment"),
    **dict.fromkeys(("--image-size", "--img-size", "--imgsz", "--resize"), "--size"),
    **dict.fromkeys(("--topk", "--top-k", "-n"), "--top"),
    **dict.fromkeys(("--out", "--outfile", "--output-dir", "--out-dir", "--dest"), "--output"),
    **dict.fromkeys(("--filter", "--spec", "-f"), "--kernel"),
    **dict.fromkeys(("--grayscale", "--greyscale", "--grey", "--mono"), "--gray"),
    **dict.fromkeys(("--padding", "--pad", "--edge-mode", "--border-mode"), "--border"),
    **dict.fromkeys(("--strides",), "--stride"),
    **dict.fromkeys(("--crop", "--region"), "--roi"),
    **dict.fromkeys(("--offset", "--add", "--delta"), "--bias"),
    **dict.fromkeys(("--times", "--passes"), "--repeat"),
    **dict.fromkeys(("--inplace", "--overwrite"), "--in-place"),
    **dict.fromkeys(("--workers", "--num-workers", "--jobs", "-j", "-t"), "--threads"),
    **dict.fromkeys(("--silent", "-s"), "--quiet"),
    **dict.fromkeys(("--recurse", "-R"), "--recursive"),
    **dict.fromkeys(("--layers", "-l"), "--layer"),
}
#: Options that are something else here.
_ANSWERS = {
    **dict.fromkeys(("--sigma", "--radius"), "Write it in the kernel: -k gaussian:sigma=2"),
    **dict.fromkeys(("--kernel-size", "--ksize"), "Write it in the kernel: -k box:size=5"),
    **dict.fromkeys(
        ("--gpu", "--cuda", "--device"), "Leave it out: networks run on all cores of the processor."
    ),
    **dict.fromkeys(("--dropout",), 'Write it in the network: -m "conv32 relu pool dropout0.5 fc"'),
    **dict.fromkeys(("--verbose", "-v"), "Leave it out: all is said unless --quiet is given."),
}
#: Commands by the names that other programs have for them.
_COMMANDS = {
    **dict.fromkeys(("filter", "apply", "conv", "convert", "correlate"), "convolve"),
    **dict.fromkeys(("fit", "learn"), "train"),
    **dict.fromkeys(("test", "eval", "validate", "score"), "evaluate"),
    **dict.fromkeys(("classify", "infer", "inference", "recognize"), "predict"),
    **dict.fromkeys(
        ("visualize", "activations", "features", "feature-maps", "maps", "layers"), "featuremaps"
    ),
    **dict.fromkeys(("filters", "list", "spec"), "kernels"),
    **dict.fromkeys(
        ("model", "networks", "architectures", "summary", "summarize", "inspect", "info"), "models"
    ),
    **dict.fromkeys(("plot", "diagram", "graph", "figure"), "draw"),
    **dict.fromkeys(("tour", "tutorial", "teach", "lesson"), "explain"),
    **dict.fromkeys(("find", "retrieve", "similar", "embed", "duplicates"), "search"),
    **dict.fromkeys(("version",), "--version"),
}
#: What Typer says, and how it is said here.
_SENTENCES = {
    r"Option '(.+)' requires an argument": r"\1 has no value; expected one after it",
    r"Option '(.+)' does not take a value": r"\1 has a value; expected none",
    r"Missing argument '(.+)'": r"no \1 is given; expected one",
    r"Invalid value for '([^' ]+).*?': (.+) is not a valid int": r"\1 is \2; expected a whole number",
    r"Invalid value for '([^' ]+).*?': (.+) is not a valid float": r"\1 is \2; expected a number",
}
_TABLES = (".csv", ".tsv", ".npz")
_ALIKE = ("convolve", "predict", "train", "evaluate", "featuremaps")  # the order in which they are tried


def explained(arguments: Sequence[str], error: Any) -> UsageError:
    """Say what a line should have been that Typer does not take.

    Parameters
    ----------
    arguments : sequence of str
        As after the program's name.
    error : WrongCommand
        The usage error of Typer.

    Returns
    -------
    UsageError
    """
    context = error.ctx
    if context is not None and context.parent is None:
        return _without_command(list(arguments), context, error)
    see = f"See: cnncli {arguments[0]} --help" if context is None else f"See: {context.command_path} --help"
    name = getattr(error, "option_name", None)
    if name is None or type(error).__name__ != "NoSuchOption":
        message = error.format_message().rstrip(".")
        return _unquoted_layers(arguments, message) or _in_our_words(message, context, see)
    known = [each for one in context.command.params for each in (*one.opts, *one.secondary_opts)]
    known = [each for each in known if each.startswith("-")]
    message = f"{context.command_path} has no option {name}"
    if name in _ANSWERS:
        return UsageError(message, _ANSWERS[name])
    if _OPTIONS.get(name) in known:
        return UsageError(message, meant(_OPTIONS[name], see))
    return UsageError(message, did_you_mean(name, known, see))


def _unquoted_layers(arguments: Sequence[str], message: str) -> UsageError | None:
    """What to say where layers are written as several words; None where there are none."""
    import shlex

    found = re.fullmatch(r"Got unexpected extra argument\(?s?\)? \((.+)\)", message)
    if found is None:
        return None
    from cnncli.models.grammar import is_layer

    line = list(arguments)
    layers = [is_layer(word) for word in line]
    first = next((at for at, layer in enumerate(layers[1:], 1) if layer), len(line))
    last = next((at for at in range(first, len(line)) if not layers[at]), len(line))
    if " ".join(line[first + 1 : last]) != found[1]:
        return None
    whole = " ".join(line[first:last])
    return UsageError(
        f"the layers {whole} are {last - first} words; expected one",
        f"Quote them: {shlex.join(['cnncli', *line[:first], whole, *line[last:]])}",
    )


def _in_our_words(message: str, context: Any, see: str) -> UsageError:
    """What Typer says of a line, as other errors are said: the value received, what was expected."""
    if found := re.fullmatch(r"Got unexpected extra argument\(?s?\)? \((.+)\)", message):
        takes = [
            one.make_metavar(context).strip("[]")
            for one in context.command.params
            if not one.opts[0].startswith("-")
        ]
        if not takes:
            return UsageError(f"{found[1]!r} is given; expected no argument", "Leave it out.")
        return UsageError(
            f"{found[1]!r} is given besides the {takes[-1]}; expected nothing more",
            f"Give one {takes[-1]} at a time.",
        )
    for pattern, text in _SENTENCES.items():
        if found := re.fullmatch(pattern, message):
            return UsageError(found.expand(text), see)
    return UsageError(message, see)


def _without_command(words: list[str], context: Any, error: Any) -> UsageError:
    """A line that does not begin with a command."""
    commands = context.command.commands
    line = corrected(words, commands)
    wrong = next((word for word in words if word != "--debug"), "")
    if wrong.startswith("-"):
        option = wrong.partition("=")[0]
        message = f"{option} stands before the command; expected a command first"
    else:
        message = f"there is no command {wrong!r}; expected one of {', '.join(commands)}"
    if line:
        return UsageError(message, f"Run: {line}")
    if wrong.startswith("-"):
        own = [each for one in context.command.params for each in one.opts]
        return UsageError(f"cnncli has no option {wrong}", did_you_mean(wrong, own, "See: cnncli --help"))
    near = _COMMANDS.get(wrong)
    hint = meant(f"cnncli {near}") if near else did_you_mean(wrong, commands, form="cnncli {}")
    return UsageError(message, hint or "List the commands with: cnncli help")


def corrected(words: Sequence[str], commands: Mapping[str, Any]) -> str:
    """A line that Typer takes, made of the words of one whose command is missing or comes late.

    Parameters
    ----------
    words : sequence of str
        As after the program's name.
    commands : mapping
        The commands by their names.

    Returns
    -------
    str
        For a shell; empty where nothing tells which command was meant.
    """
    words = [word for word in words if word not in ("--help", "-h")]
    for place, word in enumerate(words):
        rest = [*words[:place], *words[place + 1 :]]
        if place and word in commands and _is_read(commands[word], word, rest):
            return _shell(word, rest)
    if not words:
        return ""
    if not words[0].startswith("-"):
        return _about(words)
    # Files that only train takes are not filtered.
    table = any(PurePath(word).suffix.lower() in _TABLES for word in words)
    for name in _ALIKE[2:] if table else _ALIKE:
        if _is_read(commands[name], name, words):
            return _shell(name, words)
    return ""


def _about(words: list[str]) -> str:
    """The line for a file, a data set or a kernel where a command should stand."""
    from cnncli.filters.named import find_entry
    from cnncli.images.formats import READ_SUFFIXES

    first = words[0]
    suffix = PurePath(first).suffix.lower()
    if find_entry(first.partition(":")[0]) and words[1:]:
        return _shell("convolve", [*words[1:], "-k", first])
    if suffix == ".safetensors":
        return _shell("predict", [*words[1:], "-m", first]) if words[1:] else ""
    if suffix in _TABLES or first in ("mnist", "fashion-mnist", "cifar10"):
        return _shell("train", words)
    if suffix in READ_SUFFIXES or Path(first).is_dir():
        return _shell("convolve", words)
    return ""


def _shell(command: str, words: Sequence[str]) -> str:
    given = [word.partition("=")[0] for word in words]
    if command == "convolve" and not {"-k", "--kernel"} & set(given):
        settings = read_plainly([command, *words])
        inputs = (settings and settings.inputs) or []  # not the values of options
        named = [word for word in inputs[1:] if is_kernel(word)]
        words = [word for word in words if word not in named]
        words = [*words, *(part for spec in named or ["sobel"] for part in ("-k", spec))]
    return shlex.join(["cnncli", command, *words])


def _is_read(command: Any, name: str, words: Sequence[str]) -> bool:
    """Whether Typer takes a line; its parsers change the list that they are given."""
    from cnncli.cli.app import WrongCommand

    try:
        command.make_context(name, list(words))
    except WrongCommand:
        return False
    return True
