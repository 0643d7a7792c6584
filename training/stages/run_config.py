"""run_config.json: what made a run, so that it can be repeated, evaluated without its options again, and never mixed with another."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

from training.errors import NotTrained, RunDiffers

RUN_CONFIG = "run_config.json"
NOTED = ("command", "commit", "devices", "device", "started", "torch")
"""What may differ between a run and its resume."""


def save_config(folder: Path, values: dict[str, Any], device: str) -> None:
    """Save what makes a run, or check that it is what made the run that the folder holds.

    Raises
    ------
    RunDiffers
        The folder holds a run with other options; the message names them.
    """
    values = json.loads(json.dumps(values))
    path = folder / RUN_CONFIG
    if path.exists():
        _check_same(folder, load_config(folder), values)
        return
    noted = {
        "command": f"python -m training {' '.join(sys.argv[1:])}",
        "commit": code_commit(),
        "device": device,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "torch": version("torch"),
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_config(folder, {**values, **noted})


def write_config(folder: Path, values: dict[str, Any]) -> None:
    """Write the file whole or not at all."""
    path = folder / RUN_CONFIG
    partial = path.with_suffix(".part")
    partial.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    partial.replace(path)


def load_config(folder: Path) -> dict[str, Any]:
    """What `save_config` saved.

    Raises
    ------
    NotTrained
        No run began in the folder.
    """
    path = folder / RUN_CONFIG
    if not path.is_file():
        raise NotTrained(f"no run at {folder}: train first with `python -m training train`, with the same --runs and --tag")
    return cast(dict[str, Any], json.loads(path.read_text(encoding="utf-8")))


def has_config(folder: Path) -> bool:
    """Whether a run began in the folder."""
    return (folder / RUN_CONFIG).is_file()


def code_commit() -> str:
    """Short hash of the code, with ``+`` where it was changed since; ``unknown`` outside a git checkout."""
    folder = Path(__file__).resolve().parent
    try:
        found = _git(folder, "rev-parse", "--short", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no", "--", "..", "../../models")
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return found + ("+" if changed else "")


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()


def _check_same(folder: Path, former: dict[str, Any], values: dict[str, Any]) -> None:
    other = [name for name in values if name not in NOTED and former.get(name) != values[name]]
    if other:
        differences = "; ".join(f"{name} was {_short(former.get(name))}, now {_short(values[name])}" for name in other)
        raise RunDiffers(
            f"{folder} holds a run with other options ({differences}): give this one a --tag of its own, or remove that folder"
        )


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
