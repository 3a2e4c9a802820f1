"""What a convolution does, as a page to read or an animation to watch.

``draw_explanation`` and ``animate_explanation`` take a filter's real run and show the image, the
filter, windows multiplied out to a pixel, and the feature map.
"""

from cnncli.views.explain.film import animate_explanation
from cnncli.views.explain.model import Explanation
from cnncli.views.explain.page import draw_explanation
from cnncli.views.explain.places import choose_places

__all__ = ["Explanation", "animate_explanation", "choose_places", "draw_explanation"]
