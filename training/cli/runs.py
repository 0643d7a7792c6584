"""Commands that train: which experiments there are, one run, a learning curve."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from training.cli.entry import app
from training.cli.options import DATA, TRAINING_KEYS, Chosen, Data, takes_run


@app.command("experiments")
def list_experiments(data: Data = DATA, only: Annotated[str, typer.Option(help="those whose name or paper holds this text")] = "") -> None:
    """List every row of the papers' tables: its place in the paper, what it needs, whether its data are below --data.

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
@takes_run(*TRAINING_KEYS)
def run_training(chosen: Chosen) -> None:
    """Train an experiment. The same command continues from the last epoch after a kill, to the same weights.

    [dim]python -m training train labels-view --weights random --epochs 12 --tag short[/]

    [dim]python -m training train cancer --shape 640x416 --batch 8 --set accumulate=2 --set fold=2 --tag fold2[/]

    [dim]python -m training train my_experiment.py --tag first[/] (a file that defines EXPERIMENT)

    [dim]tensorboard --logdir runs[/]
    """
    from training.stages.train import train

    folder = train(chosen.new_run())
    if os.environ.get("LOCAL_RANK", "0") == "0":  # the other processes of --devices run this command too
        Console().print(f"trained: {folder}", soft_wrap=True)


@app.command("curve")
@takes_run(*(key for key in TRAINING_KEYS if key != "patients"))
def run_curve(
    chosen: Chosen,
    patients: Annotated[str, typer.Option(help="numbers of training patients, like 25,50,100,all")],
    out: Annotated[Path | None, typer.Option(help="folder for NAME-curve.json and .png; RUNS by default")] = None,
) -> None:
    """How low can we go: train at several numbers of patients, test each on the same others, write JSON and a plot.

    [dim]python -m training curve labels-view --patients 25,50,100,all --epochs 10[/] (Yi et al. 2019)

    [dim]python -m training curve transfer-vgg-vgg --patients 20,30,40,50,60,all --weights runs/whole-vgg16-s10-vgg-256x1-128x1[/]
    (Shen et al. 2017, Table 4)
    """
    from training.experiments.curve import draw_curve, read_sizes

    Console().print(f"curve: {draw_curve(chosen.new_run(), read_sizes(patients), out or chosen.runs)}", soft_wrap=True)
