"""What a site does with corrections: an action for each destination and each kind of difference."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from service.domain.findings import CorrectionKind, LabelCorrection

CorrectionMode = Literal["report", "new-series", "overwrite", "archive-api"]
"""How a correction reaches a destination: not at all, as a copy in a new series, under the UID of the image, or written by the archive
itself through its own API."""
ObjectMode = Literal["new-series", "overwrite"]
"""The correction modes in which this service sends a corrected image."""


class Action(StrEnum):
    OFF = "off"
    """Only recorded in the ledger, not even reported."""
    REPORT = "report"
    APPROVE = "approve"
    """A named person decides."""
    AUTO = "auto"


_ASCENDING = (Action.OFF, Action.REPORT, Action.APPROVE, Action.AUTO)


class CorrectionPolicy(BaseModel):
    """The action for each kind of difference. By default a person must approve every contradiction."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    mode: CorrectionMode = Field("new-series", description="report, new-series, overwrite or archive-api")
    missing: Action = Field(Action.AUTO, description="labels that the header lacks")
    contradicts: Action = Field(Action.APPROVE, description="labels that the pixels contradict, with independent evidence")
    mirrored: Action = Field(Action.REPORT, description="the whole image is flipped")
    sides_swapped: Action = Field(
        Action.REPORT, alias="sides-swapped", description="both breasts of the study have the label of the other one"
    )
    view_unknown: Action = Field(
        Action.REPORT, alias="view-unknown", description="a declared view that the networks were not trained on, or a label not understood"
    )
    header_contradicts_itself: Action = Field(
        Action.REPORT, alias="header-contradicts-itself", description="two attributes of the header declare different labels"
    )
    film: bool = Field(False, description="digitised film may be corrected too")
    rejection_note: bool = Field(False, description="with new-series: also a note that rejects the original (IOCM, KOS 113037)")

    def action(self, correction: LabelCorrection) -> Action:
        """What this destination does with a correction; a blocked correction is reported at most.

        Nothing is written without a person where an attribute of the image would go on declaring another label. A copy in a new series
        gets a description of its own.
        """
        if correction.kind is None:
            return Action.OFF
        chosen: Action = getattr(self, correction.kind.value.replace("-", "_"))
        if set(correction.kept_sources) - ({"SeriesDescription"} if self.mode == "new-series" else set()):
            chosen = weaker(chosen, Action.APPROVE)
        return weaker(chosen, Action.REPORT) if self.blocked_reason(correction) else chosen

    def blocked_reason(self, correction: LabelCorrection) -> str:
        """Why this destination cannot get the correction, even if a person approves it; empty where it can."""
        if correction.blocked_reason:
            return correction.blocked_reason
        if correction.kind is CorrectionKind.VIEW_UNKNOWN:
            return "the networks were not trained on the declared view"
        if correction.kind is CorrectionKind.HEADER_CONTRADICTS_ITSELF:
            return "the header contradicts itself"
        if correction.film and not self.film:
            return "the destination does not opt in for digitised film (corrections.film)"
        return "the destination gets reports only (corrections.mode)" if self.mode == "report" else ""


def weaker(first: Action, second: Action) -> Action:
    """The weaker of two actions."""
    return min(first, second, key=_ASCENDING.index)


def stronger(first: Action, second: Action) -> Action:
    """The stronger of two actions."""
    return max(first, second, key=_ASCENDING.index)
