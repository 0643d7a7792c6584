"""The page of results: rendered from files alone, and equal to what is committed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.sample_predictions import make_table
from training.evaluate.document import Block, Heading, Paragraph, Table, to_html, to_markdown
from training.evaluate.measure import compare_tables, measure
from training.evaluate.pages import make_pages
from training.evaluate.provenance import without_paths
from training.evaluate.results import flatten, render, render_results, write_result

ROOT = Path(__file__).resolve().parents[4]
RUN = {
    "name": "made-up", "paper": "none", "shape": [8, 8], "split": "70/10/20", "seed": 3, "epochs": 2, "batch": 4, "seconds": 300.0,
    "command": "python -m training evaluate made-up", "commit": "abc1234", "start": "random",
}  # fmt: skip
PLAN = """
title = "Results"
text = ["What was run."]
[[table]]
title = "Table 1"
text = ["On made-up data."]
subgroups = [{ result = "made-up", head = "cancer", level = "breast" }]
[[table.row]]
what = "cancer by breast"
result = "made-up"
figure = "cancer.breast.auc"
paper = "0.90"
[[table.row]]
what = "against the other"
result = "made-up"
figure = "cancer.breast.difference"
[[table.row]]
what = "not yet"
result = "later"
figure = "cancer.image.auc"
paper = "0.91"
"""


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    table = make_table()
    comparison = {"with": "other", "heads": compare_tables(table, make_table(seed=1, skill=0.2), "image", rounds=50)}
    return {"run": RUN, **measure(table, "image", rounds=50), "comparison": comparison}


@pytest.fixture
def folder(tmp_path: Path, report: dict[str, Any]) -> Path:
    write_result(tmp_path, report)
    (tmp_path / "tables.toml").write_text(PLAN)
    return tmp_path


def test_the_committed_page_is_the_rendering_of_the_committed_figures() -> None:
    page = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    assert page == render(ROOT / "docs" / "results"), "run `python -m training results`"


def test_every_committed_figure_says_how_it_came_to_be() -> None:
    files = {path: json.loads(path.read_text(encoding="utf-8")) for path in (ROOT / "docs" / "results").glob("*.json")}
    for path, run in ((path, content["run"]) for path, content in files.items() if not {"points", "benchmark"} & set(content)):
        assert {"command", "split", "seed", "shape", "epochs", "batch", "commit"} <= set(run) and run["name"] == path.stem
        assert not any(str(value).startswith("/") for value in run.values())


def test_a_row_shows_ours_beside_the_papers_with_interval_size_and_time(folder: Path) -> None:
    figures = json.loads((folder / "made-up.json").read_text())["figures"]
    low, high = figures["cancer.breast.auc"]["interval95"]
    page = render(folder)
    assert (
        f"| cancer by breast | 0.90 | {figures['cancer.breast.auc']['value']:.3f} ({low:.3f} to {high:.3f}) | 80 (40) | 8x8 | 2 | 5 min |"
        in page
    )
    assert "DeLong p" in page and "| not yet | 0.91 | not run here |" in page
    assert "`python -m training evaluate made-up`, split 70/10/20, seed 3" in page and "abc1234" in page
    assert "### Subgroups of `made-up` by breast" in page and "machine: alpha" in page


def test_changing_a_figure_changes_the_page(folder: Path, tmp_path: Path) -> None:
    before, path = render(folder), folder / "made-up.json"
    result = json.loads(path.read_text())
    result["figures"]["cancer.breast.auc"]["value"] = 0.123
    path.write_text(json.dumps(result))
    render_results(folder, tmp_path / "page.md")
    after = (tmp_path / "page.md").read_text()
    assert after != before and "0.123" in after


def test_a_row_that_names_no_figure_says_which_there_are(folder: Path) -> None:
    (folder / "tables.toml").write_text(PLAN.replace("cancer.breast.auc", "cancer.breast.aux"))
    with pytest.raises(KeyError, match=r"no figure 'cancer\.breast\.aux'; it has: .*cancer\.breast\.auc"):
        render(folder)


def test_a_run_that_no_table_names_is_still_shown(folder: Path) -> None:
    result = json.loads((folder / "made-up.json").read_text())
    (folder / "extra.json").write_text(json.dumps(result | {"run": RUN | {"name": "extra"}}))
    assert "## Other runs" in render(folder) and "| extra | cancer.image.auc |" in render(folder)


def test_a_learning_curve_is_a_table(folder: Path) -> None:
    figures = {"view": {"figure": "auc", "value": 0.9, "interval95": [0.8, 0.95], "n": 70}}
    point = {"patients": 25, "samples": 100, "run": "labels-view-25-patients", "figures": figures}
    curve = {"experiment": "labels-view", "paper": "Yi", "datasets": ["made"], "shape": [8, 8], "seed": 0, "points": [point]}
    (folder / "labels-view-curve.json").write_text(json.dumps(curve))
    assert "| labels-view-curve | 25 | 100 | view | auc 0.900 (0.800 to 0.950) | 70 |" in render(folder)


def test_figures_have_names_to_call_them_by(report: dict[str, Any]) -> None:
    names = set(flatten(report))
    assert {
        "cancer.patient.auc", "cancer.image.sensitivity at f1", "cancer.breast.auc of age alone", "view.image.auc", "density.accuracy",
        "cancer.image.ece, platt", "pointing.hit_rate",
    } <= names  # fmt: skip


def test_a_report_is_a_page_with_its_pictures_inside(tmp_path: Path, report: dict[str, Any]) -> None:
    blocks = make_pages(report, make_table(), tmp_path, 50)
    html = to_html(blocks, tmp_path, "made-up")
    pictures = sorted(path.name for path in tmp_path.glob("*.png"))
    assert {"confusion-density.png", "roc-cancer.png", "subgroups-density-image.png"} <= set(pictures)
    assert html.count("data:image/png;base64,") == len(pictures) and "http" not in html
    markdown = to_markdown(blocks)
    assert all(f"]({name})" in markdown for name in pictures) and "Pointing game" in markdown


def test_what_a_cell_holds_cannot_break_a_page(tmp_path: Path) -> None:
    blocks: list[Block] = [Heading("a <b>"), Paragraph("c & d"), Table(("x|y",), (("1|2\n3",),))]
    assert "| 1\\|2 3 |" in to_markdown(blocks)
    assert "a &lt;b&gt;" in to_html(blocks, tmp_path, "t") and "c &amp; d" in to_html(blocks, tmp_path, "t")


def test_a_command_is_kept_without_paths_of_this_machine() -> None:
    command = without_paths("python -m training evaluate cancer --data /home/someone/data --runs runs")
    assert command == "python -m training evaluate cancer --data FOLDER/data --runs runs"
