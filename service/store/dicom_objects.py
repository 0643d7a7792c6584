"""All DICOM objects of the data folder: the received instances, and the objects that this service built."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Table, and_, func, literal, null, or_, select, union, union_all

from service.domain.findings import ObjectKind
from service.domain.patients.identity import WITHHOLDING
from service.store.database import Database, Transaction
from service.store.studies import held_studies
from service.store.tables import derived_instances, instances, studies, study_patients


@dataclass(frozen=True)
class StoredInstance:
    """A file that can be handed out."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    modality: str
    size: int
    """Bytes of the file."""
    path: str | None
    """Relative to the data folder; None for an object that this service built: `FileStore.produced_path` gives its path."""


@dataclass(frozen=True)
class SeriesKey:
    study_instance_uid: str
    series_instance_uid: str


@dataclass(frozen=True)
class ObjectFilter:
    """Which objects to find: those that have one of the values. An empty attribute does not narrow the search.

    Texts may have the wildcards ``*`` and ``?`` (PS3.4 C.2.2.2.4); an empty text, and a range of two empty texts, find what has no value.
    """

    study_instance_uids: tuple[str, ...] = ()
    series_instance_uids: tuple[str, ...] = ()
    sop_instance_uids: tuple[str, ...] = ()
    sop_class_uids: tuple[str, ...] = ()
    modalities: tuple[str, ...] = ()
    modalities_in_study: tuple[str, ...] = ()
    """The study has an object of one of these modalities, which need not be the object itself."""
    patient_ids: tuple[str, ...] = ()
    patient_names: tuple[str, ...] = ()
    """Matched without regard to case, as a whole or as one of its component groups."""
    sexes: tuple[str, ...] = ()
    accession_numbers: tuple[str, ...] = ()
    birth_dates: tuple[tuple[str, str], ...] = ()
    """From, to: YYYYMMDD, both included, empty where that end is open."""
    study_dates: tuple[tuple[str, str], ...] = ()


class DicomObjects:
    """All DICOM objects of the data folder: the received instances, and the objects that this service built."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        object_uid: str,
        study_instance_uid: str,
        series_instance_uid: str,
        sop_class_uid: str,
        modality: str,
        kind: ObjectKind,
        size: int,
    ) -> bool:
        """Enter an object that this service built and stored; False where it was entered before."""
        with self._database.write() as tx:
            return tx.insert_once(
                derived_instances,
                object_uid=object_uid,
                study_instance_uid=study_instance_uid,
                series_instance_uid=series_instance_uid,
                sop_class_uid=sop_class_uid,
                modality=modality,
                kind=kind,
                size=size,
                made_at=tx.now,
            )

    def contains(self, object_uid: str) -> bool:
        """Tell whether the data folder has an object that this service built."""
        with self._database.read() as tx:
            return (
                tx.execute(select(derived_instances.c.object_uid).where(derived_instances.c.object_uid == object_uid)).scalar() is not None
            )

    def find_studies(self, wanted: ObjectFilter, offset: int, limit: int) -> list[str]:
        """Study Instance UIDs of the studies that have such an object, newest first."""
        with self._database.read() as tx:
            rules = list(_study_rules(wanted, tx))
            if wanted.study_instance_uids:
                rules.append(studies.c.study_instance_uid.in_(wanted.study_instance_uids))
            owned = [list(_object_rules(wanted, table)) for table in (instances, derived_instances)]
            if any(owned):
                holders = [
                    select(literal(1)).where(table.c.study_instance_uid == studies.c.study_instance_uid, *each).exists()
                    for table, each in zip((instances, derived_instances), owned, strict=True)
                ]
                rules.append(or_(*holders))
            found = (
                select(studies.c.study_instance_uid)
                .where(*rules)
                .order_by(studies.c.first_received_at.desc(), studies.c.study_instance_uid.desc())
            )
            return list(tx.execute(found.offset(offset).limit(limit)).scalars())

    def find_series(self, wanted: ObjectFilter, offset: int, limit: int) -> list[SeriesKey]:
        """Series that have such an object, in the order of their UIDs."""
        with self._database.read() as tx:
            of_each = [
                select(table.c.study_instance_uid, table.c.series_instance_uid).where(*_rules(wanted, table, tx))
                for table in (instances, derived_instances)
            ]
            found = union(*of_each).order_by("study_instance_uid", "series_instance_uid").offset(offset).limit(limit)
            return [SeriesKey(row.study_instance_uid, row.series_instance_uid) for row in tx.execute(found)]

    def find_instances(self, wanted: ObjectFilter, offset: int = 0, limit: int | None = None) -> list[StoredInstance]:
        """Objects in the order of their UIDs; received ones, and those that this service built."""
        with self._database.read() as tx:
            of_each = [_columns(table).where(*_rules(wanted, table, tx)) for table in (instances, derived_instances)]
            found = (
                union_all(*of_each).order_by("study_instance_uid", "series_instance_uid", "sop_instance_uid").offset(offset).limit(limit)
            )
            return [_object(row) for row in tx.execute(found)]


def _columns(table: Table) -> Select[Any]:
    received = table is instances
    return select(
        table.c.study_instance_uid,
        table.c.series_instance_uid,
        (table.c.sop_instance_uid if received else table.c.object_uid).label("sop_instance_uid"),
        table.c.sop_class_uid,
        table.c.modality,
        table.c.size,
        (table.c.path if received else null()).label("path"),
    )


def _rules(wanted: ObjectFilter, table: Table, tx: Transaction) -> list[ColumnElement[bool]]:
    rules = list(_object_rules(wanted, table))
    if wanted.study_instance_uids:
        rules.append(table.c.study_instance_uid.in_(wanted.study_instance_uids))
    if table is derived_instances:
        # Nothing leaves a study that is held for its patients, by retrieval neither.
        rules.append(table.c.study_instance_uid.not_in(held_studies(*WITHHOLDING)))
    if of_study := list(_study_rules(wanted, tx)):
        rules.append(table.c.study_instance_uid.in_(select(studies.c.study_instance_uid).where(*of_study)))
    return rules


def _object_rules(wanted: ObjectFilter, table: Table) -> Iterator[ColumnElement[bool]]:
    sop_instance_uid = table.c.sop_instance_uid if table is instances else table.c.object_uid
    for values, column in (
        (wanted.series_instance_uids, table.c.series_instance_uid),
        (wanted.sop_instance_uids, sop_instance_uid),
        (wanted.sop_class_uids, table.c.sop_class_uid),
        (wanted.modalities, table.c.modality),
    ):
        if values:
            yield column.in_(values)


def _study_rules(wanted: ObjectFilter, tx: Transaction) -> Iterator[ColumnElement[bool]]:
    """What is the same for all objects of a study."""
    if wanted.modalities_in_study:
        holders = [
            select(literal(1))
            .where(table.c.study_instance_uid == studies.c.study_instance_uid, table.c.modality.in_(wanted.modalities_in_study))
            .exists()
            for table in (instances, derived_instances)
        ]
        yield or_(*holders)
    if rules := list(_patient_rules(wanted, studies, tx)):
        # A study whose images are of two patients is found by either; all keys must match the same one.
        of_others = select(study_patients.c.study_instance_uid).where(*_patient_rules(wanted, study_patients, tx))
        yield or_(and_(*rules), studies.c.study_instance_uid.in_(of_others))


def _patient_rules(wanted: ObjectFilter, table: Table, tx: Transaction) -> Iterator[ColumnElement[bool]]:
    """What identifies patient and examination, in `studies` or in `study_patients`."""
    for texts, column in (
        (wanted.patient_ids, table.c.patient_id),
        (wanted.sexes, table.c.sex),
        (wanted.accession_numbers, table.c.accession_number),
    ):
        if texts:
            yield or_(*(_like(column, text, tx) if _WILD & set(text) else column == text for text in texts))
    if wanted.patient_names:
        yield or_(*(rule for text in wanted.patient_names for rule in _name_rules(text, table.c.patient_name)))
    for ranges, column in ((wanted.birth_dates, table.c.birth_date), (wanted.study_dates, table.c.study_date)):
        if ranges:
            yield or_(*(_date_rule(column, first, last) for first, last in ranges))


def _date_rule(column: ColumnElement[str], first: str, last: str) -> ColumnElement[bool]:
    return and_(column >= (first or "0"), column <= (last or "99999999")) if first or last else column == ""


_WILD = {"*", "?"}


def _like(column: ColumnElement[str], text: str, tx: Transaction) -> ColumnElement[bool]:
    if tx.dialect == "sqlite":
        # SQLite's LIKE ignores case. GLOB has the same wildcards as DICOM, and sets in brackets as well.
        return column.op("GLOB", is_comparison=True)(text.replace("[", "[[]"))
    return column.like(_pattern(text), escape="\\")


def _name_rules(text: str, column: ColumnElement[str]) -> Iterator[ColumnElement[bool]]:
    """A name as a whole, or one of its alphabetic, ideographic and phonetic groups (PS3.5 6.2.1), without regard to case.

    SQLite ignores the case of ASCII letters only. An empty text finds studies without a name.
    """
    if not text:
        yield column == ""
        return
    name, pattern = func.lower(column), _pattern(text)
    for each in (pattern, f"{pattern}=%", f"%={pattern}", f"%={pattern}=%"):
        yield name.like(func.lower(each), escape="\\")


def _pattern(text: str) -> str:
    escaped = "".join("\\" + each if each in "%_\\" else each for each in text)
    return escaped.replace("*", "%").replace("?", "_")


def _object(row: Row[Any]) -> StoredInstance:
    return StoredInstance(
        row.study_instance_uid, row.series_instance_uid, row.sop_instance_uid, row.sop_class_uid, row.modality, row.size, row.path
    )
