"""WADO-RS: what is handed out is what was stored, in the transfer syntax that was asked for, and never all of it in memory."""

from __future__ import annotations

import hashlib
import tracemalloc
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEG2000Lossless, RLELossless, generate_uid

from tests.support.api_server import FOUR_VIEWS, Served, as_bytes, serve_api
from tests.support.dicomweb_viewer import ALL_SYNTAXES, FRAMES_AS_STORED, parts_of, path_of, stow, viewer
from tests.support.sample_findings import full_field


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve_api(tmp_path_factory.mktemp("retrieve")) as served:
        yield served


def read(content: bytes) -> pydicom.FileDataset:
    return pydicom.dcmread(BytesIO(content))


def compressed(syntax: str = JPEG2000Lossless) -> Dataset:
    image = full_field()
    image.compress(syntax, generate_instance_uid=False)
    return image


def test_a_client_stores_finds_and_retrieves_a_real_study(api: Served, cbis_cases: dict[str, list[Path]]) -> None:
    study_instance_uid = generate_uid()
    images = {}
    for path in cbis_cases["sfm-malign-0"]:
        image = pydicom.dcmread(path)
        image.StudyInstanceUID = study_instance_uid
        images[str(image.SOPInstanceUID)] = image
    client = viewer(api)
    stored = client.store_instances(list(images.values()))
    assert len(stored.ReferencedSOPSequence) == 4 and "FailedSOPSequence" not in stored

    (study,) = client.search_for_studies(search_filters={"StudyInstanceUID": study_instance_uid})
    assert study["00201208"]["Value"] == [4]
    series = [each["0020000E"]["Value"][0] for each in client.search_for_series(study_instance_uid)]
    assert sorted(series) == sorted(str(image.SeriesInstanceUID) for image in images.values())
    found = [Dataset.from_json(each) for each in client.search_for_instances(study_instance_uid)]
    assert {each.SOPInstanceUID for each in found} == set(images)

    whole = {
        str(each.SOPInstanceUID): each for each in client.retrieve_study(study_instance_uid, media_types=(("application/dicom", "*"),))
    }
    assert set(whole) == set(images)
    described = {each["00080018"]["Value"][0]: each for each in client.retrieve_study_metadata(study_instance_uid)}
    for uid, image in images.items():
        assert whole[uid].PixelData == image.PixelData, "compressed as it was sent"
        metadata = Dataset.from_json(described[uid], lambda *_: None)
        assert (metadata.PatientID, metadata.Rows, metadata.Columns) == (image.PatientID, image.Rows, image.Columns)
    where = (study_instance_uid, str(image.SeriesInstanceUID), uid)
    alone = client.retrieve_instance(*where, media_types=(("application/dicom", ExplicitVRLittleEndian),))
    assert alone.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert np.array_equal(alone.pixel_array, image.pixel_array), "pixel by pixel what was sent"
    (frame,) = client.retrieve_instance_frames(*where, [1], media_types=(("application/octet-stream", ExplicitVRLittleEndian),))
    (value,) = client.retrieve_bulkdata(described[uid]["7FE00010"]["BulkDataURI"])
    assert frame == value == image.pixel_array.tobytes()


def test_an_object_goes_out_byte_by_byte_as_it_lies_here_where_any_transfer_syntax_is_taken(api: Served) -> None:
    image = compressed()
    stow(api, image)
    (part,) = parts_of(api.client.get(path_of(image), headers={"Accept": ALL_SYNTAXES}))
    assert part.content_type == f"application/dicom; transfer-syntax={JPEG2000Lossless}"
    row = api.ledger.instances.get(str(image.SOPInstanceUID))
    assert row is not None and part.body == api.store.path(row.path).read_bytes()
    alone = api.client.get(path_of(image), headers={"Accept": "application/dicom; transfer-syntax=*"})
    assert alone.content == part.body and alone.headers["content-type"] == part.content_type


def test_without_a_transfer_syntax_an_object_is_explicit_little_endian(api: Served) -> None:
    implicit = full_field()
    implicit.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    for image in (compressed(), compressed(RLELossless), implicit):
        original = image.pixel_array
        stow(api, image)
        for accept in (
            "",
            'multipart/related; type="application/dicom"',
            f'multipart/related; type="*/*"; transfer-syntax={ExplicitVRLittleEndian}',
        ):
            (part,) = parts_of(api.client.get(path_of(image), headers={"Accept": accept} if accept else {}))
            given = read(part.body)
            assert given.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
            assert part.content_type.endswith(ExplicitVRLittleEndian)
            assert np.array_equal(given.pixel_array, original)
            assert {each.tag for each in given} == {each.tag for each in image}, "nothing is lost on the way"
    # Implicit VR never travels over DICOMweb, also where any transfer syntax would do.
    (part,) = parts_of(api.client.get(path_of(implicit), headers={"Accept": ALL_SYNTAXES}))
    assert read(part.body).file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert not list(api.store.spool_dir.iterdir()), "nothing stays in the spool"


def test_what_is_not_offered_is_not_acceptable(api: Served) -> None:
    image = compressed()
    stow(api, image)
    objects = 'multipart/related; type="application/dicom"; transfer-syntax='
    for accept in (
        f"{objects}1.2.840.10008.1.2.4.70",
        f"{objects}{ImplicitVRLittleEndian}",
        "image/jpeg",
        "text/html",
        "application/dicom;q=0",
    ):
        answer = api.client.get(path_of(image), headers={"Accept": accept})
        assert (answer.status_code, answer.json()["code"]) == (406, "not-acceptable"), accept
    study = f"/dicom-web/studies/{image.StudyInstanceUID}"
    assert api.client.get(study, headers={"Accept": "application/dicom"}).status_code == 406, "a study is no single file"
    wanted = f'multipart/related; type="application/dicom"; transfer-syntax=1.2.3, {ALL_SYNTAXES};q=0.1'
    (part,) = parts_of(api.client.get(study, headers={"Accept": wanted}))
    assert part.content_type.endswith(JPEG2000Lossless), "the second best that is taken"


def test_frames_come_as_they_are_stored_where_the_client_takes_that(api: Served) -> None:
    image = compressed()
    stow(api, image)
    frame = f"{path_of(image)}/frames/1"
    stored = next(pydicom.encaps.generate_frames(image.PixelData, number_of_frames=1))
    for accept, part_type in (
        (FRAMES_AS_STORED, "application/octet-stream"),
        (f'multipart/related; type="image/jp2"; transfer-syntax={JPEG2000Lossless}', "image/jp2"),
        ('multipart/related; type="image/jp2"', "image/jp2"),
    ):
        answer = api.client.get(frame, headers={"Accept": accept})
        (part,) = parts_of(answer)
        assert part.body == stored and part.content_type == f"{part_type}; transfer-syntax={JPEG2000Lossless}"
        assert f'type="{part_type}"' in answer.headers["content-type"]
    assert api.client.get(frame, headers={"Accept": "image/jp2"}).content == stored
    (part,) = parts_of(api.client.get(frame))
    assert (
        part.body == image.pixel_array.tobytes()
        and part.content_type == f"application/octet-stream; transfer-syntax={ExplicitVRLittleEndian}"
    )
    assert api.client.get(frame, headers={"Accept": 'multipart/related; type="image/jpeg"'}).status_code == 406


def many_frames() -> Dataset:
    image = full_field()
    image.NumberOfFrames = 3
    image.PixelData = np.random.default_rng(5).integers(0, 4096, (3, 256, 192), np.uint16).tobytes()
    return image


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless])
def test_frames_come_in_the_order_in_which_they_are_asked_for(api: Served, syntax: str) -> None:
    image = many_frames()
    pixels = image.pixel_array
    if syntax == RLELossless:
        image.compress(RLELossless, generate_instance_uid=False)
    stow(api, image)
    parts = parts_of(api.client.get(f"{path_of(image)}/frames/3,1"))
    assert [part.body for part in parts] == [pixels[2].tobytes(), pixels[0].tobytes()]
    stored = parts_of(api.client.get(f"{path_of(image)}/frames/2,3", headers={"Accept": FRAMES_AS_STORED}))
    assert {part.content_type.rpartition("=")[2] for part in stored} == {syntax} and len(stored) == 2


def test_long_values_are_links_and_short_ones_stand_there(api: Served) -> None:
    image = full_field()
    image.add_new(0x00282000, "OB", bytes(range(200)) * 20)  # an ICC profile of 4,000 bytes
    image.add_new(0x00091003, "OB", b"y" * 200_000)
    image.add_new(0x00091004, "UT", "long words " * 20_000)
    item = Dataset()
    item.add_new(0x00420011, "OB", b"x" * 100_000)
    item.add_new(0x00020102, "OB", b"no")
    image.add_new(0x00091001, "SQ", [item])
    image.add_new(0x00091002, "OB", b"\x01\x02")
    stow(api, image)
    (described,) = api.client.get(f"{path_of(image)}/metadata").json()
    assert described["00091002"] == {"vr": "OB", "InlineBinary": "AQI="}
    assert described["00091004"]["Value"] == [("long words " * 20_000).rstrip()]
    nested = described["00091001"]["Value"][0]["00420011"]["BulkDataURI"]
    for link, expected in (
        (described["00282000"]["BulkDataURI"], image[0x00282000].value),
        (nested, b"x" * 100_000),
        (described["00091003"]["BulkDataURI"], b"y" * 200_000),
        (described["7FE00010"]["BulkDataURI"], image.PixelData),
    ):
        (part,) = parts_of(api.client.get(link))
        assert part.body == expected
        assert api.client.get(link, headers={"Accept": "application/octet-stream"}).content == expected
    assert "00020102" not in described["00091001"]["Value"][0]


def test_metadata_of_a_study_a_series_and_an_instance_are_lists(api: Served) -> None:
    study_instance_uid = generate_uid()
    images = [full_field(side, view, study_instance_uid=study_instance_uid) for side, view in FOUR_VIEWS]
    stow(api, *images)
    base = f"/dicom-web/studies/{study_instance_uid}"
    for path, count in ((base, 4), (f"{base}/series/{images[0].SeriesInstanceUID}", 1), (path_of(images[0]), 1)):
        answer = api.client.get(f"{path}/metadata", headers={"Accept": "application/dicom+json"})
        assert answer.headers["content-type"] == "application/dicom+json" and len(answer.json()) == count
    metadata = Dataset.from_json(answer.json()[0], lambda *_: None)
    for element in images[0]:
        if element.keyword not in ("PixelData", "SpecificCharacterSet"):
            assert (metadata[element.tag].value or "") == (element.value or ""), element.keyword
    assert answer.json()[0]["00080005"]["Value"] == ["ISO_IR 192"] and metadata.PatientName == "Phantom^Äußerst"


UNKNOWN = [
    ("", 404, "unknown-study"),
    ("/metadata", 404, "unknown-study"),
    ("/series/1.2", 404, "unknown-series"),
    ("/series/1.2/metadata", 404, "unknown-series"),
    ("/series/1.2/instances/1.3", 404, "unknown-instance"),
    ("/series/1.2/instances/1.3/metadata", 404, "unknown-instance"),
    ("/series/1.2/instances/1.3/frames/1", 404, "unknown-instance"),
    ("/series/1.2/instances/1.3/bulkdata/7FE00010", 404, "unknown-instance"),
    ("/series/1.2/instances/x", 422, "invalid-request"),
]


@pytest.mark.parametrize(("tail", "status", "code"), UNKNOWN)
def test_what_is_not_here_is_a_problem(api: Served, tail: str, status: int, code: str) -> None:
    answer = api.client.get(f"/dicom-web/studies/1.2.3{tail}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_parts_that_an_object_does_not_have_are_problems(api: Served) -> None:
    image = full_field()
    short = full_field()
    short.Rows = 512
    stow(api, image, short)
    for path, status, code in (
        (f"{path_of(image)}/frames/2", 404, "unknown-frame"),
        (f"{path_of(image)}/frames/0", 404, "unknown-frame"),
        (f"{path_of(image)}/frames/1,-1", 422, "invalid-request"),
        (f"{path_of(image)}/frames/" + ",".join(["1"] * 1001), 422, "invalid-request"),
        (f"{path_of(short)}/frames/1", 404, "unknown-frame"),
        (f"{path_of(image)}/bulkdata/00100010", 404, "unknown-value"),
        (f"{path_of(image)}/bulkdata/00091001/0/00420011", 404, "unknown-value"),
        (f"{path_of(image)}/bulkdata/../../../etc", 404, "not-found"),
        (f"{path_of(image)}/bulkdata/%2e%2e%2fetc", 422, "invalid-request"),
        (f"/dicom-web/studies/{short.StudyInstanceUID}/series/{image.SeriesInstanceUID}", 404, "unknown-series"),
    ):
        answer = api.client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (status, code), path
    assert api.client.get(path_of(image), headers={"Accept": "," * 5000}).json()["code"] == "accept-too-long"


def damaged() -> Dataset:
    image = compressed()
    image.PixelData = pydicom.encaps.encapsulate([b"\xff\x4f\xff\x51 no codestream" * 3])
    image["PixelData"].is_undefined_length = True
    return image


def test_pixels_that_cannot_be_decompressed_are_handed_out_as_they_are_or_not_at_all(api: Served) -> None:
    image, whole = damaged(), full_field()
    whole.StudyInstanceUID = image.StudyInstanceUID
    stow(api, image, whole)
    for path in (path_of(image), f"{path_of(image)}/frames/1", f"{path_of(image)}/bulkdata/7FE00010"):
        answer = api.client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (406, "not-transcodable"), path
    assert len(parts_of(api.client.get(path_of(image), headers={"Accept": ALL_SYNTAXES}))) == 1
    parts = parts_of(api.client.get(f"/dicom-web/studies/{image.StudyInstanceUID}"))
    assert sorted(part.content_type.rpartition("=")[2] for part in parts) == [ExplicitVRLittleEndian, JPEG2000Lossless]


def test_a_study_with_a_lost_file_is_partial_content(api: Served) -> None:
    here, lost = full_field(), full_field()
    lost.StudyInstanceUID = here.StudyInstanceUID
    stow(api, here, lost)
    row = api.ledger.instances.get(str(lost.SOPInstanceUID))
    assert row is not None
    api.store.path(row.path).unlink()
    study = f"/dicom-web/studies/{here.StudyInstanceUID}"
    answer = api.client.get(study)
    assert answer.status_code == 206 and [read(part.body).SOPInstanceUID for part in parts_of(answer)] == [here.SOPInstanceUID]
    assert api.client.get(path_of(lost)).json()["code"] == "not-readable"
    described = {each["00080018"]["Value"][0] for each in api.client.get(f"{study}/metadata").json()}
    assert described == {here.SOPInstanceUID, lost.SOPInstanceUID}


def test_a_large_study_is_not_held_in_memory(api: Served) -> None:
    study_instance_uid, size = generate_uid(), 24_000_000
    digests = set()
    for _ in range(3):
        image = full_field(study_instance_uid=study_instance_uid)
        image.Rows, image.Columns = 4000, 3000
        image.PixelData = np.random.default_rng().integers(0, 256, size, np.uint8).tobytes()
        content = as_bytes(image)
        stow(api, content)
        digests.add(hashlib.sha256(image.PixelData).hexdigest())
    tracemalloc.start()
    with api.client.stream("GET", f"/dicom-web/studies/{study_instance_uid}") as answer:
        length = sum(len(block) for block in answer.iter_raw(1 << 16))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert length > 3 * size and peak < size, "server and client together, in this very process"
    assert {
        hashlib.sha256(read(part.body).PixelData).hexdigest()
        for part in parts_of(api.client.get(f"/dicom-web/studies/{study_instance_uid}"))
    } == digests
