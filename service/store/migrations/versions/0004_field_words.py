"""The field's words: tables, columns, states and JSON fields get the names that DICOM and usual services give them.

No row is lost or added. Each table that changes is created anew beside the old one, filled from it, and takes its place.

Until 0004 is released, a later rename of a column, a word or a JSON field belongs into the tables below and into `tables_0004`, not into a
new revision. After the release both modules stay as they are.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

from service.store.migrations.tables_0004 import tables

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLES = {
    "audit": "audit_log",
    "destination_states": "destination_health",
    "holds": "study_holds",
    "produced": "derived_instances",
    "samples": "metric_samples",
    "webhook_states": "webhook_cursors",
}
"""Old name of a table > new name."""

COLUMNS = {
    "study_uid": "study_instance_uid",
    "series_uid": "series_instance_uid",
    "sop_uid": "sop_instance_uid",
    "source_sop_uid": "source_sop_instance_uid",
}
"""Old name of a column > new name, in every table."""

COLUMNS_OF = {
    "studies": {"unsettled": "needs_conclusion", "changed_at": "updated_at"},
    "instances": {"touched_at": "last_attempt_at"},
    "corrections": {"decided_why": "decided_reason", "changed_at": "updated_at"},
    "correction_history": {"who": "actor", "why": "reason"},
    "study_holds": {"released_why": "released_reason"},
    "audit_log": {"who": "actor"},
    "feedback": {"said": "predicted_value", "right_value": "corrected_value", "who": "actor"},
}
"""By new name of the table: old name of a column > new name."""

INSTANCE_STATES = {"not-analysed": "skipped"}
DELIVERY_STATES = {"not-applied": "mismatch", "refused": "rejected", "left-out": "unsupported"}
CORRECTION_STATES = {"not-applied": "mismatch", "undoing": "reverting", "undone": "reverted"}
CORRECTION_KINDS = {"exchanged": "sides-swapped"}
OBJECT_KINDS = {"undone": "reverted"}
VERDICTS = {"one-wrong": "one-wrong-label", "exchanged": "sides-swapped", "unsettled": "inconclusive"}
EVENT_KINDS = {f"delivery.{old}": f"delivery.{new}" for old, new in DELIVERY_STATES.items()} | {
    f"correction.{old}": f"correction.{new}" for old, new in CORRECTION_STATES.items()
}
WORDS_OF = {
    "instances": {"state": INSTANCE_STATES},
    "deliveries": {"state": DELIVERY_STATES, "kind": OBJECT_KINDS, "error": {"undone": "reverted"}},
    "corrections": {"state": CORRECTION_STATES, "kind": CORRECTION_KINDS},
    "correction_history": {"state": CORRECTION_STATES},
    "events": {"kind": EVENT_KINDS},
    "derived_instances": {"kind": OBJECT_KINDS},
}
"""By new names of table and column: old word > new word."""

JSON_FIELDS: dict[str, dict[str, str]] = {
    "header": {},
    "finding": {},
    "correction": {"obstacle": "blocked_reason"},
    "reasoning": {},
    "conclusion": {},
    "event": {"who": "actor"},
}
"""By kind of JSON object: old name of a field > new name."""

JSON_WORDS: dict[str, dict[str, dict[str, str]]] = {
    "finding": {"state": INSTANCE_STATES},
    "correction": {"kind": CORRECTION_KINDS},
    "reasoning": {"verdict": VERDICTS},
    "event": {"state": CORRECTION_STATES, "kind": OBJECT_KINDS},
}
"""By kind of JSON object and new name of a field: old word > new word."""

FLIP_OLD = ("field_of_view_flipped", "field_of_view_told")
FLIP_NEW = "field_of_view_horizontal_flip"
"""Of a header: two truth values became one of YES, NO and null."""

JSON_PARTS = {"conclusion": {"images": "finding", "corrections": "correction", "reasoning": "reasoning"}}
"""By kind of JSON object and new name of a field: the kind of the object, or of each object of the list, in that field."""

JSON_COLUMNS = {
    ("instances", "header"): "header",
    ("instances", "finding"): "finding",
    ("corrections", "correction"): "correction",
    ("conclusions", "conclusion"): "conclusion",
    ("events", "detail"): "event",
}

BATCH = 500
OLD = "old_"


def upgrade() -> None:
    connection = op.get_bind()
    old_names = {new: old for old, new in TABLES.items()}
    olds = {table.name: _put_aside(connection, old_names.get(table.name, table.name)) for table in tables.sorted_tables}
    tables.create_all(connection, checkfirst=False)
    for table in tables.sorted_tables:
        _copy(connection, olds[table.name], table)
    for (name, column), kind in JSON_COLUMNS.items():
        _convert_json(connection, tables.tables[name], column, kind)
    for table in reversed(tables.sorted_tables):
        connection.execute(sa.schema.DropTable(olds[table.name]))


def _put_aside(connection: sa.Connection, name: str) -> sa.Table:
    """Rename a table, and free the names that its successor needs: those of indexes and, in PostgreSQL, of keys and sequences."""
    op.rename_table(name, OLD + name)
    inspector = sa.inspect(connection)
    for index in inspector.get_indexes(OLD + name):
        if not index.get("duplicates_constraint"):
            op.drop_index(index["name"], OLD + name)
    if connection.dialect.name == "postgresql":
        unique = [each["name"] for each in inspector.get_unique_constraints(OLD + name)]
        for constraint in (inspector.get_pk_constraint(OLD + name)["name"], *unique):
            op.execute(f'ALTER TABLE {OLD}{name} RENAME CONSTRAINT "{constraint}" TO "{OLD}{constraint}"')
        if sequence := _sequence(connection, OLD + name):
            op.execute(f"ALTER SEQUENCE {sequence} RENAME TO {OLD}{name}_id_seq")
    return sa.Table(OLD + name, sa.MetaData(), autoload_with=connection, resolve_fks=False)


def _copy(connection: sa.Connection, old: sa.Table, new: sa.Table) -> None:
    renamed, words = COLUMNS | COLUMNS_OF.get(new.name, {}), WORDS_OF.get(new.name, {})
    values: dict[str, sa.ColumnElement[Any]] = {renamed.get(column.name, column.name): column for column in old.columns}
    for name, of_column in words.items():
        values[name] = sa.case(*((values[name] == before, after) for before, after in of_column.items()), else_=values[name])
    if new.name == "corrections":
        # It begins with the kind: "exchanged:L:MLO".
        values["change"] = sa.func.replace(values["change"], "exchanged:", "sides-swapped:")
    if new.name == "deliveries":
        values["correction_id"] = sa.func.nullif(values["correction_id"], 0)
    connection.execute(sa.insert(new).from_select(list(values), sa.select(*values.values())))
    if connection.dialect.name == "postgresql" and (sequence := _sequence(connection, old.name)):
        # A number that was used once is never used again, whatever was deleted.
        state = connection.execute(sa.text(f"SELECT last_value, is_called FROM {sequence}")).one()
        connection.execute(sa.select(sa.func.setval(_sequence(connection, new.name), state.last_value, state.is_called)))


def _sequence(connection: sa.Connection, table: str) -> str | None:
    if "id" not in {column["name"] for column in sa.inspect(connection).get_columns(table)}:
        return None
    return connection.execute(sa.select(sa.func.pg_get_serial_sequence(table, "id"))).scalar()


def _convert_json(connection: sa.Connection, table: sa.Table, column: str, kind: str) -> None:
    keys = list(table.primary_key)
    for row in _rows(connection, table, [*keys, table.c[column]]):
        before = json.loads(row[-1]) if row[-1] else None
        after = _convert(kind, before)
        if after == before:
            continue
        values = {column: json.dumps(after, ensure_ascii=False, separators=(",", ":"))}
        if kind == "conclusion":
            values["fingerprint"] = after["fingerprint"]
        same = sa.and_(*(key == value for key, value in zip(keys, row[:-1], strict=True)))
        connection.execute(sa.update(table).where(same).values(values))


def _rows(connection: sa.Connection, table: sa.Table, columns: list[sa.Column[Any]]) -> Iterator[sa.Row[Any]]:
    """All rows in the order of the key, a batch at a time: conclusions of years do not fit into memory."""
    keys = list(table.primary_key)
    page = sa.select(*columns).order_by(*keys).limit(BATCH)
    rows = connection.execute(page).all()
    while rows:
        yield from rows
        rows = connection.execute(page.where(sa.tuple_(*keys) > sa.tuple_(*rows[-1][: len(keys)]))).all()


def _convert(kind: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_convert(kind, each) for each in value]
    if not isinstance(value, dict):
        return value
    fields, words, parts = JSON_FIELDS.get(kind, {}), JSON_WORDS.get(kind, {}), JSON_PARTS.get(kind, {})
    new = {fields.get(name, name): each for name, each in value.items()}
    for name, of_field in words.items():
        if isinstance(new.get(name), str):
            new[name] = of_field.get(new[name], new[name])
    for name, of_part in parts.items():
        if name in new:
            new[name] = _convert(of_part, new[name])
    if kind == "header":
        flipped, declared = (new.pop(name, False) for name in FLIP_OLD)
        new.setdefault(FLIP_NEW, "YES" if flipped else "NO" if declared else None)
    if kind == "conclusion" and value["fingerprint"] == _fingerprint(value):
        new["fingerprint"] = _fingerprint(new)
    return new


def _fingerprint(conclusion: Mapping[str, Any]) -> str:
    """It holds states of images: a study would be concluded anew for nothing if it still held the old words."""
    parts = [f"{image['sop_instance_uid']} {image['state']}" for image in conclusion["images"]]
    parts += [f"{model['name']} {model['version']} {model['sha256']}" for model in conclusion.get("models", ())]
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()
