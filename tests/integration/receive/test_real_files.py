"""Files as the world makes them, over C-STORE, as they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import dcmread
from pynetdicom import _config
from pynetdicom.dsutils import split_dataset

from tests.support.listener_fixture import ListenerFixture, associated


def test_every_test_file_is_stored_whatever_it_is(dicom_test_files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {path: dcmread(path, stop_before_pixels=True) for path in sorted(dicom_test_files.rglob("*.dcm"))}
    assert files
    proposed: dict[str, list[str]] = {}
    for dataset in files.values():
        proposed.setdefault(dataset.SOPClassUID, []).append(dataset.file_meta.TransferSyntaxUID)
    monkeypatch.setattr(_config, "STORE_SEND_CHUNKED_DATASET", True)
    with ListenerFixture(tmp_path).listening() as receiving, associated(receiving.settings, proposed) as association:
        assert {path.name: association.send_c_store(path).Status for path in files} == {path.name: 0 for path in files}
        for path, dataset in files.items():
            row = receiving.ledger.instances.get(dataset.SOPInstanceUID)
            assert row is not None
            assert dataset_bytes(receiving.store.path(row.path)) == dataset_bytes(path)


def dataset_bytes(path: Path) -> bytes:
    return path.read_bytes()[split_dataset(path)[1] :]
