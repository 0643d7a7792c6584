"""The query of a DICOMweb search (PS3.18 section 8.3.4): attributes to match, attributes to return, which page."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from http import HTTPStatus

from fastapi import Request
from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag, tag_for_keyword
from pydicom.tag import BaseTag, Tag

from service.api.dicomweb.matching import MOMENTS, UNMATCHABLE, read_range
from service.api.http.problems import ProblemError
from service.store.dicom_objects import ObjectFilter

MOST_RESULTS = 500
"""The longest page, even if `limit` is higher; a Warning header announces the rest."""
FARTHEST = 10_000_000
LONGEST_VALUE = 16_384
MOST_VALUES = 500
NO_FUZZY = '299 mammotriage "The fuzzymatching parameter is not supported. Only literal matching has been performed."'

NO_UID = "0"
"""Names nothing."""

Way = tuple[BaseTag, ...]
"""An attribute, or one within the items of sequences."""

_LISTS = {
    "StudyInstanceUID": "study_instance_uids",
    "SeriesInstanceUID": "series_instance_uids",
    "SOPInstanceUID": "sop_instance_uids",
    "SOPClassUID": "sop_class_uids",
    "Modality": "modalities",
    "ModalitiesInStudy": "modalities_in_study",
}
_TEXTS = {
    "PatientID": "patient_id",
    "PatientName": "patient_name",
    "PatientSex": "sex",
    "AccessionNumber": "accession_number",
}
_DATES = {"PatientBirthDate": "birth_dates", "StudyDate": "study_dates"}
LEDGER_KEYS = (*_LISTS, *_TEXTS, *_DATES)
"""Attributes that the ledger answers by itself; any other is looked up in the files."""
_CONTROL = {"limit", "offset", "fuzzymatching", "includefield", "accept", "charset"}


@dataclass(frozen=True)
class Query:
    wanted: ObjectFilter
    in_files: tuple[tuple[Way, str], ...]
    """What else must match, and is in no column of the ledger."""
    fields: frozenset[BaseTag]
    """Attributes that are requested in addition to the default ones."""
    all_fields: bool
    offset: int
    limit: int
    warnings: tuple[str, ...]


def read_query(request: Request, **fixed: str) -> Query:
    """Parse a query string.

    Parameters
    ----------
    fixed
        What the path says: ``study_instance_uid``, ``series_instance_uid``.

    Raises
    ------
    ProblemError
        400: an unknown attribute, a value that cannot be one, a number that is none.
    """
    columns: dict[str, tuple[str, ...] | str | tuple[str, str]] = {}
    in_files: list[tuple[Way, str]] = []
    fields: set[BaseTag] = set()
    all_fields = False
    control: dict[str, str] = {}
    seen: set[Way] = set()
    for name, value in request.query_params.multi_items():
        if len(value) > LONGEST_VALUE or not all(each.isprintable() for each in value):
            raise _wrong(f"the value of {_show(name)} is too long or holds control characters")
        if name == "includefield":
            for each in filter(None, value.split(",")):
                all_fields = all_fields or each == "all"
                if each != "all":
                    fields.add(read_way(each)[0])
            continue
        if name in _CONTROL:
            control[name] = value
            continue
        way = read_way(name)
        if way in seen:
            raise _wrong(f"{_show(name)} is given twice; write a list of UIDs with commas")
        seen.add(way)
        keyword = keyword_for_tag(way[0]) if len(way) == 1 else ""
        if value in ("", "*"):
            continue  # universal matching (PS3.4 section C.2.2.2.3)
        if keyword in LEDGER_KEYS:
            columns.update(_read_column(keyword, value))
        else:
            _check_key(way, value, name)
            in_files.append((way, value))
    wanted = ObjectFilter(**columns)  # type: ignore[arg-type]  # keywords and their values come from one table
    limit = _read_number(control, "limit", MOST_RESULTS)
    return Query(
        wanted=_within(wanted, **fixed),
        in_files=tuple(in_files),
        fields=frozenset(fields),
        all_fields=all_fields,
        offset=_read_number(control, "offset", 0),
        limit=min(limit, MOST_RESULTS),
        warnings=(NO_FUZZY,) if _read_flag(control, "fuzzymatching") else (),
    )


def read_way(name: str) -> Way:
    """``PatientID``, ``00100020``, or a way through sequences with dots (PS3.18 section 8.3.4.1). Raises `ProblemError`."""
    way = []
    for each in name.split("."):
        tag = Tag(int(each, 16)) if re.fullmatch(r"[0-9A-Fa-f]{8}", each) else None
        if tag is None:
            known = tag_for_keyword(each) if each.isalnum() else None
            if known is None:
                raise _wrong(f"{_show(name)} is no attribute of DICOM and no parameter of a search")
            tag = Tag(known)
        way.append(tag)
    if len(way) > 8:
        raise _wrong("the attribute path is nested too deep")
    return tuple(way)


def _read_column(keyword: str, value: str) -> dict[str, tuple[str, ...] | tuple[str, str] | str]:
    if keyword in _DATES:
        return {_DATES[keyword]: read_range(value, "DA")}
    if keyword in _TEXTS:
        return {_TEXTS[keyword]: value.strip(" ")}
    values = tuple(dict.fromkeys(each.strip() for each in re.split(r"[,\\]", value) if each.strip()))
    if len(values) > MOST_VALUES:
        raise _wrong(f"{keyword}: a list has at most {MOST_VALUES} values here")
    if keyword.endswith("UID") and not all(re.fullmatch(r"[0-9.]{1,64}", each) for each in values):
        raise _wrong(f"{keyword}: not a list of UIDs")
    return {_LISTS[keyword]: values}


def _check_key(way: Way, value: str, name: str) -> None:
    vr = dictionary_VR(way[-1]) if dictionary_has_tag(way[-1]) else "UN"
    if UNMATCHABLE.intersection(vr.split(" or ")):
        raise _wrong(f"{_show(name)} is nothing that can be matched")
    if vr in MOMENTS:
        read_range(value, vr)


def _within(wanted: ObjectFilter, study_instance_uid: str = "", series_instance_uid: str = "") -> ObjectFilter:
    """Narrow to what the path names; a query for others within it finds nothing."""
    if study_instance_uid:
        wanted = replace(wanted, study_instance_uids=_only(study_instance_uid, wanted.study_instance_uids))
    if series_instance_uid:
        wanted = replace(wanted, series_instance_uids=_only(series_instance_uid, wanted.series_instance_uids))
    return wanted


def _only(uid: str, asked: tuple[str, ...]) -> tuple[str, ...]:
    return (uid,) if not asked or uid in asked else (NO_UID,)


def _read_number(control: dict[str, str], name: str, default: int) -> int:
    text = control.get(name, "")
    if not text:
        return default
    if not re.fullmatch(r"[0-9]{1,8}", text) or int(text) > FARTHEST:
        raise _wrong(f"{name} is a whole number up to {FARTHEST}")
    return int(text)


def _read_flag(control: dict[str, str], name: str) -> bool:
    text = control.get(name, "false")
    if text not in ("true", "false"):
        raise _wrong(f"{name} is true or false")
    return text == "true"


def _show(name: str) -> str:
    """A parameter's name as a problem may repeat it: one that looks like an attribute's."""
    return name if re.fullmatch(r"[A-Za-z0-9.]{1,64}", name) else "a parameter"


def _wrong(detail: str) -> ProblemError:
    return ProblemError(HTTPStatus.BAD_REQUEST, "invalid-query", detail)
