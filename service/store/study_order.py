"""The worklist's orders, and cursors that stay right while studies come and go (keyset, not offset)."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Row, Select, literal, tuple_

from service.domain.findings import TriageFlag
from service.errors import CursorInvalid
from service.store.tables import studies

RANKS = {TriageFlag.SUSPICIOUS: 0, TriageFlag.ROUTINE: 1, TriageFlag.NOT_SCORED: 2}


@dataclass(frozen=True)
class Order:
    """Columns that together are unique, and the direction all of them run in."""

    name: str
    columns: tuple[Column[Any], ...]
    readers: tuple[Callable[[Any], Any], ...]
    descending: bool = False
    sparse: bool = False
    """Neighbours in this order are far apart in the table."""

    def page(self, wanted: Select[Any], cursor: str | None, limit: int, walk: bool = True) -> Select[Any]:
        """Narrow a selection to the `limit` studies after `cursor`.

        Parameters
        ----------
        walk
            Take studies in the order of the index until there are enough: quick where most studies match, slow where few do,
            because each is read from another part of the table. Otherwise one pass over the whole table, and a sort of the matches.

        Raises
        ------
        CursorInvalid
        """
        # A sum is no column: the database cannot use the index, whatever it guesses about the filter.
        columns = self.columns if walk or not self.sparse else (self.columns[0] + 0, *self.columns[1:])
        if cursor is not None:
            key = tuple_(*(literal(value, column.type) for value, column in zip(self._read_cursor(cursor), self.columns, strict=True)))
            here = tuple_(*columns)
            after: ColumnElement[bool] = here < key if self.descending else here > key
            wanted = wanted.where(after)
        return wanted.order_by(*(column.desc() if self.descending else column for column in columns)).limit(limit)

    def cursor_after(self, row: Row[Any]) -> str:
        """Write the cursor that continues after a row."""
        values = [getattr(row, column.name) for column in self.columns]
        plain = [value.isoformat() if isinstance(value, datetime) else value for value in values]
        return base64.urlsafe_b64encode(json.dumps([self.name, *plain]).encode()).decode().rstrip("=")

    def _read_cursor(self, cursor: str) -> list[Any]:
        try:
            name, *values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
            if name != self.name:
                raise ValueError
            return [read(value) for read, value in zip(self.readers, values, strict=True)]
        except (ValueError, TypeError, OverflowError) as error:
            raise CursorInvalid(f"not a cursor of the order {self.name!r}") from error


def _read_rank(value: Any) -> int:
    rank = int(value)
    if rank not in RANKS.values():
        raise ValueError
    return rank


def _read_finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError
    return number


def _read_moment(value: Any) -> datetime:
    return datetime.fromisoformat(value).astimezone(UTC)


def _read_uid(value: Any) -> str:
    uid = str(value)
    if not uid.isprintable():
        raise ValueError
    return uid


ORDERS = {
    "triage": Order(
        "triage",
        (studies.c.triage_rank, studies.c.triage_position, studies.c.first_received_at, studies.c.study_instance_uid),
        (_read_rank, _read_finite, _read_moment, _read_uid),
        sparse=True,
    ),
    "received": Order("received", (studies.c.first_received_at, studies.c.study_instance_uid), (_read_moment, _read_uid), descending=True),
}
"""triage: suspicious first, higher scores first, then oldest first; received: newest study first."""


def triage_columns(flag: TriageFlag, score: float | None) -> dict[str, Any]:
    """The position of a study in the triage order, as columns that all sort upwards."""
    if score is not None and not math.isfinite(score):
        raise ValueError("a score is a finite number")
    return {"triage_rank": RANKS[flag], "triage_position": 1.0 if score is None else -score}
