"""``python -m training``: index, train, publish. Everything else of an experiment is its code."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from training.data.index import READERS, read_index
from training.data.splits import split_patients, write_split
from training.experiments.zoo import EXPERIMENTS
from training.export.publish import describe, publish
from training.stages.experiment import Experiment, gather, train

app = typer.Typer(help="Train the networks of mammotriage on public data and publish them to the zoo.", no_args_is_help=True)
Data = Annotated[Path, typer.Option(help="folder that holds the data sets, one sub-folder each", envvar="MAMMOTRIAGE_TRAINING_DATA")]
Runs = Annotated[Path, typer.Option(help="folder for crops, checkpoints and logs; a killed run resumes from it")]
Name = Annotated[str, typer.Argument(help="experiment: " + ", ".join(EXPERIMENTS))]


@app.command("experiments")
def list_experiments() -> None:
    """List the experiments and what they need."""
    table = Table("experiment", "data sets", "input", "epochs", "batch")
    for experiment in EXPERIMENTS.values():
        rows, columns = experiment.shape
        table.add_row(
            experiment.name,
            ", ".join(experiment.datasets),
            f"{rows}x{columns}",
            "+".join(str(plan.epochs) for plan in experiment.plans),
            str(experiment.plans[0].batch),
        )
    Console().print(table)


@app.command("index")
def show_index(data: Data = Path("../shared/data")) -> None:
    """Count what the readers find."""
    table = Table("data set", "images", "patients", "views", "sides", "density", "malignant")
    for name in READERS:
        try:
            rows = read_index(data, [name])
        except FileNotFoundError as error:
            Console(stderr=True).print(f"[yellow]{error}")
            continue
        counts = [
            " ".join(f"{k or '-'}:{v}" for k, v in sorted(Counter(getattr(r, key) or "" for r in rows).items()))
            for key in ("view", "laterality", "density")
        ]
        table.add_row(name, str(len(rows)), str(len({row.patient for row in rows})), *counts, str(sum(bool(row.malignant) for row in rows)))
    Console().print(table)


@app.command("split")
def make_split(
    out: Annotated[Path, typer.Argument(help="file to write")], data: Data = Path("../shared/data"), seed: int = 20261121
) -> None:
    """Split the patients of all sets into train, tune and test, and write ``patient,part`` lines."""
    write_split(out, split_patients(read_index(data, READERS), seed))


@app.command("cache")
def build_crops(name: Name, data: Data = Path("../shared/data"), runs: Runs = Path("runs")) -> None:
    """Decode and crop an experiment's images once."""
    Console().print(gather(_experiment(name), data, runs).crops.shape)


@app.command("train")
def run_training(name: Name, data: Data = Path("../shared/data"), runs: Runs = Path("runs")) -> None:
    """Train an experiment; run again to resume after a kill."""
    train(_experiment(name), data, runs)


@app.command("publish")
def run_publish(
    name: Name,
    version: Annotated[str, typer.Option(help="version in the zoo, like 1.0.0")],
    data: Data = Path("../shared/data"),
    runs: Runs = Path("runs"),
) -> None:
    """Export to ONNX, measure on held-out patients, write manifest and card into models/zoo."""
    folder = publish(_experiment(name), version, data, runs)
    Console().print_json(describe(folder))


def _experiment(name: str) -> Experiment:
    if name not in EXPERIMENTS:
        raise typer.BadParameter(f"no experiment {name!r}; there are: {', '.join(EXPERIMENTS)}")
    return EXPERIMENTS[name]
