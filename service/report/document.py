"""The frame of a structured report: patient and study, series, flags and references (PS3.3 C.17.1, C.17.2), alike for every kind."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from pydicom.dataset import Dataset

from service.domain.findings import Conclusion
from service.report.common_modules import copy_patient_and_study, dicom_date_time, local_time, stamp_creation, stamp_equipment
from service.report.identity import CODING_SCHEME, MANUFACTURER


def order_sources(conclusion: Conclusion, sources: Iterable[Dataset]) -> list[Dataset]:
    """The headers of a conclusion's images in its own order. Raises `KeyError` where one is missing."""
    by_uid = {str(source.SOPInstanceUID): source for source in sources}
    return [by_uid[image.sop_instance_uid] for image in conclusion.images]


def begin_document(conclusion: Conclusion, ordered: Sequence[Dataset], predecessor: Dataset | None) -> Dataset:
    """All that a report has beside its class, its UID, its series and its content tree.

    Parameters
    ----------
    ordered
        Headers of the study's images; the first one gives patient, study and zone of time.
    predecessor
        The report that this one supersedes.

    Returns
    -------
    Dataset
        Complete but unverified: no person has looked at it (PS3.3 C.17.2). An incomplete view set makes it partial and preliminary.
    """
    moment = local_time(ordered[0], conclusion.concluded_at)
    report = Dataset()
    copy_patient_and_study(ordered[0], report)
    stamp_equipment(report)
    stamp_creation(report, moment)
    report.Modality = "SR"
    report.ReferencedPerformedProcedureStepSequence = []
    report.InstanceNumber = conclusion.version
    report.ContentDate, report.ContentTime = dicom_date_time(moment)
    report.CompletionFlag = "COMPLETE" if conclusion.complete else "PARTIAL"
    report.VerificationFlag = "UNVERIFIED"
    report.PreliminaryFlag = "FINAL" if conclusion.complete else "PRELIMINARY"
    report.PerformedProcedureCodeSequence = []
    report.CurrentRequestedProcedureEvidenceSequence = list_references(ordered)
    if predecessor is not None:
        report.PredecessorDocumentsSequence = list_references([predecessor])
    return report


def list_references(instances: Iterable[Dataset]) -> list[Dataset]:
    """Hierarchical SOP Instance Reference Macro (PS3.3 Table C.17-3)."""
    series: dict[tuple[str, str], list[Dataset]] = defaultdict(list)
    for instance in instances:
        item = Dataset()
        item.ReferencedSOPClassUID = instance.SOPClassUID
        item.ReferencedSOPInstanceUID = instance.SOPInstanceUID
        series[str(instance.StudyInstanceUID), str(instance.SeriesInstanceUID)].append(item)
    studies: dict[str, list[Dataset]] = defaultdict(list)
    for (study_instance_uid, series_instance_uid), items in series.items():
        reference = Dataset()
        reference.SeriesInstanceUID = series_instance_uid
        reference.ReferencedSOPSequence = items
        studies[study_instance_uid].append(reference)
    references = []
    for study_instance_uid, items in studies.items():
        reference = Dataset()
        reference.StudyInstanceUID = study_instance_uid
        reference.ReferencedSeriesSequence = items
        references.append(reference)
    return references


def identify_coding_scheme() -> Dataset:
    """Our private coding scheme, for a report that uses it (PS3.3 C.12.1)."""
    item = Dataset()
    item.CodingSchemeDesignator = CODING_SCHEME
    item.CodingSchemeName = "mammotriage private codes"
    item.CodingSchemeResponsibleOrganization = MANUFACTURER
    return item
