"""Smallest and largest values of words of 16 bits under flat structuring elements."""

from cnncli.core import jobs
from cnncli.core.loops.exchange import WORD
from cnncli.core.loops.morphology import integer_loop

JOB = jobs.MORPHOLOGY
loop = integer_loop(WORD)
