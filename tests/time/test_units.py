"""Samples, tokens and epochs: the same curve, by what was really seen before each step."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import lehr
import strategies
from helpers import assert_same
from lehr import Horizon, NeedsHorizon, Schedule, ScheduleError

batches = st.lists(st.integers(1, 9), min_size=1, max_size=40)


def seen_before(batch: list[int], steps: int) -> list[int]:
    """The samples before each step, added up one by one; the last size holds."""
    seen = [0]
    for step in range(steps):
        seen.append(seen[-1] + batch[min(step, len(batch) - 1)])
    return seen


class Places:
    """A step for a number of samples and back, by walking along the batches."""

    def __init__(self, batch: list[int]) -> None:
        self.batch = batch

    def size(self, step: int) -> int:
        return self.batch[min(max(step, 0), len(self.batch) - 1)]

    def seen(self, place: Fraction) -> Fraction:
        whole, total = math.floor(place), Fraction(0)
        for step in range(whole):
            total += self.size(step)
        for step in range(whole, 0):
            total -= self.size(step)
        return total + (place - whole) * self.size(whole)

    def step(self, seen: Fraction) -> Fraction:
        if seen < 0:
            return seen / self.size(0)
        step, total = 0, Fraction(0)
        while total + self.size(step) <= seen:
            total += self.size(step)
            step += 1
        return step + (seen - total) / self.size(step)


# ----- what was seen ------------------------------------------------------------------------------


def test_a_ramp_of_batches_by_hand() -> None:
    horizon = Horizon("2000tok", batch=[2, 2, 4, 4, 8], sequence=10)
    # 20, 40, 80, 120 tokens before steps 1 to 4, then 80 more each.
    assert [horizon.tokens_before(t) for t in (0, 1, 2, 3, 4, 5)] == [0, 20, 40, 80, 120, 200]
    assert horizon.steps == 4 + math.ceil((2000 - 120) / 80) == 28
    run = (lehr.warmup("120tok") >> lehr.linear()).over(horizon)
    assert run.length == 28
    assert [run(t) for t in (0, 1, 2, 3, 4)] == [0, 20 / 120, 40 / 120, 80 / 120, 1.0]
    assert run(5) == (2000 - 200) / 1880
    assert run(27) == (2000 - 120 - 23 * 80) / 1880
    assert run(28) == run(10**9) == 0.0


def test_a_cosine_by_tokens_is_no_cosine_of_translated_boundaries() -> None:
    # Batches of 64 for the first half of the steps, then of 1,024.
    batch = [64] * 5_000 + [1024] * 5_000
    tokens = np.concatenate([[0], np.cumsum(batch)])
    total = int(tokens[-1])
    run = (lehr.warmup(f"{total // 10}sa") >> lehr.cosine()).over(f"{total}sa", batch=batch)
    steps = np.arange(10_001)
    rise = tokens / (total // 10)
    fall = (1 + np.cos(np.pi * (tokens - total // 10) / (total - total // 10))) / 2
    expected = np.where(tokens < total // 10, rise, fall)
    np.testing.assert_allclose(run(steps), expected, rtol=0, atol=1e-12)
    turn = float(np.interp(total // 10, tokens, steps))
    moved = (lehr.warmup(f"{turn}st") >> lehr.cosine()).over(10_000)
    assert np.abs(moved(steps) - run(steps)).max() > 0.3


@given(batches, st.integers(1, 400), st.integers(1, 60))
def test_the_horizon_counts_what_is_seen(batch: list[int], samples: int, step: int) -> None:
    horizon = Horizon(f"{samples}sa", batch=batch)
    seen = seen_before(batch, max(samples, step))
    assert horizon.samples_before(step) == seen[step]
    assert horizon.steps == next(t for t, total in enumerate(seen) if total >= samples)


@given(batches, st.fractions(0, 300, max_denominator=60))
def test_the_table_is_inverted_exactly(batch: list[int], place: Fraction) -> None:
    counter = Horizon(1, batch=batch).units.counter
    assert counter is not None
    assert counter.before(place) == Places(batch).seen(place)
    assert counter.step_of(place) == Places(batch).step(place)
    assert counter.step_of(counter.before(place)) == place
    assert counter.before(counter.step_of(place)) == place


def test_the_last_size_holds_and_need_not_be_repeated() -> None:
    assert Horizon(9, batch=[2, 4, 4, 4]) == Horizon(9, batch=[2, 4])
    assert Horizon(9, batch=[4, 4]) == Horizon(9, batch=4)
    assert repr(Horizon(9, batch=np.array([2, 4, 4]))) == "Horizon(9, batch=[2, 4])"


def test_sizes_that_repeat_are_one_row() -> None:
    counter = Horizon(1, batch=[4] * 10_000 + [8] * 10_000).units.counter
    assert counter is not None
    assert (counter.starts, counter.totals, counter.sizes) == ([0, 10_000], [0, 40_000], [4, 8])


# ----- the size of the batches --------------------------------------------------------------------


@given(batches)
def test_a_schedule_of_sizes_is_the_list_of_its_values(batch: list[int]) -> None:
    path: Any = lehr.hold(1, at=float(batch[0]))
    for size in batch[1:]:
        path = path >> lehr.hold(1, at=float(size))
    expected = seen_before(batch, 60)
    for given_ in (batch, tuple(batch), np.array(batch), path, lehr.table(batch)):
        horizon = Horizon(60, batch=given_)
        assert [horizon.samples_before(t) for t in range(61)] == expected


@given(st.integers(1, 50), st.integers(1, 50), st.integers(1, 300))
def test_a_ramp_of_sizes_rounds_them(start: int, to: int, steps: int) -> None:
    assume(start != to)
    ramp = lehr.linear(steps, start=float(start), to=float(to))
    exact = [start + Fraction((to - start) * t, steps) for t in range(steps)]
    expected = seen_before([math.floor(size + Fraction(1, 2)) for size in exact] + [to], 349)
    horizon = Horizon(1, batch=ramp)
    assert [horizon.samples_before(t) for t in range(350)] == expected


@pytest.mark.parametrize(
    ("steps", "start", "to", "at", "size"),
    [(10, 3.0, 28.0, 7, 21), (14, 8.0, 15.0, 11, 14), (20, 2.0, 12.0, 7, 6)],
)
def test_half_a_sample_is_rounded_up_where_a_float_is_a_little_less(
    steps: int, start: float, to: float, at: int, size: int
) -> None:
    horizon = Horizon(1, batch=lehr.linear(steps, start=start, to=to))
    assert horizon.samples_before(at + 1) - horizon.samples_before(at) == size


@given(
    st.integers(1, 64),
    st.integers(1, 40),
    st.integers(1, 12),
    st.integers(0, 20_000),
)
def test_the_ramp_up_of_megatron(start: int, increment: int, times: int, samples: int) -> None:
    """``--rampup-batch-size start increment samples``, as its code counts."""
    final = start + times * increment
    seen, expected = 0, [0]
    for _ in range(400):
        if seen > samples:
            size = final
        else:
            # Of samples / times each, in exact numbers.
            size = start + (seen * times // samples if samples else times) * increment
        seen += size
        expected.append(seen)
    stair = f"{samples}/{times}sa"
    ramp = lehr.hold(at=float(final))
    if samples:
        ramp = lehr.linear(f"{samples}sa", start=float(start), to=float(final)).every(stair)
    horizon = Horizon("1Gsa", batch=ramp)
    assert [horizon.samples_before(t) for t in range(401)] == expected


def test_a_ramp_by_samples_in_closed_form() -> None:
    # GPT-3's kind of ramp: 256 to 1,024 in steps of 128 over 50 million samples.
    ramp = lehr.linear("50Msa", start=256, to=1024).every("25/3Msa")
    counter = Horizon("300Gtok", batch=ramp, sequence=2048).units.counter
    assert counter is not None
    assert counter.sizes == [256, 384, 512, 640, 768, 896, 1024]
    step = seen = 0
    for i, size in enumerate(counter.sizes):
        assert (counter.starts[i], counter.totals[i]) == (step, seen)
        more = math.ceil((Fraction(25 * 10**6 * (i + 1), 3) - seen) / size)
        step, seen = step + more, seen + more * size


def test_a_ramp_by_tokens() -> None:
    ramp = lehr.hold("3ktok", at=2) >> lehr.hold("9ktok", at=4) >> lehr.hold(at=8)
    horizon = Horizon("1Mtok", batch=ramp, sequence=100)
    # 200 tokens a step up to 3,000, 400 up to 12,000 (from 3,000), then 800.
    assert [horizon.tokens_before(t) for t in (15, 16, 38, 39)] == [3_000, 3_400, 12_200, 13_000]


def test_a_run_of_batches_goes_on_past_its_end() -> None:
    horizon = Horizon(10, batch=[3, 5])
    assert horizon.samples_before(10**12) == 3 + 5 * (10**12 - 1)


# ----- curves -------------------------------------------------------------------------------------


def in_samples(tree: Any) -> Any:
    """The tree of a schedule whose lengths are so many samples, where they were steps."""
    if isinstance(tree, list):
        return [in_samples(item) for item in tree]
    if not isinstance(tree, dict):
        return tree
    lengths = {
        "slice": ("start", "stop"),
        "decay": ("scale",),
        "over": ("horizon",),
    }.get(tree.get("kind", ""), ("steps",))
    return {
        key: f"{str(value).removesuffix('st')}sa" if key in lengths else in_samples(value)
        for key, value in tree.items()
    }


def counted_by_steps(schedule: Schedule) -> bool:
    """Whether it has parts that go by the step, or a run that ends a step earlier."""
    return any(word in repr(schedule) for word in ("table(", "formula(", "closed="))


@given(strategies.unplaced(), batches, st.integers(1, 300))
def test_any_curve_at_what_was_seen(schedule: Schedule, batch: list[int], samples: int) -> None:
    assume(not counted_by_steps(schedule))
    assume(len(set(batch)) > 1)
    by_samples = lehr.from_dict(in_samples(schedule.to_dict()))
    plain = schedule.over(samples)
    run = by_samples.over(f"{samples}sa", batch=batch)
    seen = seen_before(batch, samples + 3)
    steps = list(range(samples + 3))
    expected = [plain(seen[t]) for t in steps]
    assert_same([run(t) for t in steps], expected, 1e-12)
    assert_same(run(np.array(steps)), expected, 1e-12)
    low, high = run.bounds
    assert all(low - 1e-12 <= run(t) <= high + 1e-12 for t in steps)
    assert run.length == next(t for t in steps if seen[t] >= samples)


@given(strategies.unplaced(), st.integers(1, 9), st.integers(1, 300))
def test_a_steady_batch_is_a_list_of_one_size(schedule: Schedule, size: int, samples: int) -> None:
    assume(not counted_by_steps(schedule))
    by_samples = lehr.from_dict(in_samples(schedule.to_dict()))
    run = by_samples.over(f"{samples}sa", batch=size)
    plain = schedule.over(samples)
    # At a jump a boundary inside a step is rounded: those steps are left out.
    for step in range(math.ceil(samples / size) + 2):
        at = min(size * step, samples)
        near = [plain(max(at + d, 0)) for d in (-1e-9, 0, 1e-9)]
        assert min(near) - 1e-6 <= run(step) <= max(near) + 1e-6
    assert run.length == math.ceil(samples / size)


@st.composite
def mixed_lengths(draw: st.DrawFn) -> list[tuple[int, str]]:
    units = st.sampled_from(["st", "sa", "tok"])
    return draw(st.lists(st.tuples(st.integers(1, 30), units), min_size=1, max_size=5))


@given(
    mixed_lengths(), mixed_lengths(), st.none() | st.just("open"), batches, st.integers(1, 7),
    st.sampled_from(["st", "sa"]),
)  # fmt: skip
def test_boundaries_of_mixed_lengths(
    first: list[tuple[int, str]],
    second: list[tuple[int, str]],
    opened: str | None,
    batch: list[int],
    sequence: int,
    clock: str,
) -> None:
    """Lengths in any unit end where walking along the batches ends them."""
    places = Places(batch)

    def end(at: Fraction, length: tuple[int, str], sign: int) -> Fraction:
        amount, unit = Fraction(length[0]), length[1]
        if unit == "st":
            return at + sign * amount
        samples = amount / sequence if unit == "tok" else amount
        return places.step(places.seen(at) + sign * samples)

    boundaries = [Fraction(0)]
    for length in first:
        boundaries.append(end(boundaries[-1], length, 1))
    total = 120
    stop = Fraction(total) if clock == "st" else places.step(Fraction(total))
    lengths: list[Any] = [f"{amount}{unit}" for amount, unit in first]
    if opened:
        behind = [stop]
        for length in reversed(second):
            behind.append(end(behind[-1], length, -1))
        assume(behind[-1] >= boundaries[-1])
        boundaries += behind[::-1]
        lengths += [None, *(f"{amount}{unit}" for amount, unit in second)]
    parts = [lehr.hold(length, at=float(i)) for i, length in enumerate(lengths)]
    path = parts[0]
    for part in parts[1:]:
        path = path >> part
    run = path.over(f"{total}{clock}", batch=batch, sequence=sequence)
    steps = range(math.ceil(stop))
    expected = [min(sum(b <= t for b in boundaries), len(parts)) - 1 for t in steps]
    assert [run(t) for t in steps] == expected
    assert run(np.array(steps)).tolist() == expected


def test_mixed_lengths_by_hand() -> None:
    batch = [1] * 10 + [10] * 100
    run = (lehr.warmup(20) >> lehr.hold() >> lehr.linear(5)).over("500sa", batch=batch)
    # 110 samples before step 20; 500 samples are 49 steps more than 10: step 59; 5 before it: 54.
    assert run.length == 59
    assert [run(t) for t in (0, 5, 10, 15, 20)] == [0, 5 / 110, 10 / 110, 60 / 110, 1.0]
    assert [run(t) for t in (53, 54, 55, 58, 59)] == [1.0, 1.0, 0.8, pytest.approx(0.2), 0.0]


def test_what_goes_by_the_step_does_in_a_run_of_tokens() -> None:
    batch = [1] * 10 + [10] * 100
    seen = seen_before(batch, 60)
    horizon = Horizon("500sa", batch=batch)
    calls: list[float] = []

    def square(step: float) -> float:
        calls.append(step)
        return 1 / (1 + step * step)

    run = lehr.formula(square, low=0, high=1).over(horizon)
    assert [run(t) for t in range(59)] == [1 / (1 + t * t) for t in range(59)]
    assert all(type(step) is int for step in calls)
    assert_same(run(np.arange(59)), [1 / (1 + t * t) for t in range(59)])
    run = (lehr.hold(8) >> lehr.table([0.1, 0.2, 0.3, 0.4]) >> lehr.hold()).over(horizon)
    assert [run(t) for t in range(7, 14)] == [1.0, 0.1, 0.2, 0.3, 0.4, 0.4, 0.4]
    run, plain = (lehr.linear() + lehr.noise(0.1, seed=3)).over(horizon), lehr.noise(0.1, seed=3)
    expected = [1 - seen[t] / 500 + plain(t) for t in range(59)]
    assert_same([run(t) for t in range(59)], expected)
    assert_same(run(np.arange(59)), expected)
    run = lehr.exponential(0.9).over(horizon)
    assert_same([run(t) for t in range(59)], [0.9**t for t in range(59)])
    run = lehr.exponential(0.9, every="10sa").over(horizon)
    assert_same([run(t) for t in range(59)], [0.9 ** (seen[t] / 10) for t in range(59)])
    run = lehr.linear().every(7).over(horizon)
    assert_same([run(t) for t in range(59)], [1 - seen[t // 7 * 7] / 500 for t in range(59)])
    run = lehr.linear().every("30sa").over(horizon)
    assert_same([run(t) for t in range(59)], [1 - seen[t] // 30 * 30 / 500 for t in range(59)])
    ease = lehr.Ease("steps", function=lambda n: n / 59, iterations=True)
    run = lehr.ramp(ease=ease).over(horizon)
    assert_same([run(t) for t in range(59)], [1 - t / 59 for t in range(59)])


def test_laws_and_stairs_of_samples_in_a_run_of_steps() -> None:
    batch = [1] * 10 + [10] * 100
    seen = seen_before(batch, 60)
    horizon = Horizon(60, batch=batch)
    run = lehr.exponential(0.9, every="10sa").over(horizon)
    assert_same(run(np.arange(60)), [0.9 ** (seen[t] / 10) for t in range(60)])
    run = lehr.linear().every("30sa").over(horizon)
    places = Places(batch)
    stairs = [float(places.step(Fraction(seen[t] // 30 * 30))) for t in range(60)]
    assert_same([run(t) for t in range(60)], [1 - at / 60 for at in stairs])
    assert_same(run(np.arange(60)), [1 - at / 60 for at in stairs])


def test_epochs_of_samples() -> None:
    run = (lehr.warmup("1ep") >> lehr.linear("1ep")).over("2ep", samples_per_epoch=100, batch=30)
    assert run.length == 7  # 6.67 updates
    assert [run(t) for t in range(5)] == pytest.approx([0, 0.3, 0.6, 0.9, 0.8])
    rising = (lehr.warmup("1ep") >> lehr.linear("1ep")).over(
        "2ep", samples_per_epoch=100, batch=[10, 20, 30, 40]
    )
    assert [rising(t) for t in range(6)] == pytest.approx([0, 0.1, 0.3, 0.6, 1.0, 0.6])


def test_the_end_level_on_the_last_step() -> None:
    for batch in (8, [8] * 10, [2] * 10 + [16] * 10):
        run = lehr.linear().over("150sa", batch=batch, closed=True)
        last = Horizon("150sa", batch=batch).steps - 1
        assert run.length == last + 1
        assert run(last) == 0.0
        assert run(last - 1) > 0.0


def test_runs_inside_runs() -> None:
    batch = [1] * 10 + [10] * 100
    seen = seen_before(batch, 60)
    inner = lehr.warmup("10%") >> lehr.linear()
    # A run of 50 samples, and what follows it; by the batches of the run around.
    run = (inner.over("50sa") >> lehr.hold(at=0.5)).over("500sa", batch=batch)
    plain = (lehr.warmup(5) >> lehr.linear()).over(50)
    assert_same([run(t) for t in range(14)], [plain(seen[t]) for t in range(14)])
    assert run(14) == 0.5
    # A run of steps goes by the step.
    run = (lehr.hold(8) >> inner.over(20) >> lehr.hold(at=0.5)).over("500sa", batch=batch)
    plain = inner.over(20)
    assert_same([run(t) for t in range(8, 28)], [plain(t) for t in range(20)])
    # A run of samples in one of steps takes whole steps.
    run = (lehr.hold(8) >> inner.over("45sa") >> lehr.hold(at=0.5)).over(60, batch=batch)
    plain = (lehr.warmup("4.5st") >> lehr.linear()).over(45)
    assert_same([run(t) for t in range(8, 15)], [plain(seen[t] - 8) for t in range(8, 15)])
    assert run(15) == 0.5
    # A run with batches of its own counts from its own start.
    own = inner.over("50sa", batch=[5, 10])
    run = (lehr.hold(8) >> own >> lehr.hold(at=0.5)).over("500sa", batch=batch)
    assert [run(t) for t in range(8, 14)] == [own(t) for t in range(6)]
    # A share is a share of the samples.
    run = (inner.over("10%") >> lehr.hold(at=0.5)).over("500sa", batch=batch)
    plain = (lehr.warmup(5) >> lehr.linear()).over(50)
    assert_same([run(t) for t in range(14)], [plain(seen[t]) for t in range(14)])


def test_a_slice_is_cut_at_what_was_seen() -> None:
    batch = [1] * 10 + [10] * 100
    whole = lehr.linear().over("500sa", batch=batch)
    run = (lehr.linear()[:20] >> lehr.hold()).over("500sa", batch=batch)
    assert [run(t) for t in range(20)] == [whole(t) for t in range(20)]
    assert run(40) == whole(20)
    replanned = (lehr.linear()[:"110sa"] >> lehr.cosine()).over("500sa", batch=batch)
    assert [replanned(t) for t in range(21)] == [whole(t) for t in range(21)]
    assert replanned(59) == 0.0


def test_cycles_of_samples_are_alike() -> None:
    batch = [1] * 10 + [10] * 100
    seen = seen_before(batch, 60)
    run = lehr.linear("100sa").repeat().over("500sa", batch=batch)
    assert_same([run(t) for t in range(59)], [1 - seen[t] % 100 / 100 for t in range(59)])


# ----- arrays, and long runs ----------------------------------------------------------------------


@given(strategies.counted_runs(), st.lists(st.integers(0, 300), max_size=30))
def test_arrays_are_what_numbers_are(run: Schedule, steps: list[int]) -> None:
    torch = pytest.importorskip("torch")
    expected = [run(t) for t in steps]
    assert_same(run(np.array(steps, dtype=np.int32)), expected, 1e-13)
    assert_same(run(torch.tensor(steps, dtype=torch.int64)).numpy(), expected, 1e-13)
    assert_same(run(np.array(steps, dtype=np.float64)), expected, 1e-12)


@given(strategies.counted_runs())
def test_text_and_json_of_runs(run: Schedule) -> None:
    assert lehr.parse(repr(run)) == run
    assert lehr.from_json(run.to_json()) == run
    assert hash(lehr.parse(repr(run))) == hash(run)
    again = pickle.loads(pickle.dumps(run))
    assert again == run
    assert again(3) == run(3)


def test_a_pickled_run_is_as_small_after_its_batches_were_counted() -> None:
    horizon = Horizon("10ksa", batch=[16, 32] * 100)
    fresh = len(pickle.dumps(horizon))
    assert horizon.steps == 363
    assert len(pickle.dumps(horizon)) == fresh
    assert pickle.loads(pickle.dumps(horizon)).steps == 363


def test_a_million_unlike_batches() -> None:
    rng = np.random.default_rng(0)
    batch = rng.integers(1, 512, 1_000_000)
    seen = np.concatenate([[0], np.cumsum(batch)])
    total = int(seen[-1])
    run = (lehr.warmup("1Msa") >> lehr.cosine()).over(f"{total}sa", batch=batch)
    steps = np.arange(1_000_001)
    away = np.clip((total - seen) / (total - 10**6), 0, 1)
    expected = np.where(seen < 10**6, seen / 10**6, np.sin(np.pi / 2 * away) ** 2)
    np.testing.assert_allclose(run(steps), expected, rtol=1e-12, atol=1e-15)
    for step in rng.integers(0, 10**6, 50).tolist():
        assert run(step) == pytest.approx(expected[step], rel=1e-12)


@pytest.mark.filterwarnings("ignore:Dynamo detected a call")
def test_a_compiled_function_counts_too() -> None:
    torch = pytest.importorskip("torch")
    run = (lehr.warmup(20) >> lehr.cosine()).over("500sa", batch=[1] * 10 + [10] * 10)
    steps = torch.arange(60)
    compiled = torch.compile(run.__call__, fullgraph=True, backend="eager")
    assert torch.equal(compiled(steps), run(steps))


def test_code_counts_too() -> None:
    run = (lehr.warmup(20) >> lehr.cosine()).over("500sa", batch=[1] * 10 + [10] * 10)
    names: dict[str, Any] = {}
    exec(lehr.export(run, "python"), names)  # our own text
    assert_same([names["lr"](t) for t in range(62)], [run(t) for t in range(62)])


# ----- what is refused ----------------------------------------------------------------------------

S = lehr.linear()
REFUSED: list[tuple[str, Callable[[], Any], type[Exception], tuple[str, ...]]] = [
    (
        "tokens",
        lambda: lehr.warmup("2Mtok")(0),
        NeedsHorizon,
        ("'2Mtok'", "in tokens", "batch=..., sequence=..."),
    ),
    (
        "samples",
        lambda: lehr.warmup("10ksa")(0),
        NeedsHorizon,
        ("'10ksa'", "in samples", "batch=..."),
    ),
    (
        "no sequence",
        lambda: (lehr.warmup("2Mtok") >> S).over(9, batch=4)(0),
        NeedsHorizon,
        ("has a batch but no sequence",),
    ),
    (
        "no batch",
        lambda: (lehr.warmup("2Mtok") >> S).over(9, sequence=4)(0),
        NeedsHorizon,
        ("has a sequence but no batch",),
    ),
    (
        "a bare run",
        lambda: S.over("2Mtok")(0),
        NeedsHorizon,
        ("'2Mtok'", "batch=..., sequence=..."),
    ),
    ("its steps", lambda: Horizon("2Mtok").steps, NeedsHorizon, ("'2Mtok'",)),
    ("its tokens", lambda: Horizon(5, batch=2).tokens_before(1), NeedsHorizon, ("sequence=...",)),
    ("its samples", lambda: Horizon(5).samples_before(1), NeedsHorizon, ("batch=...",)),
    (
        "epochs of samples",
        lambda: S.over("2ep", samples_per_epoch=50)(0),
        NeedsHorizon,
        ("'2ep'", "batch=..."),
    ),
    (
        "cycles of steps",
        lambda: lehr.linear(5).repeat().over("500sa", batch=[1, 2]),
        ScheduleError,
        ("'5'", "every cycle", "run of its own"),
    ),
    (
        "formulas of tokens",
        lambda: lehr.formula(abs, per="5tok"),
        ScheduleError,
        ("per='5tok'", "steps"),
    ),
    ("an empty list", lambda: Horizon(5, batch=[]), ScheduleError, ("batch=[]", "empty")),
    ("no sample", lambda: Horizon(5, batch=0), ScheduleError, ("batch=0", "at least 1")),
    (
        "no sample later",
        lambda: Horizon(5, batch=[4, 0]),
        ScheduleError,
        ("batch[1]=0", "at least 1"),
    ),
    ("half a sample", lambda: Horizon(5, batch=1.5), ScheduleError, ("batch=1.5", "whole number")),  # type: ignore[arg-type]
    ("half a sample later", lambda: Horizon(5, batch=[1, 2.5]), ScheduleError, ("batch[1]=2.5",)),  # type: ignore[list-item]
    ("a bool", lambda: Horizon(5, batch=True), ScheduleError, ("batch=True",)),
    ("bytes", lambda: Horizon(5, batch=b"64"), ScheduleError, ("batch=b'64'", "whole number")),  # type: ignore[arg-type]
    ("text", lambda: Horizon(5, batch="512tok"), ScheduleError, ("batch='512tok'", "sequence=1")),  # type: ignore[arg-type]
    (
        "a table of two dimensions",
        lambda: Horizon(5, batch=np.ones((2, 2), int)),
        ScheduleError,
        ("batch[0]=[1, 1]",),
    ),
    ("no token", lambda: Horizon(5, sequence=0), ScheduleError, ("sequence=0", "at least 1")),
    (
        "two epochs",
        lambda: Horizon(5, 3, samples_per_epoch=9),
        ScheduleError,
        ("samples_per_epoch=9", "steps_per_epoch=3"),
    ),
    (
        "sizes without end",
        lambda: S.over(9, batch=lehr.exponential(1.1, start=4)),
        ScheduleError,
        ("never stops changing", "[:10_000]"),
    ),
    (
        "sizes of what is left",
        lambda: S.over(9, batch=lehr.linear(start=4, to=8)),
        ScheduleError,
        ("takes the rest",),
    ),
    (
        "sizes that mix",
        lambda: S.over(9, batch=lehr.hold(5, at=2) >> lehr.hold("5sa", at=4)),
        ScheduleError,
        ("all in steps",),
    ),
    (
        "a size of 0",
        lambda: S.over(9, batch=lehr.linear(5, start=4)),
        ScheduleError,
        ("at least one sample",),
    ),
    (
        "a long ramp",
        lambda: S.over(9, batch=lehr.linear(10**9, start=4, to=8)),
        ScheduleError,
        ("more than 4000000 steps",),
    ),
    (
        "too many samples",
        lambda: S.over(9, batch=lehr.hold(10**12, at=10**9) >> lehr.hold(at=2)),
        ScheduleError,
        ("2**62",),
    ),
    (
        "given twice",
        lambda: S.over(Horizon(9, batch=3), batch=3),
        ScheduleError,
        ("batch=3", "given twice"),
    ),
    (
        "more than all",
        lambda: (lehr.warmup("60%") >> lehr.linear("60%")).over("500sa", batch=[1, 2]),
        ScheduleError,
        ("asks for 600", "samples"),
    ),
]


@pytest.mark.parametrize(
    ("attempt", "exception", "fragments"),
    [row[1:] for row in REFUSED],
    ids=[row[0] for row in REFUSED],
)
def test_it_is_refused(
    attempt: Callable[[], Any], exception: type[Exception], fragments: tuple[str, ...]
) -> None:
    with pytest.raises(exception) as caught:
        attempt()
    assert caught.type is exception
    for fragment in fragments:
        assert fragment in str(caught.value)


def test_a_horizon_is_what_one_would_type() -> None:
    for text in (
        "Horizon('2Gtok', batch=512, sequence=4096)",
        "Horizon('30ep', steps_per_epoch=118)",
        "Horizon('3ep', samples_per_epoch=50000, batch=[16, 16, 32])",
        "Horizon(1000, batch=hold(10, at=4.0) >> hold(at=8.0))",
    ):
        names = {"Horizon": Horizon, "hold": lehr.hold}
        assert repr(eval(text, names)) == text


@pytest.mark.parametrize(
    "batch",
    [
        "(noise(.5, seed=3) * 100 + 200)[:'90Msa']",
        "table([16, 32]) >> linear('9Msa', start=32, to=64)",
    ],
)
def test_a_batch_cannot_go_by_steps_and_by_samples(batch: str) -> None:
    with pytest.raises(ScheduleError, match="all in steps, or all in samples"):
        lehr.cosine().over("1Gsa", batch=lehr.parse(batch))


@pytest.mark.parametrize(
    "text",
    [
        "hold().over('1000000000sa', samples_per_epoch=1001, batch=3, drop_last=False)",
        "hold().over('999999ep', samples_per_epoch=7, batch=linear(9, to=3), drop_last=True)",
        "hold().over(5, batch=linear(4000000, start=1, to=4000000))",
        "hold().over('1Gsa', batch=(noise(.5, seed=3) * 100 + 200)[:4000000])",
    ],
)
def test_a_short_text_cannot_ask_for_a_long_table_of_batches(text: str) -> None:
    with pytest.raises(ScheduleError, match=r"more than \d+"):
        lehr.parse(text)
