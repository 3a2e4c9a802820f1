"""The page on which a convolution is explored: its numbers can be changed, and what follows is seen at once.

``runs`` says what a page is given; ``filters`` writes filters as scripts have them. The scripts are files
beside these, by what they do: ``kernels``, ``borders``, ``responses`` and ``mapping`` are the command's own
forward pass once more; ``windows``, ``work`` and ``edges`` the arithmetic of one window; the others what is
seen.
"""

from cnncli.views.explore.convolve.page import convolution_page
from cnncli.views.explore.convolve.runs import Choice, Shown

__all__ = ["Choice", "Shown", "convolution_page"]
