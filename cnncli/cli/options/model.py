"""What describes an option and a command."""

from typing import Any, NamedTuple


class Option(NamedTuple):
    """An option or an argument of a command.

    Attributes
    ----------
    name : str
        The parameter of the command's `run`.
    words : tuple of str
        How an option is written, its long form first; empty for an argument.
    kind : type
        Of its value: str, int or float. bool: no value follows, the word means True. list: texts; an
        option may be given several times, an argument takes all that is left.
    help : str
        Its meaning; a default that is worked out is stated as ``[default: …]``.
    metavar : str or None
        How help writes the value.
    default : object
        What the parameter is where nothing is given; None also for "not given".
    off : tuple of str
        Words of a bool that set it to False; it is None where neither is given.
    required : bool
        An argument that has to be given.
    """

    name: str
    words: tuple[str, ...]
    kind: type
    help: str
    metavar: str | None = None
    default: Any = None
    off: tuple[str, ...] = ()
    required: bool = False

    @property
    def unset(self) -> Any:
        """The parameter where nothing is given: a bool without words for False is False."""
        return False if self.kind is bool and not self.off else self.default


class Command(NamedTuple):
    """A command.

    Attributes
    ----------
    help : str
        A summary of one sentence, and after an empty line what else there is to say.
    options : tuple of Option
        In the order of its help.
    """

    help: str
    options: tuple[Option, ...]
