"""The triage flag of a study, at the operating point of the manifest. A triage aid, not a diagnosis."""

from __future__ import annotations

from service.domain.findings import TriageFlag


def flag_for(score: float | None, threshold: float | None) -> TriageFlag:
    """SUSPICIOUS at or above the operating point, ROUTINE below it, NOT_SCORED without a score or a threshold."""
    if score is None or threshold is None:
        return TriageFlag.NOT_SCORED
    return TriageFlag.SUSPICIOUS if score >= threshold else TriageFlag.ROUTINE
