"""Layer 0: frozen records, as ``dataclasses`` makes them, for what every command loads.

``dataclasses`` writes the source of each method and compiles it: 0.8 ms for a class. A command that filters
one small image has 36 such classes, which took 29 ms, a tenth of its time. The methods here are compiled
once, with this module, and look the names of the fields up.
"""

from collections.abc import Callable
from typing import Any, NoReturn, TypeVar, dataclass_transform, overload

Kind = TypeVar("Kind")
Record = TypeVar("Record")


@overload
def record(kind: type[Kind], /) -> type[Kind]: ...


@overload
def record(*, kw_only: bool = False, eq: bool = True) -> Callable[[type[Kind]], type[Kind]]: ...


@dataclass_transform(frozen_default=True)
def record(
    kind: type[Kind] | None = None, /, *, kw_only: bool = False, eq: bool = True
) -> type[Kind] | Callable[[type[Kind]], type[Kind]]:
    """Make a class a record: its annotated names become fields that are set once, when it is made.

    Parameters
    ----------
    kind : type
        A class whose body annotates its fields; values in the body are defaults, so none may be one that
        changes. ``__post_init__`` is called where there is one, as by ``dataclasses``.
    kw_only : bool
        Fields are given by name only.
    eq : bool
        Records with equal fields are equal; otherwise each equals itself only.

    Returns
    -------
    type
        The class itself.
    """
    if kind is None:
        return lambda each: _made(each, kw_only=kw_only, eq=eq)
    return _made(kind, kw_only=kw_only, eq=eq)


def fields(thing: object) -> tuple[str, ...]:
    """Names of the fields of a record, or of a class of records, inherited ones first."""
    kind = thing if isinstance(thing, type) else type(thing)
    names: tuple[str, ...] = getattr(kind, "__record_fields__")  # noqa: B009 - for the type checker
    return names


def replace(thing: Record, /, **changes: Any) -> Record:
    """Make a record like another but for some fields."""
    return type(thing)(**{name: getattr(thing, name) for name in fields(thing)} | changes)


def _made(kind: type[Kind], *, kw_only: bool, eq: bool) -> type[Kind]:
    own = vars(kind).get("__annotations__", ())
    names = tuple(dict.fromkeys((*getattr(kind, "__record_fields__", ()), *own)))
    added: dict[str, Any] = {
        "__record_fields__": names,
        "__match_args__": () if kw_only else names,
        "__init__": _initialiser(names, [name for name in names if not hasattr(kind, name)], kw_only=kw_only),
        "__repr__": _represent,
        "__setattr__": _refuse,
        "__delattr__": _refuse,
    }
    if eq:
        added |= {"__eq__": _equal, "__hash__": _hash}
    for name, value in added.items():
        setattr(kind, name, value)
    return kind


def _initialiser(names: tuple[str, ...], required: list[str], *, kw_only: bool) -> Callable[..., None]:
    """The ``__init__`` of a record: defaults stay in the class, the rest goes to the instance."""
    known = frozenset(names)
    most = 0 if kw_only else len(names)

    def initialise(self: object, *given: object, **named: object) -> None:
        values = vars(self)
        values.update(zip(names, given, strict=False))
        if len(given) > most or not named.keys() <= known or not named.keys().isdisjoint(values):
            wrong = named.keys() - known or named.keys() & values.keys() or f"{len(given)} values"
            raise TypeError(f"{type(self).__name__} takes {names} once each, not {wrong}")
        values.update(named)
        for name in required:
            if name not in values:
                raise TypeError(f"{type(self).__name__} is made without its field {name!r}")
        check = getattr(self, "__post_init__", None)
        if check is not None:
            check()

    return initialise


def _contents(thing: object) -> tuple[object, ...]:
    return tuple(getattr(thing, name) for name in fields(thing))


def _equal(self: object, other: object) -> bool:
    return _contents(self) == _contents(other) if type(other) is type(self) else NotImplemented


def _hash(self: object) -> int:
    return hash(_contents(self))


def _represent(self: object) -> str:
    shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in fields(self))
    return f"{type(self).__qualname__}({shown})"


def _refuse(self: object, name: str, *_: object) -> NoReturn:
    raise AttributeError(f"{type(self).__name__} is frozen: {name!r} is not to be changed")
