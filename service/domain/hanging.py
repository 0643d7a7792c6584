"""Which image hangs where: the four slots of a screening study, filled by what the pixels show."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from models.vocabulary import Laterality, View
from service.domain.correction import Seen
from service.domain.findings import Header, ImageFinding
from service.domain.reasoning import find_doubts

SLOTS = ("R-CC", "L-CC", "R-MLO", "L-MLO")
"""In the order in which a screening protocol shows them."""


class LabelSource(StrEnum):
    """Whose word put an image into its slot."""

    PIXELS = "pixels"
    HEADER = "header"
    NONE = "none"


class Candidate(NamedTuple):
    """An image of the study; the finding is None until it is analysed."""

    header: Header
    finding: ImageFinding | None


class Hung(NamedTuple):
    """An image with the labels it hangs by."""

    candidate: Candidate
    view: View
    view_source: LabelSource
    laterality: Laterality
    laterality_source: LabelSource

    @property
    def slot(self) -> str:
        """``R-CC`` and so on; not necessarily one of `SLOTS`."""
        return f"{self.laterality}-{self.view}"

    @property
    def certainty(self) -> tuple[bool, float]:
        """Pixels before header, then the weaker of the two confidences."""
        finding = self.candidate.finding
        from_pixels = {self.view_source, self.laterality_source} == {LabelSource.PIXELS}
        labels = [label.confidence for label in (finding.view, finding.laterality) if label] if finding else []
        return from_pixels, min(labels, default=0.0)


class Hanging(NamedTuple):
    """The best image of each slot, the others that claim the same slot, and what belongs to no slot."""

    slots: dict[str, Hung | None]
    repeated: dict[str, list[Hung]]
    extras: list[Hung]

    @property
    def missing(self) -> list[str]:
        return [slot for slot, hung in self.slots.items() if hung is None]


def hang(study: Sequence[Candidate]) -> Hanging:
    """Assign the images of one study to the four slots.

    An image hangs by the labels of its pixels; where those are not (yet) known, by its header, and also where header and pixels contradict
    each other and the images of the study do not bear the pixels out: a mirrored left breast hangs at the left. Of several images for one
    slot the surest is chosen, the smaller SOP Instance UID where two are equally sure, so that the order of arrival plays no part.
    """
    doubts = find_doubts([Seen(each.header, each.finding) for each in study if each.finding])
    labelled = (_label(each, each.header.sop_instance_uid in doubts.views, each.header.sop_instance_uid in doubts.sides) for each in study)
    ordered = sorted(labelled, key=lambda hung: hung.candidate.header.sop_instance_uid)
    slots: dict[str, Hung | None] = dict.fromkeys(SLOTS)
    repeated: dict[str, list[Hung]] = {}
    for slot in SLOTS:
        claimants = sorted((hung for hung in ordered if hung.slot == slot), key=lambda hung: hung.certainty, reverse=True)
        if claimants:
            slots[slot] = claimants[0]
        if claimants[1:]:
            repeated[slot] = claimants[1:]
    return Hanging(slots, repeated, [hung for hung in ordered if hung.slot not in SLOTS])


def _label(candidate: Candidate, view_doubted: bool, side_doubted: bool) -> Hung:
    header, finding = candidate
    view, view_source = header.view, LabelSource.HEADER if header.view is not View.UNKNOWN else LabelSource.NONE
    side, side_source = header.laterality, LabelSource.HEADER if header.laterality is not Laterality.UNKNOWN else LabelSource.NONE
    if finding and finding.view and finding.view.value != View.UNKNOWN and not view_doubted:
        view, view_source = View(finding.view.value), LabelSource.PIXELS
    if finding and finding.laterality and finding.laterality.value != Laterality.UNKNOWN and not side_doubted:
        side, side_source = Laterality(finding.laterality.value), LabelSource.PIXELS
    return Hung(candidate, view, view_source, side, side_source)
