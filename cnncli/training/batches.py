"""How many images a step takes, and which steps nothing could be learned from."""

from cnncli.errors import OptionError
from cnncli.nn import BatchNorm, Graph


def whole_steps_only(graph: Graph, images: int, batch: int, *, frozen: bool) -> bool:
    """Tell whether the last images of an epoch, too few for a batch, are left out.

    Fewer than half a batch would be a step of noise. One image alone is none for a batch norm behind which
    a picture is 1x1: its mean is the image itself, and all that comes out is the bias. PyTorch refuses it,
    too ("Expected more than 1 value per channel when training").

    Parameters
    ----------
    graph : Graph
        The network.
    images : int
        For training.
    batch : int
        Images of a step.
    frozen : bool
        Only the head is trained: norms use the statistics that they have.

    Raises
    ------
    OptionError
        Where every step would be of one such image.
    """
    alone = None if frozen else _norm_of_points(graph)
    if batch == 1 and alone is not None:
        raise OptionError(
            f"a batch of 1 image gives {alone} one value a channel, whose deviation is 0: nothing before it "
            "can be learned; expected batches of 2 or more",
            "Give a larger --batch-size, or leave bn out of the model.",
        )
    rest = images % batch
    return 0 < rest < batch / 2 or (rest == 1 and alone is not None)


def _norm_of_points(graph: Graph) -> str | None:
    """The first batch norm whose input has one row and one column."""
    for name, node in graph.nodes.items():
        if isinstance(node.layer, BatchNorm) and node.input_shapes[0][:2] == (1, 1):
            return name
    return None
