"""How the user says that a data set lies, where the data leave it open."""

from dataclasses import dataclass

from cnncli.errors import CnncliError
from cnncli.images.faults import shown


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What the options say; None leaves it to the data.

    Attributes
    ----------
    splits : bool or None
        True: folders, or a column of a table, divide the images into training, validation and test.
        False: folders are classes whatever they are called, and such a column is not looked at.
    label_column, path_column : str or None
        Of a table: the name of a column as its header has it, or its number from 1.
    """

    splits: bool | None = None
    label_column: str | None = None
    path_column: str | None = None

    def refuse_columns(self, source: str) -> None:
        """Refuse options for tables, where the data set is none.

        Raises
        ------
        CnncliError
            Where a column is named.
        """
        for flag, value in (("--label-column", self.label_column), ("--path-column", self.path_column)):
            if value is not None:
                raise CnncliError(
                    f"{flag} is {shown(value)}, but {shown(source)} is no table; expected a .csv or .tsv",
                    f"Leave {flag} out.",
                )

    def refuse_splits(self, source: str) -> None:
        """Refuse ``--splits`` and ``--no-splits``, where the data set has no folders or columns to ask about.

        Raises
        ------
        CnncliError
            Where one of them is given.
        """
        if self.splits is not None:
            flag = "--splits" if self.splits else "--no-splits"
            raise CnncliError(
                f"{flag} is given, but nothing is left open in {shown(source)}; expected it with a folder of "
                "images or a table",
                f"Leave {flag} out.",
            )


AS_FOUND = Layout()  # the data tell all
