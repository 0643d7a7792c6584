"""One network whose weights are the mean of several that were trained on from the same one (Wortsman et al. 2022, a uniform model soup).

It often is as good as the average of their answers, at the cost and the size of one.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from training.stages.checkpoint import LAST, save
from training.stages.errors import RunDiffers
from training.stages.experiment import Experiment, Setting, load_network, run_folder, stage_folder
from training.stages.journal import Journal, read_log
from training.stages.record import SETTINGS, read_record

SHARED = ("experiment", "shape", "recipe", "heads", "split_file")
"""What the runs must have in common, beside the patients of each part."""


def make_soup(experiment: Experiment, settings: Sequence[Setting], tag: str) -> Path:
    """Average the weights of several runs into a run of its own, which evaluates, exports and publishes as any other.

    Parameters
    ----------
    settings
        The runs, two or more. They must come from one another or from the same start: weights that were never near each other have no
        useful mean. Nothing can check that but the tune part: evaluate the soup there first.
    tag
        Of the new run.

    Returns
    -------
    Its folder.

    Raises
    ------
    ValueError
        Fewer than two runs, or no tag.
    RunDiffers
        The runs differ in what they must share, or the new run's folder is taken.
    NotTrained
        One of them is no finished run.
    """
    if len(settings) < 2 or not tag:
        raise ValueError("a soup needs two runs or more (--with) and a --into tag of its own")
    folders = [run_folder(experiment, setting) for setting in settings]
    records = [read_record(folder) for folder in folders]
    for folder, record in zip(folders[1:], records[1:], strict=True):
        other = [name for name in SHARED if record[name] != records[0][name]]
        if other or _split(folder, record) != _split(folders[0], records[0]):
            raise RunDiffers(f"{folder.name} and {folders[0].name} differ in {', '.join(other) or 'the patients of their parts'}")
    into = replace(settings[0], tag=tag)
    target = run_folder(experiment, into)
    if target.exists():
        raise RunDiffers(f"{target} holds a run already: give another --into, or remove that folder")
    mean = _mean([load_network(experiment, setting).state_dict() for setting in settings])
    last = stage_folder(experiment, into, len(experiment.plans))
    last.mkdir(parents=True)
    shutil.copy(folders[0] / records[0]["split_file"], target / records[0]["split_file"])
    logs = [stage_folder(experiment, setting, len(experiment.plans)) for setting in settings]
    rows = [row for stage in logs if (stage / "log.csv").is_file() for row in read_log(stage)]
    with Journal(last, [{**row, "epoch": number} for number, row in enumerate(rows, start=1)], step=0):
        pass  # the epochs of all runs, one after another: what the soup took
    save(last / LAST, {"network": mean, "epoch": len(rows)})
    record = {**records[0], "soup": [folder.name for folder in folders]}
    (target / SETTINGS).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return target


def _mean(states: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Counters and the like are the first's."""
    first = states[0]
    return {
        name: torch.stack([state[name] for state in states]).mean(dim=0) if value.is_floating_point() else value
        for name, value in first.items()
    }


def _split(folder: Path, record: dict[str, str]) -> str:
    return (folder / record["split_file"]).read_text(encoding="utf-8")
