"""Smallest and largest values under flat structuring elements in float32, for any types in memory."""

from cnncli.core import jobs
from cnncli.core.loops.morphology import float_loop

JOB = jobs.MORPHOLOGY
loop = float_loop()
