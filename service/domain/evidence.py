"""Independent evidence on what is wrong where label and pixels contradict each other: the label, or the image.

A mirrored left breast looks like a right breast. The networks' answer alone therefore never contradicts a declared side; a second,
independent source must support it: a burned-in marker, the detector's flip flag, or the other images of the study.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from models.vocabulary import Laterality, View
from service.domain.findings import Agreement, Evidence
from service.domain.study_image import TRAINED_VIEWS, StudyImage

SIDES = (Laterality.R, Laterality.L)
FOUR_VIEWS = frozenset((side, view) for side in SIDES for view in TRAINED_VIEWS)
"""The images of a screening study."""


class Cause(StrEnum):
    """What is wrong where a label and its pixels contradict each other."""

    LABEL = "label"
    IMAGE = "image"
    """The image is mirrored, or the networks misread its view."""


class CauseEvidence(NamedTuple):
    """A piece of evidence and the cause that it supports."""

    cause: Cause
    evidence: Evidence


def opposite(side: Laterality) -> Laterality:
    return Laterality.L if side is Laterality.R else Laterality.R


def declares_mirrored_layout(image: StudyImage) -> bool:
    """Tell whether Patient Orientation itself declares that the image is laid out the other way round than usual for its side.

    Patient Orientation (PS3.3 C.7.6.1.1.1) of a left breast is usually ``A\\R``. ``P\\R`` is a left breast with its chest wall at the
    right: an unusual layout, correctly labelled and described. ``P\\L`` proves nothing: it can be a right breast, or a left breast that
    is rotated by 180 degrees. Patient Orientation explains the side that another attribute declares, never its own.
    """
    if image.laterality_agreement is not Agreement.CONTRADICT or len(image.header.orientation) != 2:
        return False
    if image.header.laterality_source == "PatientOrientation":
        return False
    row, column = image.header.orientation
    chest_wall_of = {"P": Laterality.R, "A": Laterality.L}.get(row[:1])
    medial_of = {frozenset("L"): Laterality.R, frozenset("R"): Laterality.L}.get(frozenset(column) & frozenset("LR"))
    return chest_wall_of is image.pixel_laterality and medial_of is image.header.laterality


def contradicts_side(image: StudyImage) -> bool:
    """Tell whether the pixels contradict the declared side and Patient Orientation does not explain it."""
    return image.laterality_agreement is Agreement.CONTRADICT and not declares_mirrored_layout(image)


def agreed_side(image: StudyImage) -> Laterality:
    """The side on which label and pixels agree; UNKNOWN where they do not."""
    if declares_mirrored_layout(image) or image.header.laterality is image.pixel_laterality:
        return image.header.laterality if image.header.laterality in SIDES else Laterality.UNKNOWN
    return Laterality.UNKNOWN


def side_evidence(image: StudyImage, study: Sequence[StudyImage]) -> list[CauseEvidence]:
    """All evidence on an image whose pixels contradict its declared side."""
    contralateral = _contralateral_evidence(image, study)
    return [*image_evidence(image, study), *([contralateral] if contralateral else [])]


def image_evidence(image: StudyImage, study: Sequence[StudyImage]) -> list[CauseEvidence]:
    """Evidence from the marker and from the detector on whether an image is mirrored; it needs no declared side."""
    return [found for found in (_marker_evidence(image), _detector_evidence(image, study)) if found]


def _marker_evidence(image: StudyImage) -> CauseEvidence | None:
    """A burned-in marker names the side in letters, which `service.analyse.markers` also reads in a mirrored image."""
    marker = image.marker
    if marker is None or marker.laterality not in SIDES:
        return None
    label = marker.laterality is image.pixel_laterality
    text = f"the burned-in marker says {marker.laterality}, {'as the pixels show' if label else 'and the pixels show the other side'}"
    return CauseEvidence(Cause.LABEL if label else Cause.IMAGE, Evidence(code="marker", text=text))


def _contralateral_evidence(image: StudyImage, study: Sequence[StudyImage]) -> CauseEvidence | None:
    """Evidence from the images whose label and pixels agree: a screening study has both breasts in both views.

    If the label is wrong, the study would have the declared breast twice in this view and the other breast never. If the image is
    mirrored, the study has all four views. There is evidence only where one of the two completes the four views and the other does not:
    in a study of one breast, or with repeated views, a second image of a breast is normal. And it counts only where most images agree:
    some machines mirror whole studies, and there the one image with a wrong label is the only one whose label and pixels seem to agree.
    """
    agreeing = [other for other in study if other.uid != image.uid and agreed_side(other) in SIDES]
    if len(agreeing) <= sum(contradicts_side(each) for each in study):
        return None
    present = {(agreed_side(other), other.pixel_view): other for other in agreeing}
    declared, shown, view = image.header.laterality, image.pixel_laterality, image.pixel_view
    complete_as_declared, complete_as_shown = (present.keys() | {(side, view)} >= FOUR_VIEWS for side in (declared, shown))
    if complete_as_declared == complete_as_shown:
        return None
    twice, never = (declared, shown) if complete_as_shown else (shown, declared)
    source = "label" if complete_as_shown else "pixels"
    text = f"by its {source} the study would have {twice}-{view} twice and {never}-{view} never"
    evidence = Evidence(code="contralateral", text=text, sop_instance_uid=present[twice, view].uid)
    return CauseEvidence(Cause.LABEL if complete_as_shown else Cause.IMAGE, evidence)


def _detector_evidence(image: StudyImage, study: Sequence[StudyImage]) -> CauseEvidence | None:
    """Field of View Horizontal Flip (PS3.3 C.8.11.4): a detector that declares a flip supports a mirrored image.

    There is no evidence where the detector flips every image of that side and none of the other: some manufacturers bring both breasts
    into their usual orientation in this way.
    """
    if not image.header.detector_flipped:
        return None
    same_side = [other for other in study if other.pixel_laterality is image.pixel_laterality]
    other_side = [other for other in study if other.pixel_laterality is opposite(image.pixel_laterality)]
    if all(each.header.detector_flipped for each in same_side) and any(not each.header.detector_flipped for each in other_side):
        return None
    return CauseEvidence(Cause.IMAGE, Evidence(code="detector", text="the header says that the detector flipped the image"))


def detector_flipped_none(study: Sequence[StudyImage]) -> bool:
    """Tell whether every header declares expressly that the detector did not flip the image."""
    return all(image.header.field_of_view_horizontal_flip == "NO" for image in study)


def view_evidence(image: StudyImage, study: Sequence[StudyImage]) -> list[CauseEvidence]:
    """Evidence on the view that the pixels show: LABEL where the label is wrong, IMAGE where the networks misread the view."""
    return [found for found in (_view_marker_evidence(image), _sibling_evidence(image, study)) if found]


def _view_marker_evidence(image: StudyImage) -> CauseEvidence | None:
    marker = image.marker
    if marker is None or marker.view not in TRAINED_VIEWS:
        return None
    label = marker.view is image.pixel_view
    text = f"the burned-in marker says {marker.view}, {'as the pixels show' if label else 'and the pixels show another view'}"
    return CauseEvidence(Cause.LABEL if label else Cause.IMAGE, Evidence(code="marker", text=text))


def _sibling_evidence(image: StudyImage, study: Sequence[StudyImage]) -> CauseEvidence | None:
    """Evidence from the other images of the same breast: a screening study has each breast in both views.

    An image whose own side is not certain counts where it may show this breast.
    """
    side, shown = image.pixel_laterality, image.pixel_view
    if side not in SIDES:
        return None
    siblings = [
        other
        for other in study
        if other.uid != image.uid
        and (side is agreed_side(other) if agreed_side(other) in SIDES else _may_show(other, side, image.header.laterality))
    ]
    other_view = View.MLO if shown is View.CC else View.CC
    present = {other.pixel_view: other for other in siblings if other.pixel_view in TRAINED_VIEWS}
    if len(present) != 1:
        return None
    (sibling,) = present.values()
    label = other_view in present
    text = (
        f"with the view of its pixels the study has the breast once as {shown} and once as {other_view}"
        if label
        else f"with the view of its pixels the study would have the breast twice as {shown} and never as {other_view}"
    )
    return CauseEvidence(Cause.LABEL if label else Cause.IMAGE, Evidence(code="siblings", text=text, sop_instance_uid=sibling.uid))


def _may_show(image: StudyImage, shown: Laterality, declared: Laterality) -> bool:
    return image.pixel_laterality is shown or image.header.laterality is declared
