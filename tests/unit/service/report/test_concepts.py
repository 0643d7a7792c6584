"""The code values of the private scheme are identifiers in archives: renaming a state of the service must not change them."""

from __future__ import annotations

from service.report.concepts import DIFFERENCE_VALUES, VERDICT_VALUES


def test_code_values_stay_as_archives_hold_them() -> None:
    assert {kind.value: code.value for kind, code in DIFFERENCE_VALUES.items()} == {
        "missing": "missing",
        "contradicts": "contradict",
        "mirrored": "mirrored",
        "sides-swapped": "exchanged",
        "view-unknown": "view-unknown",
        "header-contradicts-itself": "header-conflict",
    }
    assert {verdict.value: code.value for verdict, code in VERDICT_VALUES.items()} == {
        "as-declared": "as-declared",
        "one-wrong-label": "one-wrong",
        "sides-swapped": "exchanged",
        "mirrored": "mirrored",
        "inconclusive": "unsettled",
    }
