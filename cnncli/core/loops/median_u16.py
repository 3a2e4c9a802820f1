"""Medians of 16-bit words by networks."""

from cnncli.core import jobs
from cnncli.core.loops.exchange import WORD
from cnncli.core.loops.median_network import copying_loop

JOB = jobs.MEDIAN
loop = copying_loop(WORD)
