"""How much memory is available."""

from collections.abc import Iterator
from pathlib import Path


def available_memory(root: Path = Path("/")) -> int | None:
    """Bytes that this process can still allocate: the machine's, limited by the cgroup and `ulimit -v`.

    Returns
    -------
    int or None
        None if the system does not tell.
    """
    known = [
        *_machine_memory(root / "proc/meminfo"),
        *_cgroup_memory(root),
        *_process_memory(root / "proc/self/statm"),
    ]
    return min(known, default=None)


def _machine_memory(file: Path) -> Iterator[int]:
    for line in _lines(file):
        if line.startswith("MemAvailable:"):
            yield int(line.split()[1]) * 1024


def _cgroup_memory(root: Path) -> Iterator[int]:
    """What remains of the limits of the process's cgroup and of those above it."""
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        names = (
            ("memory.limit_in_bytes", "memory.usage_in_bytes")
            if controllers
            else ("memory.max", "memory.current")
        )
        base = root / "sys/fs/cgroup" / controllers
        group = base / path.lstrip("/")
        for folder in (group, *group.parents):
            limit, used = (_lines(folder / name) for name in names)
            if limit and used and limit[0].isdecimal():
                yield max(0, int(limit[0]) - int(used[0]) + _reclaimable(folder))
            if folder == base:
                break


def _process_memory(file: Path) -> Iterator[int]:
    """What remains of the process's limit on its address space."""
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY:
        for line in _lines(file):
            yield max(0, limit - int(line.split()[0]) * resource.getpagesize())


def _reclaimable(folder: Path) -> int:
    """Bytes of cached files, which the system frees when memory is needed."""
    return sum(
        int(line.split()[1]) for line in _lines(folder / "memory.stat") if line.startswith("inactive_file ")
    )


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except OSError:
        return []
