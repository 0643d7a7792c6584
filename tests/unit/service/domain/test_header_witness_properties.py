"""For no header, consistent or not, a correction is written without a person that an attribute of the header contradicts."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from pydicom.dataset import Dataset

from models.vocabulary import Laterality, View
from service.domain.findings import Agreement, CorrectionKind
from service.domain.header import read_header
from service.domain.label_evaluation import evaluate_labels
from service.domain.policy import Action, CorrectionPolicy
from service.report.label_changes import DecidedCorrection, Decision, changes_to_correct, changes_to_revert, new_labels, set_labels
from tests.support.declared_headers import analysed_as, coded, declared_mammogram

# What pydicom says of odd values is no news here.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

ODD = "?"
"""A label that no correction may be filled in beside: the value speaks of the label and names none that is known."""
EAGER = CorrectionPolicy(
    missing="auto",
    contradicts="auto",
    mirrored="auto",
    sides_swapped="auto",
    view_unknown="auto",
    header_contradicts_itself="auto",
    film=True,
)


class Says(NamedTuple):
    """A value, and the view and the side that a person reads in it; '' where it says nothing of them."""

    value: Any
    view: str = ""
    side: str = ""


def region(value: str, scheme: str = "SCT", *modifiers: Dataset) -> list[Dataset]:
    return [coded(value, scheme, AnatomicRegionModifierSequence=list(modifiers))]


def frames(side: str) -> list[Dataset]:
    anatomy, group = Dataset(), Dataset()
    anatomy.FrameLaterality = side
    group.FrameAnatomySequence = [anatomy]
    return [group]


TEXTS = (
    Says("Screening"),
    Says("L CC", "CC", "L"),
    Says("RMLO", "MLO", "R"),
    Says("CC rechts", "CC", "R"),
    Says("CC DX", "CC", "R"),
    Says("sein gauche", "", "L"),
    Says("mama izquierda craneocaudal", "CC", "L"),
    Says("mama direita", "", "R"),
    Says("Cranio Caudale sinistra", "CC", "L"),
    Says("borst rechts", "", "R"),
    Says("prawa MLO", "MLO", "R"),
    Says("sağ meme", "", "R"),
    Says("右 内外斜位", "MLO", "R"),
    Says("左", "", "L"),
    Says("exaggerated CC", ODD),
    Says("specimen", ODD),
    Says("Right ML", "ML", "R"),
    Says("XCCL left", "XCCL", "L"),
    Says("RCC LCC RMLO LMLO"),
)
SIDES = (Says("L", "", "L"), Says("R", "", "R"), Says("B", "", ODD), Says("X", "", ODD), Says(["L", "R"], "", ODD), Says("right", "", "R"))
WITNESSES: dict[str, tuple[Says, ...]] = {
    "ViewCodeSequence": (
        Says([coded("399162004")], "CC"),
        Says([coded("R-10226", "SNM3")], "MLO"),
        Says([coded("R-10242", "SRT")], "CC"),
        Says([coded("399260004")], "ML"),
        Says([coded("399265009")], ODD),
        Says([coded("CC", "99LOCAL")], ODD),
        Says([coded("399162004"), coded("399368009")], ODD),
        Says([coded("399162004", ViewModifierCodeSequence=[coded("999")])], ODD),
        Says([]),
    ),
    "ViewModifierCodeSequence": (Says([coded("399209000")], ODD), Says([])),
    "ViewPosition": (
        Says("CC", "CC"),
        Says("MLO", "MLO"),
        Says("RCC", "CC", "R"),
        Says("LMLO", "MLO", "L"),
        Says("XCC", ODD),
        Says("LATERAL", ODD),
        Says("SPECIMEN", ODD),
        Says(["CC", "MLO"], ODD),
        Says("ML", "ML"),
        Says("CCID", ODD),
        Says(""),
    ),
    "ImageLaterality": SIDES,
    "Laterality": SIDES,
    "FrameLaterality": SIDES,
    "SharedFunctionalGroupsSequence": (Says(frames("L"), "", "L"), Says(frames("R"), "", "R")),
    "AnatomicRegionSequence": (
        Says(region("76752008")),
        Says(region("73056007"), "", "R"),
        Says(region("T-04030", "SRT"), "", "L"),
        Says(region("76752008", "SCT", coded("24028007")), "", "R"),
        Says(region("T-04000", "SNM3", coded("G-A101", "SNM3")), "", "L"),
        Says(region("63762007"), "", ODD),
    ),
    "BodyPartExamined": (Says("BREAST"), Says("RIGHT BREAST", "", "R"), Says("LBREAST", "", "L"), Says("BREAST LEFT", "", "L")),
    "PatientOrientation": (
        Says(["P", "L"], "", "R"),
        Says(["A", "R"], "", "L"),
        Says(["P", "FL"], "", "R"),
        Says(["A", "FR"], "", "L"),
        Says(["P", "HL"], "", "L"),
        Says(["P", "R"]),
        Says(["X", "Y"]),
        Says("CC", "CC"),
    ),
    "SeriesDescription": TEXTS,
    "ProtocolName": TEXTS,
    "AcquisitionDeviceProcessingDescription": TEXTS,
}


class Declared(NamedTuple):
    """A header and what it says."""

    dataset: Dataset
    says: dict[str, Says]


@some.composite
def headers(draw: some.DrawFn) -> Declared:
    """Up to five attributes, so that consistent headers are drawn too."""
    keywords = draw(some.lists(some.sampled_from(sorted(WITNESSES)), max_size=5, unique=True))
    says = {keyword: draw(some.sampled_from(WITNESSES[keyword])) for keyword in keywords}
    return Declared(declared_mammogram(**{keyword: deepcopy(each.value) for keyword, each in says.items()}), says)


def contradicts(says: Says, view: str, side: str) -> bool:
    return says.view not in ("", view) or says.side not in ("", side)


Shown = some.tuples(some.sampled_from("RL"), some.sampled_from(("CC", "MLO")))


@settings(max_examples=500, deadline=None)
@given(some.lists(some.tuples(headers(), Shown), min_size=1, max_size=4))
def test_nothing_is_written_without_a_person_against_any_witness(study: list[tuple[Declared, tuple[str, str]]]) -> None:
    for number, (declared, _) in enumerate(study):
        declared.dataset.SOPInstanceUID = f"2.25.1{number}"
    images = [analysed_as(declared.dataset, *shown) for declared, shown in study]
    for (declared, _), correction in zip(study, evaluate_labels(images).corrections, strict=True):
        if CorrectionPolicy().action(correction) is not Action.AUTO:
            continue
        assert correction.kind is CorrectionKind.MISSING
        for keyword, says in declared.says.items():
            assert not contradicts(says, correction.new_view, correction.new_laterality), keyword


@settings(max_examples=500, deadline=None)
@given(headers(), some.sampled_from("RL"), some.sampled_from(("CC", "MLO")))
def test_even_an_eager_policy_waits_where_the_header_disagrees_or_is_not_understood(declared: Declared, side: str, view: str) -> None:
    correction = evaluate_labels([analysed_as(declared.dataset, side, view)]).corrections[0]
    spoken = {name: {getattr(each, name) for each in declared.says.values()} - {""} for name in ("view", "side")}
    odd = any(ODD in values or len(values) > 1 for values in spoken.values())
    text_only = {"SeriesDescription", "ProtocolName", "AcquisitionDeviceProcessingDescription", "PatientOrientation"}
    if odd and not text_only.intersection(declared.says):
        assert EAGER.action(correction) is not Action.AUTO


@settings(max_examples=500, deadline=None)
@given(headers(), some.sampled_from("RL"), some.sampled_from(("CC", "MLO")))
def test_missing_means_that_no_attribute_speaks_of_it_or_all_agree(declared: Declared, side: str, view: str) -> None:
    correction = evaluate_labels([analysed_as(declared.dataset, side, view)]).corrections[0]
    if correction.view is Agreement.MISSING:
        assert {each.view for each in declared.says.values()} <= {"", view, ODD}
        assert not any(each.view == ODD for keyword, each in declared.says.items() if keyword.startswith("View"))
    if correction.laterality is Agreement.MISSING:
        spoken = {each.side for keyword, each in declared.says.items() if keyword != "PatientOrientation"}
        assert spoken <= {"", side}


@settings(max_examples=500, deadline=None)
@given(headers(), some.sampled_from("RL"), some.sampled_from(("CC", "MLO")))
def test_a_correction_that_is_applied_and_undone_restores_the_header(declared: Declared, side: str, view: str) -> None:
    image = analysed_as(declared.dataset, side, view)
    correction = evaluate_labels([image]).corrections[0]
    if EAGER.action(correction) is not Action.AUTO:
        return
    decided = DecidedCorrection(correction, Decision("policy", "", datetime(2026, 3, 5, tzinfo=UTC)), (), side == "R")
    former = declared.dataset
    corrected = deepcopy(former)
    labels = new_labels(decided, former)
    set_labels(corrected, labels)
    header = read_header(corrected)
    assert (header.view, header.laterality) == (View(view), Laterality(side))
    assert changes_to_correct(decided, former).values.keys() == labels.keys()
    set_labels(corrected, changes_to_revert(decided, former, decided.decision).values)
    assert read_header(corrected) == read_header(former)
