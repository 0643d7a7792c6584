"""Who talks to whom and how: application entities, services, SOP classes, transfer syntaxes, statuses, web services."""

from __future__ import annotations

from typing import get_args

from pydicom.uid import UID
from pynetdicom.presentation import AllStoragePresentationContexts
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StorageCommitmentPushModel,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

from service.cli.conformance.markdown import join, table
from service.cli.conformance.web_services import describe_origin_server
from service.cli.object_classes import IMAGE_CLASSES, SOP_CLASSES
from service.deliver.commitment import WAIT_S
from service.deliver.comparison import IDENTITY, IMAGE, REPORT
from service.deliver.dimse import NATIVE, is_accepted, is_permanent
from service.deliver.query_retrieve import COMPRESSED
from service.deliver.web import TRANSIENT_STATUSES
from service.domain.findings import DeliveryState, ObjectKind
from service.domain.policy import CorrectionMode
from service.error_table import CANNOT_UNDERSTAND, ERROR_TABLE
from service.errors import NotReceived
from service.receive.dimse_status import SUCCESS
from service.receive.listener import TRANSFER_SYNTAXES
from service.report import concepts
from service.settings import Settings

STATUSES = {
    0x0000: "Success",
    0xB000: "Coercion of Data Elements",
    0xB006: "Elements Discarded",
    0xB007: "Data Set does not match SOP Class (warning)",
    0x0105: "No Such Attribute",
    0x0106: "Invalid Attribute Value",
    0x0110: "Processing Failure",
    0x0111: "Duplicate SOP Instance",
    0x0117: "Invalid SOP Instance",
    0x0122: "SOP Class Not Supported",
    0x0124: "Not Authorized",
    0x0210: "Duplicate Invocation",
    0x0211: "Unrecognized Operation",
    0x0212: "Mistyped Argument",
    0x0213: "Resource Limitation",
    0xA700: "Out of Resources (A7xx)",
    0xA900: "Data Set does not match SOP Class (A9xx)",
    0xC000: "Cannot Understand (Cxxx)",
}
"""Statuses of a C-STORE response (PS3.4 Table B.2-1, PS3.7 Annex C)."""

OUTCOMES = {
    DeliveryState.PENDING: "not sent yet; tried again with growing pauses",
    DeliveryState.SENT: "taken by the peer, not yet proved",
    DeliveryState.VERIFIED: "read back and found as it was sent",
    DeliveryState.MISMATCH: "the peer said yes and holds something else",
    DeliveryState.REJECTED: "the peer said no, for good",
    DeliveryState.FAILED: "not brought to an end in all its tries",
    DeliveryState.UNSUPPORTED: "the peer does not take this SOP class",
}

_MOVES = (
    (StudyRootQueryRetrieveInformationModelFind, "C-FIND", "is the object there, and under which UIDs"),
    (StudyRootQueryRetrieveInformationModelGet, "C-GET", "the object itself, over the same association"),
    (StudyRootQueryRetrieveInformationModelMove, "C-MOVE", "the object itself, moved to RECEIVE; where C-GET is not offered or not wished"),
)


def list_storage_classes() -> list[str]:
    """SOP classes that the listener stores, by UID."""
    return sorted({str(context.abstract_syntax) for context in AllStoragePresentationContexts if context.abstract_syntax})


def describe_overview() -> str:
    """Section 1: what is supported, on a page."""
    analysed = ", ".join(f"{sop_class.name}" for sop_class in IMAGE_CLASSES)
    produced = [
        (UID(uid).name, str(uid), ", ".join(kind for kind in SOP_CLASSES if uid in SOP_CLASSES[kind]), "yes", "")
        for uid in dict.fromkeys(uid for uids in SOP_CLASSES.values() for uid in uids)
    ]
    services = [
        (Verification.name, Verification, "SCU", "SCP"),
        (f"Storage, {len(list_storage_classes())} SOP classes (annex E)", "", "", "SCP"),
        *((sop_class.name, sop_class, "SCU", "") for sop_class, _, _ in _MOVES),
        (StorageCommitmentPushModel.name, StorageCommitmentPushModel, "SCU", ""),
    ]
    return join(
        "mammotriage receives mammography studies, reads view, side, breast density and a score of suspicion from the pixels, compares "
        "them with the header, and sends results and corrected images to configured destinations. It is a triage aid for research, no "
        f"medical device. Analysed are images of {analysed} (the latter, digitised film, where a site opts in); everything else is "
        "stored and answered with the reason why it was not analysed.",
        "Table 1-1. Network services",
        table(("Service", "SOP Class UID", "User (SCU)", "Provider (SCP)"), services),
        "Table 1-2. Objects that are made here",
        table(("SOP class", "UID", "As", "Sent (Storage SCU)", "Transfer syntax"), _with_syntax(produced)),
        "Table 1-3. DICOM web services",
        table(
            ("Service", "User agent", "Origin server"),
            [("Store (STOW-RS)", "yes", "yes"), ("Search (QIDO-RS)", "yes", "yes"), ("Retrieve (WADO-RS)", "yes", "yes")],
        ),
        "Media interchange is not supported.",
    )


def describe_entities() -> str:
    """Section 4: application entities and the order of events."""
    ae_title, port = Settings.model_fields["ae_title"].default, Settings.model_fields["dicom_port"].default
    return join(
        "### 4.1 Application data flow",
        "```\n"
        "modality, archive ── C-STORE, STOW-RS ──► RECEIVE ──► store + ledger ──► analysis ──► conclusion of the study\n"
        "                                                                                            │\n"
        "archive ◄── C-STORE, STOW-RS ───────────────────────── DELIVER ◄── results, corrected images ┘\n"
        "archive ◄── C-FIND, C-GET, C-MOVE, N-ACTION ────────── DELIVER     (proof of arrival)\n"
        "archive ─── C-STORE (C-MOVE), N-EVENT-REPORT ────────► RECEIVE     (what DELIVER asked for)\n"
        "```",
        "### 4.2 Functional definition of application entities",
        f"**RECEIVE** listens (AE title `{ae_title}`, port {port}, both configurable). A Success of C-STORE means: the "
        "bytes are on the disk "
        "and the instance is in the ledger. An instance that DELIVER asked an archive to move back is handed to it and not stored as a new "
        "one; one of our own results that an archive routes back is taken and entered nowhere.",
        "**DELIVER** sends each object to each destination that the site's rules choose for the study, and proves that "
        "it arrived. It calls "
        "with the same AE title unless a destination is given another one.",
        "### 4.3 Sequencing",
        "For each object and destination: look whether the object is there already as it should be; if not, send it; ask for storage "
        "commitment where the peer offers it; read it back and compare. Identity "
        f"({', '.join(IDENTITY)}), of images {', '.join(IMAGE)} and the pixel data, of reports {', '.join(REPORT)} must "
        "be as sent. Nothing is "
        "sent twice that is proved to be there. Corrected images and their rejection notes of a study whose sides are swapped are not "
        "sent before a named person releases the study.",
        "Table 4.3-1. How a delivery ends, and what it is called on the way",
        table(("State", "Meaning"), [(state, OUTCOMES[state]) for state in DeliveryState]),
    )


def describe_services() -> str:
    """Section 5: services, SOP classes, transfer syntaxes, statuses."""
    return join(
        "### 5.1 RECEIVE: Storage SCP, Verification SCP",
        f"Takes the {len(list_storage_classes())} storage SOP classes of annex E and Verification. All attributes, "
        "private ones too, are kept as "
        "they came (level 2, full; PS3.4 B.4.1), as are the bytes of the data set. An instance received twice with the "
        "same bytes is answered "
        "with Success and kept once; with other bytes under the same UID both are kept, and the first stays in use.",
        "Patient ID with its issuer, name, birth date, sex, accession number and study date of an instance are compared with those of its "
        "study. Where a value differs, the policy of the sender decides: the study is held until a named person releases it, and no "
        "result leaves (default; Success), the instance is declined (C000, 409), or it is taken as one patient's.",
        "Table 5.1-1. Transfer syntaxes, in the order in which they are preferred",
        table(("Transfer syntax", "UID"), [(UID(uid).name, uid) for uid in TRANSFER_SYNTAXES]),
        f"Verification, and C-FIND, C-MOVE and N-ACTION towards peers: {', '.join(syntax.name for syntax in NATIVE)}. "
        "`mammotriage destinations check` is the user of Verification (C-ECHO).",
        "Table 5.1-2. Statuses of the C-STORE response",
        table(("Status", "Case", "Error comment, Failure"), _store_statuses()),
        "### 5.2 DELIVER: Storage SCU",
        "#### 5.2.1 SOP classes",
        "Those of table 1-2; a corrected image keeps the SOP class of its source. Which objects a destination gets is "
        "configured. Where a peer does not accept the SOP class of the measurement "
        "report, it gets the same content as "
        + " or ".join(uid.name for uid in SOP_CLASSES[ObjectKind.REPORT][1:])
        + "; an object for which no SOP class is accepted is left out, noted in the ledger and logged.",
        "#### 5.2.2 Transfer syntaxes",
        "Results: Explicit VR Little Endian and Implicit VR Little Endian. Images: the transfer syntax in which they were received, in a "
        "presentation context of its own, and the two native ones; a peer that takes only those gets the pixels "
        "decompressed without loss of "
        "what was decoded.",
        "#### 5.2.3 Mammography CAD SR (PS3.4 O.4.1)",
        _describe_cad(),
        "#### 5.2.4 What a status means",
        "Table 5.2-1. C-STORE response",
        table(("Status", "Name", "What is done"), [(f"{code:04X}", name, _consequence(code)) for code, name in STATUSES.items()]),
        "### 5.3 DELIVER: Query/Retrieve SCU",
        table(("SOP class", "UID", "Service", "What for"), [(uid.name, uid, service, reason) for uid, service, reason in _MOVES]),
        f"Query/Retrieve Level `IMAGE`; the keys are {', '.join(IDENTITY[1:])}. No other key is sent. As SCP of the "
        "C-STORE sub-operations of a C-GET "
        "the transfer syntaxes are " + ", ".join(syntax.name for syntax in (*NATIVE, *COMPRESSED)) + ".",
        "### 5.4 DELIVER and RECEIVE: Storage Commitment Push Model SCU",
        "N-ACTION (Action Type 1) for each object, where the peer accepts the SOP class. The N-EVENT-REPORT may come "
        "over the same association or "
        f"over one that the peer opens to RECEIVE; it is waited for {WAIT_S:g} s after the read-back, and answered "
        "with 0000, or 0110 where it cannot be "
        "read. A peer that proposes the context without the SCP role is a client of the service, which is not provided: the context is "
        "rejected. A commitment never replaces the read-back of an image that keeps its UID: an archive that kept the old copy commits "
        "too.",
        "### 5.5 Corrections of images that an archive holds",
        f"Modes, by destination: {', '.join(f'`{mode}`' for mode in get_args(CorrectionMode))}. `archive-api` uses no DICOM "
        "service: Orthanc's REST API, or the "
        "update of attributes of dcm4chee-arc; the read-back is the same. Annex B lists what changes.",
        "### 5.6 Web services",
        describe_origin_server(),
        "**User agent**, towards destinations with `dicomweb`: Store transaction, one instance a request; Search for "
        "Instances within a series by SOP "
        "Instance UID; Retrieve Instance in any transfer syntax. HTTP statuses "
        f"{', '.join(str(status) for status in sorted(TRANSIENT_STATUSES))} are tried again, other errors are final. "
        "Basic and bearer authentication.",
    )


def _store_statuses() -> list[tuple[str, str, str]]:
    kinds = sorted(NotReceived.__subclasses__(), key=lambda kind: kind.code)
    rows: list[tuple[str, str, str]] = [(f"{SUCCESS:04X}", "on the disk and in the ledger", "")]
    for kind in kinds:
        rows.append((f"{ERROR_TABLE[kind].dimse:04X}", " ".join((kind.__doc__ or "").split("\n\n")[0].split()).rstrip("."), kind.code))
    return [*rows, (f"{CANNOT_UNDERSTAND:04X}", "anything else that goes wrong in receiving", "")]


def _describe_cad() -> str:
    """What PS3.4 O.4.1.1 asks a Storage SCU of CAD SR to state, and when it makes a new SOP Instance (O.4.1)."""
    return join(
        f"* Detections (CID 6014): {concepts.SELECTED_REGION.meaning} ({concepts.SELECTED_REGION.value}, DCM), the only kind: the network "
        "does not tell a mass from calcifications. Attempted where an operating point is set.",
        f"* Analyses (CID 6043): {concepts.COMPOSITION_ANALYSIS.meaning} ({concepts.COMPOSITION_ANALYSIS.value}, SCT), "
        f"{concepts.QUALITY_ANALYSIS.meaning} ({concepts.QUALITY_ANALYSIS.value}, SCT), which is the comparison of labels with pixels.",
        f"* {concepts.PRESENTATION_REQUIRED.meaning}: an impression of an image with a marked region or a wrong label. "
        f"{concepts.PRESENTATION_OPTIONAL.meaning}: an impression that has breast composition only.",
        "* CAD Operating Point (111071, DCM) is not encoded: there is one operating point, and the text of the impressions names it. The "
        "measurement report has it as a number.",
        "* A new SOP Instance UID is made with each version of a study's conclusion: a mammogram arrived later or was analysed again, or a "
        "model changed. The new document names the former one in Predecessor Documents Sequence. A document that is sent again keeps its "
        "UID and its content. An object that is no mammogram makes no new version, and a study without any mammogram gets no CAD SR "
        "unless the destination has `without_mammogram`.",
    )


def _consequence(status: int) -> str:
    if is_accepted(status):
        return "taken; what is really there is read back"
    return "refused, final" if is_permanent(status) else "tried again"


def _with_syntax(rows: list[tuple[str, str, str, str, str]]) -> list[tuple[str, str, str, str, str]]:
    native = ", ".join(syntax.name for syntax in NATIVE)
    images = {str(uid) for uid in SOP_CLASSES[ObjectKind.CORRECTED]}
    return [(*row[:4], "as received" if row[1] in images else native) for row in rows]
