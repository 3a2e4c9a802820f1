"""Where memory begins; and that freed memory stays, so that asking again costs no page faults."""

import sys

import numpy as np
import pytest

from cnncli.core.heap import address_of, aligned_empty

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


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("shape", [(1, 1, 1), (7, 5, 3), (500, 333, 4)])
def test_an_array_begins_on_a_cache_line(shape, dtype):
    array = aligned_empty(shape, dtype)
    assert (array.shape, array.dtype, array.ctypes.data % 64) == (shape, dtype, 0)
    assert array.flags.c_contiguous
    assert array.flags.writeable


@pytest.mark.parametrize("writes", [True, False])
@pytest.mark.parametrize("shape", [(1,), (1, 1, 1, 1), (7, 5, 3)])
def test_an_address_is_that_of_the_first_element(shape, writes):
    whole = np.zeros((3, *shape), np.float32)
    whole.flags.writeable = writes
    for part in (whole, whole[1:], whole[2], whole[::-2], whole.T):
        assert address_of(part) == part.ctypes.data


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="an option of glibc")
def test_freed_memory_is_used_again(python):
    taken, kept = (int(python(CODE, how).stdout) for how in ("leave", "keep"))
    assert kept < 3 * 3_000_000 // 4096 * 2 < taken
