"""Layer 3: models: networks by name, and from strings.

From the value of ``-m`` to a graph::

    from cnncli.models import architecture, build, summary

    graph = build("compact", (28, 28, 1), 10, seed=0)
    graph = build("conv32 relu conv64 relu pool fc128 relu dropout0.5 fc", (28, 28, 1), 10, seed=0)

    plan = architecture("auto", (28, 28, 1), 10)   # what a checkpoint stores: plan.name, plan.layers
    graph = plan.graph(seed=0)

    table = summary(graph, batch=128)              # table.layers, table.parameters, table.multiply_adds, …

`catalog.MODELS` lists the named models, `grammar` documents the strings.
"""

from cnncli.models.catalog import MODELS, Architecture, architecture, build, check_model
from cnncli.models.summary import LayerRow, Summary, summary

__all__ = ["MODELS", "Architecture", "LayerRow", "Summary", "architecture", "build", "check_model", "summary"]
