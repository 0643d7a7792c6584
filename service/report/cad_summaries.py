"""Summaries of a Mammography CAD SR: which algorithms ran, failed or were not attempted (PS3.16 TID 4015 to 4018, CID 6042)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from highdicom.sr import CodedConcept
from pydicom.dataset import Dataset

from service.domain.findings import Conclusion, ImageFinding, InstanceState
from service.report import concepts
from service.report.algorithm import find_algorithm
from service.report.cad_findings import identify_algorithm
from service.report.content import CONTAINS, HAS_PROPERTIES, INFERRED_FROM, make_code, make_container, make_reference


@dataclass(frozen=True)
class Attempt:
    """One kind of detection or analysis over the images of a study.

    Parameters
    ----------
    what
        Its code (CID 6014 for a detection, CID 6043 for an analysis).
    task
        Task of the model that does it.
    succeeded, failed
        SOP Instance UIDs; an image on which it was not attempted is in neither (PS3.16 TID 4015).
    """

    what: CodedConcept
    task: str
    succeeded: tuple[str, ...]
    failed: tuple[str, ...]


@dataclass(frozen=True)
class Work:
    """All that was attempted on a study."""

    detections: tuple[Attempt, ...]
    analyses: tuple[Attempt, ...]

    @property
    def any_succeeded(self) -> bool:
        return any(attempt.succeeded for attempt in (*self.detections, *self.analyses))

    @property
    def any_failed(self) -> bool:
        return any(attempt.failed for attempt in (*self.detections, *self.analyses))


def list_work(conclusion: Conclusion, library: Mapping[str, Sequence[int]]) -> Work:
    """What was attempted on the images of the library.

    On an image that could not be decoded everything failed; on an ineligible image nothing was attempted. Without an operating point
    nothing can be detected, whatever the scores are. Labels are compared only if the networks read the pixels.
    """
    images = [image for image in conclusion.images if image.sop_instance_uid in library]
    failed = [image for image in images if image.state is InstanceState.FAILED]
    scored = [image for image in images if image.cancer_score is not None]
    composed = [image for image in images if image.density is not None]
    compared = {correction.sop_instance_uid for correction in conclusion.corrections}
    labelled = [image for image in images if image.view and image.laterality and image.sop_instance_uid in compared]
    can_detect = conclusion.threshold is not None or not scored
    return Work(
        detections=(Attempt(concepts.SELECTED_REGION, "cancer", _uids(scored), _uids(failed)),) if can_detect else (),
        analyses=(
            Attempt(concepts.COMPOSITION_ANALYSIS, "labeler", _uids(composed), _uids(failed)),
            Attempt(concepts.QUALITY_ANALYSIS, "labeler", _uids(labelled), _uids(failed)),
        ),
    )


def summarise_detections(conclusion: Conclusion, work: Work, library: Mapping[str, Sequence[int]]) -> Dataset:
    """TID 4000 rows 6 and 7, TID 4015 and 4017."""
    names = concepts.SUMMARY_OF_DETECTIONS, concepts.SUCCESSFUL_DETECTIONS, concepts.FAILED_DETECTIONS, concepts.DETECTION_PERFORMED
    return _summarise(names, conclusion, work.detections, library)


def summarise_analyses(conclusion: Conclusion, work: Work, library: Mapping[str, Sequence[int]]) -> Dataset:
    """TID 4000 rows 8 and 9, TID 4016 and 4018."""
    names = concepts.SUMMARY_OF_ANALYSES, concepts.SUCCESSFUL_ANALYSES, concepts.FAILED_ANALYSES, concepts.ANALYSIS_PERFORMED
    return _summarise(names, conclusion, work.analyses, library)


def _summarise(
    names: tuple[CodedConcept, CodedConcept, CodedConcept, CodedConcept],
    conclusion: Conclusion,
    attempts: Sequence[Attempt],
    library: Mapping[str, Sequence[int]],
) -> Dataset:
    summary, successful, failed, performed = names

    def describe(attempt: Attempt, uids: Sequence[str]) -> Dataset:
        algorithm = identify_algorithm(HAS_PROPERTIES, find_algorithm(conclusion.models, attempt.task))
        images = [make_reference(HAS_PROPERTIES, library[uid]) for uid in uids]
        return make_code(CONTAINS, performed, attempt.what, [*algorithm, *images])

    succeeded = [describe(attempt, attempt.succeeded) for attempt in attempts if attempt.succeeded]
    failures = [describe(attempt, attempt.failed) for attempt in attempts if attempt.failed]
    children = [make_container(INFERRED_FROM, successful, succeeded)] if succeeded else []
    if failures:
        children.append(make_container(INFERRED_FROM, failed, failures))
    return make_code(CONTAINS, summary, _status(bool(succeeded), bool(failures)), children)


def _status(any_succeeded: bool, any_failed: bool) -> CodedConcept:
    """CID 6042."""
    if any_succeeded:
        return concepts.PARTIALLY_SUCCEEDED if any_failed else concepts.SUCCEEDED
    return concepts.FAILED if any_failed else concepts.NOT_ATTEMPTED


def _uids(images: Sequence[ImageFinding]) -> tuple[str, ...]:
    return tuple(image.sop_instance_uid for image in images)
