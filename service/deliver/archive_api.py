"""Ask an archive to change an image itself (``corrections.mode = "archive-api"``): Orthanc and dcm4chee.

The archive's answer proves nothing: the ordinary read-back shows whether it changed the image.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

import httpx
import pydicom
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import Tag

from models.errors import ModelsError
from models.foreign_parsers import read_dicom
from service.deliver.comparison import mismatching_keywords, pixels_equal
from service.deliver.dicomweb import JSON
from service.deliver.web import base, check, open_client
from service.destinations import ArchiveApi
from service.domain.attribute_changes import AttributeChanges
from service.domain.instance_reference import InstanceReference
from service.errors import DestinationRefused

UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
HISTORY = "OriginalAttributesSequence"


def apply(changes: AttributeChanges, archive: ArchiveApi, name: str) -> int:
    """Have the archive write new values into an image it holds.

    Returns
    -------
    int
        The HTTP status of the archive's answer.

    Raises
    ------
    DestinationUnreachable
        The archive does not answer.
    DestinationRefused
        The archive refuses, does not hold the image, or would change more than the requested attributes.
    """
    match archive.kind:
        case "orthanc":
            return _apply_orthanc(changes, archive, name)
        case "dcm4chee":
            return _apply_dcm4chee(changes, archive, name)


def _apply_orthanc(changes: AttributeChanges, archive: ArchiveApi, name: str) -> int:
    """Let Orthanc build the changed instance, check it, and only then store it.

    An Orthanc that does not overwrite (its default) keeps the old instance, and the read-back reports the mismatch. Deleting the image
    first would leave the archive without it for a moment. Orthanc writes no Original Attributes item, so the record goes with the values.
    """
    with open_client(archive, name) as client:
        instance_url = f"{base(archive)}/instances/{_orthanc_id(client, changes, archive, name)}"
        former = client.get(f"{instance_url}/file")
        check(former, "the image's file", name)
        held = _parse(former.content, name)
        wanted = changes.dataset()
        wanted.OriginalAttributesSequence = [*(held.get(HISTORY) or []), changes.record]
        change = {
            "Replace": {_tag(element): _plain(element) for element in wanted},
            "Remove": [_tag_of(keyword) for keyword in changes.removed],
            "Keep": list(UIDS),
            "Force": True,
        }
        response = client.post(f"{instance_url}/modify", json=change)
        check(response, "modify", name)
        _check_change(changes, held, _parse(response.content, name), name)
        stored = client.post(f"{base(archive)}/instances", content=response.content)
        check(stored, "storing", name)
        return stored.status_code


def _orthanc_id(client: httpx.Client, changes: AttributeChanges, archive: ArchiveApi, name: str) -> str:
    response = client.post(f"{base(archive)}/tools/lookup", content=changes.instance.sop_instance_uid)
    check(response, "lookup", name)
    found = [str(each["ID"]) for each in response.json() if each.get("Type") == "Instance"]
    if len(found) != 1:
        raise DestinationRefused(f"{name}: holds {len(found)} images under this UID, expected one")
    return found[0]


def _check_change(changes: AttributeChanges, former: Dataset, changed: Dataset, name: str) -> None:
    """Raise `DestinationRefused` for an instance that is changed beyond the requested attributes: nothing has been stored yet."""
    allowed = {Tag(keyword) for keyword in (*changes.values, HISTORY)}
    touched = {element.tag for element in (*former, *changed)} - allowed
    more = [tag for tag in touched if tag.element != 0 and not _is_equal(former, changed, tag)]
    same_instance = InstanceReference.of(former) == InstanceReference.of(changed)
    if more or not same_instance or not pixels_equal(former, changed) or mismatching_keywords(changes, changed):
        raise DestinationRefused(f"{name}: the archive would change other attributes than the requested ones, so nothing was stored")


def _is_equal(former: Dataset, changed: Dataset, tag: Any) -> bool:
    one, other = former.get(tag), changed.get(tag)
    if one is None or other is None:
        return (one is None or one.is_empty) and (other is None or other.is_empty)
    return bool(one.is_empty and other.is_empty) or bool(one == other)


def _apply_dcm4chee(changes: AttributeChanges, archive: ArchiveApi, name: str) -> int:
    """Update Instance Attributes of dcm4chee-arc (its issues 4042 and 4545, of 2024); `archive.url` ends in ``/aets/<AE title>/rs``.

    The archive writes the Original Attributes item itself. Its services for study and series take PUT, while its documentation of
    the one for instances says POST: an archive that answers PUT with 405 gets POST.
    """
    body: dict[str, Any] = changes.dataset().to_json_dict()
    for keyword in changes.removed:
        # The archive removes an attribute that comes without a value.
        body[f"{Tag(keyword):08X}"] = {"vr": pydicom.datadict.dictionary_VR(keyword)}
    instance = changes.instance
    series = f"{base(archive)}/studies/{instance.study_instance_uid}/series/{instance.series_instance_uid}"
    path = f"{series}/instances/{instance.sop_instance_uid}"
    with open_client(archive, name) as client:
        parameters = {"reasonForModification": changes.reason, "updatePolicy": "OVERWRITE"}
        headers = {"Content-Type": JSON, "Accept": JSON}
        response = client.put(path, params=parameters, json=body, headers=headers)
        if response.status_code == httpx.codes.METHOD_NOT_ALLOWED:
            response = client.post(path, params=parameters, json=body, headers=headers)
        check(response, "the update of the image", name)
    return response.status_code


def _parse(content: bytes, name: str) -> Dataset:
    try:
        return read_dicom(BytesIO(content))
    except ModelsError as error:
        raise DestinationRefused(f"{name}: the answer is not a DICOM object") from error


def _tag(element: DataElement) -> str:
    return f"{element.tag.group:04x},{element.tag.element:04x}"


def _tag_of(keyword: str) -> str:
    tag = Tag(keyword)
    return f"{tag.group:04x},{tag.element:04x}"


def _plain(element: DataElement) -> Any:
    """A value in Orthanc's own JSON: text as in a file, sequences as lists of objects."""
    if element.VR == "SQ":
        return [{_tag(each): _plain(each) for each in item} for item in element.value]
    if element.is_empty:
        return ""
    return "\\".join(str(each) for each in element.value) if isinstance(element.value, MultiValue | list) else str(element.value)
