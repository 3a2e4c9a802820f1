"""Pages that are explored in a browser: one file each, without a network.

``frame`` is what every such page stands in. A page's scripts and styles are files beside the Python.
"""
