"""docs/command-line.md and docs/training.md name every command that there is."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from typer import Typer

from service.cli import app
from training.cli import app as training_app

DOCS = Path(__file__).parents[2] / "docs"


def commands(of: Typer) -> set[str]:
    return {command.name or command.callback.__name__ for command in of.registered_commands if command.callback}


def test_every_command_is_named() -> None:
    page = (DOCS / "command-line.md").read_text(encoding="utf-8")
    assert {command for command in commands(app) if f"`mammotriage {command}" not in page} == set()


def test_every_command_of_a_group_is_named_in_its_row() -> None:
    rows = (DOCS / "command-line.md").read_text(encoding="utf-8").splitlines()
    for group in app.registered_groups:
        assert group.typer_instance
        row = next((row for row in rows if row.startswith(f"| `mammotriage {group.name}` |")), "")
        named = set(re.findall(r"`([a-z]+)`", row.partition(": ")[0].partition(" | ")[2]) or re.findall(r"`([a-z]+)`", row))
        assert commands(group.typer_instance) <= named, group.name


def test_every_command_of_training_is_named() -> None:
    page = (DOCS / "training.md").read_text(encoding="utf-8")
    assert {command for command in commands(training_app) if f"`{command}`" not in page} == set()


def test_options_of_training_that_are_named_exist() -> None:
    page = (DOCS / "training.md").read_text(encoding="utf-8")
    known = {"--help"}
    for name in ("train", "evaluate", "publish", "synthetic"):
        callback = next(command.callback for command in training_app.registered_commands if command.name == name)
        assert callback
        known |= {f"--{parameter.replace('_', '-')}" for parameter in inspect.signature(callback).parameters}
    assert set(re.findall(r"--[a-z][a-z-]*", page)) <= known
