"""The search with the inputs that people have."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

import lehr

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from lehr.find import Suggestion  # noqa: E402
from lehr.torch import find_lr, range_test  # noqa: E402

SCHEDULE = lehr.warmup("10%") >> lehr.cosine()
Batch = tuple[torch.Tensor, torch.Tensor]


def data(size: int = 32, count: int = 130, noise: float = 0.3) -> list[Batch]:
    generator = torch.Generator().manual_seed(5)
    centres = torch.randn(4, 8, generator=generator)
    found: list[Batch] = []
    for _ in range(count):
        targets = torch.randint(4, (size,), generator=generator)
        found.append(
            (centres[targets] + noise * torch.randn(size, 8, generator=generator), targets)
        )
    return found


def network(drop: float = 0.0) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.Dropout(drop), nn.ReLU(), nn.Linear(16, 4))


def found(
    *, lr: float = 0.01, kind: str = "sgd", loss: Any = nn.functional.cross_entropy,
    batches: Any = None, model: nn.Module | None = None, **options: Any,
) -> Suggestion:  # fmt: skip
    model = network() if model is None else model
    if kind == "sgd":
        optimizer: Any = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    else:
        optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    batches = data() if batches is None else batches
    return find_lr(model, batches, loss, optimizer, schedule=SCHEDULE, steps=500, **options)


@pytest.fixture(scope="module")
def usual() -> dict[str, float]:
    return {kind: peak_of(found(kind=kind)) for kind in ("sgd", "adam")}


def peak_of(suggestion: Suggestion) -> float:
    assert suggestion.peak is not None, suggestion.warnings
    return suggestion.peak


def test_the_same_again_and_within_the_budget(usual: dict[str, float]) -> None:
    again = found()
    assert again.peak == usual["sgd"]
    assert 150 < again.spent <= 400
    assert again.spent == sum(run.spent for run in again.curve)
    assert again.as_good is not None
    assert again.best_within is not None
    low, high = again.best_within
    assert low < again.as_good[0] < usual["sgd"] < again.as_good[1] < high


@pytest.mark.parametrize("kind", ["sgd", "adam"])
@pytest.mark.parametrize("start", [1e-6, 1e-3, 1.0, 100.0])
def test_the_start_rate_does_not_matter(usual: dict[str, float], kind: str, start: float) -> None:
    assert peak_of(found(kind=kind, lr=start)) == pytest.approx(usual[kind], rel=0.02)


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_the_scale_of_the_loss_is_the_inverse_of_the_rate(
    usual: dict[str, float], scale: float
) -> None:
    def scaled(outputs: Any, targets: Any) -> Any:
        return scale * nn.functional.cross_entropy(outputs, targets)

    assert peak_of(found(loss=scaled)) * scale == pytest.approx(usual["sgd"], rel=0.02)
    # Adam divides by the gradients' scale, but for its eps of 1e-8.
    assert peak_of(found(kind="adam", loss=scaled)) == pytest.approx(usual["adam"], rel=0.1)


@pytest.mark.parametrize("shift", [-50.0, 5.0])
def test_a_loss_may_be_negative(usual: dict[str, float], shift: float) -> None:
    def shifted(outputs: Any, targets: Any) -> Any:
        return nn.functional.cross_entropy(outputs, targets) + shift

    assert peak_of(found(loss=shifted)) == pytest.approx(usual["sgd"], rel=0.05)


@pytest.mark.parametrize("size", [8, 512])
@pytest.mark.parametrize("drop", [0.0, 0.5])
def test_batch_sizes_and_dropout(size: int, drop: float) -> None:
    """The edge itself moves a little with the noise of the gradients."""
    peak = peak_of(found(batches=data(size, 40), model=network(drop)))
    assert abs(math.log10(peak / peak_of(found(batches=data(32, 40))))) < 0.5


def test_a_loss_that_is_not_finite_ends_a_run_at_once() -> None:
    calls: list[float] = []

    def loss(outputs: Any, targets: Any) -> Any:
        value = nn.functional.cross_entropy(outputs, targets)
        value = value if not outputs.abs().max() > 20 else value * float("inf")
        calls.append(float(value.detach()))
        return value

    suggestion = found(loss=loss)
    assert suggestion.spent == len(calls)
    infinite = [i for i, value in enumerate(calls) if not math.isfinite(value)]
    ends, at = [], -1
    for run in suggestion.curve:
        at += run.spent
        ends.append(at)
    assert infinite
    assert set(infinite) <= set(ends)
    assert peak_of(suggestion) < min(run.rate for run in suggestion.curve if run.loss is None)


def test_without_any_finite_loss_there_is_no_suggestion() -> None:
    suggestion = found(loss=lambda outputs, _: outputs.sum() * float("nan"))
    assert suggestion.peak is None
    assert suggestion.confidence == "none"
    assert suggestion.spent == 1
    assert "not finite before any update" in suggestion.warnings[0]
    assert suggestion.to_dict()["start_loss"] is None


def test_a_flat_loss_has_no_suggestion() -> None:
    suggestion = found(loss=lambda outputs, _: outputs.sum() * 0 + 1)
    assert suggestion.peak is None
    assert "no rate lowers the loss" in suggestion.warnings[-1]


def test_random_labels_are_doubted() -> None:
    generator = torch.Generator().manual_seed(1)
    batches = [
        (torch.randn(32, 8, generator=generator), torch.randint(4, (32,), generator=generator))
        for _ in range(130)
    ]
    suggestion = found(batches=batches)
    assert suggestion.confidence != "usual"
    assert any("noise" in text or "no rate" in text for text in suggestion.warnings)


def test_ratios_of_groups_are_kept(usual: dict[str, float]) -> None:
    model = network()
    optimizer = torch.optim.SGD(
        [
            {"params": [p for p in model.parameters() if p.dim() > 1], "lr": torch.tensor(0.01)},
            {"params": [p for p in model.parameters() if p.dim() == 1], "lr": 0.02},
        ],
        momentum=0.9,
    )
    suggestion = find_lr(
        model, data(), nn.functional.cross_entropy, optimizer, schedule=SCHEDULE, steps=500
    )
    assert suggestion.peaks == pytest.approx((suggestion.peak, 2 * peak_of(suggestion)))
    assert abs(math.log10(peak_of(suggestion) / usual["sgd"])) < 0.3


def step_on(model: nn.Module, optimizer: Any) -> Callable[[Batch], float]:
    def step(batch: Batch) -> float:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(batch[0]), batch[1])
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return step


def test_a_step_of_the_users_own(usual: dict[str, float]) -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    step = step_on(model, optimizer)
    suggestion = find_lr(
        model, data(), optimizer=optimizer, train_step=step, schedule=SCHEDULE, steps=500
    )
    assert suggestion.peak == usual["sgd"]


class Labelled(nn.Module):
    """Takes keyword arguments and returns its loss, as models of transformers do."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.inner, self.form = network(), form

    def forward(self, values: Any, labels: Any) -> Any:
        loss = nn.functional.cross_entropy(self.inner(values), labels)
        if self.form == "several":
            return {"classes": 0.25 * loss, "others": 0.75 * loss}
        if self.form == "tuple":
            return 0.5 * loss, 0.5 * loss
        return {"loss": loss, "logits": None} if self.form == "dict" else SimpleNamespace(loss=loss)


@pytest.mark.parametrize("form", ["dict", "object", "several", "tuple"])
def test_dicts_and_models_that_return_their_loss(usual: dict[str, float], form: str) -> None:
    batches = [{"values": values, "labels": labels} for values, labels in data()]
    assert peak_of(found(model=Labelled(form), batches=batches, loss=None)) == pytest.approx(
        usual["sgd"], rel=1e-3
    )


def test_a_step_may_take_parts_out_of_its_batch() -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    inner = step_on(model, optimizer)
    batches = [{"values": values, "labels": labels} for values, labels in data(count=30)]
    suggestion = find_lr(
        model, batches, optimizer=optimizer, schedule=SCHEDULE, steps=500,
        train_step=lambda batch: inner((batch["values"], batch.pop("labels"))),
    )  # fmt: skip
    assert suggestion.peak is not None
    assert all("labels" in batch for batch in batches)
    lists = [list(batch) for batch in data(count=30)]
    again = find_lr(
        model, lists, optimizer=optimizer, schedule=SCHEDULE, steps=500,
        train_step=lambda batch: inner((batch[0], batch.pop())),
    )  # fmt: skip
    assert again.peak == suggestion.peak
    assert {len(batch) for batch in lists} == {2}


def test_several_inputs() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = network()

        def forward(self, left: Any, right: Any) -> Any:
            return self.inner(torch.cat([left, right], 1))

    batches = [((x[:, :3], x[:, 3:]), y) for x, y in data()]
    assert found(model=Two(), batches=batches).peak is not None


def test_accumulated_batches_are_one_update(usual: dict[str, float]) -> None:
    parts = [
        (values[half], labels[half])
        for values, labels in data()
        for half in (slice(16), slice(16, 32))
    ]
    suggestion = found(batches=parts, accumulate=2)
    assert peak_of(suggestion) == pytest.approx(usual["sgd"], rel=1e-2)


def test_mixed_precision(usual: dict[str, float]) -> None:
    scaler = torch.amp.GradScaler("cpu", init_scale=256.0)
    suggestion = found(scaler=scaler, autocast=torch.bfloat16)
    assert abs(math.log10(peak_of(suggestion) / usual["sgd"])) < 0.15


@pytest.mark.filterwarnings("error")
def test_a_loader_and_fewer_batches_than_updates() -> None:
    x, y = (torch.cat(part) for part in zip(*data(count=12), strict=True))
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(x, y), batch_size=32, shuffle=True
    )
    assert found(batches=loader).peak is not None


def test_an_iterator_loses_its_batches() -> None:
    with pytest.warns(UserWarning, match="give the loader itself"):
        assert found(batches=iter(data())).peak is not None


def test_closures() -> None:
    model = network()
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=3)
    before = [p.clone() for p in model.parameters()]
    suggestion = find_lr(
        model, data(64), nn.functional.cross_entropy, optimizer, schedule=SCHEDULE, steps=200
    )
    assert suggestion.peak is not None
    assert all(map(torch.equal, before, model.parameters()))
    assert not optimizer.state


def test_several_optimizers() -> None:
    model = network()
    halves = list(model.parameters())
    optimizers = [
        torch.optim.SGD(halves[:2], lr=0.01, momentum=0.9),
        torch.optim.SGD(halves[2:], lr=0.03, momentum=0.9),
    ]
    suggestion = find_lr(
        model, data(), nn.functional.cross_entropy, optimizers, schedule=SCHEDULE, steps=500
    )
    assert suggestion.peaks == pytest.approx((suggestion.peak, 3 * peak_of(suggestion)))


def test_a_schedule_free_optimizer_is_put_into_its_training_mode() -> None:
    class Free(torch.optim.SGD):
        mode = "eval"

        def train(self) -> None:
            self.mode = "train"

        def step(self, closure: Any = None) -> Any:
            assert self.mode == "train"
            return super().step(closure)

    model = network()
    optimizer = Free(model.parameters(), lr=0.01)
    find_lr(model, data(), nn.functional.cross_entropy, optimizer, schedule="constant()", steps=99)
    assert optimizer.mode == "eval"


def test_losses_are_averaged_over_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    from lehr.torch.finding import training

    def reduce(tensor: torch.Tensor) -> None:
        tensor += 3.0  # the loss of the other process

    spread = torch.distributed
    monkeypatch.setattr(spread, "is_initialized", lambda: True)
    monkeypatch.setattr(spread, "get_world_size", lambda: 2)
    monkeypatch.setattr(spread, "all_reduce", reduce)
    assert training.averaged(1.0, torch.device("cpu")) == 2.0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"batches": []}, "batches is empty"),
        ({"batches": [torch.zeros(3, 8)]}, "batches of inputs and targets"),
        ({"loss": lambda outputs, _: outputs}, "return its mean"),
        ({"loss": lambda *_: "low"}, "it must be a tensor"),
        ({"lr": 0.0}, "rate above 0"),
        ({"accumulate": 0}, "accumulate=0"),
        ({"budget": 10}, "budget=10"),
        ({"budget": "50%"}, "is 250 of 500 updates"),
        ({"train_step": print}, "leave loss out"),
    ],
)
def test_wrong_arguments(change: dict[str, Any], words: str) -> None:
    with pytest.raises(lehr.ScheduleError, match=words):
        found(**change)


def test_the_rest_of_a_budget_is_spent_on_longer_runs(usual: dict[str, float]) -> None:
    model, made, asked = network(), list[int](), list[bool]()
    before = [p.clone() for p in model.parameters()]

    def score() -> float:
        asked.append(not all(map(torch.equal, before, model.parameters())))
        return 1.0

    suggestion = found(model=model, budget=1_400, score=score, watch=made.append)
    longer = [run for run in suggestion.curve if run.updates == (1_400 - made[-10]) // 12]
    # As good everywhere: nothing moves it.
    assert suggestion.peak == usual["sgd"]
    assert [run.validation for run in longer] == [-1.0] * 9
    assert asked == [True] * 9
    assert made[-1] == suggestion.spent <= 1_400
    assert len(made) == len(suggestion.curve)
    assert all(map(torch.equal, before, model.parameters()))


def test_a_score_decides_against_the_training_loss(usual: dict[str, float]) -> None:
    model = network()

    def score() -> float:
        return -sum(float(p.detach().square().sum()) for p in model.parameters())

    suggestion = found(model=model, budget="300%", score=score)
    assert suggestion.decided_by == "runs"
    assert peak_of(suggestion) < usual["sgd"]


def test_a_missing_optimizer_and_a_schedule_that_is_none() -> None:
    with pytest.raises(lehr.ScheduleError, match="give the optimizer"):
        find_lr(network(), data(), schedule=SCHEDULE, steps=10)
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(lehr.ScheduleError, match="a rate needs a schedule"):
        find_lr(
            model, data(), nn.functional.cross_entropy, optimizer, schedule="constant(0.0)",
            steps=10,
        )  # fmt: skip


def test_the_picture(usual: dict[str, float]) -> None:
    pytest.importorskip("matplotlib")
    suggestion = found()
    axes = suggestion.plot()
    assert axes.get_xscale() == "log"
    picture = suggestion._repr_png_()
    assert picture is not None
    assert picture.startswith(b"\x89PNG")
    assert str(suggestion).startswith(f"peak rate    {usual['sgd']:.2g}\n")


def test_the_range_test_records_until_the_loss_blows_up() -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    sweep = range_test(
        model, data(), nn.functional.cross_entropy, optimizer, start=1e-4, to=1e4, updates=80
    )
    assert len(sweep.losses) < 80
    assert sweep.rates[0] == 1e-4
    assert sweep.rates[-1] == pytest.approx(1e-4 * 10 ** (8 * (len(sweep.rates) - 1) / 79))
    for rule in ("steepest", "minimum", "valley", "slide"):
        assert 1e-4 < sweep.suggest(rule) < 1e2


def test_smiths_range_test() -> None:
    model, batches = network(), data(count=200)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    inputs, targets = batches[0]

    def score() -> float:
        with torch.no_grad():
            return float((model(inputs).argmax(1) == targets).float().mean())

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sweep = range_test(
            model, batches, nn.functional.cross_entropy, optimizer,
            start=0.0, to=0.5, updates=100, log=False, score=score,
        )  # fmt: skip
    assert sweep.rates[:3] == pytest.approx([0.0, 0.5 / 99, 1 / 99])
    base, top = sweep.base_and_max()
    assert 0 < base < top <= 0.5
    assert sweep.plot().get_xscale() == "linear"
