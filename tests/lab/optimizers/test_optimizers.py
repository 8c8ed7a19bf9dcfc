"""Optimizers by their texts: what they say, and what is made of them."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn, optim

from lehr.lab import Pair, Plan
from lehr.lab.optimizers import OPTIMIZERS, canonical, find_optimizer, identity, label, unpinned
from lehr.lab.optimizers.making import Joined, hidden_matrices, needs_closure

OWN = Path(__file__).parents[2] / "support" / "own_optimizers.py"
CLASSES = {
    name: found
    for name, found in vars(optim).items()
    if inspect.isclass(found)
    and issubclass(found, optim.Optimizer)
    and found is not optim.Optimizer
}


def weights() -> list[torch.Tensor]:
    return [torch.zeros(2, 2, requires_grad=True)]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_entry_makes_what_its_text_says(name: str) -> None:
    entry = find_optimizer(name)
    made = entry.make(weights(), 0.5)
    expected = eval(f"optim.{entry.text.replace('(', '(weights(), 0.5, ', 1)}")
    assert type(made) is type(expected)
    assert made.defaults == expected.defaults


@pytest.mark.parametrize("kind", CLASSES)
def test_every_class_of_torch_goes_by_its_lower_case_name(kind: str) -> None:
    entry = find_optimizer(kind.lower())
    assert entry.kind == kind
    if kind == "Muon":
        return  # it needs a network
    made = entry.make(weights(), 0.5)
    assert type(made) is CLASSES[kind]
    assert made.param_groups[0]["lr"] == 0.5


@pytest.mark.parametrize("kind", CLASSES)
def test_every_argument_of_torchs_is_known(kind: str) -> None:
    for name, parameter in inspect.signature(CLASSES[kind]).parameters.items():
        if name not in ("params", "lr"):
            value = parameter.default if not isinstance(parameter.default, tuple) else [0.5, 0.5]
            assert name in find_optimizer(f"{kind.lower()}({name}={value!r})").settings


@pytest.mark.parametrize("kind", sorted(CLASSES.keys() - {"Muon"}))
def test_what_has_a_momentum_to_move(kind: str) -> None:
    group = CLASSES[kind](weights()).param_groups[0]
    expected = group.get("momentum", 0) > 0 or "betas" in group
    assert find_optimizer(kind.lower()).has_momentum == expected


@pytest.mark.parametrize(
    ("text", "momentum"),
    [
        ("momentum", True),
        ("sgd(momentum=0.9)", True),
        ("nesterov(momentum=0.8)", True),
        ("rmsprop(momentum=0.9)", True),
        ("muon", True),
        (f"{OWN}:Lion(betas=[0.9, 0.99])", True),
        (f"{OWN}:Lion", False),
        (f"{OWN}:Lookahead(sgd(momentum=0.9))", True),
    ],
)
def test_a_momentum_is_what_the_text_says(text: str, momentum: bool) -> None:
    assert find_optimizer(text).has_momentum is momentum


def test_settings_reach_the_optimizer() -> None:
    made = find_optimizer("adamw(weight_decay=0.1, betas=[0.9, 0.95])").make(weights(), 0.5)
    assert made.defaults["weight_decay"] == 0.1
    assert made.defaults["betas"] == (0.9, 0.95)
    nesterov = find_optimizer("nesterov(momentum=0.5)").make(weights(), 0.5)
    assert (nesterov.defaults["nesterov"], nesterov.defaults["momentum"]) == (True, 0.5)


def test_equal_texts_are_one() -> None:
    texts = (
        " adamw( betas = (0.9, .95) , weight_decay=1e-1)",
        "adamw(weight_decay=.1,betas=[.9,.95])",
    )
    assert {canonical(text) for text in texts} == {"adamw(betas=[0.9, 0.95], weight_decay=0.1)"}
    assert canonical("adam()") == canonical("adam") == "adam"
    wrapped = f"{OWN}:Lookahead( sgd() , k=5)"
    assert label(canonical(wrapped)) == "own_optimizers.py:Lookahead(sgd(), k=5)"


def test_a_file_counts_with_its_content_wherever_it_is(tmp_path: Path) -> None:
    texts: list[str] = []
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        copy = tmp_path / folder / "lion.py"
        copy.write_bytes(OWN.read_bytes())
        texts.append(canonical(f"{copy}:Lion"))
    assert identity(texts[0]) == identity(texts[1])
    assert [unpinned(text) for text in texts] == [
        f"{tmp_path}/{f}/lion.py:Lion" for f in ("one", "two")
    ]
    assert canonical(texts[0]) == texts[0]
    copy.write_text(copy.read_text() + "\n# changed\n")
    assert identity(canonical(f"{copy}:Lion")) != identity(texts[0])
    with pytest.raises(ValueError, match="has changed since the comparison began"):
        find_optimizer(texts[1]).make(weights(), 0.1)


@pytest.mark.parametrize(
    ("text", "words", "place"),
    [
        ("adan", "unknown optimizer 'adan': did you mean 'adam'", None),
        ("adamw(weigth_decay=0.1)", "no argument 'weigth_decay': did you mean 'weight_decay'?", 6),
        ("adam(0.1)", "write each argument with its name: name=value", 5),
        ("adam(betas=[0.9, foo])", "unknown optimizer 'foo'", 5),
        ("adam(eps=1 + 1)", "a value is a number, a string in quotes", 9),
        ("adam(eps=open('x'))", "write each argument with its name", 14),
        ("adam(eps=(lambda: 1)())", "this is not an optimizer", 9),
        ("adam(eps=1e999)", "this number is not finite", 9),
        ("adam(eps=1, eps=2)", "eps is given twice", 12),
        ("adam(betas=[0.9,", "this cannot be read", None),
        ("muon(rest=3)", "rest=3 is not an optimizer: write rest=adamw", 5),
        ("muon(rest_ratio=-1)", "rest_ratio=-1 must be a number above 0", 5),
        ("muon(rest_schedule='cosinus')", "unknown schedule 'cosinus'", 5),
        ("sgd(rest_ratio=0.1)", "rest_ratio needs rest=..., such as rest=adamw", 4),
        ("nowhere.py:Lion(a=1)", "'nowhere.py' cannot be read: No such file", 11),
        ("a b", "'a b' is not an optimizer", None),
        ("", "'' is not an optimizer", None),
        ("(" * 900, "is not an optimizer", 0),
        ("adam(x=" + "[" * 300 + "]" * 300 + ")", "this cannot be read", None),
    ],
)
def test_a_wrong_text_is_refused_at_the_place(text: str, words: str, place: int | None) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        find_optimizer(text)
    message = str(caught.value)
    assert words in message
    if place is not None:
        assert message.splitlines()[-1] == " " * (2 + place) + "^"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Loin", "has no class 'Loin': did you mean 'Lion'?"),
        ("Lion(beta=0.9)", "Lion has no argument 'beta': did you mean 'betas'?"),
        ("SAM(anything=1)", None),  # it takes any
    ],
)
def test_a_class_of_ones_own_is_checked_without_running_it(
    text: str, words: str | None, tmp_path: Path
) -> None:
    file = tmp_path / "own.py"
    file.write_text(OWN.read_text() + "\nraise SystemExit\n")
    if words is None:
        assert find_optimizer(f"{file}:{text}").settings == {"anything": 1}
        return
    with pytest.raises(ValueError, match=r".") as caught:
        find_optimizer(f"{file}:{text}")
    assert words in str(caught.value)


def test_planning_does_not_load_torch() -> None:
    code = (
        "import sys; from lehr.lab import Plan; "
        f"Plan(optimizers=('muon', 'rmsprop(alpha=0.9)', '{OWN}:Lion')); "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_plan_keeps_its_optimizers_in_one_form() -> None:
    plan = Plan(optimizers=("adamw( weight_decay=.1 )", f"{OWN}:Lion"))
    assert plan.pairs[0] == Pair("adamw(weight_decay=0.1)", "constant")
    assert str(plan.pairs[-1]) == "own_optimizers.py:Lion/wsd"
    assert f"--optimizers 'adamw(weight_decay=0.1),{OWN}:Lion'" in plan.command()
    with pytest.raises(ValueError, match=r"optimizers names 'adam\(eps=0.1\)' twice"):
        Plan(optimizers=("adam(eps=0.1)", "adam(eps=1e-1)"))


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(7, 4)
        self.one, self.two, self.out = nn.Linear(4, 5), nn.Linear(5, 4), nn.Linear(4, 7)
        self.frozen = nn.Parameter(torch.ones(4, 4), requires_grad=False)


def test_muon_trains_the_hidden_matrices_and_adamw_the_rest() -> None:
    network = Net()
    assert hidden_matrices(network) == [network.one.weight, network.two.weight]
    made = find_optimizer("muon(rest_ratio=0.1, momentum=0.9)").make(network, 0.5)
    assert isinstance(made, Joined)
    muon, adamw = made.parts
    assert (type(muon), type(adamw)) == (optim.Muon, optim.AdamW)
    assert made.param_groups == [*muon.param_groups, *adamw.param_groups]
    assert [group["lr"] for group in made.param_groups] == [0.5, 0.05]
    assert muon.param_groups[0]["momentum"] == 0.9
    held = [p for group in made.param_groups for p in group["params"]]
    assert set(held) == {p for p in network.parameters() if p.requires_grad}


def test_two_as_one_step_save_and_load_like_two() -> None:
    def trained(network: Net, optimizer: optim.Optimizer, updates: int) -> None:
        for _ in range(updates):
            optimizer.zero_grad()
            x = network.out(network.two(network.one(network.table(torch.arange(7)))))
            x.square().sum().backward()
            optimizer.step()

    torch.manual_seed(0)
    network, twin, third = Net(), Net(), Net()
    twin.load_state_dict(network.state_dict())
    text = "muon(rest=sgd(momentum=0.5))"
    trained(network, find_optimizer(text).make(network, 0.1), 4)
    two = optim.Muon(hidden_matrices(twin), 0.1)
    matrices = set(hidden_matrices(twin))
    others = [p for p in twin.parameters() if p.requires_grad and p not in matrices]
    rest = optim.SGD(others, 0.1, momentum=0.5)
    for _ in range(4):
        twin.zero_grad()
        x = twin.out(twin.two(twin.one(twin.table(torch.arange(7)))))
        x.square().sum().backward()
        two.step()
        rest.step()
    for (name, a), b in zip(network.named_parameters(), twin.parameters(), strict=True):
        assert torch.equal(a, b), name

    torch.manual_seed(0)
    third = Net()
    first = find_optimizer(text).make(third, 0.1)
    trained(third, first, 2)
    state, kept = first.state_dict(), third.state_dict()
    resumed = Net()
    resumed.load_state_dict(kept)
    again = find_optimizer(text).make(resumed, 0.3)
    again.load_state_dict(state)
    assert [group["lr"] for group in again.param_groups] == [0.1, 0.1]
    trained(resumed, again, 2)
    for a, b in zip(network.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)


def test_the_rest_needs_the_network() -> None:
    with pytest.raises(ValueError, match="it needs the network itself, not a list"):
        find_optimizer("muon").make(weights(), 0.1)


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        ("lbfgs", True),
        (f"{OWN}:SAM(base_optimizer=sgd)", True),
        ("adam", False),
        ("muon", False),
        (f"{OWN}:ScheduleFree", False),
        (f"{OWN}:Lookahead(sgd())", False),
    ],
)
def test_a_closure_is_for_what_needs_one(text: str, needs: bool) -> None:
    assert needs_closure(canonical(text)) is needs
