"""A corrected image says what its pixels show, is valid, and keeps everything else."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import JPEGLosslessSV1, RLELossless

from service.domain.findings import Agreement, CorrectionState
from service.report.corrected_instance import NothingToCorrect, build_corrected
from tests.integration.answers import analysed, as_received, concluded, correction, full_field
from tests.integration.validators import dciodvfy_errors

FILM_SLOTS = [("L", "CC"), ("L", "MLO"), ("R", "CC"), ("R", "MLO")]

ORIENTATIONS = {("L", "CC"): ["A", "R"], ("L", "MLO"): ["A", "FR"], ("R", "CC"): ["P", "L"], ("R", "MLO"): ["P", "FL"]}
FILLED_IN = (Agreement.MISSING, Agreement.MISSING)


def correct(
    source: Dataset,
    side: str,
    view: str,
    declared: tuple[str, str] = ("UNKNOWN", "UNKNOWN"),
    compared: tuple[Agreement, Agreement] = FILLED_IN,
    state: CorrectionState = CorrectionState.APPROVED,
) -> Dataset:
    """Correct to what the pixels show; `compared` is how the header did, view first."""
    finding = analysed(source.SOPInstanceUID, side, view)
    change = correction(source.SOPInstanceUID, declared, (side, view), state, *compared)
    return build_corrected(concluded(source.StudyInstanceUID, [finding], [change]), change, finding, source)


def encoded(dataset: Dataset) -> bytes:
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def pixel_hash(dataset: Dataset) -> str:
    return hashlib.sha256(dataset.PixelData).hexdigest()


@pytest.mark.parametrize("case", ["sfm-benign-0", "sfm-malign-0"])
def test_digitised_film_gets_its_labels_and_passes_dciodvfy(cbis_cases: dict[str, list[Path]], case: str, tmp_path: Path) -> None:
    for path, (side, view) in zip(cbis_cases[case], FILM_SLOTS, strict=True):
        source = pydicom.dcmread(path)
        before = pixel_hash(source)
        corrected = correct(source, side, view, declared=(side, view))
        read_back = pydicom.dcmread(io.BytesIO(encoded(corrected)))
        assert (read_back.ImageLaterality, read_back.ViewPosition, read_back.SeriesDescription) == (side, view, f"{side} {view}")
        assert read_back.ViewCodeSequence[0].CodeValue == {"CC": "399162004", "MLO": "399368009"}[view]
        assert read_back.PatientOrientation == ORIENTATIONS[side, view]
        assert "Laterality" not in read_back
        assert read_back.file_meta.TransferSyntaxUID == RLELossless
        assert pixel_hash(read_back) == before == pixel_hash(source)
        assert dciodvfy_errors(corrected, tmp_path) == []


def test_what_a_film_said_before_stays_on_record(cbis_cases: dict[str, list[Path]]) -> None:
    source = pydicom.dcmread(cbis_cases["sfm-benign-0"][1])
    record = correct(source, "L", "MLO", declared=("L", "MLO")).OriginalAttributesSequence[0]
    former = record.ModifiedAttributesSequence[0]
    assert former.Laterality == "L"
    assert former["ImageLaterality"].is_empty and former["ViewPosition"].is_empty and not former.ViewCodeSequence
    malformed = record.NonconformingModifiedAttributesSequence[0]
    assert malformed.SelectorAttribute == 0x00200020
    assert malformed.NonconformingDataElementValue == b"MLO "
    assert record.ReasonForTheAttributeModification == "CORRECT"
    assert record.AttributeModificationDateTime == "20260305143015.000000+0000"


@pytest.mark.parametrize("syntax", [None, RLELossless, JPEGLosslessSV1], ids=["native", "rle", "jpeg-lossless"])
@pytest.mark.parametrize(("side", "view"), FILM_SLOTS)
def test_an_unlabelled_mammogram_is_filled_in_with_pixels_untouched(syntax: str | None, side: str, view: str, tmp_path: Path) -> None:
    image = full_field(side, view, labelled=False)
    if syntax == RLELossless:
        image.compress(RLELossless, generate_instance_uid=False)
    elif syntax:
        compress_jpeg_lossless(image)
    source = as_received(image, tmp_path)
    before = pixel_hash(image)
    corrected = correct(source, side, view)
    read_back = pydicom.dcmread(io.BytesIO(encoded(corrected)))
    assert pixel_hash(read_back) == before
    assert read_back.file_meta.TransferSyntaxUID == image.file_meta.TransferSyntaxUID
    assert (read_back.ImageLaterality, read_back.ViewPosition) == (side, view)
    assert read_back.PatientOrientation == image.PatientOrientation
    assert dciodvfy_errors(corrected, tmp_path) == []


def compress_jpeg_lossless(image: Dataset) -> None:
    import imagecodecs
    from pydicom.encaps import encapsulate

    image.PixelData = encapsulate([imagecodecs.ljpeg_encode(image.pixel_array, bitspersample=12)])
    image["PixelData"].VR = "OB"
    image["PixelData"].is_undefined_length = True
    image.file_meta.TransferSyntaxUID = JPEGLosslessSV1


def test_a_corrected_image_is_a_new_instance_in_a_series_of_its_own_that_points_back(tmp_path: Path) -> None:
    source = as_received(full_field(labelled=False), tmp_path)
    corrected = correct(source, "R", "CC")
    assert corrected.StudyInstanceUID == source.StudyInstanceUID
    assert corrected.SOPInstanceUID != source.SOPInstanceUID
    assert corrected.SeriesInstanceUID != source.SeriesInstanceUID
    assert list(corrected.ImageType) == ["DERIVED", "PRIMARY"]
    reference = corrected.SourceImageSequence[-1]
    assert reference.ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert reference.PurposeOfReferenceCodeSequence[0].CodeValue == "121322"
    equipment = corrected.ContributingEquipmentSequence[-1]
    assert list(equipment.SoftwareVersions)[1:] == ["a" * 64, "b" * 64]


def test_building_again_gives_equal_bytes_and_leaves_the_source_alone(tmp_path: Path) -> None:
    source = as_received(full_field(labelled=False), tmp_path)
    before = encoded(source)
    first = encoded(correct(source, "R", "CC"))
    str(source)  # decodes every element
    assert encoded(correct(source, "R", "CC")) == first
    assert encoded(source) == before


def test_an_image_that_says_what_its_pixels_show_is_not_built(tmp_path: Path) -> None:
    corrected = as_received(correct(as_received(full_field(labelled=False), tmp_path), "R", "CC"), tmp_path)
    with pytest.raises(NothingToCorrect):
        correct(corrected, "R", "CC")


@pytest.mark.parametrize("state", [CorrectionState.PROPOSED, CorrectionState.REPORT_ONLY])
def test_what_nobody_approved_is_not_written(state: CorrectionState) -> None:
    with pytest.raises(NothingToCorrect):
        correct(full_field(labelled=False), "R", "CC", state=state)


def test_former_records_and_equipment_are_kept(tmp_path: Path) -> None:
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
    corrected = correct(as_received(image, tmp_path), "R", "CC")
    assert [item.ModifyingSystem for item in corrected.OriginalAttributesSequence] == ["PACS", "MAMMOTRIAGE"]
    assert corrected.OriginalAttributesSequence[0] == earlier
    assert [item.Manufacturer for item in corrected.ContributingEquipmentSequence] == ["someone", "mammotriage"]
    assert len(image.OriginalAttributesSequence) == 1


def test_an_approved_contradiction_replaces_the_whole_former_code_and_keeps_its_modifiers(tmp_path: Path) -> None:
    image = full_field("L", "MLO")
    image.ViewCodeSequence[0].CodeValue, image.ViewCodeSequence[0].CodingSchemeDesignator = "R-10226", "SRT"
    modifier = Dataset()
    modifier.CodeValue, modifier.CodingSchemeDesignator, modifier.CodeMeaning = "399011000", "SCT", "Axillary Tail"
    image.ViewCodeSequence[0].ViewModifierCodeSequence = [modifier]
    image.PatientOrientation = ["P", "L"]
    source = as_received(image, tmp_path)
    corrected = correct(source, "R", "CC", ("L", "MLO"), (Agreement.CONTRADICT, Agreement.CONTRADICT))
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
    change = correction(source.SOPInstanceUID, ("UNKNOWN", "UNKNOWN"), ("R", "MLO"))
    corrected = build_corrected(concluded(source.StudyInstanceUID, [finding], [change]), change, finding, source)
    assert corrected.PatientOrientation == ["A", "FL"]


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
def test_every_character_set_survives(charset: str | list[str], name: str, tmp_path: Path) -> None:
    image = full_field(labelled=False)
    image.SpecificCharacterSet = charset
    image.PatientName = name
    source = as_received(image, tmp_path)
    read_back = pydicom.dcmread(io.BytesIO(encoded(correct(source, "R", "CC"))))
    assert read_back.SpecificCharacterSet == charset
    assert (
        read_back.get_item("PatientName").value == pydicom.dcmread(tmp_path / f"{image.SOPInstanceUID}.dcm").get_item("PatientName").value
    )
    assert str(read_back.PatientName) == name


def test_a_side_of_the_series_that_conflicts_is_dropped(tmp_path: Path) -> None:
    image = full_field("R", "CC", labelled=False)
    image.Laterality = "L"
    corrected = correct(as_received(image, tmp_path), "R", "CC")
    assert "Laterality" not in corrected
    assert corrected.OriginalAttributesSequence[0].ModifiedAttributesSequence[0].Laterality == "L"
