"""Modules that hold a loop that no process could run without Numba."""

import math
from types import SimpleNamespace

import numpy as np

from cnncli.core.simd import record, store_i64

JOB = np.dtype([("out", "i8"), ("number", "f8")], align=True)


def allocates(job_pointer, scratch, lo, hi):
    store_i64(record(job_pointer).out, len(np.zeros(hi)))


def raises(job_pointer, scratch, lo, hi):
    if hi > lo:
        raise ValueError("hi")


def calls_out(job_pointer, scratch, lo, hi):
    store_i64(record(job_pointer).out, int(math.gamma(record(job_pointer).number)))


def module(loop):
    return SimpleNamespace(JOB=JOB, loop=loop)
