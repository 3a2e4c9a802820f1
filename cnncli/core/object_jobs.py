"""Records of the loops about objects in images: their outlines, overlaps, matches, suppression and pixels.

Legend: a *mask* is its runs of pixels, column by column; boxes are x0, y0, x1, y1 in pixels. Addresses are of
int64 or float64 unless said.
"""

import numpy as np

# Where outlines of polygons cross the columns of an image, 5 steps a pixel.
POLYGON_EDGES = np.dtype(
    [
        ("points", "i8"),  # address of float64 pairs x, y
        ("first", "i8"),  # of each polygon, its first point; one more than there are polygons
        ("sizes", "i8"),  # of each polygon, height and width of its image
        ("places", "i8"),  # of each polygon, where its crossings go in …
        ("crossings", "i8"),  # … this: positions of pixels
        ("counts", "i8"),  # written: how many each polygon has
    ],
    align=True,
)

# Pixels that two masks have in common, for pairs of them.
MASK_OVERLAP = np.dtype(
    [
        ("starts", "i8"),  # of each run, its first pixel …
        ("ends", "i8"),  # … and the one after its last
        ("first", "i8"),  # of each mask, its first run; one more than there are masks
        ("one", "i8"),  # of each pair, the masks
        ("other", "i8"),
        ("common", "i8"),  # written: pixels
    ],
    align=True,
)

# Detections of a group (an image and a class) given to its objects, the surest detection first.
MATCH = np.dtype(
    [
        ("detections", "i8"),  # of each group, its first detection; one more than there are groups
        ("objects", "i8"),  # likewise its first object
        ("overlaps", "i8"),  # address of float64: of each group detections x objects …
        ("places", "i8"),  # … where those of a group begin
        ("crowd", "i8"),  # address of bytes: of each object whether many detections may be of it
        ("ignored", "i8"),  # address of bytes, ranges x objects: it neither counts nor do those of it
        ("thresholds", "i8"),  # address of float64
        ("threshold_count", "i8"),
        ("range_count", "i8"),
        ("detection_count", "i8"),
        ("object_count", "i8"),
        ("found", "i8"),  # written, bytes, ranges x thresholds x detections: a value of FOUND
    ],
    align=True,
)
FOUND = {"nothing": 0, "object": 1, "ignored": 2}

# Boxes, the surest first within their group, of which those stay that no box that stays overlaps.
SUPPRESS = np.dtype(
    [
        ("edges", "i8"),  # address of float32, 5 rows: x0, y0, x1, y1, area …
        ("pitch", "i8"),  # … bytes from row to row
        ("boxes", "i8"),  # address of float64, 4 for each box
        ("first", "i8"),  # of each group, its first box; one more than there are groups
        ("threshold", "f8"),  # overlap above which a box goes
        ("slack", "f4"),  # the threshold's factor in float32, a little less
        ("kept", "i8"),  # written, bytes: 1 for boxes that stay
        (
            "longest",
            "i8",
        ),  # places of the largest group: of its boxes, and up to a vector more for each strip
        ("strips", "i8"),  # into which the left edges of boxes fall
        ("spans", "i8"),  # of each box its strip, and the first and last in which one may overlap it too much
        ("starts", "i8"),  # of each group, the places at which its strips begin, and the end of the last
    ],
    align=True,
)

# Pixels by their class and the one that they are taken for.
CONFUSIONS = np.dtype(
    [
        ("values", "i8"),  # address of float32: of each sample, of each pixel, one for each class
        (
            "labels",
            "i8",
        ),  # of each sample, of each pixel its class; others than 0 to classes - 1 do not count
        ("counts", "i8"),  # added to: of each sample, classes x classes
        ("pixels", "i8"),  # of a sample
        ("classes", "i8"),
    ],
    align=True,
)
