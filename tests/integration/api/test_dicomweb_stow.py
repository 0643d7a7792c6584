"""STOW-RS as PS3.18 section 10.5 has it."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.errors import BytesLengthException
from pydicom.filebase import DicomFileLike
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import DeflatedExplicitVRLittleEndian, generate_uid

from service.domain.findings import InstanceHeader
from service.domain.header import read_header
from service.receive import accept as accept_module
from tests.support.api_server import Served, as_bytes, serve_api
from tests.support.dicomweb_viewer import path_of, stow, viewer
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


def test_instances_of_a_study_are_stored_under_its_address(api: Served) -> None:
    image = full_field()
    response = stow(api, image, path=f"/dicom-web/studies/{image.StudyInstanceUID}")
    assert response.status_code == 200
    assert Dataset.from_json(response.json()).ReferencedSOPSequence[0].ReferencedSOPInstanceUID == image.SOPInstanceUID
    second = dcmread(BytesIO(as_bytes(full_field(study_instance_uid=image.StudyInstanceUID))))
    stored = viewer(api).store_instances([second], study_instance_uid=image.StudyInstanceUID)
    assert [each.ReferencedSOPInstanceUID for each in stored.ReferencedSOPSequence] == [second.SOPInstanceUID]


def test_an_instance_of_another_study_fails_under_its_name(api: Served) -> None:
    image, other = full_field(), full_field()
    path = f"/dicom-web/studies/{image.StudyInstanceUID}"
    both = stow(api, image, other, path=path)
    assert both.status_code == 202
    answer = Dataset.from_json(both.json())
    assert [each.ReferencedSOPInstanceUID for each in answer.ReferencedSOPSequence] == [image.SOPInstanceUID]
    assert [(each.ReferencedSOPInstanceUID, each.FailureReason) for each in answer.FailedSOPSequence] == [(other.SOPInstanceUID, 0xA900)]
    only_other = stow(api, other, path=path)
    assert only_other.status_code == 409
    assert api.ledger.instances.get(str(other.SOPInstanceUID)) is None
    assert stow(api, b"nothing of DICOM", path=path).status_code == 409
    assert stow(api, image, path="/dicom-web/studies/1.2.x").status_code == 422
    assert list(api.store.spool_dir.iterdir()) == []


def _deflated(content: bytes) -> bytes:
    """A file in the deflated transfer syntax with these bytes behind its file meta."""
    meta = full_field().file_meta
    meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = full_field().SOPClassUID, generate_uid()
    buffer = BytesIO()
    buffer.write(bytes(128) + b"DICM")
    write_file_meta_info(DicomFileLike(buffer), meta)
    return buffer.getvalue() + content


def _data_set() -> bytes:
    file = as_bytes(full_field())
    return file[144 + int.from_bytes(file[140:144], "little") :]


def _nested(depth: int) -> bytes:
    """A data set whose sequences are nested so deep."""
    file = as_bytes(full_field())
    begin = b"\x40\x00\x60\xa7SQ\x00\x00\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    end = b"\xfe\xff\x0d\xe0\x00\x00\x00\x00\xfe\xff\xdd\xe0\x00\x00\x00\x00"
    at = file.index(b"\xe0\x7f\x10\x00")
    return file[:at] + begin * depth + end * depth + file[at:]


BAD_PARTS: dict[str, Callable[[], bytes]] = {
    "a zlib header before the deflated data set": lambda: _deflated(zlib.compress(_data_set())),
    "a deflated data set that is cut off": lambda: _deflated(zlib.compress(_data_set(), wbits=-15)[:500]),
    "plain bytes as a deflated data set": lambda: _deflated(b"this is not deflated at all, and it is long enough to be read"),
    "1500 nested sequences": lambda: _nested(1500),
    "20000 nested sequences without an end": lambda: _nested(20_000)[:-20_000],
    "cut off within the header": lambda: as_bytes(full_field())[:700],
    "cut off within the file meta": lambda: as_bytes(full_field())[:150],
    "no preamble": lambda: as_bytes(full_field())[132:],
    "empty": lambda: b"",
    "a length beyond the end": lambda: as_bytes(full_field()).replace(b"\x08\x00\x18\x00UI", b"\x08\x00\x18\x00OB"),
    "an odd length of a number": lambda: as_bytes(full_field()).replace(b"\x28\x00\x10\x00US\x02\x00", b"\x28\x00\x10\x00US\x01\x00"),
}


@pytest.mark.parametrize("name", BAD_PARTS)
@pytest.mark.parametrize("way", ["stow", "upload"])
def test_one_bad_part_never_harms_the_others(api: Served, name: str, way: str) -> None:
    first, last = full_field(), full_field()
    bad = BAD_PARTS[name]()
    response = stow(api, first, bad, last) if way == "stow" else api.post(first, bad, last)
    assert response.status_code in (200, 202), response.text
    assert api.ledger.instances.get(str(first.SOPInstanceUID)) and api.ledger.instances.get(str(last.SOPInstanceUID))
    named = Dataset.from_json(response.json()) if way == "stow" else None
    if named is not None:
        outcomes = [*named.get("ReferencedSOPSequence", []), *named.get("FailedSOPSequence", []), *named.get("OtherFailuresSequence", [])]
        assert len(outcomes) == 3, "the client learns of every part"
    else:
        assert len(response.json()["received"]) + len(response.json()["refused"]) == 3
    assert list(api.store.spool_dir.iterdir()) == []


@pytest.mark.parametrize(
    "error", [RecursionError(), zlib.error(), MemoryError(), RuntimeError("x"), BytesLengthException("x"), KeyError("x")]
)
def test_whatever_one_part_raises_the_others_are_stored(api: Served, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    first, bad, last = full_field(), full_field(), full_field()

    def read(dataset: Dataset) -> InstanceHeader:
        if dataset.SOPInstanceUID == bad.SOPInstanceUID:
            raise error
        return read_header(dataset)

    monkeypatch.setattr(accept_module, "read_header", read)
    response = stow(api, first, bad, last)
    assert response.status_code == 202
    answer = Dataset.from_json(response.json())
    assert [each.ReferencedSOPInstanceUID for each in answer.ReferencedSOPSequence] == [first.SOPInstanceUID, last.SOPInstanceUID]
    assert [(each.ReferencedSOPInstanceUID, each.FailureReason) for each in answer.FailedSOPSequence] == [(bad.SOPInstanceUID, 0x0110)]
    assert list(api.store.spool_dir.iterdir()) == []


def test_a_part_of_another_type_fails_alone(api: Served) -> None:
    image = full_field()
    note = b"--b1\r\nContent-Type: text/plain\r\n\r\nnote\r\n"
    body = note + b"--b1\r\nContent-Type: application/dicom\r\n\r\n" + as_bytes(image) + b"\r\n--b1--"
    response = api.client.post("/dicom-web/studies", content=body, headers=RELATED)
    assert response.status_code == 202
    answer = Dataset.from_json(response.json())
    assert [each.ReferencedSOPInstanceUID for each in answer.ReferencedSOPSequence] == [image.SOPInstanceUID]
    assert len(answer.OtherFailuresSequence) == 1
    assert list(api.store.spool_dir.iterdir()) == []


RELATED = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b1'}


@pytest.mark.parametrize(
    ("before", "behind_boundary", "after"),
    [
        (b"", b"\r\n", b"\r\n--b1--\r\n"),
        (b"a MIME message\r\n", b"\r\n", b"\r\n--b1--\r\n"),
        (b"\r\n", b"\r\n", b"\r\n--b1--\r\n"),
        (b"two\r\nlines -- of text\r\n", b" \r\n", b"\r\n--b1--\r\n"),
        (b"", b"  \r\n", b"\r\n--b1--\r\n"),
        (b"", b"\t \t\r\n", b"\r\n--b1--  \r\n"),
        (b"", b"\r\n", b"\r\n--b1--\r\nan epilogue\r\n--b1\r\n"),
        (b"", b"\r\n", b"\r\n--b1--"),
    ],
)
def test_forms_of_multipart_that_the_standard_allows(api: Served, before: bytes, behind_boundary: bytes, after: bytes) -> None:
    image = full_field()
    # What looks like a delimiter, and is none, may be in pixel data.
    image.PixelData = (b"\r\n--b1x\r\n--b" * 20_000)[: 256 * 192 * 2]
    body = before + b"--b1" + behind_boundary + b"Content-Type: application/dicom\r\n\r\n" + as_bytes(image) + after
    response = api.client.post("/dicom-web/studies", content=body, headers=RELATED)
    assert response.status_code == 200, response.text
    row = api.ledger.instances.get(str(image.SOPInstanceUID))
    assert row is not None and image.PixelData in api.store.path(row.path).read_bytes()


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "GZIP", "gzip, gzip", "aes"])
@pytest.mark.parametrize("path", ["/dicom-web/studies", "/api/v1/studies", "/api/v1/studies/search"])
def test_an_encoding_that_is_not_read_is_said_so(api: Served, path: str, encoding: str) -> None:
    answer = api.client.post(path, content=gzip.compress(b"{}"), headers=RELATED | {"Content-Encoding": encoding})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported-content-encoding")
    assert answer.headers["Accept-Encoding"] == "identity"


def test_the_identity_encoding_is_read(api: Served) -> None:
    body = b"--b1\r\n\r\n" + as_bytes(full_field()) + b"\r\n--b1--"
    assert api.client.post("/dicom-web/studies", content=body, headers=RELATED | {"Content-Encoding": "identity"}).status_code == 200


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
