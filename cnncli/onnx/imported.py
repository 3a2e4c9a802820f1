"""A model of ONNX as a checkpoint: from there on every command uses it as one of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.checked import Fields, MalformedError, parse_json
from cnncli.errors import CnncliError, OptionError
from cnncli.files.faults import shown
from cnncli.models.architecture import IMPORTED, Architecture
from cnncli.nn import Add, AvgPool, BatchNorm, Conv, ConvTranspose, Graph, Inference, Linear, Network
from cnncli.nn.exchange import as_dict
from cnncli.nn.graph import INPUT
from cnncli.nn.layers.arithmetic import Clamp, Logarithm
from cnncli.nn.layers.pooling import GlobalAvgPool
from cnncli.onnx.layout import Value, value_of
from cnncli.onnx.model import PREPARED_NOTE
from cnncli.onnx.read import Dims, Model, from_value, read_model
from cnncli.onnx.simplify import simplified
from cnncli.onnx.translation import Translation
from cnncli.tasks.classification import Classification
from cnncli.tasks.preprocessing import LARGEST_SIDE, SMALLEST_STD, Preprocessing
from cnncli.tasks.segmentation import Segmentation
from cnncli.tasks.task import Task
from cnncli.training.checkpoint import NUMBERED, Checkpoint, preprocessing_of, task_of
from cnncli.training.tensors import as_weights
from cnncli.training.weights.classes import Classes
from cnncli.training.weights.load import Weights
from cnncli.training.weights.pixels import Choices, each_channel

_SCORES = (
    Conv,
    Linear,
    ConvTranspose,
    BatchNorm,
    GlobalAvgPool,
    AvgPool,
    Add,
)  # layers whose outputs are any numbers
_OF_ONE, _LEAST = 1e-3, 1e-30  # how far sums of shares may be from 1, and what stands for 0 in a logarithm
_REALS, _BYTES = (1, 10, 11), 2  # types of an input: float32, float16, float64; uint8
_GIVEN = "where a command has no such option: to cnncli weights, which writes a checkpoint"


def load_onnx(
    path: Path, *, classes: Classes | None = None, choices: Choices | None = None, described: bool = False
) -> Weights:
    """Read a model of ONNX as a checkpoint.

    Parameters
    ----------
    path : Path
        The file.
    classes : tuple of str or None
        Their names; None: as its metadata say, or their numbers.
    choices : Choices or None
        What is said of pictures; what is not is as its metadata say.
    described : bool
        It is only to be described: how pictures are prepared need not be known.

    Raises
    ------
    OptionError
        Where nobody says what is needed to use it.
    CnncliError
        Where it cannot be read, or is no network that we can compute.
    """
    model = read_model(path)
    try:
        return _Import(model, choices or Choices(), classes, described=described).weights()
    except OptionError:
        raise
    except CnncliError as fault:
        named = fault.message if shown(path) in fault.message else f"{shown(path)}: {fault.message}"
        raise CnncliError(named, fault.hint) from fault


class _Import:
    """A model on its way to a checkpoint."""

    def __init__(self, model: Model, choices: Choices, classes: Classes | None, *, described: bool) -> None:
        # A model of ours that prepares pictures itself: the metadata say the same, as do all commands.
        self._model = from_value(model, model.metadata.get(PREPARED_NOTE, ""))
        self._choices, self._classes = choices, classes
        self._described = described
        self._notes: list[str] = []
        self._known = self._metadata()

    def weights(self) -> Weights:
        """The checkpoint, and what was assumed."""
        name, taken = self._input()
        t = Translation(self._model, name, taken)
        t.run()
        output = self._output(t)
        graph, arrays, (last,) = simplified(t.graph, t.arrays, [output.node])
        graph.set_output(last)
        if _gives_shares(graph, arrays):
            graph.add(Clamp(low=_LEAST), Logarithm(), inputs=[last], names=("shares", "logarithms"))
            self._notes.append("its outputs are shares of 1, of which logarithms are taken")
        shape = graph.input_shape[:3]
        task = self._task(output, shape)
        layout = Architecture(
            IMPORTED, None, (shape[0], shape[1], shape[2]), len(task.outputs), as_dict(graph)
        )
        numbered = self._classes is None and "cnncli.outputs" not in self._model.metadata
        checkpoint = Checkpoint(
            as_weights(arrays, self._model.path),
            task,
            self._preprocessing(shape),
            layout,
            training={"weights": self._model.path.name, **({"outputs": NUMBERED} if numbered else {})},
            path=self._model.path,
        )
        checkpoint.graph()
        return Weights(checkpoint, tuple(self._notes))

    def _metadata(self) -> Preprocessing | None:
        """The preprocessing that our own export notes."""
        text = self._model.metadata.get("cnncli.preprocessing")
        if text is None:
            return None
        try:
            found = preprocessing_of(Fields(parse_json(text)))
        except MalformedError as error:
            raise CnncliError(
                f"its metadata cannot be understood: {error}", "Export the model again."
            ) from error
        if type(found) is not Preprocessing:
            raise CnncliError(
                "it reads texts or clips; expected a model that reads pictures",
                "Use the checkpoint that it was exported from.",
            )
        return found

    # --- input and output ---

    def _input(self) -> tuple[str, Value]:
        """The picture, with its rows and columns."""
        inputs = self._model.inputs
        if len(inputs) != 1:
            raise CnncliError(
                f"it has {len(inputs)} inputs ({', '.join(map(shown, inputs)) or 'none'}); expected one, "
                "the picture",
                "Export a network that takes one picture at a time.",
            )
        ((name, (kind, dims)),) = inputs.items()
        if kind not in (*_REALS, _BYTES) or len(dims) not in (3, 4):
            raise CnncliError(
                f"its input {shown(name)} is of type {kind} and shape {_said(dims)}; expected real numbers "
                "or bytes of (N, C, H, W)",
                "Export a network of images.",
            )
        if len(dims) == 4 and dims[0] not in (None, 1, -1):
            raise CnncliError(
                f"its input takes {dims[0]} pictures at a time; expected 1, or any number",
                "Export it again with a batch of 1, or of any size: torch.onnx.export takes dynamic_axes or "
                "dynamic_shapes for it, tf2onnx --inputs NAME[-1,H,W,C].",
            )
        last = self._is_channels_last(name, dims)
        *lead, a, b, c = dims
        channels, sides = (c, (a, b)) if last else (a, (b, c))
        height, width = self._size(sides)
        channels = channels or (self._known.channels if self._known else 3)
        if last:
            return name, value_of(
                "input", (*(1 for _ in lead), height, width, channels), _axes(lead, 0, 1, 2)
            )
        return name, value_of("input", (*(1 for _ in lead), channels, height, width), _axes(lead, 1, 2, 0))

    def _is_channels_last(self, name: str, dims: Dims) -> bool:
        """Whether the input is (N, H, W, C), as TensorFlow has it."""
        first, last = dims[-3] in (1, 3), dims[-1] in (1, 3)
        if first != last:
            return last
        reader = next((each for each in self._model.operators if name in each.inputs), None)
        turned = reader is not None and reader.kind == "Transpose"
        return turned and tuple(reader.attributes.get("perm", ())) == (0, 3, 1, 2) if reader else False

    def _size(self, sides: tuple[int | None, int | None]) -> tuple[int, int]:
        """Rows and columns: those of the model, of its metadata, or as --crop says."""
        known = self._known.size if self._known else self._choices.size or (None, None)
        found = [side or other for side, other in zip(sides, known, strict=True)]
        if None in found:
            raise OptionError(
                f"{shown(self._model.path)} takes pictures of any size; expected --crop with the side of "
                "those that it was trained on",
                f"Say --crop 224 (or 192x48), as in training ({_GIVEN}).",
            )
        height, width = (int(side or 0) for side in found)
        asked = self._choices.size
        if asked is not None and (height, width) != asked:
            raise OptionError(
                f"--crop is {asked[1]}x{asked[0]}; expected {width}x{height}, which "
                f"{shown(self._model.path)} takes",
                "Leave --crop out.",
            )
        if max(height, width) > LARGEST_SIDE:
            raise CnncliError(
                f"it takes pictures of {height}x{width}; expected sides of up to {LARGEST_SIDE}",
                "Export it for smaller pictures.",
            )
        return height, width

    def _output(self, t: Translation) -> Value:
        """The main output, before its softmax."""
        outputs = self._model.outputs
        name = next(iter(outputs), "")
        found = t.values.get(name)
        if not isinstance(found, Value):
            what = "does not depend on its picture" if name in t.values else "is given by nothing"
            raise CnncliError(f"its output {shown(name)} {what}", "Export the model again.")
        if len(outputs) > 1:
            self._notes.append(f"of its {len(outputs)} outputs {shown(name)} is read, the first")
        kind, before = t.before_softmax.get(found.node, ("", found))
        if kind == "Sigmoid":
            self._notes.append("it judges each class by itself; here their probabilities are shares of 1")
        found = before if kind else found
        if found.shape[:2] == (1, 1):
            return t.rearranged(found, ((), (), tuple(range(len(found.parts)))))
        return found

    # --- what it means ---

    def _task(self, output: Value, shape: tuple[int, ...]) -> Task:
        """What the output says: classes of the image, or of each pixel."""
        height, width, channels = output.shape
        pixels = (height, width) == tuple(shape[:2]) and (height, width) != (1, 1)
        plain = all(tuple(sorted(axis)) == axis for axis in (output.places[2], sum(output.places[:2], ())))
        if channels < 2 or not plain or ((height, width) != (1, 1) and not pixels):
            raise CnncliError(
                f"its output has the shape {list(output.dims)}; expected one number for each of 2 or more "
                "classes, of an image or of each of its pixels",
                "Boxes, and maps of another size than the image, are not read.",
            )
        fields = self._own_task()
        if fields is not None and self._classes is None:
            return fields
        names = self._classes or tuple(map(str, range(channels)))
        if len(names) != channels:
            raise OptionError(
                f"--classes has {len(names):,} names; expected {channels:,}, one for each output of the "
                "network",
                "Give the names of all classes, in the order of the outputs, with --classes.",
            )
        return (Segmentation if pixels else Classification)(names)

    def _own_task(self) -> Task | None:
        """The task that our own export notes, with its classes."""
        metadata = self._model.metadata
        if "cnncli.task" not in metadata or "cnncli.outputs" not in metadata:
            return None
        try:
            outputs = parse_json(metadata["cnncli.outputs"])
            return task_of(Fields({"task": metadata["cnncli.task"], "classes": outputs}))
        except MalformedError as error:
            raise CnncliError(
                f"its metadata cannot be understood: {error}", "Export the model again."
            ) from error

    def _preprocessing(self, shape: tuple[int, ...]) -> Preprocessing:
        """How pictures are prepared: as noted in the model, unless something else is said."""
        choices, known = self._choices, self._known
        height, width, channels = shape
        ((kind, _),) = self._model.inputs.values()
        if known is None and kind == _BYTES:
            known = Preprocessing((height, width), channels, (0.0,) * channels, (1 / 255,) * channels)
        mean, std = choices.mean or (known.mean if known else ()), choices.std or (known.std if known else ())
        if not mean or not std:
            if self._described:
                mean, std = mean or (0.0,), std or (1.0,)
            lacking = " and ".join(n for n, each in (("--mean", mean), ("--std", std)) if not each)
            if lacking:
                raise OptionError(
                    f"{shown(self._model.path)} does not say how pictures are prepared for it; expected "
                    f"{lacking}",
                    f"Say --mean 0.5 --std 0.25, in units of full scale, as in training ({_GIVEN}).",
                )
        made = known or Preprocessing((height, width), channels, (), ())
        made = replace(
            made,
            size=(height, width),
            mean=each_channel("--mean", mean, channels, 0) if choices.mean or not known else mean,
            std=each_channel("--std", std, channels, SMALLEST_STD) if choices.std or not known else std,
        )
        short = choices.resize
        if short is None and choices.interpolation is None:
            return made
        short = short or made.resize or max(height, width)
        if not max(height, width) <= short <= LARGEST_SIDE:
            raise OptionError(
                f"the short side is resized to {short}; expected {max(height, width)} to {LARGEST_SIDE}",
                f"Give --resize {max(height, width)} or more.",
            )
        return replace(made, resize=short, interpolation=choices.interpolation or made.interpolation)


def _gives_shares(graph: Graph, arrays: Mapping[str, NDArray[Any]]) -> bool:
    """Whether outputs sum up to 1, by other operators than Softmax: tried, but of layers of any numbers."""
    if graph.output == INPUT or isinstance(graph.nodes[graph.output].layer, _SCORES):
        return False
    network = Network(graph, scheme=None)
    network.load(arrays)
    x = np.random.default_rng(0).standard_normal((1, *graph.input_shape[:3])).astype(np.float32)
    out = Inference(network, 1).run(x)
    return bool((out >= 0).all() and (np.abs(out.sum(axis=-1) - 1) < _OF_ONE).all())


def _axes(lead: list[int | None], height: int, width: int, channels: int) -> tuple[tuple[int], ...]:
    first = len(lead)
    return (first + height,), (first + width,), (first + channels,)


def _said(dims: Dims) -> str:
    return f"({', '.join('any' if dim is None else str(dim) for dim in dims)})"
