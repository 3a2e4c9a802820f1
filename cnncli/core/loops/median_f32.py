"""Medians by networks in float32, for any types in memory."""

from cnncli.core import jobs
from cnncli.core.loops.median_network import floating_loop

JOB = jobs.MEDIAN
loop = floating_loop()
