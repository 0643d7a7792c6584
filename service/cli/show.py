"""Commands that show models, settings and the conformance statement."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel
from rich.table import Column, Table
from rich.text import Text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from service.cli.console import out
from service.cli.settings_page import settings_table, update_page
from service.destinations import conceal
from service.settings import Settings


def models() -> None:
    """List the models of the zoo; the sha256 of each file is checked."""
    from models.registry import Registry

    settings = Settings()
    registry = Registry(settings.model_dir) if settings.model_dir else Registry()
    table = Table("model", "version", "task", "input", "recipe", "calibration", "sha256", "licence")
    for manifest in registry.manifests():
        registry.load(manifest.name, manifest.version)
        table.add_row(
            manifest.name,
            manifest.version,
            manifest.task,
            f"{manifest.rows}x{manifest.columns}",
            manifest.recipe,
            manifest.calibration.kind,
            manifest.sha256[:12],
            manifest.licence,
        )
    out.print(table)


def show_settings(
    markdown: Annotated[bool, typer.Option("--markdown", help="print variables, defaults and purposes as a Markdown table")] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="page whose Markdown table of settings is replaced")] = None,
) -> None:
    """List every setting: variable, current value, purpose. Passwords are not shown."""
    if output is not None:
        update_page(output)
        return
    if markdown:
        sys.stdout.write(settings_table())
        return
    settings = Settings()
    table = Table(Column("variable", no_wrap=True), "value", "set", "what it is for")
    for name, field in Settings.model_fields.items():
        is_set = "yes" if name in settings.model_fields_set else ""
        table.add_row(f"MAMMOTRIAGE_{name.upper()}", _show(getattr(settings, name)), is_set, field.description)
    out.print(table)


def conformance(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="file to write [default: standard output]")] = None,
) -> None:
    """The DICOM conformance statement of this version, as Markdown."""
    from service.cli.conformance import write_statement

    if output is None:
        sys.stdout.write(write_statement())
    else:
        output.write_text(write_statement(), encoding="utf-8")


def _show(value: object) -> Text:
    """A value without its secrets, as plain text: brackets in it are no markup."""
    if value is None:
        return Text()
    if isinstance(value, tuple):
        return Text("\n".join(json.dumps(conceal(each)) if isinstance(each, BaseModel) else str(each) for each in value))
    if isinstance(value, str) and "://" in value:
        with suppress(ArgumentError):
            return Text(make_url(value).render_as_string())
    return Text(str(value))
