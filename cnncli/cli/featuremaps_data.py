"""The images that ``--data`` names: a data set, or all images in a folder, batch by batch."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnncli.cli.names import find_inputs
from cnncli.cli.trained import Trained
from cnncli.data.assemble import LoadOptions
from cnncli.data.image_facts import ImageOptions
from cnncli.data.load import load_dataset
from cnncli.data.model import Dataset
from cnncli.data.prepare import read_file, read_prepared
from cnncli.errors import CnncliError
from cnncli.files.faults import in_unicode
from cnncli.images.formats import READ_SUFFIXES
from cnncli.views.featuremaps.model import Pictures

Batches = Iterator[tuple[list[str], NDArray[np.uint8]]]


def pictures_of(source: str, trained: Trained, *, offline: bool, threads: int) -> Pictures:
    """Find the images of a data set or a folder.

    Parameters
    ----------
    source : str
        As for ``train``, or a folder of images; one that holds none itself is taken with all below it.
    trained : Trained
        The network that they are for.
    offline : bool
        Download nothing.
    threads : int
        That decode.

    Raises
    ------
    CnncliError
        Where there are none.
    """
    if os.path.isdir(source):  # noqa: PTH112
        for recursive in (False, True):
            found, _ = find_inputs(
                [source], recursive=recursive, files_from=None, null=False, suffixes=READ_SUFFIXES
            )
            if found:
                return _Files([each.path for each in found], trained)
    options = LoadOptions(
        image_options=ImageOptions(input_spec=trained.input_spec),
        offline=offline,
        threads=threads,
        for_training=False,
        whole=True,
    )
    return _Known(load_dataset(source, options), threads)


class _Files:
    """Images in files; those that cannot be read are passed over."""

    def __init__(self, paths: list[str], trained: Trained) -> None:
        self._paths, self._trained = paths, trained
        self.skipped = 0

    def __len__(self) -> int:
        return len(self._paths)

    def batches(self, size: int) -> Batches:
        """So many images at a time, with their names."""
        names: list[str] = []
        read: list[NDArray[np.uint8]] = []
        for path in self._paths:
            try:
                pixels = read_prepared(read_file(Path(path)), self._trained.input_spec, name=path).pixels
            except (CnncliError, OSError):
                self.skipped += 1
                continue
            names.append(in_unicode(path))
            read.append(pixels)
            if len(names) == size:
                yield names, np.stack(read)
                names, read = [], []
        if names:
            yield names, np.stack(read)


class _Known:
    """The images of all splits of a data set."""

    skipped = 0

    def __init__(self, dataset: Dataset, threads: int) -> None:
        self._splits = (dataset.train, dataset.val, dataset.test)
        self._threads = threads

    def __len__(self) -> int:
        return sum(map(len, self._splits))

    def batches(self, size: int) -> Batches:
        """So many images at a time, with their names."""
        for split in self._splits:
            for first in range(0, len(split), size):
                places = np.arange(first, min(first + size, len(split)))
                pixels = np.empty((len(places), *split.shape), np.uint8)
                split.read(places, pixels, threads=self._threads)
                yield [in_unicode(split.name(int(place))) for place in places], pixels
