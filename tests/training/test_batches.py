"""Batches that nothing can be learned from, and the last images of an epoch."""

import pytest
from training_helpers import Watcher, never

from cnncli.errors import OptionError
from cnncli.models.choice import architecture
from cnncli.training.batches import whole_steps_only


def graph(text):
    return architecture(text, (10, 10, 1), 3).graph()


POINTS = ["flatten fc16 bn relu fc", "conv4s5 pool bn relu fc", "conv4 gap bn fc"]


@pytest.mark.parametrize("text", POINTS)
def test_one_image_is_none_for_a_norm_of_points(text):
    """PyTorch raises "Expected more than 1 value per channel when training" for these."""
    with pytest.raises(OptionError, match="a batch of 1 image gives batchnorm1 one value a channel"):
        whole_steps_only(graph(text), 60, 1, frozen=False)
    assert not whole_steps_only(graph(text), 60, 1, frozen=True)


@pytest.mark.parametrize("text", POINTS)
def test_pytorch_refuses_them_too(text):
    torch = pytest.importorskip("torch")
    norm = torch.nn.BatchNorm2d(4)
    with pytest.raises(ValueError, match="Expected more than 1 value per channel"):
        norm(torch.ones(1, 4, 1, 1))
    assert norm(torch.ones(1, 4, 1, 2)).shape == (1, 4, 1, 2)


@pytest.mark.parametrize(
    ("text", "images", "batch", "left_out"),
    [
        (POINTS[0], 61, 2, True),
        (POINTS[0], 60, 2, False),
        ("conv4 bn relu gap fc", 61, 2, False),
        ("conv4 bn relu gap fc", 61, 1, False),
        ("conv4 relu gap fc", 61, 30, True),
        ("conv4 relu gap fc", 45, 30, False),
    ],
)
def test_the_last_images_of_an_epoch(text, images, batch, left_out):
    assert whole_steps_only(graph(text), images, batch, frozen=False) is left_out


def test_a_last_image_alone_is_dropped(session, tmp_path):
    """Were it taken, running statistics would get a deviation of 0."""
    for share in (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4):
        where = tmp_path / str(share)
        run = session(output=where, model=POINTS[0], batch_size=2, epochs=1, val_split=share)
        if len(run.dataset.train) % 2:
            break
    assert len(run.dataset.train) % 2 == 1
    watcher = Watcher()
    run.trainer.run(watcher, never)
    assert {report.images for report in watcher.steps} == {2}
