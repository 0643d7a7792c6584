"""``make demo`` as a newcomer runs it, but for the virtual environment."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pydicom
import pytest

from tests.support.eventually import eventually


def start(folder: Path, log: Path, *options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "service.cli", "demo", "--output", str(folder), *options]
    with log.open("wb") as file:
        return subprocess.Popen(command, stdout=file, stderr=file)


@pytest.mark.peer
def test_the_demonstration_labels_eight_films_right_and_ends_cleanly(tmp_path: Path) -> None:
    folder, log = tmp_path / "demo-output", tmp_path / "demo.log"
    demo = start(folder, log, "--keep")
    eventually(lambda: "still serving" in log.read_text() or demo.poll() is not None, 600, log.read_text, every_s=0.2)
    said = log.read_text()
    serving = re.search(r"still serving (\S+)/docs", said)
    assert serving, said
    assert "view and side right in 8 of 8 images; 20 of 20 objects verified in the PACS" in said
    assert httpx.get(f"{serving[1]}/healthz", trust_env=False).status_code == 200
    signing_in = re.search(r"sign in as (\S+) with the password (\S+)", said)
    assert signing_in
    with httpx.Client(base_url=serving[1], trust_env=False) as browser:
        browser.get("/sign-in")
        fields = {"name": signing_in[1], "password": signing_in[2], "form_token": browser.cookies["mammotriage-form"]}
        assert browser.post("/sign-in", data=fields).status_code == 303
        assert browser.get("/api/v1/access/me").json()["role"] == "admin"
    family = psutil.Process(demo.pid).children(recursive=True)
    demo.send_signal(signal.SIGINT)
    assert demo.wait() == 0
    assert "Traceback" not in log.read_text()
    assert [each for each in family if each.is_running() and each.status() != psutil.STATUS_ZOMBIE] == []
    for patient in ("P_00173", "P_00820"):
        results = folder / patient
        study = json.loads((results / "result.json").read_text())
        assert study["complete"]
        assert len(list(results.glob("*-heatmap.png"))) == len(list(results.glob("*-preview.png"))) == 4
        corrected = [pydicom.dcmread(path, stop_before_pixels=True) for path in results.glob("*-corrected.dcm")]
        assert {(image.ImageLaterality, image.ViewPosition) for image in corrected} == {(s, v) for s in "RL" for v in ("CC", "MLO")}
        assert {image.PatientID for image in corrected} == {patient}
        reports = [pydicom.dcmread(results / name) for name in ("report.dcm", "cad-report.dcm")]
        assert {report.StudyInstanceUID for report in reports} == {study["study_instance_uid"]}


def test_somebody_elses_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("the only copy")
    demo = start(tmp_path, tmp_path / "demo.log")
    assert demo.wait() == 2
    assert "demo-failed" in (tmp_path / "demo.log").read_text()
    assert (tmp_path / "thesis.txt").read_text() == "the only copy"
