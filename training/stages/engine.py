"""One training loop for every network, on Lightning Fabric: Fabric moves, casts and synchronises; the loop itself is here.

A run that is killed continues from its last epoch's checkpoint to the same weights: every order, augmentation and dropout mask is
decided by the seed and the epoch's number, and the checkpoint holds the rest.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from models.preprocessing.recipe import normalise as breast_stretch_levels
from training.errors import LossBroken, RunDiffers
from training.stages.averaging import MovingAverage
from training.stages.checkpoint import BEST, LAST, load, save
from training.stages.dataset import AugmentedDataset, Normalise, SeededBatches
from training.stages.devices import algorithms, explain, open_fabric
from training.stages.losses import Loss
from training.stages.options import Precision
from training.stages.plan import Plan
from training.stages.rates import freeze, make_optimiser, make_schedule, start_epoch
from training.stages.training_log import TrainingLog

AfterEpoch = Callable[[int, nn.Module], dict[str, float]]
"""From the epoch's number (from 0) and the network to figures on the validation part; larger is better."""

CHECK_EVERY = 10
"""Batches between two checks of the loss: each check makes a GPU wait."""


@dataclass
class _Progress:
    """What a resume needs besides the tensors."""

    epoch: int = 0
    best_epoch: int = 0
    best: float = -np.inf
    stopped: bool = False
    history: list[dict[str, float]] = field(default_factory=list)


def fit(
    network: nn.Module,
    samples: AugmentedDataset,
    loss: Loss,
    plan: Plan,
    folder: Path,
    sampling_weights: NDArray[np.float64] | None = None,
    after_epoch: AfterEpoch | None = None,
    fabric: Fabric | None = None,
    workers: int | None = None,
) -> nn.Module:
    """Train `network` in place, continuing from ``folder/checkpoint.pt`` where there is one.

    Parameters
    ----------
    network
        From pixels to logits by head and features.
    folder
        Gets ``checkpoint.pt``, ``best.pt`` (the epoch with the best mean of `after_epoch`'s figures), ``log.csv`` and ``tensorboard/``.
    sampling_weights
        How often each sample is drawn, relative to the others.
    fabric
        Launched, where several devices train; None: this machine's first GPU, or its CPU.
    workers
        Processes that load samples; None: none on a CPU.

    Returns
    -------
    The network after its last epoch, or after its best where the plan has patience; in evaluation mode.

    Raises
    ------
    LossBroken, MemoryFull, DiskFull, RunDiffers
        The message says what to change.
    """
    fabric = fabric or open_fabric(plan.precision)
    folder.mkdir(parents=True, exist_ok=True)
    with explain(plan, samples.pixels.shape, str(folder)), algorithms(plan.deterministic), freeze(network, plan.rates):
        run = _Fit(network, samples, loss, plan, folder, sampling_weights, after_epoch, fabric, workers)
        run.run()
    if run.average:
        network.load_state_dict(run.average.state())
    fabric.barrier()  # only the first process writes: the others may read after it
    if plan.patience and (folder / BEST).exists():
        network.load_state_dict(load(folder / BEST, fabric.device)["network"])
    return network.eval()


class _Fit:
    def __init__(
        self,
        network: nn.Module,
        samples: AugmentedDataset,
        loss: Loss,
        plan: Plan,
        folder: Path,
        sampling_weights: NDArray[np.float64] | None,
        after_epoch: AfterEpoch | None,
        fabric: Fabric,
        workers: int | None,
    ) -> None:
        self.network, self.samples, self.loss, self.plan = network, samples, loss, plan
        self.folder, self.after_epoch, self.fabric = folder, after_epoch, fabric
        self.batches = SeededBatches(len(samples), plan.batch, plan.seed, sampling_weights, fabric.global_rank, fabric.world_size)
        if workers is None:
            workers = min(8, os.cpu_count() or 1) if fabric.device.type == "cuda" else 0
        self.loader = DataLoader(samples, batch_sampler=self.batches, num_workers=workers, pin_memory=fabric.device.type == "cuda")
        self.steps = -(-len(self.batches) // plan.accumulate)
        torch.manual_seed(plan.seed)
        network.to(fabric.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimiser = make_optimiser(network, plan)
        self.schedule = make_schedule(self.optimiser, plan, self.steps)
        self.average = MovingAverage(network, plan.average) if plan.average else None
        self.progress = self._resume()
        self.module, self.stepper = fabric.setup(network, self.optimiser)

    def run(self) -> None:
        done, plan = self.progress, self.plan
        if not self.fabric.is_global_zero:
            while done.epoch < plan.epochs and not done.stopped:
                self._finish_epoch(*self._epoch(None), None)
            return
        with TrainingLog(self.folder, done.history, done.epoch * self.steps) as log:
            while done.epoch < plan.epochs and not done.stopped:
                self._finish_epoch(*self._epoch(log), log)

    def _epoch(self, log: TrainingLog | None) -> tuple[float, float]:
        """One pass over the samples; mean loss and seconds."""
        plan, epoch = self.plan, self.progress.epoch
        self.batches.epoch = self.samples.epoch = epoch
        torch.manual_seed(plan.seed * 1000 + epoch + 1_000_003 * self.fabric.global_rank)
        start_epoch(self.network, plan.rates, plan.fixed_statistics)
        self.optimiser.zero_grad(set_to_none=True)
        began, total, count = time.perf_counter(), torch.zeros((), device=self.fabric.device), len(self.batches)
        bar = tqdm(
            total=count * self.batches.batch,
            desc=f"epoch {epoch + 1}/{plan.epochs}",
            unit="image",
            mininterval=0.5 if sys.stderr.isatty() else 20.0,
            disable=log is None,
        )
        with bar:
            for number, (pixels, targets) in enumerate(self.loader):
                first = number - number % plan.accumulate
                last = number + 1 in (first + plan.accumulate, count)
                with self.fabric.no_backward_sync(self.module, enabled=not last):
                    value = self._loss(pixels, targets)
                    self.fabric.backward(value / min(plan.accumulate, count - first))
                total += value.detach()
                if last:
                    self._step()
                if number % CHECK_EVERY == 0 or number + 1 == count:
                    mean = self._check_loss(total / (number + 1))
                    bar.set_postfix(loss=f"{mean:.4f}", refresh=False)
                    if log:
                        figures = {"loss": mean, "rate": self.optimiser.param_groups[0]["lr"]}
                        log.step(epoch * self.steps + number // plan.accumulate + 1, figures)
                bar.update(self.batches.batch)
        return mean, time.perf_counter() - began

    def _loss(self, pixels: Tensor, targets: dict[str, Tensor]) -> Tensor:
        device = self.fabric.device
        pixels = pixels.to(device, non_blocking=True)
        if pixels.ndim == 4:
            pixels = pixels.to(memory_format=torch.channels_last)
        logits, _ = self.module(pixels)
        return self.loss({k: v.float() for k, v in logits.items()}, {k: v.to(device, non_blocking=True) for k, v in targets.items()})

    def _step(self) -> None:
        if self.plan.clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.plan.clip)
        self.stepper.step()
        if self.average:
            self.average.update()
        self.stepper.zero_grad(set_to_none=True)
        self.schedule.step()

    def _check_loss(self, mean: Tensor) -> float:
        """The mean loss over all devices; every device stops where it is broken, or the others would wait for it forever."""
        value = float(self.fabric.all_reduce(mean, reduce_op="mean"))  # type: ignore[arg-type]
        if not np.isfinite(value):
            raise LossBroken(
                f"the loss is {value} in epoch {self.progress.epoch + 1}: lower the rates {self.plan.rates} (now {self.plan.optimiser}), "
                "train with --set precision=fp32, or look for pictures or targets that are not finite"
            )
        return value

    def _finish_epoch(self, mean: float, seconds: float, log: TrainingLog | None) -> None:
        done, plan = self.progress, self.plan
        measured: dict[str, float] = {}
        if self.after_epoch and self.fabric.is_global_zero:
            measured = self.after_epoch(done.epoch, self.average.average if self.average else self.network)
        measured = self.fabric.broadcast(measured)
        done.epoch += 1
        speed = len(self.batches) * self.batches.batch / seconds
        figures = {"epoch": float(done.epoch), "loss": mean, "images_per_s": speed, "seconds": seconds, **measured}
        done.history.append(figures)
        value = float(np.mean(list(measured.values()))) if measured else np.nan
        better = value > done.best  # a value that is not a number is never better
        if better:
            done.best, done.best_epoch = value, done.epoch
        done.stopped = bool(plan.patience and np.isfinite(done.best) and done.epoch - done.best_epoch >= plan.patience)
        if log is None:
            return
        trained = self.network.state_dict()
        tensors = self.average.state() if self.average else trained
        if better:
            save(self.folder / BEST, {"network": tensors, "epoch": done.epoch, "value": value})
        save(
            self.folder / LAST,
            {
                "network": tensors,
                **self._unaveraged(trained),
                "optimiser": self.optimiser.state_dict(),
                "schedule": self.schedule.state_dict(),
                **vars(done),
            },
        )
        log.epoch(done.epoch * self.steps, figures)

    def _unaveraged(self, trained: dict[str, Tensor]) -> dict[str, Any]:
        """What a resume needs besides the average."""
        return {"trained": trained, "updates": self.average.updates} if self.average else {}

    def _resume(self) -> _Progress:
        path = self.folder / LAST
        if not path.exists():
            return _Progress()
        saved: dict[str, Any] = load(path, self.fabric.device)
        self.network.load_state_dict(saved.get("trained", saved["network"]))
        if self.average and "trained" in saved:
            self.average.load(saved["network"], int(saved["updates"]))
        try:
            self.optimiser.load_state_dict(saved["optimiser"])
            self.schedule.load_state_dict(saved["schedule"])
        except (ValueError, KeyError) as error:
            raise RunDiffers(
                f"{path} was written under other learning rates or by another version ({error}): it can be evaluated and published, "
                "but not trained on; start a run with a --tag of its own from it: --weights RUN"
            ) from None
        return _Progress(**{name: saved[name] for name in vars(_Progress()) if name in saved})


@torch.no_grad()
def predict(
    network: nn.Module,
    pixels: NDArray[np.uint8],
    batch: int = 16,
    normalise: Normalise = breast_stretch_levels,
    precision: Precision = "bf16",
) -> dict[str, NDArray[np.float64]]:
    """Logits of every sample by head, (n, classes).

    Parameters
    ----------
    pixels
        (n, rows, columns) uint8, or (n, views, rows, columns) for exams.
    normalise
        The recipe's.
    """
    network.eval()
    device = next(network.parameters()).device
    answers: dict[str, list[NDArray[np.float64]]] = {}
    for start in range(0, len(pixels), batch):
        pictures = _normalised(pixels[start : start + batch], normalise).to(device)
        if pictures.ndim == 4:
            pictures = pictures.to(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            logits, _ = network(pictures)
        for name, values in logits.items():
            answers.setdefault(name, []).append(values.double().cpu().numpy())
    return {name: np.concatenate(parts) for name, parts in answers.items()}


def _normalised(pixels: NDArray[np.uint8], normalise: Normalise) -> Tensor:
    flat: Sequence[NDArray[np.uint8]] = list(pixels.reshape(-1, *pixels.shape[-2:]))
    return torch.from_numpy(np.stack([normalise(picture) for picture in flat])).reshape(*pixels.shape[:-2], 1, *pixels.shape[-2:])
