"""One training loop for every network: bf16 autocast, one-cycle schedule, a checkpoint an epoch, resume after a kill."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from models.preprocessing.recipe import normalise
from training.stages.losses import Loss, masked_cross_entropy
from training.stages.plan import Plan
from training.stages.samples import Samples, SeededBatches

__all__ = ["Crops", "Loss", "Plan", "fit", "masked_cross_entropy", "predict"]

Crops = Samples


def fit(
    network: nn.Module,
    crops: Crops,
    loss: Loss,
    plan: Plan,
    folder: Path,
    weights: NDArray[np.float64] | None = None,
    after_epoch: Callable[[int, nn.Module], dict[str, float]] | None = None,
) -> nn.Module:
    """Train `network`, continuing from ``folder/checkpoint.pt`` where there is one; log.csv gets a line an epoch.

    Raises
    ------
    FloatingPointError
        The loss became NaN or infinite; the message says what to change.
    """
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(plan.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    groups = [
        {"params": [p for name, p in network.named_parameters() if _key(name, plan.rates) == key], "lr": rate}
        for key, rate in plan.rates.items()
    ]
    optimiser = torch.optim.AdamW(groups, weight_decay=plan.weight_decay)
    order = SeededBatches(len(crops), plan.batch, plan.seed, weights)
    loader = DataLoader(crops, batch_sampler=order, num_workers=0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, list(plan.rates.values()), epochs=plan.epochs, steps_per_epoch=len(loader), pct_start=plan.warm_fraction
    )
    checkpoint, start = folder / "checkpoint.pt", 0
    if checkpoint.exists():
        saved = torch.load(checkpoint, map_location=device, weights_only=True)
        network.load_state_dict(saved["network"])
        optimiser.load_state_dict(saved["optimiser"])
        schedule.load_state_dict(saved["schedule"])
        start = saved["epoch"]
    for epoch in range(start, plan.epochs):
        order.epoch = crops.epoch = epoch
        torch.manual_seed(plan.seed * 1000 + epoch)
        network.train()
        bar, total = tqdm(loader, desc=f"epoch {epoch + 1}/{plan.epochs}", unit_scale=plan.batch, unit="image", mininterval=20), 0.0
        for step, (pixels, targets) in enumerate(bar):
            pixels = pixels.to(device, memory_format=torch.channels_last)
            with torch.autocast(device.type, torch.bfloat16):
                logits, _ = network(pixels)
            value = loss({k: v.float() for k, v in logits.items()}, {k: v.to(device) for k, v in targets.items()})
            if not torch.isfinite(value):
                raise FloatingPointError(
                    f"loss is {value.item()} in epoch {epoch + 1}: lower the rates {plan.rates}, or look for empty crops"
                )
            optimiser.zero_grad(set_to_none=True)
            value.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
            schedule.step()
            total += value.item()
            bar.set_postfix(loss=f"{total / (step + 1):.4f}", refresh=False)
        measured = after_epoch(epoch, network) if after_epoch else {}
        _log(folder / "log.csv", {"epoch": epoch + 1, "loss": total / max(len(loader), 1), **measured})
        state = {
            "network": network.state_dict(),
            "optimiser": optimiser.state_dict(),
            "schedule": schedule.state_dict(),
            "epoch": epoch + 1,
        }
        torch.save(state, checkpoint.with_suffix(".part"))
        checkpoint.with_suffix(".part").rename(checkpoint)
    return network.eval()


@torch.no_grad()
def predict(network: nn.Module, pixels: NDArray[np.uint8], batch: int = 16) -> dict[str, NDArray[np.float64]]:
    """Logits of every crop by head, (n, classes), computed in bf16 where the device has it."""
    network.eval()
    device = next(network.parameters()).device
    answers: dict[str, list[NDArray[np.float64]]] = {}
    for start in range(0, len(pixels), batch):
        pictures = np.stack([normalise(picture) for picture in pixels[start : start + batch]])[:, None]
        with torch.autocast(device.type, torch.bfloat16):
            logits, _ = network(torch.from_numpy(pictures).to(device, memory_format=torch.channels_last))
        for name, values in logits.items():
            answers.setdefault(name, []).append(values.double().cpu().numpy())
    return {name: np.concatenate(parts) for name, parts in answers.items()}


def _key(name: str, rates: dict[str, float]) -> str:
    return max((key for key in rates if name.startswith(key)), key=len)


def _log(path: Path, values: dict[str, float]) -> None:
    fresh = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        if fresh:
            writer.writerow(values)
        writer.writerow(f"{value:.5g}" for value in values.values())
