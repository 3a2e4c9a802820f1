"""What a network makes of an image: the feature maps of its layers, and the kernels it has learned."""

from cnncli.views.featuremaps.kernels import kernel_sections, learned_arrays
from cnncli.views.featuremaps.maps import LayerMaps, layer_maps, map_sections

__all__ = ["LayerMaps", "kernel_sections", "layer_maps", "learned_arrays", "map_sections"]
