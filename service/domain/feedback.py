"""What readers say of the labels that the networks read: agree, or wrong and what is right. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from models.vocabulary import Density, Laterality, View
from service.domain.findings import ImageFinding
from service.errors import CorrectedValueInvalid, NoPrediction


class ReadLabel(StrEnum):
    """What a reader can speak of; the names that the networks' heads have."""

    VIEW = "view"
    LATERALITY = "laterality"
    DENSITY = "density"
    CANCER = "cancer"


class ReaderVerdict(StrEnum):
    AGREE = "agree"
    WRONG = "wrong"


class Pathology(StrEnum):
    """What is known of the breast, in the words of the training tables."""

    MALIGNANT = "malignant"
    BENIGN = "benign"
    NORMAL = "normal"
    NEGATIVE = "negative"
    """No cancer; benign and normal are not told apart."""


RIGHT_VALUES: dict[ReadLabel, tuple[str, ...]] = {
    ReadLabel.VIEW: tuple(view.value for view in View if view is not View.UNKNOWN),
    ReadLabel.LATERALITY: (Laterality.R.value, Laterality.L.value),
    ReadLabel.DENSITY: tuple(density.value for density in Density if density is not Density.UNKNOWN),
    ReadLabel.CANCER: tuple(pathology.value for pathology in Pathology),
}
"""What may be right, by label."""


@dataclass(frozen=True)
class Opinion:
    """What a reader says of one label of one image.

    Parameters
    ----------
    corrected_value
        One of `RIGHT_VALUES`; empty where the reader agrees. For cancer it may stand beside an agreement: the pathology that is known.
    note
        In the reader's words.
    """

    label: ReadLabel
    verdict: ReaderVerdict
    corrected_value: str = ""
    note: str = ""


def said_of(finding: ImageFinding | None, label: ReadLabel) -> tuple[str, str]:
    """What the networks said, and which of them ("name version").

    Raises
    ------
    NoPrediction
        The image is still in work, was not analysed, or no network answers this label.
    """
    if finding is None:
        raise NoPrediction("the image is not analysed yet: there is no label to judge")
    if label is ReadLabel.CANCER:
        value = None if finding.cancer_score is None else f"{finding.cancer_score:.4f}"
    else:
        found = {ReadLabel.VIEW: finding.view, ReadLabel.LATERALITY: finding.laterality, ReadLabel.DENSITY: finding.density}[label]
        value = found.value if found else None
    if value is None:
        raise NoPrediction(f"the image has no {label} from the networks: there is no label to judge")
    task = "cancer" if label is ReadLabel.CANCER else "labeler"
    model = next((each for each in finding.models if each.task == task), None)
    return value, f"{model.name} {model.version}" if model else ""


def check_opinion(opinion: Opinion, said: str) -> None:
    """See that an opinion means something beside what the networks said.

    Raises
    ------
    CorrectedValueInvalid
        The value is none of the label's, is absent where the label is wrong, or contradicts the verdict.
    NoPrediction
        The reader agrees, and the networks were not sure enough to say anything.
    """
    allowed = RIGHT_VALUES[opinion.label]
    if opinion.corrected_value and opinion.corrected_value not in allowed:
        raise CorrectedValueInvalid(f"corrected_value of {opinion.label} must be one of {', '.join(allowed)}")
    if opinion.verdict is ReaderVerdict.WRONG:
        if not opinion.corrected_value:
            raise CorrectedValueInvalid(f"what is wrong needs a corrected_value, one of {', '.join(allowed)}")
        if opinion.corrected_value == said:
            raise CorrectedValueInvalid("the corrected_value is what the network said: that is no wrong label")
    elif said == View.UNKNOWN:
        raise NoPrediction(f"the network was not sure of the {opinion.label}: there is nothing to agree with, only a right value to tell")
    elif opinion.corrected_value and opinion.label is not ReadLabel.CANCER and opinion.corrected_value != said:
        raise CorrectedValueInvalid("the corrected_value differs from what the network said: then the verdict is wrong, not agree")


def settled_value(label: ReadLabel, verdict: ReaderVerdict, said: str, corrected_value: str) -> str:
    """The label as the reader leaves it. Empty where they agree with a cancer score and tell no pathology: a score is no proof."""
    if corrected_value or label is ReadLabel.CANCER:
        return corrected_value
    return said if verdict is ReaderVerdict.AGREE else ""
