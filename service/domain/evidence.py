"""Witnesses beside the picture's own lie: a mirrored left breast looks like a right one, so a second one is heard before a declared
side is contradicted (design notes, dicom.md 0.6). Each says which is wrong, the label or the picture, or keeps silent."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from models.vocabulary import Laterality, View
from service.domain.correction import KNOWN_VIEWS, Seen
from service.domain.findings import Agreement, Evidence

SIDES = (Laterality.R, Laterality.L)
FOUR_VIEWS = frozenset((side, view) for side in SIDES for view in KNOWN_VIEWS)
"""What a screening study holds."""


class Cause(StrEnum):
    """What is wrong where a label and its pixels contradict each other."""

    LABEL = "label"
    PICTURE = "picture"


class SideEvidence(NamedTuple):
    cause: Cause
    evidence: Evidence


def opposite(side: Laterality) -> Laterality:
    return Laterality.L if side is Laterality.R else Laterality.R


def is_known_layout(image: Seen) -> bool:
    """Tell whether the header itself says that the picture lies the other way than usual for its side.

    Patient Orientation (PS3.3 C.7.6.1.1.1) of a left breast is ``A\\R`` as a rule. ``P\\R`` is a left breast with its chest wall at the
    right: laid out unusually, but labelled and described rightly. ``P\\L`` would not do: it may be a right breast, or a left one turned by
    180 degrees.
    """
    if image.laterality is not Agreement.CONTRADICT or len(image.header.orientation) != 2:
        return False
    row, column = image.header.orientation
    chest_wall_of = {"P": Laterality.R, "A": Laterality.L}.get(row[:1])
    medial_of = {frozenset("L"): Laterality.R, frozenset("R"): Laterality.L}.get(frozenset(column) & frozenset("LR"))
    return chest_wall_of is image.pixel_laterality and medial_of is image.header.laterality


def is_turned(image: Seen) -> bool:
    """Tell whether the declared side contradicts the lie of the picture, and the header does not explain it."""
    return image.laterality is Agreement.CONTRADICT and not is_known_layout(image)


def trusted_side(image: Seen) -> Laterality:
    """The side where label and picture say the same; UNKNOWN otherwise."""
    if is_known_layout(image) or image.header.laterality is image.pixel_laterality:
        return image.header.laterality if image.header.laterality in SIDES else Laterality.UNKNOWN
    return Laterality.UNKNOWN


def side_evidence(image: Seen, study: Sequence[Seen]) -> list[SideEvidence]:
    """What every witness says of one image whose declared side its picture contradicts."""
    contralateral = _hear_contralateral(image, study)
    return [*hear_picture(image, study), *([contralateral] if contralateral else [])]


def hear_picture(image: Seen, study: Sequence[Seen]) -> list[SideEvidence]:
    """What the picture itself and its detector say of the way it lies; they can be heard where no side is declared too."""
    return [testimony for testimony in (_hear_marker(image), _hear_detector(image, study)) if testimony]


def _hear_marker(image: Seen) -> SideEvidence | None:
    """A burned-in marker names the side in letters, and stays readable in a mirrored picture (`service.analyse.markers`)."""
    marker = image.finding.marker
    if marker is None or marker.laterality not in SIDES:
        return None
    label = marker.laterality is image.pixel_laterality
    said = f"the burned-in marker says {marker.laterality}, {'as the picture lies' if label else 'and the picture lies the other way'}"
    return SideEvidence(Cause.LABEL if label else Cause.PICTURE, Evidence(code="marker", text=said))


def _hear_contralateral(image: Seen, study: Sequence[Seen]) -> SideEvidence | None:
    """The images whose label and picture agree: a screening study holds both breasts in both views.

    Were the label wrong, the declared breast would be there twice in this view and the other never; were the picture mirrored, all would be
    there. The witness speaks only where one of the two completes the four views and the other does not: in a study of one breast, or with
    repeated views, a second image of a breast is nothing odd. And it is believed only where most images agree: some machines mirror whole
    studies, and in such a study the one image with a wrong label is the only one whose label and picture seem to agree.
    """
    agreeing = [other for other in study if other.uid != image.uid and trusted_side(other) in SIDES]
    if len(agreeing) <= sum(is_turned(each) for each in study):
        return None
    held = {(trusted_side(other), other.pixel_view): other for other in agreeing}
    declared, shown, view = image.header.laterality, image.pixel_laterality, image.pixel_view
    by_label, by_picture = (held.keys() | {(side, view)} >= FOUR_VIEWS for side in (declared, shown))
    if by_label == by_picture:
        return None
    twice, never = (declared, shown) if by_picture else (shown, declared)
    said = f"by its {'label' if by_picture else 'picture'} the study would hold {twice}-{view} twice and {never}-{view} never"
    evidence = Evidence(code="contralateral", text=said, sop_instance_uid=held[twice, view].uid)
    return SideEvidence(Cause.LABEL if by_picture else Cause.PICTURE, evidence)


def _hear_detector(image: Seen, study: Sequence[Seen]) -> SideEvidence | None:
    """Field of View Horizontal Flip (PS3.3 C.8.11.4): a detector that says it flipped the picture speaks for a mirrored one.

    Not where it flips every picture of that side and none of the other: so some makers bring both breasts into their usual lie.
    """
    if not image.header.field_of_view_flipped:
        return None
    alike = [other for other in study if other.pixel_laterality is image.pixel_laterality]
    across = [other for other in study if other.pixel_laterality is opposite(image.pixel_laterality)]
    if all(each.header.field_of_view_flipped for each in alike) and any(not each.header.field_of_view_flipped for each in across):
        return None
    return SideEvidence(Cause.PICTURE, Evidence(code="detector", text="the header says that the detector flipped the picture"))


def detector_flipped_nothing(study: Sequence[Seen]) -> bool:
    """Tell whether every header says expressly that its picture was not flipped."""
    return all(image.header.field_of_view_told and not image.header.field_of_view_flipped for image in study)


def hear_view(image: Seen, study: Sequence[Seen]) -> list[SideEvidence]:
    """What speaks for or against the view that the pixels show; LABEL where the label is wrong, PICTURE where it was misread."""
    heard = (_hear_view_marker(image), _hear_siblings(image, study))
    return [testimony for testimony in heard if testimony]


def _hear_view_marker(image: Seen) -> SideEvidence | None:
    marker = image.finding.marker
    if marker is None or marker.view not in KNOWN_VIEWS:
        return None
    label = marker.view is image.pixel_view
    said = f"the burned-in marker says {marker.view}, {'as the pixels do' if label else 'and the pixels say otherwise'}"
    return SideEvidence(Cause.LABEL if label else Cause.PICTURE, Evidence(code="marker", text=said))


def _hear_siblings(image: Seen, study: Sequence[Seen]) -> SideEvidence | None:
    """The other images of the same breast: a screening study holds each of them in both views. An image of which it is not sure whose
    side it shows counts where it may be of this breast."""
    side, shown = image.pixel_laterality, image.pixel_view
    if side not in SIDES:
        return None
    siblings = [
        other
        for other in study
        if other.uid != image.uid
        and (side is trusted_side(other) if trusted_side(other) in SIDES else _may_be_of(other, side, image.header.laterality))
    ]
    other_view = View.MLO if shown is View.CC else View.CC
    held = {other.pixel_view: other for other in siblings if other.pixel_view in KNOWN_VIEWS}
    if len(held) != 1:
        return None
    (witness,) = held.values()
    label = other_view in held
    said = (
        f"with the view of its pixels the breast is there once as {shown} and once as {other_view}"
        if label
        else f"with the view of its pixels the breast would be there twice as {shown} and never as {other_view}"
    )
    return SideEvidence(Cause.LABEL if label else Cause.PICTURE, Evidence(code="siblings", text=said, sop_instance_uid=witness.uid))


def _may_be_of(image: Seen, shown: Laterality, declared: Laterality) -> bool:
    return image.pixel_laterality is shown or image.header.laterality is declared
