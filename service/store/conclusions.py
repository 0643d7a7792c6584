"""Conclusions: every version of the answer for a study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select, update

from service.domain.agreement import summarise_image
from service.domain.findings import (
    Conclusion,
    InstanceState,
)
from service.store.corrections import PlannedCorrection
from service.store.database import Database, Transaction
from service.store.deliveries import PlannedDelivery
from service.store.instances import InstanceRow
from service.store.tables import conclusions, instances


@dataclass(frozen=True)
class Plan:
    """What follows from a conclusion."""

    deliveries: tuple[PlannedDelivery, ...] = ()
    corrections: tuple[PlannedCorrection, ...] = ()
    hold: str = ""
    """Why the corrections of this study wait for a person; empty where they do not wait."""


class Conclusions:
    """Versions are numbered from 1; the study's row names the current one. `Ledger.record_conclusion` writes them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, study_instance_uid: str, version: int) -> Conclusion | None:
        """Look one version of a study's conclusion up."""
        with self._database.read() as tx:
            return get_conclusion(tx, study_instance_uid, version)

    def versions(self, study_instance_uid: str) -> list[int]:
        """The numbers of all versions, first to current."""
        wanted = select(conclusions.c.version).where(conclusions.c.study_instance_uid == study_instance_uid)
        with self._database.read() as tx:
            return list(tx.execute(wanted.order_by(conclusions.c.version)).scalars())

    def of_study(self, study_instance_uid: str) -> list[Conclusion]:
        """Every version, first to current."""
        wanted = select(conclusions.c.conclusion).where(conclusions.c.study_instance_uid == study_instance_uid)
        with self._database.read() as tx:
            return [Conclusion.model_validate_json(text) for text in tx.execute(wanted.order_by(conclusions.c.version)).scalars()]


def covers_results(tx: Transaction, study_instance_uid: str, images: Sequence[InstanceRow]) -> bool:
    """Tell whether `images` hold every result that the study has now: none was added or replaced since they were read."""
    known = {(image.sop_instance_uid, image.finished_at) for image in images}
    ended = select(instances.c.sop_instance_uid, instances.c.finished_at).where(
        instances.c.study_instance_uid == study_instance_uid, instances.c.state != InstanceState.RECEIVED
    )
    return all((row.sop_instance_uid, row.finished_at) in known for row in tx.execute(ended))


def get_conclusion(tx: Transaction, study_instance_uid: str, version: int) -> Conclusion | None:
    """One version of a study's conclusion."""
    wanted = select(conclusions.c.conclusion).where(
        conclusions.c.study_instance_uid == study_instance_uid, conclusions.c.version == version
    )
    text = tx.execute(wanted).scalar()
    return Conclusion.model_validate_json(text) if text else None


def fingerprint_of(tx: Transaction, study_instance_uid: str, version: int) -> str | None:
    """The fingerprint of a version; None where there is no such version."""
    wanted = select(conclusions.c.fingerprint).where(
        conclusions.c.study_instance_uid == study_instance_uid, conclusions.c.version == version
    )
    return tx.execute(wanted).scalar()


def insert_conclusion(tx: Transaction, conclusion: Conclusion) -> None:
    """Enter a numbered conclusion, and mark on each image how its header agrees with its pixels."""
    tx.execute(
        conclusions.insert().values(
            study_instance_uid=conclusion.study_instance_uid,
            version=conclusion.version,
            fingerprint=conclusion.fingerprint,
            concluded_at=conclusion.concluded_at,
            conclusion=conclusion.model_dump_json(),
        )
    )
    for each in conclusion.corrections:
        compared = update(instances).where(instances.c.sop_instance_uid == each.sop_instance_uid)
        tx.execute(compared.values(agreement=summarise_image(each)))
