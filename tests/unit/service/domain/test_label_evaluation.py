"""The images of a study together: one label wrong, both sides swapped, mirrored, or not settled; and the evidence for it."""

from __future__ import annotations

import pytest

from models.vocabulary import Laterality, View
from service.domain.findings import Agreement, CorrectionKind, LabelCorrection, Reasoning, Verdict
from service.domain.label_evaluation import evaluate_labels
from service.domain.study_image import StudyImage
from tests.support.analysed_images import alter, analysed_image, mirror, mislabel, standard_study

R, L = Laterality.R, Laterality.L
RCC, LCC, RMLO, LMLO = standard_study()
CONTRADICTS, MIRRORED, SIDES_SWAPPED = CorrectionKind.CONTRADICTS, CorrectionKind.MIRRORED, CorrectionKind.SIDES_SWAPPED


def marked(image: StudyImage, marker: str) -> StudyImage:
    other = analysed_image("0", (View.CC, R), ("CC", "R"), marker=marker).finding
    assert image.finding is not None and other is not None
    return image._replace(finding=image.finding.model_copy(update={"marker": other.marker}))


def reason(*study: StudyImage) -> tuple[dict[str, LabelCorrection], Reasoning]:
    corrections, reasoning, _ = evaluate_labels(study)
    return {each.sop_instance_uid: each for each in corrections if each.kind is not None}, reasoning


def test_one_wrong_side_is_settled_by_the_contralateral_image() -> None:
    found, reasoning = reason(mislabel(RCC), LCC, RMLO, LMLO)
    (correction,) = found.values()
    assert (correction.kind, correction.blocked_reason, correction.new_laterality) == (CONTRADICTS, "", R)
    assert [(each.code, each.sop_instance_uid) for each in correction.evidence] == [("contralateral", LCC.uid)]
    assert reasoning.verdict is Verdict.ONE_WRONG_LABEL and "1 of 4" in reasoning.text


def test_one_mirrored_picture_keeps_its_label() -> None:
    found, reasoning = reason(mirror(RCC), LCC, RMLO, LMLO)
    (correction,) = found.values()
    assert (correction.kind, correction.blocked_reason) == (MIRRORED, "")
    assert (correction.new_view, correction.new_laterality) == (View.CC, R)
    assert reasoning.verdict is Verdict.MIRRORED


@pytest.mark.parametrize(
    "study",
    [
        [mislabel(RCC)],
        [mislabel(RCC), mislabel(RMLO)],
        [mislabel(RCC), LMLO, RMLO],
        [mislabel(RCC), mislabel(LCC), RMLO, LMLO],
        [mislabel(RCC), mislabel(RMLO), LCC, LMLO],
        [mislabel(RCC), RCC, LCC, RMLO, LMLO],
        [mislabel(RCC), LCC],
    ],
    ids=["alone", "one breast", "no other of its view", "both CC", "a whole breast", "repeated", "as many for as against"],
)
def test_a_side_that_no_evidence_decides_is_reported_only(study: list[StudyImage]) -> None:
    study = [alter(image, sop_instance_uid=f"1.2.{number}") for number, image in enumerate(study)]
    found, reasoning = reason(*study)
    turned = [each for each in found.values() if each.laterality is Agreement.CONTRADICT]
    assert turned and all(each.kind is CONTRADICTS and each.blocked_reason for each in turned)
    assert reasoning.verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("change", [mislabel, mirror])
def test_a_whole_study_against_its_labels_is_swapped_or_mirrored_and_looks_the_same(change) -> None:  # type: ignore[no-untyped-def]
    found, reasoning = reason(*(change(image) for image in (RCC, LCC, RMLO, LMLO)))
    assert len(found) == 4 and all(each.kind is CONTRADICTS and each.blocked_reason for each in found.values())
    assert reasoning.verdict is Verdict.INCONCLUSIVE and "mirrored" in reasoning.text


def test_one_readable_marker_tells_swapped_sides_from_mirrored_pictures() -> None:
    swapped, verdict = reason(*(mislabel(image) for image in (marked(RCC, "R-CC"), LCC, RMLO, LMLO)))
    assert {each.kind for each in swapped.values()} == {SIDES_SWAPPED} and verdict.verdict is Verdict.SIDES_SWAPPED
    assert {uid: each.new_laterality for uid, each in swapped.items()} == {RCC.uid: R, LCC.uid: L, RMLO.uid: R, LMLO.uid: L}
    mirrored, verdict = reason(*(mirror(image) for image in (marked(RCC, "R-CC"), LCC, RMLO, LMLO)))
    assert {each.kind for each in mirrored.values()} == {MIRRORED} and verdict.verdict is Verdict.MIRRORED
    assert not any(each.blocked_reason for each in (*swapped.values(), *mirrored.values()))


def test_swapped_sides_are_named_so_whatever_else_is_doubtful() -> None:
    """A destination holds the study by this verdict."""
    study = [mislabel(image) for image in (marked(RCC, "R-CC"), LCC, RMLO, LMLO)]
    study[1] = alter(study[1], view=View.MLO, sop_instance_uid="1.2.9")
    found, reasoning = reason(*study, mislabel(LCC))
    assert found["1.2.9"].blocked_reason and reasoning.verdict is Verdict.SIDES_SWAPPED


def test_markers_that_disagree_settle_nothing() -> None:
    found, reasoning = reason(*(mislabel(image) for image in (marked(RCC, "R-CC"), marked(LCC, "R-CC"), RMLO, LMLO)))
    assert all(each.kind is CONTRADICTS and "disagree" in each.blocked_reason for each in found.values())
    assert reasoning.verdict is Verdict.INCONCLUSIVE


def test_a_marker_settles_an_image_alone() -> None:
    found, reasoning = reason(marked(mislabel(RCC), "R-CC"))
    assert (found[RCC.uid].kind, found[RCC.uid].blocked_reason, reasoning.verdict) == (CONTRADICTS, "", Verdict.ONE_WRONG_LABEL)
    found, reasoning = reason(marked(mirror(RCC), "R-CC"))
    assert (found[RCC.uid].kind, found[RCC.uid].blocked_reason, reasoning.verdict) == (MIRRORED, "", Verdict.MIRRORED)


def test_a_marker_against_the_contralateral_image_leaves_it_open() -> None:
    found, reasoning = reason(marked(mislabel(RCC), "L-CC"), LCC, RMLO, LMLO)
    assert "disagree" in found[RCC.uid].blocked_reason
    assert reasoning.verdict is Verdict.INCONCLUSIVE


def test_a_marker_without_a_side_says_nothing_of_the_side() -> None:
    found, _ = reason(marked(mislabel(RCC), "UNKNOWN-CC"))
    assert found[RCC.uid].blocked_reason


def test_a_detector_that_flipped_this_picture_alone_is_believed() -> None:
    found, _ = reason(alter(mislabel(RCC), field_of_view_horizontal_flip="YES"), LCC, RMLO, LMLO)
    assert "disagree" in found[RCC.uid].blocked_reason
    found, reasoning = reason(alter(mirror(RCC), field_of_view_horizontal_flip="YES"))
    assert (found[RCC.uid].kind, reasoning.verdict) == (MIRRORED, Verdict.MIRRORED)


def test_a_detector_that_flips_every_right_breast_says_nothing() -> None:
    flipped = (alter(mislabel(RCC), field_of_view_horizontal_flip="YES"), LCC, alter(RMLO, field_of_view_horizontal_flip="YES"), LMLO)
    assert reason(*flipped)[0][RCC.uid].blocked_reason == ""


def test_detectors_settle_a_whole_study() -> None:
    flipped = [alter(mirror(image), field_of_view_horizontal_flip="YES") for image in (RCC, LCC, RMLO, LMLO)]
    assert reason(*flipped)[1].verdict is Verdict.MIRRORED
    untouched = [alter(mislabel(image), field_of_view_horizontal_flip="NO") for image in (RCC, LCC, RMLO, LMLO)]
    assert reason(*untouched)[1].verdict is Verdict.SIDES_SWAPPED
    assert reason(*untouched[:3], mislabel(LMLO))[1].verdict is Verdict.INCONCLUSIVE


def test_in_a_mirrored_study_the_wrong_label_is_not_taken_for_the_right_one() -> None:
    """The one image with a wrong label is the only one whose label and picture agree: it is no evidence against the others."""
    found, reasoning = reason(mirror(RCC), mislabel(mirror(LCC)), mirror(RMLO), mirror(LMLO))
    assert LCC.uid not in found
    assert all(each.blocked_reason for each in found.values())
    assert reasoning.verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("orientation", [("P", "R"), ("P", "FR")])
def test_a_header_that_knows_how_the_picture_lies_contradicts_nothing(orientation: tuple[str, str]) -> None:
    found, reasoning = reason(*(alter(mirror(image), orientation=orientation) for image in (LCC, LMLO)))
    assert (found, reasoning.verdict) == ({}, Verdict.AS_DECLARED)


@pytest.mark.parametrize("orientation", [("A", "R"), ("P", "L"), ("P", "F"), ("P",), ()])
def test_an_orientation_that_does_not_explain_the_picture_explains_nothing(orientation: tuple[str, ...]) -> None:
    assert reason(alter(mirror(LCC), orientation=orientation))[0][LCC.uid].blocked_reason


def test_a_wrong_view_is_borne_out_by_the_other_view_of_the_breast() -> None:
    found, reasoning = reason(alter(RCC, view=View.MLO), LCC, RMLO, LMLO)
    (correction,) = found.values()
    assert (correction.kind, correction.blocked_reason, correction.new_view) == (CONTRADICTS, "", View.CC)
    assert [(each.code, each.sop_instance_uid) for each in correction.evidence] == [("siblings", RMLO.uid)]
    assert reasoning.verdict is Verdict.ONE_WRONG_LABEL


def test_views_swapped_within_a_breast_bear_each_other_out() -> None:
    found, reasoning = reason(alter(RCC, view=View.MLO), LCC, alter(RMLO, view=View.CC), LMLO)
    assert {uid: (each.new_view, each.blocked_reason) for uid, each in found.items()} == {RCC.uid: (View.CC, ""), RMLO.uid: (View.MLO, "")}
    assert reasoning.verdict is Verdict.ONE_WRONG_LABEL


def test_a_misread_view_that_would_leave_a_hole_is_reported_only() -> None:
    misread = analysed_image("1", (View.CC, R), ("MLO", "R"))
    found, reasoning = reason(misread, LCC, RMLO, LMLO)
    assert (found["1.2.1"].kind, reasoning.verdict) == (CONTRADICTS, Verdict.INCONCLUSIVE)
    assert "never as CC" in found["1.2.1"].blocked_reason
    nameless = alter(misread, view=View.UNKNOWN, view_source="")
    assert "never as CC" in reason(nameless, LCC, RMLO, LMLO)[0]["1.2.1"].blocked_reason


def test_a_view_that_no_evidence_supports_is_reported_only() -> None:
    """Exaggerated views that are labelled CC look like MLO: five such among the held-back images of RSNA-2022."""
    wrong = alter(RCC, view=View.MLO)
    for study in ([wrong], [wrong, alter(RCC, sop_instance_uid="1.2.8"), RMLO, LCC, LMLO]):
        found, reasoning = reason(*study)
        assert (found[RCC.uid].kind, reasoning.verdict) == (CONTRADICTS, Verdict.INCONCLUSIVE)
        assert "no second evidence" in found[RCC.uid].blocked_reason


def test_a_mirrored_sibling_still_counts_for_its_breast() -> None:
    """Else the misread image would seem to be the one that completes the breast."""
    misread = analysed_image("9", (View.MLO, R), ("CC", "R"))
    found, _ = reason(RCC, mirror(RMLO), misread, LCC, LMLO)
    assert "no second evidence" in found["1.2.9"].blocked_reason


def test_a_marker_bears_a_view_out() -> None:
    found, reasoning = reason(marked(alter(RCC, view=View.MLO), "R-CC"))
    assert (found[RCC.uid].blocked_reason, found[RCC.uid].new_view, reasoning.verdict) == ("", View.CC, Verdict.ONE_WRONG_LABEL)


def test_one_of_four_views_in_a_study_of_one_breast_is_not_taken_for_a_repeated_one() -> None:
    """A second image of a breast is nothing odd there: neither reading completes the four views."""
    repeated = alter(RMLO, sop_instance_uid="1.2.7")
    for wrong in (mislabel(RMLO), mirror(RMLO), mislabel(RCC), mirror(RCC)):
        others = [image for image in (RCC, RMLO, repeated) if image.uid != wrong.uid]
        found, reasoning = reason(wrong, *others)
        assert found[wrong.uid].blocked_reason and reasoning.verdict is Verdict.INCONCLUSIVE


def test_a_marker_that_names_the_declared_view_speaks_against_the_pixels() -> None:
    found, _ = reason(marked(alter(RCC, view=View.MLO), "R-MLO"))
    assert "the burned-in marker says MLO" in found[RCC.uid].blocked_reason


def test_side_and_view_may_both_be_wrong() -> None:
    found, reasoning = reason(alter(mislabel(RCC), view=View.MLO), LCC, RMLO, LMLO)
    (correction,) = found.values()
    assert (correction.new_view, correction.new_laterality, correction.blocked_reason) == (View.CC, R, "")
    assert reasoning.verdict is Verdict.ONE_WRONG_LABEL


def test_a_mirrored_picture_with_another_view_is_left_to_people() -> None:
    found, _ = reason(marked(alter(mirror(RCC), view=View.MLO), "R-CC"))
    assert (found[RCC.uid].kind, bool(found[RCC.uid].blocked_reason)) == (MIRRORED, True)


def unlabelled(image: StudyImage) -> StudyImage:
    return alter(image, laterality=Laterality.UNKNOWN, laterality_source="")


def test_a_missing_side_is_not_filled_in_from_a_picture_that_may_be_mirrored() -> None:
    for study in (
        [unlabelled(mirror(RCC)), LCC, RMLO, LMLO],
        [unlabelled(RCC), *(mirror(image) for image in (LCC, RMLO, LMLO))],
        [marked(unlabelled(mirror(RCC)), "R-CC"), LCC, RMLO, LMLO],
        [alter(unlabelled(mirror(RCC)), field_of_view_horizontal_flip="YES")],
    ):
        assert reason(*study)[0][RCC.uid].blocked_reason
    assert reason(unlabelled(RCC), LCC, RMLO, LMLO)[0][RCC.uid].blocked_reason == ""


def test_a_marker_that_bears_the_pixels_out_fills_the_side_in() -> None:
    assert reason(marked(unlabelled(alter(RCC, sop_instance_uid="1.2.9")), "R-CC"), RCC, RMLO)[0]["1.2.9"].blocked_reason == ""


def test_the_order_of_the_images_plays_no_part() -> None:
    study = [mislabel(RCC), LCC, alter(RMLO, view=View.CC), mirror(LMLO)]
    there, back = reason(*study), reason(*reversed(study))
    assert there[0] == back[0] and there[1].verdict is back[1].verdict
