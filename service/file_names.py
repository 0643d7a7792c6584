"""Names of files as text: a name is bytes of any kind (POSIX), and neither JSON nor every terminal has room for all of them."""

from __future__ import annotations

import os
from pathlib import Path


def write_name(path: Path) -> str:
    """The name as Unicode text; bytes that are no UTF-8 are written as ``\\xe9``."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def print_name(path: Path) -> str:
    """The name for a terminal, on one line: control characters are written as escapes too."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in write_name(path))


def is_folder(path: Path) -> bool:
    """Tell whether this is a folder; a name that cannot be one (too long, not allowed) is none."""
    try:
        return path.is_dir()
    except OSError:
        return False


def is_file(path: Path) -> bool:
    """Tell whether this is a regular file, as `is_folder`."""
    try:
        return path.is_file()
    except OSError:
        return False


def list_files(folder: Path) -> list[Path]:
    """Every file of a folder and below, in order of name, links that lead nowhere too; and the folders that cannot be listed."""
    closed: list[Path] = []
    found = [
        Path(parent, name)
        for parent, _, names in os.walk(folder, onerror=lambda error: closed.append(Path(str(error.filename))))
        for name in names
    ]
    return sorted([*found, *closed])
