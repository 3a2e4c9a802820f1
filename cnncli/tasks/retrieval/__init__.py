"""Content-based image retrieval: images as vectors, galleries of them on disk, and how good a search is.

An image is *embedded*: it becomes a vector of length 1, so that the dot product of two vectors is the cosine
of their angle. Their *distance* is 1 minus that: 0 for copies, 1 for images that have nothing in common.
"""
