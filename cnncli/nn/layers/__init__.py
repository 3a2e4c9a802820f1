"""Layers, one family a file: each with its shapes, its parameters, and its passes, forward and backward."""
