"""The results in plain sentences."""

from typing import Any

import pytest

from lehr.lab.analysis.influence import Influence
from lehr.lab.analysis.pair_result import Band, Gap, LengthScore, PairResult, TargetUpdates
from lehr.lab.analysis.results import ComparedSchedule, Results, Settings, TaskFacts
from lehr.lab.analysis.summary import summarize
from lehr.lab.metric import Metric

NOTHING = Band((), (), ())
SCORE = Metric.score(guess=0.1)


def pair(name: str, score: float, standing: str = "behind", **parts: Any) -> PairResult:
    """A pair of made-up results, with the same standing in its optimizer as among all."""
    optimizer, schedule = name.split("/")
    usual: dict[str, Any] = {
        "rank": 0,
        "standing": standing,
        "standing_in_optimizer": standing,
        "not_separated": (),
        "peak": 0.02,
        "at_edge": False,
        "score": score,
        "low": score - 0.01,
        "high": score + 0.01,
        "scores": (),
        "behind": None,
        "diverged": 0,
        "validation": score,
        "test_loss": None,
        "peaks": (),
        "peak_seeds": (),
        "sensitivity": NOTHING,
        "width": 0.5,
        "target": None,
        "lengths": (),
        "steps": (),
        "loss": NOTHING,
        "validations": NOTHING,
        "ranks": (1, 1),
        "code": "",
        "seconds": 1.0,
        "numbers": {},
    }
    return PairResult(optimizer, schedule, **(usual | parts))


def say(
    *pairs: PairResult,
    seeds: int = 5,
    complete: bool = True,
    target: float | None = None,
    metric: Metric = SCORE,
    influences: tuple[Influence, ...] = (),
    serving: tuple[str, ...] = (),
) -> list[str]:
    settings = Settings(
        steps=100,
        seeds=seeds,
        tuning_seeds=1,
        peaks=(0.02, 0.1, 0.2),
        rungs=((3, 1),),
        lengths=(100,),
        target=target,
        confidence=0.95,
        versions={},
        seconds=1.0,
        trials=1,
        complete=complete,
        command="lehr compare",
        finished=None,
    )
    cycle = ((0.0,), (0.9,))
    return summarize(
        Results(
            format=2,
            lehr="0.1.0",
            task=TaskFacts("digits", "", "", 1, 1, 1, 1, metric),
            settings=settings,
            optimizers={p.optimizer: "" for p in pairs},
            schedules={
                p.schedule: ComparedSchedule(
                    p.schedule, "", "", cycle, cycle if p.schedule == "one_cycle" else None
                )
                for p in pairs
            },
            pairs=pairs,
            influences=influences,
            serving=serving,
        )
    )


def test_the_best_with_its_interval_and_its_ties() -> None:
    first = say(
        pair("adam/cosine", 0.97, "best"),
        pair("adam/wsd", 0.969, "tie"),
        pair("adam/step", 0.95),
    )[0]
    assert first == (
        "Over 100 updates, adam with cosine at a peak rate of 0.02 scores best: 97.0% (96.0% to "
        "98.0%). Of the other 2, 1 ties with it and 1 is behind."
    )


def test_a_clear_winner() -> None:
    first = say(pair("adam/cosine", 0.97, "best"), pair("adam/step", 0.95))[0]
    assert first.endswith("98.0%). The other pair is behind.")


def test_how_the_schedules_of_an_optimizer_stand() -> None:
    sentences = say(
        pair("adam/cosine", 0.97, "best"),
        pair("adam/linear", 0.968, "tie"),
        pair("adam/wsd", 0.966, "tie"),
        pair("adam/step", 0.958),
    )
    assert sentences[1] == "adam: cosine, linear and wsd tie; step is 1.2 points behind."


def test_two_behind_and_one_alone_in_front() -> None:
    sentences = say(pair("sgd/wsd", 0.97, "best"), pair("sgd/step", 0.95), pair("sgd/linear", 0.94))
    assert sentences[1] == ("sgd: wsd scores best; step and linear are 2.0 and 3.0 points behind.")


def test_many_behind_are_summarised_by_their_ends() -> None:
    sentences = say(
        pair("sgd/wsd", 0.97, "best"),
        *(pair(f"sgd/{name}", 0.96 - i / 100) for i, name in enumerate(["a", "b", "c", "d"])),
    )
    assert sentences[1] == ("sgd: wsd scores best; 4 are behind, from a by 1.0 to d by 4.0 points.")


def test_all_tie() -> None:
    both = say(pair("sgd/wsd", 0.97, "best"), pair("sgd/step", 0.96, "tie"))
    assert both[0].endswith("98.0%). The other pair ties with it.")
    assert both[1] == "sgd: wsd and step tie."
    three = say(pair("sgd/a", 0.9, "best"), pair("sgd/b", 0.9, "tie"), pair("sgd/c", 0.9, "tie"))
    assert three[0].endswith(" The other 2 tie with it.")
    assert three[1] == "sgd: all 3 schedules tie."


def test_an_undecided_pair_is_said_to_be_so_and_why() -> None:
    sentences = say(
        pair("sgd/wsd", 0.97, "best"),
        pair("sgd/linear", 0.968, "tie"),
        pair("sgd/step", 0.91, "undecided", behind=Gap(0.06, -0.005, 0.12, seeds=12)),
        pair("sgd/cosine", 0.90),
    )
    assert sentences[0].endswith("Of the other 3, 1 ties with it, 1 is undecided and 1 is behind.")
    assert sentences[1] == (
        "Undecided with 5 seeds, by the interval of the points behind: sgd/step (from -0.5 to "
        "12.0). About 7 more seeds (--seeds 12) would decide it."
    )
    assert sentences[2] == (
        "sgd: wsd and linear tie; step is undecided; cosine is 7.0 points behind."
    )


def test_many_undecided_pairs_are_counted() -> None:
    seeds = [10, 20, 30, 40, None]
    sentences = say(
        pair("sgd/best", 0.97, "best"),
        *(
            pair(f"sgd/{i}", 0.9, "undecided", behind=Gap(0.07, 0.0, 0.1 + i / 100, seeds=n))
            for i, n in enumerate(seeds)
        ),
    )
    assert sentences[1].startswith("5 pairs are undecided with 5 seeds: ")
    assert "reaches from 0.0 to 14.0 (sgd/4)" in sentences[1]
    assert sentences[1].endswith("About 25 more seeds (--seeds 30) would decide 3 of them.")
    assert sentences[2] == "sgd: best scores best, and the others are undecided."


def test_the_steadiest_of_the_best() -> None:
    sentences = say(
        pair("adam/cosine", 0.97, "best"),
        pair("adam/wsd", 0.96, "tie", width=1.0),
        pair("adam/step", 0.9, width=2.0),
    )
    assert sentences[2] == (
        "Of those that tie for the best, adam with wsd is least sensitive to the peak rate: "
        "within a point of the best over a factor of 10 in it."
    )


def test_who_is_first_at_the_target() -> None:
    sentences = say(
        pair("adam/cosine", 0.97, target=TargetUpdates(80.0, 5)),
        pair("adam/wsd", 0.96, target=TargetUpdates(65.5, 3)),
        pair("adam/step", 0.9, target=TargetUpdates(None, 2)),
        target=0.95,
    )
    assert (
        "adam/wsd needs the fewest updates for a validation score of 95.0%: 65.5, the median over "
        "the seeds. 1 pair does not reach it in half of the runs."
    ) in sentences


def test_nobody_gets_to_the_target() -> None:
    lost = TargetUpdates(None, 0)
    sentences = say(
        pair("adam/b", 0.9, target=lost), pair("adam/c", 0.9, target=lost), target=0.995
    )
    assert "No pair reaches a validation score of 99.5% in half of its runs." in sentences


def at_lengths(*standings: str) -> tuple[LengthScore, ...]:
    return tuple(
        LengthScore(steps, 0.9, None, None, (), standing)
        for steps, standing in zip((100, 1000), standings, strict=True)
    )


def test_who_is_best_at_other_lengths() -> None:
    sentences = say(
        pair("adam/cosine", 0.97, lengths=at_lengths("behind", "best")),
        pair("adam/wsd", 0.96, lengths=at_lengths("best", "tie")),
    )
    first = (
        "By length of the run, at the same peak rate, the best are adam/wsd at 100 and "
        "adam/cosine at 1,000 updates. "
    )
    assert first + "adam/wsd is best or ties with the best in all of them." in sentences
    sentences = say(
        pair("adam/cosine", 0.97, lengths=at_lengths("behind", "best")),
        pair("adam/wsd", 0.96, lengths=at_lengths("best", "undecided")),
    )
    assert first + "No pair is best or ties with the best in all of them." in sentences


def test_one_is_best_at_every_length() -> None:
    sentences = say(
        pair("adam/cosine", 0.97, lengths=at_lengths("best", "best")),
        pair("adam/wsd", 0.96, lengths=at_lengths("behind", "tie")),
    )
    assert (
        "By length of the run, at the same peak rate, the best is adam/cosine at 100 and 1,000 "
        "updates. adam/cosine is best or ties with the best in all of them."
    ) in sentences


def test_cautions() -> None:
    sentences = say(
        pair("sgd/one_cycle", 0.9, "best", low=None, high=None),
        pair("sgd/step", 0.8, "undecided", diverged=2, behind=Gap(0.1, None, None)),
        seeds=1,
    )
    assert sentences[0].startswith(
        "Over 100 updates, sgd with one_cycle at a peak rate of 0.02 scores best: 90.0%."
    )
    assert "With one seed nothing can be told apart: every pair is undecided." in sentences
    assert "Scoring runs diverged, and count as guessing (10.0%): sgd/step (2)." in sentences
    assert "sgd has no momentum: one_cycle changes its rate only." in sentences


def test_peaks_at_the_edge_are_said_once_with_what_to_try() -> None:
    edges = {"a": 0.02, "b": 0.02, "c": 0.2, "d": 0.2}
    (sentence,) = (
        each
        for each in say(*(pair(f"sgd/{n}", 0.9, at_edge=True, peak=p) for n, p in edges.items()))
        if "edge" in each
    )
    assert sentence == (
        "The best peak of 4 pairs is at the edge of the rates tried, and a better one may lie "
        "beyond: try --further 4."
    )
    (lower,) = (each for each in say(pair("sgd/a", 0.9, "best", at_edge=True)) if "edge" in each)
    assert lower.endswith(
        "The best peak of sgd/a is at the edge of the rates tried, and a better "
        "one may lie beyond: try --further 4."
    )


def test_nothing_yet() -> None:
    assert say() == ["Not finished: no pair has all its runs yet."]


def test_not_all_yet() -> None:
    sentences = say(pair("adam/cosine", 0.97, "best"), pair("sgd/step", 0.9), complete=False)
    assert sentences[-1] == "Not finished: 2 of 4 pairs; ranks and ties will change."


def test_a_lone_pair() -> None:
    assert len(say(pair("adam/cosine", 0.97, "best"))) == 1


def at(steps: int, standing: str) -> LengthScore:
    return LengthScore(steps, 0.9, None, None, (), standing)  # type: ignore[arg-type]


def test_the_first_sentence_says_whether_the_order_depends_on_the_length() -> None:
    best = pair("adam/cosine", 0.97, "best", lengths=(at(50, "behind"), at(100, "best")))
    other = pair("adam/wsd", 0.9, lengths=(at(50, "best"), at(100, "behind")))
    first = say(best, other)[0]
    assert first.endswith("The order depends on the length: adam/wsd at 50 is ahead of it.")
    near = pair("adam/cosine", 0.97, "best", lengths=(at(50, "undecided"), at(100, "best")))
    assert say(near, other)[0].endswith(
        "The other pair is behind. Whether the order depends on the length is open: adam/wsd at 50 "
        "scores better, but not by enough to tell."
    )
    steady = pair("adam/cosine", 0.97, "best", lengths=(at(50, "best"), at(100, "best")))
    assert say(steady, other)[0].endswith("The other pair is behind. It scores best at 50 too.")


def test_what_moves_the_score() -> None:
    parts = (
        Influence("optimizer", 0.002, 0.001, 0.003, 0.2, 0.1, 0.3),
        Influence("peak rate", 0.01, None, None, 0.5, None, None),
    )
    found = say(pair("adam/cosine", 0.97, "best"), influences=parts)
    assert (
        "What moves the score, as a standard deviation in points: the peak rate within a decade "
        "around the best by 1.0 and the optimizer by 0.2 (0.1 to 0.3)."
    ) in found


@pytest.mark.parametrize(
    ("serving", "words"),
    [
        ((), "The best schedule depends on the optimizer: each one is behind another with some"),
        (("wsd",), "The best schedule need not depend on the optimizer: wsd is behind with none"),
    ],
)
def test_whether_the_best_schedule_depends_on_the_optimizer(
    serving: tuple[str, ...], words: str
) -> None:
    names = [f"{o}/{s}" for o in ("sgd", "adam") for s in ("wsd", "step")]
    found = say(*(pair(name, 0.9) for name in names), serving=serving)
    assert any(sentence.startswith(words) for sentence in found)
