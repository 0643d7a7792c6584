"""What a site configures, how associations are made, and what protects them."""

from __future__ import annotations

from pydantic import BaseModel
from pynetdicom import AE

from service.cli.conformance.markdown import join, table
from service.deliver.dimse import CONNECT_TIMEOUT_S, MAXIMUM_PDU
from service.destinations import Destination
from service.report.identity import IMPLEMENTATION_CLASS_UID, SYSTEM
from service.settings import Settings


def describe_configuration() -> str:
    """Section 6: what a site sets, and what it sets by itself where nothing is said."""
    fields = ("ae_title", "dicom_host", "dicom_port", "calling_ae_titles", "require_called_ae", "max_pdu", "max_associations")
    ours = [
        (f"`MAMMOTRIAGE_{name.upper()}`", Settings.model_fields[name].description, _default(Settings.model_fields[name].default))
        for name in fields
    ]
    theirs = [(f"`{name}`", field.description or "", _default(field.default)) for name, field in Destination.model_fields.items()]
    return join(
        "RECEIVE is configured by environment variables:",
        table(("Variable", "What it is", "Default"), ours),
        "Destinations, rules, webhooks and the policies of senders are in one TOML file (`MAMMOTRIAGE_DESTINATIONS_FILE`, see "
        "[destinations.example.toml](destinations.example.toml)). "
        "`mammotriage destinations check` proves it against the peers. A destination has:",
        table(("Key", "What it is", "Default"), theirs),
    )


def describe_associations() -> str:
    """Section 7: how associations are made."""
    entity, defaults = AE(), Settings.model_fields
    concurrency = Destination.model_fields["concurrency"].default
    timeout = Destination.model_fields["timeout_seconds"].default
    listening = (
        ("Application context", "1.2.840.10008.3.1.1.1"),
        ("Largest PDU received", f"{defaults['max_pdu'].default} bytes (`MAMMOTRIAGE_MAX_PDU`)"),
        ("Associations at once", f"{defaults['max_associations'].default} (`MAMMOTRIAGE_MAX_ASSOCIATIONS`)"),
        ("Asynchronous operations", "not supported: one operation at a time"),
        ("ACSE, DIMSE, network timeout", f"{entity.acse_timeout:g}, {entity.dimse_timeout:g}, {entity.network_timeout:g} s"),
        ("Rejection", "by calling or called AE title where configured; when too many associations are open"),
        ("Implementation Class UID", entity.implementation_class_uid),
        ("Implementation Version Name", entity.implementation_version_name),
    )
    calling = (
        ("Largest PDU received", f"{MAXIMUM_PDU} bytes"),
        ("Associations at once", f"at most {concurrency} deliveries to a destination (`concurrency`)"),
        ("Connection and ACSE timeout", f"{CONNECT_TIMEOUT_S:g} s"),
        ("DIMSE and network timeout", f"{timeout:g} s (`timeout_seconds`)"),
        ("Tries", f"{defaults['delivery_max_attempts'].default} (`MAMMOTRIAGE_DELIVERY_MAX_ATTEMPTS`), with pauses that double from "
                  f"{defaults['delivery_backoff_seconds'].default:g} s"),
        ("After failures in a row", f"{Destination.model_fields['breaker_after'].default} (`breaker_after`): left alone for "
                                    f"{Destination.model_fields['breaker_seconds'].default:g} s (`breaker_seconds`)"),
        ("Asynchronous operations", "not proposed"),
        ("Role selection", "SCP of the image's SOP class for C-GET"),
        ("Extended negotiation", "none"),
    )  # fmt: skip
    return join(
        "### 7.1 RECEIVE as acceptor",
        table(("What", "Value"), listening),
        "### 7.2 DELIVER as initiator",
        table(("What", "Value"), calling),
        f"Files and objects made here bear Implementation Class UID `{IMPLEMENTATION_CLASS_UID}` and version name "
        f"`{SYSTEM}` in their file meta "
        "information; UIDs of made objects are derived under the root 2.25 (PS3.5 B.2) from what the object says, so "
        "that an object made twice is one.",
    )


def describe_security() -> str:
    """Section 8."""
    return join(
        "**Secure transport** (PS3.15 Annex B, BCP 195 TLS profile): RECEIVE speaks TLS where `MAMMOTRIAGE_TLS_CERT` "
        "and `_KEY` are set and asks "
        "callers for certificates where `MAMMOTRIAGE_TLS_CA` is; DELIVER speaks TLS to destinations with `tls`, TLS "
        "1.2 at least, checks the peer's "
        "certificate and (unless `check_host = false`) its host name, and shows a certificate of its own where "
        "configured. Web services: https likewise.",
        "**Association level**: called and calling AE titles are checked where configured. There is no User Identity Negotiation.",
        "**Application level**: every request over HTTP is made by a person who is signed in (password, or OpenID Connect where "
        "configured) or by software with a key; each route asks for one scope. Decisions about corrections carry the name of a person.",
        "**Records**: every correction is in the ledger with who decided, when and why (`GET /api/v1/corrections`, CSV "
        "and JSON export). There are no "
        "audit trail messages (PS3.15 Annex A.5). Logs, metrics and events hold UIDs, AE titles and codes, and nothing about a patient.",
        "**Digital signatures** are neither made nor checked; a corrected image loses those of its source, which would not hold. "
        "**De-identification** is not done: Patient Identity Removed and its method are taken over from the image.",
    )


def _default(value: object) -> str:
    if value is None or value == () or str(value) in ("", "PydanticUndefined"):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, BaseModel):
        return ", ".join(f"{key} {_default(each)}" for key, each in value.model_dump(by_alias=True).items())
    return str(value)
