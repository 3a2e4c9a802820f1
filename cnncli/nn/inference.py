"""Inference, scheduled once for a batch size."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from cnncli.core.choices import MIN_SHARED_WORK
from cnncli.core.nn_jobs import TABLE_BYTES
from cnncli.core.threads import available_cores
from cnncli.errors import CnncliError
from cnncli.nn.calls import program
from cnncli.nn.elementwise import copy
from cnncli.nn.graph import MAIN
from cnncli.nn.memory import Tensor, lay_out
from cnncli.nn.network import Floats, Network
from cnncli.nn.schedule import Schedule

_CHECKED_FROM = 1 << 28  # bytes: asking the system takes a tenth of a millisecond


class Inference:
    """Outputs of a network, scheduled once for a batch size.

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
        graph = network.graph.pruned(wanted)
        shares = graph.multiply_adds >= MIN_SHARED_WORK  # threads work on the same sample, or layer
        schedule = self._schedule = Schedule(
            network, graph, batch, keep=wanted, threads=workers if shares else 1
        )
        schedule.forward()
        self._kept = {}
        for name in wanted:
            value = schedule.value(name)
            self._kept[name] = np.zeros((batch, *value.shape.strip), np.float32)
            copy(schedule, value, Tensor(value.shape, external=self._kept[name].ctypes.data))
        kept = [self._kept[name] for name in self._outputs.values()]
        self._results = [each.reshape(batch, -1) if each.shape[1:3] == (1, 1) else each for each in kept]
        phases, chunks = [phase for phase in schedule.phases if phase], schedule.chunks
        self._refresh = program(schedule.preparing(), chunks, threads=1, scratch_bytes=TABLE_BYTES)
        try:
            layout = lay_out(phases, chunks)
            self._program = program(phases, chunks, threads=workers, scratch_bytes=layout.scratch_bytes)
        except MemoryError as fault:
            raise too_large(batch) from fault
        self._arena = layout.arena
        self._memory = schedule.memory + layout.arena.nbytes + workers * layout.scratch_bytes
        check_memory(self.memory, batch)
        self.refresh()

    @property
    def memory(self) -> int:
        """Bytes of its memory, without the network's weights."""
        return self._memory + sum(array.nbytes for array in self._kept.values())

    def refresh(self) -> None:
        """Load the network's current weights."""
        self._schedule.folded.fold()
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
        return self._run(images, self._results[:1])[0]

    def run_all(self, images: Floats) -> dict[str, Floats]:
        """All outputs by role, each as `run` returns the first."""
        return dict(zip(self._outputs, self._run(images, self._results), strict=True))

    def _run(self, images: Floats, results: Sequence[Floats]) -> list[Floats]:
        """Some of the results for all images, batch by batch."""
        count = len(images)
        if 0 < count <= self.batch:
            self._step(images)
            return [each[:count].copy() for each in results]
        out = [np.empty((count, *each.shape[1:]), np.float32) for each in results]
        for lo in range(0, count, self.batch):
            part = slice(lo, lo + self.batch)
            self._step(images[part])
            for whole, each in zip(out, results, strict=True):
                whole[part] = each[: count - lo]
        return out

    def activations(self, images: Floats) -> dict[str, Floats]:
        """The outputs, and the activations of the layers in ``keep``, by name, for at most one batch."""
        self._step(images)
        return {name: array[: len(images)].copy() for name, array in self._kept.items()}

    def _step(self, images: Floats) -> None:
        samples = check_images(images, self.network, self.batch)
        self._schedule.start(images, samples, 0)
        self._program.run(samples)


def check_memory(needed: int, batch: int) -> None:
    """Refuse what does not fit into memory before touching it: until then it is only reserved."""
    if needed <= _CHECKED_FROM:
        return
    from cnncli.core.available import available_memory

    left = available_memory()
    if left is not None and needed > left:
        raise too_large(
            batch, f"{needed / 1e9:.3g} GB of memory", f"the {left / 1e9:.3g} GB that are available"
        )


def too_large(
    batch: int, takes: str = "more memory than is available", most: str = "the memory of this machine"
) -> CnncliError:
    """What to raise where a batch needs too much memory."""
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
