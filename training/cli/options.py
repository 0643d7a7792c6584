"""Options that several commands take, and what they mean: an experiment and a setting."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from training.stages.experiment import Experiment, Setting

# Torch loads in seconds and --help must not wait for it: commands import what they call.

Name = Annotated[str, typer.Argument(help="experiment, as `experiments` lists them", metavar="NAME")]
Data = Annotated[Path, typer.Option(help="folder that holds the data sets, one sub-folder each", envvar="MAMMOTRIAGE_TRAINING_DATA")]
Runs = Annotated[Path, typer.Option(help="folder of caches, checkpoints, logs and reports")]
Tag = Annotated[str, typer.Option(help="name of this run among those of its experiment: its folder is RUNS/NAME-TAG")]
Datasets = Annotated[str, typer.Option(help="other data sets than the experiment's: reader[:folder], several with commas")]
Split = Annotated[str | None, typer.Option(help="split file, or rule: 70/10/20, 80/10/10, 85/15, 5:1:1, k-fold (with --fold)")]
Fold = Annotated[int | None, typer.Option(help="1 to 5: test on that fifth of the patients")]
Shape = Annotated[str | None, typer.Option(help="input as ROWSxCOLUMNS, like 512x320")]
Rates = Annotated[float, typer.Option(help="factor on every learning rate, where fewer epochs than the paper's are run")]
Patients = Annotated[int | None, typer.Option(help="train on this many patients only")]
Part = Annotated[Literal["test", "tune"], typer.Option(help="which patients; tune while you still choose")]
Average = Annotated[list[str] | None, typer.Option(help="another run, NAME[:TAG], to average with; may be repeated")]
Flips = Annotated[bool, typer.Option("--flips", help="average over the picture and its three flips (Shen et al. 2017)")]
Backbone = Annotated[str | None, typer.Option(help="another one than the paper's, like resnet18")]
Out = Annotated[Path | None, typer.Option(help="folder for what is written; by default in the run's folder")]
DATA, RUNS = Path("../shared/data"), Path("runs")


def find(name: str, datasets: str = "") -> Experiment:
    from training.experiments.catalogue import find_experiment

    return find_experiment(name, [each.strip() for each in datasets.split(",") if each.strip()])


def make_setting(data: Path, runs: Path, tag: str = "", shape: str | None = None) -> Setting:
    from training.stages.experiment import Setting

    return Setting(data, runs, tag=tag, shape=read_shape(shape) if shape else None)


def recall_named(
    name: str,
    tag: str,
    data: Path,
    runs: Path,
    datasets: str = "",
    split: str | None = None,
    fold: int | None = None,
    shape: str | None = None,
    backbone: str | None = None,
) -> tuple[Experiment, Setting]:
    from training.stages.experiment import Start, recall

    setting = replace(make_setting(data, runs, tag, shape), split=split, fold=fold, start=Start(backbone=backbone))
    experiment, setting = recall(find(name), setting)
    return (replace(experiment, datasets=find(name, datasets).datasets) if datasets else experiment), setting


def recall_run(text: str, data: Path, runs: Path) -> tuple[Experiment, Setting]:
    name, _, tag = text.partition(":")
    return recall_named(name, tag, data, runs)


def tables_of(folds: Sequence[tuple[Experiment, Setting]]) -> list[Path]:
    from training.stages.experiment import run_folder

    return [run_folder(*fold) / "report" / "predictions.csv" for fold in folds]


def read_shape(text: str) -> tuple[int, int]:
    rows, _, columns = text.lower().partition("x")
    if not (rows.isdigit() and columns.isdigit() and int(rows) and int(columns)):
        raise ValueError(f"{text!r} is no size: write rows and columns as 512x320")
    return int(rows), int(columns)


def command_line() -> str:
    return shlex.join(["python", "-m", "training", *sys.argv[1:]])
