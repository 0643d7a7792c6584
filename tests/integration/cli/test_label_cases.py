"""Headers that were read wrongly, as ``mammotriage label --json`` answers them: codes, sides and contradictions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pydicom
import pytest

from models.vocabulary import Laterality
from service.domain.findings import CorrectionKind
from service.domain.policy import Action, CorrectionPolicy
from tests.integration.cli.test_label import label, lines
from tests.support.declared_headers import compare_declared

FOLDERS = ("04-view-not-understood-counts-as-missing", "05-side-not-read-counts-as-missing", "06-header-contradicts-itself")


@pytest.fixture(scope="module")
def answers(reported_cases: Path) -> dict[str, dict[str, Any]]:
    """Answers by file name."""
    done = label(*(reported_cases / folder for folder in FOLDERS), "--json")
    assert done.returncode == 0, done.stderr
    return lines(done)


@pytest.mark.parametrize(
    ("name", "attribute", "word"),
    [("a-code-399265009.dcm", "ViewCodeSequence", "399265009 SCT"), ("c-position-SPECIMEN.dcm", "ViewPosition", "SPECIMEN")],
)
def test_a_view_that_is_not_understood_is_not_missing(answers: dict[str, dict[str, Any]], name: str, attribute: str, word: str) -> None:
    answer = answers[name]
    assert answer["agreement"] == {"view": "unsure", "laterality": "agree"}
    assert {"label": "view", "attribute": attribute, "value": "NOT_UNDERSTOOD", "word": word} in answer["declared"]["sources"]


@pytest.mark.parametrize(
    ("name", "attribute"),
    [("a-anatomic-region-right.dcm", "AnatomicRegionSequence"), ("d-orientation-of-a-right-breast.dcm", "PatientOrientation")],
)
def test_the_side_is_read_where_it_is_declared(answers: dict[str, dict[str, Any]], name: str, attribute: str) -> None:
    answer = answers[name]
    assert (answer["declared"]["laterality"], answer["laterality"]["value"]) == ("R", "L")
    assert answer["agreement"] == {"view": "agree", "laterality": "contradicts"}
    assert attribute in {each["attribute"] for each in answer["declared"]["sources"] if each["value"] == "R"}
    assert {"label": "laterality", "declared": "R", "pixels": "L"} in answer["disagreements"]


@pytest.mark.parametrize(
    ("name", "agreement", "text"),
    [
        ("a-code-CC-position-MLO.dcm", ("contradicts", "agree"), "ViewCodeSequence says CC, ViewPosition says MLO"),
        ("b-image-L-series-R.dcm", ("agree", "contradicts"), "ImageLaterality says L, Laterality says R"),
    ],
)
def test_a_header_that_contradicts_itself_says_so(
    answers: dict[str, dict[str, Any]], name: str, agreement: tuple[str, str], text: str
) -> None:
    assert tuple(answers[name]["agreement"].values()) == agreement
    assert answers[name]["declared"]["contradictions"] == [text]


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        (FOLDERS[0], CorrectionKind.VIEW_UNKNOWN),
        (FOLDERS[1], CorrectionKind.CONTRADICTS),
        (FOLDERS[2], CorrectionKind.HEADER_CONTRADICTS_ITSELF),
    ],
)
def test_each_case_is_reported_only(reported_cases: Path, folder: str, kind: CorrectionKind) -> None:
    eager = CorrectionPolicy(missing="auto", contradicts="auto", view_unknown="auto", header_contradicts_itself="auto")
    for path in sorted((reported_cases / folder).glob("*.dcm")):
        correction = compare_declared(pydicom.dcmread(path), "L", "CC")
        assert (correction.kind, correction.pixel_laterality) == (kind, Laterality.L), path.name
        assert correction.blocked_reason and eager.action(correction) is Action.REPORT, path.name
