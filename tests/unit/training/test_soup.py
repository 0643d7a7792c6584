"""One network from the weights of several: it is their mean, it says so, and it is a run like any other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.unit.training.tiny_runs import CANCER, make_runs
from training.evaluate.provenance import describe_run
from training.stages.errors import NotTrained, RunDiffers
from training.stages.experiment import Setting, Start, load_network, recall, train
from training.stages.soup import make_soup


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    return make_runs(tmp_path_factory.mktemp("soup"))


def tagged(made: Setting, tag: str) -> Setting:
    return replace(made, tag=tag)


def test_a_soup_is_the_mean_of_its_runs_and_names_them(made: Setting) -> None:
    runs = [tagged(made, "a"), tagged(made, "b")]
    folder = make_soup(CANCER, runs, "soup")
    experiment, soup = recall(CANCER, tagged(made, "soup"))
    first, second, mean = (load_network(CANCER, each).state_dict() for each in (*runs, soup))
    assert all(torch.allclose(mean[name], (first[name] + second[name]) / 2) for name in mean)
    told = describe_run(experiment, soup)
    assert (folder.name, told["soup"], told["epochs"]) == ("tiny-cancer-soup", ["tiny-cancer-a", "tiny-cancer-b"], 4)
    assert describe_run(CANCER, runs[0])["soup"] == []


def test_what_cannot_be_mixed_is_refused(made: Setting, tmp_path: Path) -> None:
    a = tagged(made, "a")
    other = replace(made, tag="other", fold=2, start=Start("random"))
    train(CANCER, other)
    with pytest.raises(RunDiffers, match=r"tiny-cancer-other and tiny-cancer-a differ in split_file"):
        make_soup(CANCER, [a, other], "mixed")
    with pytest.raises(RunDiffers, match="holds a run already"):
        make_soup(CANCER, [a, tagged(made, "b")], "b")
    with pytest.raises(ValueError, match="two runs or more"):
        make_soup(CANCER, [a], "alone")
    with pytest.raises(NotTrained):
        make_soup(CANCER, [a, tagged(made, "nothing")], "none")
