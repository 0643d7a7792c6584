"""Synthetic sets for the four systems, drawn once, and experiments that a minute is enough for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.e2e.training.walk import Walk
from training.data.synthetic import write_synthetic
from training.data.synthetic_patients import Finding
from training.experiments.catalogue import EXPERIMENTS
from training.stages.plan import Plan

SIZE = (320, 256)

Quick = Callable[..., Walk]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small networks gain little from a second thread, and on a busy machine its waiting costs more than the work (measured: 20 times)."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def all_findings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data folder with a set of 30 patients who have whatever the generator knows."""
    folder = tmp_path_factory.mktemp("all-findings")
    write_synthetic(folder / "synthetic", 30, seed=1, size=SIZE)
    return folder


@pytest.fixture(scope="session")
def masses_only(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data folder with 32 patients, each with a malignant or a benign mass."""
    folder = tmp_path_factory.mktemp("masses")
    write_synthetic(folder / "synthetic", 32, seed=2, size=SIZE, findings=(("mass", "malignant"), ("mass", "benign")))
    return folder


@pytest.fixture(scope="session")
def cancer_or_normal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data folder with 72 patients, every other with a large malignant mass and the rest healthy: what DIB-MG distinguishes."""
    folder = tmp_path_factory.mktemp("cancer-or-normal")
    findings: tuple[Finding | None, ...] = (("mass", "malignant"), None)
    write_synthetic(folder / "synthetic", 72, seed=3, size=SIZE, findings=findings, radii=(0.07, 0.1))
    return folder


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Quick:
    """Put an experiment with a plan of a minute in the place of the paper's, whose network, loss and samples stay."""

    def make(name: str, data: Path, *plans: Plan, split: str = "70/10/20", tag: str = "quick") -> Walk:
        experiment = replace(EXPERIMENTS[name], datasets=("synthetic",), plans=plans, split=split)
        monkeypatch.setitem(EXPERIMENTS, name, experiment)
        return Walk(experiment, data, tmp_path / "runs", tag)

    return make
