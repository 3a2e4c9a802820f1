"""The views of ``cnncli featuremaps``, by their names."""

from cnncli.attribution.methods import METHODS
from cnncli.views.featuremaps import (
    attribution,
    backprop,
    filters,
    history,
    maps,
    maximize,
    overview,
    patches,
    sanity,
)
from cnncli.views.featuremaps.model import View, of_stages

#: A view is a module of this folder whose ``draw`` stands here.
VIEWS: dict[str, View] = {
    "maps": View(
        "what layers compute from the image",
        "Feature maps of {}",
        maps.draw,
        usual=overview.overview,
        runs=True,
        explored=True,
    ),
    "filters": View(
        "the kernels that layers have learned",
        "Learned kernels of {}",
        filters.draw,
        has=filters.has_kernels,
        noun="layer with kernels",
        usual=filters.overview,
        pictured=False,
        explored=True,
    ),
    "backprop": View(
        "the gradient of the loss at each stage, beside the maps",
        "The way back through {}",
        backprop.draw,
        usual=of_stages,
    ),
    "patches": View(
        "what excites units most in the images of --data",
        "Patches that excite units of {}",
        patches.draw,
        usual=of_stages,
        pictured=False,
    ),
    "maximize": View(
        "inputs made to excite units",
        "What excites units of {}",
        maximize.draw,
        usual=of_stages,
        pictured=False,
    ),
    "gradcam": View(
        METHODS["gradcam"].about,
        "Grad-CAM of {}",
        attribution.drawing_by("gradcam"),
        has=attribution.has_maps,
        noun="layer with maps of more than one pixel",
        usual=attribution.usual_layer,
    ),
    "saliency": View(METHODS["saliency"].about, "Saliency of {}", attribution.drawing_by("saliency")),
    "smoothgrad": View(METHODS["smoothgrad"].about, "SmoothGrad of {}", attribution.drawing_by("smoothgrad")),
    "guided": View(METHODS["guided"].about, "Guided backpropagation of {}", attribution.drawing_by("guided")),
    "integrated": View(
        METHODS["integrated"].about, "Integrated gradients of {}", attribution.drawing_by("integrated")
    ),
    "occlusion": View(METHODS["occlusion"].about, "Occlusion of {}", attribution.drawing_by("occlusion")),
    "sanity": View(
        "whether attributions depend on what the network has learned",
        "Attributions of {} while its layers forget",
        sanity.draw,
    ),
    "history": View(
        "how features are learned, epoch by epoch, of a run with --record-features",
        "How {} learns",
        history.draw,
        pictured=False,
        of_run=True,
    ),
}
