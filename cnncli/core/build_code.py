"""Compile all loops for the processors that a wheel is to carry machine code for.

Of the build (``hatch_build.py``): ``python -m cnncli.core.build_code FOLDER``, on any processor.
"""

import gc
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cnncli.core import cache, linker, native
from cnncli.core.platforms import PLATFORMS, Platform
from cnncli.core.shipped import shipped_file


def write_code(folder: Path) -> None:
    """Write the code of all loops for all of `PLATFORMS`: a process each, as many at once as there are cores.

    Parameters
    ----------
    folder : Path
        Gets a folder for each platform.

    Raises
    ------
    RuntimeError
        If a loop cannot be compiled for one of them; the compiler's message is on the standard error stream.
    """

    def write(name: str) -> int:
        return subprocess.run(
            [sys.executable, "-m", "cnncli.core.build_code", str(folder), name], check=False
        ).returncode

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        failed = [name for name, code in zip(PLATFORMS, pool.map(write, PLATFORMS), strict=True) if code]
    if failed:
        raise RuntimeError(f"no machine code for {', '.join(failed)}; the reason stands above")


def write_platform(folder: Path, platform: Platform, loops: Sequence[str]) -> None:
    """Write the code of loops for one platform, in a process that has compiled nothing else."""
    native.compile_for(platform)
    for name in loops:
        code = native.compiled(name)
        if not code.startswith(linker.MAGIC):
            raise RuntimeError(f"{name} for {platform.name} refers to more than itself and the C library")
        path = shipped_file(folder, name, platform)
        if not cache.keep(path, code):
            raise OSError(f"{path} cannot be written")
        path.chmod(0o644)  # of a package, for all who use it


if __name__ == "__main__":
    gc.disable()  # a tenth of the time; the process ends before its garbage matters
    if len(sys.argv) == 2:
        write_code(Path(sys.argv[1]))
    else:
        write_platform(Path(sys.argv[1]), PLATFORMS[sys.argv[2]], list(native.LOOPS))
