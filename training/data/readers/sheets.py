"""Spreadsheets as lines: CSV with what Python has, .xlsx with openpyxl, .xls with xlrd."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType

from training.data.readers.csv_lines import Line, as_lines, read_lines


def read_sheet(path: Path, required: Sequence[str] = ()) -> list[Line]:
    """Read the first sheet; the first line that has cells names the columns.

    Raises
    ------
    FileNotFoundError
        No such file.
    ModuleNotFoundError
        The library for this kind of sheet is not installed: the message names it, and the way without it.
    ValueError
        A required column is absent, or the file is damaged.
    """
    reader = {".xlsx": _read_xlsx, ".xls": _read_xls}.get(path.suffix.lower())
    if reader is None or not path.is_file():
        return read_lines(path, required)
    try:
        records = list(enumerate(reader(path), start=1))
    except ModuleNotFoundError:
        raise
    except Exception as error:  # both libraries raise whatever a damaged file provokes
        raise ValueError(f"{path} cannot be read as a sheet ({type(error).__name__}: {error}); save it as {path.stem}.csv") from None
    return as_lines(path, records, required)


def _read_xlsx(path: Path) -> Iterator[list[str]]:
    book = _library("openpyxl", path).load_workbook(path, read_only=True, data_only=True)
    try:
        for cells in book.worksheets[0].iter_rows(values_only=True):
            yield [_text(cell) for cell in cells]
    finally:
        book.close()


def _read_xls(path: Path) -> Iterator[list[str]]:
    sheet = _library("xlrd", path).open_workbook(str(path)).sheet_by_index(0)
    for number in range(sheet.nrows):
        yield [_text(cell) for cell in sheet.row_values(number)]


def _library(name: str, path: Path) -> ModuleType:
    try:
        return import_module(name)
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            f"{path.name} needs {name}: pip install {name}, or save the sheet as {path.stem}.csv", name=name
        ) from None


def _text(cell: object) -> str:
    """Sheets keep numbers as floats: 22678622.0 is an image's name."""
    if cell is None:
        return ""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)
