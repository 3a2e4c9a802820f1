"""Hatch's hook that puts the man pages into a wheel, so that none is kept beside what it is made from.

It runs for ``pip install .``, for editable installs, and where a wheel is built from an sdist; it needs
Typer, which has to be there to run cnncli anyway.
"""

import os
import sys
import time
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ManualHook(BuildHookInterface):  # type: ignore[misc, type-arg, unused-ignore]
    """Writes the pages to a temporary folder, from which the wheel takes them."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write them before the wheel is packed."""
        del version
        if self.target_name != "wheel":
            return
        sys.path.insert(0, self.root)
        try:
            from cnncli.cli.manual import write_pages
        finally:
            sys.path.remove(self.root)
        # Of the day of the release, for builds that are to give the same bytes.
        seconds = float(os.environ.get("SOURCE_DATE_EPOCH") or time.time())
        self._folder = Path(mkdtemp(prefix="cnncli-man-"))
        for page in write_pages(self._folder, time.strftime("%Y-%m-%d", time.gmtime(seconds))):
            build_data["shared_data"][str(page)] = f"share/man/man1/{page.name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove them again."""
        del version, build_data, artifact_path
        from shutil import rmtree

        if self.target_name == "wheel":
            rmtree(self._folder)
