"""``python -m training``: from data to a served model. Every command is a thin call; ``--help`` of each shows examples."""

from __future__ import annotations

import logging
import os
import shlex
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Column, Table
from typer.core import TyperGroup

if TYPE_CHECKING:
    from training.stages.experiment import Experiment, Setting

# Torch loads in seconds and --help must not wait for it: commands import what they call.

OWN = ("models.", "training.")
"""An error of a class from here, or raised by code from here, says what to change: it is printed as a line, without a traceback."""


class Readable(TyperGroup):
    """Prints our own errors as one line and exits with 2."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            if ctx.params.get("traceback") or not _is_own(error):
                raise
            Console(stderr=True, soft_wrap=True).print(f"error: {error}", style="red", markup=False, highlight=False)
            raise typer.Exit(2) from None


def _is_own(error: Exception) -> bool:
    if type(error).__module__.startswith(OWN) or isinstance(error, OSError):
        return True
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    raised_in = str(trace.tb_frame.f_globals.get("__name__")) if trace else ""
    return isinstance(error, ValueError | KeyError) and raised_in.startswith(OWN)


app = typer.Typer(
    cls=Readable,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    help="Train the networks of four papers on mammograms, compare them, and put them where the service finds them.\n\n"
    "A first walk, on pictures that are made up (minutes on two cores):\n\n"
    "[bold]python -m training synthetic DATA/synthetic --patients 60[/]\n\n"
    "[bold]python -m training train labeler --data DATA --datasets synthetic --split 70/10/20 --weights random --epochs 4 --tag try[/]\n\n"
    "[bold]python -m training evaluate labeler --data DATA --tag try[/]\n\n"
    "`experiments` lists every row of the papers' tables, and what each needs.",
)

Name = Annotated[str, typer.Argument(help="experiment, as `experiments` lists them", metavar="NAME")]
Data = Annotated[Path, typer.Option(help="folder that holds the data sets, one sub-folder each", envvar="MAMMOTRIAGE_TRAINING_DATA")]
Runs = Annotated[Path, typer.Option(help="folder of caches, checkpoints, logs and reports")]
Tag = Annotated[str, typer.Option(help="name of this run among those of its experiment: its folder is RUNS/NAME-TAG")]
Datasets = Annotated[str, typer.Option(help="other data sets than the experiment's: reader[:folder], several with commas")]
Split = Annotated[str | None, typer.Option(help="split file, or rule: 70/10/20, 80/10/10, 85/15, 5:1:1, k-fold (with --fold)")]
Fold = Annotated[int | None, typer.Option(help="1 to 5: test on that fifth of the patients")]
Shape = Annotated[str | None, typer.Option(help="input as ROWSxCOLUMNS, like 512x320")]
Patients = Annotated[int | None, typer.Option(help="train on this many patients only")]
Part = Annotated[Literal["test", "tune"], typer.Option(help="which patients; tune while you still choose")]
Average = Annotated[list[str] | None, typer.Option(help="another run, NAME[:TAG], to average with; may be repeated")]
Flips = Annotated[bool, typer.Option("--flips", help="average over the picture and its three flips (Shen et al. 2017)")]
Backbone = Annotated[str | None, typer.Option(help="another one than the paper's, like resnet18")]
Out = Annotated[Path | None, typer.Option(help="folder for what is written; by default in the run's folder")]
DATA, RUNS = Path("../shared/data"), Path("runs")


@app.callback()
def configure(traceback: Annotated[bool, typer.Option("--traceback", help="show where an error came from")] = False) -> None:
    """Options of all commands."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")


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


@app.command("index")
def show_index(names: Annotated[list[str] | None, typer.Argument(help="reader[:folder]; all that are there by default")] = None,
               data: Data = DATA) -> None:  # fmt: skip
    """Count what the readers find, and say what they skipped.

    [dim]python -m training index cbis-ddsm:/archive/CBIS-DDSM[/]
    """
    from training.data.index import READERS, locate, summarise

    table = Table("data set", "images", "patients", "views", "sides", "density", "pathology", "lesions")
    for name in names or READERS:
        try:
            reader, folder = locate(data, name)
        except FileNotFoundError:
            if names:
                raise
            continue
        index = reader(folder)
        counts = [
            " ".join(f"{k or '-'}:{v}" for k, v in sorted(Counter(getattr(row, key) or "" for row in index.rows).items()))
            for key in ("view", "laterality", "density", "pathology")
        ]
        lesions = sum(len(row.rois) for row in index.rows)
        table.add_row(name, str(len(index.rows)), str(len({row.patient for row in index.rows})), *counts, str(lesions))
        for line in summarise(index.skipped):
            Console(stderr=True).print(f"{name}: {line}", style="yellow", markup=False, highlight=False)
    if not table.row_count:
        raise ValueError(f"no data set below {data}: name its folder with --data, or a set as reader:folder")
    (Console() if sys.stdout.isatty() else Console(width=160)).print(table)


@app.command("split")
def make_split(
    out: Annotated[Path, typer.Argument(help="CSV file to write; folds get -1 to -5 behind the name")],
    data: Data = DATA,
    datasets: Annotated[str, typer.Option(help="reader[:folder], several with commas")] = "rsna-bcd-640,mini-mias",
    rule: Annotated[str, typer.Option(help="70/10/20, 80/10/10, 85/15, 5:1:1, k-fold, ...")] = "72/8/20",
    seed: int = 20261121,
) -> None:
    """Deal the patients (never images) into train, tune and test, the same share of machines and cancers to each.

    [dim]python -m training split splits/own.csv --datasets table:/archive --rule 70/10/20[/]
    """
    from training.data.index import read_index
    from training.data.splits import k_folds, split_patients, write_split
    from training.stages.parts import FOLD_RULE, FOLDS

    rows = read_index(data, datasets.split(","))
    if rule == FOLD_RULE:
        for number, fold in enumerate(k_folds(rows, FOLDS, seed), start=1):
            write_split(out.with_name(f"{out.stem}-{number}{out.suffix}"), fold)
        return
    split = split_patients(rows, seed, rule)
    write_split(out, split)
    Console().print(", ".join(f"{count} patients {part}" for part, count in Counter(split.values()).items()))


@app.command("cache")
def build_crops(name: Name, data: Data = DATA, runs: Runs = RUNS, datasets: Datasets = "", shape: Shape = None) -> None:
    """Decode and cut an experiment's samples once, as `train` would do; a killed build goes on where it stopped."""
    experiment = _find(name, datasets)
    material = experiment.gather(experiment, _setting(data, runs, shape=shape))
    Console().print(f"{material.crops.shape[0]} samples of {'x'.join(map(str, material.crops.shape[1:]))}")


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

    experiment = _find(name, datasets)
    setting = replace(
        _setting(data, runs, tag, shape),
        split=split, fold=fold, epochs=epochs, batch=batch, accumulate=accumulate, patience=patience, seed=seed, patients=patients,
        start=Start(weights, backbone), precision=precision, deterministic=deterministic, devices=devices, workers=workers,
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
        _setting(data, runs, tag, shape), split=split, fold=fold, epochs=epochs, batch=batch, seed=seed, start=Start(weights, backbone)
    )
    Console().print(f"curve: {draw_curve(_find(name, datasets), setting, read_sizes(patients), out or runs)}", soft_wrap=True)


@app.command("evaluate")
def run_evaluation(
    name: Name,
    data: Data = DATA,
    runs: Runs = RUNS,
    tag: Tag = "",
    datasets: Datasets = "",
    split: Split = None,
    fold: Fold = None,
    shape: Shape = None,
    backbone: Backbone = None,
    part: Part = "test",
    flips: Flips = False,
    average: Average = None,
    compare: Annotated[list[str] | None, typer.Option(help="run, NAME[:TAG], to test against with DeLong; with --pool its folds")] = None,
    pool: Annotated[list[str] | None, typer.Option(help="tags of further folds, evaluated before: one report over all of them")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="bootstrap draws of an interval")] = 1000,
    precision: Annotated[Literal["bf16", "fp32"], typer.Option(help="fp32 is what the exported graph computes in")] = "fp32",
    report: Annotated[Path | None, typer.Option(help="folder of the report; in the run's folder by default")] = None,
    out: Annotated[Path | None, typer.Option(help="also keep the figures there for `results`, like docs/results")] = None,
) -> None:
    """Measure a run on patients that it never saw: report.json, report.md, report.html, plots and predictions.csv.

    The run remembers its data, split, size and backbone; what is given here counts more (another data set, say).

    [dim]python -m training evaluate labels-laterality --compare labels-laterality-flips[/]

    [dim]python -m training evaluate cancer --tag seed0 --average cancer:seed1 --average cancer:seed2 --flips[/]

    [dim]python -m training evaluate cancer --tag fold1 --pool fold2 --pool fold3 --pool fold4 --pool fold5[/]
    """
    from training.evaluate.evaluation import evaluate
    from training.evaluate.evaluation import pool as pool_folds

    run = _recall(name, tag, data, runs, datasets, split, fold, shape, backbone)
    others = [_recall_run(text, data, runs) for text in average or ()]
    rivals = [_recall_run(text, data, runs) for text in compare or ()]
    if pool:
        folds = [run, *(_recall(name, other, data, runs) for other in pool)]
        folder = pool_folds(
            _tables(folds), report or runs / f"{name}-folds", name=f"{name}-folds", compare=_tables(rivals), results=out,
            command=_command(), rounds=rounds,
        )  # fmt: skip
    else:
        if len(rivals) > 1:
            raise ValueError("--compare takes one run; several only with --pool, the folds of one other experiment")
        folder = evaluate(
            *run, part=part, flips=flips, average=others, compare=rivals[0] if rivals else None, out=report, results=out,
            command=_command(), rounds=rounds, precision=precision,
        )  # fmt: skip
    Console().print(f"report: {folder / 'report.html'}", soft_wrap=True)


@app.command("explain")
def run_explain(
    name: Name,
    data: Data = DATA,
    runs: Runs = RUNS,
    tag: Tag = "",
    datasets: Datasets = "",
    split: Split = None,
    fold: Fold = None,
    shape: Shape = None,
    backbone: Backbone = None,
    part: Part = "test",
    count: Annotated[int, typer.Option(min=1, help="pictures of each kind: right, wrong, unsure")] = 4,
    head: Annotated[str | None, typer.Option(help="which question; the first by default")] = None,
    saliency: Annotated[bool, typer.Option("--saliency", help="the gradient beside the map (Levy & Jain 2016)")] = False,
    out: Out = None,
) -> None:
    """Draw where a network looked, for answers that were right, wrong and unsure.

    [dim]python -m training explain labels-view --count 6[/]
    """
    from training.evaluate.explain import explain

    experiment, setting = _recall(name, tag, data, runs, datasets, split, fold, shape, backbone)
    for path in explain(experiment, setting, part=part, count=count, head=head, saliency=saliency, out=out):
        Console().print(str(path), soft_wrap=True)


@app.command("export")
def run_export(
    name: Name,
    path: Annotated[Path, typer.Argument(help="ONNX file to write")],
    data: Data = DATA,
    runs: Runs = RUNS,
    tag: Tag = "",
    datasets: Datasets = "",
    split: Split = None,
    fold: Fold = None,
    shape: Shape = None,
    backbone: Backbone = None,
    storage: Annotated[Literal["fp32", "fp16", "int8"], typer.Option(help="of the weights")] = "fp16",
    average: Average = None,
    flips: Flips = False,
    dynamic_size: Annotated[bool, typer.Option("--dynamic-size", help="take pictures of any size, where the network can")] = False,
) -> None:
    """Write a run, or the average of several, as one ONNX graph with scores and maps, and compare it with torch on real images.

    [dim]python -m training export cancer model.onnx --tag seed0 --average cancer:seed1 --storage int8[/]
    """
    from training.export.exporting import export_run

    experiment, setting = _recall(name, tag, data, runs, datasets, split, fold, shape, backbone)
    done = export_run(
        experiment, setting, path, storage=storage, average=[_recall_run(text, data, runs) for text in average or ()], flips=flips,
        dynamic_size=dynamic_size,
    )  # fmt: skip
    Console().print(str(done), soft_wrap=True, markup=False)


@app.command("publish")
def run_publish(
    name: Name,
    version: Annotated[str, typer.Option(help="version in the zoo, like 1.0.0")],
    data: Data = DATA,
    runs: Runs = RUNS,
    tag: Tag = "",
    datasets: Datasets = "",
    split: Split = None,
    fold: Fold = None,
    shape: Shape = None,
    backbone: Backbone = None,
    zoo: Annotated[Path | None, typer.Option(help="folder of models; the packaged zoo by default")] = None,
    model: Annotated[str | None, typer.Option(help="name of the model; mammotriage-NAME by default")] = None,
    storage: Annotated[
        Literal["fp32", "fp16", "int8"], typer.Option(help="of the weights; what each costs in AUC is on the card")
    ] = "fp16",
    average: Average = None,
    flips: Flips = False,
    calibration: Annotated[
        Literal["none", "platt", "temperature", "isotonic"], typer.Option(help="fitted on the tune part, of a cancer model")
    ] = "platt",
    card: Annotated[Path | None, typer.Option(help="TOML with licence and limits, for other data than ours")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="bootstrap draws of an interval")] = 1000,
) -> None:
    """Put a run into the zoo: graph, manifest and card. Refused where parity, contract or card do not hold.

    [dim]python -m training publish cancer --version 2.0.0 --tag seed0 --average cancer:seed1[/]
    """
    from models.registry import ZOO
    from training.export.publish import describe, publish, read_card_text

    experiment, setting = _recall(name, tag, data, runs, datasets, split, fold, shape, backbone)
    folder = publish(
        experiment, setting, version, zoo=zoo or ZOO, storage=storage, average=[_recall_run(text, data, runs) for text in average or ()],
        flips=flips, calibration=calibration, name=model, card=read_card_text(card) if card else None, command=_command(), rounds=rounds,
    )  # fmt: skip
    Console().print_json(describe(folder))


@app.command("results")
def render(
    folder: Annotated[Path, typer.Option(help="what `evaluate --out` wrote")] = Path("docs/results"),
    page: Annotated[Path, typer.Option(help="file to write")] = Path("docs/results.md"),
) -> None:
    """Render the page of results from the kept figures: nothing on it is typed by hand."""
    from training.evaluate.results import render_results

    render_results(folder, page)


@app.command("synthetic")
def make_synthetic(
    out: Annotated[Path, typer.Argument(help="folder to write; reader `synthetic` reads it")],
    patients: Annotated[int, typer.Option(min=1, help="four pictures each")] = 60,
    seed: int = 0,
    size: Annotated[str, typer.Option(help="ROWSxCOLUMNS")] = "640x512",
    dicom: Annotated[bool, typer.Option("--dicom", help="DICOM as a hospital sends it, instead of PNG")] = False,
    layout: Annotated[
        Literal["synthetic", "cbis-ddsm"], typer.Option(help="cbis-ddsm: films, crops, masks and tables as TCIA hands them out")
    ] = "synthetic",
) -> None:
    """Make up mammograms with known labels and lesions, to try everything without any data.

    [dim]python -m training synthetic DATA/synthetic --patients 60[/]

    [dim]python -m training synthetic DATA/cbis-ddsm --layout cbis-ddsm[/]
    """
    from training.data.synthetic import write_synthetic
    from training.data.synthetic_cbis import write_synthetic_cbis

    rows, columns = _shape(size)
    if layout == "cbis-ddsm":
        write_synthetic_cbis(out, patients, seed, (rows, columns))
    else:
        write_synthetic(out, patients, seed, (rows, columns), dicom)


def _find(name: str, datasets: str = "") -> Experiment:
    from training.experiments.catalogue import find_experiment

    return find_experiment(name, [each.strip() for each in datasets.split(",") if each.strip()])


def _setting(data: Path, runs: Path, tag: str = "", shape: str | None = None) -> Setting:
    from training.stages.experiment import Setting

    return Setting(data, runs, tag=tag, shape=_shape(shape) if shape else None)


def _recall(
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

    setting = replace(_setting(data, runs, tag, shape), split=split, fold=fold, start=Start(backbone=backbone))
    experiment, setting = recall(_find(name), setting)
    return (replace(experiment, datasets=_find(name, datasets).datasets) if datasets else experiment), setting


def _recall_run(text: str, data: Path, runs: Path) -> tuple[Experiment, Setting]:
    name, _, tag = text.partition(":")
    return _recall(name, tag, data, runs)


def _tables(folds: Sequence[tuple[Experiment, Setting]]) -> list[Path]:
    from training.stages.experiment import run_folder

    return [run_folder(*fold) / "report" / "predictions.csv" for fold in folds]


def _shape(text: str) -> tuple[int, int]:
    rows, _, columns = text.lower().partition("x")
    if not (rows.isdigit() and columns.isdigit() and int(rows) and int(columns)):
        raise ValueError(f"{text!r} is no size: write rows and columns as 512x320")
    return int(rows), int(columns)


def _command() -> str:
    return shlex.join(["python", "-m", "training", *sys.argv[1:]])
