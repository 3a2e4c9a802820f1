"""Box filters of bytes whose sums need 32 bits, but over some columns fit 16."""

from llvmlite import ir

from cnncli.core import jobs
from cnncli.core.loops.byte_sums import sliding_loop

JOB = jobs.BOX
loop = sliding_loop(ir.IntType(16), ir.IntType(32))
