"""Associations, and sending one object over C-STORE (PS3.4 Annex B)."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.events import Event
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation

from models.foreign_parsers import translate_errors
from service.deliver.tls import client_context, explain_failure
from service.destinations import Destination
from service.errors import DestinationRefused, DestinationUnreachable, NoContextAccepted, SopClassRefused

NATIVE = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
MAXIMUM_PDU = 131_072
CONNECT_TIMEOUT_S = 10.0
UNKNOWN_TITLES = ((1, 1, 3), (1, 1, 7))
"""Result, source and reason of a rejection: permanent, by the service user, calling or called AE title not recognised."""
ABSTRACT_SYNTAX_NOT_SUPPORTED = 3
"""Result of a presentation context (PS3.8 Table 9-18)."""
DUPLICATE_SOP_INSTANCE = 0x0111
TRANSIENT_STATUSES = frozenset({0x0110, 0x0210, 0x0213})
"""Processing failure, duplicate invocation, resource limitation (PS3.7 Annex C)."""


def send(instance: Dataset | Path, destination: Destination, our_ae: str) -> int:
    """Send an object, in its own transfer syntax if the peer accepts that, else decompressed.

    Parameters
    ----------
    instance
        A dataset with file meta, or the path of a part 10 file.
    our_ae
        Our calling AE title, unless the destination's settings name another one.

    Returns
    -------
    int
        The peer's status: success or a warning.

    Raises
    ------
    DestinationUnreachable
        The peer does not answer, or the connection broke.
    SopClassRefused
        The peer does not support the SOP class.
    DestinationRefused
        The peer rejects the association or this object.
    """
    dataset = pydicom.dcmread(instance) if isinstance(instance, Path) else instance
    own = UID(dataset.file_meta.TransferSyntaxUID)
    with associate(destination, our_ae, storage_contexts(dataset)) as association:
        accepted = {UID(context.transfer_syntax[0]) for context in association.accepted_contexts}
        if own not in (*NATIVE, *accepted):
            dataset = as_native(dataset)
        try:
            response = association.send_c_store(dataset)
        except RuntimeError as error:
            raise DestinationUnreachable(f"{destination.name}: the association ended before the object was sent") from error
        except (ValueError, AttributeError) as error:
            raise DestinationRefused(f"{destination.name}: the object cannot be encoded for this peer ({type(error).__name__})") from error
    status = response.get("Status")
    if status is None:
        raise DestinationUnreachable(
            f"{destination.name}: no answer to C-STORE within {destination.timeout_seconds:g} s, or the association broke"
        )
    if not is_accepted(int(status)):
        raise DestinationRefused(f"{destination.name}: C-STORE refused with status 0x{status:04X}", int(status), is_permanent(int(status)))
    return int(status)


def storage_contexts(dataset: Dataset) -> list[tuple[UID, list[UID]]]:
    """Presentation contexts to propose for an object: its own transfer syntax, and the native ones that every peer reads."""
    own = UID(dataset.file_meta.TransferSyntaxUID)
    native = sorted(NATIVE, key=lambda syntax: syntax != own)
    proposals = [native] if own in NATIVE else [[own], native]
    return [(UID(dataset.SOPClassUID), syntaxes) for syntaxes in proposals]


def is_accepted(status: int) -> bool:
    """Success, a warning (PS3.4 Table B.2-1), or a duplicate: the read-back shows what the archive holds."""
    return status in (0x0000, 0xB000, 0xB006, 0xB007, DUPLICATE_SOP_INSTANCE)


def is_permanent(status: int) -> bool:
    """Tell whether the same object will be refused again; lack of resources (A7xx) and the transient statuses may pass."""
    return status not in TRANSIENT_STATUSES and status >> 8 != 0xA7


@contextmanager
def associate(
    destination: Destination,
    our_ae: str,
    contexts: Iterable[tuple[str, Sequence[str]]],
    roles: Sequence[SCP_SCU_RoleSelectionNegotiation] = (),
    handlers: Sequence[Any] = (),
) -> Iterator[Association]:
    """An association with at least one accepted context, over TLS if the destination's settings say so, released at the end.

    Raises
    ------
    DestinationUnreachable, NoContextAccepted, DestinationRefused
        The association was not established.
    """
    ae = AE(ae_title=destination.calling_ae_title or our_ae)
    ae.maximum_pdu_size = MAXIMUM_PDU
    ae.connection_timeout = ae.acse_timeout = min(CONNECT_TIMEOUT_S, destination.timeout_seconds)
    ae.dimse_timeout = ae.network_timeout = destination.timeout_seconds
    for abstract_syntax, transfer_syntaxes in contexts:
        ae.add_requested_context(abstract_syntax, list(transfer_syntaxes))
    tls: tuple[ssl.SSLContext, str] | None = None
    if destination.tls is not None:
        tls = client_context(destination.tls, destination.name), destination.host
    try:
        association = ae.associate(
            destination.host,
            destination.port,
            ae_title=destination.ae_title,
            ext_neg=list(roles),
            evt_handlers=[*handlers, *PROMPT],
            max_pdu=MAXIMUM_PDU,
            tls_args=tls,
        )
    except OSError as error:
        raise DestinationUnreachable(f"{destination.name}: the name of host {destination.host} cannot be resolved") from error
    if not association.is_established:
        raise _failure(association, destination)
    try:
        yield association
    finally:
        association.release()


def _send_at_once(event: Event) -> None:
    _set_option(event, socket.TCP_NODELAY)


def _acknowledge_at_once(event: Event) -> None:
    """Linux returns to delayed acknowledgement by itself, so the option is set for each message."""
    _set_option(event, socket.TCP_QUICKACK)


def _set_option(event: Event, option: int) -> None:
    transport = event.assoc.dul.socket
    if transport is not None and transport.socket is not None:
        with suppress(OSError):  # the peer may close the connection at any moment
            transport.socket.setsockopt(socket.IPPROTO_TCP, option, 1)


PROMPT: list[Any] = [(evt.EVT_CONN_OPEN, _send_at_once)]
"""DIMSE sends a message as a command and a data set. With Nagle's algorithm on one side and delayed acknowledgement on the other, each
pair waits 40 ms. Without them a C-FIND to Orthanc takes 11 ms instead of 97."""
if hasattr(socket, "TCP_QUICKACK"):
    PROMPT += [(evt.EVT_DATA_SENT, _acknowledge_at_once), (evt.EVT_DATA_RECV, _acknowledge_at_once)]


def _failure(association: Association, destination: Destination) -> DestinationRefused | DestinationUnreachable:
    if association.is_rejected:
        return _rejection(association, destination)
    if association.rejected_contexts:
        context = association.rejected_contexts[0]
        sop_class = UID(context.abstract_syntax or "")
        if all(each.result == ABSTRACT_SYNTAX_NOT_SUPPORTED for each in association.rejected_contexts):
            return SopClassRefused(f"{destination.name}: does not take {sop_class.name}", sop_class)
        syntaxes = ", ".join(UID(syntax).name for each in association.rejected_contexts for syntax in each.transfer_syntax)
        return NoContextAccepted(f"{destination.name}: does not take {sop_class.name} in {syntaxes or 'any transfer syntax offered'}")
    because = explain_failure(destination)
    return DestinationUnreachable(
        f"{destination.name}: no association with {destination.host}:{destination.port}{because and f': {because}'}"
    )


def _rejection(association: Association, destination: Destination) -> DestinationRefused:
    """Some peers report a passing lack of resources as permanent; only an unknown AE title is sure to be rejected again (PS3.8 9.3.4)."""
    response = association.acceptor.primitive
    if response is not None and (response.result, response.result_source, response.diagnostic) in UNKNOWN_TITLES:
        return DestinationRefused(f"{destination.name}: association rejected, check the AE titles on both sides")
    return DestinationRefused(f"{destination.name}: association rejected for a reason that may pass", permanent=False)


def as_native(dataset: Dataset) -> Dataset:
    """A copy with decompressed pixels, for a peer that accepts no other. Raises `DestinationRefused` if they cannot be decompressed."""
    native = deepcopy(dataset)
    syntax = UID(dataset.file_meta.TransferSyntaxUID)
    with translate_errors(DestinationRefused, f"the peer does not take {syntax.name}, and the pixels cannot be decompressed for it"):
        if syntax == DeflatedExplicitVRLittleEndian:
            native.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        else:
            native.decompress(generate_instance_uid=False)
    return native
