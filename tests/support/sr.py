"""Content trees of structured reports (PS3.3 C.17.3), as tests read them."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator

from highdicom.sr import CodedConcept
from pydicom.dataset import Dataset


def walk(item: Dataset) -> Iterator[Dataset]:
    """An item and everything below it, parents first."""
    yield item
    for child in item.get("ContentSequence", ()):
        yield from walk(child)


def is_named(item: Dataset, name: CodedConcept) -> bool:
    return "ConceptNameCodeSequence" in item and str(item.ConceptNameCodeSequence[0].CodeValue) == name.value


def named(root: Dataset, name: CodedConcept) -> list[Dataset]:
    """Every item of the tree with this concept name."""
    return [item for item in walk(root) if is_named(item, name)]


def meaning(item: Dataset) -> str:
    """Code meaning of the concept name."""
    return str(item.ConceptNameCodeSequence[0].CodeMeaning)


def code_value(item: Dataset) -> str:
    """Code value of a CODE item; '' of any other."""
    return str(item.ConceptCodeSequence[0].CodeValue) if "ConceptCodeSequence" in item else ""


def number(item: Dataset) -> float:
    """Numeric value of a NUM item."""
    return float(item.MeasuredValueSequence[0].NumericValue)


def codes(items: Iterable[Dataset]) -> dict[CodedConcept, str]:
    """Code values of CODE items, by concept name."""
    return {_name(item): code_value(item) for item in items if item.ValueType == "CODE"}


def numbers(items: Iterable[Dataset]) -> dict[CodedConcept, float]:
    """Numeric values of NUM items, by concept name."""
    return {_name(item): number(item) for item in items if item.ValueType == "NUM"}


def texts(items: Iterable[Dataset], name: CodedConcept) -> list[str]:
    """Texts of the TEXT items with this concept name."""
    return [str(item.TextValue) for item in items if item.get("ValueType") == "TEXT" and is_named(item, name)]


def _name(item: Dataset) -> CodedConcept:
    return CodedConcept.from_dataset(item.ConceptNameCodeSequence[0])


def encoded(dataset: Dataset) -> bytes:
    """The DICOM file of a dataset."""
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
