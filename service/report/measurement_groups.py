"""Measurement groups of the report for the study, each breast and each image (PS3.16 TID 1501)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    CompositeContentItem,
    ContentItem,
    FindingSite,
    Measurement,
    MeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    RelationshipTypeValues,
    SourceImageForMeasurementGroup,
    TextContentItem,
    TrackingIdentifier,
)
from pydicom.dataset import Dataset

from models.vocabulary import DENSITY_CODES, LATERALITY_CODES, VIEW_CODES, Density, Laterality, View
from service.domain.findings import BreastFinding, Conclusion, ImageFinding, InstanceState, Label, LabelCorrection, ModelIdentity, Verdict
from service.report import concepts
from service.report.algorithm import describe_model, find_model, is_calibrated, name_algorithm
from service.report.concepts import concept
from service.report.content import plain_text
from service.report.identity import NOT_A_DIAGNOSIS
from service.report.image_names import name_image
from service.report.marks import has_wrong_label
from service.report.uids import derive_uid

CONTAINS = RelationshipTypeValues.CONTAINS
OUTCOMES = {
    InstanceState.ANALYSED: concepts.SUCCEEDED,
    InstanceState.SKIPPED: concepts.NOT_ATTEMPTED,
    InstanceState.FAILED: concepts.FAILED,
    InstanceState.RECEIVED: concepts.NOT_ATTEMPTED,
}


def study_group(conclusion: Conclusion) -> MeasurementsAndQualitativeEvaluations:
    """Score, operating point, triage flag, density and labels of the study; its models, and that the report is not a diagnosis."""
    measurements = _score(conclusion.score, conclusion.models)
    if conclusion.threshold is not None:
        measurements.append(_number(concepts.OPERATING_POINT, conclusion.threshold))
    evaluations = [
        QualitativeEvaluation(concepts.TRIAGE, concepts.TRIAGE_VALUES[conclusion.flag]),
        QualitativeEvaluation(concepts.VIEW_SET, concepts.VIEW_SET_VALUES[conclusion.complete]),
        QualitativeEvaluation(concepts.STUDY_LABELS, concepts.VERDICT_VALUES[conclusion.reasoning.verdict]),
        *_density(conclusion.density),
    ]
    reasoning = conclusion.reasoning
    labels = [f"Labels, {reasoning.verdict}: {reasoning.text}"] if reasoning.verdict is not Verdict.AS_DECLARED else []
    comments = [NOT_A_DIAGNOSIS, *labels, *(f"Model {describe_model(model)}" for model in conclusion.models)]
    sides = {breast.laterality for breast in conclusion.breasts}
    side = sides.pop() if len(sides) == 1 else Laterality.B if sides else Laterality.UNKNOWN
    return _group("Study", concepts.STUDY_ANALYSIS, conclusion, "", side, measurements, evaluations, comments)


def breast_group(conclusion: Conclusion, breast: BreastFinding) -> MeasurementsAndQualitativeEvaluations:
    """Score and density of one breast."""
    return _group(
        f"Breast {breast.laterality}",
        concepts.BREAST_ANALYSIS,
        conclusion,
        breast.laterality,
        breast.laterality,
        _score(breast.score, conclusion.models),
        _density(breast.density),
    )


def image_group(conclusion: Conclusion, image: ImageFinding, source: Dataset) -> MeasurementsAndQualitativeEvaluations:
    """Labels, density and score of one image, and how its header agrees with them; or the reason why it has none."""
    uid = image.sop_instance_uid
    correction = next((each for each in conclusion.corrections if each.sop_instance_uid == uid), None)
    labels = (("view", image.view), ("laterality", image.laterality), ("density", image.density))
    measurements = _score(image.cancer_score, image.models)
    measurements += [_number(concepts.CONFIDENCE[name], label.confidence) for name, label in labels if label]
    evaluations = [QualitativeEvaluation(concepts.SUMMARY_OF_ANALYSES, OUTCOMES[image.state])]
    view, side, density = View(_value(image.view)), Laterality(_value(image.laterality)), Density(_value(image.density))
    if view in VIEW_CODES:
        evaluations.append(QualitativeEvaluation(concepts.IMAGE_VIEW, concept(VIEW_CODES[view])))
    if side in LATERALITY_CODES:
        evaluations.append(QualitativeEvaluation(concepts.IMAGE_LATERALITY, concept(LATERALITY_CODES[side])))
    evaluations += _density(density)
    comments = [f"{image.state}: {image.reason.text} [{image.reason.code}]"] if image.reason else []
    if image.marker:
        comments.append(f"Lead marker read: {image.marker.text}, confidence {image.marker.confidence:.3f}")
    if correction:
        evaluations += _agreement(correction)
        comments += _describe_correction(correction)
    group = _group(
        name_image(image, source), concepts.IMAGE_ANALYSIS, conclusion, uid, side, measurements, evaluations, comments, image.models
    )
    group[0].ContentSequence.append(_reference(source))
    return group


def _group(
    name: str,
    what: CodedConcept,
    conclusion: Conclusion,
    subject: str,
    side: Laterality,
    measurements: Sequence[Measurement],
    evaluations: Sequence[QualitativeEvaluation],
    comments: Iterable[str] = (),
    models: Sequence[ModelIdentity] = (),
) -> MeasurementsAndQualitativeEvaluations:
    site = FindingSite(concepts.BREAST, concept(LATERALITY_CODES[side]) if side in LATERALITY_CODES else None)
    # The name of an image may change with its labels, and a Tracking Identifier must not change under its UID: so the UID has the name.
    kind = name if subject and what is concepts.IMAGE_ANALYSIS else name.split()[0]
    tracking_uid = derive_uid(conclusion.study_instance_uid, 0, (), f"tracking:{kind}", subject)
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=tracking_uid, identifier=name),
        finding_type=what,
        algorithm_id=_algorithm(models or conclusion.models, "labeler"),
        finding_sites=[site],
        measurements=list(measurements),
        qualitative_evaluations=list(evaluations),
    )
    for text in comments:
        group[0].ContentSequence.append(TextContentItem(concepts.COMMENT, plain_text(text), CONTAINS))
    return group


def _score(score: float | None, models: Sequence[ModelIdentity]) -> list[Measurement]:
    """A calibrated score is a probability of cancer (111047, DCM); a raw score has a private concept."""
    if score is None:
        return []
    algorithm = _algorithm(models, "cancer")
    if not is_calibrated(models):
        return [_number(concepts.UNCALIBRATED_SCORE, score, algorithm)]
    return [Measurement(concepts.PROBABILITY_OF_CANCER, round(100 * score, 4), concepts.PERCENT, algorithm_id=algorithm)]


def _number(name: CodedConcept, value: float, algorithm: AlgorithmIdentification | None = None) -> Measurement:
    return Measurement(name, round(value, 6), concepts.NO_UNITS, algorithm_id=algorithm)


def _density(density: Density) -> list[QualitativeEvaluation]:
    if density not in DENSITY_CODES:
        return []
    return [QualitativeEvaluation(concepts.BREAST_COMPOSITION, concept(DENSITY_CODES[density]))]


def _agreement(correction: LabelCorrection) -> list[QualitativeEvaluation]:
    compared = {"view": correction.view, "laterality": correction.laterality}
    evaluations = [QualitativeEvaluation(concepts.AGREEMENT[name], concepts.AGREEMENT_VALUES[value]) for name, value in compared.items()]
    if correction.kind is not None:
        evaluations.append(QualitativeEvaluation(concepts.DIFFERENCE, concepts.DIFFERENCE_VALUES[correction.kind]))
    if has_wrong_label(correction):
        evaluations.append(QualitativeEvaluation(concepts.QUALITY_FINDING, concepts.MARKER_INCORRECT))
    return evaluations


def _describe_correction(correction: LabelCorrection) -> list[str]:
    """Both labels, the kind of difference and its reason; the evidence; why the correction is blocked."""
    declared = f"{correction.declared_laterality} {correction.declared_view}"
    shown = f"{correction.pixel_laterality} {correction.pixel_view}"
    sentences = [f"Declared {declared}, pixels show {shown}; {correction.kind or 'no difference'}: {correction.reason}"]
    sentences += [f"Evidence, {each.code}: {each.text}" for each in correction.evidence]
    if correction.kind is not None and correction.blocked_reason:
        sentences.append(f"Reported only: {correction.blocked_reason}")
    return sentences


def _reference(source: Dataset) -> ContentItem:
    """The reference to the image of the group; an instance without pixels is not an IMAGE in SR (PS3.3 C.18.4)."""
    if "Rows" in source:
        return SourceImageForMeasurementGroup(source.SOPClassUID, source.SOPInstanceUID)
    return CompositeContentItem(concepts.SOURCE, source.SOPClassUID, source.SOPInstanceUID, CONTAINS)


def _algorithm(models: Sequence[ModelIdentity], task: str) -> AlgorithmIdentification | None:
    """TID 4019."""
    model = find_model(models, task)
    if model is None:
        return None
    named = name_algorithm(model)
    return AlgorithmIdentification(named.name, named.version, list(named.parameters))


def _value(label: Label | None) -> str:
    return label.value if label else "UNKNOWN"
