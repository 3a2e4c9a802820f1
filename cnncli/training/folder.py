"""The folder of a run: which files it holds, and that one process at a time writes to it."""

import contextlib
import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cnncli import ending
from cnncli.checked import Fields, MalformedError, parse_json
from cnncli.errors import CnncliError
from cnncli.files.atomic import write_atomic
from cnncli.files.faults import reading_fault, shown, writing_fault
from cnncli.training.listing import FILE as LIST_FILE
from cnncli.training.listing import ImageList

FORMAT = "cnncli run 1"
FILES = (
    *("config.json", LIST_FILE, "state.safetensors", "best.safetensors", "last.safetensors"),
    *("metrics.jsonl", "curves.png"),
)
"""What every run writes; a test adds the pages of its task."""
RATE_CURVE = "learning_rate.png"
"""What a search for the learning rate writes."""


class RunFolder:
    """A run's files.

    Attributes
    ----------
    path : Path
        The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None
        self._made = False

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    @classmethod
    def create(cls, wanted: str | None, *, dataset: str, model: str) -> "RunFolder":
        """Make a new run's folder.

        Parameters
        ----------
        wanted : str or None
            Where; None: ``runs/DATASET-MODEL``, then with -2, -3, …
        dataset, model : str
            Names.

        Raises
        ------
        CnncliError
            Where a run lies there already, or the folder cannot be made.
        """
        try:
            if wanted is None:
                folder = cls(_fresh(_names(dataset, model)))
                ending.begin(str(folder.path), lambda path: 0, _remove_half)
            else:
                folder = cls(Path(wanted))
                if not folder.path.exists():
                    ending.begin(str(folder.path), lambda path: 0, _remove_half)
                folder.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise writing_fault(error, wanted or Path("runs")) from error
        folder.refuse_run()
        folder.lock()
        folder._made = True
        return folder

    @classmethod
    def planned(cls, wanted: str | None, *, dataset: str, model: str) -> "RunFolder":
        """The folder that `create` would make, without making it.

        Raises
        ------
        CnncliError
            Where a run lies there already.
        """
        if wanted is None:
            return cls(next(path for path in _names(dataset, model) if not path.exists()))
        folder = cls(Path(wanted))
        folder.refuse_run()
        return folder

    @classmethod
    def followed(cls, wanted: str | None, *, dataset: str, model: str) -> "RunFolder":
        """The folder of a run that another process makes and writes."""
        return cls(Path(wanted or "runs", f"{_plain(dataset)}-{_plain(model)}"))

    def refuse_run(self) -> None:
        """Raise CnncliError where a run lies here already."""
        if (self / "config.json").exists():
            raise CnncliError(
                f"{shown(self.path)} holds a run already; expected a new folder",
                f"Go on with it: cnncli train --resume {self.path}; or name another folder with -o.",
            )

    @classmethod
    def existing(cls, path: str) -> "RunFolder":
        """Find the folder of a run that was begun.

        Raises
        ------
        CnncliError
            Where there is none.
        """
        folder = cls(Path(path))
        missing = [
            name for name in ("config.json", LIST_FILE, "state.safetensors") if not (folder / name).is_file()
        ]
        if missing:
            what = "does not exist" if not folder.path.exists() else f"holds no {missing[0]}"
            raise CnncliError(
                f"--resume: {shown(folder.path)} {what}; expected the folder of a run",
                "Give the folder that cnncli train named when the run began, such as runs/mnist-compact.",
            )
        folder.lock()
        for remnant in folder.path.glob(".cnncli-*.tmp"):  # of a process that was killed while it wrote
            remnant.unlink(missing_ok=True)
        return folder

    def lock(self) -> None:
        """Keep other processes out until this one ends.

        Raises
        ------
        CnncliError
            Where another process is at work here.
        """
        import fcntl

        handle = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise CnncliError(
                f"another process is training in {shown(self.path)}", "Wait until it ends, or stop it."
            ) from None
        except OSError:  # a file system without locks: the user keeps watch
            os.close(handle)
            return
        self._lock = handle

    def unlock(self) -> None:
        """Let others in."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def discard(self) -> None:
        """Give up a run that was not begun: its folder goes, if nothing of others is in it."""
        if not self._made:
            return
        self.unlock()
        ending.finished(str(self.path))
        with contextlib.suppress(OSError):
            _remove_half(str(self.path))

    def write_config(self, config: dict[str, Any]) -> None:
        """Write ``config.json``, with which a folder becomes a run."""
        import json

        text = json.dumps({"format": FORMAT, **config}, indent=2, ensure_ascii=False) + "\n"
        write_atomic(self / "config.json", text.encode(), durable=True)
        ending.finished(str(self.path))

    def read_config(self) -> Fields:
        """Read ``config.json``.

        Raises
        ------
        CnncliError
            Where it is damaged or of another version.
        """
        path = self / "config.json"
        try:
            config = Fields(parse_json(path.read_bytes()))
            if (found := config.text("format")) != FORMAT:
                raise MalformedError(f"its format is {found!r}; expected {FORMAT!r}")
        except OSError as error:
            raise reading_fault(error, path) from error
        except MalformedError as error:
            raise self.no_run(error) from error
        return config

    def no_run(self, why: MalformedError) -> CnncliError:
        """The error for a ``config.json`` that is damaged."""
        return CnncliError(
            f"{shown(self / 'config.json')} is no description of a run: {why}",
            "Restore it from a copy, or start again; --init starts from the weights of best.safetensors.",
        )

    def write_list(self, images: ImageList) -> None:
        """Write ``splits.csv``, once, before the folder becomes a run."""
        write_atomic(self / LIST_FILE, images.as_csv(), durable=True)

    def write_metrics(self, history: list[dict[str, Any]]) -> None:
        """Write ``metrics.jsonl``, a line an epoch."""
        import json

        write_atomic(self / "metrics.jsonl", "".join(json.dumps(row) + "\n" for row in history).encode())


def _remove_half(path: str) -> None:
    """Take away the folder of a run that a signal ends before it is described."""
    if not Path(path, "config.json").exists():
        for name in ("state.safetensors", "splits.csv"):
            Path(path, name).unlink(missing_ok=True)
        Path(path).rmdir()


def _plain(name: str) -> str:
    """A name that is safe in a path."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "run"


def _names(dataset: str, model: str) -> Iterator[Path]:
    """The names that a run may take: ``runs/DATASET-MODEL``, then with -2, -3 and so on."""
    name = f"{_plain(dataset)}-{_plain(model)}"
    yield Path("runs", name)
    for number in itertools.count(2):
        yield Path("runs", f"{name}-{number}")


def _fresh(paths: Iterator[Path]) -> Path:
    """Make the first folder that is not there."""
    while True:
        path = next(paths)
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            path.mkdir()
            return path
