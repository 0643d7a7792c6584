"""Validators of other projects: dciodvfy (dicom3tools), dsrdump and dcmpschk (dcmtk). A machine without them skips."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from pydicom.dataset import Dataset


def dciodvfy_errors(dataset: Dataset, folder: Path) -> list[str]:
    """What dciodvfy calls an error, each line once, in order."""
    return list(
        dict.fromkeys(line for line in _run("dciodvfy", "dicom3tools", dataset, folder).stderr.splitlines() if line.startswith("Error"))
    )


def dsrdump(dataset: Dataset, folder: Path) -> str:
    """The report as dcmtk prints it; fails where dcmtk cannot read it."""
    done = _run("dsrdump", "dcmtk", dataset, folder, "+Pl")
    assert done.returncode == 0, done.stderr
    return done.stdout


def dcmpschk(dataset: Dataset, folder: Path) -> str:
    """What dcmtk finds wrong with a presentation state; empty where it passes."""
    done = _run("dcmpschk", "dcmtk", dataset, folder)
    passed = done.returncode == 0 and "Test passed" in done.stderr
    return "" if passed else done.stdout + done.stderr


def _run(tool: str, package: str, dataset: Dataset, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed (Debian package {package})")
    path = folder / "judged.dcm"
    dataset.save_as(path, enforce_file_format=True)
    return subprocess.run([tool, *options, str(path)], capture_output=True, text=True, errors="replace", check=False)
