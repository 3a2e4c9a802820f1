"""The views of ``cnncli featuremaps``, by their names."""

from cnncli.views.featuremaps import filters, maps
from cnncli.views.featuremaps.model import View

#: A view is a module of this folder whose ``draw`` stands here.
VIEWS: dict[str, View] = {
    "maps": View(
        "what layers compute from the image", "Feature maps of {}", maps.draw, runs=True, explored=True
    ),
    "filters": View(
        "the kernels that layers have learned",
        "Learned kernels of {}",
        filters.draw,
        has=filters.has_kernels,
        noun="layer with kernels",
        pictured=False,
        explored=True,
    ),
}
