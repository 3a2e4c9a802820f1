"""TextCNN is the same network in PyTorch: outputs, gradients, and the steps of its optimiser."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn.functional import cross_entropy, relu  # noqa: E402

from cnncli.models.textcnn import MAPS, MAX_NORM, WINDOWS, textcnn  # noqa: E402
from cnncli.nn import Adam, Network, SoftmaxCrossEntropy, Term, TrainingStep  # noqa: E402

WORDS, DIM, ROOM, RATE = 50, 20, 9, 0.05


class TextCNN(nn.Module):
    """Kim's network, windows without any word left out."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(WORDS, DIM, padding_idx=0)
        for width in WINDOWS:
            self.add_module(f"conv{width}", nn.Conv1d(DIM, MAPS, width, padding=width - 1))
        self.fc = nn.Linear(MAPS * len(WINDOWS), 3)

    def forward(self, numbers):
        vectors, lengths = self.embedding(numbers).transpose(1, 2), (numbers > 0).sum(1)
        maxima = []
        for width in WINDOWS:
            maps = relu(getattr(self, f"conv{width}")(vectors))
            there = torch.arange(maps.shape[2]) < torch.where(lengths > 0, lengths + width - 1, 0)[:, None]
            maxima.append((maps * there[:, None]).max(2).values)
        return self.fc(torch.cat(maxima, 1))


@pytest.fixture
def twins():
    graph = textcnn((1, ROOM, 1), 3, words=WORDS, dim=DIM)
    network = Network(graph, seed=4)
    twin = TextCNN().double()
    load(twin, network)
    return network, twin


def load(twin, network):
    twin.load_state_dict({name: torch.tensor(array) for name, array in network.export().items()}, strict=True)


def batches():
    random = np.random.default_rng(3)
    for lengths in ((0, 1, 2, 9, 5, 9), (4, 3, 9, 1, 1, 6), (2, 2, 7, 9, 0, 3)):
        x = np.zeros((6, 1, ROOM, 1), np.float32)
        for row, count in zip(x[:, 0, :, 0], lengths, strict=True):
            row[:count] = random.integers(1, WORDS, count)
        yield x, random.integers(0, 3, 6)


def test_outputs_gradients_and_steps(twins):
    """Weights are made equal after each step: Adam turns errors of gradients near 0 into whole steps."""
    network, twin = twins
    object.__setattr__(network.graph.nodes["dropout"].layer, "rate", 0.0)
    objective = [Term("main", SoftmaxCrossEntropy())]
    step = TrainingStep(network, 6, objective=objective, optimiser=Adam(), threads=1)
    optimiser = torch.optim.Adam(twin.parameters(), RATE)
    for x, labels in batches():
        outputs = twin(torch.tensor(x[:, 0, :, 0].astype(np.int64)))
        loss = cross_entropy(outputs, torch.tensor(labels))
        twin.zero_grad()
        loss.backward()
        assert step.run(x, labels, rate=RATE) == pytest.approx(loss.item(), rel=1e-5)
        np.testing.assert_allclose(step.outputs, outputs.detach().numpy(), rtol=1e-4, atol=1e-5)
        sure = {}
        for name, gradient in network.unpack(network.gradient):
            wanted = twin.get_parameter(name).grad.numpy()
            np.testing.assert_allclose(gradient, wanted, rtol=1e-3, atol=1e-5 * np.abs(wanted).max())
            sure[name] = (np.abs(wanted) > 1e-3 * np.abs(wanted).max()) | (wanted == 0)
        optimiser.step()
        with torch.no_grad():
            twin.fc.weight.copy_(twin.fc.weight.renorm(2, 0, MAX_NORM))
        found = network.export()
        for name, where in sure.items():
            wanted = twin.get_parameter(name).detach().numpy()
            np.testing.assert_allclose(found[name][where], wanted[where], rtol=1e-3, atol=2e-3 * RATE)
        load(twin, network)
