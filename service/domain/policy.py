"""What becomes of a difference between header and pixels: the site's word, destination by destination and kind by kind."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from service.domain.findings import CorrectionKind, LabelCorrection

Mode = Literal["report", "new-series", "overwrite", "archive-api"]
"""How a correction reaches a destination: not at all, as a copy in a series of its own, under the image's own UID, or written by the
archive itself."""


class Action(StrEnum):
    OFF = "off"
    """Not even reported: the ledger knows it, nobody else does."""
    REPORT = "report"
    APPROVE = "approve"
    """A named person decides."""
    AUTO = "auto"


_RISING = (Action.OFF, Action.REPORT, Action.APPROVE, Action.AUTO)


class CorrectionPolicy(BaseModel):
    """By kind of difference; contradictions are never applied without a person unless a site says so itself."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    mode: Mode = Field("new-series", description="report, new-series, overwrite or archive-api")
    missing: Action = Field(Action.AUTO, description="labels that the header lacks")
    contradicts: Action = Field(Action.APPROVE, description="labels that the pixels contradict, with a second witness")
    mirrored: Action = Field(Action.REPORT, description="the whole picture is flipped")
    sides_swapped: Action = Field(Action.REPORT, alias="sides-swapped", description="both breasts of the study bear the other's label")
    view_unknown: Action = Field(Action.REPORT, alias="view-unknown", description="a declared view that the networks do not know")
    film: bool = Field(False, description="digitised film may be corrected too")
    rejection_note: bool = Field(False, description="with new-series: also a note that rejects the original (IOCM, KOS 113037)")

    def action(self, correction: LabelCorrection) -> Action:
        """What this destination does with a correction; one that nobody may apply is reported at most."""
        if correction.kind is None:
            return Action.OFF
        chosen: Action = getattr(self, correction.kind.value.replace("-", "_"))
        return weaker(chosen, Action.REPORT) if self.blocked_reason(correction) else chosen

    def blocked_reason(self, correction: LabelCorrection) -> str:
        """Why this destination cannot be given the correction, whoever approves it; empty where nothing stands in the way."""
        if correction.blocked_reason:
            return correction.blocked_reason
        if correction.kind is CorrectionKind.VIEW_UNKNOWN:
            return "the networks do not know the declared view"
        if correction.film and not self.film:
            return "digitised film is not opted in (corrections.film)"
        return "this destination gets reports only (corrections.mode)" if self.mode == "report" else ""


def weaker(first: Action, second: Action) -> Action:
    """The one of two actions that does less."""
    return min(first, second, key=_RISING.index)


def stronger(first: Action, second: Action) -> Action:
    """The one of two actions that does more."""
    return max(first, second, key=_RISING.index)
