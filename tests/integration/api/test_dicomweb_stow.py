"""STOW-RS as PS3.18 section 10.5 has it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import Dataset

from tests.support.api_server import Served, serve_api
from tests.support.dicomweb_viewer import path_of, stow
from tests.support.sample_findings import full_field


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Served]:
    with serve_api(tmp_path) as served:
        yield served


def test_stored_instances_are_referenced_in_the_answer(api: Served) -> None:
    image = full_field()
    response = stow(api, image)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/dicom+json"
    answer = Dataset.from_json(response.json())
    (item,) = answer.ReferencedSOPSequence
    assert (item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID) == (image.SOPClassUID, image.SOPInstanceUID)
    assert "FailedSOPSequence" not in answer
    base = api.settings.public_api_url
    assert (answer.RetrieveURL, item.RetrieveURL) == (f"{base}/dicom-web/studies/{image.StudyInstanceUID}", base + path_of(image))
    assert api.client.get(item.RetrieveURL).status_code == 200
    assert api.published == [image.SOPInstanceUID]


def test_some_failures_are_202_and_named(api: Served) -> None:
    good = full_field()
    response = stow(api, good, b"nothing of DICOM")
    assert response.status_code == 202
    answer = Dataset.from_json(response.json())
    assert [item.ReferencedSOPInstanceUID for item in answer.ReferencedSOPSequence] == [good.SOPInstanceUID]
    assert [item.FailureReason for item in answer.OtherFailuresSequence] == [0xC000]


def test_an_instance_that_has_a_name_fails_under_it(tmp_path: Path) -> None:
    with serve_api(tmp_path, disk_free_min_bytes=1 << 60) as served:
        image = full_field()
        response = stow(served, image)
        assert response.status_code == 409
        (item,) = Dataset.from_json(response.json()).FailedSOPSequence
        assert (item.ReferencedSOPInstanceUID, item.FailureReason) == (image.SOPInstanceUID, 0xA700)


def test_other_part_types_are_refused(api: Served) -> None:
    response = stow(api, full_field(), part_type="application/dicom+json")
    assert response.status_code == 415
    assert response.json()["code"] == "unsupported-media-type"
    assert list(api.store.spool_dir.iterdir()) == []


def test_bytes_arrive_as_they_were_sent(api: Served) -> None:
    image = full_field()
    # What looks like a boundary, and is none, may stand in pixel data.
    image.PixelData = (b"\r\n--DICO\r\n--" * 20_000)[: 256 * 192 * 2]
    stow(api, image)
    row = api.ledger.instances.get(str(image.SOPInstanceUID))
    assert row is not None
    assert image.PixelData in api.store.path(row.path).read_bytes()
