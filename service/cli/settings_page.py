"""The table of settings in docs/configuration.md, written from `service.settings`."""

from __future__ import annotations

import json
from pathlib import Path

import typer

from service.cli.conformance.markdown import table
from service.settings import Settings

START, END = "<!-- settings -->\n", "<!-- /settings -->\n"


def settings_table() -> str:
    """Every setting as a Markdown table: its variable, its default and its purpose. No value of this machine is in it."""
    rows = []
    for name, field in Settings.model_fields.items():
        default = _show_default(field.default)
        rows.append((f"`MAMMOTRIAGE_{name.upper()}`", f"`{default}`" if default else "", field.description or ""))
    return table(("variable", "default", "what it is for"), rows) + "\n"


def update_page(page: Path) -> None:
    """Replace the table between the two marks of a page.

    Raises
    ------
    typer.BadParameter
        The page lacks one of the marks.
    """
    before, start, rest = page.read_text(encoding="utf-8").partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        raise typer.BadParameter(f"{page} has no lines {START.strip()} and {END.strip()}")
    page.write_text(f"{before}{start}{settings_table()}{end}{after}", encoding="utf-8")


def _show_default(default: object) -> str:
    """A default as it is written into an environment variable; empty where nothing is set."""
    if default is None or default == () or default == {}:
        return ""
    return default if isinstance(default, str) else str(default) if isinstance(default, Path) else json.dumps(default)
