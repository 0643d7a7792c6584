"""What a DICOM header says about a mammogram: view, side, machine, age. Absent and impossible values are None."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pydicom.dataset import Dataset

from models.attributes import read_count, read_items, read_term, read_text, read_words
from models.vocabulary import MODIFIER_CODES, READABLE_SCHEMES, VIEW_CODES, ViewModifier

CBIS = "cbis"
"""Prefix of CBIS-DDSM's patients in the table, whichever reader finds them: a woman must not be two patients."""

_VIEW_BY_CODE = {value: view.value for view, code in VIEW_CODES.items() for value in (code.value, *code.legacy)}
_MODIFIER_BY_CODE = {value: modifier for modifier, code in MODIFIER_CODES.items() for value in (code.value, *code.legacy)}
_VIEW_IN_TEXT = ("ViewPosition", "PatientOrientation", "SeriesDescription", "ProtocolName")
"""Where the view is when it is not coded; CBIS-DDSM keeps it in Patient Orientation."""

_LABEL = re.compile(r"(?P<side>[RL]?)(?P<view>CC|MLO)")
_CBIS_CASE = re.compile(
    r"(?P<kind>Mass|Calc)-(Training|Test)_(?P<patient>P_\d+)_(?P<side>LEFT|RIGHT)_(?P<view>CC|MLO)(?P<abnormality>_\d+)?"
)
"""Patient ID of CBIS-DDSM: one for each image, and one for each lesion's crop and mask."""


@dataclass(frozen=True)
class Header:
    """What was read.

    Parameters
    ----------
    patient
        Patient ID; of CBIS-DDSM `CBIS` and the patient inside it, since there every image has a Patient ID of its own.
    part
        Not a whole mammogram but a lesion's crop or mask (CBIS-DDSM).
    raw
        For Processing: detector values that no reader sees.
    modifiers
        Of the view, as far as they are coded.
    modality
        Upper case; empty where absent.
    shape
        Rows, columns.
    """

    patient: str
    study: str
    image: str
    modality: str
    body_part: str
    view: str | None
    laterality: str | None
    manufacturer: str
    age: float | None
    frames: int
    shape: tuple[int, int]
    description: str
    part: bool
    raw: bool
    modifiers: tuple[ViewModifier, ...]


def read_header(dataset: Dataset) -> Header:
    """Read the attributes that a table needs; pixels are not touched."""
    patient, case = read_text(dataset, "PatientID"), _CBIS_CASE.fullmatch(read_text(dataset, "PatientID"))
    return Header(
        patient=f"{CBIS}-{case['patient']}" if case else patient,
        study=f"{CBIS}-{case['patient']}" if case else read_text(dataset, "StudyInstanceUID"),  # CBIS-DDSM makes a study of every image
        image=read_text(dataset, "SOPInstanceUID"),
        modality=read_term(dataset, "Modality"),
        body_part=read_term(dataset, "BodyPartExamined"),
        view=read_view(dataset) or (case["view"] if case else None),
        laterality=read_side(dataset) or (case["side"][0] if case else None),
        manufacturer=read_manufacturer(dataset),
        age=read_age(dataset),
        frames=read_count(dataset, "NumberOfFrames", 1),
        shape=(read_count(dataset, "Rows"), read_count(dataset, "Columns")),
        description=read_text(dataset, "SeriesDescription"),
        part=bool(case and case["abnormality"]),
        raw=read_term(dataset, "PresentationIntentType") == "FOR PROCESSING",
        modifiers=tuple(
            modifier
            for item in read_items(dataset, "ViewCodeSequence")
            for code in read_items(item, "ViewModifierCodeSequence")
            if (modifier := _MODIFIER_BY_CODE.get(read_term(code, "CodeValue")))
        ),
    )


def read_view(dataset: Dataset) -> str | None:
    """CC or MLO, or another ACR name if it is coded (PS3.3 C.8.11.7); else from text; None where nothing says so, or text says two."""
    for item in read_items(dataset, "ViewCodeSequence"):
        if read_term(item, "CodingSchemeDesignator") in READABLE_SCHEMES and (view := _VIEW_BY_CODE.get(read_term(item, "CodeValue"))):
            return view
    for keyword in _VIEW_IN_TEXT:
        found = {match["view"] for word in read_words(dataset, keyword) if (match := _LABEL.fullmatch(word))}
        if len(found) == 1:
            return found.pop()
        if keyword == "ViewPosition" and read_words(dataset, keyword):
            return read_words(dataset, keyword)[0]  # a third view: it is given, so it is not looked for elsewhere
    return None


def read_side(dataset: Dataset) -> str | None:
    """L or R from Image Laterality, Laterality, or text such as ``LCC``."""
    for keyword in ("ImageLaterality", "Laterality"):
        if (side := read_term(dataset, keyword)[:1]) in {"L", "R"}:
            return side
    for keyword in ("ViewPosition", "SeriesDescription", "ProtocolName"):
        words = read_words(dataset, keyword)
        found = {match["side"] for word in words if (match := _LABEL.fullmatch(word)) and match["side"]}
        found |= {word[0] for word in words if word in {"LEFT", "RIGHT", "L", "R"}}
        if len(found) == 1:
            return found.pop()
    return None


def read_manufacturer(dataset: Dataset) -> str:
    """Manufacturer and model; of a digitised film the secondary capture device's manufacturer; ``unknown`` where the header has neither."""
    names = [read_text(dataset, keyword) for keyword in ("Manufacturer", "ManufacturerModelName")]
    return " ".join(filter(None, names)) or read_text(dataset, "SecondaryCaptureDeviceManufacturer") or "unknown"


def read_age(dataset: Dataset) -> float | None:
    """Patient's Age in years (PS3.5 6.2, AS), else from birth date and study date; None outside 1 to 120."""
    match = re.fullmatch(r"(\d{1,3})Y?", read_term(dataset, "PatientAge"))
    if match:
        age = float(match[1])
    else:
        born, seen = read_text(dataset, "PatientBirthDate")[:8], read_text(dataset, "StudyDate")[:8]
        if not (len(born) == len(seen) == 8 and born.isdigit() and seen.isdigit()):
            return None
        age = float((int(seen) - int(born)) // 10000)
    return age if 1 <= age <= 120 else None
