"""From trained runs to a model in the zoo: graph, manifest and card, each checked before the model is moved into place."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.manifest import Calibration, Manifest, Output
from models.registry import ZOO, sha256_of
from training.data.pictures import read_picture
from training.errors import ParityBroken, VersionTaken
from training.evaluate.predictions import Predictions
from training.evaluate.provenance import without_paths
from training.export.calibrating import fit_calibration
from training.export.card import CardText, check_card, read_card_text, write_card
from training.export.contract import check_contract, check_probabilities
from training.export.exporting import Exported, export_run, served_samples, spread
from training.export.figures import HELD, first_set, model_metrics, predict_graph, thresholds
from training.export.onnx_graph import OPSET
from training.export.storage_costs import measure_costs
from training.stages.run import Run
from training.stages.samples import Samples

LARGEST_DIFFERENCE = {"fp32": 0.001, "fp16": 0.01, "int8": 0.15}
"""A stored graph may differ from torch by this much in any probability; more is a broken export. For int8 its cost in AUC says more."""

CONTRACT_PICTURES = 3


@dataclass(frozen=True)
class PublishOptions:
    """How a run becomes a model.

    Parameters
    ----------
    version
        In the zoo, like ``1.0.0``.
    zoo
        Folder of models.
    name
        Of the model; ``mammotriage-EXPERIMENT`` by default.
    storage
        Of the weights: ``fp32``, ``fp16`` or ``int8``.
    costs
        Storages whose cost in AUC or accuracy is measured on the test part; manifest and card show it. The chosen one always is.
    average
        Further runs, averaged with the first inside the one graph.
    flips
        Augmented prediction (Shen et al. 2017) inside the graph.
    calibration
        ``none``, ``platt``, ``temperature`` or ``isotonic``; fitted on the validation part's images, for a cancer model alone.
    card
        What the card says beside the figures; None: the text for the task in cards.toml.
    command
        That published the model, for the card.
    rounds
        Bootstrap draws of an interval.
    """

    version: str
    zoo: Path = ZOO
    name: str | None = None
    storage: str = "fp16"
    costs: tuple[str, ...] = ("fp32", "fp16", "int8")
    average: Sequence[Run] = field(default_factory=tuple)
    flips: bool = False
    calibration: str = "platt"
    card: CardText | None = None
    command: str = ""
    rounds: int = 1000

    def model_name(self, run: Run) -> str:
        """The name in force."""
        return self.name or f"mammotriage-{run.experiment.name}"

    def target(self, run: Run) -> Path:
        """The model's folder in the zoo."""
        return self.zoo / self.model_name(run) / self.version


def publish(run: Run, options: PublishOptions) -> Path:
    """Put a trained run into a zoo; returns the model's folder.

    Everything is written to a staging folder beside the models and moved into place at the end; a refusal leaves nothing behind.

    Raises
    ------
    PublishRefused
        `ParityBroken`, `ContractBroken`, `CardIncomplete` or `VersionTaken`.
    NotTrained
        The run has no checkpoint.
    ValueError
        Runs that do not fit together, an invalid version, or a validation part on which nothing can be calibrated.
    """
    name, target = options.model_name(run), options.target(run)
    if target.exists():
        raise VersionTaken(f"{name} {options.version} is in the zoo already, and a published model never changes: give a higher --version")
    card = options.card or read_card_text(task=run.experiment.task)
    samples = served_samples(run)
    with _staging(options.zoo) as zoo:
        folder = zoo / name / options.version
        plain, stored = _export(run, options, samples, zoo / "plain.onnx", folder / "model.onnx")
        _check_parity(stored)
        held = _predict(run, samples, stored)
        table = first_set(run, held)
        calibration = fit_calibration(table, options.calibration) if run.experiment.task == "cancer" else Calibration()
        costs = measure_costs(run, samples, plain, stored, table, options.costs, options.average, options.flips)
        manifest = _make_manifest(run, options, samples, stored, held, calibration, card, costs)
        check_card(manifest, card)
        _write_documents(folder, run, options, manifest, card)
        check_contract(zoo, name, options.version, _pictures(samples))
        target.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(target)
    return target


def show_metrics(folder: Path) -> str:
    """The metrics of a published model as JSON."""
    return json.dumps(Manifest.from_json((folder / "manifest.json").read_bytes()).metrics, indent=2)


@contextmanager
def _staging(zoo: Path) -> Iterator[Path]:
    """An empty folder beside the models, on the same file system; removed in the end."""
    zoo.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".publish-", dir=zoo))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _export(run: Run, options: PublishOptions, samples: Samples, plain_path: Path, stored_path: Path) -> tuple[Exported, Exported]:
    """The graph in fp32, and in the storage that the model gets."""
    average, flips = options.average, options.flips
    plain = export_run(run, plain_path, storage="fp32", average=average, flips=flips, samples=samples)
    stored = export_run(run, stored_path, storage=options.storage, average=average, flips=flips, samples=samples, plain=plain.path)
    return plain, stored


def _check_parity(stored: Exported) -> None:
    allowed = LARGEST_DIFFERENCE[stored.storage]
    if stored.difference > allowed:
        raise ParityBroken(
            f"largest difference {stored.difference:.4f} from torch on {stored.pictures} real images, allowed {allowed} "
            f"for {stored.storage}: store it as fp32, or look at the graph"
        )


def _predict(run: Run, samples: Samples, stored: Exported) -> Predictions:
    """The stored graph's answers for the held-out samples of all data sets, checked to be probabilities."""
    table = predict_graph(run, samples, stored.path, np.flatnonzero(np.isin(samples.parts, HELD)))
    for head, scores in table.scores.items():
        check_probabilities(head, scores)
    return table


def _make_manifest(
    run: Run,
    options: PublishOptions,
    samples: Samples,
    stored: Exported,
    table: Predictions,
    calibration: Calibration,
    card: CardText,
    costs: dict[str, dict[str, object]],
) -> Manifest:
    rows, columns = run.shape
    averaged = [each.name for each in (run, *options.average)] if options.average else []
    metrics = model_metrics(run, samples, stored, table, calibration, options.rounds)
    return Manifest(
        name=options.model_name(run),
        version=options.version,
        task=run.experiment.task,
        recipe=run.experiment.recipe,
        rows=rows,
        columns=columns,
        outputs={head: Output(output=head, classes=classes) for head, classes in run.experiment.heads.items()},
        thresholds=thresholds(run, table, calibration),
        calibration=calibration,
        metrics={**metrics, "averaged": averaged, "flips": options.flips, "storage_costs": costs},
        licence=card.licence,
        data=" + ".join(run.dataset_names) + (f" ({card.data})" if card.data else ""),
        sha256=sha256_of(stored.path),
        created=datetime.now(UTC).replace(microsecond=0),
        opset=OPSET,
        storage=options.storage,
    )


def _write_documents(folder: Path, run: Run, options: PublishOptions, manifest: Manifest, card: CardText) -> None:
    """Write manifest and card."""
    (folder / "manifest.json").write_text(manifest.to_json(), encoding="utf-8")
    command = without_paths(options.command) or f"python -m training publish {run.experiment.name} --version {options.version}"
    write_card(folder / "CARD.md", manifest, run, card, command)


def _pictures(samples: Samples) -> list[NDArray[np.uint8]]:
    rows = [samples.rows[i] for i in spread(np.arange(len(samples.rows)), CONTRACT_PICTURES)]
    return [read_picture(row) for row in rows]
