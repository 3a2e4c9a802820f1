"""That limits are limits: peaks did all that they claim, and goals beyond them give way."""

import numpy as np
import pytest

from cnncli.core.heap import aligned_empty

from . import limits, peak_loops, report
from .model import Case, Contest, Cost, Goal, Limit
from .timing import measure_case


def test_the_peak_does_every_multiply_add():
    # Chain c starts at c, and goes TURNS times from x to x f + f.
    scratch = aligned_empty((peak_loops.CHAINS, limits.native.processor()[3].lanes), np.float32)
    scratch[:] = limits.FACTOR
    limits.compiled()(np.zeros(1, peak_loops.JOB).ctypes.data, scratch.ctypes.data, 0, 1)
    x, factor = np.arange(peak_loops.CHAINS, dtype=np.float32), np.float32(limits.FACTOR)
    for _ in range(peak_loops.TURNS):
        x = (x.astype(np.float64) * factor + factor).astype(np.float32)
    assert len(set(x)) == peak_loops.CHAINS
    assert np.allclose(scratch, x[:, None], rtol=1e-4)


@pytest.mark.parametrize("way", [peak_loops.COPY, peak_loops.STREAM])
@pytest.mark.parametrize(("reads", "writes"), [(2, 2), (3, 1), (1, 3)])
def test_what_is_moved_is_moved(rng, way, reads, writes):
    size = peak_loops.PIECE // 4
    source, target = (aligned_empty((count * size,), np.float32) for count in (reads, writes))
    source[:], target[:] = rng.standard_normal(len(source)), 0
    scratch = aligned_empty((peak_loops.CHAINS, limits.native.processor()[3].lanes), np.float32)
    job = np.zeros(1, peak_loops.JOB)
    job["way"], job["reads"], job["writes"] = way, reads, writes
    job["source"], job["target"] = source.ctypes.data, target.ctypes.data
    limits.compiled()(job.ctypes.data, scratch.ctypes.data, 0, max(reads, writes))
    both = min(reads, writes) * size
    assert np.array_equal(target[:both], source[:both])
    assert (target[both:] == 1).all()
    if reads > writes:
        last = source[-size:]
        assert scratch[: peak_loops.GROUP].sum() == pytest.approx(last.sum(), abs=1e-2)


def row(goal, *, limit):
    contest = Contest(
        lambda: Cost(0.01, 1), {"peer": lambda: Cost(0.02, 1)}, limit=lambda: Limit(limit, "because")
    )
    return measure_case(Case("group", "work", "", goal, lambda: contest), seconds=0, least=3)


def test_a_goal_beyond_the_limit_becomes_nine_tenths_of_it():
    within, beyond = row(Goal(3), limit=0.004), row(Goal(3), limit=0.008)
    assert (within.goal, within.verdict) == (Goal(3), "short")
    assert (beyond.goal.ratio, beyond.verdict) == (pytest.approx(0.9 * 20 / 8), "short")
    assert row(Goal(3), limit=0.0099).verdict == "ok"
    assert row(Goal(2, 0.005), limit=0.0099).goal == Goal(pytest.approx(0.9 * 20 / 9.9), 0.0099 / 0.9)
    assert "goal 2.25x = 0.9 * 20 ms / 8 ms, not 3x" in report.line(beyond)
    assert "limit 8 ms: because; ours 80%" in report.line(beyond)
    assert "| work | 2.0x peer (10 ms, 80%) | 2.25x = 0.9 * 20 ms / 8 ms, not 3x |" in report.as_markdown(
        [beyond], {}
    )
