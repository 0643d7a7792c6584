"""The report of a run as blocks of a page, and the pictures that it shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from training.evaluate.document import Block, Heading, Paragraph, Picture, Table
from training.evaluate.figures import both_classes
from training.evaluate.measure import levels_of
from training.evaluate.plots import plot_confusion, plot_forest, plot_reliability, plot_roc
from training.evaluate.predictions import Predictions

CAUTION = (
    "Intervals are 95 % percentile bootstraps over patients. DeLong's interval, and every p value, takes samples for independent; several "
    "images of one patient are not, so at image level it is too narrow. Thresholds and calibrations come from the validation part unless "
    "said otherwise. Groups are many and small: a p value below 0.05 among twenty is to be expected."
)


def make_pages(report: dict[str, Any], table: Predictions, folder: Path, rounds: int) -> list[Block]:
    """Draw the pictures into `folder` and put all blocks in order."""
    run = report["run"]
    counts = ", ".join(f"{each['samples']} {part} samples of {each['patients']} patients" for part, each in report["counts"].items())
    size = "x".join(map(str, run["shape"]))
    blocks: list[Block] = [
        Heading(f"{run['name']}: {report['part']} part", 1),
        Paragraph(f"{run['paper']}. {counts}. Input {size}, split {run['split']}, seed {run['seed']}, {run['epochs']} epochs."),
        Paragraph(CAUTION),
    ]
    if run.get("command"):
        blocks.append(Paragraph(f"Made by: {run['command']} (commit {run['commit']})"))
    for head, found in report["heads"].items():
        blocks.append(Heading(head))
        if found["kind"] == "classes":
            blocks += _class_blocks(head, found, report["sample"], folder)
        else:
            blocks += _score_blocks(head, found, table.part(report["part"]), report["sample"], folder, rounds)
    if "pointing" in report:
        game = report["pointing"]
        low, high = game["wilson95"]
        blocks += [
            Heading("Pointing game"),
            Paragraph(
                f"The strongest map cell is inside a known lesion in {game['hits']} of {game['images']} malignant images: "
                f"{game['hit_rate']:.3f} ({low:.3f} to {high:.3f}); a blind guess into the crop would hit {game['blind_guess']:.3f}."
            ),
        ]
    if "comparison" in report:
        blocks += _comparison_blocks(report["comparison"])
    return blocks


def number(value: float | None, interval: list[float | None] | None = None) -> str:
    """A figure with its interval, or a dash."""
    if value is None:
        return "-"
    if interval is None or None in interval:
        return f"{value:.3f}"
    return f"{value:.3f} ({interval[0]:.3f} to {interval[1]:.3f})"


def _score_blocks(head: str, found: dict[str, Any], table: Predictions, sample: str, folder: Path, rounds: int) -> list[Block]:
    levels = levels_of(table, head, sample)
    blocks: list[Block] = [
        Table(
            ("level", "AUC (bootstrap by patient)", "AUC (DeLong)", "n", "positive", "patients"),
            tuple(
                (
                    name,
                    number(each["auc"], each.get("interval95")),
                    number(each["auc"], each.get("delong95")),
                    str(each["n"]),
                    str(each["positive"]),
                    str(each["patients"]),
                )
                for name, each in found["levels"].items()
            ),
        )
    ]
    baselines = [
        (name, label, number(each["auc"], each.get("interval95")), _difference(each["network_against_it"]))
        for name, level in found["levels"].items()
        for label, each in level.get("baselines", {}).items()
    ]
    if baselines:
        blocks.append(Table(("level", "without any pixel", "AUC", "network against it"), tuple(baselines)))
    curves = {name: level for name, level in levels.items() if both_classes(level.positive)}
    if curves:
        last = found["levels"][list(curves)[-1]]
        file = f"roc-{head}.png"
        plot_roc(folder / file, curves, {name: each for name, each in last["points"].items() if name != "chosen_on"}, min(rounds, 300))
        blocks.append(Picture(file, f"ROC of {head}"))
    for name, level in found["levels"].items():
        points = {label: each for label, each in level["points"].items() if label != "chosen_on"}
        if points:
            blocks.append(Heading(f"{head} by {name}: thresholds (chosen on the {level['points']['chosen_on']} part)", 3))
            columns = ("threshold", "value", "sensitivity", "specificity", "precision", "accuracy")
            blocks.append(Table(columns, tuple((label, f"{each['threshold']:.4f}", *_shares(each)) for label, each in points.items())))
        if level["calibration"]:
            file = f"reliability-{head}-{name}.png"
            plot_reliability(folder / file, level["calibration"])
            rows = tuple(
                (label, _number_or_why(each, "ece"), _number_or_why(each, "brier")) for label, each in level["calibration"].items()
            )
            blocks += [Table(("calibration", "ECE", "Brier"), rows), Picture(file, f"Reliability of {head} by {name}")]
        blocks += _group_blocks(head, name, found["subgroups"].get(name, {}), "auc", folder)
    return blocks


def _class_blocks(head: str, found: dict[str, Any], sample: str, folder: Path) -> list[Block]:
    level = found[sample]
    if "confusion" not in level:
        return [Paragraph("No sample of this part has a known truth.")]
    columns = ("class", "AUC against the rest", "sensitivity", "specificity", "precision", "accuracy")
    rows = tuple((name, number(each["auc"]), *_shares(each)) for name, each in level["classes"].items())
    file = f"confusion-{head}.png"
    plot_confusion(folder / file, level["confusion"])
    blocks: list[Block] = [
        Paragraph(
            f"Accuracy {number(level['accuracy'], level['interval95'])} on {level['n']} samples of {level['patients']} patients; mean "
            f"sensitivity {number(level['mean_sensitivity'])}, mean specificity {number(level['mean_specificity'])}, "
            f"quadratic kappa {number(level['kappa'])}."
        ),
        Table(columns, rows),
        Picture(file, f"Confusion matrix of {head}"),
    ]
    if dense := level.get("dense (C or D)"):
        blocks.insert(1, Paragraph(f"Dense (C or D) against not: AUC {number(dense['auc'], dense.get('interval95'))}."))
    return blocks + _group_blocks(head, sample, found["subgroups"].get(sample, {}), "accuracy", folder)


def _group_blocks(head: str, level: str, subgroups: dict[str, Any], figure: str, folder: Path) -> list[Block]:
    if not subgroups:
        return []
    blocks: list[Block] = [Heading(f"{head} by {level}: subgroups", 3)]
    columns = ("group", "n", "AUC", "sensitivity", "specificity", "accuracy") if figure == "auc" else ("group", "n", "accuracy")
    for name, grouping in subgroups.items():
        rows = []
        for group, each in grouping["groups"].items():
            cells = [group, str(each["n"])]
            if figure == "auc":
                cells += [number(each["auc"], each.get("interval95")), *(_share(each[part]) for part in ("sensitivity", "specificity"))]
            rows.append((*cells, _share(each["accuracy"])))
        tests = {part: found for part, found in grouping["chi_square"].items() if found}
        p_values = "; ".join(f"{part} p = {found['p']:.4f}" for part, found in tests.items()) or "not testable"
        blocks += [Table((f"{name}", *columns[1:]), tuple(rows)), Paragraph(f"Chi-square between these groups: {p_values}.")]
    file = f"subgroups-{head}-{level}.png"
    plot_forest(folder / file, subgroups, figure)
    return [*blocks, Picture(file, f"{head} by {level}: {figure} of the subgroups")]


def _comparison_blocks(comparison: dict[str, Any]) -> list[Block]:
    rows = [
        (
            head,
            level,
            number(each["this"]),
            number(each["other"]),
            number(each["difference"], each["interval95"]),
            f"{each['delong_p']:.4g}",
        )
        for head, levels in comparison["heads"].items()
        for level, each in levels.items()
        if each
    ]
    columns = ("head", "level", "AUC", "AUC of the other", "difference (bootstrap by patient)", "DeLong p")
    return [Heading(f"Against {comparison['with']}, on the same samples"), Table(columns, tuple(rows))]


def _shares(figures: dict[str, Any]) -> tuple[str, ...]:
    return tuple(_share(figures[part]) for part in ("sensitivity", "specificity", "precision", "accuracy"))


def _share(share: dict[str, Any]) -> str:
    return number(share["value"], share["wilson95"])


def _difference(figures: dict[str, Any]) -> str:
    return f"{number(figures['difference'], figures['interval95'])}, DeLong p {figures['delong_p']:.4g}" if figures else "-"


def _number_or_why(figures: dict[str, Any], name: str) -> str:
    return number(figures[name]) if name in figures else figures["refused"]
