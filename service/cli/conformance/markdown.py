"""Pieces of Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydicom.uid import UID


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; what would break a cell is escaped."""
    lines = [_line(columns), "|" + "---|" * len(columns), *(_line(row) for row in rows)]
    return "\n".join(lines)


def uid_rows(uids: Iterable[str]) -> list[tuple[str, str]]:
    """Name and UID, by name of the standard (PS3.6 Annex A)."""
    return [(UID(uid).name, uid) for uid in uids]


def join(*parts: str) -> str:
    """Paragraphs with an empty line between them."""
    return "\n\n".join(part.strip("\n") for part in parts if part)


def _line(cells: Sequence[object]) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
