"""The page on DICOMweb says what is so: its commands and its Python run against a served study, word for word."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest

from service.api.dicomweb.qido import MOST_OPENED
from service.api.dicomweb.query import MOST_RESULTS
from tests.support.api_server import Served, serve_api
from tests.support.dicomweb_viewer import stow
from tests.support.sample_findings import full_field

PAGE = (Path(__file__).parents[3] / "docs" / "dicomweb.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Path, dict[str, str]]]:
    """A served study, an empty folder, and the variables that the page speaks of."""
    image = full_field()
    with serve_api(tmp_path_factory.mktemp("data")) as api:
        stow(api, image)
        named = {
            "MT": f"{api.settings.public_api_url}/dicom-web",
            "MT_KEY": api.client.headers["Authorization"].removeprefix("Bearer "),
            "STUDY": str(image.StudyInstanceUID),
            "SERIES": str(image.SeriesInstanceUID),
            "INSTANCE": str(image.SOPInstanceUID),
        }
        yield api, tmp_path_factory.mktemp("work"), {"PATH": os.environ["PATH"], **named}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here: apt-get install curl")
def test_every_command_of_the_page_gets_an_answer(place: tuple[Served, Path, dict[str, str]]) -> None:
    _, folder, variables = place
    commands = [command for block in blocks("sh") for command in re.split(r"\n(?!  )", block.strip()) if command.startswith("curl")]
    assert len(commands) == 6
    for command in commands:
        done = subprocess.run(["bash", "-c", command], cwd=folder, env=variables, capture_output=True, timeout=30, check=False)
        assert done.returncode == 0, command
        assert "-o " in command or variables["STUDY"].encode() in done.stdout, command
    assert pydicom.dcmread(folder / "image.dcm").SOPInstanceUID == variables["INSTANCE"]
    assert (folder / "image.png").read_bytes().startswith(b"\x89PNG") and (folder / "metadata.json").stat().st_size > 1000


def test_the_python_of_the_page_prints_what_it_retrieved(place: tuple[Served, Path, dict[str, str]]) -> None:
    _, folder, variables = place
    (program,) = blocks("python")
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, env=variables, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "Digital Mammography X-Ray Image Storage - For Presentation CC R\n", done.stderr


def test_the_page_names_limits_and_problems_that_there_are(place: tuple[Served, Path, dict[str, str]]) -> None:
    api, _, variables = place
    assert f"at most {MOST_RESULTS}" in PAGE and f"at most {MOST_OPENED:,}" in PAGE
    named = set(re.findall(r"`([a-z]+-[a-z-]+)`", PAGE.partition("## When something is refused")[2]))
    study = f"/dicom-web/studies/{variables['STUDY']}"
    image = f"{study}/series/{variables['SERIES']}/instances/{variables['INSTANCE']}"
    met = {
        api.client.get(path, headers={"Accept": accept} if accept else {}).json()["code"]
        for path, accept in (
            ("/dicom-web/studies?StudyDate=yesterday", ""),
            ("/dicom-web/studies/1.2", ""),
            (f"{study}/series/1.2", ""),
            (f"{study}/series/1.2/instances/1.2", ""),
            (f"{image}/frames/2", ""),
            (f"{image}/bulkdata/00100010", ""),
            (image, "text/html"),
        )
    }
    assert met <= named
    tested_elsewhere = {"no-pixel-data", "not-transcodable", "not-readable", "search-too-wide"}
    assert named - met == tested_elsewhere | {"unsupported-content-encoding", "unsupported-media-type"}
