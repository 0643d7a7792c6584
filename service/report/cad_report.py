"""The conclusion of a study as a Mammography CAD SR (PS3.3 A.35.5), its content tree by PS3.16 TID 4000 (Mammography CAD Document Root).

The template describes images and findings in them. It has no row for the score of an image, a breast or a study: the measurement report
(`service.report.structured_report`) has those as numbers, and this report only in its text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from highdicom.sr import CodedConcept
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, MammographyCADSRStorage

from service.domain.findings import Conclusion, InstanceState, Verdict
from service.domain.instance_reference import InstanceReference
from service.errors import NoImages
from service.report import concepts
from service.report.algorithm import describe_model, is_calibrated
from service.report.cad_findings import build_impression, describe_impression
from service.report.cad_library import build_library, is_image
from service.report.cad_summaries import Work, list_work, summarise_analyses, summarise_detections
from service.report.common_modules import file_meta
from service.report.content import CONTAINS, HAS_CONCEPT_MOD, HAS_PROPERTIES, make_code, make_container
from service.report.document import begin_document, order_sources
from service.report.identity import NOT_A_DIAGNOSIS
from service.report.image_names import name_images
from service.report.marks import is_marked
from service.report.uids import cad_uid, derive_series_uid

SERIES_NUMBER = 9003
SERIES_KIND = "cad-sr"
LIBRARY = (1, 2)
"""Position of the image library, from the root; regions refer to its entries."""


def cad_reference(conclusion: Conclusion) -> InstanceReference:
    """The UIDs of the CAD report of a conclusion, without building it."""
    study = conclusion.study_instance_uid
    return InstanceReference(study, derive_series_uid(study, SERIES_KIND), cad_uid(conclusion), MammographyCADSRStorage)


def build_cad_report(conclusion: Conclusion, sources: Sequence[Dataset], predecessor: InstanceReference | None = None) -> Dataset:
    """Build the Mammography CAD SR of one version of a study's conclusion.

    Parameters
    ----------
    conclusion
        The conclusion of the study.
    sources
        Headers of its images, in any order; pixels are not needed.
    predecessor
        The CAD report that this one replaces.

    Returns
    -------
    Dataset
        Explicit VR Little Endian, with file meta.

    Raises
    ------
    KeyError
        An image of the conclusion is not among the sources.
    NoImages
        None of the sources is an image.
    """
    ordered = order_sources(conclusion, sources)
    images = [source for source in ordered if is_image(source)]
    if not images:
        raise NoImages("a Mammography CAD SR needs at least one image")
    report = begin_document(conclusion, ordered, predecessor)
    reference = cad_reference(conclusion)
    report.SOPClassUID = MammographyCADSRStorage
    report.SOPInstanceUID = reference.sop_instance_uid
    report.SeriesInstanceUID = reference.series_instance_uid
    report.SeriesNumber = SERIES_NUMBER
    report.SeriesDescription = "mammotriage CAD"
    report.update(_content(conclusion, images, name_images(conclusion.images, ordered)))
    report.file_meta = file_meta(report, ExplicitVRLittleEndian)
    return report


def _content(conclusion: Conclusion, images: Sequence[Dataset], names: Mapping[str, str]) -> Dataset:
    """The root of the content tree (TID 4000 rows 1 to 9)."""
    library = {str(image.SOPInstanceUID): (*LIBRARY, number) for number, image in enumerate(images, 1)}
    work = list_work(conclusion, library)
    root = make_container(
        "",
        concepts.CAD_REPORT,
        [
            make_code(HAS_CONCEPT_MOD, concepts.LANGUAGE, concepts.ENGLISH),
            build_library(images),
            _overall_impression(conclusion, work, library, names),
            summarise_detections(conclusion, work, library),
            summarise_analyses(conclusion, work, library),
        ],
    )
    template = Dataset()
    template.MappingResource = "DCMR"
    template.TemplateIdentifier = "4000"
    root.ContentTemplateSequence = [template]
    return root


def _overall_impression(conclusion: Conclusion, work: Work, library: Mapping[str, Sequence[int]], names: Mapping[str, str]) -> Dataset:
    """TID 4001."""
    built = [
        build_impression(conclusion, image, names[image.sop_instance_uid], library[image.sop_instance_uid])
        for image in conclusion.images
        if image.sop_instance_uid in library
    ]
    impressions = [impression for impression in built if impression is not None]
    text = describe_impression(HAS_PROPERTIES, _describe(conclusion, work, names), conclusion.models)
    return make_code(CONTAINS, concepts.FINDINGS_SUMMARY, _summary(work, bool(impressions)), [*text, *impressions])


def _summary(work: Work, with_findings: bool) -> CodedConcept:
    """CID 6047. Breast composition is a finding too: "without findings" is used only if the tree has none (TID 4001)."""
    if with_findings:
        return concepts.SOME_WITH_FINDINGS if work.any_failed else concepts.ALL_WITH_FINDINGS
    if not work.any_succeeded:
        return concepts.NONE_SUCCEEDED
    return concepts.SOME_WITHOUT_FINDINGS if work.any_failed else concepts.ALL_WITHOUT_FINDINGS


def _describe(conclusion: Conclusion, work: Work, names: Mapping[str, str]) -> str:
    """The findings of the study in sentences, and what was not attempted and why."""
    sentences = [NOT_A_DIAGNOSIS]
    kind = "" if is_calibrated(conclusion.models) else " (not calibrated)"
    if conclusion.score is None:
        sentences.append("The study was not scored.")
    elif conclusion.threshold is None:
        sentences.append(f"Study score {conclusion.score:.3f}{kind}. No operating point is set: detection was not attempted.")
    else:
        sentences.append(f"Study score {conclusion.score:.3f}{kind}, operating point {conclusion.threshold:.3f}: {conclusion.flag}.")
        marked = [names[image.sop_instance_uid] for image in conclusion.images if is_marked(conclusion, image)]
        sentences.append(f"A region is marked in: {', '.join(marked)}." if marked else "No region is marked.")
    if not conclusion.complete:
        sentences.append("The pixels do not show all of R CC, L CC, R MLO and L MLO: this report is preliminary.")
    if conclusion.reasoning.verdict is not Verdict.AS_DECLARED:
        sentences.append(f"Labels: {conclusion.reasoning.verdict}. {conclusion.reasoning.text}")
    for image in conclusion.images:
        if image.state is not InstanceState.ANALYSED:
            reason = f"{image.reason.text} [{image.reason.code}]" if image.reason else "no reason given"
            what = "failed" if image.state is InstanceState.FAILED else "not attempted"
            sentences.append(f"{names[image.sop_instance_uid]}, {what}: {reason}.")
    if not work.any_succeeded:
        sentences.append("Nothing in this study was analysed.")
    sentences += [f"Model {describe_model(model)}." for model in conclusion.models]
    return " ".join(sentences)
