"""Evaluate a run, several as one, or the folds of one: predictions.csv, report.json, report.md, report.html and PNG plots."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from training.evaluate.document import to_html, to_markdown
from training.evaluate.measure import compare_tables, measure
from training.evaluate.pages import make_pages
from training.evaluate.predictions import Predictions, read_predictions, write_predictions
from training.evaluate.predictions import pool as join_tables
from training.evaluate.provenance import describe_run, without_paths
from training.evaluate.results import write_result
from training.evaluate.running import predict_runs, sample_kind
from training.stages.run import Run
from training.stages.run_config import code_commit


def evaluate(
    run: Run,
    *,
    part: str = "test",
    flips: bool = False,
    average: Sequence[Run] = (),
    compare: Run | None = None,
    out: Path | None = None,
    results: Path | None = None,
    command: str = "",
    rounds: int = 1000,
) -> Path:
    """Measure a trained run.

    Parameters
    ----------
    run
        Its option ``precision`` is that of the answers too; fp32 by default, what the exported graph computes in.
    part
        ``test``, or ``validation`` while still choosing.
    flips
        Average over the picture and its three flips (Shen et al. 2017, augmented prediction).
    average
        Further runs whose probabilities are averaged with this one's.
    compare
        Another run: DeLong's test on the samples that both were tested on.
    out
        Folder of the report; ``report`` in the run's folder by default.
    results
        Folder that also gets NAME.json, what `results.render_results` makes docs/results.md from.
    rounds
        Bootstrap draws of an interval.

    Returns
    -------
    The folder of the report.

    Raises
    ------
    ValueError
        No sample in that part, runs that do not belong together, or flips that would change the answer.
    FileNotFoundError
        The run has no checkpoint: train it first.
    """
    parts = tuple(dict.fromkeys(("validation", part)))
    precision = run.options.precision or "fp32"
    table, samples = predict_runs([run, *average], parts, flips, precision=precision)
    suffix = ("-flips" if flips else "") + (f"-average{len(average) + 1}" if average else "")
    averaged = [each.name for each in (run, *average)] if average else []
    described = describe_run(run, command) | {"name": run.name + suffix, "flips": flips, "averaged": averaged}
    folder = out or run.folder / f"report{suffix}"
    comparison = None
    if compare is not None:
        other, _ = predict_runs([compare], parts, precision=precision)
        heads = compare_tables(table, other, sample_kind(run.experiment, samples), part, rounds)
        comparison = {"with": compare.name, "heads": heads}
    return _report(table, described, sample_kind(run.experiment, samples), part, comparison, folder, results, rounds)


def pool(
    tables: Sequence[Path],
    out: Path,
    *,
    name: str,
    compare: Sequence[Path] = (),
    results: Path | None = None,
    command: str = "",
    rounds: int = 1000,
) -> Path:
    """One report over the folds of an experiment, from the predictions.csv of each: every patient is tested once, by a network that never
    saw them.

    Thresholds and calibrations come from the validation parts of all folds together: each fold's own network, other patients.

    Raises
    ------
    ValueError
        A table is none, or the tables are no folds of one split.
    """
    table = join_tables([read_predictions(path) for path in tables])
    runs = [json.loads((path.parent / "report.json").read_text(encoding="utf-8")) for path in tables]
    first: dict[str, Any] = runs[0]
    run = first["run"] | {
        "name": name,
        "split": f"{len(tables)} folds, by patient",
        "epochs": max(each["run"]["epochs"] for each in runs),
        "seconds": sum(each["run"]["seconds"] or 0.0 for each in runs) or None,
        "command": without_paths(command),
        "commit": code_commit(),
    }
    comparison = None
    if compare:
        other = join_tables([read_predictions(path) for path in compare])
        comparison = {
            "with": ", ".join(path.parent.parent.name for path in compare),
            "heads": compare_tables(table, other, first["sample"], "test", rounds),
        }
    return _report(table, run, first["sample"], "test", comparison, out, results, rounds)


def _report(
    table: Predictions,
    run: dict[str, Any],
    sample: str,
    part: str,
    comparison: dict[str, Any] | None,
    folder: Path,
    results: Path | None,
    rounds: int,
) -> Path:
    report = {"run": run, **measure(table, sample, part, rounds)}
    if comparison:
        report["comparison"] = comparison
    folder.mkdir(parents=True, exist_ok=True)
    write_predictions(folder / "predictions.csv", table)
    (folder / "report.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    blocks = make_pages(report, table, folder, rounds)
    (folder / "report.md").write_text(to_markdown(blocks), encoding="utf-8")
    (folder / "report.html").write_text(to_html(blocks, folder, run["name"]), encoding="utf-8")
    if results is not None:
        write_result(results, report)
    return folder
