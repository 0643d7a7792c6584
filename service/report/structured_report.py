"""The conclusion of a study as a Measurement Report (PS3.16 TID 1500), in Comprehensive 3D SR (PS3.3 A.35.13) or a poorer SR class."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from highdicom.sr import (
    CodeContentItem,
    ContainerContentItem,
    ContentSequence,
    DeviceObserverIdentifyingAttributes,
    ImageContentItem,
    MeasurementReport,
    ObservationContext,
    ObserverContext,
    RelationshipTypeValues,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import UID, Comprehensive3DSRStorage, ExplicitVRLittleEndian

from models.vocabulary import LATERALITY_CODES, VIEW_CODES, Laterality, View
from service.domain.findings import Conclusion
from service.domain.instance_reference import InstanceReference
from service.report.common_modules import file_meta
from service.report.concepts import IMAGE_LATERALITY, IMAGE_VIEW, IMAGING_PROCEDURE, SOURCE, concept
from service.report.content import as_plain
from service.report.document import begin_document, identify_coding_scheme, order_sources
from service.report.identity import IMPLEMENTATION_CLASS_UID, MANUFACTURER
from service.report.measurement_groups import breast_group, image_group, study_group
from service.report.sr_class import check_sr_class
from service.report.uids import derive_series_uid, report_uid

SERIES_NUMBER = 9001
SERIES_KIND = "sr"


def report_reference(conclusion: Conclusion, sop_class_uid: str = Comprehensive3DSRStorage) -> InstanceReference:
    """The UIDs of the report of a conclusion in one SR class, without building it."""
    study = conclusion.study_instance_uid
    return InstanceReference(study, derive_series_uid(study, SERIES_KIND), report_uid(conclusion, sop_class_uid), sop_class_uid)


def build_report(
    conclusion: Conclusion,
    sources: Sequence[Dataset],
    predecessor: InstanceReference | None = None,
    sop_class_uid: str = Comprehensive3DSRStorage,
) -> Dataset:
    """Build the report of one version of a study's conclusion.

    Parameters
    ----------
    conclusion
        The conclusion of the study.
    sources
        Headers of its images, at least one, in any order; pixels are not needed.
    predecessor
        The report that this one replaces.
    sop_class_uid
        One of `SR_CLASSES`; the content tree is the same in each.

    Returns
    -------
    Dataset
        Explicit VR Little Endian, with file meta. Complete but unverified: no person has reviewed it (PS3.3 C.17.2).

    Raises
    ------
    KeyError
        An image of the conclusion is not among the sources.
    NotExpressible
        The class is none of `SR_CLASSES`.
    """
    check_sr_class(sop_class_uid)
    reference = report_reference(conclusion, sop_class_uid)
    ordered = order_sources(conclusion, sources)
    report = begin_document(conclusion, ordered, predecessor)
    report.SOPClassUID = UID(reference.sop_class_uid)
    report.SOPInstanceUID = reference.sop_instance_uid
    report.CodingSchemeIdentificationSequence = [identify_coding_scheme()]
    report.SeriesInstanceUID = reference.series_instance_uid
    report.SeriesNumber = SERIES_NUMBER
    report.SeriesDescription = "mammotriage report"
    report.update(as_plain(_content(conclusion, ordered)))
    report.file_meta = file_meta(report, ExplicitVRLittleEndian)
    return report


def _content(conclusion: Conclusion, sources: Sequence[Dataset]) -> Dataset:
    """The root of the content tree."""
    groups = [study_group(conclusion)]
    groups += [breast_group(conclusion, breast) for breast in conclusion.breasts]
    groups += [image_group(conclusion, image, source) for image, source in zip(conclusion.images, sources, strict=True)]
    observer = DeviceObserverIdentifyingAttributes(IMPLEMENTATION_CLASS_UID, name=MANUFACTURER, manufacturer_name=MANUFACTURER)
    root = MeasurementReport(
        observation_context=ObservationContext(observer_device_context=ObserverContext(codes.DCM.Device, observer)),
        procedure_reported=IMAGING_PROCEDURE,
        imaging_measurements=groups,
    )[0]
    children = list(root.ContentSequence)
    # In TID 1500 the library comes before the measurements, which are the last child.
    root.ContentSequence = ContentSequence([*children[:-1], _image_library(conclusion, sources), children[-1]])
    return root


def _image_library(conclusion: Conclusion, sources: Iterable[Dataset]) -> ContainerContentItem:
    """TID 1600: the images, with the labels that their headers declared."""
    declared = {each.sop_instance_uid: (each.declared_view, each.declared_laterality) for each in conclusion.corrections}
    entries = []
    for source in sources:
        if "Rows" not in source:
            continue
        entry = ImageContentItem(SOURCE, source.SOPClassUID, source.SOPInstanceUID, relationship_type=RelationshipTypeValues.CONTAINS)
        view, side = declared.get(str(source.SOPInstanceUID), (View.UNKNOWN, Laterality.UNKNOWN))
        context = []
        if view in VIEW_CODES:
            context.append(CodeContentItem(IMAGE_VIEW, concept(VIEW_CODES[view]), RelationshipTypeValues.HAS_ACQ_CONTEXT))
        if side in LATERALITY_CODES:
            context.append(CodeContentItem(IMAGE_LATERALITY, concept(LATERALITY_CODES[side]), RelationshipTypeValues.HAS_ACQ_CONTEXT))
        if context:
            entry.ContentSequence = ContentSequence(context)
        entries.append(entry)
    group = ContainerContentItem(codes.DCM.ImageLibraryGroup, relationship_type=RelationshipTypeValues.CONTAINS)
    if entries:
        group.ContentSequence = ContentSequence(entries)
    library = ContainerContentItem(codes.DCM.ImageLibrary, relationship_type=RelationshipTypeValues.CONTAINS)
    if entries:
        library.ContentSequence = ContentSequence([group])
    return library
