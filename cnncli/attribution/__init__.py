"""What in an image made a network answer as it did: a method a module, all of them in `methods.METHODS`.

Legend: H, W, C are those of the network's input. A heatmap is signed: above 0 speaks for the class, below 0
against it.
"""
