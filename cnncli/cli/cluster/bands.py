"""Bands of one large picture on a cluster: a worker reads the rows under its band, and sends the result."""

import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from cnncli.cli.cluster.connection import Cluster
from cnncli.cli.cluster.places import SeenPicture, as_given, check_input, seen
from cnncli.cli.exit_codes import Stopped
from cnncli.errors import CnncliError
from cnncli.files.faults import shown
from cnncli.filters.apply import Applied, Part
from cnncli.filters.bands import BandedFilters
from cnncli.images.large import LargePicture, open_large
from cnncli.records import record

#: Formats in which any row is found without decoding those before it.
ANYWHERE = ("NPY", "PPM", "PGM", "PBM", "PFM", "PAM", "TIFF")


def is_shareable(path: str, max_pixels: int | None) -> bool:
    """Whether a picture is large, and workers find their rows in it.

    Raises
    ------
    CnncliError
        Where it is damaged, or too large.
    """
    found = open_large(Path(path), max_pixels=max_pixels)
    if not isinstance(found, LargePicture):
        return False
    with closing(found):
        return found.picture.format in ANYWHERE


@record(eq=False)
class BandsElsewhere:
    """Filters bands of a picture by the workers of a cluster.

    Attributes
    ----------
    cluster : Cluster
        Connected.
    path : str
        The picture.
    max_pixels : int or None
        More are refused.
    stopping : sequence of int
        A signal, as soon as there is one.
    """

    cluster: Cluster
    path: str
    max_pixels: int | None
    stopping: Sequence[int]

    def __call__(
        self, filters: BandedFilters, part: Part, ranges: Sequence[tuple[int, int]]
    ) -> Generator[Applied, None, None]:
        """Bands, by their rows, in order.

        Raises
        ------
        CnncliError
            Where one cannot be filtered.
        Stopped
            After a signal.
        """
        whole = os.path.abspath(self.path)  # noqa: PTH100
        share = partial(_filtered, SeenPicture(whole, seen(whole)), self.max_pixels, (filters, part))
        done = self.cluster.each(ranges, lambda rows: rows, share, self.stopping, alone=True)
        with closing(done) as results:
            for _, found in results:
                if found is None:
                    raise Stopped(self.stopping[0])
                if isinstance(found, CnncliError):
                    raise as_given(found, self.path)
                yield found


def _filtered(
    picture: SeenPicture,
    max_pixels: int | None,
    how: tuple[BandedFilters, Part],
    ranges: Sequence[tuple[int, int]],
) -> Iterator[Applied]:
    """On a worker: bands of a picture that it opens itself."""
    filters, part = how
    check_input(picture.path, picture.input)
    large = open_large(Path(picture.path), max_pixels=max_pixels)
    if not isinstance(large, LargePicture):
        raise CnncliError(
            f"{shown(picture.path)} cannot be read in bands any more; expected a file that stays as it is",
            "Wait until nobody writes to it.",
        )
    with closing(large):
        for rows in ranges:
            yield filters.band(part, rows, large.rows, threads=1)
