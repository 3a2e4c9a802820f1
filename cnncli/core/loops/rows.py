"""Addresses of a job's tensors."""

from numba import njit

from cnncli.core.nn_jobs import LOCAL

inline = njit(error_model="numpy", forceinline=True)


@inline
def place(address, chunk_pitch, scratch, chunk):
    """Address of a tensor's first image in a chunk."""
    return scratch + address if chunk_pitch == LOCAL else address + chunk * chunk_pitch
