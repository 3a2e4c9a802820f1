"""What NumPy and Pillow import that no plain command needs: left out, or imported when it is asked for.

It would be 14 of the 70 ms that a command on one small image takes. Only the process of a command puts it
off, not one that imports cnncli as a library.
"""

import _thread
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any, TypeVar

# Modules in which NumPy hangs manuals on its functions; no command shows them.
_MANUALS = ("numpy._core._add_newdocs", "numpy._core._add_newdocs_scalars")
# Modules whose names NumPy, Pillow and Python's own modules use inside functions only.
_LATE = ("ast", "ipaddress", "linecache", "pickle", "platform", "textwrap", "PIL.ExifTags")
_INSPECT = "inspect"
_TYPING = ("numpy._typing", "numpy.typing")

_gate = _thread.allocate_lock()
_Scalar = TypeVar("_Scalar")


class _Late(ModuleType):
    """A module that is imported as soon as one of its names is asked for.

    Who has imported it before keeps this one, which then hands on the names of the real module.
    """

    def __getattr__(self, name: str) -> Any:
        if name == "__path__":  # which ``from … import`` asks for, before the names
            raise AttributeError(name)
        _take_away(self.__name__)
        return getattr(import_module(self.__name__), name)


class _Inspect(_Late):
    """``inspect``, of which NumPy, while it is imported, wants manuals and signatures for help alone."""

    in_import = True

    def __getattr__(self, name: str) -> Any:
        if self.in_import and name == "cleandoc":
            return lambda manual: manual
        if self.in_import and name == "signature":
            return lambda function: None  # as if none had been set
        return super().__getattr__(name)


class _Typing(_Late):
    """``numpy.typing``, of which running code uses `NDArray` only: the generic type that it is in NumPy."""

    def __getattr__(self, name: str) -> Any:
        if name == "NDArray":
            numpy: Any = import_module("numpy")
            return numpy.ndarray[tuple[Any, ...], numpy.dtype[_Scalar]]
        if name != "__path__":
            _take_away(*_TYPING)  # one of them imports the other
        return super().__getattr__(name)


@contextmanager
def put_off() -> Iterator[None]:
    """A context to import NumPy, Pillow and what needs them in, before anything else does.

    At its end the modules that are still put off are taken away, so that whoever comes later imports the
    real ones. ``numpy.typing`` alone stays, until somebody asks for more of it than `NDArray`.
    """
    for name in _MANUALS:
        sys.modules.setdefault(name, ModuleType(name))
    inspect = _Inspect(_INSPECT)
    for module in (inspect, *map(_Typing, _TYPING), *map(_Late, _LATE)):
        sys.modules.setdefault(module.__name__, module)
    try:
        yield
    finally:
        inspect.in_import = False
        _take_away(_INSPECT, _TYPING[0], *_LATE)
        stays, numpy = (sys.modules.get(name) for name in (_TYPING[1], "numpy"))
        if isinstance(stays, _Typing) and numpy is not None:
            vars(numpy)["typing"] = stays  # as an import would, for those who say ``import … as``


def _take_away(*names: str) -> None:
    """Take modules that are put off from where others find them; several threads may want it at once."""
    with _gate:
        for name in names:
            if isinstance(sys.modules.get(name), _Late):
                del sys.modules[name]
