"""A viewer opens a study from us: the images that were received and the objects that we made of them, by the requests that OHIF sends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import DigitalMammographyXRayImageStorageForPresentation, ExplicitVRLittleEndian

from service.demo.small_pacs import SmallPacs
from service.destinations import Destination
from service.domain.findings import DeliveryState, ObjectKind
from service.domain.policy import CorrectionPolicy
from service.jobs.corrections import approve_correction
from tests.support.api_server import Served, serve_api
from tests.support.dicomweb_viewer import FRAMES_AS_STORED, parts_of, path_of, stow, viewer
from tests.support.received_study import ReceivedStudies

JSON = {"Accept": "application/dicom+json"}


@pytest.fixture(scope="module")
def delivered_study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, ReceivedStudies, str, SmallPacs]]:
    """A study of which everything was made and delivered: reports, heatmaps, and a corrected image beside the received one."""
    folder = tmp_path_factory.mktemp("viewer")
    archive = SmallPacs(folder / "pacs")
    archive.start()
    objects = (ObjectKind.CAD, ObjectKind.REPORT, ObjectKind.HEATMAP)
    policy = CorrectionPolicy(mode="new-series", rejection_note=True)
    pacs = Destination(
        name="pacs", ae_title=archive.ae_title, host=archive.host, port=archive.port, objects=objects, corrections=policy, commitment=False
    )
    received = ReceivedStudies(folder / "data", destinations=(pacs,))
    study_instance_uid = received.conclude(wrong=True)
    (correction,) = received.ledger.corrections.find()
    approve_correction(received.context, correction.id, "A. Reader", "seen on the screen")
    rows = received.deliver_all()
    assert {row.state for row in rows} <= {DeliveryState.VERIFIED, DeliveryState.UNSUPPORTED}
    with serve_api(folder / "data") as api:
        yield api, received, study_instance_uid, archive
    received.close()
    archive.stop()


def grey_picture(content: bytes) -> NDArray[Any]:
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    return picture


def test_what_we_made_is_found_and_retrieved_beside_what_came(delivered_study: tuple[Served, ReceivedStudies, str, SmallPacs]) -> None:
    api, received, study_instance_uid, archive = delivered_study
    sent = {path.stem: pydicom.dcmread(path) for path in archive.paths()}
    client = viewer(api)
    (study,) = client.search_for_studies(search_filters={"ModalitiesInStudy": "SR"})
    assert study["0020000D"]["Value"] == [study_instance_uid] and set(study["00080061"]["Value"]) == {"MG", "SR", "OT", "KO"}
    assert study["00201208"]["Value"] == [4 + len(sent)]
    assert study["00100010"]["Value"][0]["Alphabetic"] == "Phantom^Äußerst", "the received image speaks for the study"

    given = {str(each.SOPInstanceUID): each for each in client.retrieve_study(study_instance_uid)}
    originals = {row.sop_instance_uid for row in received.ledger.instances.of_study(study_instance_uid)}
    assert set(given) == originals | set(sent)
    for uid, object_ in sent.items():
        assert given[uid].file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
        assert given[uid] == object_, "what we hand out is what the archive was sent"
    classes = Counter(str(each.SOPClassUID) for each in given.values())
    assert classes[DigitalMammographyXRayImageStorageForPresentation] == 5, "the corrected image is listed with the received one"
    reports = client.search_for_instances(study_instance_uid, search_filters={"Modality": "SR"})
    assert len(reports) == 2 and all(each["00400275"]["vr"] == "SQ" for each in reports)


def test_a_result_that_comes_back_is_taken_and_told_where_it_is(delivered_study: tuple[Served, ReceivedStudies, str, SmallPacs]) -> None:
    api, _, _, archive = delivered_study
    report = next(each for each in map(pydicom.dcmread, archive.paths()) if each.Modality == "SR")
    (item,) = Dataset.from_json(stow(api, report).json()).ReferencedSOPSequence
    assert item.ReferencedSOPClassUID == report.SOPClassUID and str(item.RetrieveURL).endswith(str(report.SOPInstanceUID))
    assert parts_of(api.client.get(item.RetrieveURL))


def test_what_ohif_asks_for_when_it_opens_a_study_is_answered(delivered_study: tuple[Served, ReceivedStudies, str, SmallPacs]) -> None:
    api, _, study_instance_uid, _ = delivered_study

    def ask(path: str, **query: str) -> Any:
        answer = api.client.get(f"/dicom-web{path}", params=query, headers=JSON)
        assert answer.status_code == 200 and answer.headers["content-type"] == "application/dicom+json", answer.text
        return answer.json()

    # The study list, as its page asks for it after a user typed a name and chose dates.
    fields = "00081030,00080060,00080090,00100030"
    (listed,) = ask("/studies", PatientName="*phantom*", StudyDate="20260301-20260331", ModalitiesInStudy="MG", StudyDescription="",
                    limit="101", offset="0", fuzzymatching="false", includefield=fields)  # fmt: skip
    assert {"0020000D", "00080020", "00080030", "00080050", "00100020", "00100010", "00201208", "00080061"} <= set(listed)
    assert ask("/studies", StudyInstanceUID=study_instance_uid, limit="101", offset="0", fuzzymatching="false", includefield=fields) == [
        listed
    ]
    # A row unfolded, then the study opened: its series, then the metadata of each.
    series = ask(f"/studies/{study_instance_uid}/series", includefield="0008103E,00080021")
    assert all({"0020000E", "00080060", "00200011", "00201209"} <= set(each) for each in series)
    shown = 0
    for each in series:
        series_instance_uid = each["0020000E"]["Value"][0]
        metadata = ask(f"/studies/{study_instance_uid}/series/{series_instance_uid}/metadata")
        assert len(metadata) == each["00201209"]["Value"][0]
        for described in metadata:
            instance = f"/studies/{study_instance_uid}/series/{series_instance_uid}/instances/{described['00080018']['Value'][0]}"
            if "7FE00010" not in described:
                assert "0040A730" in described or "00700001" in described, "what has no pixels has content, whole"
                continue
            # Pixels, as Cornerstone fetches them: multipart with the frame's transfer syntax in its part.
            (part,) = parts_of(api.client.get(f"/dicom-web{instance}/frames/1", headers={"Accept": FRAMES_AS_STORED}))
            assert part.content_type == f"application/octet-stream; transfer-syntax={ExplicitVRLittleEndian}"
            rows, columns = described["00280010"]["Value"][0], described["00280011"]["Value"][0]
            samples, bits = described["00280002"]["Value"][0], described["00280100"]["Value"][0]
            assert len(part.body) == rows * columns * samples * bits // 8
            shown += 1
    assert shown == 4 + 1 + 4, "received images, a corrected one, heatmaps"


def test_a_person_who_is_signed_in_reads_without_a_key_and_a_viewer_stores_nothing(
    delivered_study: tuple[Served, ReceivedStudies, str, SmallPacs],
) -> None:
    api, _, study_instance_uid, _ = delivered_study
    with api.person("viewer") as person, api.client_with() as nobody:
        for path in ("/dicom-web/studies", f"/dicom-web/studies/{study_instance_uid}", f"/dicom-web/studies/{study_instance_uid}/metadata"):
            assert person.get(path).status_code == 200
            assert nobody.get(path).status_code == 401
        refused = person.post("/dicom-web/studies", content=b"", headers={"Content-Type": "multipart/related; boundary=x"})
        assert refused.status_code == 403


def test_a_picture_is_rendered_for_those_who_only_want_to_look(delivered_study: tuple[Served, ReceivedStudies, str, SmallPacs]) -> None:
    api, received, study_instance_uid, _ = delivered_study
    for stored in received.ledger.instances.of_study(study_instance_uid):
        path = f"/dicom-web/studies/{study_instance_uid}/series/{stored.header.series_instance_uid}/instances/{stored.sop_instance_uid}"
        for tail in ("/rendered", "/frames/1/rendered", "/thumbnail"):
            answer = api.client.get(path + tail, headers={"Accept": "image/jpeg"})
            assert answer.status_code == 200 and answer.headers["content-type"] == "image/jpeg"
            assert grey_picture(answer.content).shape == (256, 192)
    small = api.client.get(f"{path}/rendered?viewport=48,48", headers={"Accept": "image/png"})
    assert grey_picture(small.content).shape == (48, 36)
    assert small.headers["content-type"] == "image/png"
    # Under a window all values of 3072 and more are white, those of 1024 and less black.
    values = pydicom.dcmread(received.context.store.path(stored.path)).pixel_array
    wide = api.client.get(f"{path}/rendered?window=2048,2048,linear-exact", headers={"Accept": "image/png"})
    picture = grey_picture(wide.content)
    assert np.all(picture[values >= 3072] == 255) and np.all(picture[values <= 1024] == 0) and 0 < picture[values == 2048].mean() < 255
    for tail, status in (("?viewport=0,0", 400), ("?viewport=a", 400), ("?window=1,2,odd", 400), ("?quality=0", 400)):
        assert api.client.get(f"{path}/rendered{tail}").status_code == status, tail
    assert api.client.get(f"{path}/rendered", headers={"Accept": "text/html"}).status_code == 406


def test_every_picture_of_a_study_and_of_a_series_is_rendered(
    delivered_study: tuple[Served, ReceivedStudies, str, SmallPacs],
) -> None:
    api, _, study_instance_uid, _ = delivered_study
    study = f"/dicom-web/studies/{study_instance_uid}"
    objects = api.client.get(f"{study}/instances").json()
    pictured = [each for each in objects if "Value" in each["00280010"]]
    assert 0 < len(pictured) < len(objects), "the study also has reports"
    for accept, part_type in (
        ("*/*", "image/jpeg"),
        ("multipart/related", "image/jpeg"),
        ('multipart/related; type="image/png"', "image/png"),
        ("multipart/related; type=image/jpeg", "image/jpeg"),
        ('image/gif, multipart/related; type="image/png"; q=0.5', "image/png"),
    ):
        parts = parts_of(api.client.get(f"{study}/rendered?viewport=32,32", headers={"Accept": accept}))
        assert [part.content_type for part in parts] == [part_type] * len(pictured)
        for part in parts:
            picture = cv2.imdecode(np.frombuffer(part.body, np.uint8), cv2.IMREAD_UNCHANGED)
            assert picture is not None and max(picture.shape[:2]) == 32
    refused = api.client.get(f"{study}/rendered", headers={"Accept": "image/png"})
    assert refused.status_code == 406 and "multipart/related" in refused.json()["detail"], "several pictures are no single picture"
    first = pictured[0]
    series = f"{study}/series/{first['0020000E']['Value'][0]}"
    only = api.client.get(f"{series}/rendered", headers={"Accept": "image/png"})
    assert (only.status_code, only.headers["content-type"]) == (200, "image/png")
    assert only.content == api.client.get(first["00081190"]["Value"][0] + "/rendered", headers={"Accept": "image/png"}).content
    assert (
        viewer(api).retrieve_series_rendered(study_instance_uid, first["0020000E"]["Value"][0], media_types=("image/png",)) == only.content
    )
    frame = api.client.get(first["00081190"]["Value"][0] + "/frames/1/thumbnail")
    assert (frame.status_code, frame.headers["content-type"]) == (200, "image/jpeg")
    assert api.client.get(f"{study}/thumbnail").status_code == 200
    report = next(each for each in objects if "Value" not in each["00280010"])
    assert api.client.get(f"{study}/series/{report['0020000E']['Value'][0]}/rendered").json()["code"] == "no-pixel-data"
    for tail, status in (("/rendered?viewport=0,1", 400), ("/thumbnail?viewport=x", 400), ("/rendered?quality=0", 400)):
        assert api.client.get(study + tail).status_code == status, tail
    assert api.client.get("/dicom-web/studies/1.2.3/rendered").status_code == 404


def test_a_heatmap_is_rendered_in_its_colours_and_a_report_is_no_picture(
    delivered_study: tuple[Served, ReceivedStudies, str, SmallPacs],
) -> None:
    api, _, study_instance_uid, archive = delivered_study
    made = [pydicom.dcmread(path) for path in archive.paths()]
    heatmap, report = (next(each for each in made if each.Modality == modality) for modality in ("OT", "SR"))
    answer = api.client.get(f"{path_of(heatmap)}/rendered", headers={"Accept": "image/png"})
    picture = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None and np.array_equal(picture[..., ::-1], heatmap.pixel_array)
    assert api.client.get(f"{path_of(report)}/rendered").json()["code"] == "no-pixel-data"
    series = f"/dicom-web/studies/{study_instance_uid}/series/{heatmap.SeriesInstanceUID}/thumbnail"
    assert api.client.get(series, params={"viewport": "64,64"}).headers["content-type"] == "image/jpeg"


def test_an_object_that_is_corrected_under_its_own_uid_is_handed_out_as_it_came(tmp_path: Path) -> None:
    archive = SmallPacs(tmp_path / "pacs")
    archive.start()
    policy = CorrectionPolicy(mode="overwrite")
    pacs = Destination(
        name="pacs", ae_title=archive.ae_title, host=archive.host, port=archive.port, objects=(), corrections=policy, commitment=False
    )
    received = ReceivedStudies(tmp_path / "data", destinations=(pacs,))
    study_instance_uid = received.conclude([("R", "CC")], wrong=True)
    approve_correction(received.context, received.ledger.corrections.find()[0].id, "A. Reader", "seen on the screen")
    assert [row.state for row in received.deliver_all()] == [DeliveryState.VERIFIED]
    with serve_api(tmp_path / "data") as api:
        (part,) = parts_of(api.client.get(f"/dicom-web/studies/{study_instance_uid}"))
    given, (path,) = pydicom.dcmread(BytesIO(part.body)), archive.paths()
    assert given.ImageLaterality == "L" and pydicom.dcmread(path).ImageLaterality == "R"
    assert given.SOPInstanceUID == pydicom.dcmread(path).SOPInstanceUID
    received.close()
    archive.stop()
