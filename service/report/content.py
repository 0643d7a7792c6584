"""Content items of a structured report (PS3.3 C.17.3), for templates that highdicom does not have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from highdicom.sr import CodedConcept
from pydicom.dataset import Dataset

from service.report.coding import code_item

CONTAINS = "CONTAINS"
HAS_ACQ_CONTEXT = "HAS ACQ CONTEXT"
HAS_CONCEPT_MOD = "HAS CONCEPT MOD"
HAS_OBS_CONTEXT = "HAS OBS CONTEXT"
HAS_PROPERTIES = "HAS PROPERTIES"
INFERRED_FROM = "INFERRED FROM"
SELECTED_FROM = "SELECTED FROM"


def make_container(relationship: str, name: CodedConcept, children: Iterable[Dataset]) -> Dataset:
    """A CONTAINER; `relationship` is empty for the root."""
    item = _make(relationship, "CONTAINER", name, children)
    item.ContinuityOfContent = "SEPARATE"
    return item


def make_code(relationship: str, name: CodedConcept, value: CodedConcept, children: Iterable[Dataset] = ()) -> Dataset:
    """A CODE."""
    item = _make(relationship, "CODE", name, children)
    item.ConceptCodeSequence = [_code(value)]
    return item


def make_text(relationship: str, name: CodedConcept, text: str) -> Dataset:
    """A TEXT."""
    item = _make(relationship, "TEXT", name)
    item.TextValue = plain_text(text)
    return item


def make_number(relationship: str, name: CodedConcept, value: float | str, units: CodedConcept) -> Dataset:
    """A NUM. A string is written unchanged."""
    measured = Dataset()
    measured.NumericValue = value if isinstance(value, str) else f"{value:.6g}"
    measured.MeasurementUnitsCodeSequence = [_code(units)]
    item = _make(relationship, "NUM", name)
    item.MeasuredValueSequence = [measured]
    return item


def make_date(relationship: str, name: CodedConcept, value: str) -> Dataset:
    """A DATE, its value as a DA string."""
    item = _make(relationship, "DATE", name)
    item.Date = value
    return item


def make_time(relationship: str, name: CodedConcept, value: str) -> Dataset:
    """A TIME, its value as a TM string."""
    item = _make(relationship, "TIME", name)
    item.Time = value
    return item


def make_uid(relationship: str, name: CodedConcept, uid: str) -> Dataset:
    """A UIDREF."""
    item = _make(relationship, "UIDREF", name)
    item.UID = uid
    return item


def make_image(relationship: str, image: Dataset, children: Iterable[Dataset] = ()) -> Dataset:
    """An IMAGE without a concept name."""
    reference = Dataset()
    reference.ReferencedSOPClassUID = image.SOPClassUID
    reference.ReferencedSOPInstanceUID = image.SOPInstanceUID
    item = _make(relationship, "IMAGE", None, children)
    item.ReferencedSOPSequence = [reference]
    return item


def make_region(
    relationship: str, name: CodedConcept, graphic_type: str, points: Iterable[tuple[float, float]], children: Iterable[Dataset]
) -> Dataset:
    """A SCOORD.

    Parameters
    ----------
    graphic_type
        ``POINT`` or ``POLYLINE``.
    points
        (row, column) in pixels of the image; DICOM has the column first (PS3.3 C.18.6.1.1).
    """
    item = _make(relationship, "SCOORD", name, children)
    item.GraphicData = [value for row, column in points for value in (float(column), float(row))]
    item.GraphicType = graphic_type
    return item


def make_reference(relationship: str, position: Sequence[int]) -> Dataset:
    """A relationship by reference to the item at `position`, counted from 1 at the root (PS3.3 C.17.3.2.5)."""
    item = Dataset()
    item.RelationshipType = relationship
    item.ReferencedContentItemIdentifier = list(position)
    return item


def plain_text(text: str) -> str:
    """`text` in ISO 646, which every character set of a source includes; other characters become question marks."""
    return text.encode("ascii", "replace").decode()


def as_plain(item: Dataset) -> Dataset:
    """The same content as plain datasets: highdicom's own classes cannot be compared with a report that an archive sends back."""
    plain = Dataset()
    for element in item:
        if element.VR == "SQ":
            plain.add_new(element.tag, "SQ", [as_plain(child) for child in element.value])
        else:
            plain.add(element)
    return plain


def _make(relationship: str, value_type: str, name: CodedConcept | None, children: Iterable[Dataset] = ()) -> Dataset:
    item = Dataset()
    if relationship:
        item.RelationshipType = relationship
    item.ValueType = value_type
    if name is not None:
        item.ConceptNameCodeSequence = [_code(name)]
    content = list(children)
    if content:
        item.ContentSequence = content
    return item


def _code(concept: CodedConcept) -> Dataset:
    return code_item(concept.value, concept.scheme_designator, concept.meaning)
