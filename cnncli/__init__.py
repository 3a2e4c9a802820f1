"""Filter images from the shell and train convolutional networks without a framework."""

__version__ = "0.1.0"
