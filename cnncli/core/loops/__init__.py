"""Bodies of native functions. Each module compiles to one object file; importing it imports Numba."""
