"""What the plain sentences say."""

from typing import Any

from lehr.lab.summary import summarize


def pair(name: str, score: float, ties: str = "", **parts: Any) -> dict[str, Any]:
    """A pair of a hand-made result, with the names of those that it ties with between spaces."""
    optimizer, schedule = name.split("/")
    return {
        "optimizer": optimizer,
        "schedule": schedule,
        "peak_lr": 0.02,
        "score": score,
        "low": score - 0.01,
        "high": score + 0.01,
        "ties": ties.split(),
        "at_edge": False,
        "diverged": 0,
        "sensitivity": {"width": 0.5},
    } | parts


def say(
    *pairs: dict[str, Any], seeds: int = 5, complete: bool = True, target: float | None = None
) -> list[str]:
    return summarize(
        {
            "settings": {"seeds": seeds, "complete": complete, "target": target},
            "optimizers": list(dict.fromkeys(p["optimizer"] for p in pairs)),
            "schedules": {
                p["schedule"]: {"momentum": [[0], [0.9]] if p["schedule"] == "one_cycle" else None}
                for p in pairs
            },
            "pairs": list(pairs),
        }
    )


def test_the_best_with_its_interval_and_its_ties() -> None:
    first = say(
        pair("adam/cosine", 0.97, "adam/wsd"),
        pair("adam/wsd", 0.969, "adam/cosine"),
        pair("adam/step", 0.95),
    )[0]
    assert first == (
        "adam with cosine at a peak rate of 0.02 scores best: 97.0% (96.0% to 98.0%). "
        "Of the other 2, 1 ties with it."
    )


def test_a_clear_winner() -> None:
    first = say(pair("adam/cosine", 0.97), pair("adam/step", 0.95))[0]
    assert first.endswith("98.0%). No other pair ties with it.")


def test_how_the_schedules_of_an_optimizer_stand() -> None:
    sentences = say(
        pair("adam/cosine", 0.97, "adam/linear adam/wsd"),
        pair("adam/linear", 0.968, "adam/cosine adam/wsd"),
        pair("adam/wsd", 0.966, "adam/cosine adam/linear"),
        pair("adam/step", 0.958),
    )
    assert sentences[1] == "adam: cosine, linear and wsd tie; step is 1.2 points behind."


def test_two_behind_and_one_alone_in_front() -> None:
    sentences = say(pair("sgd/wsd", 0.97), pair("sgd/step", 0.95), pair("sgd/linear", 0.94))
    assert sentences[1] == (
        "sgd: wsd is alone in front; step and linear are 2.0 and 3.0 points behind."
    )


def test_many_behind_are_told_by_their_ends() -> None:
    sentences = say(
        pair("sgd/wsd", 0.97),
        *(pair(f"sgd/{name}", 0.96 - i / 100) for i, name in enumerate(["a", "b", "c", "d"])),
    )
    assert sentences[1] == (
        "sgd: wsd is alone in front; 4 are behind, from a by 1.0 to d by 4.0 points."
    )


def test_all_tie() -> None:
    both = say(pair("sgd/wsd", 0.97, "sgd/step"), pair("sgd/step", 0.96, "sgd/wsd"))
    assert both[0].endswith("98.0%). The other pair ties with it.")
    assert both[1] == "sgd: wsd and step tie."
    names = ["sgd/a", "sgd/b", "sgd/c"]
    three = say(*(pair(n, 0.9, " ".join(o for o in names if o != n)) for n in names))
    assert three[1] == "sgd: all 3 schedules tie."


def test_the_steadiest_of_the_best() -> None:
    sentences = say(
        pair("adam/cosine", 0.97, "adam/wsd"),
        pair("adam/wsd", 0.96, "adam/cosine", sensitivity={"width": 1.0}),
        pair("adam/step", 0.9, sensitivity={"width": 2.0}),
    )
    assert sentences[2] == (
        "Of those that tie for the best, adam with wsd cares least about the peak rate: within a "
        "point of the best over 1.0 decades."
    )


def test_who_is_first_at_the_target() -> None:
    sentences = say(
        pair("adam/cosine", 0.97, target={"updates": 80.0, "reached": 5}),
        pair("adam/wsd", 0.96, target={"updates": 65.5, "reached": 3}),
        pair("adam/step", 0.9, target={"updates": None, "reached": 2}),
        target=0.95,
    )
    assert (
        "adam/wsd needs the fewest updates for a validation score of 95.0%: 65.5, the median over "
        "the seeds. 1 pair does not have it in half of the runs."
    ) in sentences


def test_nobody_gets_to_the_target() -> None:
    lost = {"updates": None, "reached": 0}
    sentences = say(
        pair("adam/b", 0.9, target=lost), pair("adam/c", 0.9, target=lost), target=0.995
    )
    assert "No pair has a validation score of 99.5% in half of its runs." in sentences


def at_lengths(*standing: str) -> list[dict[str, Any]]:
    return [
        {"steps": steps, "best": "best" in words, "ties": words != ""}
        for steps, words in zip((100, 1000), standing, strict=True)
    ]


def test_who_is_best_at_other_lengths() -> None:
    sentences = say(
        pair("adam/cosine", 0.97, lengths=at_lengths("", "best")),
        pair("adam/wsd", 0.96, lengths=at_lengths("best", "ties")),
    )
    told = (
        "By length of the run, at the same peak rate, the best are adam/wsd at 100 and "
        "adam/cosine at 1,000 updates. "
    )
    assert told + "adam/wsd is best or ties with the best in all of them." in sentences
    sentences = say(
        pair("adam/cosine", 0.97, lengths=at_lengths("", "best")),
        pair("adam/wsd", 0.96, lengths=at_lengths("best", "")),
    )
    assert told + "No pair is best or ties with the best in all of them." in sentences


def test_one_is_best_at_every_length() -> None:
    sentences = say(
        pair("adam/cosine", 0.97, lengths=at_lengths("best", "best")),
        pair("adam/wsd", 0.96, lengths=at_lengths("", "ties")),
    )
    assert (
        "By length of the run, at the same peak rate, the best is adam/cosine at 100 and 1,000 "
        "updates. adam/cosine is best or ties with the best in all of them."
    ) in sentences


def test_cautions() -> None:
    sentences = say(
        pair("sgd/one_cycle", 0.9, at_edge=True, low=None, high=None),
        pair("sgd/step", 0.8, diverged=2),
        seeds=1,
    )
    assert sentences[0].startswith("sgd with one_cycle at a peak rate of 0.02 scores best: 90.0%.")
    assert "With one seed nothing can be told apart: every pair counts as a tie." in sentences
    assert any(s.startswith("The best peak of sgd/one_cycle is at the edge") for s in sentences)
    assert "Scoring runs diverged, and count as guessing: sgd/step (2)." in sentences
    assert "sgd has no momentum: one_cycle moves its rate only." in sentences


def test_nothing_yet() -> None:
    assert say() == ["Not finished: no pair has all its runs yet."]


def test_not_all_yet() -> None:
    sentences = say(pair("adam/cosine", 0.97), pair("sgd/step", 0.9), complete=False)
    assert sentences[-1] == "Not finished: 2 of 4 pairs; ranks and ties will move."


def test_a_lone_pair() -> None:
    assert len(say(pair("adam/cosine", 0.97))) == 1
