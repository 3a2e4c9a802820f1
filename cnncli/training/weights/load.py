"""Weights from elsewhere as a checkpoint: the one way in, whichever command takes them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cnncli.errors import CnncliError, OptionError
from cnncli.files.faults import shown
from cnncli.models.architecture import Architecture
from cnncli.models.blocks import SMALL
from cnncli.models.choice import architecture
from cnncli.nn.graph import INPUT, Graph
from cnncli.tasks.classification import Classification
from cnncli.training.checkpoint import FORMAT, NUMBERED, Checkpoint
from cnncli.training.tensors import as_weights, read_tensors
from cnncli.training.weights import names
from cnncli.training.weights.classes import Classes
from cnncli.training.weights.compare import difference, fitting, head_of, misfit, shapes_of
from cnncli.training.weights.config import Config, read_config
from cnncli.training.weights.pixels import FOR_INIT, Choices, preprocessing, published, sentence

_FILE, _CONFIG = "model.safetensors", "config.json"
_PICKLED = (".bin", ".pth", ".pt")
_SOME_PICTURE = (224, 224, 3)
_USUAL_CLASSES = 1000
_SMALL_SIDE = 32  # pixels


@dataclass(frozen=True)
class Weights:
    """Weights from elsewhere.

    Attributes
    ----------
    checkpoint : Checkpoint
        They, and all it takes to use them.
    notes : tuple of str
        What was assumed or left out.
    """

    checkpoint: Checkpoint
    notes: tuple[str, ...]


def is_elsewhere(path: Path) -> bool:
    """Whether a path is of weights from elsewhere, and no checkpoint or run of cnncli.

    Raises
    ------
    CnncliError
        Where it is a file that cannot be read, or is of another kind.
    """
    if path.is_dir():
        return (path / _FILE).exists()
    return read_tensors(path)[1].get("format") != FORMAT


def load_weights(
    path: Path, model: str | None = None, *, classes: Classes | None = None, choices: Choices | None = None
) -> Weights:
    """Read a ``.safetensors`` with the names of torchvision or timm, or a folder of one with its description.

    Parameters
    ----------
    path : Path
        The file, or the folder of ``model.safetensors`` and ``config.json``.
    model : str or None
        As ``-m`` of ``cnncli train``; None: as the description says.
    classes : tuple of str or None
        Their names; None: as the description says, or their numbers.
    choices : Choices or None
        What is said of pictures.

    Raises
    ------
    OptionError
        Where an option means nothing, or is missing.
    CnncliError
        Where the file cannot be read, or its arrays are not those of the network: missing ones, others and
        those of another shape are counted, and the first of them named.
    """
    file, config = _found(path)
    arrays = _arrays(file)
    if model is None and config is None:
        raise _unnamed(file, arrays)
    probe = architecture(model or (config.model if config else ""), _SOME_PICTURE, 1)
    names.refuse_legacy(arrays, file, probe.name)
    channels = _channels(probe.graph(), arrays)
    known = config.pictures if config else published(probe.name, file.name, channels)
    pictures = preprocessing(known, choices or Choices(), channels, probe.name)
    plan = architecture(probe.layers or probe.name, pictures.shape, _outputs(probe.graph(), arrays))
    wanted = shapes_of(plan.graph())
    fitted = names.without_auxiliary(arrays, wanted)
    if why := difference(fitted, wanted):
        if plan.layers is None and _fits_small(plan, fitted):
            raise CnncliError(
                f"{shown(file)} is of {plan.name} for images with a side below {SMALL} pixels, but "
                f"{'x'.join(map(str, pictures.size))} are cut out; expected --crop with their side",
                f"Say --crop {_SMALL_SIDE}, or what they were trained on ({FOR_INIT}).",
            )
        raise misfit(shown(file), plan.name, fitted, why)
    classes = _checked(classes, config, plan.classes)
    checkpoint = Checkpoint(
        as_weights(fitted, file),
        Classification(classes or tuple(map(str, range(plan.classes)))),
        pictures,
        plan,
        training={"weights": path.name, "outputs": "named" if classes else NUMBERED},
        path=file,
    )
    notes = _notes(checkpoint, "" if config else known.source, choices, less=len(fitted) < len(arrays))
    return Weights(checkpoint, tuple(notes))


def _fits_small(plan: Architecture, arrays: names.Arrays) -> bool:
    """Whether arrays are those of the same network for small images, whose stem is another."""
    try:
        small = architecture(plan.name, (_SMALL_SIDE, _SMALL_SIDE, plan.input_shape[2]), plan.classes)
    except OptionError:
        return False
    return not difference(arrays, shapes_of(small.graph()))


def _notes(checkpoint: Checkpoint, assumed: str, choices: Choices | None, *, less: bool) -> Iterator[str]:
    """What the user might not expect; ``assumed`` is whose preprocessing was taken for want of better."""
    if less:
        yield "its auxiliary heads, which serve training alone, are left out"
    if assumed:
        changed = ", but for the options" if choices and choices != Choices() else ""
        yield f"pictures are prepared as by {assumed}{changed}: {sentence(checkpoint.preprocessing)}"


def _found(path: Path) -> tuple[Path, Config | None]:
    """The file of weights, and what its folder says of it."""
    if not path.is_dir():
        return path, None
    if not (path / _FILE).exists():
        pickled = next(iter(sorted(each for each in path.iterdir() if each.suffix in _PICKLED)), None)
        if pickled is not None:
            return pickled, None  # to be refused, with the lines that convert it
        raise CnncliError(
            f"{shown(path)} holds no {_FILE}; expected it, with its {_CONFIG} beside it",
            f"Name the .safetensors itself; a run of cnncli train is given with -m {shown(path)}.",
        )
    described = path / _CONFIG
    return path / _FILE, read_config(described) if described.exists() else None


def _arrays(path: Path) -> names.Arrays:
    arrays, metadata = read_tensors(path)
    if metadata.get("format") == FORMAT:
        raise CnncliError(
            f"{shown(path)} is a checkpoint of cnncli, which knows its network; expected weights of PyTorch",
            f"Give it with -m alone: -m {shown(path)}.",
        )
    return names.plain(arrays, path)


def _unnamed(path: Path, arrays: names.Arrays) -> OptionError:
    model = fitting(arrays)
    return OptionError(
        f"{shown(path)} does not say which network it is of; expected its name with -m",
        f"Say -m {model}, which has these arrays." if model else "Name the network, such as -m resnet18.",
    )


def _channels(graph: Graph, arrays: names.Arrays) -> int:
    """Channels of pictures, from the first layer's weights; 3 where they tell of none."""
    first = next((f"{node.name}.weight" for node in graph.nodes.values() if INPUT in node.inputs), "")
    return 1 if first in arrays and arrays[first].shape[1:2] == (1,) else 3


def _outputs(graph: Graph, arrays: names.Arrays) -> int:
    """Outputs, from the rows of the head; where there is none, as many as are usual."""
    head = arrays.get(head_of(graph))
    return _USUAL_CLASSES if head is None or not head.size else len(head)


def _checked(classes: Classes | None, config: Config | None, outputs: int) -> Classes | None:
    """Names of as many classes as there are outputs."""
    if config and config.count not in (None, outputs):
        raise CnncliError(
            f"{_CONFIG} says {config.count:,} classes; the head of its weights has {outputs:,}",
            "Bring weights and description of one network together.",
        )
    found = classes or (config.classes if config else None)
    if found and len(found) != outputs:
        raise OptionError(
            f"{'--classes' if classes else _CONFIG} has {len(found):,} names; expected {outputs:,}, "
            "one for each output of the network",
            "Give the names of all classes, in the order of the outputs, with --classes.",
        )
    return found
