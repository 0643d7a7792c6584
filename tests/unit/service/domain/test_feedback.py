"""A reader may say whatever the vocabulary holds, and nothing else."""

from __future__ import annotations

import pytest

from service.domain.feedback import (
    CORRECTED_VALUES,
    FeedbackLabel,
    FeedbackVerdict,
    LabelFeedback,
    check_feedback,
    predicted_value_of,
    reference_value,
)
from service.domain.findings import ImageFinding, InstanceState, Label, ModelIdentity
from service.errors import CorrectedValueInvalid, NoPrediction

AGREE, WRONG = FeedbackVerdict.AGREE, FeedbackVerdict.WRONG


@pytest.mark.parametrize("label", list(FeedbackLabel))
def test_every_value_but_the_one_that_was_said_can_be_right(label: FeedbackLabel) -> None:
    said, *others = CORRECTED_VALUES[label]
    for value in others:
        check_feedback(LabelFeedback(label, WRONG, value), said)
        assert reference_value(label, WRONG, said, value) == value
    for value in (said, "", "UNKNOWN", "unheard-of"):
        with pytest.raises(CorrectedValueInvalid):
            check_feedback(LabelFeedback(label, WRONG, value), said)
    assert "UNKNOWN" not in CORRECTED_VALUES[label]


def test_agreement_with_a_score_is_no_pathology_and_agreement_with_a_label_is_the_label() -> None:
    assert reference_value(FeedbackLabel.CANCER, AGREE, "0.9100", "") == ""
    assert reference_value(FeedbackLabel.CANCER, AGREE, "0.9100", "malignant") == "malignant"
    assert reference_value(FeedbackLabel.VIEW, AGREE, "CC", "") == "CC"
    check_feedback(LabelFeedback(FeedbackLabel.CANCER, AGREE, "malignant"), "0.9100")
    check_feedback(LabelFeedback(FeedbackLabel.VIEW, AGREE, "CC"), "CC")
    with pytest.raises(CorrectedValueInvalid):
        check_feedback(LabelFeedback(FeedbackLabel.VIEW, AGREE, "MLO"), "CC")
    with pytest.raises(NoPrediction):
        check_feedback(LabelFeedback(FeedbackLabel.VIEW, AGREE), "UNKNOWN")


def test_what_was_said_names_the_network_that_said_it() -> None:
    labeler, cancer = (ModelIdentity(name=f"our-{task}", version="1.2.0", sha256="a" * 64, task=task) for task in ("labeler", "cancer"))
    finding = ImageFinding(
        sop_instance_uid="1.2",
        state=InstanceState.ANALYSED,
        density=Label(value="B", confidence=0.9, probabilities={}),
        cancer_score=0.123456,
        models=(cancer, labeler),
    )
    assert predicted_value_of(finding, FeedbackLabel.DENSITY) == ("B", "our-labeler 1.2.0")
    assert predicted_value_of(finding, FeedbackLabel.CANCER) == ("0.1235", "our-cancer 1.2.0")
    for nothing in (finding, None):
        with pytest.raises(NoPrediction):
            predicted_value_of(nothing, FeedbackLabel.VIEW)
