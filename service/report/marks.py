"""Which images have a mark: one rule for the CAD report and the presentation state, so that the two always agree."""

from __future__ import annotations

from service.domain.findings import Agreement, Conclusion, CorrectionKind, ImageFinding, LabelCorrection


def is_marked(conclusion: Conclusion, finding: ImageFinding) -> bool:
    """Tell whether the image's score and the peak of its heatmap both reach the operating point.

    The peak alone would mark a region in almost every image, and the score alone has no position.
    """
    threshold, score, peak = conclusion.threshold, finding.cancer_score, finding.peak
    if threshold is None or score is None or peak is None:
        return False
    return score >= threshold and peak.strength >= threshold


def has_wrong_label(correction: LabelCorrection) -> bool:
    """Tell whether the pixels contradict a label itself; in a mirrored image the side is right and the orientation is wrong."""
    side = correction.laterality is Agreement.CONTRADICT and correction.kind is not CorrectionKind.MIRRORED
    return side or correction.view is Agreement.CONTRADICT
