"""What the user says about the layout of a dataset, where the data are ambiguous."""

from dataclasses import dataclass

from cnncli.errors import CnncliError
from cnncli.files.faults import shown


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The options about layout; None leaves the choice to the data.

    Attributes
    ----------
    splits : bool or None
        True: folders, or a column of a table, divide the images into training, validation and test.
        False: folders are classes whatever their names are, and such a column is ignored.
    label_column, path_column, text_column : str or None
        Of a table: the name of a column in the header, or its number from 1.
    """

    splits: bool | None = None
    label_column: str | None = None
    path_column: str | None = None
    text_column: str | None = None

    def refuse_columns(self, source: str) -> None:
        """Refuse options for tables where the dataset is not a table.

        Raises
        ------
        CnncliError
            Where one of the options names a column.
        """
        given = {
            "--label-column": self.label_column,
            "--path-column": self.path_column,
            "--text-column": self.text_column,
        }
        for flag, value in given.items():
            if value is not None:
                raise CnncliError(
                    f"{flag} is {shown(value)}, but {shown(source)} is not a table; expected a .csv or .tsv",
                    f"Leave {flag} out.",
                )

    def refuse_splits(self, source: str) -> None:
        """Refuse ``--splits`` and ``--no-splits`` where no folders or columns could be splits.

        Raises
        ------
        CnncliError
            Where one of them is given.
        """
        if self.splits is not None:
            flag = "--splits" if self.splits else "--no-splits"
            raise CnncliError(
                f"{flag} does not apply to {shown(source)}; expected a folder of images or a table",
                f"Leave {flag} out.",
            )


AS_FOUND = Layout()  # everything is taken from the data
