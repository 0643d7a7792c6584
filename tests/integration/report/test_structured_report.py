"""The structured report has the whole conclusion in codes, and every reader can open it."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import highdicom
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UID, BasicTextSRStorage, generate_uid

from models.vocabulary import DENSITY_CODES, LATERALITY_CODES, VIEW_CODES, Density, Laterality, View
from service.domain.findings import (
    Agreement,
    Conclusion,
    CorrectionKind,
    Evidence,
    InstanceState,
    LabelCorrection,
    Marker,
    Reasoning,
    Verdict,
)
from service.domain.instance_reference import InstanceReference
from service.errors import NotExpressible
from service.report import concepts
from service.report.sr_class import SR_CLASSES, preferred_sr_class
from service.report.structured_report import build_report, report_reference
from tests.support import sr
from tests.support.sample_findings import (
    NAMES_IN_CHARACTER_SETS,
    NEVER_CALIBRATED,
    analysed,
    as_received,
    concluded,
    correction,
    full_field,
    skipped,
)
from tests.support.validators import dciodvfy_errors, dsrdump

SLOTS = [("R", "CC"), ("L", "CC"), ("R", "MLO"), ("L", "MLO")]


class Study:
    """Four mammograms and a text page, the third one labelled wrongly."""

    def __init__(self) -> None:
        self.uid = generate_uid()
        self.images = [full_field(side, view, study_instance_uid=self.uid) for side, view in SLOTS]
        self.page = full_field(study_instance_uid=self.uid)
        uids = [image.SOPInstanceUID for image in self.images]
        findings = [analysed(uid, side, view, 0.1 * n) for n, (uid, (side, view)) in enumerate(zip(uids, SLOTS, strict=True), 3)]
        findings.append(skipped(self.page.SOPInstanceUID, "text-page", "the picture is a page of text"))
        corrections = [correction(uids[0], SLOTS[0], SLOTS[0], Agreement.AGREE, Agreement.AGREE)]
        corrections.append(correction(uids[2], ("L", "MLO"), ("R", "MLO"), Agreement.AGREE, Agreement.CONTRADICT))
        self.conclusion = concluded(self.uid, findings, corrections)
        self.sources = [*self.images, self.page]

    def report(self) -> Dataset:
        return build_report(self.conclusion, self.sources)


@pytest.fixture
def study() -> Study:
    return Study()


def groups(report: Dataset) -> dict[str, list[Dataset]]:
    """Content items of each measurement group by its name; of images by their number."""
    measurements = next(item for item in report.ContentSequence if sr.meaning(item) == "Imaging Measurements")
    found = [(str(group.ContentSequence[0].TextValue), list(group.ContentSequence)) for group in measurements.ContentSequence]
    images = [items for name, items in found if "(SOP ..." in name]
    return {name: items for name, items in found if "(SOP ..." not in name} | {f"Image {n}": items for n, items in enumerate(images, 1)}


def comments_of(items: list[Dataset]) -> list[str]:
    return sr.texts(items, concepts.COMMENT)


def test_validators_find_no_fault_and_dcmtk_reads_it(study: Study, tmp_path: Path) -> None:
    report = study.report()
    assert dciodvfy_errors(report, tmp_path) == []
    assert "cranio-caudal" in dsrdump(report, tmp_path)


def test_each_image_states_labels_density_score_and_confidence(study: Study) -> None:
    image = groups(study.report())["Image 1"]
    found = sr.codes(image)
    assert found[concepts.IMAGE_VIEW] == VIEW_CODES[View.CC].value
    assert found[concepts.IMAGE_LATERALITY] == LATERALITY_CODES[Laterality.R].value
    assert found[concepts.BREAST_COMPOSITION] == DENSITY_CODES[Density.B].value
    assert found[concepts.SUMMARY_OF_ANALYSES] == concepts.SUCCEEDED.value
    assert sr.numbers(image)[concepts.PROBABILITY_OF_CANCER] == 30.0
    assert sr.numbers(image)[concepts.CONFIDENCE["view"]] == 0.99
    reference = next(item for item in image if item.ValueType == "IMAGE").ReferencedSOPSequence[0]
    assert reference.ReferencedSOPInstanceUID == study.images[0].SOPInstanceUID


def test_a_wrong_label_has_the_code_of_a_wrong_label(study: Study) -> None:
    found = groups(study.report())
    assert sr.codes(found["Image 3"])[concepts.QUALITY_FINDING] == concepts.MARKER_INCORRECT.value
    compared = [sr.codes(found["Image 3"])[concepts.AGREEMENT[each]] for each in ("view", "laterality")]
    assert compared == ["agree", "contradict"]
    assert sr.codes(found["Image 3"])[concepts.DIFFERENCE] == "contradict"
    assert any("L MLO" in text and "R MLO" in text for text in comments_of(found["Image 3"]))
    assert concepts.QUALITY_FINDING not in sr.codes(found["Image 1"]) and concepts.DIFFERENCE not in sr.codes(found["Image 1"])


def with_correction(study: Study, **values: object) -> dict[str, list[Dataset]]:
    """Measurement groups of the study if the third image's correction has other values."""
    first, third = study.conclusion.corrections
    changed = LabelCorrection.model_validate(third.model_dump() | values)
    return groups(build_report(study.conclusion.model_copy(update={"corrections": (first, changed)}), study.sources))


def test_a_mirrored_image_has_no_wrong_label_but_another_difference(study: Study) -> None:
    image = with_correction(study, kind=CorrectionKind.MIRRORED)["Image 3"]
    assert sr.codes(image)[concepts.DIFFERENCE] == "mirrored" and concepts.QUALITY_FINDING not in sr.codes(image)


def test_evidence_blocked_reasons_and_the_marker_are_in_the_report(study: Study) -> None:
    evidence = Evidence(code="contralateral", text="the other breast's image agrees")
    image = with_correction(study, evidence=[evidence], blocked_reason="a view with a modifier")["Image 3"]
    assert any("contralateral" in text and "the other breast's image agrees" in text for text in comments_of(image))
    assert "Reported only: a view with a modifier" in comments_of(image)
    marked = study.conclusion.images[2].model_copy(update={"marker": Marker(text="R MLO", confidence=0.9)})
    images = (*study.conclusion.images[:2], marked, *study.conclusion.images[3:])
    report = build_report(study.conclusion.model_copy(update={"images": images}), study.sources)
    assert "Lead marker read: R MLO, confidence 0.900" in comments_of(groups(report)["Image 3"])


def test_the_verdict_on_the_labels_of_the_study_is_reported(study: Study) -> None:
    assert sr.codes(groups(study.report())["Study"])[concepts.STUDY_LABELS] == "as-declared"
    reasoning = Reasoning(verdict=Verdict.SIDES_SWAPPED, text="Both sides are swapped.")
    whole = groups(build_report(study.conclusion.model_copy(update={"reasoning": reasoning}), study.sources))["Study"]
    assert sr.codes(whole)[concepts.STUDY_LABELS] == concepts.VERDICT_VALUES[Verdict.SIDES_SWAPPED].value == "exchanged"
    assert "Labels, sides-swapped: Both sides are swapped." in comments_of(whole)


@pytest.mark.parametrize("sop_class", SR_CLASSES, ids=lambda uid: uid.keyword)
def test_a_peer_gets_the_same_content_in_the_class_that_it_takes(study: Study, sop_class: UID, tmp_path: Path) -> None:
    report = study.report()
    written = build_report(study.conclusion, study.sources, sop_class_uid=sop_class)
    assert dciodvfy_errors(written, tmp_path) == []
    assert "cranio-caudal" in dsrdump(written, tmp_path)
    assert written.ContentSequence == report.ContentSequence
    assert (written.SOPClassUID, written.file_meta.MediaStorageSOPClassUID) == (sop_class, sop_class)
    assert written.file_meta.MediaStorageSOPInstanceUID == written.SOPInstanceUID
    content: Any = highdicom.sr.srread(io.BytesIO(sr.encoded(written))).content
    assert content.get_image_measurement_groups() != []
    assert sr.encoded(build_report(study.conclusion, study.sources, sop_class_uid=sop_class)) == sr.encoded(written)


def test_each_class_has_an_instance_of_its_own_and_supersedes_one_of_its_kind(study: Study) -> None:
    uids = set()
    for sop_class in SR_CLASSES:
        former = build_report(study.conclusion, study.sources, sop_class_uid=sop_class)
        assert report_reference(study.conclusion, sop_class) == InstanceReference.of(former), "known without building the report"
        uids.add(former.SOPInstanceUID)
        later = study.conclusion.model_copy(update={"version": 2})
        report = build_report(later, study.sources, report_reference(study.conclusion, sop_class), sop_class)
        (series,) = report.PredecessorDocumentsSequence[0].ReferencedSeriesSequence
        assert series.SeriesInstanceUID == former.SeriesInstanceUID
        (reference,) = series.ReferencedSOPSequence
        assert (reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID) == (sop_class, former.SOPInstanceUID)
    assert len(uids) == len(SR_CLASSES)


def test_a_report_is_put_into_no_class_that_would_lose_content(study: Study) -> None:
    with pytest.raises(NotExpressible):
        build_report(study.conclusion, study.sources, sop_class_uid=BasicTextSRStorage)


def test_a_peer_gets_the_richest_class_that_it_does_not_refuse() -> None:
    first, second, third = SR_CLASSES
    assert preferred_sr_class({}) == preferred_sr_class({first: True, third: False}) == first
    assert preferred_sr_class({first: False}) == second
    assert preferred_sr_class({first: False, second: False}) == third
    assert preferred_sr_class(dict.fromkeys(SR_CLASSES, False)) == first, "the C-STORE then shows that it takes none"


def test_an_image_that_was_not_analysed_has_its_reason(study: Study) -> None:
    page = groups(study.report())["Image 5"]
    assert sr.codes(page)[concepts.SUMMARY_OF_ANALYSES] == concepts.NOT_ATTEMPTED.value
    assert comments_of(page) == ["skipped: the picture is a page of text [text-page]"]
    assert sr.numbers(page) == {}


def test_breasts_and_study_have_score_density_and_flag(study: Study) -> None:
    found = groups(study.report())
    assert {name.split()[0] for name in found} == {"Study", "Breast", "Image"}
    assert sr.numbers(found["Study"]) == {concepts.PROBABILITY_OF_CANCER: 60.0, concepts.OPERATING_POINT: 0.5}
    assert sr.codes(found["Study"])[concepts.TRIAGE] == "suspicious"
    assert sr.codes(found["Study"])[concepts.BREAST_COMPOSITION] == DENSITY_CODES[Density.C].value
    assert sr.numbers(found["Breast R"]) == {concepts.PROBABILITY_OF_CANCER: 50.0}


def test_it_states_that_it_is_not_a_diagnosis_and_names_its_models(study: Study) -> None:
    comments = comments_of(groups(study.report())["Study"])
    assert any("Not a diagnosis" in text for text in comments)
    assert f"Model mammotriage-cancer 2.1.0, sha256 {'b' * 64}, calibration platt" in comments
    parameters = [str(item.TextValue) for item in sr.named(study.report(), concepts.ALGORITHM_PARAMETERS)]
    assert f"sha256={'a' * 64}" in parameters and f"sha256={'b' * 64}" in parameters


def test_a_score_that_is_not_calibrated_is_not_called_a_probability() -> None:
    image = full_field()
    conclusion = concluded(image.StudyInstanceUID, [analysed(image.SOPInstanceUID, "R", "CC", 0.25, cancer=NEVER_CALIBRATED)])
    found = sr.numbers(groups(build_report(conclusion, [image]))["Image 1"])
    assert found[concepts.UNCALIBRATED_SCORE] == 0.25 and concepts.PROBABILITY_OF_CANCER not in found


def test_it_stays_in_the_study_complete_but_unverified(study: Study) -> None:
    report = study.report()
    assert report.StudyInstanceUID == study.uid
    assert (report.CompletionFlag, report.VerificationFlag, report.PreliminaryFlag) == ("COMPLETE", "UNVERIFIED", "FINAL")
    evidence = report.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    assert {item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for item in evidence} == {s.SOPInstanceUID for s in study.sources}


def test_an_incomplete_view_set_makes_a_partial_preliminary_report(tmp_path: Path) -> None:
    image = full_field()
    conclusion = concluded(image.StudyInstanceUID, [analysed(image.SOPInstanceUID, "R", "CC")], complete=False)
    report = build_report(conclusion, [image])
    assert (report.CompletionFlag, report.PreliminaryFlag) == ("PARTIAL", "PRELIMINARY")
    assert dciodvfy_errors(report, tmp_path) == []


def test_a_later_version_supersedes_the_former(study: Study, tmp_path: Path) -> None:
    former = study.report()
    later = build_report(study.conclusion.model_copy(update={"version": 2}), study.sources, report_reference(study.conclusion))
    assert later.SOPInstanceUID != former.SOPInstanceUID and later.SeriesInstanceUID == former.SeriesInstanceUID
    referenced = later.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    assert referenced.ReferencedSOPInstanceUID == former.SOPInstanceUID
    assert dciodvfy_errors(later, tmp_path) == []
    dsrdump(later, tmp_path)


def test_building_again_gives_equal_bytes(study: Study, tmp_path: Path) -> None:
    first = sr.encoded(study.report())
    assert sr.encoded(study.report()) == first
    received = [as_received(source, tmp_path) for source in study.sources]
    travelled = Conclusion.model_validate_json(study.conclusion.model_dump_json())
    assert sr.encoded(build_report(travelled, list(reversed(received)))) == first


def test_a_study_of_which_nothing_was_analysed_has_a_report_too(dicom_test_files: Path, tmp_path: Path) -> None:
    for path in sorted(dicom_test_files.glob("*/*.dcm")):
        source = pydicom.dcmread(path, stop_before_pixels=True)
        finding = skipped(source.SOPInstanceUID, "not-mammography", "not a mammogram", InstanceState.FAILED)
        report = build_report(concluded(source.StudyInstanceUID, [finding], complete=False), [source])
        assert sr.codes(groups(report)["Image 1"])[concepts.SUMMARY_OF_ANALYSES] == concepts.FAILED.value
        dsrdump(report, tmp_path)
        patient = {"Patient", "GeneralStudy", "PatientStudy"}
        faults = [line for line in dciodvfy_errors(report, tmp_path) if not any(f"Module=<{name}>" in line for name in patient)]
        # What a source's patient or study module has wrong, its report has wrong too: nothing is invented.
        known = set(dciodvfy_errors(pydicom.dcmread(path), tmp_path))
        assert [line for line in faults if line not in known] == [], path.name


@pytest.mark.parametrize(("charset", "name"), NAMES_IN_CHARACTER_SETS)
def test_every_character_set_survives(charset: str | list[str], name: str, tmp_path: Path) -> None:
    image = full_field()
    image.SpecificCharacterSet, image.PatientName = charset, name
    source = as_received(image, tmp_path)
    conclusion = concluded(source.StudyInstanceUID, [analysed(source.SOPInstanceUID, "R", "CC")])
    read_back = pydicom.dcmread(io.BytesIO(sr.encoded(build_report(conclusion, [source]))))
    assert read_back.get_item("PatientName").value == as_received(image, tmp_path).get_item("PatientName").value
    assert str(read_back.PatientName) == name
    assert dciodvfy_errors(read_back, tmp_path) == []


def tracking(report: Dataset) -> dict[str, str]:
    """Tracking Unique Identifier to Tracking Identifier."""
    measurements = next(item for item in report.ContentSequence if sr.meaning(item) == "Imaging Measurements")
    found = {}
    for group in measurements.ContentSequence:
        identifier, uid = (next(item for item in group.ContentSequence if sr.meaning(item) == name) for name in TRACKING)
        found[str(uid.UID)] = str(identifier.TextValue)
    return found


TRACKING = ("Tracking Identifier", "Tracking Unique Identifier")


def test_an_image_is_named_by_view_side_and_the_end_of_its_uid(study: Study) -> None:
    names = [name for name in tracking(study.report()).values() if "SOP" in name]
    assert len(names) == len(study.sources) and len(set(names)) == len(names)
    for name, source in zip(names, (study.images[0], study.images[1]), strict=False):
        assert name.endswith(f" (SOP ...{source.SOPInstanceUID[-8:]})") and name[:2] in ("R ", "L ")


def without_first(study: Study) -> Dataset:
    return build_report(study.conclusion.model_copy(update={"version": 2, "images": study.conclusion.images[1:]}), study.sources)


def reversed_order(study: Study) -> Dataset:
    return build_report(study.conclusion.model_copy(update={"version": 2, "images": study.conclusion.images[::-1]}), study.sources)


def other_labels(study: Study) -> Dataset:
    first = study.conclusion.images[0]
    assert first.view is not None
    changed = first.model_copy(update={"view": first.view.model_copy(update={"value": "MLO"})})
    return build_report(
        study.conclusion.model_copy(update={"version": 2, "images": (changed, *study.conclusion.images[1:])}), study.sources
    )


def no_labels(study: Study) -> Dataset:
    first = study.conclusion.images[0].model_copy(update={"view": None, "laterality": None})
    return build_report(study.conclusion.model_copy(update={"version": 2, "images": (first, *study.conclusion.images[1:])}), study.sources)


def only_last(study: Study) -> Dataset:
    return build_report(study.conclusion.model_copy(update={"version": 2, "images": study.conclusion.images[-1:]}), study.sources)


@pytest.mark.parametrize("changed", [without_first, reversed_order, other_labels, no_labels, only_last])
def test_a_tracking_identifier_never_changes_under_its_uid(study: Study, changed: Callable[[Study], Dataset]) -> None:
    before, after = tracking(study.report()), tracking(changed(study))
    assert before.keys() & after.keys()
    assert all(before[uid] == after[uid] for uid in before.keys() & after.keys())
