"""settings.json of a run: all that made it, so that it can be repeated, evaluated without saying it again, and never mixed with another."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

from training.stages.errors import NotTrained, RunDiffers

SETTINGS = "settings.json"
NOTED = ("command", "devices", "device", "started", "torch")
"""What may differ between a run and its resume."""


def write_record(folder: Path, values: dict[str, Any], device: str) -> None:
    """Write what made a run, or find that it is what made the run which is there.

    Raises
    ------
    RunDiffers
        The folder holds a run with other settings; the message names them.
    """
    values = json.loads(json.dumps(values))
    path = folder / SETTINGS
    if path.exists():
        former = read_record(folder)
        other = [name for name in values if name not in NOTED and former.get(name) != values[name]]
        if other:
            said = "; ".join(f"{name} was {_short(former.get(name))}, now {_short(values[name])}" for name in other)
            raise RunDiffers(f"{folder} holds a run with other settings ({said}): give this one a --tag of its own, or remove that folder")
        return
    noted = {
        "command": f"python -m training {' '.join(sys.argv[1:])}",
        "device": device,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "torch": version("torch"),
    }
    folder.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    partial.write_text(json.dumps({**values, **noted}, indent=2) + "\n", encoding="utf-8")
    partial.replace(path)


def read_record(folder: Path) -> dict[str, Any]:
    """What `write_record` wrote.

    Raises
    ------
    NotTrained
        No run began there.
    """
    path = folder / SETTINGS
    if not path.is_file():
        raise NotTrained(f"no run at {folder}: train first with `python -m training train`, with the same --runs and --tag")
    return cast(dict[str, Any], json.loads(path.read_text(encoding="utf-8")))


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
