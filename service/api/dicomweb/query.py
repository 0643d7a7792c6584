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
"""Of a list of UIDs, classes or modalities."""
MOST_TEXTS = 50
"""Values of any other key."""
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
    "PatientID": "patient_ids",
    "PatientName": "patient_names",
    "PatientSex": "sexes",
    "AccessionNumber": "accession_numbers",
}
_DATES = {"PatientBirthDate": "birth_dates", "StudyDate": "study_dates"}
LEDGER_KEYS = (*_LISTS, *_TEXTS, *_DATES)
"""Attributes that the ledger answers by itself; any other is looked up in the files."""
_CONTROL = {"limit", "offset", "fuzzymatching", "emptyvaluematching", "multiplevaluematching", "accept", "charset"}
_EMPTY_VALUE = '""'
"""With ``emptyvaluematching=true``: an attribute that is absent or has no value (PS3.4 section C.2.2.2.7)."""
_SHOWN_NAMES = 8
"""How many ignored parameters a Warning names."""


@dataclass(frozen=True)
class Query:
    wanted: ObjectFilter
    in_files: tuple[tuple[Way, tuple[str, ...]], ...]
    """What else must match, and is in no column of the ledger: one of the values, '' for an attribute without value."""
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
        400: a value that cannot be one, a number that is none. A parameter that is neither an attribute nor one of ours is ignored
        with a Warning (PS3.18 section 8.3.4): cache busters and options of other servers are no fault.
    """
    given: dict[Way, list[str]] = {}
    fields: set[BaseTag] = set()
    all_fields = False
    control: dict[str, str] = {}
    ignored: list[str] = []
    for name, value in request.query_params.multi_items():
        if len(value) > LONGEST_VALUE or not all(each.isprintable() for each in value):
            raise _wrong(f"the value of {_show(name)} is too long or holds control characters")
        if name.lower() in _CONTROL:
            control[name.lower()] = value
        elif name == "includefield":
            for each in filter(None, (part.strip() for part in value.split(","))):
                way = None if each == "all" else read_way(each)
                all_fields = all_fields or each == "all"
                if way is not None:
                    fields.add(way[0])
                elif each != "all":
                    ignored.append(each)
        elif (way := read_way(name)) is not None and dictionary_has_tag(way[-1]):
            given.setdefault(way, []).append(value)
        else:
            ignored.append(name)
    columns, in_files = _read_keys(given, _read_flag(control, "multiplevaluematching"), _read_flag(control, "emptyvaluematching"))
    limit = _read_number(control, "limit", MOST_RESULTS)
    warnings = [NO_FUZZY] if _read_flag(control, "fuzzymatching") else []
    return Query(
        wanted=_within(ObjectFilter(**columns), **fixed),  # type: ignore[arg-type]  # keywords and their values come from one table
        in_files=in_files,
        fields=frozenset(fields),
        all_fields=all_fields,
        offset=_read_number(control, "offset", 0),
        limit=min(limit, MOST_RESULTS),
        warnings=tuple(warnings + ([_warn_ignored(ignored)] if ignored else [])),
    )


def _read_keys(
    given: dict[Way, list[str]], multiple: bool, empty: bool
) -> tuple[dict[str, tuple[object, ...]], tuple[tuple[Way, tuple[str, ...]], ...]]:
    """What the ledger matches, and what is matched in the files. A key that is given several times matches any of its values."""
    columns: dict[str, tuple[object, ...]] = {}
    in_files: list[tuple[Way, tuple[str, ...]]] = []
    for way, values in given.items():
        if any(each in ("", "*") for each in values):
            continue  # universal matching (PS3.4 section C.2.2.2.3)
        keyword = keyword_for_tag(way[0]) if len(way) == 1 else ""
        if multiple or keyword in _LISTS:
            # A comma may also be part of a text, so that the whole is a value too.
            whole = values if keyword not in _LISTS and _vr(way) not in MOMENTS else []
            values = [*whole, *(part.strip() for value in values for part in re.split(r"[,\\]", value))]
        values = [each for each in dict.fromkeys(values) if each]
        most = MOST_VALUES if keyword in _LISTS else MOST_TEXTS
        if len(values) > most:
            raise _wrong(f"{_name(way)}: a list has at most {most} values here")
        if keyword in LEDGER_KEYS:
            field, read = _read_column(keyword, values, empty)
            columns[field] = read
        else:
            for value in values:
                if not (empty and value == _EMPTY_VALUE):
                    _check_key(way, value)
            in_files.append((way, tuple("" if empty and value == _EMPTY_VALUE else value for value in values)))
    return columns, tuple(in_files)


def read_way(name: str) -> Way | None:
    """``PatientID``, ``00100020``, or a way through sequences with dots (PS3.18 section 8.3.4.1); None for what is no attribute.

    Raises
    ------
    ProblemError
        400 for a path that is nested too deep.
    """
    way = []
    for each in name.split("."):
        tag = Tag(int(each, 16)) if re.fullmatch(r"[0-9A-Fa-f]{8}", each) else None
        if tag is None:
            known = tag_for_keyword(each) if each.isalnum() else None
            if known is None:
                return None
            tag = Tag(known)
        way.append(tag)
    if len(way) > 8:
        raise _wrong("the attribute path is nested too deep")
    return tuple(way)


def _read_column(keyword: str, given: list[str], empty: bool) -> tuple[str, tuple[object, ...]]:
    """Attribute of `ObjectFilter`, and its values; '' and ('', '') there mean an attribute without value."""
    nothing = [each for each in given if empty and each == _EMPTY_VALUE]
    values = [each for each in given if each not in nothing]
    if keyword in _DATES:
        return _DATES[keyword], tuple(read_range(each, "DA") for each in values) + (("", ""),) * bool(nothing)
    if keyword in _TEXTS:
        return _TEXTS[keyword], tuple(each.strip(" ") for each in values) + ("",) * bool(nothing)
    if not keyword.endswith("UID"):
        return _LISTS[keyword], tuple(values) + ("",) * bool(nothing)
    if not all(re.fullmatch(r"[0-9.]{1,64}", each) for each in values):
        raise _wrong(f"{keyword}: not a list of UIDs")
    return _LISTS[keyword], tuple(values) + (NO_UID,) * bool(nothing)


def _check_key(way: Way, value: str) -> None:
    vr = _vr(way)
    if UNMATCHABLE.intersection(vr.split(" or ")):
        raise _wrong(f"{_name(way)} is nothing that can be matched")
    if vr in MOMENTS:
        read_range(value, vr)


def _vr(way: Way) -> str:
    return dictionary_VR(way[-1]) if dictionary_has_tag(way[-1]) else "UN"


def _name(way: Way) -> str:
    return ".".join(keyword_for_tag(tag) or f"{tag:08X}" for tag in way)


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
    text = control.get(name, "").strip().lower() or "false"
    if text not in ("true", "false"):
        raise _wrong(f"{name} is true or false")
    return text == "true"


def _show(name: str) -> str:
    """A parameter's name as a problem may repeat it: one that looks like an attribute's."""
    return name if re.fullmatch(r"[A-Za-z0-9.]{1,64}", name) else "a parameter"


def _warn_ignored(names: list[str]) -> str:
    shown = [name for name in dict.fromkeys(names) if re.fullmatch(r"[A-Za-z0-9._-]{1,64}", name)][:_SHOWN_NAMES]
    return f'299 mammotriage "Parameters that are not supported were ignored: {", ".join(shown) or "unnamed"}."'


def _wrong(detail: str) -> ProblemError:
    return ProblemError(HTTPStatus.BAD_REQUEST, "invalid-query", detail)
