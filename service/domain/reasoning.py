"""What the images of a study say together about its labels: one label wrong, both sides exchanged, pictures mirrored, or not settled.

A side or a view is contradicted only with a second witness (`service.domain.evidence`); where none speaks, or two disagree, the difference
is reported with its obstacle and nobody can apply it. What is right where only the picture is mirrored stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from models.vocabulary import ImageKind, Laterality
from service.domain.adjudication import WRONG, Ruling, Rulings, rule
from service.domain.correction import KNOWN_VIEWS, Seen, has_foreign_view, report_only_reason
from service.domain.evidence import Cause, hear_picture, is_known_layout, opposite
from service.domain.findings import Agreement, CorrectionKind, InstanceState, LabelCorrection, Reasoning, Verdict


class Doubts(NamedTuple):
    """SOP Instance UIDs of the images whose side or view must not be taken from their pixels."""

    sides: frozenset[str]
    views: frozenset[str]


def compare_study(study: Sequence[Seen]) -> tuple[tuple[LabelCorrection, ...], Reasoning]:
    """Compare the labels of all images of a study.

    Parameters
    ----------
    study
        Its images; those that were not analysed are left out.

    Returns
    -------
    One correction for each analysed image in the given order (kind None where nothing differs), and the reasoning behind them.
    """
    analysed = _analysed(study)
    rulings = rule(analysed)
    return tuple(_correct(image, analysed, rulings) for image in analysed), _sum_up(analysed, rulings)


def find_doubts(study: Sequence[Seen]) -> Doubts:
    """Name the images that hang, and count for a breast, by their header although the networks have read their pixels.

    A contradicted label gives way to the pixels only where a witness says that it is wrong: a mirrored picture, or one that nothing
    settles, stays the breast that it is declared to be.
    """
    analysed = _analysed(study)
    rulings = rule(analysed)
    laid_out = {image.uid for image in analysed if is_known_layout(image)}
    unsettled = {uid for uid, ruling in rulings.sides.items() if ruling.cause is not Cause.LABEL}
    views = {image.uid for image in analysed if image.view is Agreement.CONTRADICT and rulings.views[image.uid].cause is not Cause.LABEL}
    return Doubts(frozenset(laid_out | unsettled), frozenset(views))


def _analysed(study: Sequence[Seen]) -> list[Seen]:
    return [image for image in study if image.finding.state is InstanceState.ANALYSED]


def _correct(image: Seen, study: Sequence[Seen], rulings: Rulings) -> LabelCorrection:
    """Put one image's difference into words, with whatever forbids to apply it."""
    laterality = Agreement.AGREE if is_known_layout(image) else image.laterality
    side, view = rulings.sides.get(image.uid), rulings.views.get(image.uid, Ruling(None))
    kind = _kind(image, laterality, side, rulings.exchanged)
    obstacle = ""
    if kind is not None:
        obstacle = report_only_reason(image.header) or _side_obstacle(image, study, rulings) or _view_obstacle(image, kind, view)
        obstacle = obstacle or _unsure_obstacle(image, laterality)
    return LabelCorrection(
        sop_instance_uid=image.uid,
        view=image.view,
        laterality=laterality,
        declared_view=image.header.view,
        declared_laterality=image.header.laterality,
        pixel_view=image.pixel_view,
        pixel_laterality=image.pixel_laterality,
        kind=kind,
        confidence=_confidence(image, laterality) if kind else 0.0,
        evidence=(*(side.evidence if side else ()), *view.evidence) if kind else (),
        film=image.header.kind is ImageKind.FILM,
        obstacle=obstacle,
        reason=obstacle or _reason(kind, image, laterality, side, view),
    )


def _kind(image: Seen, laterality: Agreement, side: Ruling | None, exchanged: bool) -> CorrectionKind | None:
    if side and side.cause is Cause.PICTURE:
        return CorrectionKind.MIRRORED
    if side and exchanged:
        return CorrectionKind.SIDES_SWAPPED
    if Agreement.CONTRADICT in (image.view, laterality):
        return CorrectionKind.CONTRADICTS
    if Agreement.MISSING in (image.view, laterality):
        return CorrectionKind.MISSING
    return CorrectionKind.VIEW_UNKNOWN if has_foreign_view(image.header) else None


def _side_obstacle(image: Seen, study: Sequence[Seen], rulings: Rulings) -> str:
    ruling = rulings.sides.get(image.uid)
    if ruling:
        silent = "a mirrored left breast looks like a right one, and no second witness settles it"
        return "" if ruling.cause else ruling.text or silent
    if image.laterality is not Agreement.MISSING or image.header.laterality is image.pixel_laterality:
        return ""
    # The side stands nowhere in the header: the picture's lie is all there is, so nothing may cast doubt on it.
    if any(each.cause is not Cause.LABEL for each in rulings.sides.values()):
        return "no side is filled in while the pictures of the study do not lie as their labels say"
    heard = {testimony.evidence.code: testimony.cause for testimony in hear_picture(image, study)}
    if Cause.PICTURE in heard.values():
        return "a witness says that the picture may be mirrored"
    if "marker" in heard:
        return ""
    shown = [other.pixel_laterality for other in study if other.uid != image.uid and other.pixel_view is image.pixel_view]
    if image.pixel_view in KNOWN_VIEWS and image.pixel_laterality in shown and opposite(image.pixel_laterality) not in shown:
        return "the study would hold this view of one breast twice and of the other never: the picture may be mirrored"
    return ""


def _view_obstacle(image: Seen, kind: CorrectionKind, ruling: Ruling) -> str:
    if image.view not in WRONG:
        return ""
    if image.view is Agreement.CONTRADICT and kind is CorrectionKind.MIRRORED:
        return "the picture is mirrored and its view contradicts too: more than one thing is wrong"
    if image.view is Agreement.CONTRADICT and ruling.cause is not Cause.LABEL:
        return ruling.text or "an exaggerated view may look like another one, and no second witness settles it"
    filled = image.header.view is image.pixel_view  # the header says so too, in another place
    return ruling.text if not filled and ruling.evidence and ruling.cause is not Cause.LABEL else ""


def _unsure_obstacle(image: Seen, laterality: Agreement) -> str:
    unsure = [name for name, agreement in (("view", image.view), ("side", laterality)) if agreement is Agreement.UNSURE]
    return f"the pixels leave the {unsure[0]} unsure, and half a label is not written" if unsure else ""


def _confidence(image: Seen, laterality: Agreement) -> float:
    written = ((image.finding.view, image.view), (image.finding.laterality, laterality))
    return min((label.confidence for label, agreement in written if label and agreement in WRONG), default=0.0)


def _reason(kind: CorrectionKind | None, image: Seen, laterality: Agreement, side: Ruling | None, view: Ruling) -> str:
    if kind is None:
        explained = laterality is not image.laterality
        return "Patient Orientation says that the picture lies the other way round" if explained else "nothing to correct"
    said = "; ".join(ruling.text for ruling in (side, view) if ruling and ruling.text)
    heads = {
        CorrectionKind.MISSING: "label missing, read from the pixels",
        CorrectionKind.CONTRADICTS: "header and pixels contradict each other",
        CorrectionKind.MIRRORED: "the picture is mirrored, its label is right",
        CorrectionKind.SIDES_SWAPPED: "both breasts of the study bear the other's label",
        CorrectionKind.VIEW_UNKNOWN: "the networks do not know the declared view",
    }
    return f"{heads[kind]}: {said}" if said else heads[kind]


def _sum_up(study: Sequence[Seen], rulings: Rulings) -> Reasoning:
    """The verdict on the whole study, and why."""
    wrong_views = {image.uid: rulings.views[image.uid] for image in study if image.view is Agreement.CONTRADICT}
    open_view = any(ruling.cause is not Cause.LABEL for ruling in wrong_views.values())
    causes = {ruling.cause for ruling in rulings.sides.values()}
    if not rulings.sides and not wrong_views:
        missing = sum(Agreement.MISSING in (image.view, image.laterality) for image in study)
        return Reasoning(text=f"{missing} of {len(study)} pictures lack a label" if missing else "")
    counted = f"{len(rulings.sides)} of {len(study)} pictures lie against their declared side" if rulings.sides else ""
    viewed = f"{len(wrong_views)} of {len(study)} show another view than declared" if wrong_views else ""
    facts = "; ".join(each for each in (counted, viewed) if each)
    said = "; ".join(dict.fromkeys(ruling.text for ruling in (*rulings.sides.values(), *wrong_views.values()) if ruling.text))
    verdict = Verdict.ONE_WRONG_LABEL
    if rulings.exchanged:  # whatever its views say besides: such a study must be held
        verdict = Verdict.SIDES_SWAPPED
    elif len(causes) > 1 or None in causes or open_view:
        verdict = Verdict.INCONCLUSIVE
        whole = len(rulings.sides) == len(study) and {image.header.laterality for image in study} == {Laterality.R, Laterality.L}
        said = said or ("both sides exchanged or every picture mirrored, and no witness tells which" if whole else "no witness settles it")
    elif causes == {Cause.PICTURE}:
        verdict = Verdict.MIRRORED
    return Reasoning(verdict=verdict, text=f"{facts}: {said}" if said else facts)
