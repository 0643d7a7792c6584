"""What an experiment is: one row of a paper as values and functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import nn

from training.stages.gathering import SampleRequest, gather_images
from training.stages.losses import Loss, masked_cross_entropy
from training.stages.options import Initialisation
from training.stages.plan import Plan
from training.stages.samples import Samples, Targets

Task = Literal["labeler", "cancer", "view", "laterality", "density", "mass-patch", "lesion-patch"]


def equal_weights(targets: Targets) -> NDArray[np.float64] | None:
    """Every sample once an epoch."""
    return None


@dataclass(frozen=True)
class Experiment:
    """What to train on what, and how.

    Parameters
    ----------
    name
        Of the run's folder, and after ``mammotriage-`` of the model in the zoo.
    task
        The manifest's: which figures are measured, and which place in the service the model fills.
    paper
        Its place in the paper: "Yi et al. 2019, Results: view".
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
        Makes the network with its initial weights.
    gather
        Makes the samples.
    loss
        Makes the loss.
    split
        Rule of `training.data.splits`, or the file that gives each patient a part.
    sampling_weights
        From the targets of the training samples to how often each is drawn; None: each once an epoch.
    fit_override
        Replaces the engine for a network that no gradient trains (a random forest): changes the network in place, from the samples, the
        name of the recipe and the seed.
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
    build: Callable[[Initialisation], nn.Module]
    gather: Callable[[SampleRequest], Samples] = gather_images
    loss: Callable[[], Loss] = masked_cross_entropy
    split: str | Path = "80/10/10"
    sampling_weights: Callable[[Targets], NDArray[np.float64] | None] = equal_weights
    fit_override: Callable[[Any, Samples, str, int], None] | None = None
