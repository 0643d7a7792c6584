"""Label errors seeded into a few real studies: noticed, never made worse; and a page that is the rendering of its figures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.label_errors import ERRORS, does_harm, measure, rate
from benchmarks.label_errors_page import render
from benchmarks.seeded_studies import Exam, read_exams, seed_nothing, seed_side, truths
from models.vocabulary import Laterality
from service.domain.findings import CorrectionKind
from service.domain.label_evaluation import evaluate_labels

RESULTS = Path(__file__).parents[3] / "docs" / "results"
PATIENTS = 8
"""Ordinary machines and the mirroring one, four views and fewer."""


@pytest.fixture(scope="module")
def exams(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Exam]:
    return read_exams(data_folder, tmp_path_factory.mktemp("labels") / "labels.json", patients=PATIENTS)


@pytest.fixture(scope="module")
def figures(exams: list[Exam]) -> dict[str, Any]:
    return measure(exams)


def shares(figures: dict[str, Any], column: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for group, errors in figures["errors"].items():
        for error, each in errors.items():
            if each[column]["of"]:
                yield group, error, each[column]


def test_every_kind_of_error_was_seeded(figures: dict[str, Any]) -> None:
    assert {error for _, error, _ in shares(figures, "noticed")} == set(ERRORS)


def test_nothing_wrong_is_ever_on_offer(figures: dict[str, Any]) -> None:
    for column in ("harm", "named wrongly"):
        assert [(group, error) for group, error, each in shares(figures, column) if each["count"]] == []


def test_an_answer_below_confidence_is_never_a_correction(figures: dict[str, Any]) -> None:
    assert figures["unsure"]["of these with a correction on offer"] == 0


def test_errors_are_noticed_and_right_labels_are_left_in_peace(figures: dict[str, Any]) -> None:
    assert all(each["count"] >= 0.9 * each["of"] for group, _, each in shares(figures, "noticed") if "machine" not in group)
    settled = figures["errors"]["four views"]
    assert settled["side of one image"]["settled"]["count"] and settled["one picture mirrored"]["settled"]["count"]
    for group, quiet in figures["no error"].items():
        assert quiet["images with a correction on offer"]["count"] == 0, group
        assert "machine" in group or quiet["images reported"]["count"] == 0


def test_harm_is_seen_where_it_is_done(exams: list[Exam]) -> None:
    """Else the zeros above would say nothing."""
    exam = next(exam for exam in exams if exam.four_views and exam.machine != "49" and len(exam.shots) == 4)
    truth = truths([exam])
    (quiet,), wrong = seed_nothing(exam), next(seed_side(exam))
    offered = next(each for each in evaluate_labels(wrong.study).corrections if each.sop_instance_uid == wrong.target)
    assert offered.kind is CorrectionKind.CONTRADICTS and not offered.blocked_reason and not does_harm(offered, wrong, truth)
    other = Laterality.L if offered.pixel_laterality is Laterality.R else Laterality.R
    assert does_harm(offered.model_copy(update={"pixel_laterality": other}), wrong, truth)
    assert does_harm(offered.model_copy(update={"kind": CorrectionKind.MIRRORED}), wrong, truth)
    assert not any(does_harm(each, quiet, truth) for each in evaluate_labels(quiet.study).corrections)


def test_what_was_read_is_kept_for_the_next_seeding(data_folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "labels.json"
    first = read_exams(data_folder, cache, patients=1)
    written = cache.stat().st_mtime_ns, cache.read_text()
    assert read_exams(data_folder, cache, patients=1) == first
    assert cache.read_text() == written[1]
    cache.write_text(written[1].replace('"stamp": "', '"stamp": "of another labeler '))
    assert read_exams(data_folder, cache, patients=1) == first


def test_a_share_has_its_wilson_interval() -> None:
    assert rate(0, 218)["wilson95"] == [0.0, 0.0173]
    assert rate(5, 10) == {"count": 5, "of": 10, "share": 0.5, "wilson95": [0.2366, 0.7634]}
    assert rate(0, 0)["share"] is None


def test_the_committed_page_is_the_rendering_of_the_committed_figures() -> None:
    figures = json.loads((RESULTS / "label-errors.json").read_text(encoding="utf-8"))
    assert (RESULTS / "label-errors.md").read_text(encoding="utf-8") == render(figures), "run `python -m benchmarks.label_errors`"
