"""Training side by side, against plain training one by one."""

import dataclasses
from itertools import islice

import pytest
import torch
from torch import nn

import lehr
from lehr.catalogue import ENTRIES, find_entry
from lehr.lab.errors import StoppedError
from lehr.lab.optimizers import OPTIMIZERS
from lehr.lab.plan import SCHEDULES, Pair, Plan
from lehr.lab.tasks.registry import find_task
from lehr.lab.training.loop import batches
from lehr.lab.training.population import train_population
from lehr.lab.training.stacked import Stack, in_order
from lehr.lab.trial import Outcome, Trial, evaluation_steps
from plain import ROUNDING, assert_rounding, float64, in_float64, loop

TASK = find_task("digits")
STEPS = 30
PEAKS = {"sgd": 0.5, "momentum": 0.05, "nesterov": 0.05, "adam": 0.01, "adamw": 0.01}


def trial(optimizer: str = "adam", schedule: str = "cosine", **parts: object) -> Trial:
    """A short trial as the plan makes it, with these parts changed."""
    made = Plan().scoring(Pair(optimizer, schedule), 0.02)[0]
    return dataclasses.replace(made, **{"steps": STEPS, **parts})


def plain(t: Trial) -> Outcome:
    """Return the outcome of a trial in a loop written by hand."""
    data, losses, accuracy = TASK.load(), [], []
    for model, loss in loop(t, TASK):
        losses.append(loss)
        guesses = model(data.validation.inputs).argmax(1)
        accuracy.append((guesses == data.validation.targets).double().mean().item())
    ends = evaluation_steps(t.steps)
    starts = [0, *ends[:-1]]
    outputs = model(data.test.inputs)
    return Outcome(
        diverged=None,
        loss=tuple(sum(losses[a:b]) / (b - a) for a, b in zip(starts, ends, strict=True)),
        validations=tuple(accuracy[end - 1] for end in ends),
        validation=accuracy[-1],
        test=(outputs.argmax(1) == data.test.targets).double().mean().item(),
        test_loss=nn.functional.cross_entropy(outputs, data.test.targets).item(),
    )


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("schedule", ["cosine", "one_cycle"])
def test_it_is_plain_training(optimizer: str, schedule: str) -> None:
    one = trial(optimizer, schedule, peak=PEAKS[optimizer])
    found, expected = train_population([one])[0], plain(one)
    # One image of 450 may fall on the other side of a rounding error.
    assert found.validations == pytest.approx(expected.validations, abs=1.5 / 450)
    assert found.test == pytest.approx(expected.test, abs=1.5 / 450)
    assert found.validation == found.validations[-1]
    assert found.loss == pytest.approx(expected.loss, rel=1e-4)
    assert found.test_loss == pytest.approx(expected.test_loss, rel=1e-4)
    assert found.diverged is None


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_population_is_many_plain_loops(optimizer: str) -> None:
    """Trials of every schedule at once, update by update, against a loop by hand for each."""
    steps = 50
    task = in_float64(TASK)
    trials = [
        trial(optimizer, name, steps=steps, seed=i % 3, peak=PEAKS[optimizer] * (1 + i / 100))
        for i, name in enumerate(ENTRIES)
    ]
    trials = [trials[place] for place in in_order(trials)]
    with float64():
        stack = Stack(trials, task)
        together = torch.stack([stack.update() for _ in range(steps)])
        assert together.dtype == torch.float64
        for i, one in enumerate(trials):
            found = list(loop(one, task))
            assert_rounding(together[:, i], torch.tensor([loss for _, loss in found]), ROUNDING)
            model, _ = found[-1]
            for weight, expected in zip(stack.weights.values(), model.parameters(), strict=True):
                assert_rounding(weight[i].detach(), expected.detach(), ROUNDING)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_company_changes_nothing_to_the_last_bit(optimizer: str) -> None:
    # Also guards the register: an optimizer that looks at whole tensors would fail here.
    company = [
        trial(optimizer, peak=peak, seed=seed)
        for peak, seed in [(0.1, 4), (0.01, 0), (0.01, 7), (1e9, 1), (0.5, 7), (0.01, 2)]
    ]
    together = train_population(company)
    for position in (0, 2, 4):
        assert train_population([company[position]]) == [together[position]]
    assert train_population(company[::-1]) == together[::-1]


def test_a_trial_comes_out_the_same_twice() -> None:
    torch.manual_seed(1)
    first = train_population([trial()])
    torch.manual_seed(2)
    assert train_population([trial()]) == first


def test_pairs_of_one_seed_start_alike_and_see_the_same_batches() -> None:
    # Before its first update every run has the same loss on its first batch: with as many looks
    # as steps, the first entry is just that.
    def first_loss(optimizer: str, schedule: str, seed: int) -> float | None:
        return train_population([trial(optimizer, schedule, steps=5, seed=seed)])[0].loss[0]

    pairs = [(o, "constant") for o in OPTIMIZERS] + [("momentum", s) for s in SCHEDULES]
    assert len({first_loss(o, s, seed=3) for o, s in pairs}) == 1
    assert first_loss("adam", "constant", seed=4) != first_loss("adam", "constant", seed=3)


def test_batches_go_through_the_data_in_an_order_of_their_own() -> None:
    per_epoch = TASK.train // TASK.batch_size

    def drawn(seed: int) -> torch.Tensor:
        return torch.stack(list(islice(batches(TASK, seed), 2 * per_epoch)))

    order = drawn(8)
    assert order.shape == (2 * per_epoch, TASK.batch_size)
    first, second = order[:per_epoch].flatten(), order[per_epoch:].flatten()
    for epoch in (first, second):
        assert len(epoch.unique()) == len(epoch)
        assert epoch.min() >= 0
        assert epoch.max() < TASK.train
    assert not torch.equal(first, second)
    assert torch.equal(drawn(8), order)
    assert not torch.equal(drawn(9), order)


@pytest.mark.parametrize("steps", [STEPS, 200])
def test_a_run_that_diverges_guesses(steps: int) -> None:
    lost, kept = train_population(
        [trial("momentum", peak=peak, steps=steps) for peak in (1e30, 0.1)]
    )
    assert lost.diverged is not None
    assert 1 < lost.diverged < 20
    assert lost.test == lost.validation == lost.validations[-1] == TASK.metric.guess
    assert lost.test_loss is None
    assert lost.loss[-1] is None
    assert len(lost.loss) == len(lost.validations) == 20
    assert kept.diverged is None
    assert kept.test > 0.5


def test_divergence_that_only_the_test_shows() -> None:
    # The loss before the only update is sound; the update is not.
    lost = train_population([trial("sgd", "constant", peak=1e38, steps=1)])[0]
    assert lost.diverged == 1
    assert lost.test == lost.validations[0] == lost.validation == TASK.metric.guess
    assert lost.loss == (None,)


def test_what_diverges_is_frozen_and_the_rest_goes_on_to_the_last_bit() -> None:
    # Two momenta, of which one loses all its networks, and state that must follow its network.
    cycle = find_entry("one_cycle").momentum
    healthy = [trial(seed=seed, peak=0.05) for seed in range(3)]
    doomed = [
        trial(seed=1, peak=1e30),
        trial(schedule="one_cycle", seed=1, peak=1e30, momentum=cycle),
    ]
    mixed = [doomed[0], healthy[0], doomed[1], healthy[1], healthy[2]]
    found = train_population(mixed)
    assert [o.diverged is None for o in found] == [False, True, False, True, True]
    assert [found[1], found[3], found[4]] == [train_population([t])[0] for t in healthy]


def test_frozen_networks_leave_the_stack() -> None:
    trials = [trial(seed=seed, peak=peak) for seed, peak in [(0, 0.1), (1, 1e30), (2, 0.1)]]
    stack = Stack(trials, TASK)
    for _ in range(5):
        losses = stack.update()
    assert losses.isfinite().tolist() == [True, False, True]
    stack.drop([1])
    assert {len(weight) for weight in stack.weights.values()} == {2}
    assert stack.update().isfinite().all()


@pytest.mark.parametrize("other", [{"optimizer": "sgd"}, {"steps": STEPS + 1}])
def test_trials_of_another_kind_are_refused(other: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="trials has 2 combinations"):
        train_population([trial(), dataclasses.replace(trial(), **other)])


def test_no_trials_are_refused() -> None:
    with pytest.raises(ValueError, match="trials has 0 combinations"):
        train_population([])


@pytest.mark.parametrize(
    ("part", "schedule"), [("schedule", lehr.linear() - 0.5), ("momentum", lehr.linear(to=0.9))]
)
def test_a_schedule_of_impossible_values_is_refused(part: str, schedule: lehr.Schedule) -> None:
    bad = dataclasses.replace(trial(), **{part: schedule})
    with pytest.raises(lehr.ScheduleError, match=rf"{part}=.* reaches from .* to .*must stay"):
        train_population([trial(), bad])


def test_it_stops_on_request() -> None:
    asked = iter([False, False, True])
    with pytest.raises(StoppedError):
        train_population([trial()], stopped=lambda: next(asked))
    assert list(asked) == []


def test_torch_keeps_its_threads() -> None:
    before = torch.get_num_threads()
    train_population([trial(steps=1)])
    assert torch.get_num_threads() == before
