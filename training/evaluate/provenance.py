"""How a figure came to be: command, split, seed, sizes, epochs, seconds, commit. Never a path of this machine."""

from __future__ import annotations

import csv
import shlex
import subprocess
from pathlib import Path
from typing import Any

from training.stages.experiment import Experiment, Setting, run_folder, stage_folder
from training.stages.record import SETTINGS, read_record


def describe_run(experiment: Experiment, setting: Setting, command: str = "") -> dict[str, Any]:
    """What settings a run had and what it took, from its log."""
    epochs, seconds = read_logs(experiment, setting)
    split = experiment.split if setting.split is None else setting.split
    return {
        "name": run_folder(experiment, setting).name,
        "experiment": experiment.name,
        "paper": experiment.paper,
        "task": experiment.task,
        "datasets": dataset_names(experiment),
        "recipe": experiment.recipe,
        "shape": list(experiment.input_shape(setting)),
        "split": Path(split).name if setting.fold is None else f"fold {setting.fold} of 5",
        "seed": setting.seed,
        "start": Path(setting.start.weights).name,
        "soup": soup_of(experiment, setting),
        "patients": setting.patients,
        "epochs": epochs,
        "rates": setting.rates,
        "batch": experiment.stages(setting)[0].batch,
        "seconds": seconds,
        "command": without_paths(command),
        "commit": commit(),
    }


def soup_of(experiment: Experiment, setting: Setting) -> list[str]:
    """The runs whose weights were averaged into this one; empty for a run that was trained."""
    folder = run_folder(experiment, setting)
    soup: list[str] = read_record(folder).get("soup", []) if (folder / SETTINGS).is_file() else []
    return soup


def dataset_names(experiment: Experiment) -> list[str]:
    """The sets without the folders that a user may have named with them (``NAME:FOLDER``)."""
    return [name.partition(":")[0] for name in experiment.datasets]


def read_logs(experiment: Experiment, setting: Setting) -> tuple[int, float | None]:
    """Epochs that were trained over all stages, and seconds where the logs tell them."""
    epochs, seconds, told = 0, 0.0, False
    for number in range(1, len(experiment.plans) + 1):
        path = stage_folder(experiment, setting, number) / "log.csv"
        if not path.is_file():
            continue
        with path.open(newline="", encoding="utf-8") as stream:
            for line in csv.DictReader(stream):
                epochs += 1
                if line.get("seconds"):
                    seconds, told = seconds + float(line["seconds"]), True
    return epochs, round(seconds, 1) if told else None


def without_paths(command: str) -> str:
    """A command as others can run it: absolute paths shortened to their last part."""
    return shlex.join(f"FOLDER/{Path(word).name}" if word.startswith(("/", "~")) else word for word in shlex.split(command))


def commit() -> str:
    """Short hash of the code, with ``+`` where it was changed since; ``unknown`` outside a git checkout."""
    folder = Path(__file__).resolve().parent
    try:
        run = ["git", "-C", str(folder), "rev-parse", "--short", "HEAD"]
        found = subprocess.run(run, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
        changed = ["git", "-C", str(folder), "status", "--porcelain", "--untracked-files=no", "--", "../../training", "../../models"]
        dirty = subprocess.run(changed, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return found + ("+" if dirty else "")
