"""How a figure came to be: command, split, seed, sizes, epochs, seconds, commit. Never a path of this machine."""

from __future__ import annotations

import csv
import shlex
from pathlib import Path
from typing import Any

from training.stages.run import Run
from training.stages.run_config import code_commit
from training.stages.training_log import LOG_FILE


def describe_run(run: Run, command: str = "") -> dict[str, Any]:
    """The options of a run, and the epochs and seconds of its log."""
    experiment, options = run.experiment, run.options
    epochs, seconds = read_logs(run)
    return {
        "name": run.name,
        "experiment": experiment.name,
        "paper": experiment.paper,
        "task": experiment.task,
        "datasets": run.dataset_names,
        "data_fingerprint": run.data_fingerprint,
        "recipe": experiment.recipe,
        "shape": list(run.shape),
        "split": run.split_name,
        "seed": options.seed,
        "start": Path(options.weights).name,
        "soup": run.averaged_weights,
        "patients": options.patients,
        "epochs": epochs,
        "rates": options.rates,
        "batch": run.plans[0].batch,
        "seconds": seconds,
        "command": without_paths(command),
        "commit": code_commit(),
    }


def read_logs(run: Run) -> tuple[int, float | None]:
    """Epochs that were trained over all stages, and seconds where the logs have them."""
    epochs, seconds, timed = 0, 0.0, False
    for number in range(1, len(run.experiment.plans) + 1):
        path = run.stage_folder(number) / LOG_FILE
        if not path.is_file():
            continue
        with path.open(newline="", encoding="utf-8") as stream:
            for line in csv.DictReader(stream):
                epochs += 1
                if line.get("seconds"):
                    seconds, timed = seconds + float(line["seconds"]), True
    return epochs, round(seconds, 1) if timed else None


def without_paths(command: str) -> str:
    """A command as others can run it: absolute paths shortened to their last part."""
    return shlex.join(f"FOLDER/{Path(word).name}" if word.startswith(("/", "~")) else word for word in shlex.split(command))
