"""Query and retrieve over DIMSE: C-FIND, then C-GET, or C-MOVE to our own listener (PS3.4 Annex C)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import (
    JPEG2000,
    UID,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)
from pynetdicom import build_role, evt
from pynetdicom.association import Association
from pynetdicom.events import Event
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind as StudyRootFind,
)
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelGet as StudyRootGet,
)
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelMove as StudyRootMove,
)

from service.deliver.comparison import NotFound, Retrieved, RetrieveResult, Unverified
from service.deliver.dimse import NATIVE, associate
from service.deliver.retrieve_inbox import RetrieveInbox
from service.destinations import Destination
from service.domain.instance_reference import InstanceReference
from service.errors import NoContextAccepted

COMPRESSED = (JPEGLosslessSV1, JPEGLossless, JPEGLSLossless, JPEG2000Lossless, JPEG2000, RLELossless, JPEGBaseline8Bit)
"""Proposed for an image whose transfer syntax is not known."""
PENDING = (0xFF00, 0xFF01)
NO_RETRIEVE = "the peer offers no C-GET and no C-MOVE: the object cannot be read back"


def retrieve(
    reference: InstanceReference,
    destination: Destination,
    our_ae: str,
    inbox: RetrieveInbox | None = None,
    method: Literal["auto", "c-get", "c-move"] = "auto",
) -> RetrieveResult:
    """Find the object and retrieve it, over one association.

    Parameters
    ----------
    our_ae
        AE title of our listener, to which the archive moves the object.
    inbox
        Where the listener puts the object; without it C-MOVE is not used.
    method
        auto: C-GET if the archive offers it, else C-MOVE.

    Raises
    ------
    DestinationUnreachable
        The peer does not answer.
    DestinationRefused
        The peer rejects the association.
    """
    arrived: list[Dataset] = []

    def keep(event: Event) -> int:
        received = event.dataset
        received.file_meta = event.file_meta
        arrived.append(received)
        return 0x0000

    contexts: list[tuple[UID, list[UID]]] = [(StudyRootFind, list(NATIVE))]
    if method != "c-move":
        contexts += [(StudyRootGet, list(NATIVE)), *_storage_contexts(reference)]
    if method != "c-get" and inbox is not None:
        contexts.append((StudyRootMove, list(NATIVE)))
    roles = [build_role(UID(reference.sop_class_uid), scp_role=True)] if method != "c-move" else []
    try:
        with associate(destination, our_ae, contexts, roles, [(evt.EVT_C_STORE, keep)]) as association:
            return _ask(association, reference, destination, our_ae, inbox, arrived)
    except NoContextAccepted:
        return Unverified(NO_RETRIEVE)


def _ask(
    association: Association,
    reference: InstanceReference,
    destination: Destination,
    our_ae: str,
    inbox: RetrieveInbox | None,
    arrived: list[Dataset],
) -> RetrieveResult:
    offered = {context.abstract_syntax for context in association.accepted_contexts}
    reason = NO_RETRIEVE
    try:
        if StudyRootFind in offered and _find(association, reference) == 0:
            return NotFound()
        if StudyRootGet in offered:
            failure = _get(association, reference)
            if arrived:
                return Retrieved(arrived[0])
            if failure is None and StudyRootFind not in offered:
                return NotFound()
            reason = f"C-GET gave no object (status 0x{failure or 0:04X}): allow C-FIND and C-GET for our AE title"
        if StudyRootMove in offered and inbox is not None:
            with inbox.expect_object(reference.sop_instance_uid, destination.ae_title) as pending:
                failure = _move(association, reference, our_ae)
                files = pending.files()
                if files:
                    return Retrieved(pydicom.dcmread(files[-1]))
            reason = f"C-MOVE to {our_ae} brought no object (status 0x{failure or 0:04X}): register our listener at the archive"
    except RuntimeError:
        # Orthanc, for example, aborts the association of a peer that may not query.
        return Unverified("the peer ended the association during the read-back: allow C-FIND and C-GET for our AE title")
    return Unverified(reason)


def _storage_contexts(reference: InstanceReference) -> list[tuple[UID, list[UID]]]:
    own = UID(reference.transfer_syntax_uid)
    if own in NATIVE:
        return [(UID(reference.sop_class_uid), sorted(NATIVE, key=lambda syntax: syntax != own))]
    compressed = [own] if own else list(COMPRESSED)
    return [(UID(reference.sop_class_uid), syntaxes) for syntaxes in (*([each] for each in compressed), list(NATIVE))]


def _find(association: Association, reference: InstanceReference) -> int | None:
    """Number of matches; None if the peer refuses to search."""
    matches = 0
    for status, identifier in association.send_c_find(_identifier(reference), StudyRootFind):
        code = status.get("Status")
        if code is None:
            raise RuntimeError("no answer")
        if code in PENDING and identifier is not None:
            matches += identifier.get("SOPInstanceUID", reference.sop_instance_uid) == reference.sop_instance_uid
        elif code != 0x0000:
            return None
    return matches


def _get(association: Association, reference: InstanceReference) -> int | None:
    """Retrieve the object, which the handler of C-STORE keeps. Returns the status of a failure."""
    return _failure(association.send_c_get(_identifier(reference), StudyRootGet))


def _move(association: Association, reference: InstanceReference, to: str) -> int | None:
    """Have the archive send the object to our listener, which puts it into the inbox before it answers. Returns the status of a failure."""
    return _failure(association.send_c_move(_identifier(reference), to, StudyRootMove))


def _failure(responses: Iterable[tuple[Dataset, Dataset | None]]) -> int | None:
    """The status of the first response that reports a failure; None where all report success. Raises RuntimeError without an answer."""
    for status, _ in responses:
        code = status.get("Status")
        if code is None:
            raise RuntimeError("no answer")
        if code not in (*PENDING, 0x0000):
            return int(code)
    return None


def _identifier(reference: InstanceReference) -> Dataset:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "IMAGE"
    identifier.StudyInstanceUID = reference.study_instance_uid
    identifier.SeriesInstanceUID = reference.series_instance_uid
    identifier.SOPInstanceUID = reference.sop_instance_uid
    return identifier
