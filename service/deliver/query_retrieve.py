"""Looking into an archive over DIMSE: C-FIND, then C-GET, or C-MOVE to our own listener (PS3.4 Annex C)."""

from __future__ import annotations

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

from service.deliver.comparison import Held, InstanceReference, Look, Missing, Unproven
from service.deliver.dimse import NATIVE, associate
from service.deliver.retrieve_inbox import RetrieveInbox
from service.destinations import Destination
from service.errors import NoContextAccepted

COMPRESSED = (JPEGLosslessSV1, JPEGLossless, JPEGLSLossless, JPEG2000Lossless, JPEG2000, RLELossless, JPEGBaseline8Bit)
"""What an image may lie in whose transfer syntax we do not know."""
PENDING = (0xFF00, 0xFF01)
NO_ROAD = "the peer offers no C-GET and no C-MOVE: the object cannot be read back"


def look(
    sought: InstanceReference,
    destination: Destination,
    our_ae: str,
    desk: RetrieveInbox | None = None,
    road: Literal["auto", "c-get", "c-move"] = "auto",
) -> Look:
    """Find the object and fetch it, over one association.

    Parameters
    ----------
    our_ae
        Our AE title: that of our listener, to which the archive moves the object.
    desk
        Where the listener lays what comes back; without it there is no C-MOVE.
    road
        auto: C-GET where the archive offers it, else C-MOVE.

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
    if road != "c-move":
        contexts += [(StudyRootGet, list(NATIVE)), *_storage_contexts(sought)]
    if road != "c-get" and desk is not None:
        contexts.append((StudyRootMove, list(NATIVE)))
    roles = [build_role(UID(sought.sop_class_uid), scp_role=True)] if road != "c-move" else []
    try:
        with associate(destination, our_ae, contexts, roles, [(evt.EVT_C_STORE, keep)]) as association:
            return _ask(association, sought, destination, our_ae, desk, arrived)
    except NoContextAccepted:
        return Unproven(NO_ROAD)


def _ask(
    association: Association,
    sought: InstanceReference,
    destination: Destination,
    our_ae: str,
    desk: RetrieveInbox | None,
    arrived: list[Dataset],
) -> Look:
    offered = {context.abstract_syntax for context in association.accepted_contexts}
    reason = NO_ROAD
    try:
        if StudyRootFind in offered and _find(association, sought) == 0:
            return Missing()
        if StudyRootGet in offered:
            failure = _get(association, sought)
            if arrived:
                return Held(arrived[0])
            if failure is None and StudyRootFind not in offered:
                return Missing()
            reason = f"C-GET gave no object (status 0x{failure or 0:04X}): allow C-FIND and C-GET for our AE title"
        if StudyRootMove in offered and desk is not None:
            with desk.expect_object(sought.sop_instance_uid, destination.ae_title) as tray:
                failure = _move(association, sought, our_ae)
                files = tray.files()
                if files:
                    return Held(pydicom.dcmread(files[-1]))
            reason = f"C-MOVE to {our_ae} brought no object (status 0x{failure or 0:04X}): is our listener entered there?"
    except RuntimeError:
        # Orthanc, for one, hangs up on those who are not allowed to ask.
        return Unproven("the peer ended the association during the read-back: allow C-FIND and C-GET for our AE title")
    return Unproven(reason)


def _storage_contexts(sought: InstanceReference) -> list[tuple[UID, list[UID]]]:
    own = UID(sought.transfer_syntax_uid)
    if own in NATIVE:
        return [(UID(sought.sop_class_uid), sorted(NATIVE, key=lambda syntax: syntax != own))]
    compressed = [own] if own else list(COMPRESSED)
    return [(UID(sought.sop_class_uid), syntaxes) for syntaxes in (*([each] for each in compressed), list(NATIVE))]


def _find(association: Association, sought: InstanceReference) -> int | None:
    """Number of matches; None where the peer refuses to search."""
    matches = 0
    for status, identifier in association.send_c_find(_identifier(sought), StudyRootFind):
        code = status.get("Status")
        if code is None:
            raise RuntimeError("no answer")
        if code in PENDING and identifier is not None:
            matches += identifier.get("SOPInstanceUID", sought.sop_instance_uid) == sought.sop_instance_uid
        elif code != 0x0000:
            return None
    return matches


def _get(association: Association, sought: InstanceReference) -> int | None:
    """Fetch the object; the handler keeps it. Returns the status of a failure."""
    for status, _ in association.send_c_get(_identifier(sought), StudyRootGet):
        code = status.get("Status")
        if code is None:
            raise RuntimeError("no answer")
        if code not in (*PENDING, 0x0000):
            return int(code)
    return None


def _move(association: Association, sought: InstanceReference, to: str) -> int | None:
    """Have the object sent to our listener, which lays it into the tray before it answers. Returns the status of a failure."""
    for status, _ in association.send_c_move(_identifier(sought), to, StudyRootMove):
        code = status.get("Status")
        if code is None:
            raise RuntimeError("no answer")
        if code not in (*PENDING, 0x0000):
            return int(code)
    return None


def _identifier(sought: InstanceReference) -> Dataset:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "IMAGE"
    identifier.StudyInstanceUID = sought.study_instance_uid
    identifier.SeriesInstanceUID = sought.series_instance_uid
    identifier.SOPInstanceUID = sought.sop_instance_uid
    return identifier
