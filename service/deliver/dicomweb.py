"""DICOMweb: store with STOW-RS, query with QIDO-RS, retrieve with WADO-RS (PS3.18 sections 10.4 to 10.6)."""

from __future__ import annotations

import uuid
from email.message import Message
from io import BytesIO

import httpx
import pydicom
from pydicom.dataset import Dataset

from models.errors import FileUnparsable, ModelsError
from models.foreign_parsers import read_dicom, translate_errors
from service.deliver.comparison import NotFound, Retrieved, RetrieveResult, Unverified
from service.deliver.dimse import NATIVE, as_native, is_accepted, is_permanent
from service.deliver.web import UNAUTHORISED, base, check, open_client
from service.destinations import WebService
from service.domain.instance_reference import InstanceReference
from service.errors import DestinationRefused, SopClassRefused

JSON = "application/dicom+json"
DICOM = "application/dicom"
SOP_CLASS_NOT_SUPPORTED = 0x0122
TRANSFER_SYNTAX_NOT_SUPPORTED = 0xC122
"""Failure Reasons of a Store Transaction (PS3.18 Annex I.2)."""
ABSENT = (204, 404, 410)


def store(dataset: Dataset, service: WebService, name: str) -> int:
    """Send one object (PS3.18 section 10.5), in its own transfer syntax if the peer accepts that, else decompressed.

    Returns
    -------
    int
        0, the DIMSE status of success.

    Raises
    ------
    DestinationUnreachable
        The peer does not answer.
    SopClassRefused
        The peer does not support the SOP class. DICOMweb has no negotiation, so this is known only after the request.
    DestinationRefused
        The peer does not accept this object; `status` is its failure reason, or the HTTP status if it names none.
    """
    response = _post(dataset, service, name)
    reason = failure_reason(response)
    if reason == TRANSFER_SYNTAX_NOT_SUPPORTED and dataset.file_meta.TransferSyntaxUID not in NATIVE:
        response = _post(as_native(dataset), service, name)
        reason = failure_reason(response)
    if reason == SOP_CLASS_NOT_SUPPORTED:
        raise SopClassRefused(f"{name}: does not take {dataset.SOPClassUID.name}", str(dataset.SOPClassUID), reason)
    if reason is not None and not is_accepted(reason):
        raise DestinationRefused(f"{name}: STOW-RS refused with reason 0x{reason:04X}", reason, is_permanent(reason))
    if response.status_code != httpx.codes.CONFLICT or reason is None:
        check(response, "STOW-RS", name)
    return 0x0000


def _post(dataset: Dataset, service: WebService, name: str) -> httpx.Response:
    boundary = uuid.uuid4().hex
    content = BytesIO()
    pydicom.dcmwrite(content, dataset, enforce_file_format=True)
    body = b"".join((f"--{boundary}\r\nContent-Type: {DICOM}\r\n\r\n".encode(), content.getbuffer(), f"\r\n--{boundary}--\r\n".encode()))
    headers = {"Content-Type": f'multipart/related; type="{DICOM}"; boundary={boundary}', "Accept": JSON}
    with open_client(service, name) as client:
        return client.post(f"{base(service)}/studies", content=body, headers=headers)


def failure_reason(response: httpx.Response) -> int | None:
    """Failure Reason (0008,1197) of the one object that was sent (PS3.3 C.12.1.1.16); None if the answer names none."""
    try:
        with translate_errors(FileUnparsable, "the answer cannot be read"):
            outcome = Dataset.from_json(response.json())
            items = [item for keyword in ("FailedSOPSequence", "OtherFailuresSequence") for item in outcome.get(keyword) or []]
            return next((int(item.FailureReason) for item in items if item.get("FailureReason") is not None), None)
    except ModelsError:
        return None


def retrieve(reference: InstanceReference, service: WebService, name: str) -> RetrieveResult:
    """Find the object with QIDO-RS and retrieve it with WADO-RS.

    Raises
    ------
    DestinationUnreachable, DestinationRefused
        The peer does not answer, or answers with a passing error.
    """
    series = f"{base(service)}/studies/{reference.study_instance_uid}/series/{reference.series_instance_uid}/instances"
    with open_client(service, name) as client:
        found = client.get(series, params={"SOPInstanceUID": reference.sop_instance_uid}, headers={"Accept": JSON})
        if found.status_code in ABSENT:
            return NotFound()
        if found.status_code in UNAUTHORISED:
            return Unverified(f"QIDO-RS answered with HTTP {found.status_code}: allow our user to query and to retrieve")
        check(found, "QIDO-RS", name)
        if not _lists(found, reference.sop_instance_uid):
            return NotFound()
        # Any transfer syntax, so that the peer need not transcode.
        wanted = {"Accept": f'multipart/related; type="{DICOM}"; transfer-syntax=*'}
        response = client.get(f"{series}/{reference.sop_instance_uid}", headers=wanted)
    if response.status_code in ABSENT:
        return NotFound()
    if response.status_code in (*UNAUTHORISED, httpx.codes.NOT_ACCEPTABLE):
        return Unverified(f"WADO-RS answered with HTTP {response.status_code}: allow our user to retrieve")
    check(response, "WADO-RS", name)
    try:
        return Retrieved(read_dicom(BytesIO(first_part(response))))
    except (ModelsError, ValueError):
        return Unverified("the answer of WADO-RS is not a DICOM object")


def first_part(response: httpx.Response) -> bytes:
    """The first body of a multipart answer (RFC 2046 5.1), or the whole of an answer that is not multipart. Raises ValueError."""
    header = Message()
    header["Content-Type"] = response.headers.get("Content-Type", "")
    boundary = header.get_boundary()
    if boundary is None:
        return response.content
    delimiter = b"--" + boundary.encode()
    start = response.content.index(b"\r\n\r\n", response.content.index(delimiter)) + 4
    return response.content[start : response.content.index(b"\r\n" + delimiter, start)]


def _lists(response: httpx.Response, sop_instance_uid: str) -> bool:
    try:
        with translate_errors(FileUnparsable, "the answer cannot be read"):
            return any(Dataset.from_json(each).get("SOPInstanceUID", sop_instance_uid) == sop_instance_uid for each in response.json())
    except ModelsError:
        return False
