"""Layer 0: the error every user-caused fault is raised as."""


class CnncliError(Exception):
    """A fault that the user can mend: a bad input, option, file or environment.

    The command line prints it as two lines, ``error: message`` and ``hint: hint``.

    Parameters
    ----------
    message : str
        What happened, with the value received, and what was expected. Long values are cut.
    hint : str
        What to do next.
    """

    def __init__(self, message: str, hint: str) -> None:
        from cnncli.text import brief

        self.message, self.hint = brief(message), brief(hint)
        super().__init__(self.message)

    def __reduce__(self) -> "tuple[type[CnncliError], tuple[str, str]]":
        return type(self), (self.message, self.hint)  # from one process to another


class OptionError(CnncliError):
    """What an option was given means nothing, or nothing that fits the rest: the command itself is wrong."""
