"""The loop on pictures that are easy to distinguish: it must learn them in seconds, and follow its plan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn

from tests.support.bright_squares import PLAN, Tiny, pictures, run
from training.data.augment import NONE
from training.stages.checkpoint import load
from training.stages.dataset import AugmentedDataset, SeededBatches
from training.stages.engine import fit, predict
from training.stages.losses import masked_cross_entropy
from training.stages.plan import Plan, scale_rates, share_epochs
from training.stages.rates import make_optimiser, make_schedule
from training.stages.training_log import read_log


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_a_network_learns_to_see_a_mass(precision: str, tmp_path: Path) -> None:
    crops, sick = pictures()
    logits = predict(run(tmp_path, replace(PLAN, precision=precision)), crops, precision=precision)["cancer"][:, 0]  # type: ignore[arg-type]
    assert ((logits > 0) == sick).mean() > 0.95


@pytest.mark.parametrize(
    ("optimiser", "schedule", "rate"),
    [("sgd", "step", 0.5), ("sgd", "constant", 0.5), ("adam", "cosine", 0.05), ("adamw", "one-cycle", 0.05)],
)
def test_every_optimiser_and_schedule_lowers_the_loss(optimiser: Any, schedule: Any, rate: float, tmp_path: Path) -> None:
    plan = replace(PLAN, optimiser=optimiser, schedule=schedule, rates={"": rate}, weight_decay=1e-5, step_epochs=3)
    run(tmp_path, plan)
    log = read_log(tmp_path)
    assert log[-1]["loss"] < 0.8 * log[0]["loss"] and all(line["images_per_s"] > 0 for line in log)


def test_schedules_are_what_they_are_called() -> None:
    def rates(plan: Plan) -> list[float]:
        network = nn.Linear(2, 1)
        optimiser = make_optimiser(network, plan)
        schedule, seen = make_schedule(optimiser, plan, 2), []
        for _ in range(plan.epochs * 2):
            seen.append(optimiser.param_groups[0]["lr"])
            optimiser.step()
            schedule.step()
        return seen

    plan = Plan(epochs=6, batch=1, rates={"": 1.0}, optimiser="sgd", step_epochs=2, step_factor=0.5, warm_fraction=0.25)
    assert rates(replace(plan, schedule="constant")) == [1.0] * 12
    assert rates(replace(plan, schedule="step")) == [1.0] * 4 + [0.5] * 4 + [0.25] * 4
    cosine = rates(replace(plan, schedule="cosine"))
    assert np.argmax(cosine) == 3 and max(cosine) == 1.0 and cosine[:4] == sorted(cosine[:4]) and cosine[3:] == sorted(cosine[3:])[::-1]
    cycle = rates(replace(plan, schedule="one-cycle"))
    assert cycle[0] == pytest.approx(1 / 25) and max(cycle) == pytest.approx(1.0) and cycle[-1] < 1e-4


@pytest.mark.parametrize("steps", range(1, 12))
def test_a_cycle_of_few_steps_still_trains(steps: int) -> None:
    """Twenty patients and one epoch make a handful of steps; torch divides by zero at five of them."""
    optimiser = make_optimiser(nn.Linear(2, 1), Plan(epochs=1, batch=1, rates={"": 1.0}))
    schedule = make_schedule(optimiser, Plan(epochs=1, batch=1, rates={"": 1.0}), steps)
    rates = []
    for _ in range(steps):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step() if len(rates) < steps else None
    assert max(rates) > 0.5


def test_two_half_batches_make_the_step_of_a_whole_one(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", replace(PLAN, epochs=2, precision="fp32")).state_dict()
    halves = run(tmp_path / "halves", replace(PLAN, epochs=2, precision="fp32", batch=4, accumulate=2)).state_dict()
    assert all(torch.allclose(whole[name], halves[name], atol=1e-5) for name in whole)


def test_accumulating_past_the_end_of_an_epoch_averages_what_there_is(tmp_path: Path) -> None:
    """64 samples in batches of 24 are two; accumulated by 4 they make one step an epoch: the same as a batch of 48."""
    plan = replace(PLAN, epochs=1, precision="fp32", augmentation=NONE, optimiser="sgd", schedule="constant", rates={"": 0.1})
    halves = run(tmp_path / "halves", replace(plan, batch=24, accumulate=4)).state_dict()
    whole = run(tmp_path / "whole", replace(plan, batch=48)).state_dict()
    assert all(torch.allclose(whole[name], halves[name], atol=1e-6) for name in whole)


class Normed(nn.Module):
    """A backbone with batch norm, and an output."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(1, 4, 5, stride=4), nn.BatchNorm2d(4), nn.ReLU())
        self.stem = nn.Conv2d(4, 4, 1).requires_grad_(False)
        self.output = nn.Linear(4, 1)

    def forward(self, pixels: torch.Tensor) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        features = self.stem(self.backbone(pixels))
        return {"cancer": self.output(features.mean(dim=(2, 3)))}, features


def test_a_rate_of_nought_freezes_a_part_and_its_statistics(tmp_path: Path) -> None:
    crops, sick = pictures()
    network = Normed()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    plan = replace(PLAN, epochs=1, rates={"backbone": 0.0, "": 0.05})
    fit(network, AugmentedDataset(crops, {"cancer": sick}, None), masked_cross_entropy(), plan, tmp_path)
    moved = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {"output.weight", "output.bias"}
    frozen = {name for name, parameter in network.named_parameters() if not parameter.requires_grad}
    assert frozen == {"stem.weight", "stem.bias"}, "what the network itself had frozen stays frozen; the plan's lasts as long as the plan"
    fit(
        network, AugmentedDataset(crops, {"cancer": sick}, None), masked_cross_entropy(), replace(plan, rates={"": 0.05}), tmp_path / "next"
    )
    moved = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert {"backbone.0.weight", "backbone.1.running_mean"} <= moved and "stem.weight" not in moved


def test_each_group_gets_the_rate_of_its_longest_prefix() -> None:
    plan = Plan(epochs=1, batch=1, rates={"": 1.0, "backbone": 0.1, "backbone.1": 0.01}, optimiser="sgd")
    network = Normed()
    rates = {id(p): group["lr"] for group in make_optimiser(network, plan).param_groups for p in group["params"]}
    named = {name: rates.get(id(p)) for name, p in network.named_parameters()}
    assert named["backbone.0.weight"] == 0.1 and named["backbone.1.weight"] == 0.01 and named["output.weight"] == 1.0
    assert named["stem.weight"] is None
    with pytest.raises(ValueError, match="no parameter's name begins so; the network's parts: backbone, output, stem"):
        make_optimiser(network, replace(plan, rates={"": 1.0, "bakcbone": 0.1}))
    with pytest.raises(ValueError, match=r"no rate for the parameter 'output\.weight'"):
        make_optimiser(network, replace(plan, rates={"backbone": 0.1, "stem": 0.1}))


def test_patience_stops_and_goes_back_to_the_best_epoch(tmp_path: Path) -> None:
    crops, sick = pictures()
    values, seen = iter([0.6, 0.8, float("nan"), 0.7, 0.9]), []

    def after_epoch(epoch: int, network: nn.Module) -> dict[str, float]:
        seen.append({name: value.clone() for name, value in network.state_dict().items()})
        return {"cancer": next(values)}

    plan = replace(PLAN, patience=2)
    network = fit(Tiny(), AugmentedDataset(crops, {"cancer": sick}, None), masked_cross_entropy(), plan, tmp_path, after_epoch=after_epoch)
    assert [line["cancer"] for line in read_log(tmp_path)] == pytest.approx([0.6, 0.8, np.nan, 0.7], nan_ok=True)
    assert all(torch.equal(value, seen[1][name]) for name, value in network.state_dict().items())
    best = load(tmp_path / "best.pt")
    assert best["epoch"] == 2 and best["value"] == 0.8
    again = fit(Tiny(), AugmentedDataset(crops, {"cancer": sick}, None), masked_cross_entropy(), plan, tmp_path, after_epoch=after_epoch)
    assert len(seen) == 4, "a run that has stopped stays stopped"
    assert all(torch.equal(value, seen[1][name]) for name, value in again.state_dict().items())


def test_the_log_can_be_watched_in_tensorboard(tmp_path: Path) -> None:
    crops, sick = pictures()
    plan = replace(PLAN, epochs=2)
    fit(
        Tiny(),
        AugmentedDataset(crops, {"cancer": sick}, None),
        masked_cross_entropy(),
        plan,
        tmp_path,
        after_epoch=lambda e, n: {"cancer": 0.5 + e / 10},
    )
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [event.value for event in events.Scalars("epoch/cancer")] == pytest.approx([0.5, 0.6])
    assert {"step/loss", "step/rate", "epoch/loss", "epoch/images_per_s"} <= set(events.Tags()["scalars"])
    steps = [event.step for event in events.Scalars("step/loss")]
    assert steps == sorted(steps) and steps[-1] == 16, "two epochs of eight steps"


def test_unknown_labels_do_not_pull_at_the_network() -> None:
    logits = {"view": torch.tensor([[2.0, -2.0], [0.0, 0.0]], requires_grad=True)}
    masked_cross_entropy()(logits, {"view": torch.tensor([0, -1])}).backward()
    gradient = logits["view"].grad
    assert gradient is not None and gradient[0].abs().sum() > 0 and gradient[1].abs().sum() == 0


def test_a_head_without_a_label_in_the_batch_gives_no_gradient_and_no_error() -> None:
    logits = {"view": torch.ones(2, 2, requires_grad=True)}
    loss = masked_cross_entropy()(logits, {"view": torch.tensor([-1, -1])})
    loss.backward()
    gradient = logits["view"].grad
    assert loss.item() == 0 and gradient is not None and not gradient.any()


def test_class_weights_count_in_heads_of_one_output_and_of_several() -> None:
    loss = masked_cross_entropy({"cancer": (1.0, 3.0), "view": (1.0, 3.0)})
    one = loss({"cancer": torch.zeros(2, 1)}, {"cancer": torch.tensor([0, 1])})
    assert one.item() == pytest.approx(np.log(2) * (1 + 3) / 2)
    two = loss({"view": torch.tensor([[1.0, 0.0], [1.0, 0.0]])}, {"view": torch.tensor([0, 1])})
    assert two.item() == pytest.approx((0.31326 + 3 * 1.31326) / 4, rel=1e-4)


def test_devices_share_each_batch_between_them() -> None:
    orders = [list(SeededBatches(20, 8, seed=1, rank=rank, world=2)) for rank in (0, 1)]
    whole = list(SeededBatches(20, 8, seed=1))
    assert len(whole) == 2 and [len(batch) for batch in whole] == [8, 8]
    for batch, first, second in zip(whole, *orders, strict=True):
        assert sorted(batch) == sorted([*first, *second]) and len(first) == len(second) == 4
    assert len(SeededBatches(3, 8, seed=1)) == 1, "fewer samples than a batch make a smaller one"
    with pytest.raises(ValueError, match="use fewer devices"):
        SeededBatches(3, 8, seed=1, world=4)


def test_some_samples_can_be_drawn_more_often() -> None:
    drawn = [index for batch in SeededBatches(400, 8, seed=0, weights=np.where(np.arange(400) < 200, 3.0, 1.0)) for index in batch]
    assert 0.7 < np.mean(np.array(drawn) < 200) < 0.8


def test_exams_keep_their_views_and_each_view_is_changed_by_itself() -> None:
    crops, sick = pictures()
    exams = crops.reshape(16, 4, 64, 40)
    pixels, targets = AugmentedDataset(exams, {"cancer": sick[:16]}, PLAN.augmentation)[3]
    assert pixels.shape == (4, 1, 64, 40) and targets["cancer"] == 1
    same = AugmentedDataset(np.stack([exams[:, 0]] * 2, axis=1), {"cancer": sick[:16]}, PLAN.augmentation)[3][0]
    assert not torch.equal(same[0], same[1])

    class PerExam(Tiny):
        def forward(self, pixels: torch.Tensor) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
            logits, features = super().forward(pixels.flatten(0, 1))
            return {"cancer": logits["cancer"].reshape(pixels.shape[0], -1).amax(dim=1, keepdim=True)}, features

    assert predict(PerExam(), exams, batch=5)["cancer"].shape == (16, 1)


def test_epochs_are_shared_among_stages_as_the_paper_shared_its_own() -> None:
    plans = tuple(Plan(epochs=n, batch=1, rates={"": 1.0}, step_epochs=10) for n in (3, 10, 37))
    assert [plan.epochs for plan in share_epochs(plans, 10)] == [1, 2, 7]
    assert [plan.epochs for plan in share_epochs(plans, 100)] == [6, 20, 74]
    assert share_epochs(plans, 100)[2].step_epochs == 20
    assert [plan.epochs for plan in share_epochs(plans, 1)] == [1, 1, 1]


def test_rates_grow_together_and_what_is_frozen_stays_frozen() -> None:
    plan = Plan(epochs=1, batch=1, rates={"": 0.0, "top": 1e-4, "output": 1e-3})
    assert scale_rates(plan, 10).rates == pytest.approx({"": 0.0, "top": 1e-3, "output": 1e-2})
    with pytest.raises(ValueError, match="above 0"):
        scale_rates(plan, 0)


@pytest.mark.parametrize(
    ("change", "said"),
    [({"epochs": 0}, "epochs is 0"), ({"accumulate": 0}, "accumulate is 0"), ({"rates": {"": 0.0}}, "nothing would be trained")],
)
def test_a_plan_that_cannot_be_says_so(change: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        replace(PLAN, **change)  # type: ignore[arg-type]
