"""Plain columns that repeat facts of the stored JSON, for the worklist and the quality figures."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from models.attributes import normalise_moment
from models.vocabulary import Density, Laterality
from service.domain.agreement import summarise_study
from service.domain.findings import Conclusion, ImageFinding, InstanceHeader
from service.domain.patient import Patient
from service.domain.patients.identity import PatientIdentity

LONGEST_WORD = 64


def study_columns(header: InstanceHeader, patient: Patient) -> dict[str, Any]:
    """Columns of a study, from the header of its first image."""
    identity = PatientIdentity(patient=patient, accession_number=header.accession_number, study_date=header.study_date)
    return {
        **patient_columns(identity),
        "institution": word(header.institution),
        "station_name": word(header.station_name),
        "manufacturer": word(header.manufacturer),
        "search": search_text(patient, header.accession_number, header.study_instance_uid),
    }


def patient_columns(identity: PatientIdentity) -> dict[str, Any]:
    """Columns of a study that identify patient and examination."""
    patient = identity.patient
    return {
        "patient_key": patient.key,
        "patient_id": patient.patient_id,
        "patient_name": patient.name,
        "birth_date": patient.birth_date,
        "sex": patient.sex,
        "age_years": patient.age_years,
        "study_date": word(normalise_moment(identity.study_date, "DA")),
        "accession_number": word(identity.accession_number),
    }


def search_text(patient: Patient, accession_number: str, study_instance_uid: str) -> str:
    """The text that a search of the worklist looks through."""
    searched = (patient.patient_id, patient.name.replace("^", " "), accession_number, study_instance_uid)
    return word("\n".join(" ".join(each.split()) for each in searched), longest=500).lower()


def instance_columns(header: InstanceHeader) -> dict[str, Any]:
    """Columns of an image, from its header."""
    return {
        "series_instance_uid": header.series_instance_uid,
        "sop_class_uid": header.sop_class_uid,
        "modality": word(header.modality),
        "station_name": word(header.station_name),
        "manufacturer": word(header.manufacturer),
        "model_name": word(header.model_name),
        "software_versions": word(header.software_versions),
    }


def finding_columns(finding: ImageFinding | None) -> dict[str, Any]:
    """Columns of an image, from its finding."""
    return {
        "reason_code": finding.reason.code if finding and finding.reason else "",
        "cancer_score": finding.cancer_score if finding else None,
        "density": finding.density.value if finding and finding.density else "",
    }


def conclusion_columns(conclusion: Conclusion) -> dict[str, Any]:
    """Columns of a study, from its conclusion."""
    breasts = {breast.laterality: breast for breast in conclusion.breasts}
    right, left = breasts.get(Laterality.R), breasts.get(Laterality.L)
    concluded_at: datetime = conclusion.concluded_at
    return {
        "agreement": summarise_study(conclusion.corrections),
        "score_right": right.score if right else None,
        "score_left": left.score if left else None,
        "density_right": right.density if right else Density.UNKNOWN,
        "density_left": left.density if left else Density.UNKNOWN,
        "concluded_at": concluded_at,
    }


def word(text: str, longest: int = LONGEST_WORD) -> str:
    """A text that fits a column: without control characters (PostgreSQL takes no NUL), and no longer than the column."""
    return "".join(each for each in text if each.isprintable() or each == "\n").strip()[:longest]
