"""Tolerant reading of DICOM attributes: an absent, empty or unreadable attribute has an empty value."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import pydicom
from pydicom.dataset import Dataset

from models.character_sets import mend_pydicom

mend_pydicom()

# An odd value is no reason to reject an instance, and pydicom's warnings about values would write them into logs.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE


def read(dataset: Dataset, keyword: str) -> Any:
    """The value of an attribute; None where it is absent or unreadable (pydicom converts on first access and can raise anything)."""
    try:
        return dataset[keyword].value
    except Exception:
        return None


def read_text(dataset: Dataset, keyword: str) -> str:
    """The value as text; backslashes join several values, as in the file."""
    return "\\".join(str(value).strip() for value in _values(read(dataset, keyword)))


def read_term(dataset: Dataset, keyword: str) -> str:
    """The value as an upper-case term, for comparisons."""
    return read_text(dataset, keyword).upper()


def read_terms(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    """Every value as an upper-case term."""
    return tuple(str(value).strip().upper() for value in _values(read(dataset, keyword)))


def read_words(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    """The upper-case words and numbers of a text."""
    return tuple(re.findall(r"[A-Z0-9]+", read_term(dataset, keyword)))


def read_date(dataset: Dataset, keyword: str) -> str:
    """A date as YYYYMMDD; other text as it is."""
    return normalise_moment(read_text(dataset, keyword), "DA")


def normalise_moment(text: str, vr: str) -> str:
    """A date or a time of ACR-NEMA, ``2026.03.05`` or ``14:15:00``, as DICOM writes it today (PS3.5 section 6.2, DA and TM)."""
    if vr == "DA" and re.fullmatch(r"\d{4}\.\d{2}\.\d{2}", text, re.ASCII):
        return text.replace(".", "")
    if vr == "TM" and re.fullmatch(r"\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?", text, re.ASCII):
        return text.replace(":", "")
    return text


def read_number(dataset: Dataset, keyword: str) -> float | None:
    """The first value as a finite number."""
    try:
        number = float(_values(read(dataset, keyword))[0])
    except (IndexError, TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def read_count(dataset: Dataset, keyword: str, default: int = 0) -> int:
    """The first value as a non-negative whole number."""
    number = read_number(dataset, keyword)
    return int(number) if number is not None and number >= 0 else default


def read_items(dataset: Dataset, keyword: str) -> tuple[Dataset, ...]:
    """The items of a sequence."""
    return tuple(item for item in _values(read(dataset, keyword)) if isinstance(item, Dataset))


def _values(value: Any) -> Sequence[Any]:
    if value is None or value == "":
        return ()
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        return (value,)
    return value
