"""Proof of delivery: retrieve the object from the archive and compare it with what was sent.

A C-STORE that is answered with Success proves nothing: Orthanc keeps an older copy under the same UID and answers Success.
"""

from __future__ import annotations

from pydicom.dataset import Dataset

from service.deliver import dicomweb, query_retrieve
from service.deliver.comparison import Proof, RetrieveResult, Unverified, compare, reference_of
from service.deliver.retrieve_inbox import RetrieveInbox
from service.destinations import Destination
from service.domain.attribute_changes import AttributeChanges
from service.domain.instance_reference import InstanceReference


def verify(payload: Dataset | AttributeChanges, destination: Destination, our_ae: str, inbox: RetrieveInbox | None = None) -> Proof:
    """Retrieve the object in the way that the destination's `read_back` names, and compare.

    Parameters
    ----------
    payload
        The object as sent, with file meta, or the values that the archive was asked to write.
    inbox
        Where our listener puts objects that an archive moves to us; without it C-MOVE is not used.

    Raises
    ------
    DestinationUnreachable
        The peer does not answer.
    DestinationRefused
        The peer rejects us.
    """
    return compare(payload, retrieve(reference_of(payload), destination, our_ae, inbox))


def retrieve(reference: InstanceReference, destination: Destination, our_ae: str, inbox: RetrieveInbox | None = None) -> RetrieveResult:
    """Retrieve what the archive holds over DICOMweb, C-GET or C-MOVE."""
    method = destination.read_back
    if method == "none":
        return Unverified("nothing is read back from this destination (read_back = none)")
    if destination.dicomweb is not None and method in ("auto", "dicomweb"):
        return dicomweb.retrieve(reference, destination.dicomweb, destination.name)
    if method == "dicomweb":
        return Unverified("read_back = dicomweb needs the destination's dicomweb")
    if not destination.ae_title:
        return Unverified(f"read_back = {method} needs the destination's ae_title, host and port")
    return query_retrieve.retrieve(reference, destination, our_ae, inbox, method)
