"""How a batch is divided: into chunks, and ranges of chunks. It depends on the size of the batch alone.

A thread processes one chunk after the other; a range of chunks sums its own gradient. As the number of
threads decides about neither, it changes no bit of a result.
"""

from __future__ import annotations

from cnncli.records import record

# Ranges of chunks, each with its own gradient: at most so many threads work on a batch. Batches that fill
# more have more, in powers of two.
SLOTS, MOST_SLOTS = 8, 64
CHUNK = 16  # samples, at most


@record
class Chunks:
    """The chunks of a batch.

    Attributes
    ----------
    batch : int
        Most samples in a step.
    slots : int
        Ranges of chunks.
    size : int
        Samples of a chunk; the last may have fewer.
    per_slot : int
        Chunks of a range; the last may have fewer.
    """

    batch: int
    slots: int
    size: int
    per_slot: int

    @property
    def count(self) -> int:
        """Number of chunks."""
        return -(-self.batch // self.size)

    def of_slot(self, slot: int) -> range:
        """The chunks of a range, by number."""
        return range(slot * self.per_slot, min((slot + 1) * self.per_slot, self.count))

    def samples(self, chunk: int) -> tuple[int, int]:
        """First sample of a chunk, and the one after its last."""
        return chunk * self.size, min((chunk + 1) * self.size, self.batch)


def chunked(batch: int, frames: int = 1) -> Chunks:
    """Divide a batch evenly, into chunks of at most `CHUNK` samples, or of so many frames of clips."""
    slots = SLOTS
    while slots < MOST_SLOTS and batch >= 2 * slots * CHUNK:
        slots *= 2
    slots = max(1, min(slots, batch))
    samples = -(-batch // slots)
    size = -(-samples // -(-samples // max(1, CHUNK // frames)))
    return Chunks(batch, slots, size, -(-samples // size))
