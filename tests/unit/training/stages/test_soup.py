"""One network from the weights of several: it is their mean, it says so, and it is a run like any other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.support.tiny_experiments import CANCER, make_runs
from training.errors import NotTrained, RunDiffers
from training.evaluate.provenance import describe_run
from training.stages.options import RunOptions
from training.stages.run import Run, load_run
from training.stages.soup import make_soup
from training.stages.train import train


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> RunOptions:
    return make_runs(tmp_path_factory.mktemp("soup"))


def tagged(made: RunOptions, tag: str) -> Run:
    return Run(CANCER, replace(made, tag=tag))


def test_a_soup_is_the_mean_of_its_runs_and_names_them(made: RunOptions) -> None:
    runs = [tagged(made, "a"), tagged(made, "b")]
    make_soup(runs, "soup")
    soup = load_run(CANCER, replace(made, tag="soup"))
    first, second, mean = (each.network().state_dict() for each in (*runs, soup))
    assert all(torch.allclose(mean[name], (first[name] + second[name]) / 2) for name in mean)
    described = describe_run(soup)
    assert (soup.folder.name, described["soup"], described["epochs"]) == ("tiny-cancer-soup", ["tiny-cancer-a", "tiny-cancer-b"], 4)
    assert describe_run(runs[0])["soup"] == []


def test_what_cannot_be_mixed_is_refused(made: RunOptions, tmp_path: Path) -> None:
    a = tagged(made, "a")
    other = Run(CANCER, replace(made, tag="other", fold=2, weights="random"))
    train(other)
    with pytest.raises(RunDiffers, match=r"tiny-cancer-other and tiny-cancer-a differ in split_file"):
        make_soup([a, other], "mixed")
    with pytest.raises(RunDiffers, match="holds a run already"):
        make_soup([a, tagged(made, "b")], "b")
    with pytest.raises(ValueError, match="two runs or more"):
        make_soup([a], "alone")
    with pytest.raises(NotTrained):
        make_soup([a, tagged(made, "nothing")], "none")
