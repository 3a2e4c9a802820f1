"""``python -m cnncli.core.precompile NAME...``: compile native functions in a process of their own."""

import gc
import sys

from cnncli.core.native import compile_free

if __name__ == "__main__":
    gc.disable()  # a tenth of the time; the process ends before its garbage matters
    compile_free(sys.argv[1:])
