"""Data sets as DICOM JSON (PS3.18 annex F), large values as links. An element that cannot be read is left out; it stops nothing."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Iterable
from typing import Any

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.filewriter import correct_ambiguous_vr_element
from pydicom.tag import BaseTag

from models.attributes import normalise_moment
from service.api.dicomweb.files import quietly

INLINE_BYTES = 1024
"""A longer binary value becomes a BulkDataURI."""
BINARY = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
FILE_META, GROUP_LENGTH = 0x0002, 0x0000
SPECIFIC_CHARACTER_SET = 0x00080005

Json = dict[str, Any]
Link = Callable[[str], str]
"""From the way to a value (``00880200/0/7FE00010``) to its address."""


def as_json(dataset: Dataset, link: Link | None, only: Iterable[BaseTag] | None = None) -> Json:
    """A data set as one JSON object, tag by tag.

    Parameters
    ----------
    link
        Makes the BulkDataURI of a binary value that is too long for the JSON; None omits such values.
    only
        These elements of the top level; all of them without it. Group lengths and file meta never are there (F.2.2).
    """
    with quietly():
        return _data_set(dataset, link, only, "")


def _data_set(dataset: Dataset, link: Link | None, only: Iterable[BaseTag] | None, way: str) -> Json:
    answer: Json = {}
    for tag in sorted(only if only is not None else dataset.keys()):
        if tag not in dataset or tag.group == FILE_META or tag.element == GROUP_LENGTH:
            continue
        written = _element(dataset, tag, link, way)
        if written is not None:
            answer[f"{tag:08X}"] = written
    if f"{SPECIFIC_CHARACTER_SET:08X}" in answer:
        answer[f"{SPECIFIC_CHARACTER_SET:08X}"] = {"vr": "CS", "Value": ["ISO_IR 192"]}
    return answer


def write(answer: object) -> bytes:
    """JSON text, tags in rising order (F.2.2); whatever a header holds, it can be written."""
    return json.dumps(answer, allow_nan=False, sort_keys=True, separators=(",", ":")).encode("ascii")


def bulk(link: Link | None, way: str, vr: str) -> Json | None:
    """The BulkDataURI in place of a long value."""
    return {"vr": vr, "BulkDataURI": link(way)} if link else None


def _element(dataset: Dataset, tag: BaseTag, link: Link | None, way: str) -> Json | None:
    here = f"{way}{tag:08X}"
    try:
        raw: Any = dataset.get_item(tag)
        if isinstance(raw, RawDataElement) and raw.value is None and raw.length and (raw.VR or "UN") in BINARY:
            return bulk(link, here, raw.VR or "UN")  # still on the disk, and may stay there
        element = dataset[tag]
        if " or " in element.VR:
            correct_ambiguous_vr_element(element, dataset, True)
        if element.VR == "SQ":
            items = [_data_set(item, link, None, f"{here}/{number}/") for number, item in enumerate(element.value)]
            return {"vr": "SQ", "Value": items} if items else {"vr": "SQ"}
        if element.VR in BINARY:
            return _binary(element, link, here)
        return _today(_finite(element.to_json_dict(None, INLINE_BYTES)))
    except Exception:  # pydicom converts on first access and raises whatever the bytes provoke; an unreadable value is no value
        return None


def _binary(element: DataElement, link: Link | None, here: str) -> Json | None:
    value = element.value or b""
    if not isinstance(value, bytes):
        return None
    if len(value) > INLINE_BYTES:
        return bulk(link, here, element.VR)
    return {"vr": element.VR, "InlineBinary": base64.b64encode(value).decode()} if value else {"vr": element.VR}


def _finite(written: Json) -> Json | None:
    """JSON has no word for what is not a number; and a VR that the standard does not know is not written."""
    if len(written["vr"]) != 2:
        return None
    if "Value" in written:
        written["Value"] = [None if isinstance(each, float) and not math.isfinite(each) else each for each in written["Value"]]
    return written


def _today(written: Json | None) -> Json | None:
    """Dates and times in the form of ACR-NEMA as DICOM writes them today: F.2.3 has no other form."""
    if written and "Value" in written and written["vr"] in ("DA", "TM"):
        written["Value"] = [normalise_moment(each.strip(), written["vr"]) if isinstance(each, str) else each for each in written["Value"]]
    return written
