"""Figures of lines, areas, words and pictures, which become SVG, PNG or PDF.

``scene`` holds what there is to see, in pixels of 1/96 inch; ``svg``, ``png`` and ``pdf`` each write it.
"""
