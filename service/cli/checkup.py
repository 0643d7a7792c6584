"""Check one destination before it is used: does it answer, which SOP classes does it accept, and how will our objects arrive."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydantic import BaseModel, Field
from pydicom.uid import UID
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StorageCommitmentPushModel,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

from service.cli.object_classes import SOP_CLASSES
from service.deliver.dicomweb import JSON
from service.deliver.dimse import NATIVE, associate
from service.deliver.negotiation import negotiate
from service.deliver.web import base, check, open_client
from service.destinations import ArchiveApi, Destination, WebService
from service.domain.findings import ObjectKind
from service.errors import DeliveryError

FIND, GET, MOVE, COMMITMENT = (
    str(sop_class)
    for sop_class in (
        StudyRootQueryRetrieveInformationModelFind,
        StudyRootQueryRetrieveInformationModelGet,
        StudyRootQueryRetrieveInformationModelMove,
        StorageCommitmentPushModel,
    )
)


class Checkup(BaseModel):
    """Result of the check."""

    name: str
    address: str
    answers: bool
    problems: list[str] = Field([], description="why nothing, or not everything, will work")
    remarks: list[str] = Field([], description="what will be otherwise than in full")
    takes: dict[str, bool] = Field({}, description="SOP Class UIDs that it was asked about; empty where it cannot be asked")


def check_destination(destination: Destination, our_ae: str) -> Checkup:
    """Call a destination over every protocol that it is configured with; no object is sent.

    Parameters
    ----------
    our_ae
        AE title we call with, unless the destination wants another one.
    """
    found = Checkup(name=destination.name, address=destination.address, answers=False)
    asked: list[str | None] = []
    if destination.ae_title:
        asked.append(_ask_dicom(destination, our_ae, found))
    if destination.dicomweb is not None:
        asked.append(_ask_web(destination.dicomweb, "studies?limit=1", "QIDO-RS", destination.name))
    if destination.archive is not None:
        asked.append(_ask_archive(destination.archive, destination.name))
    found.problems.extend(problem for problem in asked if problem)
    found.answers = not found.problems
    if found.takes:
        found.remarks.extend(_foresee(destination, found.takes))
    return found


def _ask_dicom(destination: Destination, our_ae: str, found: Checkup) -> str | None:
    """C-ECHO (PS3.4 Annex A), then which presentation contexts it accepts."""
    try:
        with associate(destination, our_ae, [(Verification, list(NATIVE))]) as association:
            try:
                status = association.send_c_echo().get("Status")
            except RuntimeError:
                status = None
        if status is None:
            return f"{destination.name}: no answer to C-ECHO"
        if status != 0:
            return f"{destination.name}: C-ECHO answered with status 0x{status:04X}"
        found.takes = negotiate(destination, our_ae)
    except DeliveryError as error:
        return str(error)
    return None


def _ask_archive(archive: ArchiveApi, name: str) -> str | None:
    path, what = {"orthanc": ("system", "Orthanc's API"), "dcm4chee": ("studies?limit=1", "dcm4chee's API")}[archive.kind]
    return _ask_web(archive, path, what, name)


def _ask_web(service: WebService, path: str, what: str, name: str) -> str | None:
    try:
        with open_client(service, name) as client:
            check(client.get(f"{base(service)}/{path}", headers={"Accept": f"{JSON}, application/json"}), what, name)
    except DeliveryError as error:
        return str(error)
    return None


def _foresee(destination: Destination, takes: dict[str, bool]) -> Iterator[str]:
    """Problems of the configuration, the most important first."""
    for kind in _wanted(destination):
        forms = SOP_CLASSES[kind]
        fitting = [uid for uid in forms if takes.get(uid)]
        if not fitting:
            yield f"does not take {UID(forms[0]).name}: {kind} will be left out"
        elif fitting[0] != forms[0]:
            yield f"does not take {UID(forms[0]).name}: {kind} goes as {UID(fitting[0]).name}"
    if destination.dicomweb is None and destination.read_back in ("auto", "c-get", "c-move"):
        road = {"c-get": takes.get(GET), "c-move": takes.get(MOVE)}.get(destination.read_back, takes.get(GET) or takes.get(MOVE))
        if not road:
            yield "offers no C-GET and no C-MOVE: arrival cannot be proved by reading back"
        elif not takes.get(FIND):
            yield "offers no C-FIND: arrival is proved by retrieving alone"
    if destination.commitment and not takes.get(COMMITMENT):
        yield "offers no storage commitment"


def _wanted(destination: Destination) -> Iterable[ObjectKind]:
    yield from destination.objects
    if destination.corrections.mode in ("new-series", "overwrite"):
        yield ObjectKind.CORRECTED
        if destination.corrections.rejection_note:
            yield ObjectKind.REJECTION
