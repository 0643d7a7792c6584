"""docs/architecture.md names the packages, modules and layers that there are."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def packages(of: str) -> set[str]:
    return {path.name for path in (ROOT / of).iterdir() if path.is_dir() and (path / "__init__.py").exists()}


def test_every_package_is_named() -> None:
    assert {name for of in ("models", "service", "training") for name in packages(of) if f"`{name}`" not in PAGE} == set()


def test_every_folder_of_the_api_is_named() -> None:
    assert {name for name in packages("service/api") if f"`{name}`" not in PAGE} == set()


def test_every_module_that_is_named_exists() -> None:
    named = re.findall(r"`((?:service|models|training)/[\w/]+(?:\.py)?)`", PAGE)
    assert len(named) > 20
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_class_and_function_that_is_named_with_its_module_is_defined_there() -> None:
    named = re.findall(r"`(\w+)(?:\(\))?` \(`((?:service|models|training)/[\w/]+\.py)`", PAGE)
    assert len(named) > 10
    missing = [
        f"{name} in {path}"
        for name, path in named
        if not re.search(rf"^(?:class|def) {name}\b", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert missing == []


def test_the_layers_are_those_that_the_linter_proves() -> None:
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter", encoding="utf-8")
    layers = contracts["importlinter:contract:service"]["layers"].split("\n")
    expected = [sorted(re.split(r"\s*[|:]\s*", layer.strip())) for layer in layers if layer.strip()]
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", PAGE.partition("service, from the top:")[2], re.MULTILINE)
    assert [sorted(re.findall(r"`(\w+)`", row)) for row in rows[: len(expected)]] == expected
