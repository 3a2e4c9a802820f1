"""The attribution methods by their names."""

from __future__ import annotations

from cnncli.attribution import gradcam, guided, integrated, occlusion, saliency, smoothgrad
from cnncli.attribution.model import Method
from cnncli.nn import Graph

METHODS: dict[str, Method] = {
    "gradcam": Method(
        "where the maps of the last convolution speak for a class",
        "Maps of a deep layer are coarse: a position stands for a large part of the image. They are "
        "stretched over all of it, as by the authors: where convolutions have no padding, outer positions "
        "lie too far out.",
        gradcam.attribute,
        lacks=gradcam.lacks,
    ),
    "saliency": Method(
        "the gradient of a class's output with respect to each pixel",
        "Where a brighter pixel would raise the output (orange) or lower it (blue); noisy by nature.",
        saliency.attribute,
        of_gradients=True,
    ),
    "smoothgrad": Method(
        "the mean gradient of noisy copies of the image",
        "As saliency, with noise averaged out.",
        smoothgrad.attribute,
        of_gradients=True,
    ),
    "guided": Method(
        "guided backpropagation, which looks sharp but hardly depends on the weights",
        "Known weakness: it hardly depends on what the network has learned (Adebayo et al., 2018), and shows "
        "edges whatever the class.",
        guided.attribute,
        of_gradients=True,
    ),
    "integrated": Method(
        "integrated gradients: what each pixel adds, from a baseline to the image",
        "All values add up to the output less that of the baseline.",
        integrated.attribute,
    ),
    "occlusion": Method(
        "how far a class's output falls where the image is covered",
        "Orange where covering the image lowers the output, blue where it raises it.",
        occlusion.attribute,
    ),
}


def usable(graph: Graph) -> tuple[dict[str, Method], dict[str, str]]:
    """The methods that can be used with a network, and of the others why not."""
    reasons = {name: reason for name, method in METHODS.items() if (reason := method.lacks(graph))}
    return {name: method for name, method in METHODS.items() if name not in reasons}, reasons
