"""The learning rate that suits a network: deep ones without batch norms die at what suits others.

Sources: Krizhevsky et al. 2012 and Simonyan and Zisserman 2014 begin at 0.01 with SGD, where He et al. 2015,
with batch norms, begin at 0.1. The share here was measured with AdamW.
"""

from cnncli.nn import INPUT, BatchNorm, Graph
from cnncli.training.options import TrainOptions

_DEEP = 8  # layers with weights, as in AlexNet; LeNet-5 has 5
_SHARE = 0.2  # of the usual rate


def suited(settled: TrainOptions, graph: Graph) -> tuple[TrainOptions, tuple[str, ...]]:
    """Settled options whose learning rate nobody gave, with the one that suits a network.

    Returns
    -------
    options : TrainOptions
        The same where the network has batch norms or less than eight layers in a row.
    notes : tuple of str
        What was changed and why.
    """
    deep = layers_in_a_row(graph)
    if deep < _DEEP or any(isinstance(node.layer, BatchNorm) for node in graph.nodes.values()):
        return settled, ()
    usual = settled.lr or 0.0
    lower = float(f"{_SHARE * usual:.2g}")
    note = f"learning rate {lower:g} instead of {usual:g}, as {deep} layers in a row have no batch norm"
    return settled.at(lr=lower), (note,)


def layers_in_a_row(graph: Graph) -> int:
    """Layers with weights on the longest way from the input."""
    depths = {INPUT: 0}
    for name, node in graph.nodes.items():
        depths[name] = max(depths[each] for each in node.inputs) + bool(node.weight_count)
    return max(depths.values())
