"""The README says what the code does: a setting, command or room that it leaves out fails here."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from service.cli import app
from service.settings import Settings
from training.cli import app as training_app

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_setting_is_documented_with_its_default() -> None:
    for name, field in Settings.model_fields.items():
        line = next((line for line in README.splitlines() if line.startswith(f"| `MAMMOTRIAGE_{name.upper()}` |")), "")
        assert field.description and field.description in line, name
        if isinstance(field.default, int | float | str) and not isinstance(field.default, bool):
            assert str(field.default) in line, name


def test_the_picture_of_the_rooms_names_every_room() -> None:
    rooms = {path.name for path in (ROOT / "service").iterdir() if path.is_dir() and (path / "__init__.py").exists()}
    assert all(room in README for room in rooms), rooms


def test_every_command_is_named() -> None:
    commands = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    assert all(f"`{command}`" in README or f"mammotriage {command}" in README for command in commands), commands


def test_every_command_and_room_of_training_is_named() -> None:
    commands = {command.name for command in training_app.registered_commands if command.name}
    assert all(f"`{command}`" in README for command in commands), commands
    rooms = {path.name for path in (ROOT / "training").iterdir() if path.is_dir() and (path / "__init__.py").exists()}
    assert all(room in README for room in rooms), rooms


def test_options_of_training_that_are_named_exist() -> None:
    section = README.partition("## Train your own")[2].partition("\n## ")[0]
    known = set()
    for name in ("train", "evaluate", "publish", "synthetic"):
        callback = next(command.callback for command in training_app.registered_commands if command.name == name)
        assert callback
        known |= {f"--{parameter.replace('_', '-')}" for parameter in inspect.signature(callback).parameters}
    assert set(re.findall(r"--[a-z][a-z-]*", section)) <= known
