"""Box filters of bytes whose sums need 32 bits, those of high or very wide boxes down to columns."""

from llvmlite import ir

from cnncli.core import jobs
from cnncli.core.loops.byte_sums import sliding_loop

JOB = jobs.BOX
loop = sliding_loop(ir.IntType(32), ir.IntType(32))
