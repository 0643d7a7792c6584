"""A corrected image declares what its pixels show, is valid and keeps everything else; reverted, it declares its former labels."""

from __future__ import annotations

import hashlib
import io
from datetime import timedelta
from pathlib import Path

import pydicom
import pytest
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import JPEGLosslessSV1, RLELossless

from models.vocabulary import Laterality, View
from service.domain.findings import Agreement, CorrectionKind
from service.domain.header import read_header
from service.domain.policy import ObjectMode
from service.errors import NothingToCorrect, UnexpectedAttributeChange, UnreadableRecord
from service.report.allow_list import allowed, check, differing
from service.report.corrected_instance import build_corrected, build_reverted
from service.report.label_changes import DecidedCorrection, Decision
from tests.support.sample_findings import CONCLUDED_AT, analysed, as_received, correction, decided, full_field
from tests.support.validators import dciodvfy_errors

FILM_SLOTS = [("L", "CC"), ("L", "MLO"), ("R", "CC"), ("R", "MLO")]
ORIENTATIONS = {("L", "CC"): ["A", "R"], ("L", "MLO"): ["A", "FR"], ("R", "CC"): ["P", "L"], ("R", "MLO"): ["P", "FL"]}
VIEW_CODES = {"CC": "399162004", "MLO": "399368009"}
FILLED_IN = (Agreement.MISSING, Agreement.MISSING)
BOTH_WRONG = (Agreement.CONTRADICT, Agreement.CONTRADICT)
MODES: list[ObjectMode] = ["new-series", "overwrite"]
LATER = Decision("B. Head", "the image is mirrored", CONCLUDED_AT + timedelta(hours=2))


def decide(
    source: Dataset,
    side: str,
    view: str,
    declared: tuple[str, str] = ("UNKNOWN", "UNKNOWN"),
    compared: tuple[Agreement, Agreement] = FILLED_IN,
    kind: CorrectionKind | None = None,
) -> DecidedCorrection:
    """To what the pixels show; `compared` is how the header did, view first."""
    finding = analysed(source.SOPInstanceUID, side, view)
    return decided(correction(source.SOPInstanceUID, declared, (side, view), *compared, kind=kind), finding)


def correct(
    source: Dataset,
    side: str,
    view: str,
    declared: tuple[str, str] = ("UNKNOWN", "UNKNOWN"),
    compared: tuple[Agreement, Agreement] = FILLED_IN,
    mode: ObjectMode = "new-series",
) -> Dataset:
    return build_corrected(decide(source, side, view, declared, compared), source, mode)


def encoded(dataset: Dataset) -> bytes:
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def read_again(dataset: Dataset) -> Dataset:
    return pydicom.dcmread(io.BytesIO(encoded(dataset)))


def pixel_hash(dataset: Dataset) -> str:
    return hashlib.sha256(dataset.PixelData).hexdigest()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", ["sfm-benign-0", "sfm-malign-0"])
def test_digitised_film_gets_its_labels_and_passes_dciodvfy(
    cbis_cases: dict[str, list[Path]], case: str, mode: ObjectMode, tmp_path: Path
) -> None:
    for path, (side, view) in zip(cbis_cases[case], FILM_SLOTS, strict=True):
        source = pydicom.dcmread(path)
        before = pixel_hash(source)
        corrected = correct(source, side, view, declared=(side, view), mode=mode)
        read_back = read_again(corrected)
        assert (read_back.ImageLaterality, read_back.ViewPosition) == (side, view)
        assert read_back.ViewCodeSequence[0].CodeValue == VIEW_CODES[view]
        assert read_back.PatientOrientation == ORIENTATIONS[side, view]
        assert "Laterality" not in read_back
        assert read_back.file_meta.TransferSyntaxUID == RLELossless
        assert pixel_hash(read_back) == before == pixel_hash(source)
        assert dciodvfy_errors(corrected, tmp_path) == []


def test_the_former_labels_of_a_film_are_recorded(cbis_cases: dict[str, list[Path]]) -> None:
    source = pydicom.dcmread(cbis_cases["sfm-benign-0"][1])
    record = correct(source, "L", "MLO", declared=("L", "MLO")).OriginalAttributesSequence[0]
    former = record.ModifiedAttributesSequence[0]
    assert former.Laterality == "L"
    assert former["ImageLaterality"].is_empty and former["ViewPosition"].is_empty and not former.ViewCodeSequence
    assert former["PatientOrientation"].is_empty
    malformed = record.NonconformingModifiedAttributesSequence[0]
    assert malformed.SelectorAttribute == 0x00200020
    assert malformed.NonconformingDataElementValue == b"MLO "
    assert record.ReasonForTheAttributeModification == "CORRECT"
    assert record.AttributeModificationDateTime == "20260305143015.000000+0000"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("syntax", [None, RLELossless, JPEGLosslessSV1], ids=["native", "rle", "jpeg-lossless"])
@pytest.mark.parametrize(("side", "view"), FILM_SLOTS)
def test_an_unlabelled_mammogram_is_filled_in_and_emptied_again_with_pixels_untouched(
    syntax: str | None, side: str, view: str, mode: ObjectMode, tmp_path: Path
) -> None:
    image = full_field(side, view, labelled=False)
    if syntax == RLELossless:
        image.compress(RLELossless, generate_instance_uid=False)
    elif syntax:
        compress_jpeg_lossless(image)
    source = as_received(image, tmp_path)
    before = pixel_hash(image)
    change = decide(source, side, view)
    corrected = read_again(build_corrected(change, source, mode))
    assert pixel_hash(corrected) == before
    assert corrected.file_meta.TransferSyntaxUID == image.file_meta.TransferSyntaxUID
    assert (corrected.ImageLaterality, corrected.ViewPosition) == (side, view)
    assert corrected.ViewCodeSequence[0].CodeValue == VIEW_CODES[view]
    assert corrected.PatientOrientation == image.PatientOrientation
    assert dciodvfy_errors(corrected, tmp_path) == []
    undone = read_again(build_reverted(change, LATER, source, mode))
    assert pixel_hash(undone) == before
    assert not {"ImageLaterality", "ViewPosition", "ViewCodeSequence"} & set(undone.dir())
    # What the image lacked when it came, it lacks again; nothing else may be wrong with it.
    assert dciodvfy_errors(undone, tmp_path) == dciodvfy_errors(source, tmp_path)


def compress_jpeg_lossless(image: Dataset) -> None:
    import imagecodecs
    from pydicom.encaps import encapsulate

    image.PixelData = encapsulate([bytes(imagecodecs.ljpeg_encode(image.pixel_array, bitspersample=12))])
    image["PixelData"].VR = "OB"
    image["PixelData"].is_undefined_length = True
    image.file_meta.TransferSyntaxUID = JPEGLosslessSV1


def test_a_corrected_image_is_a_new_instance_in_a_series_of_its_own_that_points_back(tmp_path: Path) -> None:
    source = as_received(full_field(labelled=False), tmp_path)
    corrected = correct(source, "R", "CC")
    assert corrected.StudyInstanceUID == source.StudyInstanceUID
    assert corrected.SOPInstanceUID != source.SOPInstanceUID
    assert corrected.SeriesInstanceUID != source.SeriesInstanceUID
    assert corrected.SeriesDescription == "R CC"
    assert list(corrected.ImageType) == ["DERIVED", "PRIMARY"]
    reference = corrected.SourceImageSequence[-1]
    assert reference.ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert reference.PurposeOfReferenceCodeSequence[0].CodeValue == "121322"
    equipment = corrected.ContributingEquipmentSequence[-1]
    assert list(equipment.SoftwareVersions)[1:] == ["a" * 64, "b" * 64]
    assert equipment.ContributionDescription.endswith("Decided by A. Reader: seen on the screen")


def test_an_overwritten_image_is_the_same_instance_with_the_time_of_its_change(tmp_path: Path) -> None:
    source = as_received(full_field(labelled=False), tmp_path)
    corrected = correct(source, "R", "CC", mode="overwrite")
    assert set(differing(source, corrected)) == {
        "ImageLaterality",
        "ViewPosition",
        "ViewCodeSequence",
        "OriginalAttributesSequence",
        "ContributingEquipmentSequence",
        "InstanceCoercionDateTime",
    }
    assert corrected.InstanceCoercionDateTime == "20260305143015.000000+0000"
    assert corrected.file_meta.MediaStorageSOPInstanceUID == source.SOPInstanceUID


def test_a_reverted_image_refers_to_both_sources_and_records_both_steps(tmp_path: Path) -> None:
    source = as_received(full_field("L", "MLO"), tmp_path)
    change = decide(source, "R", "CC", ("L", "MLO"), BOTH_WRONG)
    corrected, undone = build_corrected(change, source, "new-series"), build_reverted(change, LATER, source, "new-series")
    uids = [source.SOPInstanceUID, corrected.SOPInstanceUID]
    assert undone.SOPInstanceUID not in uids
    assert undone.SeriesInstanceUID not in (source.SeriesInstanceUID, corrected.SeriesInstanceUID)
    assert [each.ReferencedSOPInstanceUID for each in undone.SourceImageSequence] == uids
    assert (undone.ImageLaterality, undone.ViewPosition, undone.SeriesDescription) == ("L", "MLO", "screening")
    first, second = (each.ModifiedAttributesSequence[0] for each in undone.OriginalAttributesSequence)
    assert (first.ImageLaterality, first.ViewPosition) == ("L", "MLO")
    assert (second.ImageLaterality, second.ViewPosition) == ("R", "CC")
    assert undone.OriginalAttributesSequence[1].AttributeModificationDateTime == "20260305163015.000000+0000"
    assert undone.ContributingEquipmentSequence[-1].ContributionDescription.endswith("B. Head: the image is mirrored")
    assert dciodvfy_errors(undone, tmp_path) == []


def test_an_overwritten_and_reverted_image_differs_from_the_received_one_only_by_its_record(tmp_path: Path) -> None:
    source = as_received(full_field("L", "MLO"), tmp_path)
    undone = build_reverted(decide(source, "R", "CC", ("L", "MLO"), BOTH_WRONG), LATER, source, "overwrite")
    assert set(differing(source, undone)) == {"OriginalAttributesSequence", "ContributingEquipmentSequence", "InstanceCoercionDateTime"}
    assert len(undone.OriginalAttributesSequence) == 2
    assert undone.OriginalAttributesSequence[1].ModifiedAttributesSequence[0].InstanceCoercionDateTime == "20260305143015.000000+0000"
    assert dciodvfy_errors(undone, tmp_path) == []


@pytest.mark.parametrize("mode", MODES)
def test_building_again_gives_equal_bytes_and_does_not_change_the_source(mode: ObjectMode, tmp_path: Path) -> None:
    source = as_received(full_field("L", "CC"), tmp_path)
    before = encoded(source)
    change = decide(source, "R", "CC", ("L", "CC"), (Agreement.AGREE, Agreement.CONTRADICT))
    first = encoded(build_corrected(change, source, mode)), encoded(build_reverted(change, LATER, source, mode))
    assert encoded(source) == before
    str(source)  # decodes every element
    assert (encoded(build_corrected(change, source, mode)), encoded(build_reverted(change, LATER, source, mode))) == first
    assert encoded(source) == before


def test_an_image_that_declares_what_its_pixels_show_is_not_built(tmp_path: Path) -> None:
    corrected = as_received(correct(as_received(full_field(labelled=False), tmp_path), "R", "CC"), tmp_path)
    with pytest.raises(NothingToCorrect):
        correct(corrected, "R", "CC")


@pytest.mark.parametrize("mode", MODES)
def test_a_blocked_correction_is_not_written(mode: ObjectMode) -> None:
    source = full_field("L", "MLO")
    change = decide(source, "R", "CC", ("L", "MLO"), BOTH_WRONG)
    for refused in ({"blocked_reason": "partial view"}, {"kind": None}, {"kind": CorrectionKind.VIEW_UNKNOWN}):
        correction = change.correction.model_copy(update=refused)
        with pytest.raises(NothingToCorrect):
            build_corrected(DecidedCorrection(correction, Decision("x", "y", CONCLUDED_AT), (), True), source, mode)


@pytest.mark.parametrize("mode", MODES)
def test_a_mirrored_picture_keeps_its_labels_and_gets_the_orientation_that_it_shows(mode: ObjectMode, tmp_path: Path) -> None:
    source = as_received(full_field("R", "MLO"), tmp_path)
    # Read from its pixels it looks like the other breast: the chest wall is at the left.
    change = decide(source, "L", "MLO", ("R", "MLO"), (Agreement.AGREE, Agreement.CONTRADICT), CorrectionKind.MIRRORED)
    corrected = build_corrected(change, source, mode)
    assert (corrected.ImageLaterality, corrected.ViewPosition) == ("R", "MLO")
    assert corrected.PatientOrientation == ["A", "FL"]
    assert set(corrected.OriginalAttributesSequence[0].ModifiedAttributesSequence[0].dir()) == {"PatientOrientation"}
    assert dciodvfy_errors(corrected, tmp_path) == []


@pytest.mark.parametrize("mode", MODES)
def test_swapped_sides_are_written_like_any_other_label(mode: ObjectMode, tmp_path: Path) -> None:
    source = as_received(full_field("R", "MLO"), tmp_path)
    change = decide(source, "L", "MLO", ("R", "MLO"), (Agreement.AGREE, Agreement.CONTRADICT), CorrectionKind.SIDES_SWAPPED)
    corrected = build_corrected(change, source, mode)
    assert (corrected.ImageLaterality, corrected.ViewPosition, corrected.PatientOrientation) == ("L", "MLO", ["A", "FR"])


@pytest.mark.parametrize("mode", MODES)
def test_former_records_and_equipment_are_kept(mode: ObjectMode, tmp_path: Path) -> None:
    image = full_field(labelled=False)
    earlier = Dataset()
    earlier.ModifiedAttributesSequence = [Dataset()]
    earlier.ModifiedAttributesSequence[0].PatientID = "former"
    earlier.AttributeModificationDateTime = "20250101"
    earlier.ModifyingSystem, earlier.SourceOfPreviousValues = "PACS", ""
    earlier.ReasonForTheAttributeModification = "COERCE"
    image.OriginalAttributesSequence = [earlier]
    image.ContributingEquipmentSequence = [Dataset()]
    image.ContributingEquipmentSequence[0].Manufacturer = "someone"
    corrected = correct(as_received(image, tmp_path), "R", "CC", mode=mode)
    assert [item.ModifyingSystem for item in corrected.OriginalAttributesSequence] == ["PACS", "MAMMOTRIAGE"]
    assert corrected.OriginalAttributesSequence[0] == earlier
    assert [item.Manufacturer for item in corrected.ContributingEquipmentSequence] == ["someone", "mammotriage"]
    assert len(image.OriginalAttributesSequence) == 1


def test_a_record_that_cannot_be_read_is_not_thrown_away(tmp_path: Path) -> None:
    image = full_field(labelled=False)
    image.add_new("OriginalAttributesSequence", "LO", "no sequence at all")
    with pytest.raises(UnreadableRecord, match="OriginalAttributesSequence"):
        correct(as_received(image, tmp_path), "R", "CC")


def test_an_approved_contradiction_replaces_the_whole_former_code_and_keeps_its_modifiers(tmp_path: Path) -> None:
    image = full_field("L", "MLO")
    image.ViewCodeSequence[0].CodeValue, image.ViewCodeSequence[0].CodingSchemeDesignator = "R-10226", "SRT"
    modifier = Dataset()
    modifier.CodeValue, modifier.CodingSchemeDesignator, modifier.CodeMeaning = "399011000", "SCT", "Axillary Tail"
    image.ViewCodeSequence[0].ViewModifierCodeSequence = [modifier]
    image.PatientOrientation = ["P", "L"]
    source = as_received(image, tmp_path)
    corrected = correct(source, "R", "CC", ("L", "MLO"), BOTH_WRONG)
    assert corrected.ViewCodeSequence[0].CodeValue == "399162004"
    assert corrected.ViewCodeSequence[0].ViewModifierCodeSequence == [modifier]
    former = corrected.OriginalAttributesSequence[0].ModifiedAttributesSequence[0]
    assert former.ViewCodeSequence == image.ViewCodeSequence
    assert (former.ImageLaterality, former.ViewPosition) == ("L", "MLO")
    assert corrected.PatientOrientation == ["P", "L"] and "PatientOrientation" not in former


def test_a_label_that_cannot_be_compared_stays_as_it_is(tmp_path: Path) -> None:
    image = full_field("R", "MLO")
    image.ViewPosition = "LM"
    del image.ImageLaterality
    source = as_received(image, tmp_path)
    corrected = correct(source, "R", "UNKNOWN", ("UNKNOWN", "LM"), (Agreement.UNSURE, Agreement.MISSING))
    assert corrected.ImageLaterality == "R"
    assert corrected.ViewPosition == "LM"
    assert corrected.ViewCodeSequence == source.ViewCodeSequence


def test_the_orientation_follows_the_pixels_not_a_table(tmp_path: Path) -> None:
    source = as_received(full_field("R", "MLO", labelled=False), tmp_path)
    finding = analysed(source.SOPInstanceUID, "R", "MLO").model_copy(update={"chest_wall_right": False})
    change = decided(correction(source.SOPInstanceUID, ("UNKNOWN", "UNKNOWN"), ("R", "MLO")), finding)
    assert build_corrected(change, source, "new-series").PatientOrientation == ["A", "FL"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("charset", "name"),
    [
        ("ISO_IR 100", "Müller^Änne"),
        ("ISO_IR 192", "Łukasiewicz^Żaneta=漢字^名"),
        ("GB18030", "Wang^XiaoDong=王^小东"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    ],
    ids=["latin1", "utf8", "gb18030", "jis"],
)
def test_every_character_set_survives_a_decision_in_any_script(
    charset: str | list[str], name: str, mode: ObjectMode, tmp_path: Path
) -> None:
    image = full_field(labelled=False)
    image.SpecificCharacterSet = charset
    image.PatientName = name
    source = as_received(image, tmp_path)
    finding = analysed(source.SOPInstanceUID, "R", "CC")
    change = decided(correction(source.SOPInstanceUID, ("UNKNOWN", "UNKNOWN"), ("R", "CC")), finding, "Ж. Петрова", "видно на снимке")
    corrected = build_corrected(change, source, mode)
    read_back = read_again(corrected)
    assert read_back.SpecificCharacterSet == charset
    received = pydicom.dcmread(tmp_path / f"{image.SOPInstanceUID}.dcm")
    assert read_back.get_item("PatientName").value == received.get_item("PatientName").value
    assert str(read_back.PatientName) == name
    assert read_back.ContributingEquipmentSequence[-1].ContributionDescription.endswith("Ж. Петрова: видно на снимке")
    assert dciodvfy_errors(corrected, tmp_path) == []


def test_a_side_of_the_series_that_conflicts_is_dropped_and_comes_back(tmp_path: Path) -> None:
    image = full_field("R", "CC", labelled=False)
    image.Laterality = "L"
    source = as_received(image, tmp_path)
    for mode in MODES:
        corrected = correct(source, "R", "CC", mode=mode)
        assert "Laterality" not in corrected
        assert corrected.OriginalAttributesSequence[0].ModifiedAttributesSequence[0].Laterality == "L"
        assert build_reverted(decide(source, "R", "CC"), LATER, source, mode).Laterality == "L"


@pytest.mark.parametrize("mode", MODES)
def test_a_side_of_the_series_never_contradicts_that_of_the_image(mode: ObjectMode, tmp_path: Path) -> None:
    image = full_field("R", "MLO")
    image.Laterality = "L"
    source = as_received(image, tmp_path)
    corrected = correct(source, "R", "CC", ("R", "MLO"), (Agreement.CONTRADICT, Agreement.AGREE), mode)
    assert "Laterality" not in corrected and corrected.ImageLaterality == "R"


@pytest.mark.parametrize("mode", MODES)
def test_a_label_that_is_empty_under_a_wrong_type_counts_as_empty(mode: ObjectMode, tmp_path: Path) -> None:
    source = as_received(full_field(labelled=False), tmp_path)
    source["ViewPosition"] = DataElement("ViewPosition", "DS", None)
    record = correct(source, "R", "CC", mode=mode).OriginalAttributesSequence[0]
    assert record.ModifiedAttributesSequence[0]["ViewPosition"].is_empty
    assert "NonconformingModifiedAttributesSequence" not in record


def test_a_signature_is_removed_with_the_labels_it_signed_and_comes_back_with_them(tmp_path: Path) -> None:
    image = full_field("L", "CC")
    signature = Dataset()
    signature.MACIDNumber, signature.DigitalSignatureUID = 1, "1.2.3"
    image.DigitalSignaturesSequence, image.MACParametersSequence = [signature], [Dataset()]
    source = as_received(image, tmp_path)
    change = decide(source, "R", "CC", ("L", "CC"), (Agreement.AGREE, Agreement.CONTRADICT))
    for mode in MODES:
        assert not {"DigitalSignaturesSequence", "MACParametersSequence"} & set(build_corrected(change, source, mode).dir())
    assert build_reverted(change, LATER, source, "overwrite").DigitalSignaturesSequence[0] == signature
    assert "DigitalSignaturesSequence" not in build_reverted(change, LATER, source, "new-series")


@pytest.mark.parametrize("mode", MODES)
def test_an_object_that_changed_anything_else_does_not_leave(mode: ObjectMode, tmp_path: Path) -> None:
    image = full_field(labelled=False)
    image.private_block(0x0011, "someone", create=True).add_new(1, "LO", "kept")
    source = as_received(image, tmp_path)

    def tampered(how: str) -> Dataset:
        built = correct(source, "R", "CC", mode=mode)
        if how == "PixelData":
            built.PixelData = built.PixelData[:-2] + b"\0\0" if not built.PixelData.endswith(b"\0\0") else built.PixelData[:-2] + b"\1\0"
        elif how == "PatientID":
            built.PatientID = "another"
        elif how == "StudyInstanceUID":
            del built.StudyInstanceUID
        elif how == "KVP":
            built.KVP = "29"
        else:
            built[0x0011, 0x1001].value = "lost"
        return built

    for how in ("PixelData", "PatientID", "StudyInstanceUID", "KVP", "(0011,1001)"):
        with pytest.raises(UnexpectedAttributeChange, match=how.replace("(", r"\(").replace(")", r"\)")) as refused:
            check(source, tampered(how), allowed(mode))
        assert "another" not in str(refused.value)
    check(source, correct(source, "R", "CC", mode=mode), allowed(mode))


@pytest.mark.parametrize("mode", MODES)
def test_no_real_mammogram_gets_an_error_that_it_had_not(mode: ObjectMode, dicom_test_files: Path, tmp_path: Path) -> None:
    built = 0
    for path in sorted((dicom_test_files / "mg").glob("*.dcm")):
        source = pydicom.dcmread(path)
        header = read_header(source)
        side, view = ("L", "MLO") if header.view is not View.MLO or header.laterality is not Laterality.L else ("R", "CC")
        change = decide(source, side, view, (header.laterality, header.view), BOTH_WRONG)
        had = set(dciodvfy_errors(source, tmp_path))
        for made in (build_corrected(change, source, mode), build_reverted(change, LATER, source, mode)):
            built += 1
            assert pixel_hash(made) == pixel_hash(source), path.name
            assert set(dciodvfy_errors(made, tmp_path)) <= had, path.name
        assert (made.get("ImageLaterality"), made.get("ViewPosition"), made.get("PatientOrientation")) == (
            source.get("ImageLaterality"),
            source.get("ViewPosition"),
            source.get("PatientOrientation"),
        )
    assert built >= 4
