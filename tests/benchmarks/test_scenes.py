"""PyTorch's side of the comparison on scenes: the same loss as ours in a first step, of all three tasks."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from cnncli.training.options import TrainOptions  # noqa: E402
from cnncli.training.session import begin  # noqa: E402
from tests.benchmarks.scenes import TorchStep  # noqa: E402

NETWORKS = {
    "segment": "segmenter:width=0.25",
    "detect": "detector:width=0.25,neck=8",
    "localize": "localizer:width=0.25",
}


@pytest.mark.parametrize("task", NETWORKS)
def test_a_first_step_has_our_loss_and_gives_our_weights_back(task):
    # With seed 0 a value of the segmenter is 2e-6 from a ReLU's corner, which rounding decides.
    options = TrainOptions(
        dataset="digit-scenes",
        task=task,
        model=NETWORKS[task],
        size="64",
        batch_size=4,
        augment="shift=9",
        seed=1,
    )
    session = begin(options, dry=True)
    inputs = session.trainer.inputs
    step = TorchStep(torch, session, "contiguous_format")
    batch = next(inputs.train.epoch(0))
    targets = inputs.task.encode(batch)
    theirs = step(batch.x, targets, 1e-3)
    ours = session.trainer.step.run(batch.x, targets, rate=1e-3)
    assert theirs == pytest.approx(ours, rel=1e-4)
    learned = inputs.network.export()
    step.give_back()
    for name, array in inputs.network.export().items():
        if name.endswith("weight"):
            moved = np.abs(array - learned[name]) > 1e-4  # AdamW's first step is the sign of the gradient
            assert moved.mean() < 0.02, name
