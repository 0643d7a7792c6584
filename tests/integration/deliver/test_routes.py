"""Every way to an archive and back: commitment, C-MOVE, DICOMweb, TLS, the archive's own API. Real peers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import RLELossless

from service.deliver import archive_api, dicomweb
from service.deliver.comparison import Mismatch, NotFound, Unverified, Verified
from service.deliver.dimse import send
from service.deliver.readback import verify
from service.destinations import ArchiveApi, Destination, Tls, WebService
from service.domain.findings import DeliveryState, ObjectKind
from service.errors import DestinationRefused, DestinationUnreachable
from service.report.corrected_instance import build_corrected, build_reverted
from service.report.label_changes import changes_to_correct, changes_to_revert
from tests.support.api_server import as_bytes
from tests.support.certificates import make_certificate
from tests.support.dcmtk import run_dcmqrscp, run_storescp
from tests.support.delivery_fixture import UNDO, DeliveryFixture, mislabelled, produced
from tests.support.dicomweb_peer import Dcm4cheeLike, Request, Response, dicomweb_peer, failed
from tests.support.listener_fixture import ListenerFixture, listener_process
from tests.support.orthanc import DICOMWEB_PLUGIN, Orthanc, running
from tests.support.ports import free_port
from tests.support.sample_findings import full_field

US = "MAMMOTRIAGE"
SENT, VERIFIED, MISMATCH = DeliveryState.SENT, DeliveryState.VERIFIED, DeliveryState.MISMATCH
REFUSED, FAILED, UNSUPPORTED, PENDING = DeliveryState.REJECTED, DeliveryState.FAILED, DeliveryState.UNSUPPORTED, DeliveryState.PENDING


@pytest.fixture
def deliveries(tmp_path: Path) -> DeliveryFixture:
    return DeliveryFixture(f"sqlite:///{tmp_path / 'ledger.sqlite'}", tmp_path / "data")


@pytest.fixture(scope="module")
def receiving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ListenerFixture]:
    """Our listener in its own process, as archives know it."""
    ours = ListenerFixture(tmp_path_factory.mktemp("ours") / "data")
    with listener_process(ours):
        yield ours
    ours.ledger.close()


@pytest.fixture
def orthanc(orthanc: Orthanc, receiving: ListenerFixture) -> Orthanc:
    """An Orthanc with default settings that knows our listener."""
    orthanc.set_peer("mammotriage", US, receiving.settings.dicom_port)
    return orthanc


@pytest.fixture
def our_deliveries(tmp_path: Path, receiving: ListenerFixture) -> DeliveryFixture:
    """A worker that shares its data folder with the listener."""
    return DeliveryFixture(f"sqlite:///{tmp_path / 'ledger.sqlite'}", receiving.settings.data_dir)


# Storage commitment and C-MOVE


def test_orthanc_commits_and_gives_back(our_deliveries: DeliveryFixture, orthanc: Orthanc, tmp_path: Path) -> None:
    report = produced(tmp_path)[ObjectKind.REPORT]
    assert our_deliveries.finish(our_deliveries.plan(report), report, orthanc.destination(commitment=True)) == [VERIFIED]
    state = our_deliveries.ledger.destinations.health("pacs")
    assert state is not None and state.capabilities is None, "a peer that keeps silent would be noted"


def test_a_commitment_is_proof_of_an_object_of_ours_that_cannot_be_read_back(
    our_deliveries: DeliveryFixture, orthanc: Orthanc, tmp_path: Path
) -> None:
    report = produced(tmp_path)[ObjectKind.REPORT]
    destination = orthanc.destination(commitment=True, read_back="none")
    assert our_deliveries.finish(our_deliveries.plan(report), report, destination) == [VERIFIED]


def test_a_commitment_is_no_proof_that_an_image_was_overwritten(our_deliveries: DeliveryFixture, orthanc: Orthanc, tmp_path: Path) -> None:
    source, change = mislabelled(tmp_path)
    orthanc.upload((tmp_path / f"{source.SOPInstanceUID}.dcm").read_bytes())
    corrected = build_corrected(change, source, "overwrite")
    delivery = our_deliveries.plan(corrected, ObjectKind.CORRECTED, str(source.SOPInstanceUID))
    assert our_deliveries.finish(delivery, corrected, orthanc.destination(commitment=True, read_back="none"))[-1] is FAILED
    assert "nothing is read back" in str(our_deliveries.row(delivery).error)


def test_a_peer_without_commitment_and_read_back_proves_nothing(deliveries: DeliveryFixture, orthanc: Orthanc, tmp_path: Path) -> None:
    report = produced(tmp_path)[ObjectKind.REPORT]
    assert deliveries.finish(deliveries.plan(report), report, orthanc.destination(read_back="none")) == [SENT, SENT, FAILED]


@pytest.mark.parametrize("kind", [ObjectKind.REPORT, ObjectKind.CORRECTED])
def test_orthanc_moves_its_copy_to_our_listener(
    kind: ObjectKind, our_deliveries: DeliveryFixture, receiving: ListenerFixture, orthanc: Orthanc, tmp_path: Path
) -> None:
    dataset = produced(tmp_path)[kind]
    assert our_deliveries.finish(our_deliveries.plan(dataset, kind), dataset, orthanc.destination(read_back="c-move")) == [VERIFIED]
    assert receiving.ledger.instances.get(str(dataset.SOPInstanceUID)) is None, "what the worker asked for is no new instance"
    assert list((receiving.settings.data_dir / "retrieve-inbox").iterdir()) == []


def test_an_archive_that_does_not_know_our_listener_leaves_the_delivery_unverified(
    deliveries: DeliveryFixture, orthanc: Orthanc, tmp_path: Path
) -> None:
    report = produced(tmp_path)[ObjectKind.REPORT]
    delivery = deliveries.plan(report)
    orthanc.set_peer("mammotriage", US, free_port())
    assert deliveries.attempt(delivery, report, orthanc.destination(read_back="c-move")) is SENT
    assert "C-MOVE to MAMMOTRIAGE brought no object" in str(deliveries.row(delivery).error)


def test_dcmqrscp_without_c_get_is_read_back_by_c_move(our_deliveries: DeliveryFixture, receiving: ListenerFixture, tmp_path: Path) -> None:
    dataset = produced(tmp_path)[ObjectKind.HEATMAP]
    with run_dcmqrscp(tmp_path / "qr", (US, receiving.settings.dicom_port), "--disable-get") as destination:
        delivery = our_deliveries.plan(dataset, ObjectKind.HEATMAP)
        assert our_deliveries.finish(delivery, dataset, destination) == [VERIFIED], our_deliveries.row(delivery).error
        assert verify(dataset, destination, US) == Unverified("the peer offers no C-GET and no C-MOVE: the object cannot be read back")


def test_an_image_that_the_archive_sends_by_itself_is_received(
    our_deliveries: DeliveryFixture, receiving: ListenerFixture, orthanc: Orthanc
) -> None:
    image = full_field()
    orthanc.send_to("mammotriage", [orthanc.upload(as_bytes(image))])
    assert receiving.ledger.instances.get(str(image.SOPInstanceUID)) is not None


# dcmtk's storescp and TLS


def test_storescp_gets_each_object_once_and_nothing_is_verified(deliveries: DeliveryFixture, tmp_path: Path) -> None:
    with run_storescp(tmp_path / "received") as destination:
        ends = {}
        for kind, dataset in produced(tmp_path).items():
            ends[kind] = deliveries.finish(deliveries.plan(dataset, kind), dataset, destination.model_copy(update={"read_back": "none"}))[
                -1
            ]
        received = [path for path in (tmp_path / "received").iterdir() if path.name != "log.txt"]
    # Without a read-back nothing proves that the objects arrived, so the deliveries fail.
    assert set(ends.values()) == {FAILED}
    assert len(received) == len(ends)


def test_storescp_over_tls_accepts_only_known_peers(tmp_path: Path) -> None:
    theirs, their_key = make_certificate(tmp_path, "theirs")
    ours, our_key = make_certificate(tmp_path, "ours")
    report = produced(tmp_path)[ObjectKind.REPORT]
    with run_storescp(tmp_path / "received", "+tls", their_key, theirs, "+cf", ours) as plain:
        known = plain.model_copy(update={"tls": Tls(ca=theirs, cert=ours, key=our_key)})
        assert send(report, known, US) == 0x0000
        with pytest.raises(DestinationUnreachable, match="TLS handshake fails"):
            send(report, plain.model_copy(update={"tls": Tls(ca=theirs)}), US)
        with pytest.raises(DestinationUnreachable, match=r"certificate.*self-signed"):
            send(report, plain.model_copy(update={"tls": Tls(ca=ours, cert=ours, key=our_key)}), US)
        with pytest.raises(DestinationUnreachable):
            send(report, plain, US)


def test_orthanc_over_tls_ends_verified(deliveries: DeliveryFixture, tmp_path: Path) -> None:
    theirs, their_key = make_certificate(tmp_path, "theirs")
    ours, our_key = make_certificate(tmp_path, "ours")
    options = {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(theirs),
        "DicomTlsPrivateKey": str(their_key),
        "DicomTlsTrustedCertificates": str(ours),
    }
    report = produced(tmp_path)[ObjectKind.REPORT]
    with running(Orthanc(tmp_path / "orthanc", options=options)) as archive:
        destination = archive.destination(tls=Tls(ca=theirs, cert=ours, key=our_key))
        assert deliveries.finish(deliveries.plan(report), report, destination) == [VERIFIED]


def test_a_host_name_that_the_certificate_does_not_bear_is_refused_unless_allowed(tmp_path: Path) -> None:
    theirs, their_key = make_certificate(tmp_path, "theirs", names="DNS:archive.example")
    report = produced(tmp_path)[ObjectKind.REPORT]
    with run_storescp(tmp_path / "received", "+tls", their_key, theirs, "--ignore-peer-cert") as plain:
        with pytest.raises(DestinationUnreachable, match=r"certificate.*mismatch"):
            send(report, plain.model_copy(update={"tls": Tls(ca=theirs)}), US)
        assert send(report, plain.model_copy(update={"tls": Tls(ca=theirs, check_host=False)}), US) == 0x0000


def test_certificates_that_cannot_be_read_are_no_matter_of_trying_again(tmp_path: Path) -> None:
    destination = Destination(name="pacs", ae_title="X", host="127.0.0.1", port=104, tls=Tls(ca=tmp_path / "none.pem"))
    with pytest.raises(DestinationRefused, match=r"the files of tls\.ca, tls\.cert or tls\.key cannot be used"):
        verify(produced(tmp_path)[ObjectKind.REPORT], destination, US)


# DICOMweb


@pytest.fixture
def web_orthanc(shared_orthanc: Orthanc) -> Orthanc:
    if not DICOMWEB_PLUGIN.exists():
        pytest.skip("Orthanc's DICOMweb is not installed (Debian package orthanc-dicomweb)")
    shared_orthanc.empty()
    return shared_orthanc


def over_web(url: str, **fields: object) -> Destination:
    return Destination.model_validate({"name": "pacs", "dicomweb": WebService(url=url), **fields})


@pytest.mark.parametrize("kind", list(ObjectKind))
def test_each_kind_of_object_arrives_over_stow_and_is_verified_over_wado(
    kind: ObjectKind, deliveries: DeliveryFixture, web_orthanc: Orthanc, tmp_path: Path
) -> None:
    dataset = produced(tmp_path)[kind]
    destination = over_web(f"{web_orthanc.url}/dicom-web/")
    assert verify(dataset, destination, US) == NotFound()
    assert deliveries.finish(deliveries.plan(dataset, kind), dataset, destination) == [VERIFIED]
    assert web_orthanc.instance(dataset.SOPInstanceUID) is not None


def test_an_old_copy_behind_dicomweb_ends_in_a_mismatch(deliveries: DeliveryFixture, web_orthanc: Orthanc, tmp_path: Path) -> None:
    source, change = mislabelled(tmp_path)
    web_orthanc.upload((tmp_path / f"{source.SOPInstanceUID}.dcm").read_bytes())
    corrected = build_corrected(change, source, "overwrite")
    delivery = deliveries.plan(corrected, ObjectKind.CORRECTED, str(source.SOPInstanceUID))
    assert deliveries.finish(delivery, corrected, over_web(f"{web_orthanc.url}/dicom-web")) == [SENT, MISMATCH]


@pytest.mark.parametrize(
    ("answer", "ends", "status"),
    [
        (failed(0xA700), [PENDING, PENDING, FAILED], 0xA700),
        (failed(0xC000), [REFUSED], 0xC000),
        (failed(0x0122), [UNSUPPORTED], 0x0122),
        (failed(0xC000, 202), [REFUSED], 0xC000),
        (Response(401), [REFUSED], 401),
        (Response(413), [REFUSED], 413),
        (Response(503), [PENDING, PENDING, FAILED], 503),
        (Response(507), [PENDING, PENDING, FAILED], 507),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else "",
)
def test_each_refusal_over_stow_ends_as_it_should(
    answer: Response, ends: list[DeliveryState], status: int, deliveries: DeliveryFixture, tmp_path: Path
) -> None:
    report = produced(tmp_path)[ObjectKind.REPORT]
    delivery = deliveries.plan(report)
    with dicomweb_peer(lambda request: answer if request.method == "POST" else Response(204)) as peer:
        assert deliveries.finish(delivery, report, over_web(peer.url)) == ends
    assert deliveries.row(delivery).status == status
    assert len(peer.of("POST")) == len(ends)
    assert "Phantom" not in str(deliveries.row(delivery).error)


def test_success_over_stow_without_the_object_ends_in_a_mismatch_after_one_store(deliveries: DeliveryFixture, tmp_path: Path) -> None:
    report = produced(tmp_path)[ObjectKind.REPORT]
    with dicomweb_peer(lambda request: Response(200) if request.method == "POST" else Response(204)) as peer:
        assert deliveries.finish(deliveries.plan(report), report, over_web(peer.url)) == [SENT, SENT, MISMATCH]
    assert len(peer.of("POST")) == 1


def test_a_web_peer_that_takes_plain_pixels_only_gets_them_decompressed(tmp_path: Path) -> None:
    image = full_field()
    plain = image.PixelData
    image.compress(RLELossless, generate_instance_uid=False)
    answers = iter([failed(0xC122), Response(200)])
    with dicomweb_peer(lambda _: next(answers)) as peer:
        assert dicomweb.store(image, WebService(url=peer.url), "pacs") == 0x0000
    first, second = (sent_file(request.body) for request in peer.requests)
    assert first.file_meta.TransferSyntaxUID == RLELossless
    assert (second.PixelData, second.SOPInstanceUID) == (plain, image.SOPInstanceUID)


def sent_file(body: bytes) -> Dataset:
    """The object of a multipart request with one part."""
    start = body.index(b"\r\n\r\n") + 4
    return pydicom.dcmread(BytesIO(body[start : body.rindex(b"\r\n--")]))


def test_credentials_go_with_every_request(tmp_path: Path) -> None:
    report = produced(tmp_path)[ObjectKind.REPORT]
    with dicomweb_peer(lambda _: Response(200)) as peer:
        dicomweb.store(report, WebService(url=peer.url, token="t0ken"), "pacs")
        dicomweb.store(report, WebService(url=peer.url, user="anna", password="secret"), "pacs")
    assert [request.headers["Authorization"] for request in peer.requests] == ["Bearer t0ken", "Basic YW5uYTpzZWNyZXQ="]
    assert peer.requests[0].headers["Content-Type"].startswith('multipart/related; type="application/dicom"; boundary=')


def test_a_web_peer_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(DestinationUnreachable, match=r"no answer over HTTP \(ConnectError\)"):
        verify(produced(tmp_path)[ObjectKind.REPORT], over_web("http://127.0.0.1:9"), US)


# The archive's own API


def with_api(archive: Orthanc) -> Destination:
    return archive.destination(archive=ArchiveApi(kind="orthanc", url=archive.url), corrections={"mode": "archive-api"})


def test_orthanc_that_overwrites_changes_the_labels_itself_and_puts_them_back(
    deliveries: DeliveryFixture, overwriting_orthanc: Orthanc, tmp_path: Path
) -> None:
    source, change = mislabelled(tmp_path)
    place = overwriting_orthanc.upload((tmp_path / f"{source.SOPInstanceUID}.dcm").read_bytes())
    changes = changes_to_correct(change, source)
    delivery = deliveries.plan(changes, ObjectKind.CORRECTED, changes.instance.sop_instance_uid)
    assert deliveries.finish(delivery, changes, with_api(overwriting_orthanc)) == [VERIFIED], deliveries.row(delivery).error
    held = pydicom.dcmread(BytesIO(overwriting_orthanc.file(place)))
    assert (held.ImageLaterality, held.SOPInstanceUID) == ("R", source.SOPInstanceUID)
    assert held.PixelData == source.PixelData
    (record,) = held.OriginalAttributesSequence
    assert record.ModifiedAttributesSequence[0].ImageLaterality == "L"

    undo = changes_to_revert(change, source, UNDO)
    again = deliveries.plan(undo, ObjectKind.REVERTED, undo.instance.sop_instance_uid)
    assert deliveries.finish(again, undo, with_api(overwriting_orthanc)) == [VERIFIED]
    held = pydicom.dcmread(BytesIO(overwriting_orthanc.file(place)))
    assert held.ImageLaterality == "L"
    assert list(held.PatientOrientation) == list(source.PatientOrientation)
    assert [each.ModifiedAttributesSequence[0].ImageLaterality for each in held.OriginalAttributesSequence] == ["L", "R"]


def test_orthanc_that_does_not_overwrite_keeps_its_labels_and_its_image(
    deliveries: DeliveryFixture, orthanc: Orthanc, tmp_path: Path
) -> None:
    source, change = mislabelled(tmp_path)
    place = orthanc.upload((tmp_path / f"{source.SOPInstanceUID}.dcm").read_bytes())
    before = orthanc.file(place)
    changes = changes_to_correct(change, source)
    delivery = deliveries.plan(changes, ObjectKind.CORRECTED, changes.instance.sop_instance_uid)
    assert deliveries.finish(delivery, changes, with_api(orthanc)) == [SENT, MISMATCH]
    assert orthanc.file(place) == before


def test_an_image_that_the_archive_does_not_hold_cannot_be_changed(deliveries: DeliveryFixture, orthanc: Orthanc, tmp_path: Path) -> None:
    source, change = mislabelled(tmp_path)
    changes = changes_to_correct(change, source)
    delivery = deliveries.plan(changes, ObjectKind.CORRECTED, changes.instance.sop_instance_uid)
    assert deliveries.finish(delivery, changes, with_api(orthanc)) == [PENDING, PENDING, FAILED]
    assert "does not hold the image that it is to change" in str(deliveries.row(delivery).error)
    state = deliveries.ledger.destinations.health("pacs")
    assert state is not None and state.failures == 0, "the archive answered"


def dcm4chee(url: str) -> Destination:
    api = ArchiveApi(kind="dcm4chee", url=f"{url}/rs")
    return over_web(f"{url}/rs", archive=api, corrections={"mode": "archive-api"})


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_dcm4chee_is_asked_by_its_rest_update_and_read_back(method: str, deliveries: DeliveryFixture, tmp_path: Path) -> None:
    source, change = mislabelled(tmp_path)
    held: Dataset = pydicom.dcmread(tmp_path / f"{source.SOPInstanceUID}.dcm")
    changes = changes_to_correct(change, source)
    with dicomweb_peer(Dcm4cheeLike(held, method=method)) as peer:
        delivery = deliveries.plan(changes, ObjectKind.CORRECTED, changes.instance.sop_instance_uid)
        assert deliveries.finish(delivery, changes, dcm4chee(peer.url)) == [VERIFIED]
    (request,) = peer.of(method)
    assert request.query["reasonForModification"] == ["CORRECT"]
    assert set(json.loads(request.body)) == {f"{pydicom.tag.Tag(keyword):08X}" for keyword in changes.values}
    assert held.ImageLaterality == "R"


def test_dcm4chee_that_consents_and_changes_nothing_ends_in_a_mismatch_after_one_request(
    deliveries: DeliveryFixture, tmp_path: Path
) -> None:
    source, change = mislabelled(tmp_path)
    changes = changes_to_correct(change, source)
    with dicomweb_peer(Dcm4cheeLike(source, writes=False)) as peer:
        assert deliveries.finish(
            deliveries.plan(changes, ObjectKind.CORRECTED, changes.instance.sop_instance_uid), changes, dcm4chee(peer.url)
        ) == [
            SENT,
            MISMATCH,
        ]
    assert len(peer.of("PUT")) == 1


def test_an_archive_that_would_change_more_than_it_was_asked_to_is_stopped(deliveries: DeliveryFixture, tmp_path: Path) -> None:
    source, change = mislabelled(tmp_path)
    changes = changes_to_correct(change, source)
    meddled = build_corrected(change, source, "overwrite")
    meddled.WindowCenter = 1

    def answer(request: Request) -> Response:
        match request.path.rsplit("/", 1)[-1]:
            case "lookup":
                return Response(body=b'[{"ID": "1", "Type": "Instance"}]')
            case "modify":
                return Response(body=as_bytes(meddled))
            case _:
                return Response(body=as_bytes(source))

    with dicomweb_peer(answer) as peer, pytest.raises(DestinationRefused, match="nothing was stored"):
        archive_api.apply(changes, ArchiveApi(kind="orthanc", url=peer.url), "pacs")
    assert [request.path for request in peer.of("POST")] == ["/tools/lookup", "/instances/1/modify"]


# Overwriting


def test_an_archive_that_overwrites_is_corrected_and_put_back_under_the_same_uid(
    deliveries: DeliveryFixture, overwriting_orthanc: Orthanc, tmp_path: Path
) -> None:
    source, change = mislabelled(tmp_path)
    corrected, undone = build_corrected(change, source, "overwrite"), build_reverted(change, UNDO, source, "overwrite")
    overwriting_orthanc.upload((tmp_path / f"{source.SOPInstanceUID}.dcm").read_bytes())
    for dataset, kind in ((corrected, ObjectKind.CORRECTED), (undone, ObjectKind.REVERTED)):
        delivery = deliveries.plan(dataset, kind, str(source.SOPInstanceUID))
        assert deliveries.finish(delivery, dataset, overwriting_orthanc.destination()) == [VERIFIED]
    assert verify(undone, overwriting_orthanc.destination(), US) == Verified()
    assert isinstance(verify(corrected, overwriting_orthanc.destination(), US), Mismatch)
    assert len(overwriting_orthanc.ids()) == 1
