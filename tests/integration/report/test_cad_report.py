"""The Mammography CAD SR follows TID 4000 row by row, has findings and reasons for what was not attempted, and every reader opens it."""

from __future__ import annotations

import io
from copy import deepcopy
from pathlib import Path

import pydicom
import pytest
from highdicom.sr import CodedConcept
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import MammographyCADSRStorage, generate_uid

from models.vocabulary import BREAST_CODES, DENSITY_CODES, MODIFIER_CODES, VIEW_CODES, Density, Laterality, View, ViewModifier
from service.domain.findings import (
    Agreement,
    Conclusion,
    CorrectionKind,
    ImageFinding,
    InstanceState,
    Peak,
    Reasoning,
    Verdict,
)
from service.errors import NoImages
from service.report import concepts
from service.report.cad_report import build_cad_report, cad_reference
from service.report.coding import code_item
from tests.support.sample_findings import (
    NAMES_IN_CHARACTER_SETS,
    NEVER_CALIBRATED,
    analysed,
    as_received,
    concluded,
    correction,
    full_field,
    label,
    skipped,
)
from tests.support.sr import code_value, encoded, named, number, walk
from tests.support.tid4000 import find_faults
from tests.support.validators import dciodvfy_errors, dsrdump

SLOTS = [("R", "CC"), ("L", "CC"), ("R", "MLO"), ("L", "MLO")]
OUTLINE = ((40.0, 50.0), (40.0, 70.0), (60.0, 70.0), (60.0, 50.0))
LABELLED = (Agreement.AGREE, Agreement.CONTRADICT)


def with_peak(finding: ImageFinding, strength: float = 0.9) -> ImageFinding:
    return finding.model_copy(update={"peak": Peak(row=50.5, column=60.5, strength=strength), "outline": OUTLINE})


class Study:
    """Four mammograms; scores, densities and corrections as a test wants them."""

    def __init__(self, *scores: float, density: str = "B") -> None:
        self.uid = generate_uid()
        self.images = [full_field(side, view, study_instance_uid=self.uid) for side, view in SLOTS]
        self.uids = [image.SOPInstanceUID for image in self.images]
        answered = zip(self.uids, SLOTS, scores or (0.1, 0.2, 0.3, 0.4), strict=True)
        self.findings = [with_peak(analysed(uid, side, view, score, density)) for uid, (side, view), score in answered]

    def conclude(self, *corrections: object, complete: bool = True) -> Conclusion:
        return concluded(self.uid, self.findings, corrections, complete=complete)  # type: ignore[arg-type]

    def report(self, *corrections: object) -> Dataset:
        return build_cad_report(self.conclude(*corrections), self.images)


def faults(report: Dataset, images: list[Dataset]) -> list[str]:
    return find_faults(report, {image.SOPInstanceUID: image for image in images})


def findings(report: Dataset, what: CodedConcept) -> list[Dataset]:
    return [item for item in named(report, concepts.SINGLE_IMAGE_FINDING) if code_value(item) == what.value]


def impressions(report: Dataset) -> str:
    """The impression of the whole study."""
    return str(next(item for item in named(report, concepts.FINDINGS_SUMMARY)[0].ContentSequence if item.ValueType == "TEXT").TextValue)


def status(report: Dataset) -> tuple[str, str, str]:
    """Processing and findings, detections, analyses."""
    found, detections, analyses = (
        code_value(named(report, name)[0])
        for name in (concepts.FINDINGS_SUMMARY, concepts.SUMMARY_OF_DETECTIONS, concepts.SUMMARY_OF_ANALYSES)
    )
    return found, detections, analyses


def check(report: Dataset, images: list[Dataset], folder: Path) -> None:
    """All checks at once: the template, dciodvfy, dsrdump, and pydicom's own round trip."""
    assert faults(report, images) == []
    assert dciodvfy_errors(report, folder) == []
    assert "Mammography CAD Report" in dsrdump(report, folder)
    assert_survives(report)


def assert_survives(report: Dataset) -> None:
    """What pydicom reads back and writes again is the same, byte for byte."""
    written = encoded(report)
    assert encoded(pydicom.dcmread(io.BytesIO(written))) == written


def test_a_region_that_reaches_the_operating_point_has_centre_outline_and_certainty(tmp_path: Path) -> None:
    study = Study(0.1, 0.2, 0.3, 0.8)
    report = study.report()
    check(report, study.images, tmp_path)
    (region,) = findings(report, concepts.SELECTED_REGION)
    center, outline = named(region, concepts.CENTER)[0], named(region, concepts.OUTLINE)[0]
    assert list(center.GraphicData) == [60.5, 50.5], "DICOM has the column first"
    assert list(outline.GraphicData) == [50, 40, 70, 40, 70, 60, 50, 60, 50, 40] and outline.GraphicType == "POLYLINE"
    assert list(outline.ContentSequence[0].ReferencedContentItemIdentifier) == [1, 2, 4]
    assert number(named(region, concepts.CERTAINTY)[0]) == 80
    assert code_value(named(region, concepts.RENDERING_INTENT)[0]) == concepts.PRESENTATION_REQUIRED.value
    assert status(report) == (concepts.ALL_WITH_FINDINGS.value, concepts.SUCCEEDED.value, concepts.SUCCEEDED.value)
    assert f"A region is marked in: L MLO (SOP ...{study.uids[3][-8:]})." in impressions(report)


def test_a_region_needs_both_a_score_and_a_peak() -> None:
    study = Study(0.1, 0.9, 0.1, 0.1)
    study.findings[1] = with_peak(study.findings[1], strength=0.2)
    report = study.report()
    assert findings(report, concepts.SELECTED_REGION) == []
    assert "No region is marked." in impressions(report)


def test_a_study_without_findings_has_the_code_for_that(tmp_path: Path) -> None:
    study = Study(density="UNKNOWN")
    report = study.report()
    check(report, study.images, tmp_path)
    assert named(report, concepts.INDIVIDUAL_IMPRESSION) == []
    assert status(report) == (concepts.ALL_WITHOUT_FINDINGS.value, concepts.SUCCEEDED.value, concepts.SUCCEEDED.value)


def test_the_library_quotes_view_side_and_orientation_as_the_image_declares_them(tmp_path: Path) -> None:
    study = Study()
    item = code_item(VIEW_CODES[View.CC].value, "SCT", "cranio-caudal")
    item.ViewModifierCodeSequence = [code_item(MODIFIER_CODES[ViewModifier.AT].value, "SCT", "Axillary Tail")]
    study.images[0].ViewCodeSequence = [item]
    study.images[1] = bare = full_field("L", "CC", labelled=False, study_instance_uid=study.uid)
    bare.SOPInstanceUID = study.uids[1]
    bare.PatientOrientation = bare.ImagerPixelSpacing = bare.ContentTime = None
    report = study.report()
    check(report, study.images, tmp_path)
    first, second = named(report, concepts.IMAGE_LIBRARY)[0].ContentSequence[:2]
    assert [code_value(each) for each in walk(first) if "ConceptCodeSequence" in each] == [
        BREAST_CODES[Laterality.R].value,
        VIEW_CODES[View.CC].value,
        MODIFIER_CODES[ViewModifier.AT].value,
    ]
    assert [each.TextValue for each in first.ContentSequence if each.ValueType == "TEXT"] == ["P", "L"]
    assert {each.ValueType for each in second.ContentSequence} == {"DATE", "TIME"}


def test_horizontal_spacing_is_that_between_columns() -> None:
    study = Study()
    study.images[0].ImagerPixelSpacing = ["0.1", "0.07"]
    spacing = [number(named(study.report(), name)[0]) for name in (concepts.HORIZONTAL_SPACING, concepts.VERTICAL_SPACING)]
    assert spacing == [0.07, 0.1]


def test_a_contradicted_label_is_a_quality_finding_on_its_image(tmp_path: Path) -> None:
    study = Study()
    report = study.report(correction(study.uids[2], ("L", "MLO"), ("R", "MLO"), *LABELLED))
    check(report, study.images, tmp_path)
    (quality,) = findings(report, concepts.IMAGE_QUALITY)
    assert code_value(named(quality, concepts.QUALITY_FINDING)[0]) == concepts.MARKER_INCORRECT.value
    references = [each for each in quality.ContentSequence if "ReferencedContentItemIdentifier" in each]
    assert [list(each.ReferencedContentItemIdentifier) for each in references] == [[1, 2, 3]]
    assert number(named(quality, concepts.CERTAINTY)[0]) == 99


def test_no_certainty_is_claimed_for_a_label_that_no_evidence_decides(tmp_path: Path) -> None:
    study = Study()
    inconclusive = correction(study.uids[2], ("L", "MLO"), ("R", "MLO"), *LABELLED)
    report = study.report(inconclusive.model_copy(update={"blocked_reason": "no second evidence", "reason": "no second evidence"}))
    check(report, study.images, tmp_path)
    (quality,) = findings(report, concepts.IMAGE_QUALITY)
    assert named(quality, concepts.CERTAINTY) == []
    assert any("contradicts. no second evidence" in str(item.TextValue) for item in named(report, concepts.IMPRESSION_DESCRIPTION))


def test_a_mirrored_picture_with_a_wrong_view_has_a_wrong_label() -> None:
    study = Study()
    both = (Agreement.CONTRADICT, Agreement.CONTRADICT)
    report = study.report(correction(study.uids[2], ("L", "CC"), ("R", "MLO"), *both, kind=CorrectionKind.MIRRORED))
    assert len(findings(report, concepts.IMAGE_QUALITY)) == 1


@pytest.mark.parametrize("kind", [CorrectionKind.MISSING, CorrectionKind.MIRRORED])
def test_a_label_that_is_missing_or_right_is_not_called_incorrect(kind: CorrectionKind, tmp_path: Path) -> None:
    study = Study()
    agreements = LABELLED if kind is CorrectionKind.MIRRORED else (Agreement.AGREE, Agreement.MISSING)
    report = study.report(correction(study.uids[2], ("L", "MLO"), ("R", "MLO"), *agreements, kind=kind))
    check(report, study.images, tmp_path)
    assert findings(report, concepts.IMAGE_QUALITY) == []
    described = [str(item.TextValue) for item in named(report, concepts.IMPRESSION_DESCRIPTION)]
    assert any(f"Header declares L MLO: {kind}." in text for text in described)


def test_the_verdict_on_the_labels_of_the_study_is_reported() -> None:
    study = Study()
    reasoning = Reasoning(verdict=Verdict.SIDES_SWAPPED, text="Every image bears the label of the other side.")
    conclusion = study.conclude().model_copy(update={"reasoning": reasoning})
    assert "Every image bears the label of the other side." in impressions(build_cad_report(conclusion, study.images))


def test_composition_is_reported_for_each_image_with_its_side() -> None:
    compositions = findings(Study(density="C").report(), concepts.BREAST_COMPOSITION)
    values = [[code_value(item) for item in walk(each) if "ConceptCodeSequence" in item][-2:] for each in compositions]
    right, left = (
        [DENSITY_CODES[Density.C].value, BREAST_CODES[Laterality.R].value],
        [DENSITY_CODES[Density.C].value, BREAST_CODES[Laterality.L].value],
    )
    assert values == [right, left, right, left]


def test_a_partial_study_is_preliminary_and_names_what_was_not_attempted(tmp_path: Path) -> None:
    study = Study()
    study.findings[1] = skipped(study.uids[1], "spot", "a spot compression view")
    report = build_cad_report(study.conclude(complete=False), study.images)
    check(report, study.images, tmp_path)
    assert (report.CompletionFlag, report.PreliminaryFlag) == ("PARTIAL", "PRELIMINARY")
    assert status(report) == (concepts.ALL_WITH_FINDINGS.value, concepts.SUCCEEDED.value, concepts.SUCCEEDED.value)
    assert f"(SOP ...{study.uids[1][-8:]}), not attempted: a spot compression view [spot]." in impressions(report)
    performed = named(report, concepts.DETECTION_PERFORMED)[0]
    positions = [
        list(item.ReferencedContentItemIdentifier) for item in performed.ContentSequence if "ReferencedContentItemIdentifier" in item
    ]
    assert positions == [[1, 2, 1], [1, 2, 3], [1, 2, 4]]


def test_an_image_that_failed_makes_success_partial(tmp_path: Path) -> None:
    study = Study(density="UNKNOWN")
    study.findings[3] = skipped(study.uids[3], "unparsable", "the pixels cannot be decoded", InstanceState.FAILED)
    report = study.report()
    check(report, study.images, tmp_path)
    assert status(report) == (concepts.SOME_WITHOUT_FINDINGS.value, concepts.PARTIALLY_SUCCEEDED.value, concepts.PARTIALLY_SUCCEEDED.value)
    assert "the pixels cannot be decoded [unparsable]" in impressions(report)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (InstanceState.SKIPPED, (concepts.NONE_SUCCEEDED.value, concepts.NOT_ATTEMPTED.value, concepts.NOT_ATTEMPTED.value)),
        (InstanceState.FAILED, (concepts.NONE_SUCCEEDED.value, concepts.FAILED.value, concepts.FAILED.value)),
    ],
)
def test_a_study_that_was_not_processed_has_a_valid_report(state: InstanceState, expected: tuple[str, ...], tmp_path: Path) -> None:
    study = Study()
    study.findings = [skipped(uid, "for-processing", "raw detector data", state) for uid in study.uids]
    report = build_cad_report(study.conclude(complete=False), study.images)
    check(report, study.images, tmp_path)
    assert status(report) == expected
    assert "Nothing in this study was analysed." in impressions(report)


def test_without_an_operating_point_detection_is_not_attempted(tmp_path: Path) -> None:
    study = Study(0.9, 0.9, 0.9, 0.9)
    conclusion = study.conclude().model_copy(update={"threshold": None})
    report = build_cad_report(conclusion, study.images)
    check(report, study.images, tmp_path)
    assert status(report)[1] == concepts.NOT_ATTEMPTED.value and findings(report, concepts.SELECTED_REGION) == []
    assert "operating point" in impressions(report)


def test_a_raw_score_is_never_called_a_probability() -> None:
    study = Study(0.1, 0.1, 0.1, 0.9)
    study.findings[3] = with_peak(analysed(study.uids[3], "L", "MLO", 0.9, cancer=NEVER_CALIBRATED))
    report = study.report()
    assert named(report, concepts.PROBABILITY_OF_CANCER) == []
    assert "(not calibrated)" in str(named(findings(report, concepts.SELECTED_REGION)[0], concepts.REGION_DESCRIPTION)[0].TextValue)


def test_every_model_is_named_beyond_doubt() -> None:
    report = Study().report()
    assert f"sha256={'b' * 64}" in [item.TextValue for item in named(report, concepts.ALGORITHM_PARAMETERS)]
    assert f"Model mammotriage-labeler 1.0.0, sha256 {'a' * 64}, calibration none." in impressions(report)


def test_an_instance_without_pixels_is_described_but_not_in_the_library(tmp_path: Path) -> None:
    study = Study()
    page = full_field(study_instance_uid=study.uid)
    for keyword in ("Rows", "Columns", "PixelData"):
        delattr(page, keyword)
    study.findings.insert(0, skipped(page.SOPInstanceUID, "not-mammography", "no mammogram"))
    report = build_cad_report(study.conclude(), [*study.images, page])
    check(report, study.images, tmp_path)
    assert len(named(report, concepts.IMAGE_LIBRARY)[0].ContentSequence) == 4
    assert "no mammogram [not-mammography]" in impressions(report)
    with pytest.raises(NoImages):
        build_cad_report(concluded(study.uid, study.findings[:1]), [page])


def test_a_later_version_supersedes_the_former_in_the_same_series(tmp_path: Path) -> None:
    study = Study()
    former = study.report()
    later = build_cad_report(study.conclude().model_copy(update={"version": 2}), study.images, cad_reference(study.conclude()))
    check(later, study.images, tmp_path)
    assert later.SOPInstanceUID != former.SOPInstanceUID and later.SeriesInstanceUID == former.SeriesInstanceUID
    (series,) = later.PredecessorDocumentsSequence[0].ReferencedSeriesSequence
    assert series.SeriesInstanceUID == former.SeriesInstanceUID
    (reference,) = series.ReferencedSOPSequence
    assert (reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID) == (MammographyCADSRStorage, former.SOPInstanceUID)
    uids = [[item.UID for item in named(report, concepts.TRACKING_UID)] for report in (former, later)]
    assert uids[0] == uids[1], "a finding keeps its identity"


def test_building_again_gives_equal_bytes(tmp_path: Path) -> None:
    study = Study(0.1, 0.2, 0.3, 0.8)
    conclusion = study.conclude(correction(study.uids[2], ("L", "MLO"), ("R", "MLO"), *LABELLED))
    first = encoded(build_cad_report(conclusion, study.images))
    received = [as_received(image, tmp_path) for image in study.images]
    travelled = Conclusion.model_validate_json(conclusion.model_dump_json())
    assert encoded(build_cad_report(travelled, received[::-1])) == first


@pytest.mark.parametrize(("charset", "name"), NAMES_IN_CHARACTER_SETS)
def test_every_character_set_survives_and_foreign_letters_in_a_reason_do_no_harm(
    charset: str | list[str], name: str, tmp_path: Path
) -> None:
    study = Study()
    for image in study.images:
        image.SpecificCharacterSet, image.PatientName = charset, name
    images = [as_received(image, tmp_path) for image in study.images]
    study.findings[1] = skipped(study.uids[1], "odd", "a reason in „foreign“ letters: ß, 王")
    report = pydicom.dcmread(io.BytesIO(encoded(build_cad_report(study.conclude(), images))))
    assert report.get_item("PatientName").value == as_received(study.images[0], tmp_path).get_item("PatientName").value
    assert str(report.PatientName) == name
    assert dciodvfy_errors(report, tmp_path) == []
    dsrdump(report, tmp_path)


def test_real_objects_of_every_kind_have_a_report_that_follows_the_template(dicom_test_files: Path, tmp_path: Path) -> None:
    checked = 0
    for path in sorted(dicom_test_files.glob("*/*.dcm")):
        source = pydicom.dcmread(path, stop_before_pixels=True)
        finding = skipped(source.SOPInstanceUID, "not-mammography", "not a mammogram")
        conclusion = concluded(source.StudyInstanceUID, [finding], complete=False)
        if "Rows" not in source:
            continue
        checked += 1
        report = build_cad_report(conclusion, [source])
        # A real header may have a malformed value: its row is missing, which the checker of rows cannot know.
        assert [fault for fault in faults(report, [source]) if "is missing" not in fault] == [], path.name
        dsrdump(report, tmp_path)
        known = set(dciodvfy_errors(pydicom.dcmread(path), tmp_path))
        patient = {"Patient", "GeneralStudy", "PatientStudy"}
        new = [line for line in dciodvfy_errors(report, tmp_path) if line not in known]
        assert [line for line in new if not any(f"Module=<{name}>" in line for name in patient)] == [], path.name
    assert checked > 3


images_of_a_study = st.lists(
    st.tuples(
        st.sampled_from(["R", "L", "UNKNOWN"]),
        st.sampled_from(["CC", "MLO", "UNKNOWN"]),
        st.sampled_from(["A", "B", "C", "D", "UNKNOWN"]),
        st.one_of(st.none(), st.floats(0, 1)),
        st.one_of(st.none(), st.floats(0, 1)),
        st.sampled_from(InstanceState),
        st.sampled_from([None, *CorrectionKind]),
    ),
    min_size=1,
    max_size=5,
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(images_of_a_study, st.one_of(st.none(), st.floats(0, 1)))
def test_whatever_was_concluded_the_tree_follows_the_template(drawn: list[tuple], threshold: float | None) -> None:  # type: ignore[type-arg]
    uid = generate_uid()
    images, found, corrections = [], [], []
    for side, view, density, score, strength, state, kind in drawn:
        image = full_field(side if side != "UNKNOWN" else "R", "CC", study_instance_uid=uid)
        images.append(image)
        if state is not InstanceState.ANALYSED:
            found.append(skipped(image.SOPInstanceUID, "code", "text", state))
            continue
        finding = analysed(image.SOPInstanceUID, side, view, 0.0, density).model_copy(update={"cancer_score": score})
        found.append(finding if strength is None else with_peak(finding, strength))
        declared = (Laterality.L if side == "R" else Laterality.R).value
        agreements = (Agreement.AGREE, Agreement.AGREE) if kind is None else LABELLED
        corrections.append(correction(image.SOPInstanceUID, (declared, "CC"), (side, view), *agreements, kind=kind))
    conclusion = concluded(uid, found, corrections).model_copy(update={"threshold": threshold})
    report = build_cad_report(conclusion, images)
    assert faults(report, images) == []
    assert_survives(report)


def remove(report: Dataset, name: CodedConcept) -> None:
    doomed = {id(item) for item in named(report, name)}
    for item in list(walk(report)):
        if "ContentSequence" in item:
            item.ContentSequence = [child for child in item.ContentSequence if id(child) not in doomed]


SPOILED = {
    "no library": lambda report: remove(report, concepts.IMAGE_LIBRARY),
    "no algorithm name": lambda report: remove(report, concepts.ALGORITHM_NAME),
    "no centre": lambda report: remove(report, concepts.CENTER),
    "no rendering intent": lambda report: remove(report, concepts.RENDERING_INTENT),
    "no summary": lambda report: remove(report, concepts.SUMMARY_OF_ANALYSES),
    "order": lambda report: report.ContentSequence.reverse(),
    "an item that no row has": lambda report: report.ContentSequence.append(deepcopy(named(report, concepts.REGION_DESCRIPTION)[0])),
    "a value from nowhere": lambda report: setattr(
        named(report, concepts.SUMMARY_OF_DETECTIONS)[0].ConceptCodeSequence[0], "CodeValue", "1"
    ),
    "a reference to nowhere": lambda report: setattr(
        named(report, concepts.CENTER)[0].ContentSequence[0], "ReferencedContentItemIdentifier", [1, 2, 9]
    ),
    "success with nothing done": lambda report: remove(report, concepts.SUCCESSFUL_DETECTIONS),
    "a certainty of 200 %": lambda report: setattr(named(report, concepts.CERTAINTY)[0].MeasuredValueSequence[0], "NumericValue", "200"),
}


@pytest.mark.parametrize("spoiled", SPOILED)
def test_the_checker_of_rows_finds_faults(spoiled: str) -> None:
    study = Study(0.1, 0.2, 0.3, 0.8)
    report = study.report()
    SPOILED[spoiled](report)
    assert faults(report, study.images) != []


def test_labels_of_low_confidence_are_shown_as_unknown() -> None:
    study = Study()
    study.findings[0] = study.findings[0].model_copy(update={"view": label("UNKNOWN", 0.6)})
    described = [str(item.TextValue) for item in named(study.report(), concepts.IMPRESSION_DESCRIPTION)]
    assert any(text.startswith(f"R CC (SOP ...{study.uids[0][-8:]}): pixels show R UNKNOWN") for text in described)
