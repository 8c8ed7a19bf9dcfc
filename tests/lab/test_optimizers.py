"""The register of optimizers."""

import pytest
import torch

from lehr.lab.optimizers import OPTIMIZERS, find_optimizer


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_entry_makes_what_its_text_says(name: str) -> None:
    entry = find_optimizer(name)
    made = entry.make([torch.zeros(2, requires_grad=True)], 0.5)
    kind, settings = entry.text.removesuffix(")").split("(", 1)
    assert type(made).__name__ == kind == entry.kind
    assert made.param_groups[0]["lr"] == 0.5
    for setting, value in entry.settings.items():
        assert f"{setting}={value}" in settings
        assert made.param_groups[0][setting] == value


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_what_has_a_momentum_to_move(name: str) -> None:
    group = find_optimizer(name).make([torch.zeros(2, requires_grad=True)], 0.5).param_groups[0]
    assert find_optimizer(name).has_momentum == (group.get("momentum", 0) > 0 or "betas" in group)


def test_a_wrong_name_lists_the_right_ones() -> None:
    with pytest.raises(ValueError, match=r"^unknown optimizer 'adagrad': choose from sgd, mom"):
        find_optimizer("adagrad")
