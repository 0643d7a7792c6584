"""Tables of public sets as they come: byte-order marks, semicolons, newlines inside quoted fields, names in any case."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Line:
    """One record of a table.

    Parameters
    ----------
    table
        The file, for messages.
    number
        Line of the file on which the record ends, from 1.
    values
        Cell by column name; names in lower case with ``_`` for spaces, cells stripped of blanks and newlines at their ends.
    surplus
        Cells beyond the last column: the author forgot to quote a comma.
    """

    table: Path
    number: int
    values: dict[str, str]
    surplus: tuple[str, ...] = ()

    def __getitem__(self, column: str) -> str:
        """The cell, empty where the table has no such column."""
        return self.values.get(column, "")

    def first(self, *columns: str) -> str:
        """The first cell among `columns` that is not empty: sets rename their columns between releases."""
        return next((value for column in columns if (value := self[column])), "")

    @property
    def place(self) -> str:
        """``file, line n``."""
        return f"{self.table.name}, line {self.number}"


def read_lines(table: Path, required: Sequence[str] = ()) -> list[Line]:
    """Read a CSV file, comma or semicolon, as its first line shows.

    Raises
    ------
    FileNotFoundError
        No such table: the message names it.
    ValueError
        A required column is absent: the message names it and those that are there. Or the file is no CSV at all.
    """
    if not table.is_file():
        raise FileNotFoundError(f"no table {table}: it comes with the data set and says what its images are")
    with table.open(newline="", encoding="utf-8-sig", errors="replace") as stream:
        header = stream.readline()
        stream.seek(0)
        reader = csv.reader(stream, delimiter=";" if header.count(";") > header.count(",") else ",")
        try:
            return as_lines(table, ((reader.line_num, cells) for cells in reader), required)
        except csv.Error as error:
            raise ValueError(f"{table}, line {reader.line_num}: no CSV ({error})") from None


def as_lines(table: Path, records: Iterable[tuple[int, Sequence[str]]], required: Sequence[str] = ()) -> list[Line]:
    """Records of cells with their numbers, the first the names of the columns, as lines. Empty records are left out. Raises ValueError."""
    names: list[str] = []
    lines = []
    for number, cells in records:
        if not any(cell.strip() for cell in cells):
            continue
        if names:
            values = dict(zip(names, (cell.strip() for cell in cells), strict=False))
            lines.append(Line(table, number, values, tuple(filter(None, map(str.strip, cells[len(names) :])))))
        else:
            names = [column_name(cell) for cell in cells]
    absent = [name for name in required if name not in names]
    if absent:
        raise ValueError(f"{table} has no column {', '.join(absent)}; it has {', '.join(names) or 'nothing'}")
    return lines


def column_name(cell: str) -> str:
    """``Left or right breast`` as ``left_or_right_breast``."""
    return "_".join(cell.strip().lower().split())


def parse_notes(text: str) -> dict[str, str]:
    """``a=1;b=2`` as a dictionary: the notes column of the shared layout."""
    return dict(note.strip().split("=", 1) for note in text.split(";") if "=" in note)


def parse_number(text: str) -> float | None:
    """A number such as ``57.0`` or ``057Y`` (DICOM age); None for anything else."""
    try:
        return float(text.strip().rstrip("Yy"))
    except ValueError:
        return None
