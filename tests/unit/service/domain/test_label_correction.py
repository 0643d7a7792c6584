"""Which differences one image's labels can have, and what may never be corrected by a machine alone."""

from __future__ import annotations

from typing import Any

import pytest

from models.vocabulary import ImageKind, Laterality, View, ViewModifier
from service.domain.findings import Agreement, CorrectionKind, ImageFinding, InstanceState, LabelCorrection, Reason
from service.domain.label_evaluation import evaluate_labels
from service.domain.policy import Action, CorrectionPolicy
from service.domain.study_image import StudyImage
from tests.support.analysed_images import alter, analysed_image, standard_study

R, L = Laterality.R, Laterality.L
ABSENT = (View.UNKNOWN, Laterality.UNKNOWN)


def judge(study: list[StudyImage], uid: str = "1.2.1") -> LabelCorrection:
    return next(each for each in evaluate_labels(study).corrections if each.sop_instance_uid == uid)


def test_right_labels_need_nothing() -> None:
    corrections, reasoning, _ = evaluate_labels(standard_study())
    for correction in corrections:
        assert (correction.view, correction.laterality, correction.kind) == (Agreement.AGREE, Agreement.AGREE, None)
        assert (correction.blocked_reason, correction.evidence, correction.confidence) == ("", (), 0.0)
    assert reasoning.verdict == "as-declared"


def test_missing_labels_are_filled_from_the_pixels_with_the_lesser_confidence() -> None:
    correction = judge(standard_study(rcc=analysed_image("1", ABSENT, ("CC", "R"))))
    assert (correction.kind, correction.new_view, correction.new_laterality) == (CorrectionKind.MISSING, View.CC, R)
    assert (correction.blocked_reason, correction.confidence) == ("", 0.97)
    assert CorrectionPolicy().action(correction) is Action.AUTO


def test_an_image_alone_may_be_filled_in() -> None:
    assert judge([analysed_image("1", ABSENT, ("CC", "R"))]).blocked_reason == ""


def test_a_label_outside_its_standard_attribute_counts_as_missing() -> None:
    film = analysed_image("1", (View.CC, R), ("CC", "R"), sources=("PatientOrientation", "Laterality"), kind=ImageKind.FILM)
    correction = judge(standard_study(rcc=film))
    assert (correction.view, correction.laterality) == (Agreement.MISSING, Agreement.MISSING)
    assert (correction.kind, correction.blocked_reason, correction.film) == (CorrectionKind.MISSING, "", True)


def test_film_waits_for_the_destination_to_opt_in() -> None:
    correction = judge([analysed_image("1", ABSENT, ("CC", "R"), kind=ImageKind.FILM)])
    assert CorrectionPolicy().action(correction) is Action.REPORT
    assert CorrectionPolicy(film=True).action(correction) is Action.AUTO


@pytest.mark.parametrize("pixels", [("UNKNOWN", "R"), ("CC", "UNKNOWN")], ids=["view", "side"])
@pytest.mark.parametrize("declared", [ABSENT, (View.UNKNOWN, R), (View.CC, Laterality.UNKNOWN)], ids=["neither", "side only", "view only"])
def test_below_confidence_the_answer_is_unsure_and_nothing_is_written(pixels: tuple[str, str], declared: tuple[View, Laterality]) -> None:
    correction = judge(standard_study(rcc=analysed_image("1", declared, pixels)))
    assert Agreement.UNSURE in (correction.view, correction.laterality)
    assert correction.kind is None or correction.blocked_reason


def test_a_label_below_confidence_contradicts_nothing() -> None:
    correction = judge(standard_study(rcc=analysed_image("1", (View.MLO, L), ("UNKNOWN", "UNKNOWN"))))
    assert (correction.view, correction.laterality, correction.kind) == (Agreement.UNSURE, Agreement.UNSURE, None)


@pytest.mark.parametrize("view", [View.ML, View.XCCL, View.SPECIMEN])
def test_a_view_that_the_networks_do_not_know_is_a_kind_of_its_own(view: View) -> None:
    correction = judge(standard_study(rcc=analysed_image("1", (view, R), ("MLO", "R"))))
    assert (correction.kind, correction.new_view) == (CorrectionKind.VIEW_UNKNOWN, view)
    assert "not trained on the declared view" in correction.blocked_reason


NEVER: dict[str, dict[str, Any]] = {
    "another view": {"view": View.XCCL},
    "a modifier": {"view_modifiers": (ViewModifier.RL,)},
    "a modifier that nobody knows": {"view_modifiers": (ViewModifier.UNKNOWN,)},
    "a partial view": {"partial_view": True},
    "an implant": {"implant": True},
    "quality control": {"quality_control": True},
    "for processing by intent": {"presentation_intent": "FOR PROCESSING"},
    "for processing by class": {"sop_class_uid": "1.2.840.10008.5.1.4.1.1.1.2.1"},
    "tomosynthesis": {"kind": ImageKind.TOMOSYNTHESIS},
    "another secondary capture": {"kind": ImageKind.UNKNOWN},
    "stereo": {"image_type": ("DERIVED", "PRIMARY", "STEREO_PLUS")},
    "before the needle": {"image_type": ("DERIVED", "PRIMARY", "PREFIRE_MINUS")},
    "after the needle": {"image_type": ("DERIVED", "PRIMARY", "POSTFIRE")},
}


@pytest.mark.parametrize("fields", NEVER.values(), ids=NEVER.keys())
@pytest.mark.parametrize("declared", [ABSENT, (View.CC, L)], ids=["missing", "contradicted"])
def test_what_is_never_automatic_is_reported_whatever_a_destination_wishes(
    declared: tuple[View, Laterality], fields: dict[str, Any]
) -> None:
    image = alter(analysed_image("1", declared, ("CC", "R")), **fields)
    correction = judge(standard_study(rcc=image))
    eager = CorrectionPolicy(missing="auto", contradicts="auto", mirrored="auto", sides_swapped="auto", view_unknown="auto", film=True)
    assert correction.kind is not None and correction.blocked_reason
    assert eager.action(correction) is Action.REPORT


def test_an_image_type_is_read_at_its_third_value() -> None:
    image = analysed_image("1", ABSENT, ("CC", "R"), image_type=("ORIGINAL", "PRIMARY", "", "STEREO"))
    assert judge([image]).blocked_reason
    assert judge([alter(image, image_type=("STEREO", "PRIMARY"))]).blocked_reason == ""


def test_an_image_that_was_not_analysed_has_no_labels_to_compare() -> None:
    refused = ImageFinding(sop_instance_uid="1.2.1", state=InstanceState.SKIPPED, reason=Reason(code="spot", text="a spot view"))
    study = standard_study()
    corrections, *_ = evaluate_labels([StudyImage(study[0].header, refused), *study[1:]])
    assert [each.sop_instance_uid for each in corrections] == ["1.2.2", "1.2.3", "1.2.4"]
