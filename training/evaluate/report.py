"""Figures of a served graph on held-out patients: overall, per machine, each with a 95 % interval over patients."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from models.combine import breast_score, study_score
from models.preprocessing.recipe import normalise
from training.data.index import Row
from training.metrics.ranking import accuracy, auc, patient_interval

Scores = dict[str, NDArray[np.float64]]


def score_crops(path: Path, heads: list[str], crops: NDArray[np.uint8], batch: int = 16) -> Scores:
    """Probabilities of an ONNX graph for cached crops, (n, classes) by head."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    parts: dict[str, list[NDArray[np.float64]]] = {head: [] for head in heads}
    for start in tqdm(range(0, len(crops), batch), desc="scores", unit="batch"):
        pictures = np.stack([normalise(crop) for crop in crops[start : start + batch]])[:, None]
        for head, values in zip(heads, session.run(heads, {"pixels": pictures}), strict=True):
            parts[head].append(np.asarray(values, np.float64))
    return {head: np.concatenate(values) for head, values in parts.items()}


def evaluate_labels(rows: list[Row], scores: Scores, truth: dict[str, NDArray[np.int64]]) -> dict[str, Any]:
    """View AUC, laterality AUC and density accuracy with intervals, overall and by machine."""
    answer: dict[str, Any] = {}
    for head, values in scores.items():
        statistic = _label_statistic(head, values, truth[head])
        answer[head] = _by_machine("accuracy" if head == "density" else "auc", rows, np.flatnonzero(truth[head] >= 0), statistic)
    return answer


def evaluate_cancer(rows: list[Row], scores: NDArray[np.float64]) -> dict[str, Any]:
    """Cancer AUC by image, by breast (mean of views) and by patient (larger breast), with intervals; by machine for images."""
    truth = np.array([bool(row.malignant) for row in rows])
    answer: dict[str, Any] = {"image": _by_machine("auc", rows, np.arange(len(rows)), lambda chosen: auc(scores[chosen], truth[chosen]))}
    breasts = combine_breasts(rows, scores)
    for name, (patients, values, malignant) in {"breast": breasts, "patient": combine_patients(breasts)}.items():
        answer[name] = _figure("auc", patients, lambda c, v=values, m=malignant: auc(v[c], m[c]))  # type: ignore[misc]
    return answer


Breasts = tuple[list[str], NDArray[np.float64], NDArray[np.bool_]]


def combine_breasts(rows: list[Row], scores: NDArray[np.float64]) -> Breasts:
    """Patients, scores and truths of breasts; the arithmetic is the service's."""
    groups: dict[tuple[str, str], list[int]] = {}
    for index, row in enumerate(rows):
        groups.setdefault((row.patient, row.breast), []).append(index)
    keys = sorted(groups)
    return (
        [patient for patient, _ in keys],
        np.array([breast_score([float(scores[i]) for i in groups[key]]) for key in keys]),
        np.array([any(rows[i].malignant for i in groups[key]) for key in keys]),
    )


def combine_patients(breasts: Breasts) -> Breasts:
    """Patients, study scores and truths."""
    names = sorted(set(breasts[0]))
    owner = np.asarray(breasts[0])
    return (
        names,
        np.array([study_score([float(score) for score in breasts[1][owner == name]]) for name in names]),
        np.array([bool(breasts[2][owner == name].any()) for name in names]),
    )


def operating_point(scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """The threshold with the largest sensitivity + specificity - 1 (Youden)."""
    candidates = np.unique(scores)
    gains = [float((scores[positive] >= level).mean() - (scores[~positive] >= level).mean()) for level in candidates]
    return float(candidates[int(np.argmax(gains))])


def _label_statistic(head: str, values: NDArray[np.float64], truth: NDArray[np.int64]) -> Callable[[NDArray[np.int64]], float]:
    if head == "density":
        return lambda chosen: accuracy(values[chosen].argmax(axis=1), truth[chosen])
    return lambda chosen: auc(values[chosen, 1], truth[chosen] == 1)


def _by_machine(name: str, rows: list[Row], known: NDArray[np.int64], statistic: Callable[[NDArray[np.int64]], float]) -> dict[str, Any]:
    def over(chosen: NDArray[np.int64]) -> dict[str, Any]:
        return _figure(name, [rows[i].patient for i in chosen], lambda draw: statistic(chosen[draw]))

    answer = over(known)
    machines = sorted({rows[i].manufacturer for i in known})
    answer["by_machine"] = {machine: over(np.array([i for i in known if rows[i].manufacturer == machine])) for machine in machines}
    return answer


def _figure(name: str, patients: list[str], statistic: Callable[[NDArray[np.int64]], float]) -> dict[str, Any]:
    value = statistic(np.arange(len(patients)))
    figure: dict[str, Any] = {name: None if np.isnan(value) else round(value, 4), "n": len(patients), "patients": len(set(patients))}
    if not np.isnan(value):
        figure["interval95"] = [round(bound, 4) for bound in patient_interval(statistic, patients)]
    return figure
