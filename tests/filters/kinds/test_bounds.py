"""Loops of filters without kernels stay within their arrays."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent
GUARDED = "import runpy; runpy.run_module('guarded_windows', run_name='__main__', alter_sys=False)"


@pytest.mark.parametrize(
    "ways",
    [
        ("median-3", "median-5", "median-7"),
        ("grid", "weighted-3", "weighted-9"),
        ("median-13", "median-15", "bilateral"),
        ("canny", "zero-crossings"),
        ("clahe", "add", "multiply", "blend", "gamma:2", "equalize", "normalize", "adaptive"),
        ("flop", "half", "transpose", "right", "left"),
        ("enlarge-2", "enlarge-6", "shrink", "rotate-1", "rotate-2", "rotate-4"),
        ("erode:3", "dilate:5", "erode:15", "dilate:disk:4"),
        ("erode:line:9:30", "open:5", "tophat:disk:3", "morph-gradient:9"),
    ],
)
def test_loops_stay_within_their_arrays(python, ways):
    done = python(GUARDED, *ways, path=[HERE.parent], check=False)
    last = (done.stdout.splitlines() or ["nothing"])[-1]
    assert done.returncode == 0, f"{last}\n{done.stderr}"
    assert last == f"{len(ways) * 64} cases"
