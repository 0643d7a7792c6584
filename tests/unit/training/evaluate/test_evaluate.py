"""Runs become reports: alone, averaged, flipped, compared, pooled; and pictures of why."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from models.preprocessing.recipe import find_recipe
from tests.support.tiny_experiments import CANCER, LABELER, HeadsNetwork, make_runs
from training.evaluate.evaluation import evaluate, pool
from training.evaluate.explain import choose, explain
from training.evaluate.forward import answer, prepare
from training.evaluate.predictions import read_predictions
from training.evaluate.running import join_networks, predict_runs, sample_kind
from training.networks.average import Average
from training.networks.export_wrapper import ExportWrapper
from training.stages.experiment import Experiment
from training.stages.options import RunOptions
from training.stages.run import Run
from training.stages.samples import Samples


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> RunOptions:
    return make_runs(tmp_path_factory.mktemp("runs"))


def tagged(experiment: Experiment, runs: RunOptions, tag: str, **changes: object) -> Run:
    return Run(experiment, replace(runs, tag=tag, **changes))  # type: ignore[arg-type]


def test_a_run_becomes_a_report(runs: RunOptions, tmp_path: Path) -> None:
    first, other = tagged(CANCER, runs, "a"), tagged(CANCER, runs, "b")
    folder = evaluate(first, compare=other, results=tmp_path, command="python -m training evaluate x", rounds=30)
    assert folder == first.folder / "report"
    report = json.loads((folder / "report.json").read_text())
    assert set(report["heads"]["cancer"]["levels"]) == {"image", "breast", "patient"}
    assert report["comparison"]["with"] == "tiny-cancer-b" and 0 <= report["comparison"]["heads"]["cancer"]["breast"]["delong_p"] <= 1
    assert report["run"]["epochs"] == 2 and report["run"]["command"] == "python -m training evaluate x"
    assert report["pointing"]["images"] > 0 and 0 < report["pointing"]["blind_guess"] < 0.5
    table = read_predictions(folder / "predictions.csv")
    assert {case.part for case in table.cases} == {"validation", "test"} and len({case.sample for case in table.cases}) == len(table)
    assert (folder / "report.html").read_text().count("data:image/png") == len(list(folder.glob("*.png"))) > 5
    assert str(runs.data) not in "".join(path.read_text() for path in folder.glob("report.*"))
    assert json.loads((tmp_path / "tiny-cancer-a.json").read_text())["figures"]["cancer.breast.auc"]["n"] > 0


def test_a_report_of_labels_has_all_three_heads(runs: RunOptions, tmp_path: Path) -> None:
    folder = evaluate(tagged(LABELER, runs, "a"), part="validation", out=tmp_path, rounds=10)
    report = json.loads((folder / "report.json").read_text())
    assert set(report["heads"]) == {"view", "laterality", "density"} and report["part"] == "validation"
    assert len(report["heads"]["density"]["image"]["confusion"]["classes"]) == 4


def test_the_average_of_runs_is_the_mean_of_their_probabilities(runs: RunOptions) -> None:
    pair = [tagged(CANCER, runs, tag) for tag in "ab"]
    together, _ = predict_runs(pair)
    apart = [predict_runs([run])[0].scores["cancer"] for run in pair]
    assert together.scores["cancer"] == pytest.approx(np.mean(apart, axis=0), abs=1e-5)


def test_runs_of_other_sizes_are_averaged_sample_by_sample(runs: RunOptions) -> None:
    """Two shapes cannot be one graph, but can be one answer."""
    small = tagged(CANCER, runs, "b", shape=(32, 24))
    together, _ = predict_runs([tagged(CANCER, runs, "a"), small])
    apart = [predict_runs([run])[0].scores["cancer"] for run in (tagged(CANCER, runs, "a"), small)]
    assert together.scores["cancer"] == pytest.approx(np.mean(apart, axis=0), abs=1e-9)
    with pytest.raises(ValueError, match="one graph has one input"):
        join_networks([tagged(CANCER, runs, "a"), small])


def test_flips_average_four_looks_and_their_maps_are_turned_back() -> None:
    torch.manual_seed(0)
    network = HeadsNetwork(CANCER.heads).eval()
    pixels = torch.rand(3, 1, 64, 48)
    with torch.no_grad():
        scores, maps = ExportWrapper(Average([network], flips=True))(pixels)
        looks = [pixels, pixels.flip(-1), pixels.flip(-2), pixels.flip(-2, -1)]
        plain = [ExportWrapper(network)(look) for look in looks]
    assert torch.allclose(scores, torch.stack([each[0] for each in plain]).mean(dim=0), atol=1e-5)
    turned = [plain[0][1], plain[1][1].flip(-1), plain[2][1].flip(-2), plain[3][1].flip(-2, -1)]
    mean = torch.stack(turned).mean(dim=0)
    # Up to a constant: the mean of the served map is the logit of the mean probability, not the mean of the logits.
    served, expected = (each - each.mean(dim=(2, 3), keepdim=True) for each in (maps, mean))
    assert torch.allclose(served, expected, atol=1e-4)


def test_an_average_of_softmax_heads_is_the_mean_of_probabilities() -> None:
    torch.manual_seed(0)
    networks = [HeadsNetwork(LABELER.heads).eval() for _ in range(3)]
    pixels = torch.rand(2, 1, 64, 48)
    with torch.no_grad():
        together, apart = ExportWrapper(Average(networks))(pixels), [ExportWrapper(network)(pixels) for network in networks]
    for place in range(3):
        assert torch.allclose(together[place], torch.stack([each[place] for each in apart]).mean(dim=0), atol=1e-5)


def test_a_flip_that_changes_the_answer_is_refused(runs: RunOptions) -> None:
    with pytest.raises(ValueError, match="another view and laterality"):
        join_networks([tagged(LABELER, runs, "a")], flips=True)
    with pytest.raises(ValueError, match="other heads"):
        join_networks([tagged(LABELER, runs, "a"), tagged(CANCER, runs, "a")])


def test_the_mean_of_a_map_is_the_logit_of_its_class() -> None:
    torch.manual_seed(0)
    network = HeadsNetwork(LABELER.heads).eval()
    pixels = torch.rand(2, 1, 64, 48)
    with torch.no_grad():
        *_, maps = ExportWrapper(network)(pixels)
        logits = torch.cat(list(network(pixels)[0].values()), dim=1)
    assert torch.allclose(maps.mean(dim=(2, 3)), logits, atol=1e-5)


def test_exams_of_several_views_are_answered_too() -> None:
    class Exams(nn.Module):
        def forward(self, pixels: torch.Tensor) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
            return {"cancer": pixels.mean(dim=(1, 2, 3, 4))[:, None]}, pixels

        def maps(self, features: torch.Tensor) -> torch.Tensor:
            return features

    crops = np.random.default_rng(0).integers(0, 255, (5, 4, 16, 12)).astype(np.uint8)
    recipe = find_recipe("pad-square@1")
    found = answer(Exams(), crops, np.array([4, 1]), recipe, ["cancer"], batch=2)
    expected = torch.sigmoid(prepare(crops[[4, 1]], recipe).mean(dim=(1, 2, 3, 4)))
    assert found.scores["cancer"][:, 0] == pytest.approx(expected.numpy(), abs=1e-6)
    parts = np.array(["test"] * 5)
    assert sample_kind(CANCER, Samples([], crops, parts, {})) == "exam"
    assert sample_kind(CANCER, Samples([], crops[:, :2], parts, {})) == "breast"
    assert sample_kind(CANCER, Samples([], crops[:, 0], parts, {})) == "image"
    assert sample_kind(replace(CANCER, task="mass-patch"), Samples([], crops[:, 0], parts, {})) == "patch"


def test_folds_of_a_run_pool_into_one_report(runs: RunOptions, tmp_path: Path) -> None:
    tables = []
    for fold in (1, 2):
        # The same network on two fifths of the patients: what is tested here is the pooling, not the learning.
        folder = evaluate(tagged(CANCER, runs, "a", fold=fold), out=tmp_path / str(fold), rounds=10)
        tables.append(folder / "predictions.csv")
    folder = pool(tables, tmp_path / "all", name="tiny-folds", results=tmp_path, rounds=10)
    report = json.loads((folder / "report.json").read_text())
    each = [json.loads((path.parent / "report.json").read_text())["counts"]["test"]["patients"] for path in tables]
    assert report["counts"]["test"]["patients"] == sum(each) and report["run"]["split"] == "2 folds, by patient"
    assert (tmp_path / "tiny-folds.json").is_file()
    with pytest.raises(ValueError, match="tested in more than one"):
        pool([tables[0], tables[0]], tmp_path / "twice", name="x")


def test_a_run_that_was_not_trained_says_so(runs: RunOptions) -> None:
    with pytest.raises(FileNotFoundError, match="train"):
        evaluate(tagged(CANCER, runs, "never"))


def test_pictures_of_why_show_right_wrong_and_unsure(runs: RunOptions, tmp_path: Path) -> None:
    paths = explain(tagged(LABELER, runs, "a"), count=2, head="density", saliency=True, out=tmp_path)
    kinds = {path.name.split("-")[1] for path in paths}
    assert kinds <= {"right", "wrong", "unsure"} and "unsure" in kinds and len(paths) <= 6
    assert all((picture := cv2.imread(str(path))) is not None and picture.std() > 5 for path in paths)
    with pytest.raises(ValueError, match=r"no head 'cancer'; it has: view, laterality, density"):
        explain(tagged(LABELER, runs, "a"), head="cancer")


def test_samples_are_chosen_by_confidence() -> None:
    scores, truth = np.array([[0.9], [0.8], [0.52], [0.3], [0.05]]), np.array([1, 0, 1, 0, 1])
    chosen = choose(scores, truth, 2)
    assert {kind: places.tolist() for kind, places in chosen.items()} == {"right": [0, 3], "wrong": [4, 1], "unsure": [2, 3]}


def test_a_loaded_network_is_the_one_that_was_trained(runs: RunOptions) -> None:
    one, two = (tagged(CANCER, runs, tag).network().state_dict() for tag in "ab")
    assert any(not torch.equal(one[name], two[name]) for name in one)
