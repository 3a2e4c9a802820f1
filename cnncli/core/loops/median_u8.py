"""Medians of bytes by networks."""

from cnncli.core import jobs
from cnncli.core.loops.exchange import BYTE
from cnncli.core.loops.median_network import copying_loop

JOB = jobs.MEDIAN
loop = copying_loop(BYTE)
