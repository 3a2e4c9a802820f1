"""Memory: what the system says is left, what a run takes, and what is refused."""

import numpy as np
import pytest

from cnncli.errors import OptionError
from cnncli.models import build
from cnncli.training.capacity import available_memory, check_weights, run_memory

MACHINE = "MemTotal:       4000 kB\nMemFree:         100 kB\nMemAvailable:   3000 kB\n"


@pytest.fixture
def system(tmp_path):
    """Write what a system says of itself: ``system({"proc/meminfo": "…"})``."""

    def write(files):
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return tmp_path

    return write


@pytest.mark.parametrize(
    ("files", "left"),
    [
        ({}, None),
        ({"proc/meminfo": MACHINE}, 3000 * 1024),
        ({"proc/meminfo": "MemTotal: 4000 kB\n"}, None),
        (
            {
                "proc/meminfo": MACHINE,
                "proc/self/cgroup": "0::/a/b\n",
                "sys/fs/cgroup/a/memory.max": "900000\n",
                "sys/fs/cgroup/a/memory.current": "500000\n",
                "sys/fs/cgroup/a/memory.stat": "anon 400000\ninactive_file 70000\n",
                "sys/fs/cgroup/a/b/memory.max": "max\n",
                "sys/fs/cgroup/a/b/memory.current": "500000\n",
            },
            470_000,
        ),
        (
            {
                "proc/meminfo": MACHINE,
                "proc/self/cgroup": "5:cpu:/c\n4:hugetlb,memory:/c\n",
                "sys/fs/cgroup/hugetlb,memory/c/memory.limit_in_bytes": "100\n",
                "sys/fs/cgroup/hugetlb,memory/c/memory.usage_in_bytes": "300\n",
            },
            0,
        ),
    ],
)
def test_what_is_left(system, files, left):
    assert available_memory(system(files)) == left


def test_weights_that_no_machine_holds():
    graph = build("conv8192k255 conv8192k255 fc", (28, 28, 1), 10)
    with pytest.raises(OptionError, match=r"batches of 64 takes .* GB of memory; expected at most the .* GB"):
        check_weights(graph, 64)
    check_weights(build("compact", (28, 28, 1), 10), 64)


def test_a_run_takes_its_pictures_and_its_batches(session, tmp_path):
    small, large = (
        session(output=tmp_path / str(size), batch_size=size, model="conv64 bn relu gap fc")
        for size in (1, 32)
    )
    kept = 10 * 10 * 64 * 4 * 31  # a batch norm wants the whole batch in memory
    taken = [run_memory(each.trainer, each.dataset) for each in (small, large)]
    assert taken[1] > taken[0] + 2 * kept
    assert taken[0] > sum(split.images.nbytes for split in (small.dataset.train, small.dataset.test))


def test_memory_grows_with_the_pictures(session, tmp_path):
    taken = []
    for side in (10, 40):
        images = np.zeros((60, side, side), np.uint8)
        np.savez(tmp_path / f"{side}.npz", x=images, y=np.arange(60) % 2)
        run = session(output=tmp_path / str(side), dataset=str(tmp_path / f"{side}.npz"))
        taken.append(run_memory(run.trainer, run.dataset))
    assert taken[1] - taken[0] > 60 * (40 * 40 - 10 * 10)
