"""Proof of delivery: ask the archive for the object, and compare what matters with what was sent.

A C-STORE answered with Success proves nothing: Orthanc keeps an older copy under the same UID and says Success.
"""

from __future__ import annotations

from pydicom.dataset import Dataset

from service.deliver import dicomweb, query_retrieve
from service.deliver.comparison import Changes, InstanceReference, Look, Proof, Unproven, judge, seek
from service.deliver.retrieve_inbox import RetrieveInbox
from service.destinations import Destination


def verify(payload: Dataset | Changes, destination: Destination, our_ae: str, desk: RetrieveInbox | None = None) -> Proof:
    """Look into the archive by the road that the destination's `read_back` names, and compare.

    Parameters
    ----------
    payload
        The object as sent, with file meta, or the values that the archive was asked to write.
    desk
        Where our listener lays what an archive moves to us; without it C-MOVE is no road.

    Raises
    ------
    DestinationUnreachable
        The peer does not answer.
    DestinationRefused
        The peer rejects us.
    """
    return judge(payload, look_into(seek(payload), destination, our_ae, desk))


def look_into(sought: InstanceReference, destination: Destination, our_ae: str, desk: RetrieveInbox | None = None) -> Look:
    """Fetch what the archive holds: over DICOMweb, C-GET or C-MOVE."""
    road = destination.read_back
    if road == "none":
        return Unproven("nothing is read back from this destination (read_back = none)")
    if destination.dicomweb is not None and road in ("auto", "dicomweb"):
        return dicomweb.look(sought, destination.dicomweb, destination.name)
    if road == "dicomweb":
        return Unproven("read_back = dicomweb needs the destination's dicomweb")
    if not destination.ae_title:
        return Unproven(f"read_back = {road} needs the destination's ae_title, host and port")
    return query_retrieve.look(sought, destination, our_ae, desk, road)
