"""Every experiment by name, a user's own from a file, and the data sets that are absent."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from training.data.index import locate
from training.errors import ExperimentUnknown
from training.experiments import cancer, dib_mg, labeler_all_sets, labeler_heads, labels, masses, patches, two_step, whole_image, zoo
from training.stages.experiment import Experiment

EXPERIMENTS: dict[str, Experiment] = {
    name: experiment
    for module in (zoo, cancer, labeler_all_sets, labeler_heads, labels, masses, dib_mg, patches, whole_image, two_step)
    for name, experiment in module.EXPERIMENTS.items()
}
"""In the order of the papers, behind the ones that ship."""


def find_experiment(name: str, datasets: Sequence[str] = ()) -> Experiment:
    """The experiment `name`, or the one that the file `name` defines; on other data sets where some are named.

    Raises
    ------
    ExperimentUnknown
        There is none of that name; the message has the nearest ones.
    """
    experiment = load_experiment(Path(name)) if name.endswith(".py") else _experiment_named(name)
    return replace(experiment, datasets=tuple(datasets)) if datasets else experiment


def _experiment_named(name: str) -> Experiment:
    if name not in EXPERIMENTS:
        near = get_close_matches(name, EXPERIMENTS, n=4, cutoff=0.4)
        hint = f" (did you mean {', '.join(near)}?)" if near else ""
        raise ExperimentUnknown(f"no experiment named {name!r}{hint}: `python -m training experiments` lists them")
    return EXPERIMENTS[name]


def load_experiment(path: Path) -> Experiment:
    """The value ``EXPERIMENT`` of a user's own Python file. The file is executed.

    Raises
    ------
    ExperimentUnknown
        No such file, or no `Experiment` of that name in it.
    """
    if not path.is_file():
        raise ExperimentUnknown(f"no file {path}: give the name of an experiment, or a Python file that defines EXPERIMENT")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ExperimentUnknown(f"{path} cannot be read as a Python module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    experiment = getattr(module, "EXPERIMENT", None)
    if not isinstance(experiment, Experiment):
        raise ExperimentUnknown(
            f"{path} defines no EXPERIMENT: assign one, like EXPERIMENT = replace(LABELER, name='mine', shape=(320, 192))"
        )
    return experiment


def absent_datasets(experiment: Experiment, data: Path) -> list[str]:
    """The data sets of an experiment that are not below `data`."""
    absent = []
    for name in experiment.datasets:
        try:
            locate(data, name)
        except FileNotFoundError:
            absent.append(name)
    return absent
