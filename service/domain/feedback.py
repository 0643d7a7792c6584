"""Feedback of radiologists on the labels of the networks: right, or wrong with the corrected value. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from models.vocabulary import Density, Laterality, View
from service.domain.findings import ImageFinding
from service.errors import CorrectedValueInvalid, NoPrediction


class FeedbackLabel(StrEnum):
    """The labels that feedback can assess, by the names of the networks' heads."""

    VIEW = "view"
    LATERALITY = "laterality"
    DENSITY = "density"
    CANCER = "cancer"


class FeedbackVerdict(StrEnum):
    AGREE = "agree"
    WRONG = "wrong"


class Pathology(StrEnum):
    """The known pathology of a breast, in the words of the training tables."""

    MALIGNANT = "malignant"
    BENIGN = "benign"
    NORMAL = "normal"
    NEGATIVE = "negative"
    """No cancer, without a distinction between benign and normal."""


CORRECTED_VALUES: dict[FeedbackLabel, tuple[str, ...]] = {
    FeedbackLabel.VIEW: tuple(view.value for view in View if view is not View.UNKNOWN),
    FeedbackLabel.LATERALITY: (Laterality.R.value, Laterality.L.value),
    FeedbackLabel.DENSITY: tuple(density.value for density in Density if density is not Density.UNKNOWN),
    FeedbackLabel.CANCER: tuple(pathology.value for pathology in Pathology),
}
"""The values that feedback can give, by label."""


@dataclass(frozen=True)
class LabelFeedback:
    """Feedback on one label of one image.

    Parameters
    ----------
    corrected_value
        One of `CORRECTED_VALUES`; empty with AGREE. For cancer it may come with AGREE too: the known pathology.
    note
        Free text of the radiologist.
    """

    label: FeedbackLabel
    verdict: FeedbackVerdict
    corrected_value: str = ""
    note: str = ""


def predicted_value_of(finding: ImageFinding | None, label: FeedbackLabel) -> tuple[str, str]:
    """The predicted value, and the network that predicted it ("name version").

    Raises
    ------
    NoPrediction
        The image is not analysed (yet), or no network predicts this label.
    """
    if finding is None:
        raise NoPrediction("the image is not analysed yet: there is no label to assess")
    if label is FeedbackLabel.CANCER:
        value = None if finding.cancer_score is None else f"{finding.cancer_score:.4f}"
    else:
        predicted = {
            FeedbackLabel.VIEW: finding.view,
            FeedbackLabel.LATERALITY: finding.laterality,
            FeedbackLabel.DENSITY: finding.density,
        }[label]
        value = predicted.value if predicted else None
    if value is None:
        raise NoPrediction(f"the networks predicted no {label} for this image: there is no label to assess")
    task = "cancer" if label is FeedbackLabel.CANCER else "labeler"
    model = next((each for each in finding.models if each.task == task), None)
    return value, f"{model.name} {model.version}" if model else ""


def check_feedback(feedback: LabelFeedback, predicted: str) -> None:
    """Check that feedback is consistent with itself and with the predicted value.

    Raises
    ------
    CorrectedValueInvalid
        The corrected value is not one of the label's, is missing where the label is wrong, or contradicts the verdict.
    NoPrediction
        The radiologist agrees, but the network was not sure enough to predict a value.
    """
    allowed = CORRECTED_VALUES[feedback.label]
    corrected = feedback.corrected_value
    if corrected and corrected not in allowed:
        raise CorrectedValueInvalid(f"corrected_value of {feedback.label} must be one of {', '.join(allowed)}")
    if feedback.verdict is FeedbackVerdict.WRONG:
        if not corrected:
            raise CorrectedValueInvalid(f"the verdict wrong needs a corrected_value, one of {', '.join(allowed)}")
        if corrected == predicted:
            raise CorrectedValueInvalid("the corrected_value is the predicted value: then the label is not wrong")
    elif predicted == View.UNKNOWN:
        raise NoPrediction(f"the network was not sure of the {feedback.label}: give the verdict wrong with a corrected_value")
    elif corrected and feedback.label is not FeedbackLabel.CANCER and corrected != predicted:
        raise CorrectedValueInvalid("the corrected_value differs from the predicted value: then the verdict is wrong, not agree")


def reference_value(label: FeedbackLabel, verdict: FeedbackVerdict, predicted: str, corrected_value: str) -> str:
    """The value of the label after the feedback, for training.

    Empty where the radiologist agrees with a cancer score and gives no pathology: a score is not a pathology.
    """
    if corrected_value or label is FeedbackLabel.CANCER:
        return corrected_value
    return predicted if verdict is FeedbackVerdict.AGREE else ""
