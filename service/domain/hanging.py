"""Which image hangs where: the four slots of a screening study, filled by what the pixels show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from models.vocabulary import ImageKind, Laterality, View, ViewModifier
from service.domain.correction import Seen
from service.domain.display_orientation import LabelSource, Turn, find_turn
from service.domain.eligibility import ineligible_reason
from service.domain.findings import ImageFinding, InstanceHeader, InstanceState, Reason
from service.domain.reasoning import find_doubts

SLOTS = ("R-CC", "L-CC", "R-MLO", "L-MLO")
"""In the order in which a screening protocol shows them."""

_HUNG_UNREAD = frozenset({"magnification", "spot", "implant-displaced"})
"""Mammograms that the networks were not made for (`service.domain.eligibility`): they hang beside the four, by their headers."""


class Candidate(NamedTuple):
    """An image of the study; the finding is None until it is analysed."""

    header: InstanceHeader
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
    def is_standard(self) -> bool:
        """False for a special view, such as a magnified or rolled one, which has no place among the four."""
        return not set(self.candidate.header.view_modifiers) - {ViewModifier.UNKNOWN}

    @property
    def certainty(self) -> tuple[bool, bool, bool, float]:
        """Pixels before header, the whole breast before a part of it, an exposure before a picture computed of several, then the weaker
        of the two confidences."""
        header, finding = self.candidate
        from_pixels = {self.view_source, self.laterality_source} == {LabelSource.PIXELS}
        labels = [label.confidence for label in (finding.view, finding.laterality) if label] if finding else []
        return from_pixels, not header.partial_view, header.kind is not ImageKind.SYNTHESISED, min(labels, default=0.0)

    @property
    def turn(self) -> Turn:
        """What brings the stored pixels into the place's lie."""
        header, finding = self.candidate
        return find_turn(header, self.view, self.laterality, finding.chest_wall_right if finding else None)


class LeftOut(NamedTuple):
    """An object of the study that hangs nowhere."""

    header: InstanceHeader
    reason: Reason


class Hanging(NamedTuple):
    """The best image of each slot, the others that claim the same slot, what belongs to no slot, and what is no picture to hang.

    Every object of the study is in exactly one of them.
    """

    slots: dict[str, Hung | None]
    repeated: dict[str, list[Hung]]
    extras: list[Hung]
    left_out: list[LeftOut]

    @property
    def missing(self) -> list[str]:
        return [slot for slot, hung in self.slots.items() if hung is None]


def hang(study: Sequence[Candidate]) -> Hanging:
    """Assign the images of one study to the four slots.

    An image hangs by the labels of its pixels; where those are not (yet) known, by its header, and also where header and pixels contradict
    each other and the images of the study do not bear the pixels out: a mirrored left breast hangs at the left. Of several images for one
    slot the surest is chosen, the smaller SOP Instance UID where two are equally sure, so that the order of arrival plays no part.
    Special views (with a modifier) hang beside the four; tomosynthesis, raw data and what is no mammogram hang nowhere.
    """
    doubts = find_doubts(
        [Seen(each.header, each.finding) for each in study if each.finding and each.finding.state is InstanceState.ANALYSED]
    )
    in_order = sorted(study, key=lambda each: each.header.sop_instance_uid)
    left_out = [LeftOut(each.header, reason) for each in in_order if (reason := _why_left_out(each.header))]
    nowhere = {each.header.sop_instance_uid for each in left_out}
    ordered = [
        _label(each, each.header.sop_instance_uid in doubts.views, each.header.sop_instance_uid in doubts.sides)
        for each in in_order
        if each.header.sop_instance_uid not in nowhere
    ]
    slots: dict[str, Hung | None] = dict.fromkeys(SLOTS)
    repeated: dict[str, list[Hung]] = {}
    for slot in SLOTS:
        claimants = [hung for hung in ordered if hung.slot == slot and hung.is_standard]
        claimants.sort(key=lambda hung: hung.certainty, reverse=True)
        if claimants:
            slots[slot] = claimants[0]
        if claimants[1:]:
            repeated[slot] = claimants[1:]
    return Hanging(slots, repeated, [hung for hung in ordered if hung.slot not in SLOTS or not hung.is_standard], left_out)


def _why_left_out(header: InstanceHeader) -> Reason | None:
    """Asked of the header, so that an image which is still to be read is left out already."""
    reason = ineligible_reason(header, film_allowed=True)
    return reason if reason and reason.code not in _HUNG_UNREAD else None


def _label(candidate: Candidate, view_doubted: bool, side_doubted: bool) -> Hung:
    header, finding = candidate
    view, view_source = header.view, LabelSource.HEADER if header.view is not View.UNKNOWN else LabelSource.NONE
    side, side_source = header.laterality, LabelSource.HEADER if header.laterality is not Laterality.UNKNOWN else LabelSource.NONE
    if finding and finding.view and finding.view.value != View.UNKNOWN and not view_doubted:
        view, view_source = View(finding.view.value), LabelSource.PIXELS
    if finding and finding.laterality and finding.laterality.value != Laterality.UNKNOWN and not side_doubted:
        side, side_source = Laterality(finding.laterality.value), LabelSource.PIXELS
    return Hung(candidate, view, view_source, side, side_source)
