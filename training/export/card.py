"""The model card: what it is, what it was trained on, how good it honestly is, where it fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.manifest import Manifest
from training.stages.experiment import Experiment

LIMITS = {
    "labeler": """- Some labels of the set are wrong (one image called CC shows a burned-in "L MLO"; on machine 49 several show the whole
  pectoral muscle): they bound the view AUC. Laterality is neither trained nor scored on machine 49: 40 % of its images are mirrored.
- Knows CC and MLO only. ML, LM, exaggerated and spot views get one of the two, or UNKNOWN below the threshold.
- Reads laterality from orientation: a mirrored left breast is a right one to it. The service never contradicts a side on this alone.
- Density follows the readers of one RSNA site (BI-RADS A-D); class D is rare there (59 images in all).
- No implants, magnification, tomosynthesis or unprocessed images were trained; the service refuses them by header.""",
    "cancer": """- Trained on an enriched set (35 % of the images show the breast with a proven cancer): the score is **no** probability in
  screening, and is not calibrated. The operating point is a starting value: choose it on the site's own data.
- Whole-image labels only, no lesion outlines: the map shows what moved the score, which is not always the lesion.
- Images of 640x640 pixels were the source: micro-calcifications are mostly lost.
- The share of cancers depends on the machine in this set: read the figures by machine.""",
}


def write_card(path: Path, manifest: Manifest, experiment: Experiment, parts: dict[str, int]) -> None:
    """Write CARD.md for a manifest."""
    chosen = ", ".join(f"{head} {value}" for head, value in manifest.thresholds.items())
    counts = ", ".join(f"{count} {part}" for part, count in parts.items())
    size = f"{manifest.rows}x{manifest.columns}"
    schedule = "; then ".join(
        f"{plan.epochs} epochs, batch {plan.batch}, AdamW, one cycle, peak rates {', '.join(f'{rate:g}' for rate in plan.rates.values())}"
        for plan in experiment.plans
    )
    lines = [
        f"# {manifest.name} {manifest.version}",
        "",
        "A research model for triage and labelling. **Not a diagnosis, not a medical device.**",
        "",
        f"* Task: {manifest.task}; input {size}, recipe `{manifest.recipe}`; weights stored as {manifest.storage}",
        f"* sha256 of model.onnx: `{manifest.sha256}`; created {manifest.created:%Y-%m-%d}",
        f"* Data: {manifest.data}; images: {counts}; split by patient",
        f"* Schedule: {schedule}",
        f"* Thresholds: {chosen}; calibration: {manifest.calibration.kind}",
        f"* Largest difference between torch and the stored graph on 32 real images: {manifest.metrics['parity_max_difference']}",
        f"* Licence: {manifest.licence}",
        "",
        "## Figures on held-out patients (95 % bootstrap interval over patients)",
        "",
        f"Measured on the stored graph: `python -m training publish {experiment.name} --version {manifest.version}`.",
        "",
        "| what | group | figure | interval | images or cases | patients |",
        "|---|---|---|---|---|---|",
    ]
    for name, figure in manifest.metrics.items():
        if isinstance(figure, dict):
            lines.append(_line(name, "all", figure))
            lines += [_line(name, f"machine {machine}", part) for machine, part in figure.get("by_machine", {}).items()]
    lines += ["", "## Limits", "", LIMITS[manifest.task], ""]
    path.write_text("\n".join(lines), encoding="utf-8")


def _line(name: str, group: str, figure: dict[str, Any]) -> str:
    statistic = next(key for key in figure if key in {"auc", "accuracy"})
    value = "one class only" if figure[statistic] is None else f"{statistic} {figure[statistic]:.3f}"
    interval = "-" if "interval95" not in figure else "{:.3f} to {:.3f}".format(*figure["interval95"])
    return f"| {name} | {group} | {value} | {interval} | {figure['n']} | {figure['patients']} |"
