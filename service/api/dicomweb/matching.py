"""Attribute matching on a data set (PS3.4 section C.2.2.2), for keys that the ledger has no column for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from http import HTTPStatus
from typing import Any

from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from models.attributes import normalise_moment
from service.api.http.problems import ProblemError

UNMATCHABLE = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN", "SQ"})
MOMENTS = {"DA": r"\d{8}", "TM": r"\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?", "DT": r"\d{4,14}(\.\d{1,6})?"}
"""How a date or a time is written in a query, by VR; zones are not supported."""
NUMBERS = frozenset({"IS", "DS", "US", "SS", "UL", "SL", "UV", "SV", "FL", "FD"})


def read_range(value: str, vr: str) -> tuple[str, str]:
    """First and last of a date or time range, both included; empty where that end is open (PS3.4 section C.2.2.2.5).

    Raises
    ------
    ProblemError
        400 for what is neither a value nor a range.
    """
    first, dash, last = (normalise_moment(each.strip(" "), vr) for each in value.partition("-"))
    ends = [each for each in (first, last) if each]
    if not ends or not all(re.fullmatch(MOMENTS[vr], each, re.ASCII) for each in ends):
        raise ProblemError(
            HTTPStatus.BAD_REQUEST, "invalid-query", f"no value and no range of {vr}; a range is written as in 20260101-20261231"
        )
    return (first, last) if dash else (first, first)


def matches(dataset: Dataset, way: Sequence[BaseTag], value: str) -> bool:
    """Whether an attribute, or one within any item of its sequences, has the value that is asked for; '' asks for one without value."""
    tag, *deeper = way
    try:
        element = dataset[tag]
        found, vr = element.value, element.VR
    except Exception:  # pydicom converts on first access: what is absent or cannot be read does not match
        return not value and tag not in dataset
    if deeper:
        return vr == "SQ" and (any(matches(item, deeper, value) for item in found) or (not value and not found))
    texts = [normalise_moment(each, vr) for each in _texts(found)]
    return any(_equals(each, vr, value) for each in texts) if value else not any(texts)


def _texts(value: Any) -> Iterator[str]:
    many = isinstance(value, Sequence) and not isinstance(value, str | bytes)
    for each in value if many else (value,):
        if each is not None:
            yield str(each).strip()


def _equals(text: str, vr: str, wanted: str) -> bool:
    if vr in MOMENTS:
        first, last = read_range(wanted, vr)
        # What is asked for less precisely covers all that begins with it: 1415 is the whole minute.
        return bool(text) and (not first or text >= first) and (not last or text[: len(last)] <= last)
    if vr == "UI":
        return text in re.split(r"[,\\]", wanted)
    if vr == "PN":
        names = (text.casefold(), *text.casefold().split("="))
        return any(fnmatchcase(each, _pattern(wanted.casefold())) for each in names)
    if vr in NUMBERS:
        return _number(text) == _number(wanted) is not None
    return fnmatchcase(text, _pattern(wanted))


def _pattern(value: str) -> str:
    # fnmatch knows sets in brackets, which DICOM does not; it never tries a text twice, however many wildcards there are.
    return value.replace("[", "[[]")


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
