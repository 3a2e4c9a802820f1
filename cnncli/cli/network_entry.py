"""The network that ``cnncli models`` shows: from the catalog, from layers, or from a checkpoint."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from cnncli.cli import values
from cnncli.cli.exit_codes import UsageError
from cnncli.cli.trained import open_trained
from cnncli.data.shipped import MODELS as SHIPPED
from cnncli.errors import CnncliError, OptionError
from cnncli.files.faults import in_unicode
from cnncli.models.catalog import MODELS, Limits, Model, Range
from cnncli.models.choice import architecture, model_named
from cnncli.models.grammar import looks_like_layers
from cnncli.models.summary import Summary
from cnncli.models.tree import Part
from cnncli.nearest import did_you_mean
from cnncli.nn import Graph
from cnncli.records import record
from cnncli.training.checkpoint import Checkpoint
from cnncli.training.options import parse_size

_MOST_CLASSES = 1_000_000
_WEIGHTS = (".safetensors", ".pth", ".pt", ".ckpt", ".onnx", ".h5")


class Wanted(NamedTuple):
    """The images and classes that a network is to be built for; None: the usual ones.

    Attributes
    ----------
    size : (H, W) or None
    classes : int or None
    gray : bool or None
    """

    size: tuple[int, int] | None = None
    classes: int | None = None
    gray: bool | None = None


@record(eq=False)
class Entry:
    """A network to be shown.

    Attributes
    ----------
    name : str
        As it was asked for.
    architecture : str
        Its name in the catalog, with options; ``custom`` for layers of one's own.
    graph : Graph
        Its layers.
    classes : int
        Outputs.
    checkpoint : Checkpoint or None
        Where it comes from, if it is trained.
    """

    name: str
    architecture: str
    graph: Graph
    classes: int
    checkpoint: Checkpoint | None = None

    @property
    def model(self) -> Model | None:
        """What the catalog says of it."""
        return MODELS.get(self.architecture.partition(":")[0])

    @property
    def reads_texts(self) -> bool:
        """Whether it reads texts rather than images."""
        return self.model is not None and self.model.words > 0


def read_wanted(size: str | None, classes: int | None, gray: bool | None) -> Wanted:
    """Read the options that say what a network is built for.

    Raises
    ------
    CnncliError
        Where one is out of range.
    """
    return Wanted(parse_size(size), values.within("--classes", classes, 1, _MOST_CLASSES), gray)


@contextmanager
def faults_of(command: str) -> Iterator[None]:
    """Make the faults of a network's name those of a wrong line, with hints for ``cnncli command NAME``."""
    try:
        yield
    except UsageError:
        raise
    except CnncliError as error:
        hint = error.hint.replace("-m ", f"cnncli {command} ")
        raise UsageError(error.message.removeprefix("--model: "), hint) from error


def refuse(wanted: Wanted, where: str, hint: str) -> None:
    """Refuse options that change nothing.

    Raises
    ------
    UsageError
        Where one is given.
    """
    for name, value in zip(("--size", "--classes", "--gray or --color"), wanted, strict=True):
        if value is not None:
            raise UsageError(f"{name} is given {where}", hint)


def entries() -> Iterator[Entry]:
    """The networks of the catalog at their usual sizes, then the trained ones that ship."""
    for name, model in MODELS.items():
        shape, classes = model.usual
        yield Entry(name, name, model.graph(shape, classes, {}, seed=0), classes)
    for name in SHIPPED:
        yield _trained(name)


def find_entry(name: str, wanted: Wanted) -> Entry:
    """The network that a name, layers or a path stand for.

    Raises
    ------
    CnncliError
        Where there is none, or it does not fit the images.
    """
    if _is_trained(name):
        where = f"with {name}, which is trained; expected its name alone"
        refuse(wanted, where, "Leave it out: the checkpoint says what the network takes.")
        return _trained(name)
    try:
        model = model_named(name)
    except OptionError as error:
        raise OptionError(error.message, did_you_mean(name, SHIPPED) or error.hint) from error
    (height, width, channels), classes = model.usual
    if model.words:
        refuse(
            wanted._replace(classes=None),
            f"with {name}, which reads texts; expected it with images",
            "Leave it out.",
        )
    if wanted.gray is not None:
        channels = 1 if wanted.gray else 3
    height, width = wanted.size or (height, width)
    classes = wanted.classes or classes
    found = architecture(name, (height, width, channels), classes, words=model.words, of=model.of)
    return Entry(name if found.name == "custom" else found.name, found.name, found.graph(), classes)


def _trained(name: str) -> Entry:
    checkpoint, graph = open_trained(name)
    return Entry(name, checkpoint.architecture.name, graph, checkpoint.architecture.classes, checkpoint)


def _is_trained(name: str) -> bool:
    """Whether a name is that of a model that ships, or of a file or folder."""
    if name in SHIPPED or name.lower().endswith(_WEIGHTS):
        return True
    if name in MODELS:
        return False
    return (bool(name) and Path(name).exists()) or (
        os.sep in name and not looks_like_layers(name.partition(os.sep)[0])
    )


def about(entry: Entry, table: Summary) -> dict[str, Any]:
    """A network and its sums, for ``--json``.

    Returns
    -------
    dict
        name; architecture (``custom`` for layers of one's own); checkpoint (a path, or None); about, year,
        paper and options (by name: the lowest and highest number, words, or None for a flag) of the catalog;
        input (H, W, C; of texts 1, words, 1); classes; parameters; multiply_adds; memory (bytes);
        receptive_field (rows, columns; None where a layer takes means over the whole image before, and for
        texts).
    """
    model = entry.model or Model("")
    path = entry.checkpoint.path if entry.checkpoint else None
    return {
        "name": in_unicode(entry.name),
        "architecture": entry.architecture,
        "checkpoint": None if path is None else in_unicode(os.fspath(path)),
        "about": model.about or None,
        "year": model.year or None,
        "paper": model.paper or None,
        "options": {key: options_json(limits) for key, limits in model.options.items()},
        "input": list(entry.graph.input_shape[:3]),
        "classes": entry.classes,
        "parameters": table.parameters,
        "multiply_adds": table.multiply_adds,
        "memory": table.memory,
        "receptive_field": None if entry.reads_texts else table.receptive_field,
    }


def options_json(limits: Limits) -> list[float] | list[str] | None:
    """What an option may be, for ``--json``."""
    if isinstance(limits, Range):
        return [limits.low, limits.high]
    return None if limits is None else list(limits)


def part_json(part: Part) -> dict[str, Any]:
    """A layer or block, for ``--json``.

    Returns
    -------
    dict
        name; alike (names of the blocks that follow and are like it, which the sums include); kind; shape (H,
        W, C) of the output; parameters, multiply_adds; receptive_field (rows, columns); layers (of a block).
    """
    return {
        "name": part.name,
        "alike": list(part.names[1:]),
        "kind": part.kind or None,
        "shape": list(part.shape[:3]),
        "parameters": part.parameters,
        "multiply_adds": part.multiply_adds,
        "receptive_field": list(part.receptive_field),
        "layers": [part_json(each) for each in part.parts],
    }
