"""A trained network over many crops: probabilities by head, and maps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from models.preprocessing.recipe import Recipe
from training.networks.export_wrapper import ExportWrapper


@dataclass(frozen=True)
class Answers:
    """The answers of a network for n samples.

    Parameters
    ----------
    scores
        Head to (n, classes) probabilities.
    maps
        (n, all classes in the order of the heads, h, w) float32; empty in its last axes where a network has none.
    """

    scores: dict[str, NDArray[np.float64]]
    maps: NDArray[np.float32]


def prepare(crops: NDArray[np.uint8], recipe: Recipe) -> Tensor:
    """(n, rows, columns) to (n, 1, rows, columns), or (n, views, rows, columns) to (n, views, 1, rows, columns): float32 in [0, 1]."""
    flat = crops.reshape(-1, *crops.shape[-2:])
    pictures = np.stack([recipe.normalise(crop) for crop in flat])
    return torch.from_numpy(np.asarray(pictures.reshape(*crops.shape[:-2], 1, *crops.shape[-2:]), np.float32))


@torch.no_grad()
def answer(
    network: nn.Module,
    crops: NDArray[np.uint8],
    chosen: NDArray[np.int64],
    recipe: Recipe,
    heads: list[str],
    batch: int = 8,
    precision: str = "fp32",
) -> Answers:
    """Run a network over some of the crops, on the GPU where there is one.

    Parameters
    ----------
    crops, chosen
        All crops (memory-mapped, perhaps larger than memory) and which of them.
    precision
        ``fp32``, what the exported graph computes in, or ``bf16``: faster, differs in the third digit.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    served = ExportWrapper(network).to(device).eval()
    scores: dict[str, list[NDArray[np.float64]]] = {head: [] for head in heads}
    maps: list[NDArray[np.float32]] = []
    for start in tqdm(range(0, len(chosen), batch), desc="answers", unit="batch", mininterval=5):
        pixels = prepare(np.asarray(crops[chosen[start : start + batch]]), recipe).to(device)
        if pixels.dim() == 4:
            pixels = pixels.contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            *found, heat = served(pixels)
        for head, values in zip(heads, found, strict=True):
            scores[head].append(values.double().cpu().numpy())
        maps.append(heat.float().cpu().numpy())
    return Answers(
        {head: np.concatenate(parts) if parts else np.zeros((0, 1)) for head, parts in scores.items()},
        np.concatenate(maps) if maps else np.zeros((0, 0, 0, 0), np.float32),
    )
