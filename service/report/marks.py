"""Which images bear a mark: one rule for the CAD report and for the presentation state, so that the two never disagree."""

from __future__ import annotations

from service.domain.findings import Agreement, Conclusion, CorrectionKind, ImageFinding, LabelCorrection


def is_marked(conclusion: Conclusion, finding: ImageFinding) -> bool:
    """Tell whether the image's score and the peak of its heatmap both reach the operating point.

    The peak alone marks something in almost every image, and a score alone does not say where.
    """
    threshold, score, peak = conclusion.threshold, finding.cancer_score, finding.peak
    if threshold is None or score is None or peak is None:
        return False
    return score >= threshold and peak.strength >= threshold


def has_wrong_label(correction: LabelCorrection) -> bool:
    """Tell whether a label itself is contradicted; the side of a mirrored picture is right, its orientation is not."""
    side = correction.laterality is Agreement.CONTRADICT and correction.kind is not CorrectionKind.MIRRORED
    return side or correction.view is Agreement.CONTRADICT
