"""DIB-MG learns from exams whose views may be missing, and its two maps are what its score is made of (Kim et al. 2018)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from training.data.exams import group_breasts, group_exams, leave_out_benign
from training.data.synthetic import write_synthetic
from training.data.table import Row
from training.experiments.dib_mg import BREAST, EXAM, IMAGE, build, gather_exams
from training.networks.dib_mg import CANCER, NORMAL, DibMg
from training.stages.options import Initialisation, RunOptions
from training.stages.plan import Plan
from training.stages.rates import make_optimiser, make_schedule
from training.stages.run import Run

NARROW = (2, 4, 4, 4, 6, 8)


def network() -> DibMg:
    torch.manual_seed(0)
    return DibMg(NARROW).eval()


def row(view: str | None, breast: str, pathology: str | None = "normal", exam: str = "e", image: str = "") -> Row:
    return Row("set", "p", exam, image or f"{breast}{view}", Path("x"), view, breast, breast, None, pathology, "m", None)  # type: ignore[arg-type]


def test_the_score_is_the_softmax_of_two_averaged_maps() -> None:
    net, pixels = network(), torch.rand(2, 1, 96, 64)
    with torch.no_grad():
        logits, features = net(pixels)
        maps = net.both_maps(features)
    assert maps.shape == (2, 2, 3, 2)
    softmax = torch.softmax(maps.mean(dim=(2, 3)), dim=1)[:, CANCER]
    assert torch.allclose(torch.sigmoid(logits["cancer"][:, 0]), softmax, atol=1e-6)
    assert torch.allclose(net.maps(features)[:, 0], maps[:, CANCER] - maps[:, NORMAL], atol=1e-6)
    assert torch.allclose(net.maps(features).mean(dim=(1, 2, 3)), logits["cancer"][:, 0], atol=1e-6), "bias and all"


def test_an_exam_is_the_mean_of_its_views_and_absent_ones_count_nothing() -> None:
    net, views = network(), torch.rand(1, 4, 1, 96, 64)
    with torch.no_grad():
        single = net(views[0])[0]["cancer"]
        assert torch.allclose(net(views)[0]["cancer"], single.mean(dim=0, keepdim=True), atol=1e-5)
        views[0, 2] = 0.3  # brightness jitter moves an absent view too
        logits, features = net(views)
    assert torch.allclose(logits["cancer"], single[[0, 1, 3]].mean(dim=0, keepdim=True), atol=1e-5)
    assert features.shape == (1, 4, 8, 3, 2) and not features[0, 2].any() and features[0, 3].any()
    assert net.maps(features).shape == (1, 4, 1, 3, 2)


def test_absent_views_leave_batch_norm_alone() -> None:
    torch.manual_seed(0)
    alone, padded = DibMg(NARROW).train(), DibMg(NARROW).train()
    padded.load_state_dict(alone.state_dict())
    views = torch.rand(2, 2, 1, 64, 64)
    views[:, 1] = 0
    first, second = alone(views[:, :1])[0]["cancer"], padded(views)[0]["cancer"]
    assert torch.allclose(first, second, atol=1e-5)
    for name, value in alone.state_dict().items():
        assert torch.allclose(value.float(), padded.state_dict()[name].float(), atol=1e-6), name
    second.sum().backward()
    assert all(parameter.grad is not None for parameter in padded.parameters())


def test_pixels_are_shifted_to_the_papers_range() -> None:
    """ "Training Set-up": pixel values in the range -1.0 to 1.0; every graph takes 0 to 1."""
    net, seen = network(), []
    net.init_blocks.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    net(torch.tensor([0.0, 0.5, 1.0]).repeat(1, 1, 32, 11)[..., :32])
    assert sorted(set(seen[0].flatten().tolist())) == [-1.0, 0.0, 1.0]


def test_the_schedule_of_the_paper() -> None:
    """1e-3, a fifth of it after every 10 epochs until 30; SGD with momentum 0.9, weight decay 5e-4; 16 exams of four views."""
    for experiment, batch in ((EXAM, 16), (BREAST, 32), (IMAGE, 64)):
        (plan,) = experiment.plans
        assert (plan.epochs, plan.batch, plan.momentum, plan.weight_decay, plan.optimiser) == (30, batch, 0.9, 5e-4, "sgd")
        optimiser = make_optimiser(network(), plan)
        schedule, rates = make_schedule(optimiser, plan, 1), []
        for _ in range(30):
            rates.append(optimiser.param_groups[0]["lr"])
            optimiser.step()
            schedule.step()
        assert rates == pytest.approx([1e-3] * 10 + [2e-4] * 10 + [4e-5] * 10)
        jitter = plan.augmentation
        assert (jitter.contrast, jitter.brightness) == (0.1, 0.1)
        assert not any((jitter.rotation_degrees, jitter.zoom, jitter.shift, jitter.gamma, jitter.horizontal_flip, jitter.vertical_flip))
        assert (experiment.shape, experiment.recipe, experiment.split) == ((1600, 1600), "pad-square@1", "5:1:1")


def test_images_find_their_places_and_an_exam_is_malignant_with_any_of_them() -> None:
    rows = [row("MLO", "L"), row("CC", "R"), row("CC", "R", image="again"), row("CC", "L", "malignant"), row(None, "L")]
    rows.append(row("CC", "R", None, "f"))
    exams = group_exams(rows)
    assert [exam.places for exam in exams] == [(1, 3, None, 0), (5, None, None, None)]
    assert [exam.malignant for exam in exams] == [True, None] and exams[0].first == 3
    breasts = group_breasts(rows)
    assert [breast.places for breast in breasts] == [(3, 0), (1, None), (5, None)]
    assert [breast.malignant for breast in breasts] == [True, False, None]


def test_benign_exams_take_no_part_unless_there_are_no_others() -> None:
    rows = [row("CC", "L", "benign", "a"), row("CC", "L", "normal", "b"), row("CC", "L", "malignant", "c"), row("CC", "R", "benign", "c")]
    assert [exam.first for exam in leave_out_benign(rows, group_exams(rows))] == [1, 2]
    assert len(leave_out_benign(rows[:1] + rows[2:], group_exams(rows[:1] + rows[2:]))) == 2


def test_exams_are_gathered_with_absent_views_black(tmp_path: Path) -> None:
    write_synthetic(tmp_path / "data" / "synthetic", 14, 5, (256, 256))
    next((tmp_path / "data" / "synthetic" / "images").glob("*_R-CC.png")).unlink()
    options = RunOptions(tmp_path / "data", tmp_path / "runs", shape=(64, 64))
    exams = replace(EXAM, datasets=("synthetic",))
    samples = Run(exams, options).gather()
    assert samples.crops.shape == (len(samples.rows), 4, 64, 64)
    absent = np.asarray(~samples.crops.any(axis=(2, 3)))
    assert int(absent.sum()) <= 1 and not absent[:, 1:].any()
    assert all(bool(label) == bool(each.malignant) for each, label in zip(samples.rows, samples.targets["cancer"], strict=True))
    assert not any(each.pathology == "benign" for each in samples.rows)
    breasts = replace(BREAST, datasets=("synthetic",), gather=partial(gather_exams, group=group_breasts))
    assert Run(breasts, options).gather().crops.shape[1] == 2
    patients = [
        {each.patient for each, part in zip(samples.rows, samples.parts, strict=True) if part == name}
        for name in ("train", "validation", "test")
    ]
    assert not (patients[0] & patients[1] or patients[0] & patients[2] or patients[1] & patients[2])


def test_widths_are_an_option_and_nothing_else_is(tmp_path: Path) -> None:
    assert build(Initialisation(backbone="2-4-4-4-6-8")).aggregate_block.in_channels == 8
    with pytest.raises(ValueError, match="six blocks"):
        build(Initialisation(backbone="resnet50"))
    with pytest.raises(ValueError, match="fall"):
        DibMg((8, 4, 4, 4, 4, 4))
    torch.save({"network": (trained := network()).state_dict()}, tmp_path / "checkpoint.pt")
    again = build(Initialisation(str(tmp_path / "checkpoint.pt"), "2-4-4-4-6-8"))
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in trained.state_dict().items())


def test_one_step_of_an_exam_lowers_its_loss() -> None:
    """All the way from four views and one label: gradients reach the first convolution of the network."""
    torch.manual_seed(1)
    net, views = DibMg(NARROW).train(), torch.rand(4, 4, 1, 64, 64)
    label = torch.tensor([[0.0], [1.0], [0.0], [1.0]])
    optimiser = make_optimiser(net, Plan(1, 4, {"": 0.05}, optimiser="sgd"))
    losses = []
    for _ in range(12):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(net(views)[0]["cancer"], label)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    first = net.get_parameter("init_blocks.0.0.weight").grad
    assert losses[-1] < 0.7 * losses[0] and first is not None and np.abs(first.numpy()).max() > 0
