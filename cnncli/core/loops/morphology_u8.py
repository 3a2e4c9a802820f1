"""Smallest and largest values of bytes under flat structuring elements."""

from cnncli.core import jobs
from cnncli.core.loops.exchange import BYTE
from cnncli.core.loops.morphology import integer_loop

JOB = jobs.MORPHOLOGY
loop = integer_loop(BYTE)
