"""A training step shared by several processes, to the same bits as by one.

Each process has all weights and works on its own ranges of chunks (`cnncli.nn.chunks`): these are the shards,
and follow from the size of the batch alone. Before a phase that reads what others have made, that is
exchanged: moments and sums of batch norms, which so are those of the whole batch; what a fully connected
layer's gradient is summed from; and partial gradients, of which each process sums its own part, in the order
of the ranges, and gives the sums to all. So every sum has the same terms in the same order, whoever adds
them. The optimiser's step is done by all alike. Nothing is exchanged behind it: a step that cannot be ended
has changed no weight.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnncli.core.choices import PIECE_ROWS
from cnncli.core.program import Call, Program
from cnncli.core.ranks import Bytes, Ranks, view
from cnncli.errors import CnncliError
from cnncli.nn.calls import Op, tasks_of
from cnncli.nn.layer import BLOCK
from cnncli.nn.memory import Tensor

if TYPE_CHECKING:
    from cnncli.nn.network import Network
    from cnncli.nn.objective import PlannedTerm
    from cnncli.nn.schedule import Schedule
    from cnncli.nn.slots import Slots

Exchange = Callable[[], None]
#: Calls for a chunk that read of all chunks what another has made, and in which field of their record.
_OF_ALL_CHUNKS = {"norm_forward": "moments", "norm_backward": "sums"}
Range = tuple[int, int]  # address or offset, and bytes


class SharedStep:
    """The program of a step in segments, with an exchange before each.

    Parameters
    ----------
    ranks : Ranks
        The processes.
    schedule : Schedule
        Complete, its tensors with addresses.
    network, slots, terms
        As of the step.

    Attributes
    ----------
    bytes : int
        That this process sends in a step, about.

    Raises
    ------
    CnncliError
        Where there are more processes than ranges of chunks.
    """

    def __init__(
        self, ranks: Ranks, schedule: Schedule, network: Network, slots: Slots, terms: Sequence[PlannedTerm]
    ) -> None:
        chunks = schedule.chunks
        if ranks.size > chunks.slots:
            raise CnncliError(
                f"mpiexec has started {ranks.size} processes for a batch of {chunks.batch}, which has "
                f"{chunks.slots} parts; expected {chunks.slots} at most",
                f"Start fewer with mpiexec -n {chunks.slots}, or choose a larger --batch-size.",
            )
        self._ranks, self._schedule, self._network, self._slots = ranks, schedule, network, slots
        self._chunks = chunks
        self._slots_of = ranks.parts(chunks.slots)
        self._chunks_of = [
            range(part.start * chunks.per_slot, min(part.stop * chunks.per_slot, chunks.count))
            if part.start * chunks.per_slot < chunks.count
            else range(0)
            for part in self._slots_of
        ]
        self.bytes = 0
        self._phases = [phase for each in schedule.passes() for phase in each]
        self._before: list[list[Exchange]] = [[] for _ in range(len(self._phases) + 1)]
        self._sums = [self._summed(number) for number in range(len(self._phases))]
        for number, phase in enumerate(self._phases):
            self._before[number] += self._read_by(phase)
        self._end_with(terms)

    def tasks(self) -> list[list[list[Call]]]:
        """The tasks of each phase that this process does."""
        own = self._slots_of[self._ranks.rank]
        return [
            tasks_of(phase, self._chunks, own) if owned is None else owned
            for phase, owned in zip(self._phases, self._sums, strict=True)
        ]

    def run(self, program: Program, samples: int) -> None:
        """Run a step of the program that has the tasks of this process."""
        done = 0
        for number, exchanges in enumerate(self._before):
            if done < number and (exchanges or number == len(self._phases)):
                program.run(samples, phases=(done, number))
                done = number
            for exchange in exchanges:
                exchange()

    # --- what is exchanged ---

    def _share(self, places: list[list[Bytes]]) -> Exchange:
        """An exchange after which all have what each has in its places."""
        self.bytes += sum(place.size for place in places[self._ranks.rank])
        return lambda: self._ranks.share(places)

    def _by_chunk(self, address: int, pitch: int, size: int) -> list[list[Bytes]]:
        """For each rank, places of so many bytes of its chunks."""
        return [[view(address + chunk * pitch, size) for chunk in each] for each in self._chunks_of]

    def _by_sample(self, array: NDArray[Any]) -> list[list[Bytes]]:
        """For each rank, the rows of its samples."""
        found = []
        for each in self._chunks_of:
            first = self._chunks.samples(each.start)[0] if each else 0
            after = self._chunks.samples(each.stop - 1)[1] if each else 0
            found.append([array[first:after].reshape(-1).view(np.uint8)])
        return found

    def _from_first(self, places: list[Bytes]) -> list[list[Bytes]]:
        """Places that the first rank fills in, which has the first chunk."""
        return [places, *([] for _ in range(self._ranks.size - 1))]

    def _read_by(self, phase: Sequence[Op]) -> Iterator[Exchange]:
        """Exchanges of what the calls of a phase read of all chunks."""
        if phase[0].tasks is None:
            for op in phase:
                field = _OF_ALL_CHUNKS.get(op.loop)
                if field and not op.job["fixed"][0]:
                    size = 16 * int(op.job["padded"][0])
                    yield self._share(self._by_chunk(int(op.job[field][0]), size, size))
            return
        tensors: dict[int, Tensor] = {}
        for op in phase:
            for each, _ in op.tensors.values():
                whole = each.view_of or each
                if not whole.external:
                    tensors[id(whole)] = whole
            if op.loop == "over_time_weights":
                pitch = 4 * BLOCK * int(op.job["panel_blocks"][0]) * self._chunks.size
                winners = int(op.job["winners"][0])
                yield self._share(self._by_chunk(winners, pitch, pitch))
        for tensor in tensors.values():
            size = tensor.sample * self._chunks.size
            yield self._share(self._by_chunk(tensor.address - tensor.lead, tensor.chunk_pitch, size))

    def _end_with(self, terms: Sequence[PlannedTerm]) -> None:
        """Exchange, before weights are changed, what the step says, and what only the first chunk made."""
        last = max(number for number, phase in enumerate(self._phases) if phase[0].loop == "reduce")
        for term in terms:
            self._before[last].append(self._share(self._by_sample(term.losses)))
            self._before[last].append(self._share(self._by_sample(term.outputs)))
        if self._network.state.size:
            state = self._network.state.view(np.uint8)
            self._before[last].append(self._share(self._from_first([state])))
        made: list[Bytes] = []
        for phase in self._phases:
            for op in phase:
                if op.loop == "norm_backward":
                    size = 4 * int(op.job["channels"][0])
                    made += [view(int(op.job[field][0]), size) for field in ("dweight", "dbias")]
        if made:
            # Before the sums of squares of these are taken.
            self._before[last].insert(0, self._share(self._from_first(made)))

    def _summed(self, number: int) -> list[list[Call]] | None:
        """The own tasks of a phase that sums partial gradients, and its exchanges; None for other phases."""
        phase = self._phases[number]
        if phase[0].loop != "reduce":
            return None
        used = int(self._schedule.used_slots.ctypes.data)
        partial = [op for op in phase if int(op.job["slot_count"][0]) == used]
        whole = [op for op in phase if int(op.job["slot_count"][0]) != used]
        tasks = [(op, lo, hi) for op in partial for lo, hi in op.tasks or ()]
        owned = self._divided(tasks)
        pitch = self._slots.pitch
        rows = self._network.row_bytes
        ranges = [
            _joined((int(op.job["slots"][0]) + lo * rows, (hi - lo) * rows) for op, lo, hi in each)
            for each in owned
        ]
        rank = self._ranks.rank
        own = [
            [view(at + slot * pitch, size) for slot in self._slots_of[rank] for at, size in ranges[other]]
            for other in range(self._ranks.size)
        ]
        others = [
            [view(at + slot * pitch, size) for slot in self._slots_of[other] for at, size in ranges[rank]]
            for other in range(self._ranks.size)
        ]
        self.bytes += sum(place.size for other, each in enumerate(own) if other != rank for place in each)
        self._before[number].append(lambda: self._ranks.swap(own, others))
        sums = [
            _joined((int(op.job["out"][0]) + lo * rows, (hi - lo) * rows) for op, lo, hi in each)
            + _joined((int(op.job["squares"][0]) + 8 * (lo // PIECE_ROWS), 8) for op, lo, hi in each)
            for each in owned
        ]
        self._before[number + 1].append(self._share([[view(*each) for each in found] for found in sums]))
        every = [*owned[rank], *((op, lo, hi) for op in whole for lo, hi in op.tasks or ())]
        return [[Call(op.loop, op.job, lo, hi, 0)] for op, lo, hi in every]

    def _divided(self, tasks: Sequence[tuple[Op, int, int]]) -> list[Sequence[tuple[Op, int, int]]]:
        """Tasks for each rank: consecutive ones, of about as many rows."""
        ends = np.cumsum([hi - lo for _, lo, hi in tasks]) if tasks else np.zeros(0, np.int64)
        total = int(ends[-1]) if tasks else 0
        edges = [
            int(np.searchsorted(ends, total * rank / self._ranks.size)) for rank in range(self._ranks.size)
        ]
        return [tasks[lo:hi] for lo, hi in zip(edges, [*edges[1:], len(tasks)], strict=True)]


def _joined(ranges: Iterator[Range]) -> list[Range]:
    """Ranges of which each begins where the one before it ends, as one."""
    found: list[Range] = []
    for at, size in ranges:
        if found and sum(found[-1]) == at:
            found[-1] = found[-1][0], found[-1][1] + size
        else:
            found.append((at, size))
    return found
