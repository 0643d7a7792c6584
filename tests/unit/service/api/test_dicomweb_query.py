"""What DICOMweb clients write in headers and queries, read without a server."""

from __future__ import annotations

import pytest
from fastapi import Request
from pydicom import Dataset
from pydicom.tag import Tag

from service.api.dicomweb.matching import matches, read_range
from service.api.dicomweb.media_types import Range, read_accept
from service.api.http.problems import ProblemError


def asking(accept: str, query: str = "") -> Request:
    return Request({"type": "http", "headers": [(b"accept", accept.encode())], "query_string": query.encode()})


def test_ranges_are_read_with_quotes_without_them_and_by_quality() -> None:
    text = (
        'image/png;q=0.1, multipart/related; type="application/dicom"; transfer-syntax=*; q=0.9, Multipart/Related;type=application/DICOM'
    )
    assert read_accept(asking(text)) == [
        Range("multipart/related", "application/dicom", "", 1.0),
        Range("multipart/related", "application/dicom", "*", 0.9),
        Range("image/png", "", "", 0.1),
    ]


def test_a_comma_within_quotes_separates_nothing() -> None:
    (only,) = read_accept(asking('multipart/related; type="application/dicom"; boundary="a,b"'))
    assert only.takes_parts_of("application/dicom") and not only.takes_parts_of("application/octet-stream")


@pytest.mark.parametrize("text", ["text/html;q=0", "text/html;q=much", "text/html;q=nan", "text/html;q=-1", "text/html;q=2"])
def test_what_is_not_wanted_or_has_no_quality_is_not_offered(text: str) -> None:
    assert read_accept(asking(text)) == []


def test_nothing_said_is_anything_and_the_query_counts_before_the_header() -> None:
    assert read_accept(asking(""))[0].takes("application/json")
    (only,) = read_accept(asking("text/html", "accept=image/*"))
    assert only.takes("image/png") and not only.takes("text/html")


@pytest.mark.parametrize(
    ("value", "vr", "ends"),
    [
        ("20260305", "DA", ("20260305", "20260305")),
        ("20260305-", "DA", ("20260305", "")),
        ("-1415", "TM", ("", "1415")),
        ("20260305141500.5-20260306", "DT", ("20260305141500.5", "20260306")),
    ],
)
def test_ranges_of_dates_and_times(value: str, vr: str, ends: tuple[str, str]) -> None:
    assert read_range(value, vr) == ends


@pytest.mark.parametrize("value", ["", "-", "--", "2026", "20260305-20260306-20260307", "2026-03-05", "٢٠٢٦٠٣٠٥"])
def test_what_is_no_range_of_dates_is_refused(value: str) -> None:
    with pytest.raises(ProblemError):
        read_range(value, "DA")


@pytest.mark.parametrize(
    ("keyword", "value", "wanted", "expected"),
    [
        ("SeriesTime", "141529.5", "1415", True),
        ("SeriesTime", "141529.5", "1416-", False),
        ("SeriesTime", "141529.5", "-1415", True),
        ("SeriesTime", "", "1415", False),
        ("PerformingPhysicianName", "Wang^XiaoDong=王^小东", "*小东", True),
        ("PerformingPhysicianName", "Wang^XiaoDong=王^小东", "WANG^xiaodong", True),
        ("PerformingPhysicianName", ["One^A", "Two^B"], "two*", True),
        ("SeriesNumber", 12, "012", True),
        ("SeriesNumber", 12, "1", False),
        ("SeriesDescription", "screening [left]", "*[left]", True),
        ("SeriesDescription", "screening", "Screening", False),
        ("ImageType", ["ORIGINAL", "PRIMARY"], "PRIMARY", True),
        ("FrameOfReferenceUID", "1.2.3", "1.2,1.2.3", True),
        ("BodyPartExamined", None, "BREAST", False),
    ],
)
def test_a_value_matches_as_its_representation_demands(keyword: str, value: object, wanted: str, expected: bool) -> None:
    dataset = Dataset()
    setattr(dataset, keyword, value)
    assert matches(dataset, (Tag(keyword),), wanted) is expected
