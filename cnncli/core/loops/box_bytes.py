"""Box filters of bytes whose sums fit 16 bits."""

from llvmlite import ir

from cnncli.core import jobs
from cnncli.core.loops.byte_sums import sliding_loop

JOB = jobs.BOX
loop = sliding_loop(ir.IntType(16), ir.IntType(16))
