"""Freed memory stays, so that asking again costs no page faults."""

import sys

import pytest

CODE = """
import resource, sys, threading
import numpy as np
from cnncli.core.heap import keep_freed_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def images():
    for _ in range(50):
        pictures = [np.ones(3_000_000, np.uint8) for _ in range(3)]
        del pictures

if sys.argv[1] == "keep":
    keep_freed_memory()
images()
before = faults()
thread = threading.Thread(target=images)
thread.start()
thread.join()
print(faults() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="an option of glibc")
def test_freed_memory_is_used_again(python):
    taken, kept = (int(python(CODE, how).stdout) for how in ("leave", "keep"))
    assert kept < 3 * 3_000_000 // 4096 * 2 < taken
