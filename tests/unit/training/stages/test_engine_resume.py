"""A kill changes nothing: the process is really killed, in the middle of an epoch, and the weights are compared bit by bit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.support.bright_squares import PLAN, Tiny, pictures, run
from training.errors import NotTrained
from training.stages.checkpoint import BEST, LAST, find_checkpoint, load, read_network, save
from training.stages.dataset import AugmentedDataset
from training.stages.engine import fit
from training.stages.losses import masked_cross_entropy
from training.stages.plan import Plan
from training.stages.training_log import read_log

ROOT = Path(__file__).parents[4]
EXACT = replace(PLAN, epochs=6, precision="fp32", deterministic=True, accumulate=2, patience=5, weight_decay=1e-3)

SLOW = """
import sys, time
from pathlib import Path
from tests.support.bright_squares import pictures
from tests.unit.training.stages.test_engine_resume import EXACT, Dropping, train

folder = Path(sys.argv[1])

class Slow(Dropping):
    def forward(self, pixels):
        if (folder / "checkpoint.pt").exists():
            (folder / "going").touch()
            time.sleep(0.3)
        return super().forward(pixels)

train(Slow(), folder, EXACT)
"""


class Dropping(Tiny):
    """Dropout draws from torch's own generator: resuming must bring that back too."""

    def forward(self, pixels: torch.Tensor) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        features = nn.functional.dropout(self.features(pixels), 0.2, self.training)
        return {"cancer": self.output(features.mean(dim=(2, 3)))}, features


def train(network: nn.Module, folder: Path, plan: Plan) -> nn.Module:
    crops, sick = pictures()
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.reset_parameters()
    samples = AugmentedDataset(crops, {"cancer": sick}, plan.augmentation, plan.seed)
    return fit(network, samples, masked_cross_entropy(), plan, folder, after_epoch=lambda epoch, _: {"cancer": 0.5 + epoch / 100})


def test_a_killed_process_resumes_to_the_same_bits(tmp_path: Path) -> None:
    whole = train(Dropping(), tmp_path / "whole", EXACT).state_dict()
    killed = tmp_path / "killed"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", SLOW, str(killed)], env=environment, cwd=ROOT, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (killed / "going").exists():
        assert process.poll() is None and time.monotonic() < deadline, "it should be training"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    done = load(killed / LAST)["epoch"]
    assert 1 <= done < EXACT.epochs
    # As a process that was killed between its checkpoint and its log, or between its log and its checkpoint, would leave it.
    (killed / "log.csv").write_text("epoch,loss\n1,0.5\n9,0.5\n", encoding="utf-8")
    (killed / "checkpoint.part").write_bytes(b"half of a file")
    resumed = train(Dropping(), killed, EXACT).state_dict()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    losses = [[line["loss"] for line in read_log(tmp_path / name)] for name in ("whole", "killed")]
    assert losses[0] == losses[1] and len(losses[0]) == EXACT.epochs


def test_a_finished_run_is_not_trained_further(tmp_path: Path) -> None:
    first = run(tmp_path, replace(PLAN, epochs=2))
    stamp = (tmp_path / LAST).stat().st_mtime_ns
    again = run(tmp_path, replace(PLAN, epochs=2))
    assert (tmp_path / LAST).stat().st_mtime_ns == stamp
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in first.state_dict().items())


def test_a_checkpoint_of_the_former_engine_is_read(tmp_path: Path) -> None:
    """It had no history and no best epoch; publish and --weights read its key ``network``."""
    network = Tiny()
    torch.save({"network": network.state_dict(), "optimiser": {}, "schedule": {}, "epoch": 9}, tmp_path / LAST)
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in read_network(tmp_path / LAST).items())


def test_a_checkpoint_is_found_in_a_file_a_stage_and_a_run(tmp_path: Path) -> None:
    for name in ("stage1/checkpoint.pt", "stage2/checkpoint.pt", "stage10/best.pt", "stage10/checkpoint.pt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        save(tmp_path / name, {"network": {"name": torch.tensor(1)}})
    assert find_checkpoint(tmp_path) == tmp_path / "stage10" / BEST
    assert find_checkpoint(tmp_path / "stage1") == tmp_path / "stage1" / LAST
    assert find_checkpoint(tmp_path / "stage2" / LAST) == tmp_path / "stage2" / LAST
    with pytest.raises(NotTrained, match="train first"):
        find_checkpoint(tmp_path / "nothing")
    save(tmp_path / "other.pt", {"weights": torch.tensor(1)})
    with pytest.raises(NotTrained, match="has no network"):
        read_network(tmp_path / "other.pt")
