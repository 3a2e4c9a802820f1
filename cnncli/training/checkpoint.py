"""Checkpoints: weights as PyTorch users know them, and all it takes to use them.

Keys and layouts are PyTorch's (``conv1.weight`` is (K, C, kh, kw)). The metadata are JSON strings:
``format``, ``task`` with its settings beside it (``classes``), ``preprocessing``, ``architecture``,
``training``, and ``images``: digests of what the network has seen (`TrainedImages`).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from cnncli.checked import Fields, MalformedError, parse_json
from cnncli.errors import CnncliError
from cnncli.files.faults import shown
from cnncli.models.architecture import Architecture
from cnncli.nn import BatchNorm, Graph, Network
from cnncli.tasks import task_named
from cnncli.tasks.preprocessing import LARGEST_SIDE, Preprocessing
from cnncli.tasks.task import Task
from cnncli.training.tensors import as_weights, in_passing, read_tensors, write_tensors

if TYPE_CHECKING:
    from cnncli.training.trained_images import TrainedImages

FORMAT = "cnncli checkpoint 1"
NUMBERED = "numbered"  # outputs whose names nobody knows
_OTHERS = ("format", "images")  # which are no JSON, or are read when they are needed
_FIRST_TASK = "classification"  # of checkpoints of the first release, which do not name theirs
_MOST_CLASSES = 1_000_000
_LARGEST_INPUT = 256 * LARGEST_SIDE  # rows of a clip's frames, one below the other


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A trained network as it lies in a file.

    Attributes
    ----------
    arrays : dict of str to ndarray
        By name, as ``Network.export`` gives them.
    task : Task
        What its outputs mean.
    preprocessing : Preprocessing
        Of pictures, texts or clips.
    architecture : Architecture
        Of the network.
    training : dict
        What it was trained on and how.
    path : Path or None
        Where it was read from.
    images : str or None
        What it has seen, as `TrainedImages.as_text` writes it; None: nobody noted that.
    """

    arrays: Mapping[str, NDArray[Any]]
    task: Task
    preprocessing: Preprocessing
    architecture: Architecture
    training: dict[str, Any] = field(default_factory=dict)
    path: Path | None = None
    images: str | None = None

    @property
    def is_numbered(self) -> bool:
        """Whether its outputs go by numbers for want of names, as those of weights from elsewhere may."""
        return self.training.get("outputs") == NUMBERED

    @property
    def seen(self) -> "TrainedImages | None":
        """What it has seen; None where nobody noted that.

        Raises
        ------
        CnncliError
            Where the note is damaged.
        """
        if self.images is None:
            return None
        from cnncli.training.trained_images import TrainedImages

        try:
            return TrainedImages.from_text(self.images)
        except MalformedError as error:
            raise _damaged(self.path, error) from error

    def graph(self, *, seed: int = 0) -> Graph:
        """The network's layers.

        Raises
        ------
        CnncliError
            Where they are damaged, or take more weights than there are.
        """
        with self._located():
            graph = self.architecture.graph(seed=seed)
            if not self.task.accepts(graph):
                raise MalformedError(
                    f"its layers end in {graph.output_shape}, which is not what {self.task.name} needs"
                )
            self._check_size(graph)
        return graph

    def network(self, *, seed: int = 0) -> Network:
        """The network with its weights.

        Raises
        ------
        CnncliError
            Where the weights do not fit the architecture.
        """
        graph = self.graph(seed=seed)
        with self._located():
            network = Network(graph, scheme=None)
            network.load(in_passing(self.arrays))
        return network

    @contextmanager
    def _located(self) -> Iterator[None]:
        """Name the file in errors about what it holds."""
        try:
            yield
        except MalformedError as error:
            raise _damaged(self.path, error) from error
        except CnncliError as fault:
            raise CnncliError(f"{shown(self.path or 'checkpoint')}: {fault.message}", fault.hint) from fault

    def _check_size(self, graph: Graph) -> None:
        """Refuse an architecture of more weights than there are, before memory is taken for them."""
        held = sum(array.size for array in self.arrays.values())
        nodes = graph.nodes.values()
        norms = sum(4 * node.shape.channels for node in nodes if isinstance(node.layer, BatchNorm))
        taken = norms + sum(node.weight_count for node in nodes)
        if taken > held:
            raise CnncliError(
                f"its architecture takes {taken:,} weights or more; the file holds {held:,}",
                "Copy the file again from where it came, or train the network again.",
            )


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, whole or not at all.

    Raises
    ------
    CnncliError
        Where the file cannot be written.
    """
    import json

    def text(value: object) -> str:
        return json.dumps(value, ensure_ascii=False, sort_keys=True)

    metadata = {
        "format": FORMAT,
        "task": text(checkpoint.task.name),
        **{name: text(value) for name, value in checkpoint.task.settings.items()},
        "preprocessing": text(asdict(checkpoint.preprocessing)),
        "architecture": text(asdict(checkpoint.architecture)),
        "training": text(checkpoint.training),
    }
    if checkpoint.images is not None:
        metadata["images"] = checkpoint.images
    write_tensors(path, checkpoint.arrays, metadata)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Parameters
    ----------
    path : Path
        A file that ``cnncli train`` wrote, or the folder of a run: then its ``best.safetensors``.

    Raises
    ------
    CnncliError
        Where it cannot be read, is damaged or cut short, or is of another kind.
    """
    found = open_checkpoint(path)
    return replace(found, arrays=as_weights(dict(found.arrays), found.path or path))


def open_checkpoint(path: Path) -> Checkpoint:
    """The same, to be described: weights lie in the file as they are, and are not looked at."""
    if path.is_dir():
        path = path / "best.safetensors"
    arrays, metadata = read_tensors(path)
    if metadata.get("format") != FORMAT:
        written = metadata.get("format")
        what = f"its format is {written!r}" if written else "it does not say which network it belongs to"
        raise CnncliError(
            f"{shown(path)} holds arrays, but no network of cnncli: {what}",
            "Give weights of torchvision or timm with --weights, and their network with -m: -m resnet18.",
        )
    try:
        return _assembled(arrays, metadata, path)
    except MalformedError as error:
        raise _damaged(path, error) from error


def _damaged(path: Path | None, error: MalformedError) -> CnncliError:
    return CnncliError(
        f"{shown(path or 'the checkpoint')} is damaged: its metadata cannot be understood ({error})",
        "Copy the file again from where it came, or train the network again.",
    )


def _assembled(arrays: dict[str, NDArray[Any]], metadata: dict[str, str], path: Path) -> Checkpoint:
    texts = Fields({name: parse_json(text) for name, text in metadata.items() if name not in _OTHERS})
    task = task_of(texts)
    preprocessing = preprocessing_of(texts.fields("preprocessing"))
    model = architecture_of(texts.fields("architecture"))
    if model.input_shape != preprocessing.shape or model.classes != len(task.outputs):
        raise MalformedError(
            f"input or output of the architecture does not match its preprocessing and {task.output_noun}"
        )
    return Checkpoint(
        arrays, task, preprocessing, model, texts.record("training"), path, metadata.get("images")
    )


def task_of(fields: Fields) -> Task:
    """The task that a checkpoint or a run names, with its settings.

    Raises
    ------
    MalformedError
        Where there is no such task, or a setting of it means nothing.
    """
    name = fields.text("task") if "task" in fields else _FIRST_TASK
    try:
        kind = task_named(name)
    except CnncliError as error:
        raise MalformedError(error.message) from error
    return kind.from_fields(fields)


def preprocessing_of(fields: Fields) -> Preprocessing:
    """The reverse of ``dataclasses.asdict`` for what makes inputs of pictures, texts or clips.

    Raises
    ------
    MalformedError
        Where a value is missing, of another type or out of range.
    """
    if "frames" in fields:
        from cnncli.tasks.video import ClipInput

        return ClipInput.from_fields(fields)
    if "words" not in fields:
        return Preprocessing.from_fields(fields)
    from cnncli.tasks.text import TextInput

    return TextInput.from_fields(fields)


def architecture_of(fields: Fields) -> Architecture:
    """The reverse of ``dataclasses.asdict`` for an architecture.

    Raises
    ------
    MalformedError
        Where a value is missing, of another type or out of range.
    """
    height, width, channels = fields.wholes("input_shape", 3, 1, _LARGEST_INPUT)
    return Architecture(
        fields.text("name"),
        fields.optional_text("layers"),
        (height, width, channels),
        fields.whole("classes", 1, _MOST_CLASSES),
        fields.optional_record("layout") if "layout" in fields else None,  # the first release wrote none
    )
