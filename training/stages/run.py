"""A run: an experiment with the options of one training, and the folder that keeps what it made."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from training.data.table import fingerprint
from training.errors import NotTrained
from training.stages.checkpoint import BEST, LAST, find_checkpoint, read_network
from training.stages.experiment import Experiment
from training.stages.gathering import SampleRequest
from training.stages.options import Initialisation, RunOptions
from training.stages.parts import FOLDS
from training.stages.plan import Plan, scale_rates, share_epochs
from training.stages.run_config import has_config, load_config
from training.stages.samples import Samples

PARTS = ("train", "validation", "test", "unused")


@dataclass(frozen=True)
class Run:
    """One training of an experiment.

    Parameters
    ----------
    experiment
        What is trained.
    options
        What the user changed about it, and the folders.
    """

    experiment: Experiment
    options: RunOptions

    @property
    def name(self) -> str:
        """NAME, or NAME-TAG: unique among the runs."""
        return f"{self.experiment.name}-{self.options.tag}" if self.options.tag else self.experiment.name

    @property
    def folder(self) -> Path:
        """Keeps the run's config, split, stages and reports."""
        return self.options.runs / self.name

    def stage_folder(self, number: int) -> Path:
        """Keeps the checkpoints and the log of stage `number`, from 1."""
        return self.folder / f"stage{number}"

    @property
    def last_stage(self) -> Path:
        """Folder of the last stage."""
        return self.stage_folder(len(self.experiment.plans))

    @property
    def predictions(self) -> Path:
        """Table of the run's own evaluation."""
        return self.folder / "report" / "predictions.csv"

    @property
    def shape(self) -> tuple[int, int]:
        """Rows, columns of the network input."""
        return self.options.shape or self.experiment.shape

    @property
    def plans(self) -> tuple[Plan, ...]:
        """The stages with the user's options, spread over the paper's stages."""
        options = self.options
        plans = share_epochs(self.experiment.plans, options.epochs) if options.epochs else self.experiment.plans
        return tuple(
            replace(
                scale_rates(plan, options.rates),
                batch=options.batch or plan.batch,
                accumulate=options.accumulate or plan.accumulate,
                patience=plan.patience if options.patience is None else options.patience,
                precision=options.precision or plan.precision,
                deterministic=options.deterministic or plan.deterministic,
                seed=plan.seed + 1000 * options.seed,
            )
            for plan in plans
        )

    @property
    def split(self) -> str | Path:
        """The split file or rule."""
        return self.experiment.split if self.options.split is None else self.options.split

    @property
    def split_name(self) -> str:
        """The split for a reader: a rule, a file's name, or ``fold 2 of 5``. Never a path."""
        if self.options.fold is not None:
            return f"fold {self.options.fold} of {FOLDS}"
        return Path(self.split).name if Path(self.split).is_file() else str(self.split)

    @property
    def split_file(self) -> Path:
        """The run's own copy of the split: the data may change, and the run is still tested on patients that it never saw."""
        name = re.sub(r"[^A-Za-z0-9]+", "-", self.split_name.removesuffix(".csv"))
        return self.folder / f"split-{name}.csv"

    @property
    def dataset_names(self) -> list[str]:
        """The data sets without the folders that a user may have named with them (``NAME:FOLDER``)."""
        return [name.partition(":")[0] for name in self.experiment.datasets]

    @property
    def request(self) -> SampleRequest:
        """Which samples the run needs."""
        experiment, options = self.experiment, self.options
        return SampleRequest(
            data=options.data,
            cache=options.runs / "cache",
            datasets=experiment.datasets,
            shape=self.shape,
            recipe=experiment.recipe,
            heads=experiment.heads,
            split=self.split,
            fold=options.fold,
            patients=options.patients,
        )

    def gather(self) -> Samples:
        """The samples, decoded once and cached."""
        return self.experiment.gather(self.request)

    def config(self) -> dict[str, Any]:
        """What made the run, as `training.stages.run_config` saved it.

        Raises
        ------
        NotTrained
            No run began in the folder.
        """
        return load_config(self.folder)

    def _saved(self) -> dict[str, Any]:
        return self.config() if has_config(self.folder) else {}

    @property
    def commit(self) -> str | None:
        """Commit of the code that trained the run; None for a run that saved none."""
        return self._saved().get("commit")

    @property
    def data_fingerprint(self) -> str | None:
        """Fingerprint of the data that the run was trained on (`training.data.table.fingerprint`); None for a run that saved none."""
        return self._saved().get("data_fingerprint")

    @property
    def averaged_weights(self) -> list[str]:
        """The runs whose weights were averaged into this one; empty for a run that was trained."""
        return list(self._saved().get("soup", []))

    def describe(self, samples: Samples) -> dict[str, Any]:
        """What makes the run, for its config."""
        experiment, options = self.experiment, self.options
        return {
            "experiment": experiment.name,
            "task": experiment.task,
            "paper": experiment.paper,
            "datasets": experiment.datasets,
            "data_fingerprint": fingerprint(samples.rows),
            "split": self.split_name,
            "split_file": self.split_file.name,
            "shape": self.shape,
            "recipe": experiment.recipe,
            "heads": experiment.heads,
            "seed": options.seed,
            "epochs": options.epochs,
            "rates": options.rates,
            "batch": options.batch,
            "patients": options.patients,
            "initialisation": asdict(options.initialisation),
            "plans": [asdict(plan) for plan in self.plans],
            "samples": {part: int(samples.where(part).size) for part in PARTS},
            "devices": options.devices,
        }

    def network(self) -> nn.Module:
        """The trained network on the CPU, in evaluation mode: the last stage's best epoch on the validation part.

        Raises
        ------
        NotTrained
            The run has not finished its last stage.
        """
        last = self.last_stage
        if not (last / BEST).exists() and not (last / LAST).exists():
            raise NotTrained(
                f"no checkpoint in {last}: `python -m training train {self.experiment.name}` with the same --runs and --tag makes it"
            )
        backbone = self.options.backbone
        if backbone is None and (saved := self._saved()):
            backbone = saved["initialisation"]["backbone"]
        network = self.experiment.build(Initialisation("random", backbone))
        network.load_state_dict(read_network(find_checkpoint(last)))
        return network.eval()


def load_run(experiment: Experiment, options: RunOptions) -> Run:
    """A run as it was trained: `options` names its folder by ``runs`` and ``tag``, and needs to repeat nothing else.

    What `options` says itself counts more: another shape, split or backbone. A run of a former version, which kept no config, takes
    everything from `options`.

    Raises
    ------
    NotTrained
        No run began there.
    """
    named = Run(experiment, options)
    if named.stage_folder(1).is_dir() and not has_config(named.folder):
        return named
    config = named.config()
    rows, columns = config["shape"]
    start = Initialisation(**config["initialisation"])
    resplit = options.split is not None or options.fold is not None
    return Run(
        replace(experiment, datasets=tuple(config["datasets"])),
        replace(
            options,
            split=options.split if resplit else named.folder / config["split_file"],
            shape=options.shape or (rows, columns),
            epochs=config["epochs"],
            rates=config.get("rates", 1.0),
            batch=options.batch or config["batch"],
            seed=config["seed"],
            patients=config["patients"],
            weights=start.weights,
            backbone=options.backbone or start.backbone,
        ),
    )
