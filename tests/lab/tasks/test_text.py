"""Learning a text: its windows, what counts as chance, and what a transformer may look at."""

from pathlib import Path

import pytest
import torch
from scipy import stats

from lehr.lab import Plan, Task, TaskError
from lehr.lab.plan import Pair, Size
from lehr.lab.tasks.classification import cross_entropy
from lehr.lab.tasks.python_file import check_task
from lehr.lab.tasks.text_file import text_task
from lehr.lab.training.population import train_population

ALPHABET = "abcdefghijklmnopqrstuvwxyz"
CONTEXT = 32


def made(text: str) -> Task:
    return text_task("some/where/text.txt", text.encode())


def test_windows_hold_what_comes_next() -> None:
    text = ALPHABET * 900
    task = made(text)
    check_task(task, "text")
    assert task.name == "text:text.txt"
    assert task.summary == "text.txt, 23,400 characters of 26 kinds"
    for split in task.load():
        assert split.inputs.shape == split.targets.shape == (len(split.inputs), CONTEXT)
        assert torch.equal((split.inputs + 1) % 26, split.targets)
        assert torch.equal(split.inputs[:, 1:], split.targets[:, :-1])


def test_no_part_of_the_text_is_in_two_splits() -> None:
    # Every character is its own kind: its code is its place.
    text = "".join(map(chr, range(0x4E00, 0x4E00 + 20_000)))
    train, validation, test = (
        set(torch.cat([s.inputs.flatten(), s.targets.flatten()]).tolist())
        for s in made(text).load()
    )
    assert max(train) < 18_000 <= min(validation)
    assert max(validation) < 19_000 <= min(test)
    assert max(test) == 19_999
    assert len(train) > 17_900
    starts = made(text).load().test.inputs[:, 0]
    assert (starts.diff() >= CONTEXT).all()


def test_a_guess_knows_how_frequent_the_characters_are() -> None:
    metric = made("aab" * 8_000).metric
    assert (metric.unit, metric.higher) == ("nats", False)
    assert metric.guess == pytest.approx(stats.entropy([2 / 3, 1 / 3]))


def test_the_network_says_how_large_it_is() -> None:
    task = made(ALPHABET * 900)
    count = sum(p.numel() for p in task.model(torch.Generator().manual_seed(0)).parameters())
    assert f"{count:,} weights" in task.network


def test_no_guess_looks_ahead() -> None:
    network = made(ALPHABET * 900).model(torch.Generator().manual_seed(0))
    one = torch.randint(26, (1, CONTEXT), generator=torch.Generator().manual_seed(1))
    other = one.clone()
    other[0, 20] = (other[0, 20] + 1) % 26
    with torch.no_grad():
        first, second = network(one), network(other)
    assert torch.equal(first[0, :20], second[0, :20])
    assert (first[0, 20:] != second[0, 20:]).any(-1).all()


def test_it_learns_what_follows_what() -> None:
    text = "".join(ALPHABET[i * i % 26] for i in range(24_000))
    task = made(text)
    network = task.model(torch.Generator().manual_seed(0))
    optimizer = torch.optim.Adam(network.parameters(), 0.01)
    data = task.load()
    for i in range(60):
        rows = slice(16 * i % 600, 16 * i % 600 + 16)
        optimizer.zero_grad()
        task.loss(network(data.train.inputs[rows]), data.train.targets[rows]).backward()
        optimizer.step()
    value, loss = task.measures(network(data.test.inputs), data.test.targets)
    assert task.metric.guess is not None
    assert value == loss < 0.5 < task.metric.guess


def test_the_loss_is_torchs() -> None:
    outputs, targets = 5 * torch.randn(6, 4, 9), torch.randint(9, (6, 4))
    expected = torch.nn.functional.cross_entropy(outputs.flatten(0, 1), targets.flatten())
    assert torch.allclose(cross_entropy(outputs, targets), expected)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"short", "'text.txt' has 5 characters: it needs at least 10,560"),
        (b"", "has 0 characters"),
        (b"a" * 20_000 + b"\xff", "'text.txt' is not UTF-8: invalid start byte at byte 20000"),
    ],
)
def test_what_cannot_be_learned_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(TaskError, match=words):
        text_task("some/where/text.txt", content)


def test_the_shortest_text_is_enough() -> None:
    task = made("ab" * 5_280)
    check_task(task, "text")
    assert task.train >= task.batch_size
    assert min(task.validation, task.test) >= 10


SHAKESPEARE = Path(__file__).parents[4] / "shared" / "data" / "tinyshakespeare.txt"


@pytest.mark.slow
@pytest.mark.skipif(not SHAKESPEARE.exists(), reason="tinyshakespeare.txt is not at hand")
def test_a_real_text_is_learned() -> None:
    size = Size(steps=150, seeds=2, tuning_seeds=1, peaks=(0.02,))
    plan = Plan(task=f"text:{SHAKESPEARE}", size=size)
    for outcome in train_population(plan.scoring(Pair("adam", "cosine"), 0.02)):
        assert outcome.test == outcome.test_loss is not None
        assert outcome.test_loss < 2.8  # nats a character; the frequencies alone give 3.3
