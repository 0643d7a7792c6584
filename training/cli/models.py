"""Commands on trained runs: measure, look, write as a graph, publish, render the page of results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from training.cli.entry import app
from training.cli.options import TRAINED_KEYS, Average, Chosen, Flips, Part, Rounds, command_line, takes_run

Storage = Annotated[Literal["fp32", "fp16", "int8"], typer.Option(help="of the weights; what each costs in AUC is on the card")]


@app.command("evaluate")
@takes_run(*TRAINED_KEYS)
def run_evaluation(
    chosen: Chosen,
    part: Part = "test",
    flips: Flips = False,
    average: Average = None,
    compare: Annotated[list[str] | None, typer.Option(help="run, NAME[:TAG], to test against with DeLong; with --pool its folds")] = None,
    pool: Annotated[list[str] | None, typer.Option(help="tags of further folds, evaluated before: one report over all of them")] = None,
    rounds: Rounds = 1000,
    report: Annotated[Path | None, typer.Option(help="folder of the report; in the run's folder by default")] = None,
    out: Annotated[Path | None, typer.Option(help="also keep the figures there for `results`, like docs/results")] = None,
) -> None:
    """Measure a run on patients that it never saw: report.json, report.md, report.html, plots and predictions.csv.

    The run remembers its data, split, size and backbone; an option given here replaces what it remembers (another data set, say).

    [dim]python -m training evaluate labels-laterality --compare labels-laterality-flips[/]

    [dim]python -m training evaluate cancer --tag seed0 --average cancer:seed1 --average cancer:seed2 --flips[/]

    [dim]python -m training evaluate cancer --tag fold1 --pool fold2 --pool fold3 --pool fold4 --pool fold5[/]
    """
    from training.evaluate.evaluation import evaluate
    from training.evaluate.evaluation import pool as pool_folds

    run, others, rivals = chosen.trained_run(), chosen.others(average), chosen.others(compare)
    if pool:
        folds = [run, *map(chosen.sibling, pool)]
        name = f"{run.experiment.name}-folds"
        folder = pool_folds(
            [each.predictions for each in folds], report or chosen.runs / name, name=name,
            compare=[each.predictions for each in rivals], results=out, command=command_line(), rounds=rounds,
        )  # fmt: skip
    else:
        if len(rivals) > 1:
            raise ValueError("--compare takes one run; several only with --pool, the folds of one other experiment")
        folder = evaluate(
            run, part=part, flips=flips, average=others, compare=rivals[0] if rivals else None, out=report, results=out,
            command=command_line(), rounds=rounds,
        )  # fmt: skip
    Console().print(f"report: {folder / 'report.html'}", soft_wrap=True)


@app.command("explain")
@takes_run("split", "fold", "shape", "backbone")
def run_explain(
    chosen: Chosen,
    part: Part = "test",
    count: Annotated[int, typer.Option(min=1, help="pictures of each kind: right, wrong, unsure")] = 4,
    head: Annotated[str | None, typer.Option(help="which question; the first by default")] = None,
    saliency: Annotated[bool, typer.Option("--saliency", help="the gradient beside the map (Levy & Jain 2016)")] = False,
    out: Annotated[Path | None, typer.Option(help="folder for the pictures; by default in the run's folder")] = None,
) -> None:
    """Draw where a network looked, for answers that were right, wrong and unsure.

    [dim]python -m training explain labels-view --count 6[/]
    """
    from training.evaluate.explain import explain

    for path in explain(chosen.trained_run(), part=part, count=count, head=head, saliency=saliency, out=out):
        Console().print(str(path), soft_wrap=True)


@app.command("export")
@takes_run("split", "fold", "shape", "backbone")
def run_export(
    chosen: Chosen,
    path: Annotated[Path, typer.Argument(help="ONNX file to write")],
    storage: Storage = "fp16",
    average: Average = None,
    flips: Flips = False,
    dynamic_size: Annotated[bool, typer.Option("--dynamic-size", help="take pictures of any size, where the network can")] = False,
) -> None:
    """Write a run, or the average of several, as one ONNX graph with scores and maps, and compare it with torch on real images.

    [dim]python -m training export cancer model.onnx --tag seed0 --average cancer:seed1 --storage int8[/]
    """
    from training.export.exporting import export_run

    done = export_run(
        chosen.trained_run(), path, storage=storage, average=chosen.others(average), flips=flips, dynamic_size=dynamic_size
    )  # fmt: skip
    Console().print(str(done), soft_wrap=True, markup=False)


@app.command("publish")
@takes_run("split", "fold", "shape", "backbone")
def run_publish(
    chosen: Chosen,
    version: Annotated[str, typer.Option(help="version in the zoo, like 1.0.0")],
    zoo: Annotated[Path | None, typer.Option(help="folder of models; the packaged zoo by default")] = None,
    model: Annotated[str | None, typer.Option(help="name of the model; mammotriage-NAME by default")] = None,
    storage: Storage = "fp16",
    average: Average = None,
    flips: Flips = False,
    calibration: Annotated[
        Literal["none", "platt", "temperature", "isotonic"], typer.Option(help="fitted on the validation part, of a cancer model")
    ] = "platt",
    card: Annotated[Path | None, typer.Option(help="TOML with licence and limits, for other data than ours")] = None,
    rounds: Rounds = 1000,
) -> None:
    """Put a run into the zoo: graph, manifest and card. Refused where parity, contract or card do not hold.

    [dim]python -m training publish cancer --version 2.0.0 --tag seed0 --average cancer:seed1[/]
    """
    from models.registry import ZOO
    from training.export.card import read_card_text
    from training.export.publish import PublishOptions, publish, show_metrics

    options = PublishOptions(
        version, zoo=zoo or ZOO, name=model, storage=storage, average=chosen.others(average), flips=flips, calibration=calibration,
        card=read_card_text(card) if card else None, command=command_line(), rounds=rounds,
    )  # fmt: skip
    Console().print_json(show_metrics(publish(chosen.trained_run(), options)))


@app.command("soup")
@takes_run()
def run_soup(
    chosen: Chosen,
    others: Annotated[list[str], typer.Option("--with", help="tag of a further run of the same experiment; may be repeated")],
    into: Annotated[str, typer.Option(help="tag of the new run")],
) -> None:
    """Average the weights (not the answers) of runs that continued from one another: often as good as their average, at the cost of one.

    [dim]python -m training soup cancer --with b --with c --into soup[/] (Wortsman et al. 2022)
    """
    from training.stages.soup import make_soup

    soup = make_soup([chosen.trained_run(), *map(chosen.sibling, others)], into)
    Console().print(f"soup: {soup.folder}", soft_wrap=True)


@app.command("results")
def render(
    folder: Annotated[Path, typer.Option(help="what `evaluate --out` wrote")] = Path("docs/results"),
    page: Annotated[Path, typer.Option(help="file to write")] = Path("docs/results.md"),
) -> None:
    """Render the page of results from the kept figures: nothing on it is typed by hand."""
    from training.evaluate.results import render_results

    render_results(folder, page)
