"""Memory: what the system says is left."""

import subprocess
import sys

import pytest

from cnncli.core.available import available_memory

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


def test_a_limit_of_the_address_space_counts():
    code = "from cnncli.core.available import available_memory; print(available_memory())"
    limited = f"ulimit -v 2000000 && exec {sys.executable} -c '{code}'"
    out = subprocess.run(["bash", "-c", limited], check=True, capture_output=True, text=True).stdout
    assert 0 < int(out) < 2_000_000 * 1024
