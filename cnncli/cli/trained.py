"""The network that a command uses: the checkpoint that ``-m`` names, or the one that ships."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cnncli.cli.exit_codes import UsageError
from cnncli.cli.options.shared import NetworkSettings
from cnncli.data.prepare import InputSpec
from cnncli.data.shipped import MODELS, is_onnx, model_path
from cnncli.errors import CnncliError
from cnncli.files.faults import shown
from cnncli.nn import Graph, Inference, Network
from cnncli.records import fields, record
from cnncli.tasks.task import Task
from cnncli.training.checkpoint import Checkpoint, load_checkpoint, open_checkpoint

DEFAULT = "digits"
_LARGEST = 1 << 22  # values of the widest layer in a batch: 16 MB
MOST = 64  # pictures of a batch


LIGHT = 30_000_000  # multiply-adds of a picture, about what reading it costs


@record(eq=False)
class Trained:
    """A checkpoint, its network, and what the network takes in.

    ``shipped`` is its name where it was chosen for a picture, for want of one that was asked for.
    """

    checkpoint: Checkpoint
    network: Network
    input_spec: InputSpec
    shipped: str | None = None

    @property
    def task(self) -> Task:
        """What its outputs mean."""
        return self.checkpoint.task

    def inference(self, pictures: int | None, *, threads: int) -> Inference:
        """A plan for so many pictures, or for as many as may come (None).

        Of many pictures the next are read while the network works: a light one keeps to one thread then,
        for others would take from the reading what they give.
        """
        if pictures != 1 and self.network.graph.multiply_adds < LIGHT:
            threads = 1
        size = batch_size(self.network.graph, threads)
        roles = self.task.read(tuple(self.network.graph.outputs))
        return Inference(self.network, min(size, pictures or size), threads=threads, outputs=roles)


def load_trained(settings: NetworkSettings, *, quiet: bool = False) -> Trained:
    """Load a checkpoint, or weights from elsewhere.

    Parameters
    ----------
    settings : NetworkSettings
        ``model`` is a file, the folder of a run, or a model that ships (`cnncli.data.shipped.MODELS`); None:
        that for digits. With ``weights``, a network as ``cnncli train`` has them.
    quiet : bool
        Do not say what is assumed of weights from elsewhere.

    Raises
    ------
    UsageError
        Where it cannot be read, is damaged, or is no network.
    """
    with _faults_of(settings.model):
        checkpoint = _checkpoint(settings, quiet=quiet)
        if checkpoint.preprocessing.channels not in (1, 3):
            raise CnncliError(
                f"{shown(checkpoint.path or DEFAULT)} takes images of {checkpoint.preprocessing.channels} "
                "channels; expected 1 (gray) or 3 (red, green, blue)",
                "Use a network that was trained on images.",
            )
        return Trained(checkpoint, checkpoint.network(), checkpoint.preprocessing.input_spec)


def names_network(settings: NetworkSettings) -> bool:
    """Whether the command line says anything about the network."""
    return any(getattr(settings, name) is not None for name in fields(NetworkSettings))


def open_trained(name: str | None) -> tuple[Checkpoint, Graph]:
    """A checkpoint and its layers, without looking at its weights; errors as of `load_trained`."""
    with _faults_of(name):
        path = model_path(DEFAULT if name is None else name)
        checkpoint = imported(path, described=True) if is_onnx(path) else open_checkpoint(path)
        return checkpoint, checkpoint.graph()


def load_named(name: str) -> Checkpoint:
    """A checkpoint with its weights; errors as of `load_trained`."""
    with _faults_of(name):
        path = model_path(name)
        return imported(path) if is_onnx(path) else load_checkpoint(path)


def imported(path: Path, *, described: bool = False) -> Checkpoint:
    """A model of ONNX as a checkpoint, of which nothing is said but what it says itself."""
    from cnncli.onnx.imported import load_onnx

    return load_onnx(path, described=described).checkpoint


@contextmanager
def _faults_of(name: str | None) -> Iterator[None]:
    """What goes wrong with a checkpoint is a wrong command line."""
    try:
        yield
    except CnncliError as error:
        from cnncli.nearest import did_you_mean

        known = MODELS if name is not None and not Path(name).exists() else ()
        raise UsageError(error.message, did_you_mean(name or "", known, error.hint)) from error
    except (ValueError, OSError) as error:  # a NUL byte in the name, and the like
        raise UsageError(
            f"-m {shown(name or DEFAULT)}: {error}; expected a checkpoint", "Check the name given to -m."
        ) from error


def _checkpoint(settings: NetworkSettings, *, quiet: bool) -> Checkpoint:
    if settings.model is not None and is_onnx(settings.model) and settings.weights is None:
        from cnncli.cli.elsewhere import checkpoint_of_onnx

        return checkpoint_of_onnx(settings.model, settings, quiet=quiet)
    if all(name == "model" or getattr(settings, name) is None for name in fields(NetworkSettings)):
        return load_checkpoint(model_path(DEFAULT if settings.model is None else settings.model))
    from cnncli.cli.elsewhere import checkpoint_elsewhere

    return checkpoint_elsewhere(settings, quiet=quiet)


def no_output(name: str) -> CnncliError:
    """The error for a picture for which the outputs of the network are not numbers."""
    return CnncliError(
        f"{shown(name)}: the outputs of the network are not numbers: values overflow on their way; "
        "expected finite outputs",
        "Train the network again with a lower --lr, or copy the checkpoint again from where it came.",
    )


def batch_size(graph: Graph, threads: int) -> int:
    """Pictures of a batch: many, as long as they take little memory, and one for each thread at least."""
    widest = max([graph.input_shape.size, *(node.shape.size for node in graph.nodes.values())])
    return min(MOST, max(threads, _LARGEST // widest))
