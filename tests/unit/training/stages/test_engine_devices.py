"""Two processes that share each batch reach what one process reaches: the road of several GPUs, driven on the CPU over gloo."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

from tests.support.bright_squares import PLAN, run
from training.stages.checkpoint import LAST, load
from training.stages.devices import algorithms, open_fabric
from training.stages.training_log import read_log

ROOT = Path(__file__).parents[4]
SHARED = replace(PLAN, epochs=2, precision="fp32", accumulate=2, patience=5)

SCRIPT = """
import sys
from pathlib import Path
import torch
from tests.support.bright_squares import Tiny, pictures
from tests.unit.training.stages.test_engine_devices import SHARED
from training.stages.devices import open_fabric
from training.stages.engine import fit
from training.stages.losses import masked_cross_entropy
from training.stages.dataset import AugmentedDataset

fabric = open_fabric("fp32", devices=2)
crops, sick = pictures()
torch.manual_seed(0)
samples = AugmentedDataset(crops, {"cancer": sick}, SHARED.augmentation, SHARED.seed)
asked = []
network = fit(Tiny(), samples, masked_cross_entropy(), SHARED, Path(sys.argv[1]), fabric=fabric,
              after_epoch=lambda epoch, _: asked.append(epoch) or {"cancer": 0.5 + epoch})
folder = Path(sys.argv[1])
torch.save(network.state_dict(), folder / f"rank{fabric.global_rank}.pt")
(folder / f"asked{fabric.global_rank}").write_text(str(len(asked)))
"""


@pytest.mark.parametrize("launcher", ["own", "torchrun"])
def test_two_processes_train_to_what_one_does(launcher: str, tmp_path: Path) -> None:
    script = tmp_path / "train_two.py"
    script.write_text(SCRIPT, encoding="utf-8")
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"] if launcher == "torchrun" else []
    clean = {name: value for name, value in os.environ.items() if name not in ("LOCAL_RANK", "WORLD_SIZE", "RANK", "MASTER_PORT")}
    subprocess.run(
        [sys.executable, *torchrun, str(script), str(tmp_path)],
        env={**clean, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}, cwd=ROOT, capture_output=True, timeout=150, check=True,
    )  # fmt: skip
    alone = run(tmp_path / "alone", SHARED).state_dict()
    shared = load(tmp_path / LAST)["network"]
    assert all(torch.allclose(alone[name], shared[name], atol=1e-5) for name in alone)
    losses = [[line["loss"] for line in read_log(folder)] for folder in (tmp_path, tmp_path / "alone")]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    ranks = [torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in (0, 1)]
    assert all(torch.equal(ranks[0][name], ranks[1][name]) for name in alone)
    assert [(tmp_path / f"asked{rank}").read_text() for rank in (0, 1)] == ["2", "0"], "one process measures the validation part for both"


def test_the_deterministic_option_asks_torch_and_gives_it_back() -> None:
    assert not torch.are_deterministic_algorithms_enabled()
    with algorithms(True):
        assert torch.are_deterministic_algorithms_enabled() and os.environ["CUBLAS_WORKSPACE_CONFIG"]
    assert not torch.are_deterministic_algorithms_enabled()


def note(seen: list[torch.dtype], _: torch.nn.Module, __: object, output: torch.Tensor) -> None:
    seen.append(output.dtype)


def test_convolutions_run_in_the_precision_of_the_plan() -> None:
    for precision, kind in (("bf16", torch.bfloat16), ("fp32", torch.float32)):
        seen: list[torch.dtype] = []
        layer = torch.nn.Conv2d(1, 1, 1)
        layer.register_forward_hook(partial(note, seen))
        module = open_fabric(precision).setup(layer)  # type: ignore[arg-type]
        module(torch.rand(1, 1, 2, 2))
        assert seen == [kind]


@pytest.mark.gpu
def test_the_loop_runs_on_a_gpu(tmp_path: Path) -> None:
    network = run(tmp_path)
    assert next(network.parameters()).device.type == "cuda"
