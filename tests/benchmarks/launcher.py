"""Starts processes and says what they took; runs in a small process of its own.

A process's largest memory begins with that of the one which started it, so a benchmark that holds
large arrays cannot measure the memory of small commands itself. Reads JSON lines
``{"argv", "env", "cwd", "stderr"}``, answers ``{"status", "wall", "cpu", "memory"}``.
"""

import json
import os
import sys
from time import perf_counter


def cost_of(request):
    """Run one process to its end."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    errors = os.open(request["stderr"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.chdir(request["cwd"])
    files = [(os.POSIX_SPAWN_DUP2, nowhere, 0), (os.POSIX_SPAWN_DUP2, nowhere, 1)]
    files.append((os.POSIX_SPAWN_DUP2, errors, 2))
    argv = request["argv"]
    start = perf_counter()
    child = os.posix_spawn(argv[0], argv, request["env"], file_actions=files)
    _, status, used = os.wait4(child, 0)
    wall = perf_counter() - start
    os.close(nowhere)
    os.close(errors)
    memory = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    cpu = used.ru_utime + used.ru_stime
    return {"status": os.waitstatus_to_exitcode(status), "wall": wall, "cpu": cpu, "memory": memory}


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(cost_of(json.loads(line))), flush=True)
