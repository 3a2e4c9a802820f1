"""``python -m cnncli.core.precompile NAME...``: compile native functions in a process of their own."""

import sys

from cnncli.core.native import native_function

if __name__ == "__main__":
    for name in sys.argv[1:]:
        native_function(name)
