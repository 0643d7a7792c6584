"""The conformance statement is what the code does: it is written from the code, and this is where that is checked."""

from __future__ import annotations

from pathlib import Path

import pytest
from pynetdicom.sop_class import StorageCommitmentPushModel, Verification  # type: ignore[attr-defined]

from service.cli.conformance import network, write_statement
from service.cli.conformance.samples import build_samples
from service.cli.object_classes import SOP_CLASSES
from service.domain.findings import DeliveryState, ObjectKind
from service.receive import listener
from service.report.allow_list import ALLOWED, differing
from service.settings import Settings

STATEMENT = Path(__file__).parents[2] / "docs" / "dicom-conformance.md"


def test_the_statement_is_that_of_this_code() -> None:
    written = write_statement()
    assert written == write_statement()
    current = STATEMENT.read_text(encoding="utf-8") == written
    assert current, "the code has changed: mammotriage conformance -o docs/dicom-conformance.md"


def test_a_change_of_the_code_changes_the_statement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "TRANSFER_SYNTAXES", listener.TRANSFER_SYNTAXES[:-1])
    taken = "| JPEG Extended (Process 2 and 4) | 1.2.840.10008.1.2.4.51 |"
    assert taken in STATEMENT.read_text(encoding="utf-8")
    assert taken not in write_statement()


def test_the_listener_takes_what_is_stated_and_nothing_else() -> None:
    taken = {str(context.abstract_syntax): context for context in listener._entity(Settings()).supported_contexts}
    stated = set(network.list_storage_classes())
    assert set(taken) == stated | {Verification, StorageCommitmentPushModel}
    assert all(tuple(taken[uid].transfer_syntax) == listener.TRANSFER_SYNTAXES for uid in stated)


def test_every_kind_of_object_is_stated_in_the_class_that_it_has() -> None:
    for sample in build_samples():
        assert set(sample.objects) == set(ObjectKind) == set(SOP_CLASSES)
        for kind, built in sample.objects.items():
            assert built.SOPClassUID == SOP_CLASSES[kind][0], kind


def test_what_differs_in_a_corrected_image_is_stated() -> None:
    for sample in build_samples():
        for mode, built in (("new-series", sample.objects[ObjectKind.CORRECTED]), ("overwrite", sample.overwritten)):
            changed = set(differing(sample.source, built))
            assert changed
            assert changed <= ALLOWED[mode]  # type: ignore[index]


def test_the_samples_differ_in_whatever_an_object_could_take_over() -> None:
    one, other = build_samples()
    alike = {element.keyword for element in one.source if element.tag in other.source and element.value == other.source[element.tag].value}
    pixels = {"SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"}
    labels = {"ImageLaterality", "ViewPosition", "ViewCodeSequence", "PatientOrientation", "ImagerPixelSpacing"}
    assert alike == {"SOPClassUID", "ImageType", "Modality"} | pixels | labels


def test_every_end_of_a_delivery_is_stated() -> None:
    assert set(network.OUTCOMES) == set(DeliveryState)


def test_every_object_names_this_software_as_contributing_equipment() -> None:
    for sample in build_samples():
        for kind, built in sample.objects.items():
            assert "mammotriage" in str(built.ContributingEquipmentSequence[-1].Manufacturer), kind
            purpose = built.ContributingEquipmentSequence[-1].PurposeOfReferenceCodeSequence[0].CodeValue
            assert purpose == ("109103" if kind in (ObjectKind.CORRECTED, ObjectKind.REVERTED) else "109102"), kind


def test_series_of_our_own_have_distinct_numbers() -> None:
    numbers: dict[str, str] = {}
    for sample in build_samples():
        for kind, built in sample.objects.items():
            if kind not in (ObjectKind.CORRECTED, ObjectKind.REVERTED):
                assert numbers.setdefault(str(built.SeriesNumber), kind.value) == kind.value
    assert len(numbers) >= 5


def test_a_heatmap_has_the_view_of_its_image() -> None:
    views = [sample.objects[ObjectKind.HEATMAP].ViewCodeSequence[0] for sample in build_samples()]
    assert {(view.CodeValue, view.CodingSchemeDesignator) for view in views} <= {("399162004", "SCT"), ("399368009", "SCT")}
