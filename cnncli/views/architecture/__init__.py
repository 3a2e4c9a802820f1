"""Figures of networks, drawn from their graphs.

``sheet`` and ``cards`` say what is shown, ``layout`` where; ``stacks`` and ``flow`` are the two styles;
``page`` puts them on a page, under a heading; ``draw`` does all of it.
"""
