"""The images of a Mammography CAD SR with the labels that their headers declare (PS3.16 TID 4020, CAD Image Library Entry)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pydicom.dataset import Dataset

from models.attributes import read, read_items, read_term, read_text
from models.vocabulary import BREAST_CODES, MODIFIER_CODES, VIEW_CODES, Code
from service.domain.header_labels import read_view
from service.report import concepts
from service.report.concepts import concept
from service.report.content import (
    CONTAINS,
    HAS_ACQ_CONTEXT,
    HAS_CONCEPT_MOD,
    make_code,
    make_container,
    make_date,
    make_image,
    make_number,
    make_text,
    make_time,
)
from service.report.orientation import is_valid_orientation

DATE = re.compile(r"\d{8}")
LENGTH = re.compile(r"\d{1,6}(\.\d{1,9})?")
TIME = re.compile(r"\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?")
SIDES = {side.value: side for side in BREAST_CODES}


def is_image(source: Dataset) -> bool:
    """Tell whether SR may reference the instance as an IMAGE (PS3.3 C.18.4)."""
    return "Rows" in source


def build_library(images: Sequence[Dataset]) -> Dataset:
    """TID 4000 rows 3 and 4. The library has the declared labels of the images; the findings have those that the pixels show."""
    entries = [make_image(CONTAINS, image, _context(image)) for image in images]
    return make_container(CONTAINS, concepts.IMAGE_LIBRARY, entries)


def _context(image: Dataset) -> Iterator[Dataset]:
    """Rows 2 to 12; a value that is absent or malformed has no row."""
    side = read_term(image, "ImageLaterality")
    if side in SIDES:
        yield make_code(HAS_ACQ_CONTEXT, concepts.IMAGE_LATERALITY, concept(BREAST_CODES[SIDES[side]]))
    view, _, keyword = read_view(image)
    if keyword == "ViewCodeSequence":
        modifiers = [make_code(HAS_CONCEPT_MOD, concepts.IMAGE_VIEW_MODIFIER, concept(code)) for code in _coded_modifiers(image)]
        yield make_code(HAS_ACQ_CONTEXT, concepts.IMAGE_VIEW, concept(VIEW_CODES[view]), modifiers)
    orientation = read(image, "PatientOrientation")
    if is_valid_orientation(orientation):
        yield make_text(HAS_ACQ_CONTEXT, concepts.ORIENTATION_ROW, str(orientation[0]))
        yield make_text(HAS_ACQ_CONTEXT, concepts.ORIENTATION_COLUMN, str(orientation[1]))
    for date_name, time_name, date_keyword, time_keyword in (
        (concepts.STUDY_DATE, concepts.STUDY_TIME, "StudyDate", "StudyTime"),
        (concepts.CONTENT_DATE, concepts.CONTENT_TIME, "ContentDate", "ContentTime"),
    ):
        if DATE.fullmatch(date := read_text(image, date_keyword)):
            yield make_date(HAS_ACQ_CONTEXT, date_name, date)
        if TIME.fullmatch(time := read_text(image, time_keyword)):
            yield make_time(HAS_ACQ_CONTEXT, time_name, time)
    yield from _spacing(image)


def _coded_modifiers(image: Dataset) -> list[Code]:
    items = [each for item in read_items(image, "ViewCodeSequence") for each in read_items(item, "ViewModifierCodeSequence")]
    values = {read_term(item, "CodeValue") for item in items}
    return [code for code in MODIFIER_CODES.values() if values.intersection((code.value, *code.legacy))]


def _spacing(image: Dataset) -> Iterator[Dataset]:
    """Rows 11 and 12. Both attributes have the distance between rows, the vertical one, first (PS3.3 10.7.1.3)."""
    for keyword in ("ImagerPixelSpacing", "PixelSpacing"):
        values = read_text(image, keyword).split("\\")
        if len(values) == 2 and all(LENGTH.fullmatch(value) and float(value) > 0 for value in values):
            yield make_number(HAS_ACQ_CONTEXT, concepts.HORIZONTAL_SPACING, values[1], concepts.MILLIMETRE)
            yield make_number(HAS_ACQ_CONTEXT, concepts.VERTICAL_SPACING, values[0], concepts.MILLIMETRE)
            return
