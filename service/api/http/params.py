"""Path, query and body values that several features share, and the UIDs of examples in the OpenAPI document."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query
from pydantic import AfterValidator, ConfigDict, StringConstraints

from service.store.corrections import POLICY

STUDY_INSTANCE_UID, SOP_INSTANCE_UID = "2.25.201304711", "2.25.338214001"
"""UIDs of the examples."""

Id = Annotated[int, Path(ge=1, le=2**31 - 1, description="number in the ledger", examples=[17])]


Cursor = Annotated[str | None, Query(pattern=r"^\d{1,9}$", description="`next_cursor` of the former page")]


SIGNED = "; left out by a person who is signed in, needed with a key"


def example(value: object) -> ConfigDict:
    """Model configuration with one example for the OpenAPI document."""
    return ConfigDict(json_schema_extra={"examples": [value]})  # type: ignore[list-item]


def _said(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be one line of printable text")
    return text


def _person(name: str) -> str:
    if name.casefold() == POLICY:
        raise ValueError("must be the name of a person")
    return name


Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=64), AfterValidator(_said), AfterValidator(_person)]


Why = Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=1000), AfterValidator(_said)]


ROOT = "/api/v1"


Uid = Annotated[str, Path(pattern=r"^[0-9]+(\.[0-9]+)*$", max_length=64, description="DICOM UID", examples=[STUDY_INSTANCE_UID])]


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("without control characters")
    return text


Word = Annotated[str, StringConstraints(max_length=64), AfterValidator(_printable)]
