from __future__ import annotations

from datetime import UTC, datetime

import pytest

from models.vocabulary import Density, Laterality, View
from service.domain.findings import Conclusion, ImageFinding, InstanceState, Reason, TriageFlag, Verdict
from service.domain.study_conclusion import conclude, has_full_view_set
from service.domain.study_image import StudyImage
from tests.support.analysed_images import analysed_image, mirror, mislabel, standard_study

NOW = datetime(2026, 11, 21, tzinfo=UTC)
R, L = Laterality.R, Laterality.L


def answer(study: list[StudyImage], threshold: float | None = 0.5) -> Conclusion:
    return conclude(study, threshold, NOW)


def test_the_view_set_is_read_from_pixels_not_from_headers() -> None:
    study = [
        analysed_image(str(i), (View.UNKNOWN, Laterality.UNKNOWN), pixels)
        for i, pixels in enumerate((("CC", "R"), ("CC", "L"), ("MLO", "R"), ("MLO", "L")))
    ]
    findings = [image.finding for image in study if image.finding is not None]
    assert has_full_view_set(findings)
    assert not has_full_view_set(findings[:3])


def test_a_breast_scores_the_mean_of_its_views_and_a_study_its_worse_breast() -> None:
    study = standard_study(
        lcc=analysed_image("2", (View.CC, L), ("CC", "L"), score=0.9), lmlo=analysed_image("4", (View.MLO, L), ("MLO", "L"), score=0.5)
    )
    conclusion = answer(study)
    assert {breast.laterality: breast.score for breast in conclusion.breasts} == {R: pytest.approx(0.1), L: pytest.approx(0.7)}
    assert conclusion.score == pytest.approx(0.7) and conclusion.flag is TriageFlag.SUSPICIOUS and conclusion.complete


def test_the_flag_turns_at_the_operating_point_itself() -> None:
    score = answer(standard_study()).score
    assert score is not None
    assert answer(standard_study(), threshold=score).flag is TriageFlag.SUSPICIOUS
    assert answer(standard_study(), threshold=score + 1e-9).flag is TriageFlag.ROUTINE
    assert answer(standard_study(), threshold=None).flag is TriageFlag.NOT_SCORED


def test_an_image_that_was_not_analysed_stays_in_the_answer_with_its_reason() -> None:
    refused = analysed_image("9", (View.CC, R), ("CC", "R"))
    reason = Reason(code="magnification", text="magnification view")
    finding = ImageFinding(sop_instance_uid="1.2.9", state=InstanceState.SKIPPED, reason=reason)
    conclusion = answer([*standard_study(), StudyImage(refused.header, finding)])
    assert conclusion.images[-1].reason == reason
    assert len(conclusion.images) == 5 and len(conclusion.corrections) == 4


def test_a_study_of_which_nothing_could_be_analysed_is_concluded_without_a_score() -> None:
    finding = ImageFinding(sop_instance_uid="1.2.9", state=InstanceState.SKIPPED, reason=Reason(code="not-mammography", text="CT"))
    conclusion = answer([StudyImage(analysed_image("9", (View.UNKNOWN, R), ("CC", "R")).header, finding)])
    assert (conclusion.score, conclusion.density, conclusion.flag) == (None, Density.UNKNOWN, TriageFlag.NOT_SCORED)


def test_the_fingerprint_follows_the_images_and_not_the_clock_or_their_order() -> None:
    study = standard_study()
    same = conclude(list(reversed(study)), 0.5, datetime(2027, 1, 1, tzinfo=UTC))
    more = answer([*study, analysed_image("5", (View.CC, R), ("CC", "R"))])
    assert answer(study).fingerprint == same.fingerprint != more.fingerprint


def test_a_mirrored_picture_counts_for_the_breast_that_it_is_declared_to_be() -> None:
    left = mirror(analysed_image("2", (View.CC, L), ("CC", "L"), score=0.9))
    conclusion = answer(standard_study(lcc=left))
    assert {breast.laterality: breast.score for breast in conclusion.breasts} == {R: pytest.approx(0.1), L: pytest.approx(0.5)}
    assert conclusion.reasoning.verdict is Verdict.MIRRORED


def test_a_wrong_side_counts_for_the_breast_that_its_pixels_show() -> None:
    left = mislabel(analysed_image("2", (View.CC, L), ("CC", "L"), score=0.9))
    conclusion = answer(standard_study(lcc=left))
    assert {breast.laterality: breast.score for breast in conclusion.breasts} == {R: pytest.approx(0.1), L: pytest.approx(0.5)}
    assert conclusion.reasoning.verdict is Verdict.ONE_WRONG_LABEL


def test_a_study_that_nothing_settles_keeps_its_declared_breasts() -> None:
    study = [mislabel(image) for image in standard_study()]
    conclusion = answer(study)
    declared = {breast.laterality: set(breast.images) for breast in conclusion.breasts}
    assert declared == {side: {image.uid for image in study if image.header.laterality is side} for side in (R, L)}
