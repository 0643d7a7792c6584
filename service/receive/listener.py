"""The C-STORE and C-ECHO listener. It writes each data set to the spool in chunks, never as a whole through memory.

The listener also receives what a worker asked an archive for: objects by C-MOVE, and storage commitment reports.
"""

from __future__ import annotations

import logging
import ssl
import tempfile
from collections.abc import Callable
from pathlib import Path

from pydicom.dataset import Dataset
from pynetdicom import AE, _config, evt
from pynetdicom.presentation import AllStoragePresentationContexts
from pynetdicom.sop_class import StorageCommitmentPushModel, Verification  # type: ignore[attr-defined]
from pynetdicom.transport import ThreadedAssociationServer

from service.deliver.commitment import answer_event_report
from service.deliver.retrieve_inbox import RetrieveInbox
from service.domain.findings import Priority
from service.error_table import CANNOT_UNDERSTAND
from service.errors import NotReceived, Unparsable
from service.receive.accept import ReceiveContext, accept
from service.receive.dimse_status import SUCCESS, build_response
from service.settings import Settings

log = logging.getLogger(__name__)

TRANSFER_SYNTAXES = (
    "1.2.840.10008.1.2.1",  # Explicit VR Little Endian
    "1.2.840.10008.1.2",  # Implicit VR Little Endian
    "1.2.840.10008.1.2.1.99",  # Deflated
    "1.2.840.10008.1.2.4.80",  # JPEG-LS lossless
    "1.2.840.10008.1.2.4.81",  # JPEG-LS near-lossless
    "1.2.840.10008.1.2.4.70",  # JPEG Lossless, first-order prediction
    "1.2.840.10008.1.2.4.57",  # JPEG Lossless
    "1.2.840.10008.1.2.4.90",  # JPEG 2000 lossless
    "1.2.840.10008.1.2.4.91",  # JPEG 2000
    "1.2.840.10008.1.2.4.201",  # HTJ2K lossless
    "1.2.840.10008.1.2.4.202",  # HTJ2K lossless RPCL
    "1.2.840.10008.1.2.4.203",  # HTJ2K
    "1.2.840.10008.1.2.5",  # RLE
    "1.2.840.10008.1.2.4.50",  # JPEG baseline 8 bit
    "1.2.840.10008.1.2.4.51",  # JPEG extended 12 bit
)
"""In the order of preference. MPEG and JPEG XL are missing, because the service cannot decode them."""

HIGH = 1
"""C-STORE Priority (0000,0700)."""

ORPHAN_S = 600.0
"""A spool file that was not written to for this long belongs to a dead transfer: the network timeout is far shorter."""


class Listener:
    """A Storage SCP for all storage SOP classes, and a Verification SCP.

    It needs a process of its own: while it runs, it changes settings of the whole process (see `_receive_into`).
    """

    def __init__(self, context: ReceiveContext, settings: Settings) -> None:
        self._context = context
        self._settings = settings
        self._server: ThreadedAssociationServer | None = None
        self._restore: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Listen in threads; returns at once. Raises OSError if the port is in use."""
        settings = self._settings
        self._context.store.sweep_spool(ORPHAN_S)
        self._restore = _receive_into(self._context.store.spool_dir)
        handlers: list[evt.EventHandlerType] = [
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_N_EVENT_REPORT, self._answer_event_report),
            (evt.EVT_REJECTED, _log_rejection),
            (evt.EVT_REQUESTED, _refuse_commitment_requests),
        ]
        try:
            self._server = _entity(settings).start_server(
                (settings.dicom_host, settings.dicom_port), block=False, evt_handlers=handlers, ssl_context=_tls(settings)
            )
        except OSError:
            self._restore()
            raise
        log.info("listener started", extra={"ae_title": settings.ae_title, "host": settings.dicom_host, "port": settings.dicom_port})

    def stop(self) -> None:
        """Stop listening and end open associations."""
        if self._server is None:
            return
        for association in self._server.ae.active_associations:
            if association.is_established:
                association.abort()
            elif association.dul.socket is not None:
                # A peer that has sent nothing yet, such as a health check, has a connection and no association.
                association.dul.socket.close()
        self._server.shutdown()
        self._server = None
        self._restore()

    def _store(self, event: evt.Event) -> int | Dataset:
        # LOW is the default of many senders (of pynetdicom too), so only HIGH is a request.
        priority = Priority.URGENT if getattr(event.request, "Priority", None) == HIGH else Priority.ROUTINE
        try:
            path = event.dataset_path
            if path is None:
                raise Unparsable("the request came without a data set")
            accept(path, event.assoc.requestor.ae_title, self._context, priority)
        except NotReceived as error:
            log.warning("listener did not accept an instance", extra={"reason": error.code, "calling_ae": event.assoc.requestor.ae_title})
            return build_response(error)
        except Exception as error:
            # The peer needs an answer, and pynetdicom would log a traceback with values of the data set.
            log.error("listener failed to receive an instance", extra={"cause": type(error).__name__})
            return CANNOT_UNDERSTAND
        return SUCCESS

    def _answer_event_report(self, event: evt.Event) -> tuple[int, None]:
        return answer_event_report(event, RetrieveInbox(self._settings.data_dir))


def _receive_into(spool_dir: Path) -> Callable[[], None]:
    """Make pynetdicom write received data sets as files into the spool, in chunks; returns a function that restores the settings.

    pynetdicom has no public setting for this. It writes chunks only if its private flag `STORE_RECV_CHUNKED_DATASET` is set, and then into
    Python's temporary folder. That folder must be the spool, so that accepting an instance is an atomic rename on one file system. Both
    settings are global: they apply to every user of pynetdicom and tempfile in this process.
    """
    former = tempfile.tempdir, _config.STORE_RECV_CHUNKED_DATASET
    tempfile.tempdir, _config.STORE_RECV_CHUNKED_DATASET = str(spool_dir), True

    def restore() -> None:
        tempfile.tempdir, _config.STORE_RECV_CHUNKED_DATASET = former

    return restore


def _entity(settings: Settings) -> AE:
    entity = AE(settings.ae_title)
    entity.maximum_pdu_size = settings.max_pdu
    entity.maximum_associations = settings.max_associations
    entity.require_called_aet = settings.require_called_ae
    entity.require_calling_aet = list(settings.calling_ae_titles)
    entity.add_supported_context(Verification)
    # An archive that reports a commitment is the SCP of the service and calls its SCU, so the roles are reversed (PS3.4 J.3.3).
    entity.add_supported_context(StorageCommitmentPushModel, scu_role=False, scp_role=True)
    for sop_class in (context.abstract_syntax for context in AllStoragePresentationContexts):
        if sop_class is not None:
            entity.add_supported_context(sop_class, list(TRANSFER_SYNTAXES))
    return entity


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=settings.tls_ca)
    context.load_cert_chain(settings.tls_cert, settings.tls_key)
    if settings.tls_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _refuse_commitment_requests(event: evt.Event) -> None:
    """Reject the context of storage commitment unless the peer proposes to be its SCP: nothing is committed here (PS3.7 D.3.3.4).

    pynetdicom accepts a context without role selection whatever roles it supports, and a modality would wait for a commitment.
    """
    association = event.assoc
    role = association.requestor.role_selection.get(StorageCommitmentPushModel)
    if role is None or not role.scp_role:
        association.acceptor.supported_contexts = [
            context for context in association.acceptor.supported_contexts if context.abstract_syntax != StorageCommitmentPushModel
        ]


def _log_rejection(event: evt.Event) -> None:
    log.warning("listener rejected an association", extra={"calling_ae": event.assoc.requestor.ae_title})
