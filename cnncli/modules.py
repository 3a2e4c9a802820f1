"""Layer 0: modules of others: found where they are installed and nowhere else, and silent.

Python puts the current folder (``python -m cnncli``) or that of the script first on its path, and an empty
part of ``PYTHONPATH`` means the current folder too. A ``numpy.py`` that was downloaded together with
pictures would then be run.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_NEEDED = ("cnncli", "numpy", "numba", "llvmlite")  # by a process that compiles


def leave_start_folder() -> None:
    """Take the folder off the path that Python itself put in front, and the one that an empty word means.

    Modules of cnncli are found all the same, through their package. An archive or a folder that is run as
    a program stays: it is where cnncli lies.
    """
    here = _current()
    if not sys.flags.safe_path and sys.path:
        first, program = os.path.realpath(sys.path[0]), os.path.realpath(sys.argv[0])
        if first != program and first in (os.path.realpath(here), os.path.dirname(program)):
            del sys.path[0]
    named = [] if sys.flags.ignore_environment else os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if "" in named and len(named) > 1 and here not in named and here in sys.path:
        sys.path.remove(here)


def _current() -> str:
    try:
        return os.getcwd()
    except OSError:  # it is gone
        return ""


def isolated(code: str, *, places: Sequence[str] = ()) -> list[str]:
    """Command for a Python process that finds the modules that compiling takes, and no others but Python's.

    It reads no variables and no ``sitecustomize``, knows neither the current folder nor the user's own, and
    is told where this process has found what it needs.

    Parameters
    ----------
    code : str
        Statements to run.
    places : sequence of str
        Folders and archives for modules, behind Python's own; by default those of cnncli, NumPy and Numba.

    Returns
    -------
    list of str
    """
    paths = f"import sys; sys.path += {list(places or _places())!r}; {code}"
    cached = ["-B"] if sys.dont_write_bytecode else []
    cached += ["-X", f"pycache_prefix={sys.pycache_prefix}"] if sys.pycache_prefix else []
    return [sys.executable, "-I", "-S", *cached, "-c", paths]


def quiet_logs() -> None:
    """Keep what libraries log off standard error, where Python puts it if nobody has asked for it."""
    import logging

    logging.lastResort = logging.NullHandler()


def _places() -> list[str]:
    """The folders that hold the packages of `_NEEDED`."""
    import importlib.util

    found = [importlib.util.find_spec(name) for name in _NEEDED]
    origins = [os.path.abspath(spec.origin) for spec in found if spec is not None and spec.origin]
    return list(dict.fromkeys(os.path.dirname(os.path.dirname(origin)) for origin in origins))
