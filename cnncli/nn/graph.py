"""A network as a graph of layers; shapes are inferred and checked when a layer is added."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from cnncli.errors import CnncliError

if TYPE_CHECKING:
    from cnncli.nn.layer import Layer


class Shape(NamedTuple):
    """Shape of one sample inside the network.

    Attributes
    ----------
    height, width, channels : int
        H, W, C.
    origin : (H, W, C) or None
        For flattened feature maps: their shape, so that exported weights can follow PyTorch's order.
    frames : int
        How many of them a sample has: more than 1 where the frames of a clip are computed one by one.
    """

    height: int
    width: int
    channels: int
    origin: tuple[int, int, int] | None = None
    frames: int = 1

    @property
    def size(self) -> int:
        """Number of values in one sample, or one frame of it."""
        return self.height * self.width * self.channels

    @property
    def strip(self) -> tuple[int, int, int]:
        """(H, W, C) of all of a sample: its frames lie one below the other."""
        return self.frames * self.height, self.width, self.channels

    def __str__(self) -> str:
        one = str(self.channels) if self.height == self.width == 1 else "x".join(map(str, self[:3]))
        return one if self.frames == 1 else f"{self.frames} frames of {one}"


@dataclass(frozen=True)
class Node:
    """A layer in a graph.

    Attributes
    ----------
    name : str
        Unique in the graph, with those of its scopes before it, such as ``layer1.0.conv1``; parameters are
        named ``name.weight`` and so on.
    layer : Layer
        Its kind and settings.
    inputs : tuple of str
        Names of the nodes it reads; ``"input"`` is the image.
    shape : Shape
        Of its output.
    input_shapes : tuple of Shape
        Of what it reads.
    """

    name: str
    layer: "Layer"
    inputs: tuple[str, ...]
    shape: Shape
    input_shapes: tuple[Shape, ...]

    @property
    def scopes(self) -> list[str]:
        """Whole names of the scopes that it lies in, outermost first."""
        return scopes_of(self.name)

    @property
    def weight_count(self) -> int:
        """Number of weights without biases and norms, computed without allocating them."""
        held = (*self.layer.parameters(self.input_shapes), *self.layer.state(self.input_shapes))
        return sum(each.size for each in held if len(each.shape) > 1)

    @property
    def multiply_adds(self) -> int:
        """Of the forward pass of one sample, all of its frames."""
        return self.input_shapes[0].frames * self.layer.multiply_adds(self.input_shapes)


def scopes_of(name: str) -> list[str]:
    """The scopes of a layer's name, outermost first: ``layer1`` and ``layer1.0`` of ``layer1.0.conv1``."""
    return [name[:at] for at, letter in enumerate(name) if letter == "."]


INPUT = "input"
MAIN = "main"  # role of the output that a network is used for; others may serve training alone
_PART = r"[A-Za-z0-9_][A-Za-z0-9_-]*"
_NAME = re.compile(rf"{_PART}(\.{_PART})*")


class Graph:
    """Layers and their inputs, in topological order.

    Parameters
    ----------
    input_shape : (H, W, C)
        Of one image.

    Attributes
    ----------
    nodes : dict of str to Node
        By name, in topological order.
    scopes : dict of str to str
        Kind of each scope that holds a layer, such as ``BasicBlock``; empty if it was given none.
        `cnncli.nn.blocks.outline` shows what each holds.
    output : str
        Name of the node that was added last, or chosen with `set_output`: the main output.

    Examples
    --------
    >>> graph = Graph((28, 28, 1))
    >>> graph.add(Conv(8, 3), Relu(), MaxPool(2), Flatten(), Linear(10))
    'linear1'

    Names within a scope, as those of PyTorch's modules:

    >>> with graph.scope("layer1.0", kind="BasicBlock"):
    ...     graph.add(Linear(10), BatchNorm(), names=("fc1", "bn1"))
    'layer1.0.bn1'
    """

    def __init__(self, input_shape: tuple[int, int, int]) -> None:
        if len(input_shape) != 3 or min(input_shape) < 1:
            raise CnncliError(
                f"input shape is {tuple(input_shape)}; expected height, width and channels, each 1 or more",
                "Give (28, 28, 1) for a gray image of 28 x 28 pixels.",
            )
        self.input_shape = Shape(*input_shape)
        self.nodes: dict[str, Node] = {}
        self.scopes: dict[str, str] = {}
        self.output = INPUT
        self._readers: dict[str, list[Node]] = {}
        self._others: dict[str, str] = {}
        self._kinds: dict[str, str] = {}
        self._prefix = ""
        self._numbers: dict[str, int] = {}  # by the beginning of a name: the last that was given

    @contextmanager
    def scope(self, name: str, kind: str = "") -> Iterator[str]:
        """Put a name and a dot before the names of all layers added meanwhile.

        Parameters
        ----------
        name : str
            Parts joined by dots: ``layer1.0`` is the scope ``0`` within the scope ``layer1``.
        kind : str
            What such a block is called, for summaries and diagrams: ``BasicBlock``.

        Yields
        ------
        str
            The scope's whole name.

        Raises
        ------
        CnncliError
            If the name is not a valid one.
        """
        whole = self._prefix + _checked(name)
        if kind:
            self.set_kind(whole, kind)
        outer, self._prefix = self._prefix, f"{whole}."
        try:
            yield whole
        finally:
            self._prefix = outer

    def set_kind(self, scope: str, kind: str) -> None:
        """Set what a scope is called, given by its whole name."""
        self._kinds[scope] = kind
        if scope in self.scopes:
            self.scopes[scope] = kind

    def add(
        self,
        *layers: "Layer",
        inputs: str | Sequence[str] | None = None,
        name: str | None = None,
        names: Sequence[str] = (),
    ) -> str:
        """Add layers, each reading the one before it.

        Parameters
        ----------
        *layers : Layer
            In the order of computation.
        inputs : str or sequence of str
            Inputs of the first one, by their whole names; by default the current output.
        name : str
            Name of the last one within the current scope; by default its kind and a number.
        names : sequence of str
            Names of all of them, instead.

        Returns
        -------
        str
            Whole name of the last one, which becomes the main output of the graph.

        Raises
        ------
        CnncliError
            If a layer does not fit the shape of its input, or a name is unknown or already used.
        """
        sources = (
            (self.output,) if inputs is None else (inputs,) if isinstance(inputs, str) else tuple(inputs)
        )
        chosen: Sequence[str | None] = names or [None] * (len(layers) - 1) + [name]
        if len(chosen) != len(layers):
            raise CnncliError(
                f"{len(layers)} layers have {len(names)} names; expected one for each",
                "Give as many names as layers, or only that of the last.",
            )
        for layer, each in zip(layers, chosen, strict=True):
            short = self._fresh_name(layer) if each is None else _checked(each)
            self._append(layer, sources, self._prefix + short)
            sources = (self.output,)
        return self.output

    def _append(self, layer: "Layer", sources: tuple[str, ...], name: str) -> None:
        if name in self.nodes or name == INPUT:
            raise CnncliError(
                f"two layers are named {name!r}; expected each name once", "Choose another name."
            )
        taken = name if name in self.scopes else next((s for s in scopes_of(name) if s in self.nodes), None)
        if taken is not None:
            raise CnncliError(
                f"{taken!r} is the name of a layer and of a scope; expected a layer or a scope",
                "Choose another name.",
            )
        shapes = tuple(self.shape_of(source) for source in sources)
        if not layer.min_inputs <= len(shapes) <= layer.max_inputs:
            raise CnncliError(
                f"{name} reads {len(shapes)} inputs; expected {layer.min_inputs} to {layer.max_inputs}",
                "Give the names of the layers it reads as inputs.",
            )
        try:
            shape = layer.shape(shapes)
            if not layer.sets_frames:
                shape = shape._replace(frames=_common_frames(shapes))
        except CnncliError as fault:
            raise CnncliError(f"{name}: {fault.message}", fault.hint) from fault
        self._insert(Node(name, layer, sources, shape, shapes))
        self.output = name

    def _insert(self, node: Node) -> None:
        self.nodes[node.name] = node
        for source in dict.fromkeys(node.inputs):
            self._readers.setdefault(source, []).append(node)
        for scope in node.scopes:
            self.scopes.setdefault(scope, self._kinds.get(scope, ""))

    def _fresh_name(self, layer: "Layer") -> str:
        kind = type(layer).__name__.lower()
        kind = f"{kind}_" if kind[-1].isdigit() else kind  # relu6_1
        prefix = f"{self._prefix}{kind}"
        number = self._numbers.get(prefix, 1)
        while (name := f"{prefix}{number}") in self.nodes or name in self.scopes:
            number += 1
        self._numbers[prefix] = number
        return f"{kind}{number}"

    @property
    def outputs(self) -> dict[str, str]:
        """Names of the nodes that the graph computes, by their roles: first the main one, named `MAIN`."""
        return {MAIN: self.output, **self._others}

    def set_output(self, name: str, role: str = MAIN) -> None:
        """Choose the node whose output is that of the graph, or an output of another role.

        Parameters
        ----------
        name : str
            Whole name of the node.
        role : str
            What the output is for, such as ``aux1`` or ``boxes``.

        Raises
        ------
        CnncliError
            If there is no such node, or the role is no valid name.
        """
        self.shape_of(name)
        if role == MAIN:
            self.output = name
        else:
            self._others[_checked(role)] = name

    def output_of(self, role: str) -> str:
        """Name of the node of an output.

        Raises
        ------
        CnncliError
            If there is no output of this role.
        """
        if role not in self.outputs:
            raise CnncliError(
                f"there is no output {role!r}; expected {', '.join(self.outputs)}",
                "Give the role of an output that the network has.",
            )
        return self.outputs[role]

    def head(self, role: str = MAIN) -> str:
        """Name of the layer that an output's numbers come from: the last one before it that has parameters.

        It is what another number of classes changes.

        Raises
        ------
        CnncliError
            If there is no output of this role.
        """
        name = output = self.output_of(role)
        while name != INPUT:
            node = self.nodes[name]
            if node.layer.parameters(node.input_shapes):
                return name
            name = node.inputs[0]
        return output

    def heads(self, role: str = MAIN) -> list[str]:
        """All layers that an output's numbers come from: `head`, and others where values are summed.

        Raises
        ------
        CnncliError
            If there is no output of this role.
        """
        found, rest = list[str](), [self.output_of(role)]
        while rest:
            node = self.nodes.get(rest.pop(0))
            if node is None or node.name in found:
                continue
            if node.layer.parameters(node.input_shapes):
                found.append(node.name)
            else:
                rest += node.inputs
        return found

    def pruned(self, names: Sequence[str]) -> "Graph":
        """The graph of only those nodes that the given ones depend on; its main output is the first.

        Roles of other outputs are left out.
        """
        needed, rest = set(names), list(names)
        while rest:
            node = self.nodes.get(rest.pop())
            found = set(node.inputs) - needed if node else set()
            needed |= found
            rest += found
        kept = Graph(self.input_shape[:3])
        kept._kinds = self._kinds
        for name, node in self.nodes.items():
            if name in needed:
                kept._insert(node)
        kept.set_output(names[0])
        return kept

    def shape_of(self, name: str) -> Shape:
        """Shape of a node's output."""
        if name == INPUT:
            return self.input_shape
        if name not in self.nodes:
            known = ", ".join([INPUT, *self.nodes])
            raise CnncliError(f"there is no layer {name!r}; expected one of {known}", "Add it first.")
        return self.nodes[name].shape

    def readers(self, name: str) -> list[Node]:
        """Nodes that read a node's output."""
        return list(self._readers.get(name, ()))

    @property
    def output_shape(self) -> Shape:
        """Shape of the graph's main output."""
        return self.shape_of(self.output)

    @property
    def frames(self) -> int:
        """The most frames of a sample that are computed one by one; 1 where samples are no clips."""
        return max((node.shape.frames for node in self.nodes.values()), default=1)

    @property
    def multiply_adds(self) -> int:
        """Of the forward pass of one sample."""
        return sum(node.multiply_adds for node in self.nodes.values())


def _common_frames(shapes: Sequence[Shape]) -> int:
    """How many frames the inputs of a layer have: one number for all."""
    counts = {x.frames for x in shapes}
    if len(counts) > 1:
        raise CnncliError(
            f"inputs of {' and '.join(map(str, shapes))}; expected the same number of frames",
            "Join the frames of all branches to clips, or of none.",
        )
    return counts.pop()


def _checked(name: str) -> str:
    """A name of a layer, scope or output, refused if it is not one."""
    if not _NAME.fullmatch(name):
        raise CnncliError(
            f"{name!r} is no name; expected letters, digits, _ and -, in parts joined by dots",
            "Choose a name such as conv1 or layer1.0.",
        )
    return name
