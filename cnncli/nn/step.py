"""Training steps, scheduled once for a batch size."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cnncli.core import native, nn_jobs
from cnncli.core.choices import PIECE_ROWS
from cnncli.core.program import Program
from cnncli.core.threads import available_cores
from cnncli.nn.calls import program
from cnncli.nn.chunks import chunked
from cnncli.nn.inference import check_images
from cnncli.nn.memory import lay_out, pieces
from cnncli.nn.network import Floats, Network
from cnncli.nn.objective import Targets, Term, planned, start_all
from cnncli.nn.optimisers import Muon, Optimiser
from cnncli.nn.orthogonal import Addresses, Matrix, emit_orthogonal
from cnncli.nn.schedule import Schedule, trained_layers
from cnncli.nn.slots import Slots

if TYPE_CHECKING:
    from cnncli.core.ranks import Ranks
    from cnncli.nn.sharing import SharedStep


class TrainingStep:
    """Forward pass, loss, backward pass and optimiser step, planned once for a batch size.

    The same inputs give the same bits for any number of threads.

    Parameters
    ----------
    network : Network
        Its weights are trained in place.
    batch : int
        Most samples in a step.
    objective : sequence of Term
        The losses to minimise, each of one output: their weighted sum. Layers on which none depends are
        left out, and their parameters stay as they are.
    optimiser : Optimiser
        The optimiser and its settings.
    threads : int or None
        None: all cores.
    clip : float
        Maximum norm of the gradient; 0 for no clipping.
    frozen : collection of str
        Names of parameters that are not trained.
    cumulative_statistics : bool
        Running statistics of batch norms start as plain means of the steps so far, as in PyTorch with
        ``momentum=None``, until a step's weight has fallen to the momentum: they keep nothing of their
        initial values. Otherwise the momentum applies from the first step, as in PyTorch by default.
    also : sequence of str
        Native loops that the caller will need as well, compiled along with those of the step.
    ranks : Ranks or None
        Processes that share the step: each is given the same batches, and works on a part of their samples.
        The bits are those of one process.

    Attributes
    ----------
    terms : list of PlannedTerm
        Those of the objective: each with its ``outputs`` and ``losses`` of the last step.
    steps : int
        Steps done, including those before a run was resumed.
    """

    def __init__(
        self,
        network: Network,
        batch: int,
        *,
        objective: Sequence[Term],
        optimiser: Optimiser,
        threads: int | None = None,
        clip: float = 0.0,
        frozen: Collection[str] = (),
        cumulative_statistics: bool = False,
        also: Sequence[str] = (),
        ranks: Ranks | None = None,
    ) -> None:
        self.network = network
        self._cumulative_statistics = cumulative_statistics
        self.batch = batch
        self.optimiser = optimiser
        self.steps = 0
        self._kept = [native.aligned_zeros(network.weights.nbytes).view(np.float32) for _ in range(2)]
        self.terms = planned(objective, network.graph, batch)
        self.trained_bytes = network.row_bytes * sum(
            parameter.rows for name, parameter in network.parameters.items() if name not in frozen
        )
        kept = list(dict.fromkeys(term.node for term in self.terms))
        graph = network.graph.pruned(kept)
        nodes = trained_layers(graph, frozen)
        slots = Slots(network, chunked(batch).slots, nodes)
        workers = available_cores() if threads is None else threads
        schedule = self._schedule = Schedule(
            network, graph, batch, keep=kept, trained=nodes, slots=slots, threads=workers
        )
        schedule.forward()
        for term in self.terms:
            term.emit(schedule)
        schedule.start_backward()
        schedule.backward()
        schedule.emit_after_chunks()
        schedule.barrier()
        names = [name for name in network.parameters if schedule.needs_gradient(name.rpartition(".")[0])]
        slots.sum_others(schedule, names)
        schedule.barrier()
        self._squares = slots.squares
        updated = [name for name in names if name not in frozen]
        self._emit_optimiser(clip, updated)
        self._limit_norms(updated)
        phases = [phase for each in schedule.passes() for phase in each]
        layout = lay_out(phases, schedule.chunks)
        self._memory = schedule.memory + layout.arena.nbytes + workers * layout.scratch_bytes
        self._arena = layout.arena
        if ranks is None:
            self._shared: SharedStep | None = None
            self._program = program(
                phases, schedule.chunks, threads=workers, scratch_bytes=layout.scratch_bytes, also=also
            )
        else:
            from cnncli.nn.sharing import SharedStep

            self._shared = SharedStep(ranks, schedule, network, slots, self.terms)
            self._program = Program(
                self._shared.tasks(), threads=workers, scratch_bytes=layout.scratch_bytes, also=also
            )
        self.refresh()

    def refresh(self) -> None:
        """Fold the batch norms of layers that are not trained; call it after other weights are loaded."""
        self._schedule.folded.fold()

    def _emit_optimiser(self, clip: float, names: Sequence[str]) -> None:
        """Add the update of parameters."""
        parameters = {name: self.network.parameters[name] for name in names}
        matrices = [name for name, each in parameters.items() if self.optimiser.is_orthogonal(each)]
        common = {"limit": clip, "squares": self._squares.ctypes.data, "square_count": self._squares.size}
        self._optimise = self._emit_elementwise([name for name in names if name not in matrices], common)
        self._orthogonal: list[NDArray[np.void]] = []
        if isinstance(self.optimiser, Muon):
            groups = [matrix for name in matrices for matrix in self._matrices(name)]
            self._orthogonal = emit_orthogonal(self._schedule, self.optimiser, groups, **common)

    def _matrices(self, name: str) -> Iterator[Matrix]:
        """A parameter's matrices, one of each group."""
        parameter = self.network.parameters[name]
        first, _ = self.network.row_range(name)
        arrays = self.network.weights, self.network.gradient, self._kept[0]
        for group in range(parameter.groups):
            row = first + group * parameter.blocks * parameter.taps
            at = Addresses(*(int(each.ctypes.data) + row * self.network.row_bytes for each in arrays))
            yield Matrix(parameter, at)

    def _emit_elementwise(self, names: Sequence[str], common: Mapping[str, float]) -> list[NDArray[np.void]]:
        """Add the update of parameters whose values do not depend on one another; returns its records."""
        schedule, network = self._schedule, self.network
        values = {
            "weight": network.weights.ctypes.data,
            "gradient": network.gradient.ctypes.data,
            "first": self._kept[0].ctypes.data,
            "second": self._kept[1].ctypes.data,
            "kind": self.optimiser.kind,
            **common,
        }
        jobs = []
        for decays in (True, False):
            parameters = {name: network.parameters[name] for name in names}
            ranges = [
                network.row_range(name) for name, parameter in parameters.items() if parameter.decay == decays
            ]
            tasks = [
                (first + lo, first + hi)
                for first, last in ranges
                for lo, hi in pieces(last - first, PIECE_ROWS)
            ]
            if tasks:
                decay = self.optimiser.weight_decay if decays else 0.0
                jobs.append(schedule.job(nn_jobs.OPTIMISE, decay=decay, **values))
                schedule.whole("optimise", jobs[-1], tasks)
        return jobs

    def _limit_norms(self, names: Sequence[str]) -> None:
        """Keep the norms of weights that have a limit within it, after they are updated."""
        self._schedule.barrier()
        for name in names:
            parameter = self.network.parameters[name]
            if parameter.max_norm:
                job = self._schedule.job(
                    nn_jobs.LIMIT_NORMS,
                    weight=self.network.address(name),
                    taps=parameter.taps,
                    limit=parameter.max_norm,
                )
                self._schedule.whole("limit_norms", job, pieces(parameter.groups * parameter.blocks, 1))

    @property
    def outputs(self) -> Floats:
        """Outputs of the first term in the last step, shape (batch, K)."""
        return self.terms[0].outputs

    def all_outputs(self, samples: int) -> dict[str, Floats]:
        """Outputs of the last step for its samples by role, each as `outputs` has those of the first term."""
        return {each.term.output: each.outputs[:samples] for each in self.terms}

    @property
    def losses(self) -> Floats:
        """Losses of each sample in the first term, shape (batch,), before the mean."""
        return self.terms[0].losses

    def run(self, images: Floats, targets: Targets, *, rate: float) -> float:
        """Run one step.

        Parameters
        ----------
        images : ndarray, shape (N, H, W, C), float32
            Contiguous; N is at most ``batch``.
        targets : ndarray, or mapping of str to ndarray
            As the losses expect them: labels (N,), or rows (N, K); for all outputs, or by their roles.
        rate : float
            Learning rate of this step.

        Returns
        -------
        float
            Weighted sum of the mean losses of the batch before the step.
        """
        samples = check_images(images, self.network, self.batch)
        start_all(self.terms, targets, samples)
        self.steps += 1
        for job in self._optimise:
            job["rate"] = rate
            for name, value in self.optimiser.fields(self.steps).items():
                job[name] = value
        for job in self._orthogonal:
            job["rate"] = rate
        if self._cumulative_statistics:
            for job, momentum in self._schedule.norms:
                job["momentum"] = max(momentum, 1 / self.steps)
        self._schedule.start(images, samples, self.steps)
        if self._shared is None:
            self._program.run(samples)
        else:
            self._shared.run(self._program, samples)
        return sum(term.value(samples) for term in self.terms)

    @property
    def gradient_norm(self) -> float:
        """Norm of the last step's gradient, before clipping."""
        return float(np.sqrt(self._squares.sum()))

    @property
    def memory(self) -> int:
        """Bytes of the step's memory, without the weights; moments of frozen ones are never touched."""
        return self._memory + len(self._kept) * self.trained_bytes

    def optimiser_state(self) -> dict[str, Floats]:
        """The optimiser's state by name, for `load_optimiser_state`."""
        return {
            f"{slot}/{name}": array
            for slot, kept in zip(self.optimiser.slots, self._slot_arrays(), strict=True)
            for name, array in self.network.unpack(kept)
        }

    def load_optimiser_state(self, arrays: Mapping[str, Floats], *, steps: int) -> None:
        """Continue from the state that `optimiser_state` returned after ``steps`` steps.

        Raises
        ------
        CnncliError
            If an array is missing or has another shape.
        """
        for slot in self.optimiser.slots:
            self.network.check(arrays, prefix=f"{slot}/", states=False)
        for slot, kept in zip(self.optimiser.slots, self._slot_arrays(), strict=True):
            self.network.pack({name: arrays[f"{slot}/{name}"] for name in self.network.parameters}, kept)
        self.steps = steps

    def _slot_arrays(self) -> list[Floats]:
        return [self._kept[1 if slot == "square" else 0] for slot in self.optimiser.slots]
