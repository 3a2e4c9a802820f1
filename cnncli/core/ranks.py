"""Processes that ``mpiexec`` has started together, on one machine or many: the only importer of mpi4py.

What they exchange are bytes, in an order that is the same on all of them, so that no sum depends on how many
there are. Waiting is by polling: a signal is seen meanwhile, and a process whose others are gone goes on.
"""

import ctypes
import itertools
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnncli.errors import CnncliError

Bytes = NDArray[np.uint8]
#: What Open MPI and MPICH (and what is built on it) say to a process of how many there are.
_SIZES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE")
_POLLS = 200  # of a request before the processor is left to others
_PAUSE = 50e-6  # seconds between polls then
GRACE = 0.3  # seconds after a signal in which the others may still come


class OthersGoneError(CnncliError):
    """An exchange that did not come to its end, because a signal ended the others."""


def are_several() -> bool:
    """Whether this process is one of several that ``mpiexec`` has started."""
    return any(os.environ.get(name, "1") not in ("", "1") for name in _SIZES)


def follows(ranks: "Ranks | None") -> bool:
    """Whether this process is one of several, and another writes and prints."""
    return ranks is not None and not ranks.leads


def view(address: int, size: int) -> Bytes:
    """Memory as an array of bytes."""
    memory: Any = (ctypes.c_uint8 * size).from_address(address)
    return np.frombuffer(memory, np.uint8)


class Ranks:
    """The processes, of which this is one.

    Parameters
    ----------
    signals : callable
        Tells whether a signal asks this process to end.

    Attributes
    ----------
    rank, size : int
        Which one, and how many there are.
    agreed : bool
        All of them come to their end alike from here on, with an error or without.

    Raises
    ------
    CnncliError
        Where mpi4py is not installed, or finds no MPI.
    """

    def __init__(self, signals: Callable[[], bool]) -> None:
        try:
            from mpi4py import MPI
        except (ImportError, RuntimeError) as error:
            said = " ".join(str(error).split())
            raise CnncliError(
                f"mpiexec has started several processes, but mpi4py cannot be used ({said}); expected the "
                "extra mpi",
                "Install it with: pip install 'cnncli[mpi]'",
            ) from error
        self._mpi: Any = MPI
        self._world: Any = MPI.COMM_WORLD
        self.rank, self.size = int(self._world.Get_rank()), int(self._world.Get_size())
        self._on_node = int(self._world.Split_type(MPI.COMM_TYPE_SHARED).Get_size())
        self.signals = signals
        self.agreed = False
        self._kept: dict[str, Bytes] = {}

    @property
    def leads(self) -> bool:
        """Whether this is the one that writes and prints."""
        return self.rank == 0

    def threads(self, cores: int) -> int:
        """Threads for each, of the cores that this one may use: its share, where others may use them too."""
        bound = cores < (os.cpu_count() or 1)
        return cores if bound else max(1, cores // self._on_node)

    def parts(self, count: int) -> list[range]:
        """Of ``count`` things the consecutive ones of each rank."""
        edges = [count * rank // self.size for rank in range(self.size + 1)]
        return [range(lo, hi) for lo, hi in itertools.pairwise(edges)]

    def highest(self, number: int) -> int:
        """The highest of the numbers of all ranks."""
        own, found = np.array([number], np.int64), np.zeros(1, np.int64)
        self._wait(self._world.Iallreduce(own, found, op=self._mpi.MAX))
        return int(found[0])

    def each(self, thing: Any) -> list[Any]:
        """What each rank has, by rank; anything that can be pickled."""
        import pickle

        own = np.frombuffer(pickle.dumps(thing), np.uint8)
        sizes = np.zeros(self.size, np.int64)
        self._wait(self._world.Iallgather(np.array([own.size], np.int64), sizes))
        found = np.zeros(int(sizes.sum()), np.uint8)
        self._wait(self._world.Iallgatherv(own, [found, sizes.tolist()]))
        ends = np.cumsum(sizes)
        return [
            pickle.loads(found[end - size : end].tobytes()) for end, size in zip(ends, sizes, strict=True)
        ]

    def share(self, places: Sequence[Sequence[Bytes]]) -> None:
        """Give all ranks what each has in its places: ``places[rank]`` is filled in by that rank."""
        sizes = [sum(place.size for place in each) for each in places]
        starts = [0, *itertools.accumulate(sizes)]
        found = self._room("found", starts[-1])
        own = found[starts[self.rank] : starts[self.rank + 1]]
        _pack(places[self.rank], own)
        request = self._world.Iallgatherv(self._mpi.IN_PLACE, [found, (sizes, starts[:-1])])
        self._wait(request)
        for rank, each in enumerate(places):
            if rank != self.rank:
                _unpack(found[starts[rank] : starts[rank + 1]], each)

    def swap(self, own: Sequence[Sequence[Bytes]], others: Sequence[Sequence[Bytes]]) -> None:
        """Give rank r what is in ``own[r]``, and take into ``others[r]`` what it gives."""
        out, found = (
            [0 if rank == self.rank else sum(place.size for place in each) for rank, each in enumerate(side)]
            for side in (own, others)
        )
        at, to = ([0, *itertools.accumulate(sizes)] for sizes in (out, found))
        sent, taken = self._room("sent", at[-1]), self._room("taken", to[-1])
        for rank, each in enumerate(own):
            if rank != self.rank:
                _pack(each, sent[at[rank] : at[rank + 1]])
        self._wait(self._world.Ialltoallv([sent, (out, at[:-1])], [taken, (found, to[:-1])]))
        for rank, each in enumerate(others):
            if rank != self.rank:
                _unpack(taken[to[rank] : to[rank + 1]], each)

    def leave(self) -> None:
        """Wait for all, and end the communication; nothing else of it may be used then."""
        self._wait(self._world.Ibarrier())
        self._mpi.Finalize()

    def abort(self, code: int) -> None:
        """End all processes now."""
        self._world.Abort(code)

    def _room(self, name: str, size: int) -> Bytes:
        """Memory that is used again."""
        if name not in self._kept or self._kept[name].size < size:
            self._kept[name] = np.empty(size, np.uint8)
        return self._kept[name][:size]

    def _wait(self, request: Any) -> None:
        """Wait until a request has come to its end.

        Raises
        ------
        OthersGoneError
            Where a signal came, and soon after it the others have not.
        """
        polls, end = 0, None
        while not request.Test():
            polls += 1
            if polls < _POLLS:
                continue
            if end is None and self.signals():
                end = time.monotonic() + GRACE
            if end is not None and time.monotonic() > end:
                raise OthersGoneError(
                    "another process of this run is gone; expected all of them until the end",
                    "Look at what it said, and go on with --resume.",
                )
            time.sleep(_PAUSE)


def _pack(places: Sequence[Bytes], out: Bytes) -> None:
    if places:
        np.concatenate(places, out=out)


def _unpack(data: Bytes, places: Sequence[Bytes]) -> None:
    at = 0
    for place in places:
        place[:] = data[at : at + place.size]
        at += place.size
