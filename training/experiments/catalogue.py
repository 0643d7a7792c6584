"""Every experiment by name, and what is here of what each needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from training.data.index import locate
from training.experiments import dib_mg, labels, masses, patches, two_step, whole_image, zoo
from training.stages.experiment import Experiment

EXPERIMENTS: dict[str, Experiment] = {
    name: experiment
    for room in (zoo, labels, masses, dib_mg, patches, whole_image, two_step)
    for name, experiment in room.EXPERIMENTS.items()
}
"""In the order of the papers, behind the ones that ship."""


def find_experiment(name: str, datasets: Sequence[str] = ()) -> Experiment:
    """The experiment `name`, on other data sets where some are named.

    Raises
    ------
    ValueError
        There is none of that name; the message has the nearest ones.
    """
    if name not in EXPERIMENTS:
        near = get_close_matches(name, EXPERIMENTS, n=4, cutoff=0.4)
        hint = f" (did you mean {', '.join(near)}?)" if near else ""
        raise ValueError(f"no experiment named {name!r}{hint}: `python -m training experiments` lists them")
    return replace(EXPERIMENTS[name], datasets=tuple(datasets)) if datasets else EXPERIMENTS[name]


def absent_datasets(experiment: Experiment, data: Path) -> list[str]:
    """The data sets of an experiment that are not below `data`."""
    absent = []
    for name in experiment.datasets:
        try:
            locate(data, name)
        except FileNotFoundError:
            absent.append(name)
    return absent
