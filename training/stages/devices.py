"""The devices of a training, their precision and their algorithms."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from lightning_fabric import Fabric

from training.errors import DiskFull, MemoryFull
from training.stages.options import Precision
from training.stages.plan import Plan

MODES = {"bf16": "bf16-mixed", "fp32": "32-true"}
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def open_fabric(precision: Precision, devices: int = 1) -> Fabric:
    """A Fabric on this machine's GPUs, or its CPU, launched where there is more than one device.

    Under ``torchrun`` it joins the processes that are there; otherwise it starts the others itself, from this command line.

    Raises
    ------
    ValueError
        There are fewer GPUs than `devices`.
    """
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    gpus = torch.cuda.device_count()
    if 0 < gpus < devices:
        raise ValueError(f"{devices} devices were asked for, and this machine has {gpus}: lower --devices")
    fabric = Fabric(
        accelerator="cuda" if gpus else "cpu",
        devices=devices,
        strategy="ddp" if devices > 1 else "auto",
        precision=MODES[precision],  # type: ignore[arg-type]
    )
    if devices > 1:
        fabric.launch()
    return fabric


@contextmanager
def algorithms(deterministic: bool) -> Iterator[None]:
    """Inside the context: the same bits on every run, or on a GPU whichever algorithms it finds fastest for these sizes."""
    former = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS refuses to be deterministic without it
    torch.use_deterministic_algorithms(deterministic)
    torch.backends.cudnn.benchmark = not deterministic
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(former[0])
        torch.backends.cudnn.benchmark = former[1]


@contextmanager
def explain(plan: Plan, shape: tuple[int, ...], place: str) -> Iterator[None]:
    """Turn the machine's errors about lack of memory or space into advice on what to change.

    Raises
    ------
    MemoryFull, DiskFull
        Instead of torch's and the system's errors.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not _is_lack_of_memory(error):
            raise
        rows, columns = shape[-2:]
        advice = f"halve --batch to {max(plan.batch // 2, 1)} and add --set accumulate={plan.accumulate * 2}, or choose a smaller --shape"
        if plan.precision == "fp32":
            advice += ", or --set precision=bf16"
        raise MemoryFull(f"out of memory with batches of {plan.batch} at {rows}x{columns} in {plan.precision}: {advice}") from error
    except OSError as error:
        if error.errno not in NO_SPACE:
            raise
        raise DiskFull(
            f"no space left for {place}: free some, or name a folder on another disk with --runs; "
            "the last checkpoint is whole, and the same command continues from it"
        ) from error


def _is_lack_of_memory(error: Exception) -> bool:
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)
