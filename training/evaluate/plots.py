"""The pictures of a report: ROC curves with their band, reliability, a forest of subgroups, a confusion matrix. PNG, no display needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from training.evaluate.levels import Scored
from training.metrics.ranking import auc, roc, roc_band

DOTS = 110


def plot_roc(path: Path, levels: dict[str, Scored], points: dict[str, Any], rounds: int = 300) -> None:
    """Curves of all levels, the 95 % bootstrap band of the last one, and its operating points."""
    figure = Figure(figsize=(5.2, 5.0))
    axes = figure.subplots()
    grid = np.linspace(0, 1, 101)
    for number, (name, level) in enumerate(levels.items()):
        curve = roc(level.scores, level.positive)
        colour = f"C{number}"
        label = f"{name}: AUC {auc(level.scores, level.positive):.3f}"
        axes.plot(curve.false_positive, curve.true_positive, color=colour, label=label, drawstyle="steps-post")
        if number == len(levels) - 1:
            low, high = roc_band(level.scores, level.positive, level.patients, grid, rounds)
            axes.fill_between(grid, low, high, color=colour, alpha=0.15, linewidth=0, label=f"{name}: 95 % over patients")
    for name, found in points.items():
        if isinstance(found, dict) and found["sensitivity"]["value"] is not None and found["specificity"]["value"] is not None:
            axes.plot(1 - found["specificity"]["value"], found["sensitivity"]["value"], "o", markersize=5, label=f"threshold {name}")
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=0.8)
    axes.set(xlabel="1 - specificity", ylabel="sensitivity", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axes.legend(fontsize=7, loc="lower right")
    _save(figure, path)


def plot_reliability(path: Path, calibrations: dict[str, Any]) -> None:
    """Share of positive cases against the mean score of each bin, for the raw score and each calibration."""
    figure = Figure(figsize=(5.2, 5.0))
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=0.8)
    for name, found in calibrations.items():
        if "bins" in found:
            x, y = [each["score"] for each in found["bins"]], [each["share"] for each in found["bins"]]
            axes.plot(x, y, "o-", markersize=4, linewidth=1, label=f"{name}: ECE {found['ece']:.3f}, Brier {found['brier']:.3f}")
    axes.set(xlabel="score", ylabel="share of positive cases", xlim=(0, 1), ylim=(0, 1))
    axes.legend(fontsize=7, loc="upper left")
    _save(figure, path)


def plot_forest(path: Path, subgroups: dict[str, Any], figure_name: str) -> None:
    """One line a subgroup: the figure and its interval; groups of one class only are left out."""
    lines: list[tuple[str, float, float, float, int]] = []
    for name, grouping in subgroups.items():
        for group, found in grouping["groups"].items():
            if figure_name == "auc" and found.get("auc") is not None and "interval95" in found:
                low, high = found["interval95"]
                lines.append((f"{name}: {group}", found["auc"], low, high, found["n"]))
            elif figure_name == "accuracy" and found["accuracy"]["value"] is not None:
                low, high = found["accuracy"]["wilson95"]
                lines.append((f"{name}: {group}", found["accuracy"]["value"], low, high, found["n"]))
    figure = Figure(figsize=(6.4, 1.0 + 0.26 * max(len(lines), 1)))
    axes = figure.subplots()
    for place, (_, value, low, high, _) in enumerate(lines):
        axes.plot([low, high], [place, place], color="C0", linewidth=1.2)
        axes.plot(value, place, "s", color="C0", markersize=4)
    axes.set_yticks(range(len(lines)), [f"{label} (n {n})" for label, *_, n in lines], fontsize=7)
    axes.invert_yaxis()
    if figure_name == "auc":
        axes.axvline(0.5, color="0.7", linewidth=0.8)
    axes.set(xlabel=f"{figure_name}, 95 % interval", xlim=(0, 1.02))
    _save(figure, path)


def plot_confusion(path: Path, matrix: dict[str, Any]) -> None:
    """Counts, shaded by the share of each true class."""
    counts = np.asarray(matrix["rows_are_truth"])
    names = matrix["classes"]
    figure = Figure(figsize=(1.6 + 0.7 * len(names), 1.4 + 0.7 * len(names)))
    axes = figure.subplots()
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(counts.shape):
        axes.text(
            column, row, str(counts[row, column]), ha="center", va="center", color="w" if share[row, column] > 0.5 else "k", fontsize=8
        )
    axes.set_xticks(range(len(names)), names, fontsize=7, rotation=45 if max(map(len, names)) > 5 else 0)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    axes.set(xlabel="answer", ylabel="truth")
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    FigureCanvasAgg(figure)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.tight_layout()
    figure.savefig(path, dpi=DOTS, metadata={"Software": None})
