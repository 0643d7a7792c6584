"""Findings of each image in a Mammography CAD SR: PS3.16 TID 4003 (impression), 4006 (single image finding) and included templates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from highdicom.sr import CodedConcept
from pydicom.dataset import Dataset

from models.vocabulary import BREAST_CODES, DENSITY_CODES, Density, Laterality
from service.domain.findings import Conclusion, ImageFinding, Label, LabelCorrection, ModelIdentity
from service.report import concepts
from service.report.algorithm import Algorithm, find_algorithm, is_calibrated, name_algorithm
from service.report.concepts import concept
from service.report.content import (
    CONTAINS,
    HAS_CONCEPT_MOD,
    HAS_OBS_CONTEXT,
    HAS_PROPERTIES,
    INFERRED_FROM,
    SELECTED_FROM,
    make_code,
    make_container,
    make_number,
    make_reference,
    make_region,
    make_text,
    make_uid,
)
from service.report.marks import has_wrong_label, is_marked
from service.report.uids import derive_uid

NO_CERTAINTY = -1.0


def build_impression(conclusion: Conclusion, image: ImageFinding, name: str, position: Sequence[int]) -> Dataset | None:
    """TID 4003: one container for an image with findings; None for an image without.

    Parameters
    ----------
    name
        Name of the image in the text of this report.
    position
        Position of its entry in the image library, from the root.
    """
    correction = next((each for each in conclusion.corrections if each.sop_instance_uid == image.sop_instance_uid), None)
    required: list[Dataset] = []
    if is_marked(conclusion, image):
        required.append(_region(conclusion, image, name, position))
    if correction and has_wrong_label(correction):
        required.append(_wrong_label(conclusion, image, correction, name, position))
    optional = [_composition(conclusion, image, name)] if density_of(image) in DENSITY_CODES else []
    if not required and not optional:
        return None
    intent = concepts.PRESENTATION_REQUIRED if required else concepts.PRESENTATION_OPTIONAL
    described = describe_image(conclusion, image, correction, name)
    return make_container(
        INFERRED_FROM,
        concepts.INDIVIDUAL_IMPRESSION,
        [
            make_code(HAS_CONCEPT_MOD, concepts.RENDERING_INTENT, intent),
            *describe_impression(CONTAINS, described, image.models),
            *required,
            *optional,
        ],
    )


def describe_impression(relationship: str, text: str, models: Sequence[ModelIdentity]) -> Iterator[Dataset]:
    """TID 4002 rows 5 and 11: an impression as text, and every algorithm that took part in it."""
    yield make_text(relationship, concepts.IMPRESSION_DESCRIPTION, text)
    for algorithm in [name_algorithm(model) for model in models] or [find_algorithm((), "")]:
        yield from identify_algorithm(relationship, algorithm)


def identify_algorithm(relationship: str, algorithm: Algorithm) -> Iterator[Dataset]:
    """TID 4019."""
    yield make_text(relationship, concepts.ALGORITHM_NAME, algorithm.name)
    yield make_text(relationship, concepts.ALGORITHM_VERSION, algorithm.version)
    for parameter in algorithm.parameters:
        yield make_text(relationship, concepts.ALGORITHM_PARAMETERS, parameter)


def density_of(image: ImageFinding) -> Density:
    """Breast composition that the pixels of one image show."""
    return Density(image.density.value) if image.density else Density.UNKNOWN


def describe_image(conclusion: Conclusion, image: ImageFinding, correction: LabelCorrection | None, name: str) -> str:
    """What the pixels of an image show, and how its header agrees with them, in sentences."""
    sentences = [f"{name}: pixels show {_value(image.laterality)} {_value(image.view)}, composition {_value(image.density)}."]
    if image.cancer_score is not None:
        kind = "" if is_calibrated(image.models) else " (not calibrated)"
        reached = "a region reaches" if is_marked(conclusion, image) else "no region reaches"
        if conclusion.threshold is not None:
            sentences.append(f"Score {image.cancer_score:.3f}{kind}; {reached} the operating point {conclusion.threshold:.3f}.")
        else:
            sentences.append(f"Score {image.cancer_score:.3f}{kind}; no operating point is set.")
    if correction and correction.changes_something:
        sentences.append(
            f"Header declares {correction.declared_laterality} {correction.declared_view}: {correction.kind}. {correction.reason}"
        )
    return " ".join(sentences)


def _region(conclusion: Conclusion, image: ImageFinding, name: str, position: Sequence[int]) -> Dataset:
    """The region under the heatmap's peak: TID 4006 rows 6, 8 and 17 with TID 4021 and 4013.

    It is a selected region: the network does not distinguish a mass from calcifications, so no kind of lesion is claimed. A selected
    region may not have a probability of cancer (row 7); its certainty is the score of the image.
    """
    assert image.peak is not None and image.cancer_score is not None
    selected = make_reference(SELECTED_FROM, position)
    geometry = [make_region(HAS_PROPERTIES, concepts.CENTER, "POINT", [(image.peak.row, image.peak.column)], [selected])]
    if image.outline:
        closed = [*image.outline, image.outline[0]]
        geometry.append(make_region(HAS_PROPERTIES, concepts.OUTLINE, "POLYLINE", closed, [make_reference(SELECTED_FROM, position)]))
    score = "calibrated" if is_calibrated(image.models) else "not calibrated"
    text = (
        f"Region that contributes most to the cancer score {image.cancer_score:.3f} ({score}); peak of the heatmap"
        f" {image.peak.strength:.3f}. Kind of lesion not determined."
    )
    return _finding(
        concepts.SELECTED_REGION,
        concepts.PRESENTATION_REQUIRED,
        _tracking(conclusion, image, "region", f"Region, {name}"),
        find_algorithm(image.models, "cancer"),
        image.cancer_score,
        [*geometry, make_text(HAS_PROPERTIES, concepts.REGION_DESCRIPTION, text)],
    )


def _wrong_label(conclusion: Conclusion, image: ImageFinding, correction: LabelCorrection, name: str, position: Sequence[int]) -> Dataset:
    """A declared label that the pixels contradict: TID 4006 rows 18 and 21 with TID 4014 row 1.

    Where the correction is blocked, for example without a second evidence for the side, the report claims no certainty.
    """
    return _finding(
        concepts.IMAGE_QUALITY,
        concepts.PRESENTATION_REQUIRED,
        _tracking(conclusion, image, "label", f"Labels, {name}"),
        find_algorithm(image.models, "labeler"),
        NO_CERTAINTY if correction.blocked_reason else correction.confidence,
        [
            make_reference(INFERRED_FROM, position),
            make_code(HAS_PROPERTIES, concepts.QUALITY_FINDING, concepts.MARKER_INCORRECT),
        ],
    )


def _composition(conclusion: Conclusion, image: ImageFinding, name: str) -> Dataset:
    """Breast composition that one image shows: TID 4006 row 9 with TID 4007 row 1.

    The template has no row for the side: Laterality modifies the concept, as PS3.16 6.2.4 lets any content item be post-coordinated.
    """
    side = Laterality(_value(image.laterality))
    modifiers = [make_code(HAS_CONCEPT_MOD, concepts.LATERALITY, concept(BREAST_CODES[side]))] if side in BREAST_CODES else []
    value = concept(DENSITY_CODES[density_of(image)])
    return _finding(
        concepts.BREAST_COMPOSITION,
        concepts.PRESENTATION_OPTIONAL,
        _tracking(conclusion, image, "composition", f"Composition, {name}"),
        find_algorithm(image.models, "labeler"),
        image.density.confidence if image.density else NO_CERTAINTY,
        [make_code(HAS_PROPERTIES, concepts.BREAST_COMPOSITION, value, modifiers)],
    )


def _finding(
    what: CodedConcept,
    intent: CodedConcept,
    tracking: Iterable[Dataset],
    algorithm: Algorithm,
    certainty: float,
    properties: Iterable[Dataset],
) -> Dataset:
    """TID 4006 rows 1 to 6, and the rows that its value requires."""
    children = [make_code(HAS_CONCEPT_MOD, concepts.RENDERING_INTENT, intent), *tracking]
    children += identify_algorithm(HAS_PROPERTIES, algorithm)
    if certainty != NO_CERTAINTY:
        children.append(make_number(HAS_PROPERTIES, concepts.CERTAINTY, 100 * certainty, concepts.PERCENT))
    return make_code(CONTAINS, concepts.SINGLE_IMAGE_FINDING, what, [*children, *properties])


def _tracking(conclusion: Conclusion, image: ImageFinding, kind: str, name: str) -> Iterator[Dataset]:
    """TID 4108: the same finding has the same UID in every version of the report."""
    uid = derive_uid(conclusion.study_instance_uid, 0, (), f"tracking:{kind}", image.sop_instance_uid)
    yield make_text(HAS_OBS_CONTEXT, concepts.TRACKING_IDENTIFIER, name)
    yield make_uid(HAS_OBS_CONTEXT, concepts.TRACKING_UID, uid)


def _value(label: Label | None) -> str:
    return label.value if label else "UNKNOWN"
