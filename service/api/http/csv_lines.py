"""Lines of CSV (RFC 4180) that a spreadsheet does not run: a text that it would take for a formula gets an apostrophe in front."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_line(cells: Iterable[object]) -> str:
    """One record with its line end; None is an empty cell."""
    buffer = io.StringIO()
    csv.writer(buffer).writerow([f"'{each}" if isinstance(each, str) and each.startswith(_FORMULA) else each for each in cells])
    return buffer.getvalue()
