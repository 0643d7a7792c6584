"""The model card: what it is, what it was trained on, its measured figures, where it fails."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.manifest import Manifest
from training.errors import CardIncomplete
from training.evaluate.pages import number
from training.stages.run import Run

CARDS = Path(__file__).with_name("cards.toml")


@dataclass(frozen=True)
class CardText:
    """What cannot be measured.

    Parameters
    ----------
    licence
        Under which terms the weights may be used; it follows from the data.
    limits
        Where it fails, one sentence each.
    data
        Note on the data, beside the names of the sets.
    """

    licence: str
    limits: tuple[str, ...]
    data: str = ""


def read_card_text(path: Path = CARDS, task: str | None = None) -> CardText:
    """Read a card's text: the table of a task, or a file that is one such table itself.

    Raises
    ------
    CardIncomplete
        The file has no table for the task, or lacks a licence or limits.
    """
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    content = content.get(task, content) if task else content
    missing = [name for name in ("licence", "limits") if not content.get(name)]
    if missing:
        raise CardIncomplete(
            f"{path.name} has no {' and no '.join(missing)} for the task {task}: write them, as in training/export/cards.toml"
        )
    return CardText(str(content["licence"]), tuple(map(str, content["limits"])), str(content.get("data", "")))


def check_card(manifest: Manifest, text: CardText) -> None:
    """Refuse a card that lacks what a reader must know.

    Raises
    ------
    CardIncomplete
        The message lists what is missing.
    """
    figures = [figure for figure in manifest.metrics.values() if isinstance(figure, dict) and _statistic(figure)]
    present = {
        "a licence": manifest.licence.strip(),
        "the data that it was trained on": manifest.data.strip(),
        "its limits": any(limit.strip() for limit in text.limits),
        "a measured figure on held-out patients (the test part has no sample of both classes)": figures,
        "its parity": "parity_max_difference" in manifest.metrics,
    }
    if missing := [name for name, there in present.items() if not there]:
        raise CardIncomplete(f"the card of {manifest.name} {manifest.version} lacks {'; '.join(missing)}")


def write_card(path: Path, manifest: Manifest, run: Run, text: CardText, command: str) -> None:
    """Write CARD.md for a manifest."""
    metrics = manifest.metrics
    chosen = ", ".join(f"{head} {value}" for head, value in manifest.thresholds.items()) or "none"
    schedule = "; then ".join(
        f"{plan.epochs} epochs at most, batch {plan.batch}, {plan.optimiser}, {plan.schedule}, peak rates "
        f"{', '.join(f'{rate:g}' for rate in plan.rates.values())}"
        for plan in run.plans
    )
    soup = f"; weights averaged over {', '.join(metrics['soup'])}" if metrics.get("soup") else ""
    averaged = f"; average of {', '.join(metrics['averaged'])}" if metrics.get("averaged") else ""
    flips = "; four flips averaged inside the graph" if metrics.get("flips") else ""
    lines = [
        f"# {manifest.name} {manifest.version}",
        "",
        "A research model for triage and labelling. **Not a diagnosis, not a medical device.**",
        "",
        f"* Task: {manifest.task}; input {manifest.rows}x{manifest.columns}, recipe `{manifest.recipe}`; stored as {manifest.storage}",
        f"* Experiment: `{run.experiment.name}` ({run.experiment.paper}){soup}{averaged}{flips}",
        f"* sha256 of model.onnx: `{manifest.sha256}`; created {manifest.created:%Y-%m-%d}",
        f"* Data: {manifest.data}; samples: {', '.join(f'{count} {part}' for part, count in metrics['samples'].items())}; split by patient",
        f"* Schedule: {schedule}; {metrics['epochs']} epochs were trained",
        f"* Thresholds: {chosen}; calibration: {manifest.calibration.kind}{_calibrated(metrics)}",
        f"* Largest difference between torch and the stored graph on {metrics['parity_pictures']} real images: "
        f"{metrics['parity_max_difference']}",
        f"* Licence: {manifest.licence}",
        "",
        "## Figures on held-out patients (95 % bootstrap interval over patients)",
        "",
        f"Measured on the stored graph, on {metrics['measured_on']}: `{command}`.",
        "",
        "| what | group | figure | interval | n | patients |",
        "|---|---|---|---|---|---|",
    ]
    for name, figure in metrics.items():
        if isinstance(figure, dict) and _statistic(figure):
            lines.append(_line(name, "all", figure))
            for grouping in ("machine", "density", "age"):
                lines += [_line(name, f"{grouping} {group}", part) for group, part in figure.get(f"by_{grouping}", {}).items()]
            lines += [_line(name, f"({label}, no pixels)", part) for label, part in figure.get("baselines", {}).items()]
    for dataset, heads in metrics.get("sets", {}).items():
        lines += [_line(head, f"set {dataset}", figure) for head, figure in heads.items()]
    if costs := metrics.get("storage_costs"):
        lines += ["", "## What smaller storage costs", "", "| storage | MB | largest difference from torch | figure | against fp32 |"]
        lines += ["|---|---|---|---|---|"]
        lines += [
            f"| {storage} | {each['megabytes']:.1f} | {each['parity_max_difference']:.4f} | {each['statistic']} {number(each['value'])} "
            f"| {each['against_fp32']:+.4f} |"
            for storage, each in costs.items()
        ]
    lines += ["", "## Limits", "", *(f"- {limit}" for limit in text.limits), ""]
    path.write_text("\n".join(lines), encoding="utf-8")


def _statistic(figure: dict[str, Any]) -> str | None:
    return next((key for key in ("auc", "accuracy") if figure.get(key) is not None), None)


def _calibrated(metrics: dict[str, Any]) -> str:
    found = metrics.get("calibration_error")
    if not found:
        return ""
    return f" (expected error {found['raw']} raw, {found['calibrated']} calibrated, by image)"


def _line(name: str, group: str, figure: dict[str, Any]) -> str:
    statistic = _statistic(figure)
    value = "one class only" if statistic is None else f"{statistic} {figure[statistic]:.3f}"
    interval = figure.get("interval95")
    shown = "-" if not interval or None in interval else f"{interval[0]:.3f} to {interval[1]:.3f}"
    return f"| {name} | {group} | {value} | {shown} | {figure['n']} | {figure['patients']} |"
