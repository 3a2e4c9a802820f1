"""Hatch's hook for wheels: the man pages, and the machine code of a release.

It runs for ``pip install .``, for editable installs, and where a wheel is built from an sdist. What it
makes goes to a temporary folder, from which the wheel takes it, so that none is kept beside its sources.

``CNNCLI_MACHINE_CODE=1 python -m build`` compiles all loops for the processors of `cnncli.core.platforms`
too, on any of them, which takes minutes; without it, and with an editable install, they are compiled where
they are used.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

MACHINE_CODE = os.environ.get("CNNCLI_MACHINE_CODE", "") not in ("", "0")


class WheelHook(BuildHookInterface):  # type: ignore[misc, type-arg, unused-ignore]
    """Makes the files of a wheel that are no sources."""

    def dependencies(self) -> list[str]:
        """What building needs: Typer, whose options the man pages tell, and what compiles at run time."""
        run_time: list[str] = self.metadata.core.dependencies
        names = ("typer", "numba", "numpy") if MACHINE_CODE else ("typer",)
        return [each for each in run_time if each.startswith(names)]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make them before the wheel is packed."""
        if self.target_name != "wheel":
            return
        self._folder = Path(mkdtemp(prefix="cnncli-build-"))
        # Of the day of the release, for builds that are to give the same bytes.
        seconds = float(os.environ.get("SOURCE_DATE_EPOCH") or time.time())
        for page in self._pages(time.strftime("%Y-%m-%d", time.gmtime(seconds))):
            build_data["shared_data"][str(page)] = f"share/man/man1/{page.name}"
        if MACHINE_CODE and version != "editable":
            code = self._folder / "code"
            subprocess.run(
                [sys.executable, "-m", "cnncli.core.build_code", str(code)], check=True, cwd=self.root
            )
            build_data["force_include"][str(code)] = "cnncli/core/machine_code"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove them again."""
        if self.target_name == "wheel":
            rmtree(self._folder)

    def _pages(self, date: str) -> list[Path]:
        """Write the man pages."""
        sys.path.insert(0, self.root)
        try:
            from cnncli.cli.manual import write_pages
        finally:
            sys.path.remove(self.root)
        return write_pages(self._folder, date)
