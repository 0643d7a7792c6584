"""Commands that train: which experiments there are, one run, a learning curve."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Column, Table

from training.cli.entry import app
from training.cli.options import (
    DATA,
    RUNS,
    Backbone,
    Data,
    Datasets,
    Fold,
    Name,
    Patients,
    Rates,
    Runs,
    Shape,
    Split,
    Tag,
    find,
    make_setting,
)


@app.command("experiments")
def list_experiments(data: Data = DATA, only: Annotated[str, typer.Option(help="those whose name or paper holds this text")] = "") -> None:
    """List every row of the papers' tables: where it stands, what it needs, whether its data are below --data.

    [dim]python -m training experiments --only "Table 3"[/]
    """
    from training.experiments.catalogue import EXPERIMENTS, absent_datasets

    table = Table(Column("experiment", no_wrap=True), "paper", "task", "input", "epochs", "needs", "data", show_lines=True)
    for experiment in EXPERIMENTS.values():
        if only.lower() not in f"{experiment.name} {experiment.paper}".lower():
            continue
        absent = absent_datasets(experiment, data)
        table.add_row(
            experiment.name,
            experiment.paper,
            experiment.task,
            "x".join(map(str, experiment.shape)),
            "+".join(str(plan.epochs) for plan in experiment.plans),
            experiment.needs,
            f"[red]no {', '.join(absent)}" if absent else f"[green]{', '.join(experiment.datasets)}",
        )
    # Not a terminal: a fixed width, or names are cut where the output is piped to grep.
    (Console() if sys.stdout.isatty() else Console(width=200)).print(table)


@app.command("train")
def run_training(
    name: Name,
    data: Data = DATA,
    runs: Runs = RUNS,
    tag: Tag = "",
    datasets: Datasets = "",
    split: Split = None,
    fold: Fold = None,
    shape: Shape = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="of all stages together")] = None,
    rates: Rates = 1.0,
    batch: Annotated[int | None, typer.Option(min=1, help="samples of a forward pass, over all devices")] = None,
    accumulate: Annotated[int | None, typer.Option(min=1, help="batches averaged before each step")] = None,
    patience: Annotated[int | None, typer.Option(min=0, help="stop after this many epochs without a better tune part; 0: never")] = None,
    seed: Annotated[int, typer.Option(help="of the start, the order and the augmentation; never of the split")] = 0,
    patients: Patients = None,
    weights: Annotated[str, typer.Option(help="imagenet, random, a .safetensors file, or another run's folder")] = "imagenet",
    backbone: Backbone = None,
    precision: Annotated[Literal["bf16", "fp32"] | None, typer.Option(help="by default the experiment's (bf16)")] = None,
    deterministic: Annotated[bool, typer.Option("--deterministic", help="the same bits on every run of this machine")] = False,
    devices: Annotated[int, typer.Option(min=1, help="GPUs, or processes where there is none")] = 1,
    workers: Annotated[int | None, typer.Option(min=0, help="processes that load samples; by default 8 beside a GPU, else none")] = None,
) -> None:
    """Train an experiment. The same command goes on from the last epoch after a kill, to the same weights.

    [dim]python -m training train labels-view --weights random --epochs 12 --tag short[/]

    [dim]python -m training train cancer --fold 2 --shape 640x416 --batch 8 --accumulate 2 --tag fold2[/]

    [dim]tensorboard --logdir runs[/]
    """
    from training.stages.experiment import Start, train

    experiment = find(name, datasets)
    setting = replace(
        make_setting(data, runs, tag, shape),
        split=split, fold=fold, epochs=epochs, rates=rates, batch=batch, accumulate=accumulate, patience=patience, seed=seed,
        patients=patients, start=Start(weights, backbone), precision=precision, deterministic=deterministic, devices=devices,
        workers=workers,
    )  # fmt: skip
    folder = train(experiment, setting)
    if os.environ.get("LOCAL_RANK", "0") == "0":  # the other processes of --devices run this command too
        Console().print(f"trained: {folder}", soft_wrap=True)


@app.command("curve")
def run_curve(
    name: Name,
    patients: Annotated[str, typer.Option(help="numbers of training patients, like 25,50,100,all")],
    data: Data = DATA,
    runs: Runs = RUNS,
    tag: Tag = "",
    datasets: Datasets = "",
    split: Split = None,
    fold: Fold = None,
    shape: Shape = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="of all stages together, at every size")] = None,
    rates: Rates = 1.0,
    batch: Annotated[int | None, typer.Option(min=1, help="samples of a forward pass")] = None,
    seed: int = 0,
    weights: Annotated[str, typer.Option(help="imagenet, random, a .safetensors file, or another run's folder")] = "imagenet",
    backbone: Backbone = None,
    out: Annotated[Path | None, typer.Option(help="folder for NAME-curve.json and .png; RUNS by default")] = None,
) -> None:
    """How low can we go: train at several numbers of patients, test each on the same others, write JSON and a plot.

    [dim]python -m training curve labels-view --patients 25,50,100,all --epochs 10[/] (Yi et al. 2019)

    [dim]python -m training curve transfer-vgg-vgg --patients 20,30,40,50,60,all --weights runs/whole-vgg16-s10-vgg-256x1-128x1[/]
    (Shen et al. 2017, Table 4)
    """
    from training.experiments.curve import draw_curve, read_sizes
    from training.stages.experiment import Start

    setting = replace(
        make_setting(data, runs, tag, shape),
        split=split, fold=fold, epochs=epochs, rates=rates, batch=batch, seed=seed, start=Start(weights, backbone),
    )  # fmt: skip
    Console().print(f"curve: {draw_curve(find(name, datasets), setting, read_sizes(patients), out or runs)}", soft_wrap=True)
