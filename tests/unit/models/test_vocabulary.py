"""Every code in the table is one that the standard's own lists know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from pydicom.sr._cid_dict import cid_concepts
from pydicom.sr._concepts_dict import concepts
from pydicom.sr._snomed_dict import mapping

from models.vocabulary import (
    BREAST_CODES,
    DENSITY_CODES,
    LATERALITY_CODES,
    MODIFIER_CODES,
    VIEW_CODES,
    Code,
    Density,
    Laterality,
    View,
    ViewModifier,
)


def members(context_group: int) -> set[str]:
    """SNOMED CT code values of a context group of PS3.16, as pydicom ships it."""
    schemes: dict[str, dict[str, Any]] = concepts  # its type does not tell schemes apart
    return {value for keyword in cid_concepts[context_group]["SCT"] for value in schemes["SCT"][keyword]}


@pytest.mark.parametrize(
    ("table", "context_group"),
    [(VIEW_CODES, 4014), (MODIFIER_CODES, 4015), (DENSITY_CODES, 6000), (BREAST_CODES, 6022), (LATERALITY_CODES, 244)],
)
def test_codes_are_those_of_the_context_group(table: Mapping[Any, Code], context_group: int) -> None:
    assert {code.value for code in table.values()} <= members(context_group)
    assert {code.scheme for code in table.values()} == {"SCT"}


def test_views_and_modifiers_are_complete() -> None:
    assert {code.value for code in VIEW_CODES.values()} == members(4014)
    assert {code.value for code in MODIFIER_CODES.values()} == members(4015)
    for table, words in ((VIEW_CODES, View), (MODIFIER_CODES, ViewModifier), (DENSITY_CODES, Density), (BREAST_CODES, Laterality)):
        assert {*table, words("UNKNOWN")} == set(words)


@pytest.mark.parametrize("table", [VIEW_CODES, MODIFIER_CODES])
def test_legacy_codes_are_read_both_ways_without_doubt(table: Mapping[Any, Code]) -> None:
    values = [value for code in table.values() for value in (code.value, *code.legacy)]
    assert len(values) == len(set(values))
    for code in table.values():
        assert mapping["SCT"][code.value] in code.legacy
