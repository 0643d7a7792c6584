"""docs/results.md, rendered from what runs wrote: no figure on the page was typed by hand, and a test keeps page and files equal."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from training.evaluate.document import Block, Heading, Paragraph, Table, to_markdown
from training.evaluate.pages import number

TABLES_FILE = "tables.toml"
"""Titles, texts, and for each row the figure of a run beside the figure of the paper."""

POINT_SHARES = ("sensitivity", "specificity", "precision", "accuracy")


def write_result(folder: Path, report: dict[str, Any]) -> Path:
    """Keep what the page needs of a report, as ``folder/NAME.json``: the run, a flat table of figures, the subgroups."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{report['run']['name']}.json"
    subgroups = {head: found["subgroups"] for head, found in report["heads"].items() if found["subgroups"]}
    result = {"run": report["run"], "counts": report["counts"], "figures": flatten(report), "subgroups": subgroups}
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return path


def flatten(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Figures by a name to call them by: ``cancer.breast.auc``, ``view.image.sensitivity at f1``, ``density.accuracy``."""
    figures: dict[str, dict[str, Any]] = {}
    for head, found in report["heads"].items():
        if found["kind"] == "classes":
            level = found[report["sample"]]
            sizes = {"n": level["n"], "patients": level["patients"]}
            for name in ("accuracy", "mean_sensitivity", "mean_specificity", "kappa"):
                if name in level:
                    interval = level.get("interval95") if name == "accuracy" else None
                    figures[f"{head}.{name}"] = {"value": level[name], "interval95": interval, **sizes}
            continue
        for name, level in found["levels"].items():
            sizes = {"n": level["n"], "patients": level["patients"]}
            base = f"{head}.{name}"
            figures[f"{base}.auc"] = {
                "value": level["auc"], "interval95": level.get("interval95"), "delong95": level.get("delong95"), **sizes
            }  # fmt: skip
            for label, each in level.get("baselines", {}).items():
                figures[f"{base}.auc of {label}"] = {"value": each["auc"], "interval95": each.get("interval95"), **sizes}
            for point, each in level["points"].items():
                if point != "chosen_on":
                    figures |= {
                        f"{base}.{share} at {point}": {
                            "value": each[share]["value"], "interval95": each[share]["wilson95"], **sizes
                        }
                        for share in POINT_SHARES
                    }  # fmt: skip
            for label, each in level["calibration"].items():
                if "ece" in each:
                    figures[f"{base}.ece, {label}"] = {"value": each["ece"], "interval95": None, **sizes}
    for head, levels in report.get("comparison", {}).get("heads", {}).items():
        for name, each in levels.items():
            if each:
                figures[f"{head}.{name}.difference"] = {
                    "value": each["difference"],
                    "interval95": each["interval95"],
                    "p": each["delong_p"],
                    "against": report["comparison"]["with"],
                    "n": each["n"],
                    "patients": each["patients"],
                }
    if game := report.get("pointing"):
        sizes = {"n": game["images"], "patients": None}
        figures["pointing.hit_rate"] = {"value": game["hit_rate"], "interval95": game["wilson95"], **sizes}
        figures["pointing.blind_guess"] = {"value": game["blind_guess"], "interval95": None, **sizes}
    return figures


def render_results(folder: Path = Path("docs/results"), page: Path = Path("docs/results.md")) -> None:
    """Write the page.

    Raises
    ------
    KeyError
        A row of tables.toml names a figure that its run does not have; the message lists those that it has.
    FileNotFoundError
        The folder has no tables.toml.
    """
    page.write_text(render(folder), encoding="utf-8")


def render(folder: Path) -> str:
    """The page as Markdown."""
    plan = tomllib.loads((folder / TABLES_FILE).read_text(encoding="utf-8"))
    files = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}
    results = {name: content for name, content in files.items() if "run" in content}
    blocks: list[Block] = [Heading(plan["title"], 1), *(Paragraph(text) for text in plan["text"])]
    shown: set[str] = set()
    for table in plan["table"]:
        blocks += [Heading(table["title"]), *(Paragraph(text) for text in table.get("text", []))]
        blocks.append(_table(table["row"], results))
        used = [name for name in dict.fromkeys(row["result"] for row in table["row"]) if name in results]
        for wanted in table.get("subgroups", []):
            if wanted["result"] in results:
                blocks += _subgroups(wanted, results[wanted["result"]])
                used.append(wanted["result"])
        shown |= set(used)
        blocks += [Paragraph("\n".join(_provenance(name, results[name]) for name in dict.fromkeys(used)))] if used else []
    if others := [name for name in results if name not in shown]:
        blocks.append(Heading("Other runs"))
        rows = [
            (name, figure, number(each["value"], each["interval95"]), _size(each))
            for name in others
            for figure, each in results[name]["figures"].items()
            if figure.endswith((".auc", ".accuracy", "hit_rate"))
        ]
        blocks.append(Table(("run", "figure", "value (95 % interval)", "n (patients)"), tuple(rows)))
        blocks.append(Paragraph("\n".join(_provenance(name, results[name]) for name in others)))
    if curves := {name: content for name, content in files.items() if "points" in content}:
        blocks += [Heading("Learning curves: how low can we go"), *_curves(curves)]
    return to_markdown(blocks)


def _curves(curves: dict[str, Any]) -> list[Block]:
    """What `python -m training curve --out docs/results` wrote: one row a number of training patients."""
    rows = [
        (
            name,
            str(point["patients"]),
            str(point["samples"]),
            head,
            f"{each['figure']} {number(each['value'], each['interval95'])}",
            str(each["n"]),
        )
        for name, curve in curves.items()
        for point in curve["points"]
        for head, each in point["figures"].items()
    ]
    sources = [
        f"* `{name}`: {curve['paper']}; {', '.join(curve['datasets'])} at {'x'.join(map(str, curve['shape']))}, seed {curve['seed']}; "
        + ", ".join(f"{key} {curve[key]}" for key in ("command", "split", "epochs", "commit") if curve.get(key))
        for name, curve in curves.items()
    ]
    columns = ("curve", "training patients", "samples", "head", "on the test patients (95 % interval)", "n")
    return [Table(columns, tuple(rows)), Paragraph("\n".join(text.rstrip("; ") for text in sources))]


def _table(rows: list[dict[str, Any]], results: dict[str, Any]) -> Table:
    columns = ("what", "paper", "here (95 % interval)", "n (patients)", "input", "epochs", "time", "run")
    return Table(columns, tuple(_row(row, results.get(row["result"])) for row in rows))


def _row(row: dict[str, Any], result: dict[str, Any] | None) -> tuple[str, ...]:
    paper = row.get("paper", "-")
    if result is None:
        return row["what"], paper, "not run here", "-", "-", "-", "-", f"`{row['result']}`"
    if row["figure"] not in result["figures"]:
        known = ", ".join(sorted(result["figures"]))
        raise KeyError(f"{row['result']}.json has no figure {row['figure']!r}; it has: {known}")
    figure, run = result["figures"][row["figure"]], result["run"]
    value = number(figure["value"], figure["interval95"])
    if "p" in figure:
        value += f", DeLong p {_p(figure['p'])}"
    epochs = str(run["epochs"]) + (f", rates x {run['rates']:g}" if run.get("rates", 1.0) != 1.0 else "")
    return row["what"], paper, value, _size(figure), "x".join(map(str, run["shape"])), epochs, _time(run), f"`{row['result']}`"


def _subgroups(wanted: dict[str, Any], result: dict[str, Any]) -> list[Block]:
    groupings = result["subgroups"][wanted["head"]][wanted["level"]]
    rows, p_values = [], []
    for name, grouping in groupings.items():
        for group, each in grouping["groups"].items():
            shares = [number(each[part]["value"], each[part]["wilson95"]) if part in each else "-" for part in POINT_SHARES[:2]]
            auc = number(each.get("auc"), each.get("interval95"))
            accuracy = number(each["accuracy"]["value"], each["accuracy"]["wilson95"])
            rows.append((f"{name}: {group}", str(each["n"]), auc, *shares, accuracy))
        tests = [f"{part} {_p(each['p'])}" for part, each in grouping["chi_square"].items() if each]
        if tests:
            p_values.append(f"{name}: {', '.join(tests)}")
    columns = ("group", "n", "AUC", "sensitivity", "specificity", "accuracy")
    title = f"Subgroups of `{wanted['result']}` by {wanted['level']}"
    return [
        Heading(title, 3),
        Table(columns, tuple(rows)),
        Paragraph(f"Chi-square p between the groups: {'; '.join(p_values) or 'not testable'}."),
    ]


def _provenance(name: str, result: dict[str, Any]) -> str:
    run = result["run"]
    start = f"start {run['start']}, " if run.get("start") else ""
    command = f"`{run['command']}`, " if run["command"] else ""
    counts = ", ".join(f"{each['samples']} {part} samples" for part, each in result["counts"].items())
    origin = f"split {run['split']}, seed {run['seed']}, {start}batch {run['batch']}, {counts}, commit {run['commit']}"
    return f"* `{name}`: {command}{origin}"


def _size(figure: dict[str, Any]) -> str:
    return f"{figure['n']}" + (f" ({figure['patients']})" if figure["patients"] is not None else "")


def _time(run: dict[str, Any]) -> str:
    seconds = run["seconds"]
    if seconds is None:
        return "-"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _p(value: float) -> str:
    return "< 0.0001" if value < 0.0001 else f"{value:.4f}"
