"""From samples to breasts to patients, with the arithmetic of the service, so that a published AUC is that of the served score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.combine import breast_score, study_score
from training.evaluate.predictions import Case, Predictions

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scored:
    """Scores and truths at one level.

    Parameters
    ----------
    cases
        One each (of a group: its first), for subgroups.
    patients
        Whom each belongs to, for the bootstrap.
    scores, positive
        (n,) each.
    extra
        Other scores of the same things, by name: the baselines.
    """

    cases: list[Case]
    scores: Floats
    positive: NDArray[np.bool_]
    extra: dict[str, Floats]

    @property
    def patients(self) -> list[str]:
        return [case.patient for case in self.cases]

    def take(self, chosen: NDArray[np.int64]) -> Scored:
        """Some of them."""
        return Scored(
            [self.cases[i] for i in chosen],
            self.scores[chosen],
            self.positive[chosen],
            {name: values[chosen] for name, values in self.extra.items()},
        )


def scored(table: Predictions, head: str) -> Scored:
    """A head of one or two classes at the level of the samples; samples of unknown truth are left out."""
    known = table.known(head)
    scores, positive = known.binary(head)
    return Scored(known.cases, scores, positive, {name: values for name, values in known.extra.items() if name.startswith("base_")})


def by_breast(images: Scored) -> Scored:
    """Each breast of each exam: the mean of its images (`models.combine.breast_score`), a cancer where any image shows one."""
    return _grouped(images, lambda case: (case.patient, case.exam, case.breast), breast_score)


def by_patient(breasts: Scored) -> Scored:
    """Each patient: the more suspicious breast (`models.combine.study_score`), a cancer where either has one."""
    return _grouped(breasts, lambda case: (case.patient,), study_score)


def cancer_levels(table: Predictions, sample: str) -> dict[str, Scored]:
    """The levels of a cancer score, from the samples up: image, breast and patient; or exam or breast and patient."""
    first = scored(table, "cancer")
    if sample == "image":
        breasts = by_breast(first)
        return {"image": first, "breast": breasts, "patient": by_patient(breasts)}
    levels = {sample: first}
    if sample in ("exam", "breast") and len(set(first.patients)) < len(first.patients):
        levels["patient"] = by_patient(first)
    return levels


def _grouped(lower: Scored, key: Callable[[Case], tuple[str, ...]], combine: Callable[[list[float]], float]) -> Scored:
    groups: dict[tuple[str, ...], list[int]] = {}
    for index, case in enumerate(lower.cases):
        groups.setdefault(key(case), []).append(index)
    members = [groups[name] for name in sorted(groups)]

    def over(values: Floats) -> Floats:
        return np.array([combine([float(values[i]) for i in each]) for each in members], np.float64)

    return Scored(
        [lower.cases[each[0]] for each in members],
        over(lower.scores),
        np.array([bool(lower.positive[each].any()) for each in members], np.bool_),
        {name: over(values) for name, values in lower.extra.items()},
    )
