"""What an experiment is: a row of a paper as values and functions. How it is run: gather, train stage by stage, load what came out."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from models.preprocessing.recipe import find_recipe
from training.data.cache import build_cache
from training.data.index import Row, read_index
from training.data.splits import write_split
from training.metrics.ranking import accuracy, auc
from training.stages.checkpoint import BEST, LAST, find_checkpoint, fits, read_network, save
from training.stages.devices import open_fabric
from training.stages.engine import AfterEpoch, fit, predict
from training.stages.errors import ClassEmpty, NotTrained, SplitUnfit
from training.stages.losses import Loss, masked_cross_entropy
from training.stages.parts import FOLDS, assign_parts, limit_patients
from training.stages.plan import Plan, scale_rates, share_epochs
from training.stages.record import SETTINGS, read_record, write_record
from training.stages.samples import Samples, Targets
from training.stages.setting import Material, Setting, Start

__all__ = [
    "Experiment",
    "Material",
    "Setting",
    "Start",
    "Task",
    "gather_images",
    "load_network",
    "part_of_rows",
    "recall",
    "run_folder",
    "stage_folder",
    "targets",
    "train",
]

Task = Literal["labeler", "cancer", "view", "laterality", "density", "mass-patch", "lesion-patch"]


def targets(experiment: Experiment, rows: list[Row]) -> Targets:
    """Class indices by head from the rows themselves; -1 where a row does not say."""
    if experiment.task == "cancer":
        return {"cancer": np.array([-1 if row.malignant is None else int(row.malignant) for row in rows], np.int64)}
    return {
        head: np.array([-1 if (value := getattr(row, head)) is None else classes.index(value) for row in rows], np.int64)
        for head, classes in experiment.heads.items()
    }


def part_of_rows(experiment: Experiment, setting: Setting, rows: list[Row]) -> NDArray[np.str_]:
    """The part of each row under the split in force, with `Setting.patients` taken into account. For gather functions."""
    parts = assign_parts(rows, experiment.split if setting.split is None else setting.split, setting.fold)
    return limit_patients(rows, parts, setting.patients)


def gather_images(experiment: Experiment, setting: Setting) -> Material:
    """Whole images: index, cached crops by the experiment's recipe, parts, and targets as the rows say."""
    rows = read_index(setting.data, experiment.datasets)
    part_of_rows(experiment, setting, rows)  # a split that does not fit is told before the hours that decoding may take
    cached = build_cache(rows, experiment.input_shape(setting), setting.runs / "cache", experiment.recipe)
    kept = list(cached.rows)
    return Material(kept, cached.pixels, part_of_rows(experiment, setting, kept), targets(experiment, kept))


def draw_evenly(targets: Targets) -> NDArray[np.float64] | None:
    """Every sample once an epoch."""
    return None


@dataclass(frozen=True)
class Experiment:
    """What to train on what, and how.

    Parameters
    ----------
    name
        Of the run's folder, and behind ``mammotriage-`` of the model in the zoo.
    task
        The manifest's: which figures are measured, and which slot of the service the model fills.
    paper
        Where it stands: "Yi et al. 2019, Results: view".
    needs
        Data and weights, in words.
    datasets
        Names of `training.data.index.READERS`.
    shape
        Rows, columns of the network input in pixels.
    recipe
        Of `models.preprocessing.recipe`.
    heads
        The network's heads with their classes, in the order of its outputs; one class: the probability of it.
    plans
        The stages of training, each from where the former ended (Shen et al. 2017, 3.1.2: stages of falling rates).
    build
        Makes the network as it starts.
    gather
        Makes the samples.
    loss
        Makes the loss.
    split
        Rule of `training.data.splits`, or the file that gives each patient a part.
    draws
        From the targets of the training samples to how often each is drawn; None: each once an epoch.
    learn
        Takes the place of the engine for what no gradient trains (a random forest): changes the network in place.
    """

    name: str
    task: Task
    paper: str
    needs: str
    datasets: tuple[str, ...]
    shape: tuple[int, int]
    recipe: str
    heads: dict[str, tuple[str, ...]]
    plans: tuple[Plan, ...]
    build: Callable[[Start], nn.Module]
    gather: Callable[[Experiment, Setting], Material] = gather_images
    loss: Callable[[], Loss] = masked_cross_entropy
    split: str | Path = "80/10/10"
    draws: Callable[[Targets], NDArray[np.float64] | None] = draw_evenly
    learn: Callable[[Any, Experiment, Setting, Material], None] | None = None

    def input_shape(self, setting: Setting) -> tuple[int, int]:
        """Rows, columns in force."""
        return setting.shape or self.shape

    def stages(self, setting: Setting) -> tuple[Plan, ...]:
        """The plans in force: what the user set, spread over the paper's stages."""
        plans = share_epochs(self.plans, setting.epochs) if setting.epochs else self.plans
        return tuple(
            replace(
                scale_rates(plan, setting.rates),
                batch=setting.batch or plan.batch,
                accumulate=setting.accumulate or plan.accumulate,
                patience=plan.patience if setting.patience is None else setting.patience,
                precision=setting.precision or plan.precision,
                deterministic=setting.deterministic or plan.deterministic,
                seed=plan.seed + 1000 * setting.seed,
            )
            for plan in plans
        )


def run_folder(experiment: Experiment, setting: Setting) -> Path:
    """Where a run keeps its settings, stages and reports."""
    return setting.runs / (f"{experiment.name}-{setting.tag}" if setting.tag else experiment.name)


def stage_folder(experiment: Experiment, setting: Setting, number: int) -> Path:
    """Where stage `number` (from 1) keeps its checkpoints and its logs."""
    return run_folder(experiment, setting) / f"stage{number}"


def train(experiment: Experiment, setting: Setting) -> Path:
    """Train an experiment through all its stages, going on where an earlier run stopped; answers the run's folder.

    The folder gets ``settings.json``, ``split-NAME.csv`` and a folder for each stage (`training.stages.engine.fit`).

    Raises
    ------
    TrainingError
        One of `training.stages.errors`: the message says what to change.
    """
    plans, folder = experiment.stages(setting), run_folder(experiment, setting)
    fabric = open_fabric(plans[0].precision, setting.devices)
    material = experiment.gather(experiment, setting)
    check_classes(experiment, material)
    if fabric.is_global_zero:
        write_record(folder, _describe(experiment, setting, material), str(fabric.device))
        # Patients that this run leaves out are training patients still: the same split serves a run with more of them.
        patients = {row.patient: "train" if part == "spare" else str(part) for row, part in zip(material.rows, material.parts, strict=True)}
        write_split(_split_file(experiment, setting), patients)
    fabric.barrier()
    chosen = material.where("train")
    known = {head: values[chosen] for head, values in material.targets.items()}
    normalise = find_recipe(experiment.recipe).normalise
    torch.manual_seed(setting.seed)
    network = begin(experiment, setting.start)
    if experiment.learn is not None:
        last = stage_folder(experiment, setting, 1) / LAST
        if fabric.is_global_zero and not last.exists():
            experiment.learn(network, experiment, setting, material)
            last.parent.mkdir(exist_ok=True)
            save(last, {"network": network.state_dict(), "epoch": 1})
        return folder
    for number, plan in enumerate(plans, start=1):
        samples = Samples(material.crops[chosen], known, plan.augmentation, plan.seed, normalise)
        network = fit(
            network,
            samples,
            experiment.loss(),
            plan,
            stage_folder(experiment, setting, number),
            experiment.draws(known),
            _measure_tune(experiment, material, plan),
            fabric,
            setting.workers,
        )
    return folder


def begin(experiment: Experiment, start: Start) -> nn.Module:
    """The network as it starts: another run's of the same architecture as a whole, anything else as the experiment builds it."""
    place = Path(start.weights)
    if place.is_dir() or (place.is_file() and place.name in (LAST, BEST)):
        network, tensors = experiment.build(replace(start, weights="random")), read_network(place)
        if fits(network, tensors):
            network.load_state_dict(tensors)
            return network
    return experiment.build(start)


def load_network(experiment: Experiment, setting: Setting) -> nn.Module:
    """The trained network of a run, on the CPU, in evaluation mode: of its last stage the best epoch on the tune part.

    Raises
    ------
    NotTrained
        The run has not come to its last stage.
    """
    last = stage_folder(experiment, setting, len(experiment.plans))
    if not (last / BEST).exists() and not (last / LAST).exists():
        raise NotTrained(f"no checkpoint in {last}: `python -m training train {experiment.name}` with the same --runs and --tag makes it")
    backbone = setting.start.backbone
    if backbone is None and (run_folder(experiment, setting) / SETTINGS).exists():
        backbone = read_record(run_folder(experiment, setting))["start"]["backbone"]
    network = experiment.build(Start("random", backbone))
    network.load_state_dict(read_network(find_checkpoint(last)))
    return network.eval()


def recall(experiment: Experiment, setting: Setting) -> tuple[Experiment, Setting]:
    """An experiment and a setting as a run of that tag was trained, so that evaluating it needs none of its options again.

    What `setting` says itself counts more: another shape, split or backbone. A run of a former version, which kept no settings, takes
    everything from `setting`.

    Raises
    ------
    NotTrained
        No run began there.
    """
    folder = run_folder(experiment, setting)
    if (folder / "stage1").is_dir() and not (folder / SETTINGS).exists():
        return experiment, setting
    record = read_record(folder)
    rows, columns = record["shape"]
    resplit = setting.split is not None or setting.fold is not None
    return replace(experiment, datasets=tuple(record["datasets"])), replace(
        setting,
        split=setting.split if resplit else folder / record["split_file"],
        shape=setting.shape or (rows, columns),
        epochs=record["epochs"],
        rates=record.get("rates", 1.0),
        batch=setting.batch or record["batch"],
        seed=record["seed"],
        patients=record["patients"],
        start=replace(Start(**record["start"]), backbone=setting.start.backbone or record["start"]["backbone"]),
    )


def check_classes(experiment: Experiment, material: Material) -> None:
    """See that there is something to learn from.

    Raises
    ------
    SplitUnfit
        The train part is empty.
    ClassEmpty
        It has no sample of a class.
    """
    chosen = material.where("train")
    if not chosen.size:
        raise SplitUnfit(f"no sample of {', '.join(experiment.datasets)} is in the train part: choose another --split")
    for head, classes in experiment.heads.items():
        names = classes if len(classes) > 1 else (f"not {classes[0]}", classes[0])
        found = material.targets[head][chosen]
        absent = [name for index, name in enumerate(names) if not (found == index).any()]
        if absent:
            raise ClassEmpty(
                f"the train part has no sample of {head} {' or '.join(absent)} among its {chosen.size}: "
                "use more --patients, another --split, or data that has it"
            )


def _measure_tune(experiment: Experiment, material: Material, plan: Plan) -> AfterEpoch | None:
    held, normalise = material.where("tune"), find_recipe(experiment.recipe).normalise
    if not held.size:
        return None

    def after_epoch(epoch: int, network: nn.Module) -> dict[str, float]:
        logits = predict(network, material.crops[held], plan.batch, normalise, plan.precision)
        return {head: _quality(values, material.targets[head][held]) for head, values in logits.items()}

    return after_epoch


def _split_name(experiment: Experiment, setting: Setting) -> str:
    if setting.fold is not None:
        return f"fold {setting.fold} of {FOLDS}"
    source = experiment.split if setting.split is None else setting.split
    return Path(source).name if Path(source).is_file() else str(source)


def _split_file(experiment: Experiment, setting: Setting) -> Path:
    """A copy of the split in the run's folder, named after it: whatever becomes of the data, a run is tested on patients it never saw."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", _split_name(experiment, setting).removesuffix(".csv"))
    return run_folder(experiment, setting) / f"split-{name}.csv"


def _describe(experiment: Experiment, setting: Setting, material: Material) -> dict[str, Any]:
    return {
        "experiment": experiment.name,
        "task": experiment.task,
        "paper": experiment.paper,
        "datasets": experiment.datasets,
        "split": _split_name(experiment, setting),
        "split_file": _split_file(experiment, setting).name,
        "shape": experiment.input_shape(setting),
        "recipe": experiment.recipe,
        "heads": experiment.heads,
        "seed": setting.seed,
        "epochs": setting.epochs,
        "rates": setting.rates,
        "batch": setting.batch,
        "patients": setting.patients,
        "start": asdict(setting.start),
        "plans": [asdict(plan) for plan in experiment.stages(setting)],
        "samples": {part: int(material.where(part).size) for part in ("train", "tune", "test", "spare")},
        "devices": setting.devices,
    }


def _quality(logits: NDArray[np.float64], truth: NDArray[np.int64]) -> float:
    known = truth >= 0
    if logits.shape[1] > 2:
        return accuracy(logits[known].argmax(axis=1), truth[known])
    return auc(logits[known, -1] - (logits[known, 0] if logits.shape[1] == 2 else 0), truth[known] == 1)
