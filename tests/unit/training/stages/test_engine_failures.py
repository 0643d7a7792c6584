"""Each thing that stops a run, brought about for real: the message says what to change, and the last checkpoint stays whole."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support.bright_squares import PLAN, Tiny, pictures, run
from training.errors import DiskFull, LossBroken, MemoryFull, RunDiffers
from training.stages.checkpoint import LAST, load
from training.stages.dataset import AugmentedDataset
from training.stages.engine import fit
from training.stages.losses import masked_cross_entropy

ROOT = Path(__file__).parents[4]


def test_a_loss_that_explodes_says_what_to_change(tmp_path: Path) -> None:
    plan = replace(PLAN, epochs=3, rates={"": 1e9}, optimiser="sgd", schedule="constant", clip=0.0)
    with pytest.raises(LossBroken, match=r"lower the rates \{'': 1000000000.0\}"):
        run(tmp_path, plan)
    assert not (tmp_path / LAST).exists(), "broken weights are not kept"


def test_a_target_that_is_no_number_is_reported(tmp_path: Path) -> None:
    crops, sick = pictures()

    def loss(logits: dict[str, torch.Tensor], targets: dict[str, torch.Tensor]) -> torch.Tensor:
        return (logits["cancer"][:, 0] - targets["cancer"] * torch.nan).square().mean()

    with pytest.raises(LossBroken, match=r"the loss is nan in epoch 1: .* not finite"):
        fit(Tiny(), AugmentedDataset(crops, {"cancer": sick}, None), loss, PLAN, tmp_path)


def test_a_checkpoint_of_other_rates_is_reported_and_kept(tmp_path: Path) -> None:
    run(tmp_path, replace(PLAN, epochs=1, rates={"features": 1e-3, "output": 1e-3}))
    kept = (tmp_path / LAST).read_bytes()
    with pytest.raises(RunDiffers, match=r"written under other learning rates.*--weights RUN"):
        run(tmp_path, replace(PLAN, epochs=2, rates={"": 1e-3}))
    assert (tmp_path / LAST).read_bytes() == kept


@pytest.mark.parametrize(
    "raised",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:121] . DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes"),
        MemoryError(),
    ],
    ids=["device", "torch on the CPU", "python"],
)
def test_want_of_memory_says_which_batch_to_try(raised: Exception, tmp_path: Path) -> None:
    class Greedy(Tiny):
        def forward(self, pixels: torch.Tensor) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
            raise raised

    crops, sick = pictures()
    said = r"batches of 8 at 64x40 in fp32: halve --batch to 4 and add --set accumulate=2, .* smaller --shape, or --set precision=bf16"
    with pytest.raises(MemoryFull, match=said):
        fit(Greedy(), AugmentedDataset(crops, {"cancer": sick}, None), masked_cross_entropy(), replace(PLAN, precision="fp32"), tmp_path)


def test_memory_that_cannot_be_had_is_recognised(tmp_path: Path) -> None:
    class Enormous(Tiny):
        def forward(self, pixels: torch.Tensor) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
            torch.empty(1 << 60, dtype=torch.uint8)
            return super().forward(pixels)

    crops, sick = pictures()
    with pytest.raises(MemoryFull, match=r"or choose a smaller --shape$"):
        fit(Enormous(), AugmentedDataset(crops, {"cancer": sick}, None), masked_cross_entropy(), PLAN, tmp_path)


def test_another_error_stays_what_it_is(tmp_path: Path) -> None:
    class Broken(Tiny):
        def forward(self, pixels: torch.Tensor) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    crops, sick = pictures()
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        fit(Broken(), AugmentedDataset(crops, {"cancer": sick}, None), masked_cross_entropy(), PLAN, tmp_path)


LIMITED = """
import resource, sys
from dataclasses import replace
from pathlib import Path
from tests.support.bright_squares import PLAN, run
from training.errors import DiskFull

folder = Path(sys.argv[1])
run(folder, replace(PLAN, epochs=1))
size = (folder / "checkpoint.pt").stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, size // 2))
(folder / "checkpoint.pt").rename(folder / "kept.pt")
try:
    run(folder, replace(PLAN, epochs=1))
except DiskFull as error:
    print(error)
    (folder / "kept.pt").rename(folder / "checkpoint.pt")
"""


def test_a_file_that_may_not_grow_is_reported_and_leaves_no_halves(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert f"no space left for {tmp_path}: free some, or name a folder on another disk with --runs" in done.stdout, done.stderr
    assert not list(tmp_path.glob("*.part")) and load(tmp_path / LAST)["epoch"] == 1


def test_a_full_disk_is_reported(tmp_path: Path) -> None:
    """A tmpfs of 64 KiB, where this process may mount one."""
    small = tmp_path / "small"
    small.mkdir()
    mounted = os.name == "posix" and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)], capture_output=True, check=False
    )
    if not mounted or mounted.returncode:
        with pytest.raises(DiskFull, match="no space left"):
            fill_by_device()
        return
    try:
        (small / "filler").write_bytes(bytes(56 << 10))
        with pytest.raises(DiskFull, match="the same command continues from it"):
            run(small, replace(PLAN, epochs=1))
        assert not (small / LAST).exists() and not list(small.glob("*.part"))
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)


def fill_by_device() -> None:
    """/dev/full answers every write as a full disk does."""
    from training.stages.devices import explain

    with explain(PLAN, (1, 64, 40), "/dev/full"), Path("/dev/full").open("wb", buffering=0) as stream:
        stream.write(b"1")


def test_a_disk_error_that_is_not_want_of_space_stays_what_it_is(tmp_path: Path) -> None:
    class Unplugged(Tiny):
        def forward(self, pixels: torch.Tensor) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
            raise OSError(errno.EIO, "Input/output error")

    crops, sick = pictures()
    with pytest.raises(OSError, match="Input/output") as raised:
        fit(Unplugged(), AugmentedDataset(np.asarray(crops), {"cancer": sick}, None), masked_cross_entropy(), PLAN, tmp_path)
    assert not isinstance(raised.value, DiskFull)
