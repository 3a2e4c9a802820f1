"""A checkpoint as an ONNX model: layers, weights, classes and preprocessing in one file.

Legend: N images or texts, C channels, H and W rows and columns, T words, K outputs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import cnncli
from cnncli.checked import as_json
from cnncli.errors import CnncliError
from cnncli.nn import Graph, Network
from cnncli.nn.graph import MAIN, Node
from cnncli.onnx.operators import OPERATORS, Writer
from cnncli.onnx.package import onnx_package
from cnncli.onnx.pictures import prepare
from cnncli.tasks.preprocessing import Preprocessing
from cnncli.tasks.text import TextInput

if TYPE_CHECKING:
    from cnncli.training.checkpoint import Checkpoint

FIRST_OPSET, LAST_OPSET = 13, 20  # what the operators mean here; later ones need IR 10
USUAL_OPSET = 17
_MOST_BYTES = (1 << 31) - 1  # of a message of Protocol Buffers
_WAYS = 3  # in which the last digits of an input are moved
INPUT, OUTPUT = "input", "output"
PREPARED = "prepared"  # the network's input in a model that prepares pictures itself
PREPARED_NOTE = "cnncli.prepared"  # names it, in the metadata


def onnx_model(
    checkpoint: Checkpoint, *, opset: int = USUAL_OPSET, with_preprocessing: bool = False
) -> bytes:
    """A checkpoint as a serialized ONNX model.

    Its input is ``input``: images (N, C, H, W), float32, prepared as the metadata say; texts (N, T) of int64,
    numbers of words and 0 behind the last; clips as images of their frames, one below the other; with
    preprocessing, pictures of uint8 (N, H, W, C). Its outputs are ``output``, and those of other roles by
    their names: logits (N, K), or (N, K, H, W) for each pixel. The metadata hold the task, what the outputs
    mean, and the preprocessing, as JSON.

    Parameters
    ----------
    checkpoint : Checkpoint
        The network.
    opset : int
        Version of ONNX's operators, 13 to 20.
    with_preprocessing : bool
        Take in pictures as they are, and prepare them by operators.

    Raises
    ------
    CnncliError
        Where the package onnx is missing, the opset is not one of these, a layer or the preprocessing has no
        operators, or the model is too large for a file of ONNX.
    """
    network, pictures, noun = checkpoint.network(), checkpoint.preprocessing, checkpoint.task.noun
    texts = isinstance(pictures, TextInput)
    if noun != "images" and with_preprocessing:
        what = "the words and their numbers are" if texts else "how frames are prepared is"
        raise CnncliError(
            f"--with-preprocessing is given for a network that reads {noun}; expected one that sees pictures",
            f"Leave it out: {what} in the model's metadata.",
        )
    return network_model(
        network,
        checkpoint.task.read(tuple(network.graph.outputs)),
        name=checkpoint.architecture.name,
        opset=opset,
        texts=texts,
        pictures=pictures if with_preprocessing else None,
        metadata=_metadata(checkpoint) | ({PREPARED_NOTE: PREPARED} if with_preprocessing else {}),
    )


def network_model(
    network: Network,
    roles: Sequence[str] = (MAIN,),
    *,
    name: str,
    opset: int = USUAL_OPSET,
    texts: bool = False,
    pictures: Preprocessing | None = None,
    metadata: Mapping[str, str] | None = None,
) -> bytes:
    """A network as a serialized ONNX model, as `onnx_model` describes it.

    Parameters
    ----------
    network : Network
        Layers and weights.
    roles : sequence of str
        The outputs that it has; layers that only others need are left out.
    name : str
        Of the graph.
    opset : int
        Version of ONNX's operators, 13 to 20.
    texts : bool
        It reads numbers of words.
    pictures : Preprocessing or None
        What the model is to do with pictures itself.
    metadata : mapping or None
        Texts by name.

    Raises
    ------
    CnncliError
        As of `onnx_model`.
    """
    onnx = onnx_package("write")
    if not FIRST_OPSET <= opset <= LAST_OPSET:
        raise CnncliError(
            f"--opset is {opset}; expected {FIRST_OPSET} to {LAST_OPSET}",
            f"Leave it out for {USUAL_OPSET}, which most runtimes load.",
        )
    graph = network.graph.pruned([network.graph.output_of(role) for role in roles])
    writer = Writer(network.export(), INPUT if pictures is None else PREPARED)
    taken = _input_of(onnx, graph, texts=texts)
    if pictures is not None:
        taken = prepare(writer, pictures, source=INPUT, prepared=PREPARED)
    for node in graph.nodes.values():
        _write(writer, node)
    given = [_output_of(onnx, writer, graph, network.graph.output_of(role), role) for role in roles]
    arrays = [onnx.numpy_helper.from_array(array, each) for each, array in writer.arrays.items()]
    made = onnx.helper.make_graph(writer.nodes, name, [taken], given, arrays)
    ids = [onnx.helper.make_opsetid("", opset)]
    model = onnx.helper.make_model(
        made,
        opset_imports=ids,
        ir_version=onnx.helper.find_min_ir_version_for(ids),
        producer_name="cnncli",
        producer_version=cnncli.__version__,
    )
    onnx.helper.set_model_props(model, dict(metadata or {}))
    if model.ByteSize() > _MOST_BYTES:
        raise CnncliError(
            f"the model has {model.ByteSize() / 1e9:.1f} GB; expected at most 2.1 GB in a file of ONNX",
            "Export a narrower form of the network.",
        )
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def _write(writer: Writer, node: Node) -> None:
    """Write a layer.

    Raises
    ------
    CnncliError
        Where ONNX has nothing for it or its settings.
    """
    writes = OPERATORS.get(type(node.layer))
    if writes is None:
        from cnncli.onnx import operators_elsewhere

        writes = operators_elsewhere.OPERATORS.get(type(node.layer))
    if writes is None:
        raise CnncliError(
            f"the layer {node.name} is a {type(node.layer).__name__}, for which there is no operator; "
            "expected layers of images or texts",
            "Name the network in a report.",
        )
    writes(writer, node)


def difference(data: bytes, checkpoint: Checkpoint, *, with_preprocessing: bool = False) -> float:
    """The largest difference of ONNX Runtime's outputs from ours, as a share of the largest of ours.

    Both get the same seeded noise: prepared images, words, or pictures that the model prepares itself. Those
    have the size to which they are resized, so that nothing is interpolated.

    Raises
    ------
    CnncliError
        Where the package onnxruntime is missing.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise CnncliError(
            "the package onnxruntime is not installed; expected it to compare the model with this network",
            "Install it with pip install onnxruntime, or leave --verify out.",
        ) from error
    from cnncli.nn import Inference

    network, task = checkpoint.network(), checkpoint.task
    roles = task.read(tuple(network.graph.outputs))
    x, fed = _pictures(checkpoint.preprocessing) if with_preprocessing else _noise(checkpoint.preprocessing)
    ours = Inference(network, len(x), outputs=roles).run_all(x)
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    worst = 0.0
    for role, values in zip(roles, session.run([name_of(role) for role in roles], {INPUT: fed}), strict=True):
        own = ours[role] if ours[role].ndim == 2 else ours[role].transpose(0, 3, 1, 2)
        worst = max(worst, float(np.abs(values - own).max() / max(np.abs(own).max(), 1e-30)))
    return worst


def sensitivity(checkpoint: Checkpoint) -> float:
    """How far the outputs move, as a share of the largest, where numbers of an image move to the next float.

    The largest of a few random ways; 0 for texts, whose numbers are of words. Norms that divide by small
    deviations enlarge what rounding makes.
    """
    if isinstance(checkpoint.preprocessing, TextInput):
        return 0.0
    from cnncli.nn import Inference

    network = checkpoint.network()
    roles = checkpoint.task.read(tuple(network.graph.outputs))
    x, _ = _noise(checkpoint.preprocessing)
    inference = Inference(network, len(x), outputs=roles)
    before = {role: values.copy() for role, values in inference.run_all(x).items()}
    random = np.random.default_rng(1)
    worst = 0.0
    for _ in range(_WAYS):
        ends = np.where(random.random(x.shape) < 0.5, -np.inf, np.inf).astype(np.float32)
        for role, values in inference.run_all(np.nextafter(x, ends)).items():
            largest = max(float(np.abs(before[role]).max()), 1e-30)
            worst = max(worst, float(np.abs(values - before[role]).max()) / largest)
    return worst


def _noise(pictures: Preprocessing) -> tuple[NDArray[np.float32], NDArray[Any]]:
    """Two inputs of a network, and the same as the model takes them."""
    random = np.random.default_rng(0)
    shape = (2, *pictures.shape)
    if not isinstance(pictures, TextInput):
        x = random.standard_normal(shape).astype(np.float32)
        return x, np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    x = random.integers(1, len(pictures.words) + 2, shape).astype(np.float32)
    x[:, :, shape[2] // 2 + 1 :] = 0
    return x, x[:, 0, :, 0].astype(np.int64)


def _pictures(pictures: Preprocessing) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Two inputs of a network, and the pictures that they are prepared from."""
    height, width = pictures.size
    sides = (height, width) if pictures.resize is None else (pictures.resize, pictures.resize)
    taken = np.random.default_rng(0).integers(0, 256, (2, *sides, pictures.channels), np.uint8)
    top, left = (round((side - inner) / 2) for side, inner in zip(sides, (height, width), strict=True))
    return pictures.normalise(taken[:, top : top + height, left : left + width]), taken


def name_of(role: str) -> str:
    """The model's name of an output."""
    return OUTPUT if role == MAIN else role


def _input_of(onnx: Any, graph: Graph, *, texts: bool) -> Any:
    height, width, channels = graph.input_shape[:3]
    if texts:
        return onnx.helper.make_tensor_value_info(INPUT, onnx.TensorProto.INT64, ["N", "T"])
    return onnx.helper.make_tensor_value_info(INPUT, onnx.TensorProto.FLOAT, ["N", channels, height, width])


def _output_of(onnx: Any, writer: Writer, graph: Graph, name: str, role: str) -> Any:
    """An output under its name: of one pixel without its sides of 1, as `Inference` gives it."""
    shape = graph.shape_of(name)
    value = writer.flat(name) if shape[:2] == (1, 1) else writer.value(name)
    if shape.origin is not None:  # flattened maps as they are: ours go pixel by pixel, those of ONNX by maps
        rows, columns = shape.origin[:2]
        sides = writer.constant(f"{name}/sides", [0, -1, rows, columns])
        maps = writer.add("Reshape", [value, sides], f"{name}/maps")
        pixels = writer.add("Transpose", [maps], f"{name}/pixels", perm=(0, 2, 3, 1))
        value = writer.add("Flatten", [pixels], f"{name}/in order")
    out = writer.add("Identity", [value], name_of(role))
    sizes = [shape.channels] if shape[:2] == (1, 1) else [shape.channels, shape.height, shape.width]
    return onnx.helper.make_tensor_value_info(out, onnx.TensorProto.FLOAT, ["N", *sizes])


def _metadata(checkpoint: Checkpoint) -> dict[str, str]:
    task, architecture = checkpoint.task, checkpoint.architecture
    return {
        "cnncli.model": architecture.name,
        "cnncli.task": task.name,
        "cnncli.outputs": as_json(list(task.outputs)),
        "cnncli.preprocessing": as_json(dataclasses.asdict(checkpoint.preprocessing)),
    }
