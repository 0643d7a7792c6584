"""One network whose weights are the mean of several that were trained on from the same one (Wortsman et al. 2022, a uniform model soup).

It often is as good as the average of their answers, at the cost and the size of one.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from training.errors import RunDiffers
from training.stages.checkpoint import LAST, save
from training.stages.run import Run
from training.stages.run_config import write_config
from training.stages.training_log import LOG_FILE, TrainingLog, read_log

SHARED = ("experiment", "shape", "recipe", "heads", "split_file")
"""What the runs must have in common, beside the patients of each part."""


def make_soup(runs: Sequence[Run], tag: str) -> Run:
    """Average the weights of several runs into a run of its own, which evaluates, exports and publishes as any other.

    Parameters
    ----------
    runs
        Two or more of one experiment. They must come from one another or from the same initial weights: weights that were never near each
        other have no useful mean. Only the validation part can show that: evaluate the soup there first.
    tag
        Of the new run.

    Raises
    ------
    ValueError
        Fewer than two runs, or no tag.
    RunDiffers
        The runs differ in what they must share, or the new run's folder is taken.
    NotTrained
        One of them is no finished run.
    """
    if len(runs) < 2 or not tag:
        raise ValueError("a soup needs two runs or more (--with) and a --into tag of its own")
    _check_shared(runs)
    soup = Run(runs[0].experiment, replace(runs[0].options, tag=tag))
    if soup.folder.exists():
        raise RunDiffers(f"{soup.folder} holds a run already: give another --into, or remove that folder")
    mean = _mean([run.network().state_dict() for run in runs])
    config, last = runs[0].config(), soup.last_stage
    last.mkdir(parents=True)
    shutil.copy(runs[0].folder / config["split_file"], soup.folder / config["split_file"])
    rows = [row for run in runs if (run.last_stage / LOG_FILE).is_file() for row in read_log(run.last_stage)]
    with TrainingLog(last, [{**row, "epoch": number} for number, row in enumerate(rows, start=1)], step=0):
        pass  # the epochs of all runs, one after another: what the soup took
    save(last / LAST, {"network": mean, "epoch": len(rows)})
    write_config(soup.folder, {**config, "soup": [run.name for run in runs]})
    return soup


def _check_shared(runs: Sequence[Run]) -> None:
    first, config = runs[0], runs[0].config()
    for run in runs[1:]:
        own = run.config()
        other = [name for name in SHARED if own[name] != config[name]]
        if other or _split(run.folder, own) != _split(first.folder, config):
            raise RunDiffers(f"{run.name} and {first.name} differ in {', '.join(other) or 'the patients of their parts'}")


def _mean(states: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Counters and the like are the first's."""
    first = states[0]
    return {
        name: torch.stack([state[name] for state in states]).mean(dim=0) if value.is_floating_point() else value
        for name, value in first.items()
    }


def _split(folder: Path, config: dict[str, str]) -> str:
    return (folder / config["split_file"]).read_text(encoding="utf-8")
