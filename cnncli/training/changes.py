"""What may change when a run is gone on with: where its data lie, and how long it is."""

from dataclasses import dataclass

from cnncli.errors import OptionError
from cnncli.training.options import TrainOptions
from cnncli.training.state import Progress


@dataclass(frozen=True)
class Changes:
    """Options that may stand beside ``--resume``.

    Attributes
    ----------
    data : str or None
        Where the same images lie now.
    epochs : int or None
        Of the whole run: it is prolonged. Epochs that were planned before keep their learning rates; the
        others have those that a run planned for so many epochs has there (`schedules.prolonged`).
    """

    data: str | None = None
    epochs: int | None = None

    def __bool__(self) -> bool:
        return self.data is not None or self.epochs is not None

    def prolonged(
        self, options: TrainOptions, plans: tuple[int, ...], progress: Progress
    ) -> tuple[TrainOptions, tuple[int, ...]]:
        """The options and earlier plans of the run from now on.

        Raises
        ------
        OptionError
            Where there are fewer epochs than before, or the run did not end for want of epochs.
        """
        planned = options.epochs or 1
        if self.epochs is None or self.epochs == planned:
            return options, plans
        if self.epochs < planned:
            raise OptionError(
                f"--epochs is {self.epochs:,} for a run of {planned:,}, {progress.epoch:,} of them done; "
                f"expected more than {planned:,}",
                "Give more epochs, or leave --epochs out; best.safetensors has the best weights so far.",
            )
        if progress.result is not None and progress.epoch < planned:
            raise OptionError(
                f"the run ended after epoch {progress.epoch:,} of {planned:,}, by --patience "
                f"{options.patience}; expected one that ended for want of epochs",
                "Start a new run from its weights with --init.",
            )
        return options.at(epochs=self.epochs), (*plans, planned)
