"""The tutorial as a new user follows it: every command block of the page, in order, in an empty folder."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from training.metrics.ranking import auc

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "training-tutorial.md"
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks() -> list[str]:
    return BLOCK.findall(PAGE.read_text(encoding="utf-8"))


def make_programs(folder: Path) -> Path:
    """``python`` and ``mammotriage`` of the interpreter that runs this test, whether or not its environment is active."""
    folder.mkdir()
    for name, arguments in (("python", ""), ("mammotriage", "-c 'from service.cli import main; main()'")):
        program = folder / name
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {arguments} "$@"\n')
        program.chmod(0o755)
    return folder


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_tutorial_leads_to_a_served_model(tmp_path: Path, clean_environment: pytest.MonkeyPatch) -> None:
    place = tmp_path / "laboratory"
    place.mkdir()
    environment = os.environ | {
        "PATH": f"{make_programs(tmp_path / 'bin')}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",  # as in conftest.one_thread
    }
    script = "set -euo pipefail\n" + "\n".join(blocks())
    done = subprocess.run(["bash", "-c", script], cwd=place, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"

    answers = [json.loads(line) for line in (place / "labels.jsonl").read_text().splitlines()]
    assert len(answers) >= 4
    assert all(answer["status"] == "analysed" for answer in answers), answers
    assert {model["name"] for answer in answers for model in answer["models"]} == {"mammotriage-labeler", "mammotriage-cancer"}
    published = [json.loads(path.read_text()) for path in (place / "zoo").glob("*/1.0.0/manifest.json")]
    assert {model["sha256"] for answer in answers for model in answer["models"]} == {each["sha256"] for each in published}
    left = np.array([answer["laterality"]["probabilities"]["L"] for answer in answers])
    assert auc(left, np.array(["_LEFT_" in answer["path"] for answer in answers])) >= 0.9
    assert "CC BY 3.0" in (place / "zoo" / "mammotriage-cancer" / "1.0.0" / "CARD.md").read_text()


def test_every_small_size_of_the_tutorial_is_marked_and_stands_on_a_line_of_its_own() -> None:
    small = ("--shape", "--epochs", "--batch", "--rounds", "--patients", "--size")
    lines = [line for block in blocks() for line in block.splitlines()]
    marked = [line for line in lines if line.endswith("# quick try")]
    assert marked
    assert not [line for line in lines if any(option in line for option in small) and line not in marked]
    assert all(line.startswith(("  --", "python -m training synthetic")) for line in marked)
