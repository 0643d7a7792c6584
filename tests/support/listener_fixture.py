"""A real listener on a real port, and peers that talk to it."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.context import SpawnProcess
from multiprocessing.synchronize import Event
from pathlib import Path

from pydicom import Dataset, dcmread
from pynetdicom import AE
from pynetdicom.association import Association

from service.receive.accept import ReceiveContext
from service.receive.listener import Listener
from service.settings import Settings
from service.store.files import FileStore
from service.store.ledger import Ledger
from tests.support.databases import prepare_ledger
from tests.support.eventually import TIMEOUT_S
from tests.support.ports import free_port

VERIFICATION = "1.2.840.10008.1.1"
EXPLICIT = "1.2.840.10008.1.2.1"


class ListenerFixture:
    """A running listener with its store, its ledger, and the ids it has published."""

    def __init__(self, data_dir: Path, **settings: object) -> None:
        values = {"data_dir": data_dir, "dicom_port": free_port(), "disk_free_min_bytes": 0, **settings}
        self.settings = Settings.model_validate(values)
        prepare_ledger(self.settings.ledger_url)
        self.store, self.ledger = FileStore(data_dir), Ledger(self.settings.ledger_url)
        self.published: list[str] = []
        self.context = ReceiveContext(self.store, self.ledger, self.settings, lambda uid, _priority: self.published.append(uid))

    @contextmanager
    def listening(self) -> Iterator[ListenerFixture]:
        listener = Listener(self.context, self.settings)
        listener.start()
        try:
            yield self
        finally:
            listener.stop()
            self.ledger.close()

    def stored(self, sop_instance_uid: str) -> Dataset:
        row = self.ledger.instances.get(sop_instance_uid)
        assert row is not None
        return dcmread(self.store.path(row.path))


@contextmanager
def listener_process(receiving: ListenerFixture) -> Iterator[SpawnProcess]:
    """The listener as it really runs: in a process of its own, which a test may kill."""
    spawn = multiprocessing.get_context("spawn")
    ready = spawn.Event()
    process = spawn.Process(target=_serve, args=(receiving.settings.model_dump(mode="json"), ready))
    process.start()
    try:
        assert ready.wait(TIMEOUT_S)
        yield process
    finally:
        process.kill()
        process.join()


def _serve(settings: dict[str, object], ready: Event) -> None:
    receiving = ListenerFixture(Path(str(settings.pop("data_dir"))), **settings)
    with receiving.listening():
        ready.set()
        threading.Event().wait()


@contextmanager
def associated(
    settings: Settings, contexts: dict[str, list[str]], calling: str = "MODALITY", called: str | None = None
) -> Iterator[Association]:
    """Propose SOP classes with their transfer syntaxes; the association may turn out rejected."""
    entity = AE(calling)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = TIMEOUT_S
    for sop_class, syntaxes in contexts.items():
        for syntax in syntaxes:
            entity.add_requested_context(sop_class, syntax)
    association = entity.associate("127.0.0.1", settings.dicom_port, ae_title=called or settings.ae_title)
    try:
        yield association
    finally:
        with suppress(RuntimeError):
            association.release()


def send(settings: Settings, dataset: Dataset, calling: str = "MODALITY") -> Dataset:
    """C-STORE one data set and return the response."""
    with associated(settings, {dataset.SOPClassUID: [dataset.file_meta.TransferSyntaxUID]}, calling) as association:
        assert association.is_established
        return association.send_c_store(dataset)
