"""The C-STORE and C-ECHO listener. Data sets go straight to the spool, piece by piece, never as a whole through memory.

It also takes what the delivery asked an archive for: objects moved back to us, and its word on storage commitment.
"""

from __future__ import annotations

import logging
import ssl
import tempfile

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
"""In the order we would have them. Not every one there is: nobody here reads MPEG or JPEG XL."""

HIGH = 1
"""C-STORE Priority (0000,0700)."""

ORPHAN_S = 600.0
"""A transfer that wrote nothing for so long is dead: the network timeout is far shorter."""


class Listener:
    """A Storage SCP for everything storable, and a Verification SCP.

    While it runs, this process's temporary folder is the spool (pynetdicom writes there, and a rename from it must be atomic):
    give it a process of its own.
    """

    def __init__(self, context: ReceiveContext, settings: Settings) -> None:
        self._context = context
        self._settings = settings
        self._server: ThreadedAssociationServer | None = None

    def start(self) -> None:
        """Listen, in threads; returns at once. Raises OSError where the port is taken."""
        settings = self._settings
        self._context.store.sweep_spool(ORPHAN_S)
        self._former = (tempfile.tempdir, _config.STORE_RECV_CHUNKED_DATASET)
        tempfile.tempdir = str(self._context.store.spool_dir)
        _config.STORE_RECV_CHUNKED_DATASET = True
        handlers: list[evt.EventHandlerType] = [
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_N_EVENT_REPORT, self._take_report),
            (evt.EVT_REJECTED, _log_rejection),
        ]
        self._server = _entity(settings).start_server(
            (settings.dicom_host, settings.dicom_port), block=False, evt_handlers=handlers, ssl_context=_tls(settings)
        )
        log.info("listening", extra={"ae_title": settings.ae_title, "host": settings.dicom_host, "port": settings.dicom_port})

    def stop(self) -> None:
        """Stop listening and end open associations."""
        if self._server is None:
            return
        for association in self._server.ae.active_associations:
            if association.is_established:
                association.abort()
            elif association.dul.socket is not None:
                # A caller that has said nothing yet (a health check): there is no association to abort, only a connection.
                association.dul.socket.close()
        self._server.shutdown()
        self._server = None
        tempfile.tempdir, _config.STORE_RECV_CHUNKED_DATASET = self._former

    def _store(self, event: evt.Event) -> int | Dataset:
        # Many senders leave LOW in place (it is pynetdicom's default), so only HIGH means something.
        priority = Priority.URGENT if getattr(event.request, "Priority", None) == HIGH else Priority.ROUTINE
        try:
            path = event.dataset_path
            if path is None:
                raise Unparsable("the request came without a data set")
            accept(path, event.assoc.requestor.ae_title, self._context, priority)
        except NotReceived as error:
            log.warning("not received", extra={"reason": error.code, "calling_ae": event.assoc.requestor.ae_title})
            return build_response(error)
        except Exception as error:
            # An answer is owed, and pynetdicom would log a traceback with values in it.
            log.error("receiving failed", extra={"cause": type(error).__name__})
            return CANNOT_UNDERSTAND
        return SUCCESS

    def _take_report(self, event: evt.Event) -> tuple[int, None]:
        return answer_event_report(event, RetrieveInbox(self._settings.data_dir))


def _entity(settings: Settings) -> AE:
    entity = AE(settings.ae_title)
    entity.maximum_pdu_size = settings.max_pdu
    entity.maximum_associations = settings.max_associations
    entity.require_called_aet = settings.require_called_ae
    entity.require_calling_aet = list(settings.calling_ae_titles)
    entity.add_supported_context(Verification)
    # The archive calls as SCP of the service whose SCU we are (PS3.4 J.3.3): the roles are the other way round.
    entity.add_supported_context(StorageCommitmentPushModel, scu_role=True, scp_role=True)
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


def _log_rejection(event: evt.Event) -> None:
    log.warning("association rejected", extra={"calling_ae": event.assoc.requestor.ae_title})
