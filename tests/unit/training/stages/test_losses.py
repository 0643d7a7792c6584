"""Losses for ordered classes, for labels that leave several classes open, and for auxiliary heads."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from training.stages.losses import among, masked_cross_entropy, ordinal

SURE = torch.eye(4) * 30.0
"""Logits of one picture a row, each sure of another class."""


def test_two_classes_off_costs_more_than_one() -> None:
    costs = [float(ordinal(SURE[index : index + 1], torch.tensor([0]))) for index in range(4)]
    assert costs == pytest.approx([0.0, 1.0, 2.0, 3.0], abs=1e-4)


def test_any_allowed_class_is_right() -> None:
    allowed = torch.tensor([[True, True, False, False]])
    costs = [float(among(SURE[index : index + 1], allowed)) for index in range(4)]
    assert costs[:2] == pytest.approx([0.0, 0.0], abs=1e-4) and min(costs[2:]) > 20
    even = torch.zeros(1, 4, requires_grad=True)
    among(even, allowed).backward()
    assert even.grad is not None and torch.isfinite(even.grad).all()
    assert even.grad[0, 0] == even.grad[0, 1] < 0 < even.grad[0, 2]


def test_an_auxiliary_head_counts_for_its_share() -> None:
    logits = {"cancer": torch.tensor([[1.0], [-1.0]]), "density": torch.zeros(2, 4)}
    targets = {"cancer": torch.tensor([1, 0]), "density": torch.tensor([2, 3])}
    alone = masked_cross_entropy()({"cancer": logits["cancer"]}, targets)
    both = masked_cross_entropy(shares={"density": 0.25})(logits, targets)
    assert float(both - alone) == pytest.approx(0.25 * float(torch.log(torch.tensor(4.0))))


def test_smoothing_moves_the_target_of_a_single_output_too() -> None:
    logits, targets = {"cancer": torch.tensor([[2.0]])}, {"cancer": torch.tensor([1])}
    wanted = nn.functional.binary_cross_entropy_with_logits(torch.tensor([2.0]), torch.tensor([0.95]))
    assert float(masked_cross_entropy(smoothing=0.1)(logits, targets)) == pytest.approx(float(wanted))
