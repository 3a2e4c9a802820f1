"""Learning rates by step, as plain formulas and as PyTorch's schedulers give them."""

import math

import pytest

from cnncli.nn.schedules import Schedule

STEPS = [4, 10, 30, 101]


def factors(kind, steps, **settings):
    schedule = Schedule(kind, steps, **settings)
    return [schedule.factor(step) for step in range(steps)]


def one_cycle(step, steps, share):
    top, low = share * steps - 1, 1 / 250_000

    def between(start, end, done):
        return end + (start - end) * (1 + math.cos(math.pi * done)) / 2

    if step <= top:
        return between(1 / 25, 1, step / top)
    return between(1, low, (step - top) / (steps - 1 - top))


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("warm_up", [0, 0.5])
def test_one_cycle(steps, warm_up):
    share = warm_up or 0.3
    got = factors("one-cycle", steps, warm_up=round(warm_up * steps))
    share = round(share * steps) / steps if warm_up else share
    assert got == pytest.approx([one_cycle(step, steps, share) for step in range(steps)])
    assert got[-1] == pytest.approx(1 / 250_000)


@pytest.mark.parametrize(("steps", "wanted"), [(1, [1]), (2, [1, 4e-6]), (3, [1, 0.500002, 4e-6])])
def test_one_cycle_of_few_steps_starts_at_its_top(steps, wanted):
    """Where PyTorch's would train one step with a 250,000th of the rate."""
    assert factors("one-cycle", steps) == pytest.approx(wanted)


def test_a_cycle_may_be_all_rise():
    got = factors("one-cycle", 5, warm_up=5)
    assert got == pytest.approx([one_cycle(step, 5, 1.0) for step in range(5)])


@pytest.mark.parametrize("steps", STEPS)
def test_cosine_and_steps(steps):
    wanted = [(1 + math.cos(math.pi * step / steps)) / 2 for step in range(steps)]
    assert factors("cosine", steps) == pytest.approx(wanted)
    wanted = [0.2 ** ((step >= 0.5 * steps) + (step >= 0.75 * steps)) for step in range(steps)]
    assert factors("step", steps, gamma=0.2) == pytest.approx(wanted)


@pytest.mark.parametrize("kind", ["constant", "cosine", "linear", "step"])
def test_a_warm_up_rises_in_a_line(kind):
    got = factors(kind, 30, warm_up=10)
    assert got[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert got[10:] == pytest.approx(factors(kind, 20))


@pytest.mark.parametrize("steps", STEPS)
def test_as_pytorchs_schedulers(steps):
    torch = pytest.importorskip("torch")
    schedulers = torch.optim.lr_scheduler

    def rates(make):
        optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        scheduler = make(optimiser)
        found = []
        for _ in range(steps):
            found.append(optimiser.param_groups[0]["lr"])
            optimiser.step()
            scheduler.step() if len(found) < steps else None
        return found

    cycle = rates(lambda optimiser: schedulers.OneCycleLR(optimiser, 1.0, total_steps=steps))
    assert factors("one-cycle", steps) == pytest.approx(cycle)
    cosine = rates(lambda optimiser: schedulers.CosineAnnealingLR(optimiser, steps))
    assert factors("cosine", steps) == pytest.approx(cosine, abs=1e-9)
    line = rates(lambda optimiser: schedulers.LinearLR(optimiser, 1.0, 0.0, steps))
    assert factors("linear", steps) == pytest.approx(line, abs=1e-9)
    milestones = [math.ceil(0.5 * steps), math.ceil(0.75 * steps)]
    stairs = rates(lambda optimiser: schedulers.MultiStepLR(optimiser, milestones))
    assert factors("step", steps) == pytest.approx(stairs)
