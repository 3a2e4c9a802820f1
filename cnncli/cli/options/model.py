"""What describes an option and a command, and holds what was said after one."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, dataclass_transform

from cnncli.records import record

Kind = TypeVar("Kind")


class Option(NamedTuple):
    """An option or an argument of a command.

    Attributes
    ----------
    words : tuple of str
        How an option is written, its long form first; empty for an argument.
    help : str
        Its meaning; a default that is worked out is stated as ``[default: …]``.
    metavar : str or None
        How help writes the value.
    default : object
        What the setting is where nothing is given; None also for "not given".
    off : tuple of str
        Words of a bool that set it to False; it is None where neither is given.
    required : bool
        An argument that has to be given.
    name : str
        Of the setting; `group` finds it, and the kind, where the option is assigned.
    kind : type
        Of its value: str, int or float. bool: no value follows, the word means True. list: texts; an
        option may be given several times, an argument takes all that is left.
    """

    words: tuple[str, ...]
    help: str
    metavar: str | None = None
    default: Any = None
    off: tuple[str, ...] = ()
    required: bool = False
    name: str = ""
    kind: type = str

    @property
    def unset(self) -> Any:
        """The setting where nothing is given: a bool without words for False is False."""
        return False if self.kind is bool and not self.off else self.default


def option(
    *words: str, help: str, metavar: str | None = None, default: Any = None, off: tuple[str, ...] = ()
) -> Any:
    """Describe an option, as the default of the setting that it gives; see `Option`."""
    return Option(words, help, metavar, default, off)


def argument(help: str, *, metavar: str, default: Any = None, required: bool = False) -> Any:
    """Describe an argument, as the default of the setting that it gives; see `Option`."""
    return Option((), help, metavar, default, required=required)


class Command(NamedTuple):
    """A command.

    Attributes
    ----------
    help : str
        A summary of one sentence, and after an empty line what else there is to say.
    options : tuple of Option
        In the order of its help.
    settings : type
        Holds what was said after the command: made from values by the options' names.
    """

    help: str
    options: tuple[Option, ...]
    settings: Callable[..., Any]


@dataclass_transform(kw_only_default=True, frozen_default=True)
def group(kind: type[Kind], after: str | None = None) -> type[Kind]:
    """Make a class a frozen record of what options and arguments gave, which commands inherit.

    Parameters
    ----------
    kind : type
        Its body gives each setting a type, and an option or argument as its value. The type says what the
        option's value is, None where it may be left out. An inherited one may be described again.
    after : str or None
        Its setting behind which the inherited ones are listed; None: they come first.

    Returns
    -------
    type
        The same, with its ``OPTIONS``.
    """
    own = {
        name: vars(kind)[name]._replace(name=name, kind=_value_of(annotation))
        for name, annotation in vars(kind).get("__annotations__", {}).items()
    }
    for each in own.values():
        if each.required:
            delattr(kind, each.name)
        else:
            setattr(kind, each.name, each.unset)
    settings: Any = record(kw_only=True)(kind)
    inherited = tuple(own.pop(each.name, each) for each in getattr(kind, "OPTIONS", ()))
    place = [*own].index(after) + 1 if after else 0
    settings.OPTIONS = (*[*own.values()][:place], *inherited, *[*own.values()][place:])
    made: type[Kind] = settings
    return made


@dataclass_transform(kw_only_default=True, frozen_default=True)
def command(help: str, *, after: str | None = None) -> Callable[[type[Kind]], type[Kind]]:
    """Make a class the settings of a command, as `group` does, with a ``COMMAND`` that has ``help``."""

    def made(kind: type[Kind]) -> type[Kind]:
        settings: Any = group(kind, after)
        settings.COMMAND = Command(help, settings.OPTIONS, settings)
        named: type[Kind] = settings
        return named

    return made


def _value_of(annotation: Any) -> type:
    """``int`` of ``int | None``, and ``list`` of ``list[str] | None``."""
    kind = getattr(annotation, "__args__", (annotation,))[0]
    found: type = getattr(kind, "__origin__", kind)
    return found
