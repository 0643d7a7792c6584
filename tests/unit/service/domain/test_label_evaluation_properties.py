"""What must hold for every study, however odd its labels and evidence."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from models.vocabulary import ImageKind, Laterality, View, ViewModifier
from service.domain.findings import Agreement, CorrectionKind, Verdict
from service.domain.label_evaluation import evaluate_labels
from service.domain.report_only import report_only_reason
from service.domain.study_image import StudyImage
from tests.support.analysed_images import analysed_image

MARKERS = ("", "R-CC", "L-CC", "R-MLO", "L-MLO", "R-UNKNOWN", "UNKNOWN-MLO")


@some.composite
def images(draw: some.DrawFn) -> StudyImage:
    return analysed_image(
        "0",
        (draw(some.sampled_from((View.CC, View.MLO, View.UNKNOWN, View.ML))), draw(some.sampled_from(Laterality))),
        (draw(some.sampled_from(("CC", "MLO", "UNKNOWN"))), draw(some.sampled_from(("R", "L", "UNKNOWN")))),
        sources=draw(some.sampled_from((("ViewCodeSequence", "ImageLaterality"), ("PatientOrientation", "Laterality")))),
        modifiers=draw(some.sampled_from(((), (), (ViewModifier.RL,)))),
        marker=draw(some.sampled_from(MARKERS)),
        field_of_view_horizontal_flip=draw(some.sampled_from((None, "YES", "NO"))),
        orientation=draw(some.sampled_from(((), ("P", "L"), ("P", "R"), ("A", "FR"), ("A", "FL")))),
        partial_view=draw(some.sampled_from((False, False, True))),
        kind=draw(some.sampled_from((ImageKind.FULL_FIELD, ImageKind.FILM))),
    )


@some.composite
def studies(draw: some.DrawFn) -> list[StudyImage]:
    drawn = draw(some.lists(images(), min_size=1, max_size=7))
    return [
        StudyImage(
            image.header.model_copy(update={"sop_instance_uid": f"1.2.{number}"}),
            image.finding.model_copy(update={"sop_instance_uid": f"1.2.{number}"}),
        )
        for number, image in enumerate(drawn)
        if image.finding is not None
    ]


@given(studies())
def test_nothing_is_on_offer_without_what_it_takes(study: list[StudyImage]) -> None:
    corrections, reasoning, _ = evaluate_labels(study)
    assert [each.sop_instance_uid for each in corrections] == [image.uid for image in study]
    for image, correction in zip(study, corrections, strict=True):
        if correction.kind is None or correction.blocked_reason:
            continue
        assert not report_only_reason(image.header)
        assert Agreement.UNSURE not in (correction.view, correction.laterality)
        assert correction.kind is not CorrectionKind.VIEW_UNKNOWN
        if Agreement.CONTRADICT in (correction.view, correction.laterality):
            assert correction.evidence, "contradicted without evidence"
        if correction.kind is CorrectionKind.MIRRORED:
            assert correction.new_laterality is image.header.laterality
        assert correction.new_laterality in (Laterality.R, Laterality.L) and correction.new_view in (View.CC, View.MLO)
        assert correction.confidence >= 0.85
    swapped = [each for each in corrections if each.kind is CorrectionKind.SIDES_SWAPPED]
    assert not swapped or reasoning.verdict is Verdict.SIDES_SWAPPED, "a study with swapped sides that nobody would hold"


@given(studies(), some.randoms())
def test_the_order_in_which_images_came_plays_no_part(study: list[StudyImage], random) -> None:  # type: ignore[no-untyped-def]
    shuffled = study[:]
    random.shuffle(shuffled)
    here, there = evaluate_labels(study), evaluate_labels(shuffled)
    decided = [{(each.sop_instance_uid, each.kind, bool(each.blocked_reason)) for each in corrections} for corrections, *_ in (here, there)]
    assert decided[0] == decided[1] and here[1].verdict is there[1].verdict
    assert evaluate_labels(study).doubts == evaluate_labels(shuffled).doubts


@given(studies())
def test_a_doubted_image_has_no_correction_of_that_label_on_offer(study: list[StudyImage]) -> None:
    doubts = evaluate_labels(study).doubts
    for correction in evaluate_labels(study).corrections:
        if correction.kind is None or correction.blocked_reason:
            continue
        if correction.sop_instance_uid in doubts.sides:
            assert correction.new_laterality is correction.declared_laterality
        assert correction.sop_instance_uid not in doubts.views
