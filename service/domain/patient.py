"""The patient of a study, for the worklist. Never part of an instance header, a finding, an event, a log or a metric."""

from __future__ import annotations

import re
from datetime import date

from pydantic import BaseModel, ConfigDict
from pydicom.dataset import Dataset

from models.attributes import read_date, read_term, read_text

_LONGEST_ID, _LONGEST_NAME = 64, 200


class Patient(BaseModel):
    """The patient module (PS3.3 C.7.1.1 and C.7.2.2); a field is empty where the header has no readable value."""

    model_config = ConfigDict(frozen=True)

    patient_id: str = ""
    issuer: str = ""
    name: str = ""
    birth_date: str = ""
    """YYYYMMDD"""
    sex: str = ""
    age_years: int | None = None
    """At the time of the study."""

    @property
    def key(self) -> str:
        """Issuer and ID identify a patient (PS3.3 C.7.1.1); empty without an ID, and then the study has no priors."""
        return f"{self.issuer}|{self.patient_id}" if self.patient_id else ""


def read_patient(dataset: Dataset) -> Patient:
    """Read the patient of an image; what cannot be read stays empty."""
    birth_date = read_date(dataset, "PatientBirthDate")
    return Patient(
        patient_id=_clean(read_text(dataset, "PatientID"), _LONGEST_ID),
        issuer=_clean(read_text(dataset, "IssuerOfPatientID"), _LONGEST_ID),
        name=_clean(read_text(dataset, "PatientName"), _LONGEST_NAME),
        birth_date=birth_date if _day(birth_date) else "",
        sex=_clean(read_term(dataset, "PatientSex"), 16),
        age_years=_age(read_term(dataset, "PatientAge"), _day(birth_date), _day(read_date(dataset, "StudyDate"))),
    )


def _clean(text: str, longest: int) -> str:
    return "".join(each for each in text if each.isprintable()).strip()[:longest]


def _day(text: str) -> date | None:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8])) if re.fullmatch(r"\d{8}", text, re.ASCII) else None
    except ValueError:
        return None


def _age(declared: str, born: date | None, studied: date | None) -> int | None:
    """Years, from an AS value (PS3.5 6.2) or else from the dates."""
    if match := re.fullmatch(r"(\d{3})([DWMY])", declared, re.ASCII):
        return int(match[1]) if match[2] == "Y" else int(match[1]) // {"D": 365, "W": 52, "M": 12}[match[2]]
    if born is None or studied is None or studied < born:
        return None
    return studied.year - born.year - ((studied.month, studied.day) < (born.month, born.day))
