"""Which image hangs where: the four slots of a screening study, filled by what the pixels show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from models.vocabulary import ImageKind, Laterality, View, ViewModifier
from service.domain.display_orientation import DisplayOrientation, LabelSource, find_display_orientation
from service.domain.eligibility import ineligible_reason
from service.domain.findings import InstanceHeader, Reason
from service.domain.label_evaluation import evaluate_labels
from service.domain.study_image import StudyImage

SLOTS = ("R-CC", "L-CC", "R-MLO", "L-MLO")
"""In the order in which a screening protocol shows them."""

_HUNG_THOUGH_INELIGIBLE = frozenset({"magnification", "spot", "implant-displaced", "contrast-enhanced"})
"""Mammograms that the networks do not analyse (`service.domain.eligibility`): they hang beside the four slots, by their headers."""


class HungImage(NamedTuple):
    """An image with the labels that it hangs by."""

    image: StudyImage
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
        """False for a special view, such as a magnified or rolled one, which does not belong into the four slots."""
        return not set(self.image.header.view_modifiers) - {ViewModifier.UNKNOWN} and not self.image.header.scope

    @property
    def preference(self) -> tuple[bool, bool, bool, float]:
        """Sort key, best last: pixels before header, the whole breast before a part of it, an exposure before an image computed from
        a tomosynthesis, then the lower of the two confidences."""
        header, finding = self.image
        from_pixels = {self.view_source, self.laterality_source} == {LabelSource.PIXELS}
        labels = [label.confidence for label in (finding.view, finding.laterality) if label] if finding else []
        return from_pixels, not header.partial_view, header.kind is not ImageKind.SYNTHESISED, min(labels, default=0.0)

    @property
    def orientation(self) -> DisplayOrientation:
        """How the stored pixels are rotated and flipped for display."""
        return find_display_orientation(self.image.header, self.view, self.laterality, self.image.chest_wall_right)


class NotHung(NamedTuple):
    """An object of the study that hangs nowhere, and why."""

    header: InstanceHeader
    reason: Reason


class Hanging(NamedTuple):
    """Every object of the study, in exactly one of the four fields.

    Parameters
    ----------
    slots
        The best image for each slot.
    repeated
        Further images for a slot, best first.
    extras
        Images for none of the four slots.
    not_hung
        Objects that are no image to hang.
    """

    slots: dict[str, HungImage | None]
    repeated: dict[str, list[HungImage]]
    extras: list[HungImage]
    not_hung: list[NotHung]

    @property
    def missing(self) -> list[str]:
        """Slots without an image."""
        return [slot for slot, hung in self.slots.items() if hung is None]


def hang(study: Sequence[StudyImage]) -> Hanging:
    """Assign the images of one study to the four slots.

    An image hangs by the labels of its pixels. It hangs by its header before it is analysed, and where header and pixels contradict each
    other without evidence for the pixels: a mirrored left breast hangs as a left breast. Of several images for one slot the best is
    chosen (`HungImage.preference`); of two equal ones that with the smaller SOP Instance UID, so that the order of arrival plays no part.
    Special views (with a modifier) hang beside the four slots. Tomosynthesis, raw data and objects that are no mammogram hang nowhere.
    """
    doubts = evaluate_labels(study).doubts
    hung_images: list[HungImage] = []
    not_hung: list[NotHung] = []
    for image in sorted(study, key=lambda each: each.uid):
        reason = _not_hung_reason(image.header)
        if reason:
            not_hung.append(NotHung(image.header, reason))
        else:
            hung_images.append(_label(image, image.uid in doubts.views, image.uid in doubts.sides))
    slots: dict[str, HungImage | None] = dict.fromkeys(SLOTS)
    repeated: dict[str, list[HungImage]] = {}
    for slot in SLOTS:
        fitting = [hung for hung in hung_images if hung.slot == slot and hung.is_standard]
        fitting.sort(key=lambda hung: hung.preference, reverse=True)
        if fitting:
            slots[slot] = fitting[0]
        if fitting[1:]:
            repeated[slot] = fitting[1:]
    return Hanging(slots, repeated, [hung for hung in hung_images if hung.slot not in SLOTS or not hung.is_standard], not_hung)


def _not_hung_reason(header: InstanceHeader) -> Reason | None:
    """Decided by the header, so that the answer is the same before and after the analysis."""
    reason = ineligible_reason(header, film_allowed=True)
    return reason if reason and reason.code not in _HUNG_THOUGH_INELIGIBLE else None


def _label(image: StudyImage, view_doubted: bool, side_doubted: bool) -> HungImage:
    header = image.header
    view, view_source = header.view, LabelSource.HEADER if header.view is not View.UNKNOWN else LabelSource.NONE
    side, side_source = header.laterality, LabelSource.HEADER if header.laterality is not Laterality.UNKNOWN else LabelSource.NONE
    if image.pixel_view is not View.UNKNOWN and not view_doubted:
        view, view_source = image.pixel_view, LabelSource.PIXELS
    if image.pixel_laterality is not Laterality.UNKNOWN and not side_doubted:
        side, side_source = image.pixel_laterality, LabelSource.PIXELS
    return HungImage(image, view, view_source, side, side_source)
