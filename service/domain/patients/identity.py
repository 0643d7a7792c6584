"""Whether two images are of the same patient and the same examination: what is the same in all images of a study (PS3.3 C.7.1, C.7.2)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from models.attributes import normalise_moment
from service.domain.patient import Patient


class MixedPatients(StrEnum):
    """What receiving does with an image whose patient or examination differs from that of its study."""

    HOLD = "hold"
    """Keep it, and hold the study until a named person releases it."""
    REFUSE = "refuse"
    """Answer the sender with an error, and keep nothing."""
    ACCEPT = "accept"
    """Keep it, and treat the study as one patient's."""


class HoldKind(StrEnum):
    """Why a study waits for a person."""

    SIDES_SWAPPED = "sides-swapped"
    """Both breasts have the other's label: only corrections wait."""
    MIXED_PATIENTS = "mixed-patients"
    """Its images are of different patients or examinations: nothing leaves, and no score of the study is shown."""
    CONFLICTING_INSTANCE = "conflicting-instance"
    """Another data set arrived under the UID of one of its images: as for `MIXED_PATIENTS`."""

    @property
    def withholds_results(self) -> bool:
        """Nothing may leave, and no score of the study is shown."""
        return self is not HoldKind.SIDES_SWAPPED


WITHHOLDING = tuple(kind for kind in HoldKind if kind.withholds_results)


class PatientIdentity(BaseModel):
    """The attributes that identify patient and examination; a field is empty where the header has no value."""

    model_config = ConfigDict(frozen=True)

    patient: Patient = Patient()
    accession_number: str = ""
    study_date: str = ""


def differences(one: PatientIdentity, other: PatientIdentity) -> tuple[str, ...]:
    """Keywords of the attributes that both have and that differ. An absent value differs from nothing.

    Compared are values, not spellings: without blanks around them, without the ``^`` that pad a name, without regard to the case of a
    name, and dates without the dots of the ACR-NEMA form (PS3.5 6.2).
    """
    a, b = one.patient, other.patient
    pairs = (
        ("PatientID", _text(a.patient_id), _text(b.patient_id)),
        ("IssuerOfPatientID", _issuer(a), _issuer(b)),
        ("PatientBirthDate", _date(a.birth_date), _date(b.birth_date)),
        ("PatientSex", _text(a.sex).upper(), _text(b.sex).upper()),
        ("AccessionNumber", _text(one.accession_number), _text(other.accession_number)),
        ("StudyDate", _date(one.study_date), _date(other.study_date)),
    )
    found = [keyword for keyword, left, right in pairs if left and right and left != right]
    if _names_differ(a.name, b.name):
        found.append("PatientName")
    return tuple(sorted(found))


def merge(known: PatientIdentity, added: PatientIdentity) -> PatientIdentity:
    """Fill the empty fields of a study's identity from an image that agrees with it."""
    ours, theirs = known.patient, added.patient
    filled = {name: value for name, value in theirs.model_dump().items() if not getattr(ours, name) and value}
    if not theirs.patient_id:
        filled.pop("issuer", None)
    return PatientIdentity(
        patient=ours.model_copy(update=filled),
        accession_number=known.accession_number or added.accession_number,
        study_date=known.study_date or added.study_date,
    )


def is_known(wanted: PatientIdentity, among: Iterable[PatientIdentity]) -> bool:
    """Tell whether one of the identities has every value that `wanted` has."""
    return any(merge(each, wanted) == each and not differences(wanted, each) for each in among)


def explain(keywords: Iterable[str]) -> str:
    """The reason of a hold; it names attributes, never values."""
    return f"images of different patients or examinations: {', '.join(keywords)} differ"


def _issuer(patient: Patient) -> str:
    """The issuer of the patient's ID; without an ID it says nothing."""
    return _text(patient.issuer) if patient.patient_id.strip() else ""


def _date(text: str) -> str:
    return normalise_moment(text.strip(), "DA")


def _text(value: str) -> str:
    return " ".join(unicodedata.normalize("NFC", value).replace("\0", " ").split())


def _names_differ(one: str, other: str) -> bool:
    """Compare the component groups that both names have: alphabetic, ideographic, phonetic (PS3.5 6.2.1)."""
    pairs = zip(_groups(one), _groups(other), strict=False)
    return any(left != right for left, right in pairs if left and right)


def _groups(name: str) -> list[tuple[str, ...]]:
    groups = []
    for group in unicodedata.normalize("NFKC", name).casefold().split("="):
        components = [" ".join(each.split()) for each in group.split("^")]
        while components and not components[-1]:
            components.pop()
        groups.append(tuple(components))
    return groups
