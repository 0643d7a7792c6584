"""An archive that does what real ones do on bad days. It keeps, finds and gives back like `SmallPacs`, but for its fault."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import JPEGBaseline8Bit
from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.events import Event
from pynetdicom.sop_class import (  # type: ignore[attr-defined]  # made when the module is loaded
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
    Verification,
)
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind as StudyRootFind  # type: ignore[attr-defined]
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelGet as StudyRootGet  # type: ignore[attr-defined]
from pynetdicom.transport import ThreadedAssociationServer

from service.demo.small_pacs import TRANSFER_SYNTAXES, SmallPacs
from service.destinations import Destination

SUCCESS, OUT_OF_RESOURCES, CANNOT_UNDERSTAND = 0x0000, 0xA700, 0xC000

NO_SUCH_INSTANCE = 0x0112
FAILURES = 2
"""Event Type ID of a report with failures (PS3.4 Table J.3-3)."""


class Fault(Enum):
    NONE = "none"
    REFUSES = "refuses the objects that it is configured to refuse, with status C000"
    DROPS = "answers Success and keeps nothing"
    CLOSES = "keeps the object, and ends the association before it answers"
    HANGS_UP = "ends the association and keeps nothing"
    SLOW = "keeps the object, and answers later than anybody waits"
    NO_TRANSFER_SYNTAX = "takes no transfer syntax that we could send"
    NO_SOP_CLASS = "takes only what it is configured to take"
    FULL = "has no space: status A700"
    WRONG_AE = "is called by another name"
    KEEPS_OLD = "answers Success and keeps the first copy"
    INDEXES_LATE = "keeps the object, and lists it a while later"
    NEVER_REPORTS = "keeps the object, consents to storage commitment, and never says what came of it"
    BREAKS_ITS_WORD = "keeps the object, and declines storage commitment"


class FaultyScp(SmallPacs):
    """One archive with one fault, on loopback; the fault may be changed or healed while it runs.

    Parameters
    ----------
    refused
        SOP Instance UIDs for `Fault.REFUSES`.
    taken
        SOP Class UIDs for `Fault.NO_SOP_CLASS`.
    pause_s
        For SLOW and INDEXES_LATE.
    """

    def __init__(
        self, folder: Path, fault: Fault, refused: tuple[str, ...] = (), taken: tuple[str, ...] = (), pause_s: float = 2.0
    ) -> None:
        super().__init__(folder, "FAULTY")
        self.fault = fault
        self.refused = refused
        self.taken = taken
        self.pause_s = pause_s
        self.stores: list[str] = []
        """SOP Instance UID of each C-STORE request, whatever came of it."""
        self.associations = 0
        self._arrived_at: dict[str, float] = {}

    def destination(self, **fields: Any) -> Destination:
        """How our settings name it."""
        return Destination(**{"name": "pacs", "ae_title": self.ae_title, "host": self.host, "port": self.port, **fields})

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        ae = AE(ae_title="ANOTHER" if self.fault is Fault.WRONG_AE else self.ae_title)
        ae.require_called_aet = self.fault is Fault.WRONG_AE
        ae.maximum_pdu_size = 131_072
        for sop_class in (Verification, StudyRootFind, StudyRootGet):
            ae.add_supported_context(sop_class)
        if self.fault in (Fault.BREAKS_ITS_WORD, Fault.NEVER_REPORTS):
            ae.add_supported_context(StorageCommitmentPushModel)
        syntaxes = [JPEGBaseline8Bit] if self.fault is Fault.NO_TRANSFER_SYNTAX else list(TRANSFER_SYNTAXES)
        for context in AllStoragePresentationContexts:
            if self.fault is not Fault.NO_SOP_CLASS or context.abstract_syntax in self.taken:
                ae.add_supported_context(context.abstract_syntax or "", syntaxes, scu_role=True, scp_role=True)
        handlers: list[Any] = [
            (evt.EVT_C_STORE, self._store_or_not),
            (evt.EVT_C_FIND, self._find),
            (evt.EVT_C_GET, self._get),
            (evt.EVT_N_ACTION, self._decline),
            (evt.EVT_REQUESTED, self._count),
        ]
        server = ae.start_server((self.host, self.port), block=False, evt_handlers=handlers)
        assert isinstance(server, ThreadedAssociationServer)
        self._server = server
        self.port = server.server_address[1]

    def _count(self, _event: Event) -> None:
        self.associations += 1

    def _store_or_not(self, event: Event) -> int:
        uid = str(event.file_meta.MediaStorageSOPInstanceUID)
        self.stores.append(uid)
        self._arrived_at.setdefault(uid, time.monotonic())
        match self.fault:
            case Fault.REFUSES if uid in self.refused:
                return CANNOT_UNDERSTAND
            case Fault.DROPS:
                return SUCCESS
            case Fault.FULL:
                return OUT_OF_RESOURCES
            case Fault.KEEPS_OLD if (self.folder / f"{uid}.dcm").exists():
                return SUCCESS
            case Fault.HANGS_UP:
                event.assoc.abort()
                return CANNOT_UNDERSTAND
        status = self._store(event)
        if self.fault is Fault.CLOSES:
            event.assoc.abort()
        if self.fault is Fault.SLOW:
            time.sleep(self.pause_s)
        return status

    def _matches(self, query: Any) -> Iterator[Any]:
        for header in super()._matches(query):
            late = self.fault is Fault.INDEXES_LATE and time.monotonic() < self._arrived_at[str(header.SOPInstanceUID)] + self.pause_s
            if not late:
                yield header

    def _decline(self, event: Event) -> tuple[int, None]:
        """Consent to the request, and say over the same association that nothing is kept (PS3.4 J.3.3), or nothing at all."""
        if self.fault is Fault.NEVER_REPORTS:
            return SUCCESS, None
        request = event.action_information
        association = event.assoc

        def report(_: Event) -> None:
            information = Dataset()
            information.TransactionUID = request.TransactionUID
            information.FailedSOPSequence = list(request.ReferencedSOPSequence)
            for item in information.FailedSOPSequence:
                item.FailureReason = NO_SUCH_INSTANCE
            association.send_n_event_report(information, FAILURES, StorageCommitmentPushModel, StorageCommitmentPushModelInstance)

        association.bind(evt.EVT_DIMSE_SENT, _Once(report))
        return SUCCESS, None


class _Once:
    """Runs once the answer to the request is on its way, in a thread of its own: the association serves one request at a time."""

    def __init__(self, act: Any) -> None:
        self._act = act
        self._done = False

    def __call__(self, event: Event) -> None:
        if not self._done:
            self._done = True
            threading.Thread(target=self._act, args=(event,), daemon=True).start()


@contextmanager
def running_scp(archive: FaultyScp) -> Iterator[FaultyScp]:
    """Start, lend, stop."""
    archive.start()
    try:
        yield archive
    finally:
        archive.stop()
