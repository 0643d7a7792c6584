"""What a manifest keeps of a report: each figure overall and by machine, density and age, and the baselines beside it."""

from __future__ import annotations

from typing import Any

GROUPS = {"machine": "machine", "density": "density", "age": "age under 50"}
KEPT = ("auc", "accuracy", "n", "positive", "patients", "interval95", "delong95")


def summarise_metrics(report: dict[str, Any]) -> dict[str, Any]:
    """Figures by name: of a cancer model its levels (image, breast, patient), of any other its heads."""
    answer: dict[str, Any] = {}
    sample = report["sample"]
    for head, found in report["heads"].items():
        if found["kind"] == "classes":
            answer[head] = _figure(found[sample]) | _groups(found["subgroups"].get(sample, {}))
            continue
        for level, figure in found["levels"].items():
            name = level if head == "cancer" else head
            answer[name] = _figure(figure) | _groups(found["subgroups"].get(level, {}))
            if baselines := figure.get("baselines"):
                answer[name]["baselines"] = {label: _figure(each) for label, each in baselines.items()}
    return answer


def _figure(figure: dict[str, Any]) -> dict[str, Any]:
    return {key: figure[key] for key in KEPT if key in figure}


def _groups(subgroups: dict[str, Any]) -> dict[str, Any]:
    answer = {}
    for short, name in GROUPS.items():
        if name in subgroups:
            answer[f"by_{short}"] = {group: _group(each) for group, each in subgroups[name]["groups"].items()}
    return answer


def _group(figure: dict[str, Any]) -> dict[str, Any]:
    kept = _figure(figure)
    if "auc" not in figure:  # a head of several classes: its share with the Wilson interval
        share = figure["accuracy"]
        return kept | {"accuracy": share["value"], "interval95": share["wilson95"]}
    kept.pop("accuracy", None)  # at a threshold: a figure of its own, kept in the report
    return kept
