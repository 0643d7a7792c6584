"""Every attribute that speaks of view or side is a witness: what is not understood is not missing, and contradictions are found."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom.dataset import Dataset

from models.label_words import NOT_UNDERSTOOD
from models.vocabulary import Laterality, View, ViewModifier
from service.domain.findings import Agreement, CorrectionKind, InstanceHeader
from service.domain.header import read_header
from service.domain.header_contradictions import find_contradictions
from service.domain.policy import Action, CorrectionPolicy
from tests.support.declared_headers import coded, compare_declared, declared_mammogram

EAGER = CorrectionPolicy(
    missing="auto",
    contradicts="auto",
    mirrored="auto",
    sides_swapped="auto",
    view_unknown="auto",
    header_contradicts_itself="auto",
    film=True,
)
CC, MLO = coded("399162004"), coded("399368009")


def frames(side: str) -> list[Dataset]:
    anatomy, group = Dataset(), Dataset()
    anatomy.FrameLaterality = side
    group.FrameAnatomySequence = [anatomy]
    return [group]


def long_code(value: str) -> Dataset:
    item = Dataset()
    item.LongCodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", "for people"
    return item


VIEWS_NOT_UNDERSTOOD: dict[str, dict[str, Any]] = {
    "the retired exaggerated view": {"ViewCodeSequence": [coded("399265009")]},
    "the same in SRT": {"ViewCodeSequence": [coded("R-102CF", "SRT")]},
    "the same in SNM3": {"ViewCodeSequence": [coded("R-102CF", "SNM3")]},
    "a local code": {"ViewCodeSequence": [coded("CC-X", "99LOCAL")]},
    "a code without a scheme": {"ViewCodeSequence": [coded("399162004", "")]},
    "an unknown long code": {"ViewCodeSequence": [long_code("12345678901234567")]},
    "a known code beside a position that is not": {"ViewCodeSequence": [CC], "ViewPosition": "XCC"},
    "an unknown code beside a known position": {"ViewCodeSequence": [coded("399265009")], "ViewPosition": "CC"},
    "XCC": {"ViewPosition": "XCC"},
    "SPECIMEN": {"ViewPosition": "SPECIMEN"},
    "LATERAL": {"ViewPosition": "LATERAL"},
    "OBLIQUE": {"ViewPosition": "OBLIQUE"},
    "PA": {"ViewPosition": "PA"},
    "two values, one unknown": {"ViewPosition": ["CC", "ZZ"]},
    "a description": {"SeriesDescription": "exaggerated CC"},
    "a French description": {"ProtocolName": "sein de profil"},
    "a processing description": {"AcquisitionDeviceProcessingDescription": "SPECIMEN"},
}


@pytest.mark.parametrize("attributes", VIEWS_NOT_UNDERSTOOD.values(), ids=VIEWS_NOT_UNDERSTOOD.keys())
@pytest.mark.parametrize("side", [{"ImageLaterality": "L"}, {}], ids=["side declared", "side absent"])
def test_a_view_that_is_not_understood_is_reported_and_never_filled_in(attributes: dict[str, Any], side: dict[str, Any]) -> None:
    correction = compare_declared(declared_mammogram(**attributes, **side), "L", "CC")
    assert (correction.view, correction.kind) == (Agreement.UNSURE, CorrectionKind.VIEW_UNKNOWN)
    assert "not understood" in correction.blocked_reason
    assert EAGER.action(correction) is Action.REPORT


SIDES_NOT_UNDERSTOOD: dict[str, dict[str, Any]] = {
    "an unknown letter": {"ImageLaterality": "X"},
    "unpaired": {"ImageLaterality": "U"},
    "a question mark": {"Laterality": "?"},
    "a frame": {"FrameLaterality": "Z"},
    "a frame of a functional group": {"SharedFunctionalGroupsSequence": frames("U")},
    "an unknown value beside a known one": {"ImageLaterality": "X", "Laterality": "L"},
    "a mirrored orientation alone": {"PatientOrientation": ["P", "R"]},
    "a rotated orientation alone": {"PatientOrientation": ["L", "A"]},
    "an ambiguous abbreviation": {"SeriesDescription": "DX MAMMO"},
}


@pytest.mark.parametrize("attributes", SIDES_NOT_UNDERSTOOD.values(), ids=SIDES_NOT_UNDERSTOOD.keys())
@pytest.mark.parametrize("view", [{"ViewCodeSequence": [CC], "ViewPosition": "CC"}, {}], ids=["view declared", "view absent"])
def test_a_side_that_is_not_understood_is_reported_and_never_filled_in(attributes: dict[str, Any], view: dict[str, Any]) -> None:
    correction = compare_declared(declared_mammogram(**attributes, **view), "L", "CC")
    assert (correction.laterality, correction.kind) == (Agreement.UNSURE, CorrectionKind.VIEW_UNKNOWN)
    assert EAGER.action(correction) is Action.REPORT


RIGHT: dict[str, dict[str, Any]] = {
    "Right breast": {"AnatomicRegionSequence": [coded("73056007")]},
    "Right breast in SRT": {"AnatomicRegionSequence": [coded("T-04020", "SRT")]},
    "Right breast in SNM3": {"AnatomicRegionSequence": [coded("T-04020", "SNM3")]},
    "a modifier": {"AnatomicRegionSequence": [coded("76752008", AnatomicRegionModifierSequence=[coded("24028007")])]},
    "a modifier in SRT": {"AnatomicRegionSequence": [coded("T-04000", "SRT", AnatomicRegionModifierSequence=[coded("G-A100", "SRT")])]},
    "a local code with a meaning": {"AnatomicRegionSequence": [coded("B-R", "99LOCAL", "Mama derecha")]},
    "primary structure": {"PrimaryAnatomicStructureSequence": [coded("73056007")]},
    "body part": {"BodyPartExamined": "RIGHT BREAST"},
    "body part in one word": {"BodyPartExamined": "RBREAST"},
    "orientation": {"PatientOrientation": ["P", "L"]},
    "orientation of an oblique view": {"ViewPosition": "MLO", "PatientOrientation": ["A", "FL"]},
    "German": {"SeriesDescription": "CC rechts"},
    "Italian": {"SeriesDescription": "CC DX"},
    "French": {"ProtocolName": "Sein droit"},
    "Japanese": {"SeriesDescription": "右 CC"},
    "position": {"ViewPosition": "RCC"},
    "frame": {"FrameLaterality": "R"},
    "frame of a functional group": {"SharedFunctionalGroupsSequence": frames("R")},
    "processing": {"AcquisitionDeviceProcessingDescription": "Mamma rechts"},
    "a word for a letter": {"ImageLaterality": "right"},
}


@pytest.mark.parametrize("attributes", RIGHT.values(), ids=RIGHT.keys())
def test_the_side_is_read_from_every_attribute_and_no_other_side_is_written(attributes: dict[str, Any]) -> None:
    dataset = declared_mammogram(**attributes)
    header = read_header(dataset)
    assert header.laterality is Laterality.R
    view = "MLO" if header.view is View.MLO else "CC"
    correction = compare_declared(dataset, "L", view)
    assert (correction.declared_laterality, correction.laterality) == (Laterality.R, Agreement.CONTRADICT)
    assert correction.blocked_reason and EAGER.action(correction) is Action.REPORT


@pytest.mark.parametrize(
    ("attributes", "texts"),
    [
        ({"ViewCodeSequence": [CC], "ViewPosition": "MLO"}, ["ViewCodeSequence says CC", "ViewPosition says MLO"]),
        ({"ViewCodeSequence": [CC, MLO]}, ["ViewCodeSequence says CC", "ViewCodeSequence says MLO"]),
        ({"ViewPosition": ["CC", "MLO"]}, ["ViewPosition says CC", "ViewPosition says MLO"]),
        ({"ViewCodeSequence": [CC], "SeriesDescription": "L MLO"}, ["SeriesDescription says MLO"]),
        ({"ViewCodeSequence": [CC], "ProtocolName": "LMLO"}, ["ProtocolName says MLO"]),
        ({"ViewCodeSequence": [coded("R-10226", "SRT")], "ViewPosition": "CC"}, ["says MLO", "says CC"]),
        ({"ImageLaterality": "L", "Laterality": "R"}, ["ImageLaterality says L", "Laterality says R"]),
        ({"ImageLaterality": ["L", "R"]}, ["ImageLaterality says L", "ImageLaterality says R"]),
        ({"ImageLaterality": "L", "SeriesDescription": "R CC"}, ["SeriesDescription says R"]),
        ({"ImageLaterality": "L", "SeriesDescription": "CC rechts"}, ["SeriesDescription says R"]),
        ({"ImageLaterality": "L", "AnatomicRegionSequence": [coded("73056007")]}, ["AnatomicRegionSequence says R"]),
        ({"ImageLaterality": "L", "BodyPartExamined": "RIGHT BREAST"}, ["BodyPartExamined says R"]),
        ({"ImageLaterality": "L", "ViewPosition": "RCC"}, ["ViewPosition says R"]),
        ({"ImageLaterality": "L", "PatientOrientation": ["P", "L"], "ViewPosition": "CC"}, ["PatientOrientation says R"]),
        ({"ImageLaterality": "L", "PatientOrientation": ["P", "FL"], "ViewPosition": "MLO"}, ["PatientOrientation says R"]),
        ({"ImageLaterality": "L", "FrameLaterality": "R"}, ["FrameLaterality says R"]),
    ],
)
def test_a_header_that_contradicts_itself_is_a_kind_of_its_own(attributes: dict[str, Any], texts: list[str]) -> None:
    view = "MLO" if attributes.get("ViewPosition") == "MLO" and "PatientOrientation" in attributes else "CC"
    correction = compare_declared(declared_mammogram(**attributes), "L", view)
    assert correction.kind is CorrectionKind.HEADER_CONTRADICTS_ITSELF
    evidence = " ".join(each.text for each in correction.evidence if each.code == "header")
    assert all(text in evidence and text in correction.reason for text in texts)
    assert EAGER.action(correction) is Action.REPORT and CorrectionPolicy().action(correction) is Action.REPORT
    assert CorrectionPolicy(header_contradicts_itself="off").action(correction) is Action.OFF


CONSISTENT: dict[str, dict[str, Any]] = {
    "all attributes": {
        "ViewCodeSequence": [CC],
        "ViewPosition": "CC",
        "ImageLaterality": "L",
        "SeriesDescription": "L CC",
        "PatientOrientation": ["A", "R"],
        "AnatomicRegionSequence": [coded("76752008")],
        "BodyPartExamined": "BREAST",
    },
    "mirrored layout": {"ViewCodeSequence": [CC], "ImageLaterality": "L", "PatientOrientation": ["P", "R"]},
    "rotated layout of a CC image": {"ViewCodeSequence": [CC], "ImageLaterality": "L", "PatientOrientation": ["P", "L"]},
    "rotated layout of an MLO image": {"ViewCodeSequence": [MLO], "ImageLaterality": "L", "PatientOrientation": ["P", "HL"]},
    "a series of all views": {"ViewCodeSequence": [CC], "ImageLaterality": "L", "SeriesDescription": "RCC LCC RMLO LMLO"},
    "an orientation of nothing": {"ViewCodeSequence": [CC], "ImageLaterality": "L", "PatientOrientation": ["X", "Y"]},
    "half an orientation": {"ViewCodeSequence": [CC], "ImageLaterality": "L", "PatientOrientation": ["A", ""]},
    "empty values": {"ViewCodeSequence": [], "ViewPosition": "", "ImageLaterality": "", "Laterality": "", "SeriesDescription": ""},
}


@pytest.mark.parametrize("attributes", CONSISTENT.values(), ids=CONSISTENT.keys())
def test_a_consistent_header_has_no_contradiction(attributes: dict[str, Any]) -> None:
    assert find_contradictions(read_header(declared_mammogram(**attributes))) == ()


def test_missing_means_that_nothing_speaks_of_it() -> None:
    correction = compare_declared(declared_mammogram(BodyPartExamined="BREAST", SeriesDescription="Screening"), "L", "CC")
    assert (correction.view, correction.laterality, correction.kind) == (Agreement.MISSING, Agreement.MISSING, CorrectionKind.MISSING)
    assert CorrectionPolicy().action(correction) is Action.AUTO


def test_a_modifier_on_the_top_level_is_a_modifier_too() -> None:
    header = read_header(declared_mammogram(ViewCodeSequence=[CC], ViewModifierCodeSequence=[coded("399209000")]))
    assert header.view_modifiers == (ViewModifier.ID,)


def test_a_word_that_names_a_person_is_never_shown() -> None:
    header = read_header(declared_mammogram(PatientName="Specimen^Anna", PatientID="XCC", ViewPosition="SPECIMEN", ImageLaterality="Anna"))
    assert [(each.value, each.word) for each in header.declared_labels] == [(NOT_UNDERSTOOD, "")] * 2
    header = read_header(declared_mammogram(ViewPosition="ANNA BELLA CARLA"))
    assert header.declared_labels[0].word == "ANNA"


def test_a_text_around_a_label_is_never_kept() -> None:
    header = read_header(declared_mammogram(SeriesDescription="Doe, Jane 1960 L CC"))
    assert [each.word for each in header.declared_labels] == ["CC", "L"]
    assert "Jane" not in header.model_dump_json() and "1960" not in header.model_dump_json()


def test_a_header_that_an_older_version_stored_has_no_witnesses() -> None:
    stored = read_header(declared_mammogram(ViewCodeSequence=[CC], ViewPosition="MLO")).model_dump(exclude={"declared_labels"})
    header = InstanceHeader.model_validate(stored)
    assert header.declared_labels == () and find_contradictions(header) == ()


def test_auto_waits_for_a_person_where_an_attribute_keeps_the_former_label() -> None:
    """A correction changes ImageLaterality and removes Laterality; Anatomic Region Sequence stays as it is."""
    dataset = declared_mammogram(ViewCodeSequence=[CC], ViewPosition="CC", AnatomicRegionSequence=[coded("73056007")], ImageLaterality="R")
    correction = compare_declared(dataset, "L", "CC").model_copy(update={"blocked_reason": ""})
    assert correction.kept_sources == ("AnatomicRegionSequence",)
    assert EAGER.action(correction) is Action.APPROVE
    described = correction.model_copy(update={"kept_sources": ("SeriesDescription",)})
    assert EAGER.action(described) is Action.AUTO
    assert EAGER.model_copy(update={"mode": "overwrite"}).action(described) is Action.APPROVE
