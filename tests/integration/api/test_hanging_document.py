"""docs/hanging-protocols.md does what it says: its examples run against a served API, word for word."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from service.api.auth import issue_key
from service.api.hanging.schemas import HangingOut, HungOut
from service.domain.access import Scope
from tests.support.api_server import FOUR_VIEWS, Served, serve_api
from tests.support.sample_findings import full_field

PAGE = (Path(__file__).parents[3] / "docs" / "hanging-protocols.md").read_text(encoding="utf-8")
STUDY = "2.25.77"


def examples(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """With a finished study of today."""
    with serve_api(tmp_path_factory.mktemp("hanging")) as served:
        images = [full_field(side, view, study_instance_uid=STUDY) for side, view in FOUR_VIEWS]
        for image in images:
            image.StudyDate = f"{date.today():%Y%m%d}"
        served.post(*images)
        for image, (side, view) in zip(images, FOUR_VIEWS, strict=True):
            served.answer(image, side, view)
        served.conclude(STUDY)
        yield served


@pytest.fixture(scope="module")
def variables(api: Served) -> dict[str, str]:
    """What the page tells to export, with a key that may read and nothing else."""
    (exported,) = (each for each in examples("sh") if each.startswith("export"))
    secret, _ = issue_key(api.ledger.api_keys, "hanging-software", frozenset({Scope.READ}), "tests")
    values = {"MT": f"{api.settings.public_api_url}/api/v1", "MT_KEY": secret, "STUDY": STUDY}
    assert re.findall(r"(\w+)=", exported) == list(values)
    return {**os.environ, **values}


def run(command: list[str], variables: dict[str, str], folder: Path) -> str:
    return subprocess.run(command, env=variables, cwd=folder, capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here: apt-get install curl")
def test_each_curl_example_is_answered(variables: dict[str, str], tmp_path: Path) -> None:
    asked = [each for each in examples("sh") if "curl" in each]
    one, again, waited, streamed, day = (run(["bash", "-euc", each], variables, tmp_path) for each in asked)
    assert json.loads(one)["status"] == "final"
    assert again == "304\n"
    assert json.loads(waited) == json.loads(one) == json.loads((tmp_path / "hanging.json").read_text())
    assert re.findall(r"^event: (\w+)$", streamed, re.MULTILINE) == ["final"]
    by_day, by_list = day.replace("}{", "}\n{").splitlines()
    assert [each["study_instance_uid"] for each in json.loads(by_day)["studies"]] == [STUDY]
    assert (json.loads(by_list)["studies"], json.loads(by_list)["unknown"]) == ([json.loads(one)], ["1.2.3"])


def test_the_python_example_prints_the_four_places(variables: dict[str, str], tmp_path: Path, api: Served) -> None:
    (example,) = examples("python")
    printed = run([sys.executable, "-c", example], variables, tmp_path).splitlines()
    hung = {row.header.sop_instance_uid for row in api.ledger.instances.of_study(STUDY)}
    assert [line.split()[0] for line in printed[:4]] == ["R-CC", "L-CC", "R-MLO", "L-MLO"]
    assert {line.split()[1] for line in printed[:4]} == hung
    assert printed[4] == "final complete 1 studies today"


def test_the_answer_on_the_page_has_the_fields_of_the_schema() -> None:
    (shown,) = (json.loads(each) for each in examples("json"))
    assert shown.keys() == HangingOut.model_fields.keys()
    assert shown["slots"]["R-CC"].keys() == HungOut.model_fields.keys()
