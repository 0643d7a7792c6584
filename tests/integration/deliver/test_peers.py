"""Peers that refuse, that lack a service, or that take only plain pixels; and the small PACS of the demo."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless
from pynetdicom import AE, evt
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # made when the module is loaded

from service.deliver.attempt import backoff_s
from service.deliver.comparison import NotFound, Unverified, Verified, differing_keywords
from service.deliver.dimse import associate, send
from service.deliver.readback import verify
from service.demo.small_pacs import SmallPacs
from service.destinations import Destination
from service.domain.findings import DeliveryState, ObjectKind
from service.errors import DestinationRefused, DestinationUnreachable
from tests.support.delivery_fixture import DeliveryFixture, produced
from tests.support.orthanc import Orthanc
from tests.support.sample_findings import as_received, full_field

US = "MAMMOTRIAGE"
IMAGE = full_field()


def to_port(port: int, **fields: Any) -> Destination:
    return Destination(**{"name": "pacs", "ae_title": "PEER", "host": "127.0.0.1", "port": port, **fields})


@contextmanager
def peer(
    status: int | None = 0x0000, syntaxes: tuple[str, ...] = (ExplicitVRLittleEndian, ImplicitVRLittleEndian), **options: Any
) -> Iterator[Any]:
    """A bare Storage SCP that answers each C-STORE with `status`; lends its destination and what it was sent."""
    received: list[Dataset] = []

    def store(event: evt.Event) -> int:
        dataset = event.dataset
        dataset.file_meta = event.file_meta
        received.append(dataset)
        assert status is not None
        return status

    ae = AE(ae_title="PEER")
    for name, value in options.items():
        setattr(ae, name, value)
    ae.add_supported_context(Verification)
    if status is not None:
        ae.add_supported_context(IMAGE.SOPClassUID, list(syntaxes))
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
    assert server is not None
    try:
        yield to_port(server.server_address[1]), received
    finally:
        server.shutdown()


@pytest.fixture
def small_pacs(tmp_path: Path) -> Iterator[SmallPacs]:
    archive = SmallPacs(tmp_path / "pacs", "PEER")
    archive.start()
    yield archive
    archive.stop()


@pytest.fixture
def deliveries(tmp_path: Path) -> DeliveryFixture:
    return DeliveryFixture(f"sqlite:///{tmp_path / 'ledger.sqlite'}", tmp_path / "data")


@pytest.mark.parametrize("status", [0x0000, 0xB000, 0xB006, 0xB007, 0x0111], ids=hex)
def test_success_and_warnings_count_as_sent(status: int) -> None:
    with peer(status) as (destination, received):
        send(IMAGE, destination, US)
        assert [dataset.SOPInstanceUID for dataset in received] == [IMAGE.SOPInstanceUID]


@pytest.mark.parametrize(
    ("status", "permanent"),
    [(0xA700, False), (0xA7FF, False), (0x0110, False), (0xA900, True), (0xC000, True), (0x0122, True), (0x0124, True)],
    ids=lambda value: hex(value) if not isinstance(value, bool) else "",
)
def test_a_refusal_is_permanent_or_passing(status: int, permanent: bool) -> None:
    with peer(status) as (destination, _), pytest.raises(DestinationRefused) as caught:
        send(IMAGE, destination, US)
    assert (caught.value.status, caught.value.permanent, caught.value.transient) == (status, permanent, not permanent)


def test_a_peer_that_refuses_for_good_ends_the_delivery_refused(deliveries: DeliveryFixture) -> None:
    delivery = deliveries.plan(IMAGE, ObjectKind.CORRECTED)
    with peer(0xC000) as (destination, _):
        assert deliveries.attempt(delivery, IMAGE, destination) is DeliveryState.REJECTED
    assert (deliveries.row(delivery).error, deliveries.row(delivery).status) == ("pacs: C-STORE refused with status 0xC000", 0xC000)


def test_a_peer_short_of_space_gets_another_try(deliveries: DeliveryFixture) -> None:
    delivery = deliveries.plan(IMAGE, ObjectKind.CORRECTED)
    with peer(0xA700) as (destination, _):
        assert deliveries.attempt(delivery, IMAGE, destination) is DeliveryState.PENDING
    assert deliveries.row(delivery).error == "pacs: C-STORE refused with status 0xA700"


def test_a_peer_without_the_sop_class_is_named_with_it() -> None:
    with peer(None) as (destination, _), pytest.raises(DestinationRefused, match="does not take Digital Mammography X-Ray Image Storage"):
        send(IMAGE, destination, US)


def test_a_rejected_association_is_a_refusal() -> None:
    with peer(require_calling_aet=["SOMEONE"]) as (destination, _), pytest.raises(DestinationRefused, match="AE titles"):
        send(IMAGE, destination, US)


def test_a_peer_that_is_too_busy_for_us_gets_another_try(deliveries: DeliveryFixture) -> None:
    delivery = deliveries.plan(IMAGE, ObjectKind.CORRECTED)
    with peer(maximum_associations=1) as (destination, _), associate(destination, US, [(Verification, [ImplicitVRLittleEndian])]):
        assert deliveries.attempt(delivery, IMAGE, destination) is DeliveryState.PENDING
    assert deliveries.row(delivery).error == "pacs: association rejected for a reason that may pass"


def test_a_peer_that_takes_no_such_syntax_and_cannot_be_asked_is_named_with_it(deliveries: DeliveryFixture) -> None:
    delivery = deliveries.plan(IMAGE, ObjectKind.CORRECTED)
    with peer(syntaxes=(RLELossless,)) as (destination, received):
        assert deliveries.attempt(delivery, IMAGE, destination) is DeliveryState.REJECTED
    assert str(deliveries.row(delivery).error).startswith(
        "pacs: does not take Digital Mammography X-Ray Image Storage - For Presentation in"
    )
    assert received == []


def test_orthanc_that_is_called_by_a_wrong_name_ends_the_delivery_refused(
    deliveries: DeliveryFixture, orthanc: Orthanc, tmp_path: Path
) -> None:
    dataset = produced(tmp_path)[ObjectKind.REPORT]
    delivery = deliveries.plan(dataset)
    assert deliveries.attempt(delivery, dataset, orthanc.destination(ae_title="OTHER")) is DeliveryState.REJECTED
    assert "AE title" in str(deliveries.row(delivery).error)


def test_a_host_that_does_not_exist_is_unreachable() -> None:
    with pytest.raises(DestinationUnreachable):
        send(IMAGE, to_port(104, host="no-such-host.invalid"), US)


def test_a_peer_that_takes_plain_pixels_only_gets_them_decompressed() -> None:
    image = full_field()
    plain = image.PixelData
    image.compress(RLELossless, generate_instance_uid=False)
    compressed = bytes(image.PixelData)
    with peer() as (destination, received):
        send(image, destination, US)
    assert received[0].PixelData == plain
    assert received[0].SOPInstanceUID == image.SOPInstanceUID
    assert image.PixelData == compressed, "what we hold is not changed"


def test_a_deflated_object_is_inflated_for_a_peer_that_asks_for_it(tmp_path: Path) -> None:
    image = full_field()
    image.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    with peer() as (destination, received):
        send(as_received(image, tmp_path), destination, US)
    assert received[0].PixelData == image.PixelData


def test_the_small_pacs_answers_an_echo(small_pacs: SmallPacs) -> None:
    with associate(to_port(small_pacs.port), US, [(Verification, [ImplicitVRLittleEndian])]) as association:
        assert association.send_c_echo().Status == 0x0000


def test_a_peer_that_takes_the_compression_gets_the_very_bytes(tmp_path: Path) -> None:
    image = full_field()
    image.compress(RLELossless, generate_instance_uid=False)
    as_received(image, tmp_path)
    with peer(syntaxes=(ExplicitVRLittleEndian, RLELossless)) as (destination, received):
        send(tmp_path / f"{image.SOPInstanceUID}.dcm", destination, US)
    assert received[0].PixelData == image.PixelData


def test_a_peer_without_read_back_leaves_the_delivery_unverified_and_gets_one_copy(deliveries: DeliveryFixture) -> None:
    delivery = deliveries.plan(IMAGE, ObjectKind.CORRECTED)
    with peer() as (destination, received):
        states = deliveries.finish(delivery, IMAGE, destination)
    assert states == [DeliveryState.SENT, DeliveryState.SENT, DeliveryState.FAILED]
    assert len(received) == 1
    assert "no C-GET and no C-MOVE" in str(deliveries.row(delivery).error)


@pytest.mark.parametrize("kind", list(ObjectKind))
def test_the_small_pacs_keeps_and_gives_back(kind: ObjectKind, small_pacs: SmallPacs, deliveries: DeliveryFixture, tmp_path: Path) -> None:
    dataset = produced(tmp_path)[kind]
    destination = to_port(small_pacs.port)
    assert verify(dataset, destination, US) == NotFound()
    assert deliveries.attempt(deliveries.plan(dataset, kind), dataset, destination) is DeliveryState.VERIFIED
    assert [path.stem for path in small_pacs.paths()] == [dataset.SOPInstanceUID]
    assert differing_keywords(dataset, pydicom.dcmread(small_pacs.paths()[0])) == []


def test_the_small_pacs_serves_film_as_it_is_stored(small_pacs: SmallPacs, cbis_cases: dict[str, list[Path]], tmp_path: Path) -> None:
    corrected = produced(tmp_path, pydicom.dcmread(cbis_cases["sfm-malign-0"][3]))[ObjectKind.CORRECTED]
    send(corrected, to_port(small_pacs.port), US)
    assert verify(corrected, to_port(small_pacs.port), US) == Verified()
    assert pydicom.dcmread(small_pacs.paths()[0]).PixelData == corrected.PixelData


def test_the_small_pacs_survives_a_restart(tmp_path: Path) -> None:
    for proof in (NotFound(), Verified()):
        archive = SmallPacs(tmp_path / "pacs")
        archive.start()
        assert verify(IMAGE, to_port(archive.port), US) == proof
        send(IMAGE, to_port(archive.port), US)
        archive.stop()


def test_every_attribute_that_matters_is_compared(tmp_path: Path) -> None:
    objects = produced(tmp_path)
    corrected = objects[ObjectKind.CORRECTED]
    held = as_received(corrected, tmp_path)
    assert differing_keywords(corrected, held) == []
    held.PatientName = "Coerced^By^Archive"
    assert differing_keywords(corrected, held) == []
    held.PixelData = bytes(len(held.PixelData))
    del held.ViewCodeSequence
    assert differing_keywords(corrected, held) == ["ViewCodeSequence", "PixelData"]
    report = objects[ObjectKind.REPORT]
    other = as_received(report, tmp_path)
    other.ContentSequence[-1].ContentSequence[0].ContentSequence[0].TextValue = "Other"
    assert differing_keywords(report, other) == ["ContentSequence"]


def test_a_history_may_grow_in_an_archive_and_must_not_shrink(tmp_path: Path) -> None:
    corrected = produced(tmp_path)[ObjectKind.CORRECTED]
    held = as_received(corrected, tmp_path)
    coerced = Dataset()
    coerced.ModifyingSystem, coerced.ReasonForTheAttributeModification = "ARCHIVE", "COERCE"
    held.OriginalAttributesSequence.insert(0, coerced)
    assert differing_keywords(corrected, held) == []
    held.OriginalAttributesSequence = [coerced]
    assert differing_keywords(corrected, held) == ["OriginalAttributesSequence"]


def test_a_malformed_value_is_compared_byte_by_byte(tmp_path: Path) -> None:
    sent, held = as_received(full_field(), tmp_path), pydicom.dcmread(next(tmp_path.glob("*.dcm")))
    other = pydicom.dcmread(next(tmp_path.glob("*.dcm")))
    for dataset, value in ((sent, b"\1\2\3"), (held, b"\1\2\3"), (other, b"\1\2\4")):
        dataset._dict[Tag("Columns")] = RawDataElement(Tag("Columns"), "US", 3, value, 0, False, True)
    assert differing_keywords(sent, held) == []
    assert differing_keywords(sent, other) == ["Columns"]


def test_pauses_double_and_are_spread() -> None:
    pauses = [backoff_s(tries, 5.0) for tries in (1, 2, 3, 40)]
    for pause, middle in zip(pauses, (5, 10, 20, 1800), strict=True):
        assert 0.75 * middle <= pause <= 1.25 * middle
    assert len({backoff_s(3, 5.0) for _ in range(20)}) > 1


def test_no_error_names_the_patient(deliveries: DeliveryFixture) -> None:
    delivery = deliveries.plan(IMAGE, ObjectKind.CORRECTED)
    with peer(0xC000) as (destination, _):
        deliveries.attempt(delivery, IMAGE, destination)
    error = str(deliveries.row(delivery).error)
    assert "Phantom" not in error and "PH-1" not in error


def test_unverified_has_a_reason() -> None:
    with peer() as (destination, _):
        assert isinstance(verify(IMAGE, destination, US), Unverified)
