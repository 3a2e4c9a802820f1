"""Layer 1: compiled loops over raw arrays. The only importer of numba and llvmlite."""
