"""Layer 3: models: networks by name, and from strings.

From the value of ``-m`` to a graph::

    from cnncli.models.choice import architecture, build
    from cnncli.models.summary import summary

    graph = build("compact", (28, 28, 1), 10, seed=0)
    graph = build("conv32 relu conv64 relu pool fc128 relu dropout0.5 fc", (28, 28, 1), 10, seed=0)
    graph = build("googlenet:aux", (224, 224, 3), 1000)

    plan = architecture("auto", (28, 28, 1), 10)   # what a checkpoint stores: plan.name, plan.layout
    graph = plan.graph()                           # from the layout: no module of a family is needed

    table = summary(graph, batch=128)              # table.layers, table.parameters, table.multiply_adds, …

`catalog.MODELS` lists the named models, a family a file; `grammar` documents the strings.
"""
