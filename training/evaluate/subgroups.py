"""The same figures within groups (DIB-MG, Tables 3 and 4: age, manufacturer, density), and whether the groups differ (chi-square)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from training.evaluate.figures import auc_figure, both_classes, share_figure, tidy
from training.evaluate.levels import Scored
from training.evaluate.predictions import Case, Predictions
from training.metrics.classes import confusion
from training.metrics.points import Counts, Difference, Share, chi_square, count, youden_point

DECADES = (40, 50, 60, 70)


def age_band(case: Case) -> str | None:
    """Ten years each; None where the age is unknown."""
    if case.age is None:
        return None
    if case.age < DECADES[0]:
        return f"under {DECADES[0]}"
    low = max(each for each in DECADES if case.age >= each)
    return f"{low} or more" if low == DECADES[-1] else f"{low}-{low + 9}"


def under_50(case: Case) -> str | None:
    """The two bands of DIB-MG, Table 3."""
    return None if case.age is None else "under 50" if case.age < 50 else "50 or more"


GROUPINGS: dict[str, Callable[[Case], str | None]] = {
    "age under 50": under_50,
    "age": age_band,
    "machine": lambda case: case.manufacturer or None,
    "density": lambda case: case.density or None,
    "view": lambda case: case.view or None,
    "set": lambda case: case.dataset,
}


def score_groups(validation: Scored, test: Scored, rounds: int) -> dict[str, Any]:
    """AUC, and sensitivity, specificity and accuracy at Youden's threshold, in every group with at least two members.

    One threshold for all groups, chosen on the whole validation part (on the test part where that has not both classes), as a site
    would use it.
    """
    source = validation if both_classes(validation.positive) else test
    if not both_classes(source.positive):
        return {}
    threshold = youden_point(source.scores, source.positive)
    answer: dict[str, Any] = {}
    for name, grouping in GROUPINGS.items():
        members = members_of(test.cases, grouping)
        if len(members) < 2:
            continue
        groups, tables = {}, []
        for group, chosen in members.items():
            inside = test.take(chosen)
            counts = count(inside.scores, inside.positive, threshold)
            tables.append(counts)
            groups[group] = auc_figure(inside, rounds) | {
                part: share_figure(getattr(counts, part)) for part in ("sensitivity", "specificity", "accuracy")
            }
        answer[name] = {"groups": groups, "threshold": tidy(threshold, 6), "chi_square": _tests(tables)}
    return answer


def class_groups(table: Predictions, head: str) -> dict[str, Any]:
    """Accuracy in every group of a head with more than two classes."""
    known = table.known(head)
    predicted, truth = known.scores[head].argmax(axis=1).astype(np.int64), known.truth[head]
    answer: dict[str, Any] = {}
    for name, grouping in GROUPINGS.items():
        members = {} if name == head else members_of(known.cases, grouping)
        if len(members) < 2:
            continue
        shares = {}
        for group, chosen in members.items():
            matrix = confusion(truth[chosen], predicted[chosen], len(known.heads[head]))
            shares[group] = Share(int(np.diag(matrix).sum()), int(matrix.sum()))
        groups = {
            group: {"accuracy": share_figure(share), "n": share.total, "patients": len({known.cases[i].patient for i in members[group]})}
            for group, share in shares.items()
        }
        answer[name] = {"groups": groups, "chi_square": {"accuracy": _difference(chi_square(list(shares.values())))}}
    return answer


def members_of(cases: list[Case], grouping: Callable[[Case], str | None]) -> dict[str, np.ndarray[Any, np.dtype[np.int64]]]:
    """Indices by group; cases that belong to none are left out."""
    groups: dict[str, list[int]] = {}
    for index, case in enumerate(cases):
        if (group := grouping(case)) is not None:
            groups.setdefault(group, []).append(index)
    return {group: np.array(groups[group], np.int64) for group in sorted(groups, key=_natural)}


def _natural(name: str) -> tuple[int, int, str]:
    if name.startswith("under"):
        return 0, 0, name
    number = name.split("-")[0].split(" ")[0]
    return (1, int(number), name) if number.isdigit() else (2, 0, name)


def _tests(tables: list[Counts]) -> dict[str, Any]:
    return {
        part: _difference(chi_square([getattr(counts, part) for counts in tables])) for part in ("sensitivity", "specificity", "accuracy")
    }


def _difference(found: Difference | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {"statistic": tidy(found.statistic), "freedom": found.freedom, "p": tidy(found.p, 6)}
