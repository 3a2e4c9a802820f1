"""The first pass: a graph is rewritten into stages, each of which computes one layer or several at once.

`FOLDS`, `APPLIES` and `MASKS` say which layers can be computed along with which, and `_onto` which sums along
with a summand; any other layer is a stage of its own.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from cnncli.nn.graph import INPUT, Graph, Node, Shape
from cnncli.nn.layer import Layer
from cnncli.nn.layers.activation import Relu, Relu6
from cnncli.nn.layers.combine import Add, Flatten, ScaleChannels
from cnncli.nn.layers.convolution import Conv
from cnncli.nn.layers.dropout import Dropout
from cnncli.nn.layers.linear import Linear
from cnncli.nn.layers.normalisation import BatchNorm
from cnncli.nn.layers.pooling import MaxPool

#: Layers whose weights and bias can take in a batch norm that follows.
FOLDS: tuple[type[Layer], ...] = (Conv, Linear)
#: Layers that can apply a ReLU that follows, and which.
APPLIES: dict[type[Layer], tuple[type[Relu], ...]] = {
    Conv: (Relu, Relu6),
    Linear: (Relu, Relu6),
    BatchNorm: (Relu, Relu6),
    Add: (Relu,),
    ScaleChannels: (Relu,),
}
#: Layers whose backward pass can apply the gradient of what they read.
MASKS: dict[type[Layer], type[Relu]] = {MaxPool: Relu}


@dataclass(frozen=True)
class Stage(Node):
    """A layer of a rewritten graph, with what is computed along with it.

    Its name is the layer's, as are those of its parameters; ``inputs`` are names of stages.

    Attributes
    ----------
    norm : Node or None
        The batch norm that is folded into its weights.
    adds : str
        The stage onto whose output it adds its own, in the same memory; empty if there is none.
    relu : str
        Kind of the ReLU that it applies to its output; empty if there is none.
    masks : bool
        Its backward pass applies the gradient of the ReLU before it.
    masked : bool
        The gradient of its output has been through its ReLU already.
    """

    norm: Node | None = None
    adds: str = ""
    relu: str = ""
    masks: bool = False
    masked: bool = False


class FusedGraph:
    """A rewritten graph.

    Attributes
    ----------
    input_shape : Shape
        Of the graph.
    stages : dict of str to Stage
        By name, in topological order.
    owners : dict of str to str
        From each layer of the graph to the stage whose output is the layer's; the input is its own.
    """

    def __init__(self, input_shape: Shape) -> None:
        self.input_shape = input_shape
        self.stages: dict[str, Stage] = {}
        self.owners: dict[str, str] = {INPUT: INPUT}
        self._layers: dict[str, list[str]] = {INPUT: [INPUT]}
        self._readers: dict[str, list[str]] = {}

    def append(self, stage: Stage) -> None:
        """Add a stage that computes the layer of its name."""
        self.stages[stage.name] = stage
        self.own(stage.name, stage.name)
        for source in dict.fromkeys(stage.inputs):
            self._readers.setdefault(source, []).append(stage.name)

    def absorb(self, layer: str, stage: Stage) -> None:
        """Let a stage, changed to this, compute the layer that follows it too."""
        self.stages[stage.name] = stage
        self.own(layer, stage.name)

    def own(self, layer: str, stage: str) -> None:
        """Let the output of a stage, or the input, be that of a layer."""
        self.owners[layer] = stage
        self._layers.setdefault(stage, []).append(layer)

    def layers_of(self, stage: str) -> list[str]:
        """Layers whose output is that of a stage, or the input."""
        return self._layers[stage]

    def readers(self, name: str) -> list[Stage]:
        """Stages that read the output of a stage, or the input."""
        return [self.stages[each] for each in self._readers.get(name, ())]

    def shape_of(self, name: str) -> Shape:
        """Shape of a stage's output, or of the input."""
        return self.input_shape if name == INPUT else self.stages[name].shape


def fuse(graph: Graph, *, training: bool, trained: Collection[str], keep: Collection[str]) -> FusedGraph:
    """Rewrite a graph.

    Parameters
    ----------
    graph : Graph
        The layers that are computed.
    training : bool
        Whether layers behave as in training.
    trained : collection of str
        Layers that get a gradient.
    keep : collection of str
        Layers whose own activations are needed, so nothing that follows is computed along with them.
    """
    made = FusedGraph(graph.input_shape)
    ends: dict[str, str] = {}  # by stage: the last layer that it computes
    for node in graph.nodes.values():
        source = node.inputs[0]
        owner = made.owners[source]
        if not training and isinstance(node.layer, Dropout):
            made.own(node.name, owner)  # the identity
            continue
        alone = source not in keep and len(graph.readers(source)) == 1
        before = made.stages[owner] if alone and ends.get(owner) == source else None
        learns = training and node.name in trained
        joined = before and (_with_norm(before, node, learns=learns) or _with_relu(before, node))
        if isinstance(node.layer, Add) and not training and not trained:
            joined = _onto(node, graph, made, keep)
        if joined:
            made.absorb(node.name, joined)
            ends[joined.name] = node.name
            continue
        stage = Stage(
            node.name,
            node.layer,
            tuple(made.owners[name] for name in node.inputs),
            node.shape,
            node.input_shapes,
        )
        if before and node.name in trained:
            stage = _with_mask(stage, before, made)
        made.append(stage)
        ends[node.name] = node.name
    return made


def _with_norm(stage: Stage, node: Node, *, learns: bool) -> Stage | None:
    """Fold a batch norm into the weights and the bias before it.

    Without the statistics of a batch it is a fixed scale and shift of each channel, and so are weights and
    bias: no pass over the maps is left. In training this holds where neither it nor what precedes it is
    trained.
    """
    folds = isinstance(stage.layer, FOLDS) and isinstance(node.layer, BatchNorm)
    free = stage.norm is None and not stage.adds and not stage.relu and not learns
    return replace(stage, norm=node) if folds and free else None


def _onto(node: Node, graph: Graph, made: FusedGraph, keep: Collection[str]) -> Stage | None:
    """Let a layer add its output onto the other summand, instead of storing it for a pass of its own.

    It must be what is computed last, or the summand could change before it; and no one else may want either
    of the two, or read the memory that changes: not the layer itself, and no vector that is a view.
    A backward pass would read both, so this is for inference alone.
    """
    last = next(reversed(made.stages.values()), None)
    summands = [made.owners[source] for source in node.inputs]
    if last is None or last.name not in summands or summands[0] == summands[1]:
        return None
    onto = summands[summands[0] == last.name]
    able = isinstance(last.layer, Conv | ScaleChannels) and last.layer.accumulates(last.input_shapes)
    if not able or last.adds or last.relu or onto not in made.stages or onto in last.inputs:
        return None
    if any(isinstance(each.layer, Flatten) for each in (made.stages[onto], *made.readers(onto))):
        return None
    layers = [name for summand in summands for name in made.layers_of(summand)]
    readers = {each.name for name in layers for each in graph.readers(name)} - {node.name}
    wanted = any(name in keep for name in layers) or any(name not in made.owners for name in readers)
    return None if wanted else replace(last, adds=onto)


def _with_relu(stage: Stage, node: Node) -> Stage | None:
    """Apply a ReLU before a value is stored, while it is in a register: it is not read and written again."""
    known = next((relus for kind, relus in APPLIES.items() if isinstance(stage.layer, kind)), ())
    applies = not stage.relu and type(node.layer) in known
    return replace(stage, relu=node.layer.kind) if applies and isinstance(node.layer, Relu) else None


def _with_mask(stage: Stage, before: Stage, made: FusedGraph) -> Stage:
    """Let a max pooling apply the gradient of the ReLU before it.

    A gradient passes where the ReLU's output is above 0, and the pooling compares that output with its
    maximum anyway. Average pooling does not look at it.
    """
    relu = MASKS.get(type(stage.layer))
    if relu is None or relu.kind not in (before.relu, _own_kind(before)):
        return stage
    if before.relu:
        made.stages[before.name] = replace(before, masked=True)
    return replace(stage, masks=True)


def _own_kind(stage: Stage) -> str:
    """Kind of a ReLU that is a stage of its own."""
    return stage.layer.kind if isinstance(stage.layer, Relu) else ""
