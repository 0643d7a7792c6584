"""The patients of a study: one, or several, and then the study is held."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, select, update

from service.domain.findings import InstanceHeader
from service.domain.patient import Patient
from service.domain.patients.identity import HoldKind, MixedPatients, PatientIdentity, differences, explain, is_known, merge
from service.errors import PatientMismatch
from service.store.database import Database, Transaction
from service.store.derived_columns import patient_columns, search_text, study_columns
from service.store.holds import hold_study
from service.store.studies import patient_of
from service.store.tables import studies, study_patients

log = logging.getLogger(__name__)


class StudyPatients:
    """The patients of a study beside the one in its row."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def others(self, study_instance_uids: Sequence[str]) -> dict[str, list[PatientIdentity]]:
        """Further patients of some studies, first received first; a study with one patient is left out."""
        with self._database.read() as tx:
            found: dict[str, list[PatientIdentity]] = {}
            wanted = select(study_patients).where(study_patients.c.study_instance_uid.in_(study_instance_uids))
            for row in tx.execute(wanted.order_by(study_patients.c.id)):
                found.setdefault(row.study_instance_uid, []).append(PatientIdentity.model_validate_json(row.identity))
            return found


def identity_of(header: InstanceHeader, patient: Patient) -> PatientIdentity:
    """Patient and examination as one image's header names them."""
    return PatientIdentity(patient=patient, accession_number=header.accession_number, study_date=header.study_date)


def join_patient(tx: Transaction, header: InstanceHeader, patient: Patient, policy: MixedPatients) -> None:
    """Compare a new image with the study that it joins, and do what the policy of its source says.

    Raises
    ------
    PatientMismatch
        They differ, and the policy is to refuse.
    """
    uid = header.study_instance_uid
    row = tx.execute(select(studies).where(studies.c.study_instance_uid == uid).with_for_update()).one()
    known, added = row_identity(row), identity_of(header, patient)
    differing = differences(known, added)
    if not differing:
        _fill(tx, row, known, added, header)
        return
    if is_known(added, other_identities(tx, uid)):
        return
    extra = {"study_instance_uid": uid, "sop_instance_uid": header.sop_instance_uid, "attributes": ", ".join(differing), "policy": policy}
    if policy is MixedPatients.REFUSE:
        log.warning("an image names another patient or examination than its study: refused", extra=extra)
        raise PatientMismatch(f"not the patient of its study: {', '.join(differing)}")
    add_identity(tx, uid, added)
    log.warning("an image names another patient or examination than its study", extra=extra)
    if policy is MixedPatients.HOLD:
        hold_study(tx, uid, explain(differing), HoldKind.MIXED_PATIENTS)


def add_identity(tx: Transaction, study_instance_uid: str, identity: PatientIdentity) -> None:
    """Enter a further patient of a study, so that a search finds the study by it."""
    text, patient = identity.model_dump_json(), identity.patient
    tx.insert_once(
        study_patients,
        study_instance_uid=study_instance_uid,
        identity=text,
        identity_sha256=hashlib.sha256(text.encode()).hexdigest(),
        **{key: value for key, value in patient_columns(identity).items() if key not in ("patient_key", "age_years")},
        search=search_text(patient, identity.accession_number, study_instance_uid),
        since=tx.now,
    )


def other_identities(tx: Transaction, study_instance_uid: str) -> list[PatientIdentity]:
    """Further patients of a study, first received first."""
    wanted = select(study_patients.c.identity).where(study_patients.c.study_instance_uid == study_instance_uid)
    return [PatientIdentity.model_validate_json(text) for text in tx.execute(wanted.order_by(study_patients.c.id)).scalars()]


def row_identity(row: Row[Any]) -> PatientIdentity:
    """Patient and examination as a row of `studies` has them."""
    return PatientIdentity(patient=patient_of(row), accession_number=row.accession_number, study_date=row.study_date)


def write_identity(tx: Transaction, study_instance_uid: str, identity: PatientIdentity, **values: Any) -> None:
    """Let the row of a study name this patient."""
    columns = patient_columns(identity) | {"search": search_text(identity.patient, identity.accession_number, study_instance_uid)}
    tx.execute(update(studies).where(studies.c.study_instance_uid == study_instance_uid).values(**columns, **values))


def _fill(tx: Transaction, row: Row[Any], known: PatientIdentity, added: PatientIdentity, header: InstanceHeader) -> None:
    """Fill what the row of the study lacks."""
    merged = merge(known, added)
    if added.patient.key and not known.patient.key:
        # The study keeps what the worklist shows of the header of its first image that has a patient ID.
        new = study_columns(header, merged.patient)
        new |= patient_columns(merged) | {"search": search_text(merged.patient, merged.accession_number, row.study_instance_uid)}
        tx.execute(update(studies).where(studies.c.study_instance_uid == row.study_instance_uid).values(**new))
    elif merged != known:
        write_identity(tx, row.study_instance_uid, merged)
