"""Asking an archive to change an image itself (``corrections.mode = "archive-api"``): Orthanc and dcm4chee.

Whether it did is not taken from its answer: the ordinary read-back shows that.
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
from service.deliver.comparison import Changes, as_dataset, pixels_equal, seek_held, unchanged
from service.deliver.dicomweb import JSON
from service.deliver.web import base, check, open_client
from service.destinations import ArchiveApi
from service.errors import DestinationRefused

UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
HISTORY = "OriginalAttributesSequence"


def apply(changes: Changes, archive: ArchiveApi, name: str) -> int:
    """Have the archive write new values into an image it holds.

    Returns
    -------
    int
        The HTTP status of its consent.

    Raises
    ------
    DestinationUnreachable
        Nobody answers.
    DestinationRefused
        It says no, does not hold the image, or would change more than it was asked to.
    """
    match archive.kind:
        case "orthanc":
            return _apply_orthanc(changes, archive, name)
        case "dcm4chee":
            return _apply_dcm4chee(changes, archive, name)


def _apply_orthanc(changes: Changes, archive: ArchiveApi, name: str) -> int:
    """Let Orthanc build the changed instance, look at it, and only then store it.

    An Orthanc that does not overwrite (its default) keeps the old one, and so be it: to delete the image first would leave a
    moment in which the archive has none. Orthanc writes no history of its own, so the record goes with the values.
    """
    with open_client(archive, name) as client:
        place = f"{base(archive)}/instances/{_orthanc_id(client, changes, archive, name)}"
        former = client.get(f"{place}/file")
        check(former, "the image's file", name)
        held = _parse(former.content, name)
        wanted = as_dataset(changes.values)
        wanted.OriginalAttributesSequence = [*(held.get(HISTORY) or []), changes.record]
        change = {
            "Replace": {_tag(element): _plain(element) for element in wanted},
            "Remove": [_tag_of(keyword) for keyword, value in changes.values.items() if value is None],
            "Keep": list(UIDS),
            "Force": True,
        }
        answer = client.post(f"{place}/modify", json=change)
        check(answer, "modify", name)
        _check_change(changes, held, _parse(answer.content, name), name)
        stored = client.post(f"{base(archive)}/instances", content=answer.content)
        check(stored, "storing", name)
        return stored.status_code


def _orthanc_id(client: httpx.Client, changes: Changes, archive: ArchiveApi, name: str) -> str:
    answer = client.post(f"{base(archive)}/tools/lookup", content=changes.sop_instance_uid)
    check(answer, "lookup", name)
    found = [str(each["ID"]) for each in answer.json() if each.get("Type") == "Instance"]
    if len(found) != 1:
        raise DestinationRefused(f"{name}: holds {len(found)} images under this UID")
    return found[0]


def _check_change(changes: Changes, former: Dataset, changed: Dataset, name: str) -> None:
    """Refuse a change that does more than was asked: nothing has been stored yet."""
    allowed = {Tag(keyword) for keyword in (*changes.values, HISTORY)}
    touched = {element.tag for element in (*former, *changed)} - allowed
    more = [tag for tag in touched if tag.element != 0 and not _is_equal(former, changed, tag)]
    if more or not pixels_equal(former, changed) or seek_held(former) != seek_held(changed) or unchanged(changes, changed):
        raise DestinationRefused(f"{name}: its change would not be the one that it was asked for, so nothing was stored")


def _is_equal(former: Dataset, changed: Dataset, tag: Any) -> bool:
    one, other = former.get(tag), changed.get(tag)
    if one is None or other is None:
        return (one is None or one.is_empty) and (other is None or other.is_empty)
    return bool(one.is_empty and other.is_empty) or bool(one == other)


def _apply_dcm4chee(changes: Changes, archive: ArchiveApi, name: str) -> int:
    """Update Instance Attributes of dcm4chee-arc (its issues 4042 and 4545, of 2024); `archive.url` ends in ``/aets/<AE title>/rs``.

    The archive writes the Original Attributes item itself. Its services for study and series are called with PUT, the text on
    the one for instances says POST: whoever does not know PUT gets POST.
    """
    body: dict[str, Any] = as_dataset(changes.values).to_json_dict()
    for keyword, value in changes.values.items():
        if value is None:
            # Without a value: the archive removes it.
            body[f"{Tag(keyword):08X}"] = {"vr": pydicom.datadict.dictionary_VR(keyword)}
    path = f"{base(archive)}/studies/{changes.study_instance_uid}/series/{changes.series_instance_uid}/instances/{changes.sop_instance_uid}"
    with open_client(archive, name) as client:
        how = {"reasonForModification": changes.reason, "updatePolicy": "OVERWRITE"}
        headers = {"Content-Type": JSON, "Accept": JSON}
        answer = client.put(path, params=how, json=body, headers=headers)
        if answer.status_code == httpx.codes.METHOD_NOT_ALLOWED:
            answer = client.post(path, params=how, json=body, headers=headers)
        check(answer, "the update of the image", name)
    return answer.status_code


def _parse(content: bytes, name: str) -> Dataset:
    try:
        return read_dicom(BytesIO(content))
    except ModelsError as error:
        raise DestinationRefused(f"{name}: answered with something that is no DICOM object") from error


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
