"""The parts that all structured reports share: patient and study, series, flags and references (PS3.3 C.17.1, C.17.2)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from pydicom.dataset import Dataset

from service.domain.findings import Conclusion
from service.domain.instance_reference import InstanceReference
from service.report.common_modules import begin_object, dicom_date_time, local_time
from service.report.identity import CODING_SCHEME, MANUFACTURER


def order_sources(conclusion: Conclusion, sources: Iterable[Dataset]) -> list[Dataset]:
    """The headers of a conclusion's images in the order of the conclusion. Raises `KeyError` for a missing one."""
    by_uid = {str(source.SOPInstanceUID): source for source in sources}
    return [by_uid[image.sop_instance_uid] for image in conclusion.images]


def begin_document(conclusion: Conclusion, ordered: Sequence[Dataset], predecessor: InstanceReference | None) -> Dataset:
    """A report without its class, UID, series and content tree.

    Parameters
    ----------
    ordered
        Headers of the study's images; the first one gives patient, study and time zone.
    predecessor
        The report that this one replaces.

    Returns
    -------
    Dataset
        Complete but unverified: no person has reviewed it (PS3.3 C.17.2). An incomplete view set makes it partial and preliminary.
    """
    moment = local_time(ordered[0], conclusion.concluded_at)
    report = begin_object(ordered[0], moment, conclusion.models)
    report.Modality = "SR"
    report.ReferencedPerformedProcedureStepSequence = []
    report.InstanceNumber = conclusion.version
    report.ContentDate, report.ContentTime = dicom_date_time(moment)
    report.CompletionFlag = "COMPLETE" if conclusion.complete else "PARTIAL"
    report.VerificationFlag = "UNVERIFIED"
    report.PreliminaryFlag = "FINAL" if conclusion.complete else "PRELIMINARY"
    report.PerformedProcedureCodeSequence = []
    report.CurrentRequestedProcedureEvidenceSequence = list_references(map(InstanceReference.of, ordered))
    if predecessor is not None:
        report.PredecessorDocumentsSequence = list_references([predecessor])
    return report


def list_references(instances: Iterable[InstanceReference]) -> list[Dataset]:
    """Items of the Hierarchical SOP Instance Reference Macro (PS3.3 Table C.17-3)."""
    series: dict[tuple[str, str], list[Dataset]] = defaultdict(list)
    for instance in instances:
        item = Dataset()
        item.ReferencedSOPClassUID = instance.sop_class_uid
        item.ReferencedSOPInstanceUID = instance.sop_instance_uid
        series[instance.study_instance_uid, instance.series_instance_uid].append(item)
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
    """The item that identifies our private coding scheme in a report that uses it (PS3.3 C.12.1)."""
    item = Dataset()
    item.CodingSchemeDesignator = CODING_SCHEME
    item.CodingSchemeName = "mammotriage private codes"
    item.CodingSchemeResponsibleOrganization = MANUFACTURER
    return item
