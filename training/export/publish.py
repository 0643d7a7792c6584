"""From a finished run to the zoo: export, measure the exported graph, calibrate, write manifest and card. Refuses what does not hold."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.manifest import Calibration, Manifest, Output
from models.preprocessing.recipe import find_recipe
from models.registry import ZOO, sha256_of
from training.data.pictures import read_picture
from training.evaluate.levels import cancer_levels, scored
from training.evaluate.measure import measure
from training.evaluate.predictions import Predictions, name_cases
from training.evaluate.provenance import dataset_names, read_logs, soup_of, without_paths
from training.evaluate.running import Run, sample_kind, without_pixels
from training.export.calibrating import calibrated, fit_calibration
from training.export.card import CardText, check_card, read_card_text, write_card
from training.export.condensed import condense
from training.export.contract import check_contract, check_probabilities
from training.export.exporting import Exported, export_run, served_material, spread
from training.export.onnx_graph import OPSET
from training.export.refusals import ParityBroken, VersionTaken
from training.export.sessions import score
from training.metrics.calibration import calibration_error
from training.metrics.points import youden_point
from training.metrics.ranking import auc
from training.stages.experiment import Experiment, Material, Setting, run_folder

__all__ = ["CardText", "describe", "publish", "read_card_text"]

LARGEST_DIFFERENCE = {"fp32": 0.001, "fp16": 0.01, "int8": 0.15}
"""A stored graph may differ from torch by this much in any probability; more is a broken export. For int8 its cost in AUC says more."""

LEAST_CONFIDENCE = 0.85
"""Below it a label is UNKNOWN. Not chosen by accuracy on the tune part: outside machine 49 the labeler disagrees there with 5 of 138 view
labels, at least one of them wrong (it says CC and shows a burned-in "L MLO"), so every threshold would come out as the highest tried."""

CONTRACT_PICTURES = 3


def publish(
    experiment: Experiment,
    setting: Setting,
    version: str,
    *,
    zoo: Path = ZOO,
    storage: str = "fp16",
    costs: Sequence[str] = ("fp32", "fp16", "int8"),
    average: Sequence[Run] = (),
    flips: bool = False,
    calibration: str = "platt",
    name: str | None = None,
    card: CardText | None = None,
    command: str = "",
    rounds: int = 1000,
) -> Path:
    """Put a trained run into a zoo.

    Everything is written to a folder beside the models and moved into place at the end; a refusal leaves nothing behind.

    Parameters
    ----------
    costs
        Storages whose cost in AUC or accuracy is measured on the test part; manifest and card tell it. The chosen one always is.
    average, flips
        Further runs, and augmented prediction, inside the one graph.
    calibration
        ``none``, ``platt``, ``temperature`` or ``isotonic``; fitted on the tune part's images, for a cancer model alone.
    name
        Of the model; ``mammotriage-EXPERIMENT`` by default.
    card
        What the card says beside the figures; by default the text for the task in cards.toml.

    Returns
    -------
    The model's folder.

    Raises
    ------
    PublishRefused
        `ParityBroken`, `ContractBroken`, `CardIncomplete` or `VersionTaken`.
    training.stages.errors.NotTrained
        The run has no checkpoint.
    ValueError
        Runs that do not fit together, a version that is none, or a tune part on which nothing can be calibrated.
    """
    name = name or f"mammotriage-{experiment.name}"
    target = zoo / name / version
    if target.exists():
        raise VersionTaken(f"{name} {version} is in the zoo already, and a published model never changes: give a higher --version")
    text = card or read_card_text(task=experiment.task)
    material = served_material(experiment, setting)
    zoo.mkdir(parents=True, exist_ok=True)
    desk = Path(tempfile.mkdtemp(prefix=".publish-", dir=zoo))
    try:
        folder = desk / name / version
        folder.mkdir(parents=True)
        plain = export_run(experiment, setting, desk / "plain.onnx", storage="fp32", average=average, flips=flips, material=material)
        done = export_run(
            experiment, setting, folder / "model.onnx", storage=storage, average=average, flips=flips, material=material, plain=plain.path
        )  # fmt: skip
        allowed = LARGEST_DIFFERENCE[storage]
        if done.difference > allowed:
            raise ParityBroken(
                f"largest difference {done.difference:.4f} from torch on {done.pictures} real images, allowed {allowed} "
                f"for {storage}: store it as fp32, or look at the graph"
            )
        table = _predict(experiment, material, done.path)
        for head, scores in table.scores.items():
            check_probabilities(head, scores)
        fitted = fit_calibration(table, calibration) if experiment.task == "cancer" else Calibration()
        metrics = {
            "parity_max_difference": round(done.difference, 6),
            "parity_pictures": done.pictures,
            "epochs": read_logs(experiment, setting)[0],
            "samples": {part: int(material.where(part).size) for part in ("train", "tune", "test")},
            "measured_on": dataset_names(experiment)[0],
            "soup": soup_of(experiment, setting),
            "averaged": [run_folder(*run).name for run in ((experiment, setting), *average)] if average else [],
            "flips": flips,
            **condense(measure(table, sample_kind(experiment, material), rounds=rounds)),
            **_calibration_errors(table, fitted),
            "storage_costs": _costs(experiment, setting, material, done, table, tuple(costs), average, flips, plain),
        }
        manifest = Manifest(
            name=name, version=version, task=experiment.task, recipe=experiment.recipe, rows=experiment.input_shape(setting)[0],
            columns=experiment.input_shape(setting)[1],
            outputs={head: Output(output=head, classes=classes) for head, classes in experiment.heads.items()},
            thresholds=_thresholds(experiment, table, fitted), calibration=fitted, metrics=metrics, licence=text.licence,
            data=" + ".join(dataset_names(experiment)) + (f" ({text.data})" if text.data else ""), sha256=sha256_of(done.path),
            created=datetime.now(UTC).replace(microsecond=0), opset=OPSET, storage=storage,
        )  # fmt: skip
        check_card(manifest, text)
        (folder / "manifest.json").write_text(manifest.to_json(), encoding="utf-8")
        said = without_paths(command) or f"python -m training publish {experiment.name} --version {version}"
        write_card(folder / "CARD.md", manifest, experiment, setting, text, said)
        check_contract(desk, name, version, _pictures(material))
        target.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(target)
    finally:
        shutil.rmtree(desk, ignore_errors=True)
    return target


def describe(folder: Path) -> str:
    """The metrics of a published model as JSON."""
    return json.dumps(Manifest.from_json((folder / "manifest.json").read_bytes()).metrics, indent=2)


def _predict(experiment: Experiment, material: Material, graph: Path) -> Predictions:
    """What the stored graph says of the tune and test samples of the first set: films of another set would flatter or hide the figures."""
    first = [row.dataset == dataset_names(experiment)[0] for row in material.rows]
    if not any(first):
        first = [True] * len(material.rows)
    chosen = np.flatnonzero(np.isin(material.parts, ["tune", "test"]) & np.asarray(first))
    heads = list(experiment.heads)
    cases = name_cases(material.rows, [str(part) for part in material.parts])
    return Predictions(
        dict(experiment.heads),
        [cases[i] for i in chosen],
        {head: material.targets[head][chosen] for head in heads},
        score(graph, heads, material.crops, chosen, find_recipe(experiment.recipe)),
        without_pixels(experiment, material, chosen),
    )


def _thresholds(experiment: Experiment, table: Predictions, fitted: Calibration) -> dict[str, float]:
    if experiment.task == "cancer":
        tune = table.part("tune")
        levels = cancer_levels(calibrated(tune, fitted) if len(tune) else calibrated(table.part("test"), fitted), "image")
        study = levels["patient"]
        if not study.positive.any() or study.positive.all():
            raise ValueError("the tune part has patients of one class only: no operating point can be chosen; take another split")
        return {"cancer": round(youden_point(study.scores, study.positive), 6)}
    return dict.fromkeys((head for head in experiment.heads if head in ("view", "laterality")), LEAST_CONFIDENCE)


def _calibration_errors(table: Predictions, fitted: Calibration) -> dict[str, Any]:
    if fitted.kind == "none" or not len(test := table.part("test")):
        return {}
    raw, meant = scored(test, "cancer"), scored(calibrated(test, fitted), "cancer")
    errors = {name: round(calibration_error(each.scores, each.positive), 4) for name, each in (("raw", raw), ("calibrated", meant))}
    return {"calibration_error": errors}


def _costs(
    experiment: Experiment,
    setting: Setting,
    material: Material,
    done: Exported,
    table: Predictions,
    costs: tuple[str, ...],
    average: Sequence[Run],
    flips: bool,
    plain: Exported,
) -> dict[str, Any]:
    """AUC (or accuracy) on the test part, size and parity of every storage, against fp32."""
    if set(costs) <= {done.storage}:
        return {}
    found: dict[str, dict[str, Any]] = {}
    for storage in dict.fromkeys(("fp32", *costs, done.storage)):
        if storage == done.storage:
            each, scores = done, table
        elif storage == plain.storage:
            each, scores = plain, _predict(experiment, material, plain.path)
        else:
            graph = plain.path.with_name(f"{storage}.onnx")
            each = export_run(
                experiment, setting, graph, storage=storage, average=average, flips=flips, material=material, plain=plain.path
            )  # fmt: skip
            scores = _predict(experiment, material, graph)
        statistic, value = _headline(scores)
        found[storage] = {
            "statistic": statistic,
            "value": value,
            "megabytes": round(each.path.stat().st_size / 1e6, 2),
            "parity_max_difference": round(each.difference, 6),
        }
    for each_cost in found.values():
        each_cost["against_fp32"] = round(each_cost["value"] - found["fp32"]["value"], 5)
    return found


def _headline(table: Predictions) -> tuple[str, float]:
    """One number that a smaller storage could spoil: the AUC of the score by image, or the mean accuracy of the heads."""
    test = table.part("test")
    if "cancer" in table.heads:
        level = scored(test, "cancer")
        return "AUC by image", round(auc(level.scores, level.positive), 5)
    shares = []
    for head in table.heads:
        known = test.known(head)
        if len(known):
            shares.append(float((known.scores[head].argmax(axis=1) == known.truth[head]).mean()))
    return "mean accuracy", round(float(np.mean(shares)), 5) if shares else float("nan")


def _pictures(material: Material) -> list[NDArray[np.uint8]]:
    rows = [material.rows[i] for i in spread(np.arange(len(material.rows)), CONTRACT_PICTURES)]
    return [read_picture(row) for row in rows]
