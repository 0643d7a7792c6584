"""docs/configuration.md says what `service.settings` says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from service.cli import settings_page
from service.settings import Settings

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_table_of_settings_is_that_of_this_code() -> None:
    current = settings_page.START + settings_page.settings_table() + settings_page.END in PAGE.read_text(encoding="utf-8")
    assert current, "the settings have changed: mammotriage settings --markdown -o docs/configuration.md"


def test_every_setting_is_in_the_table_with_its_purpose_and_default() -> None:
    table = settings_page.settings_table()
    for name, field in Settings.model_fields.items():
        line = next((line for line in table.splitlines() if line.startswith(f"| `MAMMOTRIAGE_{name.upper()}` |")), "")
        assert field.description and field.description in line, name
        if isinstance(field.default, int | float | str) and not isinstance(field.default, bool):
            assert f"`{field.default}`" in line, name


def test_every_variable_that_a_document_names_is_a_setting() -> None:
    root = PAGE.parents[1]
    pages = [*root.glob("*.md"), *root.glob("docs/*.md"), root / "docs" / "destinations.example.toml"]
    named = {name for page in pages for name in re.findall(r"\bMAMMOTRIAGE_([A-Z_]*[A-Z])\b", page.read_text(encoding="utf-8"))}
    of_tests = {"TEST_DATA", "NO_SKIP"}
    assert named - of_tests <= {name.upper() for name in Settings.model_fields}


def test_the_table_of_a_page_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{settings_page.START}old\n{settings_page.END}after\n")
    settings_page.update_page(page)
    assert page.read_text() == f"before\n{settings_page.START}{settings_page.settings_table()}{settings_page.END}after\n"
    page.write_text("no marks\n")
    with pytest.raises(typer.BadParameter, match="no lines"):
        settings_page.update_page(page)
