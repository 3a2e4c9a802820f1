"""Training steps and inference, each planned once for a batch size."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from cnncli.core import native, nn_jobs
from cnncli.core.threads import available_cores
from cnncli.errors import CnncliError
from cnncli.nn.graph import MAIN
from cnncli.nn.memory import Tensor, pieces
from cnncli.nn.network import Floats, Network
from cnncli.nn.objective import Targets, Term, planned
from cnncli.nn.optimisers import Optimiser
from cnncli.nn.plan import Plan
from cnncli.nn.slots import PIECE_ROWS

_CHECKED_FROM = 1 << 28  # bytes: asking the system takes a tenth of a millisecond


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
    ) -> None:
        self.network = network
        self._cumulative_statistics = cumulative_statistics
        self.batch = batch
        self.optimiser = optimiser
        self.steps = 0
        self._kept = [native.aligned_zeros(network.weights.nbytes).view(np.float32) for _ in range(2)]
        self.terms = planned(objective, network.graph, batch)
        kept = list(dict.fromkeys(term.node for term in self.terms))
        self._plan = Plan(network, batch, training=True, keep=kept, frozen=frozen)
        self.trained_bytes = network.row_bytes * sum(
            parameter.rows for name, parameter in network.parameters.items() if name not in frozen
        )
        self._plan_step(clip, frozen)
        self._program = self._plan.program(available_cores() if threads is None else threads, also=also)
        self.refresh()

    def refresh(self) -> None:
        """Fold the batch norms of layers that are not trained; call it after other weights are loaded."""
        self._plan.fusion.fold()

    def _plan_step(self, clip: float, frozen: Collection[str]) -> None:
        plan, network = self._plan, self.network
        plan.forward()
        for term in self.terms:
            term.plan(plan)
        plan.backward()
        plan.emit_after_chunks()
        plan.barrier()
        squares = self._squares = plan.sum_slots()
        self._optimise = []
        common = {
            "weight": network.weights.ctypes.data,
            "gradient": network.gradient.ctypes.data,
            "first": self._kept[0].ctypes.data,
            "second": self._kept[1].ctypes.data,
            "kind": self.optimiser.kind,
            "limit": clip,
            "squares": squares.ctypes.data,
            "square_count": squares.size,
        }
        plan.barrier()
        for decays in (True, False):
            job = plan.job(nn_jobs.OPTIMISE, decay=self.optimiser.weight_decay if decays else 0.0, **common)
            names = [
                name
                for name, parameter in network.parameters.items()
                if parameter.decay == decays
                and not parameter.sparse
                and name not in frozen
                and name.rpartition(".")[0] in plan.graph.nodes
            ]
            tasks = [
                (first + lo, first + hi)
                for first, last in map(network.row_range, names)
                for lo, hi in pieces(last - first, PIECE_ROWS)
            ]
            if tasks:
                plan.whole("optimise", job, tasks)
                self._optimise.append(job)
        for rows in plan.listed:
            job = rows.optimise_job(**common)
            plan.whole("optimise_listed", job, pieces(rows.tasks, 1))
            self._optimise.append(job)
        plan.limit_norms(frozen)
        plan.phases = plan.with_weights(plan.phases)

    @property
    def outputs(self) -> Floats:
        """Outputs of the first term in the last step, shape (batch, K)."""
        return self.terms[0].outputs

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
        for term in self.terms:
            term.start(targets, samples)
        self.steps += 1
        for job in self._optimise:
            job["rate"] = rate
            for name, value in self.optimiser.fields(self.steps).items():
                job[name] = value
        plan = self._plan
        if self._cumulative_statistics:
            for job, momentum in plan.norms:
                job["momentum"] = max(momentum, 1 / self.steps)
        plan.start(images, samples, self.steps)
        self._program.run(samples)
        return sum(term.value(samples) for term in self.terms)

    @property
    def gradient_norm(self) -> float:
        """Norm of the last step's gradient, before clipping."""
        return float(np.sqrt(self._squares.sum()))

    @property
    def memory(self) -> int:
        """Bytes of the step's memory, without the weights; moments of frozen ones are never touched."""
        return self._plan.memory + len(self._kept) * self.trained_bytes

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


class Inference:
    """Outputs of a network, planned once for a batch size.

    Parameters
    ----------
    network : Network
        Call `refresh` after its weights have changed.
    batch : int
        Most samples at a time.
    threads : int or None
        None: all cores.
    keep : collection of str
        Names of layers whose activations are returned besides the main output.
    outputs : sequence of str
        Roles of the outputs to compute, as in `Graph.outputs`. Layers that neither they nor ``keep`` depend
        on are left out, such as auxiliary heads that only training needs.

    Raises
    ------
    CnncliError
        If there is no such output, or it would need more memory than is available.
    """

    def __init__(
        self,
        network: Network,
        batch: int,
        *,
        threads: int | None = None,
        keep: Collection[str] = (),
        outputs: Sequence[str] = (MAIN,),
    ) -> None:
        self.network = network
        self.batch = batch
        workers = available_cores() if threads is None else threads
        self._outputs = {role: network.graph.output_of(role) for role in outputs}
        wanted = list(dict.fromkeys((*keep, *self._outputs.values())))
        plan = self._plan = Plan(network, batch, training=False, keep=wanted, parts=workers)
        plan.forward()
        self._kept = {}
        for name in wanted:
            value = plan.value(name)
            self._kept[name] = np.zeros((batch, *value.shape[:3]), np.float32)
            plan.apply("copy", value, value, Tensor(value.shape, external=self._kept[name].ctypes.data))
        self._refresh = plan.refresher()
        try:
            self._program = plan.program(workers)
        except MemoryError as fault:
            raise _too_large(batch) from fault
        _check_memory(self.memory, batch)
        self.refresh()

    @property
    def memory(self) -> int:
        """Bytes of its memory, without the network's weights."""
        return self._plan.memory + sum(array.nbytes for array in self._kept.values())

    def refresh(self) -> None:
        """Load the network's current weights."""
        self._plan.fusion.fold()
        self._refresh.run(1)

    def run(self, images: Floats) -> Floats:
        """The first of the outputs for any number of images, computed in batches.

        Parameters
        ----------
        images : ndarray, shape (N, H, W, C), float32
            Contiguous.

        Returns
        -------
        ndarray, shape (N, K) or (N, H, W, K), float32
        """
        return next(iter(self.run_all(images).values()))

    def run_all(self, images: Floats) -> dict[str, Floats]:
        """All outputs by role, each as `run` returns the first."""
        nodes = self._outputs.items()
        out = {role: np.empty((len(images), *self._kept[name].shape[1:]), np.float32) for role, name in nodes}
        for lo in range(0, len(images), self.batch):
            part = images[lo : lo + self.batch]
            self._step(part)
            for role, name in nodes:
                out[role][lo : lo + len(part)] = self._kept[name][: len(part)]
        return {
            role: array.reshape(len(array), -1) if array.shape[1:3] == (1, 1) else array
            for role, array in out.items()
        }

    def activations(self, images: Floats) -> dict[str, Floats]:
        """The outputs, and the activations of the layers in ``keep``, by name, for at most one batch."""
        self._step(images)
        return {name: array[: len(images)].copy() for name, array in self._kept.items()}

    def _step(self, images: Floats) -> None:
        samples = check_images(images, self.network, self.batch)
        self._plan.start(images, samples, 0)
        self._program.run(samples)


def _check_memory(needed: int, batch: int) -> None:
    """Refuse what does not fit into memory before touching it: until then it is only reserved."""
    if needed <= _CHECKED_FROM:
        return
    from cnncli.core.available import available_memory

    left = available_memory()
    if left is not None and needed > left:
        raise _too_large(
            batch, f"{needed / 1e9:.3g} GB of memory", f"the {left / 1e9:.3g} GB that are available"
        )


def _too_large(
    batch: int, takes: str = "more memory than is available", most: str = "the memory of this machine"
) -> CnncliError:
    images = "one image" if batch == 1 else f"{batch} images at a time"
    return CnncliError(
        f"the network needs {takes} for {images}; expected at most {most}",
        "Use a network for smaller images, or a machine with more memory.",
    )


def check_images(images: Floats, network: Network, batch: int) -> int:
    """Number of images, after checking that they fit the network."""
    expected = network.graph.input_shape[:3]
    fits = images.ndim == 4 and images.shape[1:] == expected and 0 < len(images) <= batch
    if not fits or images.dtype != np.float32 or not images.flags.c_contiguous:
        raise CnncliError(
            f"images have shape {images.shape} and type {images.dtype}; expected 1 to {batch} images of "
            f"{expected} as contiguous float32",
            "Resize the images, and convert them with numpy.ascontiguousarray.",
        )
    return len(images)
