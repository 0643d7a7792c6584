"""The labels of a study against its pixels: a correction for each image, the study's verdict, and the pixel labels not to trust.

A side or a view is contradicted only with independent evidence (`service.domain.evidence`). Without evidence, or where two pieces
disagree, the correction says why nobody can apply it. Where only the image is mirrored, its labels stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from models.label_words import NOT_UNDERSTOOD
from models.vocabulary import ImageKind, Laterality, View
from service.domain.adjudication import DIFFERS, Adjudication, StudyAdjudication, adjudicate
from service.domain.evidence import Cause, declares_mirrored_layout, image_evidence, opposite
from service.domain.findings import Agreement, CorrectionKind, Evidence, LabelCorrection, Reasoning, Verdict
from service.domain.header_contradictions import describe_not_understood
from service.domain.report_only import has_untrained_view, report_only_reason
from service.domain.study_image import TRAINED_VIEWS, StudyImage

CORRECTED_KEYWORDS = frozenset({"ViewCodeSequence", "ViewPosition", "ImageLaterality", "Laterality", "PatientOrientation"})
"""The attributes that a correction changes (`service.report.label_changes`)."""


class Doubts(NamedTuple):
    """SOP Instance UIDs of the images whose side or view must be taken from the header and not from the pixels."""

    sides: frozenset[str]
    views: frozenset[str]


class LabelEvaluation(NamedTuple):
    """Everything that follows from the labels of one study."""

    corrections: tuple[LabelCorrection, ...]
    """One for each analysed image, in the given order; kind None where nothing differs."""
    reasoning: Reasoning
    doubts: Doubts


def evaluate_labels(study: Sequence[StudyImage]) -> LabelEvaluation:
    """Compare the declared labels of all images of a study with their pixels.

    Parameters
    ----------
    study
        The images of one study; images that are not analysed are ignored.
    """
    analysed = [image for image in study if image.is_analysed]
    adjudicated = adjudicate(analysed)
    corrections = tuple(_correct(image, analysed, adjudicated) for image in analysed)
    return LabelEvaluation(corrections, _summarise(analysed, adjudicated), _find_doubts(analysed, adjudicated))


def _find_doubts(analysed: Sequence[StudyImage], adjudicated: StudyAdjudication) -> Doubts:
    """A contradicted label gives way to the pixels only where the evidence says that the label is wrong.

    A mirrored image, and one on which the evidence does not decide, keeps its declared side.
    """
    mirrored_layout = {image.uid for image in analysed if declares_mirrored_layout(image)}
    undecided = {uid for uid, found in adjudicated.sides.items() if found.cause is not Cause.LABEL}
    views = {
        image.uid
        for image in analysed
        if image.view_agreement is Agreement.CONTRADICT and adjudicated.views[image.uid].cause is not Cause.LABEL
    }
    return Doubts(frozenset(mirrored_layout | undecided), frozenset(views))


def _correct(image: StudyImage, study: Sequence[StudyImage], adjudicated: StudyAdjudication) -> LabelCorrection:
    """Describe what differs in one image, and why nobody may apply the correction where that is so."""
    laterality = Agreement.AGREE if declares_mirrored_layout(image) else image.laterality_agreement
    side, view = adjudicated.sides.get(image.uid), adjudicated.views.get(image.uid, Adjudication(None))
    kind = _kind(image, laterality, side, adjudicated.sides_swapped)
    blocked = ""
    if kind is not None:
        contradicted = "; ".join(each.text for each in image.contradictions)
        blocked = f"the header contradicts itself: {contradicted}" if contradicted else report_only_reason(image.header)
        blocked = blocked or _blocked_by_side(image, study, adjudicated) or _blocked_by_view(image, kind, view)
        if image.finding and image.finding.turned and kind is not CorrectionKind.MISSING:
            blocked = blocked or "the image is rotated or mirrored as its Patient Orientation declares"
        blocked = blocked or _blocked_by_words(image, kind) or _blocked_by_confidence(image, laterality)
    correction = LabelCorrection(
        sop_instance_uid=image.uid,
        view=image.view_agreement,
        laterality=laterality,
        declared_view=image.header.view,
        declared_laterality=image.header.laterality,
        pixel_view=image.pixel_view,
        pixel_laterality=image.pixel_laterality,
        kind=kind,
        confidence=_confidence(image, laterality) if kind else 0.0,
        evidence=(*_header_evidence(image), *(side.evidence if side else ()), *view.evidence) if kind else (),
        film=image.header.kind is ImageKind.FILM,
        blocked_reason=blocked,
        reason=blocked or _reason(kind, image, laterality, side, view),
    )
    return correction.model_copy(update={"kept_sources": _kept_sources(image, correction)}) if kind else correction


def _kept_sources(image: StudyImage, correction: LabelCorrection) -> tuple[str, ...]:
    """Attributes that declare another label than the new one and that a correction of labels does not change."""
    new = {"view": correction.new_view, "laterality": correction.new_laterality}
    return tuple(
        dict.fromkeys(
            each.keyword
            for each in image.header.declared_labels
            if each.keyword not in CORRECTED_KEYWORDS and each.value not in (NOT_UNDERSTOOD, new[each.label])
        )
    )


def _kind(image: StudyImage, laterality: Agreement, side: Adjudication | None, sides_swapped: bool) -> CorrectionKind | None:
    if image.contradictions:
        return CorrectionKind.HEADER_CONTRADICTS_ITSELF
    if side and side.cause is Cause.IMAGE:
        return CorrectionKind.MIRRORED
    if side and sides_swapped:
        return CorrectionKind.SIDES_SWAPPED
    if Agreement.CONTRADICT in (image.view_agreement, laterality):
        return CorrectionKind.CONTRADICTS
    if describe_not_understood(image.header):
        return CorrectionKind.VIEW_UNKNOWN
    if Agreement.MISSING in (image.view_agreement, laterality):
        return CorrectionKind.MISSING
    return CorrectionKind.VIEW_UNKNOWN if has_untrained_view(image.header) else None


def _header_evidence(image: StudyImage) -> tuple[Evidence, ...]:
    """Both witnesses of each contradiction inside the header."""
    return tuple(Evidence(code="header", text=each.text) for each in image.contradictions)


def _blocked_by_side(image: StudyImage, study: Sequence[StudyImage], adjudicated: StudyAdjudication) -> str:
    side = adjudicated.sides.get(image.uid)
    if side:
        return "" if side.cause else side.text or "a mirrored left breast looks like a right one, and there is no second evidence"
    if image.laterality_agreement is not Agreement.MISSING:
        return ""
    if image.marker and image.marker.laterality not in (Laterality.UNKNOWN, image.pixel_laterality):
        return f"the burned-in marker says {image.marker.laterality}, and the pixels show the other side"
    if image.header.laterality is image.pixel_laterality and image.header.laterality_source == "Laterality":
        return ""
    # No attribute for the side has it, at most a text, a region or the layout: nothing may cast doubt on the pixels.
    if any(each.cause is not Cause.LABEL for each in adjudicated.sides.values()):
        return "no side is filled in while pixels of the study contradict their labels"
    found = {each.evidence.code: each.cause for each in image_evidence(image, study)}
    if Cause.IMAGE in found.values():
        return "there is evidence that the image is mirrored"
    if "marker" in found:
        return ""
    shown = [other.pixel_laterality for other in study if other.uid != image.uid and other.pixel_view is image.pixel_view]
    if image.pixel_view in TRAINED_VIEWS and image.pixel_laterality in shown and opposite(image.pixel_laterality) not in shown:
        return "the study would have this view of one breast twice and of the other never: the image may be mirrored"
    return ""


def _blocked_by_view(image: StudyImage, kind: CorrectionKind, view: Adjudication) -> str:
    if image.view_agreement not in DIFFERS:
        return ""
    if image.view_agreement is Agreement.CONTRADICT and kind is CorrectionKind.MIRRORED:
        return "the image is mirrored and its pixels contradict its view too: more than one thing is wrong"
    if image.view_agreement is Agreement.CONTRADICT and view.cause is not Cause.LABEL:
        return view.text or "an exaggerated view can look like another one, and there is no second evidence"
    if image.marker and image.marker.view not in (View.UNKNOWN, image.pixel_view) and image.view_agreement is Agreement.MISSING:
        return f"the burned-in marker says {image.marker.view}, and the pixels show another view"
    declared_elsewhere = image.header.view is image.pixel_view  # in an attribute that is not the normative one
    return view.text if not declared_elsewhere and view.evidence and view.cause is not Cause.LABEL else ""


def _blocked_by_words(image: StudyImage, kind: CorrectionKind) -> str:
    """Nothing is filled in against an attribute, or beside one that says more than the service understands, even if another explains it."""
    if kind is not CorrectionKind.MISSING:
        return ""
    shown: dict[str, str] = {"view": image.pixel_view, "laterality": image.pixel_laterality}
    for each in image.header.declared_labels:
        if each.value == NOT_UNDERSTOOD and each.keyword != "PatientOrientation":
            return f"{each.keyword} says more of the labels than is understood"
        if each.value not in (NOT_UNDERSTOOD, shown[each.label]):
            return f"{each.keyword} says {each.value}"
    return ""


def _blocked_by_confidence(image: StudyImage, laterality: Agreement) -> str:
    unsure = [name for name, agreement in (("view", image.view_agreement), ("side", laterality)) if agreement is Agreement.UNSURE]
    return f"the networks are not sure of the {unsure[0]}, and view and side are only written together" if unsure else ""


def _confidence(image: StudyImage, laterality: Agreement) -> float:
    if image.finding is None:
        return 0.0
    written = ((image.finding.view, image.view_agreement), (image.finding.laterality, laterality))
    return min((label.confidence for label, agreement in written if label and agreement in DIFFERS), default=0.0)


_KIND_TEXT = {
    CorrectionKind.MISSING: "the header lacks a label that the pixels show",
    CorrectionKind.CONTRADICTS: "header and pixels contradict each other",
    CorrectionKind.MIRRORED: "the image is mirrored, its labels are right",
    CorrectionKind.SIDES_SWAPPED: "both breasts of the study have the label of the other one",
    CorrectionKind.VIEW_UNKNOWN: "the networks were not trained on the declared view",
    CorrectionKind.HEADER_CONTRADICTS_ITSELF: "two attributes of the header declare different labels",
}


def _reason(kind: CorrectionKind | None, image: StudyImage, laterality: Agreement, side: Adjudication | None, view: Adjudication) -> str:
    if kind is None:
        explained = laterality is not image.laterality_agreement
        return "Patient Orientation declares the mirrored layout" if explained else "nothing to correct"
    text = "; ".join(each.text for each in (side, view) if each and each.text)
    return f"{_KIND_TEXT[kind]}: {text}" if text else _KIND_TEXT[kind]


def _summarise(study: Sequence[StudyImage], adjudicated: StudyAdjudication) -> Reasoning:
    """The verdict on the whole study, and the reasons for it."""
    sides = adjudicated.sides
    views = {image.uid: adjudicated.views[image.uid] for image in study if image.view_agreement is Agreement.CONTRADICT}
    if not sides and not views:
        missing = sum(Agreement.MISSING in (image.view_agreement, image.laterality_agreement) for image in study)
        return Reasoning(text=f"{missing} of {len(study)} images lack a label" if missing else "")
    counted = (
        f"the pixels of {len(sides)} of {len(study)} images contradict the declared side" if sides else "",
        f"the pixels of {len(views)} of {len(study)} images contradict the declared view" if views else "",
    )
    facts = "; ".join(each for each in counted if each)
    text = "; ".join(dict.fromkeys(each.text for each in (*sides.values(), *views.values()) if each.text))
    verdict = _verdict(adjudicated, views.values())
    if verdict is Verdict.INCONCLUSIVE and not text:
        whole = len(sides) == len(study) and {image.header.laterality for image in study} == {Laterality.R, Laterality.L}
        text = "either the sides are swapped or every image is mirrored, and no evidence decides" if whole else "no evidence decides"
    return Reasoning(verdict=verdict, text=f"{facts}: {text}" if text else facts)


def _verdict(adjudicated: StudyAdjudication, views: Iterable[Adjudication]) -> Verdict:
    causes = {each.cause for each in adjudicated.sides.values()}
    if adjudicated.sides_swapped:  # whatever its views show: such a study must be held
        return Verdict.SIDES_SWAPPED
    if len(causes) > 1 or None in causes or any(each.cause is not Cause.LABEL for each in views):
        return Verdict.INCONCLUSIVE
    return Verdict.MIRRORED if causes == {Cause.IMAGE} else Verdict.ONE_WRONG_LABEL
