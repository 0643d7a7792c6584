"""Runs stored graphs as the service does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tqdm import tqdm

from models.preprocessing.recipe import Recipe
from training.evaluate.forward import prepare

PREFERENCE = ("CUDAExecutionProvider", "CPUExecutionProvider")
"""Plain CPU arithmetic is the reference: what another provider adds is its own and is reported by the service."""


def open_graph(path: Path) -> onnxruntime.InferenceSession:
    """Load a graph on the GPU where this ONNX Runtime has one, on the CPU otherwise."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    available = onnxruntime.get_available_providers()
    return onnxruntime.InferenceSession(str(path), options, providers=[name for name in PREFERENCE if name in available])


def score(
    path: Path, heads: list[str], crops: NDArray[np.uint8], chosen: NDArray[np.int64], recipe: Recipe, batch: int = 8
) -> dict[str, NDArray[np.float64]]:
    """Probabilities of a stored graph for some of the crops, (n, classes) by head."""
    session = open_graph(path)
    parts: dict[str, list[NDArray[np.float64]]] = {head: [] for head in heads}
    for start in tqdm(range(0, len(chosen), batch), desc=f"scores of {path.name}", unit="batch", mininterval=5):
        pixels = prepare(np.asarray(crops[chosen[start : start + batch]]), recipe).numpy()
        for head, values in zip(heads, session.run(heads, {"pixels": pixels}), strict=True):
            parts[head].append(np.asarray(values, np.float64))
    return {head: np.concatenate(values) for head, values in parts.items()}
