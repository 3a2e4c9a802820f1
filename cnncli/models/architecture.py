"""What a checkpoint stores to rebuild a network."""

from dataclasses import dataclass
from typing import Any

from cnncli.checked import Fields, MalformedError
from cnncli.errors import CnncliError, OptionError
from cnncli.nn import Graph
from cnncli.nn.exchange import from_dict

Shape = tuple[int, int, int]
IMPORTED = "imported"  # name of networks from elsewhere, which are their layout alone


@dataclass(frozen=True)
class Architecture:
    """Everything needed to rebuild a network.

    Attributes
    ----------
    name : str
        One of `MODELS`, with its options, or ``custom`` for a string.
    layers : str or None
        The string of a sequential network.
    input_shape : (H, W, C)
        Of one image.
    classes : int
        Number of outputs.
    layout : dict or None
        The graph, as written by `cnncli.nn.exchange`. Checkpoints of the first release have none: for
        them it is built from ``layers``, or as that release built ``name``.
    """

    name: str
    layers: str | None
    input_shape: Shape
    classes: int
    layout: dict[str, Any] | None = None

    def graph(self, *, seed: int = 0) -> Graph:
        """The network's layers.

        Parameters
        ----------
        seed : int
            Seed of dropout, if there is no layout.

        Raises
        ------
        OptionError
            If they do not fit the input shape.
        MalformedError
            If the layout is damaged, or belongs to another input shape or number of classes.
        """
        if self.layout is None:
            return self._of_the_first_release(seed)
        graph = from_dict(Fields(self.layout, "layout"))
        if graph.input_shape[:3] != self.input_shape or graph.output_shape.channels != self.classes:
            raise MalformedError("input or output of its layers does not match its preprocessing and classes")
        return graph

    def _of_the_first_release(self, seed: int) -> Graph:
        if self.layers is not None:
            from cnncli.models.grammar import parse

            return parse(self.layers, self.input_shape, self.classes, seed=seed)
        from cnncli.models.first_release import BUILDERS

        if self.name not in BUILDERS:
            raise MalformedError(f"there is no model {self.name!r}, and its layers are not in the file")
        try:
            return BUILDERS[self.name](self.input_shape, self.classes)
        except CnncliError as fault:
            raise OptionError(f"{self.name} does not fit its images: {fault.message}", fault.hint) from fault


def for_classes(known: Architecture, input_shape: Shape, classes: int) -> Architecture:
    """The same layers for another number of classes: the head has as many outputs.

    Raises
    ------
    OptionError
        Where the layers are for other images, or what follows the head is for its number of outputs alone.
    """
    if known.input_shape != input_shape:
        before, now = ("x".join(map(str, each)) for each in (known.input_shape, input_shape))
        raise OptionError(
            f"the imported network takes images of {before}; expected {now}, the data's",
            "Leave --size, --gray and --color out.",
        )
    head = known.graph().head()
    layout: dict[str, Any] = {**(known.layout or {})}
    sizes = {"linear": "out_features", "conv": "out_channels", "convtranspose": "out_channels"}
    layout["layers"] = [
        {**each, sizes[each["kind"]]: classes} if each["name"] == head and each["kind"] in sizes else each
        for each in layout["layers"]
    ]
    made = Architecture(known.name, None, input_shape, classes, layout)
    try:
        made.graph()
    except (MalformedError, CnncliError) as fault:
        raise OptionError(
            f"the imported network cannot be given {classes} classes: {fault}",
            f"Train it for {known.classes} classes, or another network.",
        ) from fault
    return made
