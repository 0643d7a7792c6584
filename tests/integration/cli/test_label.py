"""``mammotriage label`` on real files, as a user runs it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import pydicom
import pytest

from models.preprocessing.picture import picture_from_dataset

FIELDS = {"path", "status", "reason", "view", "laterality", "density", "cancer", "declared", "agreement", "disagreements", "models"}


def label(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAMMOTRIAGE_")}
    command = [sys.executable, "-m", "service.cli", "label", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def lines(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    """Answers by file name."""
    assert "Traceback" not in done.stderr
    return {Path(line["path"]).name: line for line in map(json.loads, done.stdout.splitlines())}


@pytest.fixture(scope="session")
def film(cbis_cases: dict[str, list[Path]]) -> Path:
    return cbis_cases["sfm-malign-0"][0]


def test_dicom_png_and_jpeg_of_one_image_get_the_same_labels(film: Path, tmp_path: Path) -> None:
    shutil.copy(film, tmp_path / "a.dcm")
    pixels = picture_from_dataset(pydicom.dcmread(film)).pixels
    (tmp_path / "below").mkdir()
    cv2.imwrite(str(tmp_path / "below" / "b.png"), pixels)
    cv2.imwrite(str(tmp_path / "below" / "c.JPG"), pixels)
    (tmp_path / "notes.txt").write_text("not an image, and in a folder: not asked for")
    done = label(tmp_path, "--json", "--film")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    answers = lines(done)
    assert set(answers) == {"a.dcm", "b.png", "c.JPG"}
    for answer in answers.values():
        assert set(answer) >= FIELDS
        assert answer["status"] == "analysed"
        assert answer["reason"] is None
        assert set(answer["view"]["probabilities"]) == {"CC", "MLO"}
        assert 0 <= answer["cancer"]["score"] <= 1
        assert len(answer["models"]) == 2
    assert {answer["laterality"]["value"] for answer in answers.values()} == {"L"}
    declared = answers["a.dcm"]["declared"]
    assert (declared["view"], declared["laterality"], declared["contradictions"]) == ("CC", "L", [])
    assert {"label": "view", "attribute": "PatientOrientation", "value": "CC", "word": "CC"} in declared["sources"]
    assert answers["b.png"]["declared"] == {"view": "UNKNOWN", "laterality": "UNKNOWN", "sources": [], "contradictions": []}
    assert {tuple(answer["agreement"].values()) for answer in answers.values()} == {("missing", "missing")}
    assert answers["b.png"]["cancer"]["score"] == pytest.approx(answers["a.dcm"]["cancer"]["score"], abs=0.02)


def test_bad_files_get_their_lines_and_the_exit_status_tells(film: Path, tmp_path: Path) -> None:
    (tmp_path / "text.dcm").write_text("no DICOM")
    (tmp_path / "empty.png").touch()
    (tmp_path / "cut.dcm").write_bytes(film.read_bytes()[:1_000_000])
    (tmp_path / "torn.jpg").write_bytes(b"\xff\xd8\xff\xe0 torn")
    done = label(tmp_path, tmp_path / "missing.dcm", "--json", "--film")
    assert done.returncode == 1
    answers = lines(done)
    assert set(answers) == {"text.dcm", "empty.png", "cut.dcm", "torn.jpg", "missing.dcm"}
    for answer in answers.values():
        assert answer["status"] == "failed"
        assert answer["reason"]["code"] != "internal-error"
        assert answer["reason"]["text"]
        assert answer["cancer"] is None
    assert answers["missing.dcm"]["reason"]["code"] == "not-found"


def test_film_is_not_analysed_until_it_is_opted_in(film: Path) -> None:
    done = label(film, "--json", "--no-film")
    assert done.returncode == 0
    (answer,) = lines(done).values()
    assert (answer["status"], answer["reason"]["code"]) == ("skipped", "film-not-enabled")
    assert answer["kind"] == "film"


def test_a_wrong_header_is_a_disagreement(film: Path, tmp_path: Path) -> None:
    wrong = pydicom.dcmread(film)
    wrong.ImageLaterality = wrong.Laterality = "R"
    wrong.save_as(tmp_path / "wrong.dcm")
    (answer,) = lines(label(tmp_path, "--json", "--film")).values()
    assert {"label": "laterality", "declared": "R", "pixels": "L"} in answer["disagreements"]


def test_without_json_people_get_a_table(film: Path) -> None:
    done = label(film, "--film")
    assert done.returncode == 0
    assert "analysed" in done.stdout
    assert "L-CC" in done.stdout


def test_every_awkward_file_gets_a_line_and_no_traceback(dicom_test_files: Path) -> None:
    done = label(dicom_test_files, "--json", "--film")
    answers = lines(done)
    assert len(answers) == len(list(dicom_test_files.rglob("*.dcm")))
    assert answers["dicom-test-files__MG1_JPLY.dcm"]["status"] == "failed"
    assert answers["dicom-test-files__MG1_JPLY.dcm"]["reason"]["code"] == "undecodable-pixel-data"
    assert answers["dicom-test-files__MG1_J2KI.dcm"]["status"] == "analysed"
    assert done.returncode == 1
    for path in (dicom_test_files / "negative").glob("*.dcm"):
        assert answers[path.name]["status"] == "skipped"
        assert answers[path.name]["cancer"] is None
    assert answers["DICOMSamples__MG_Explicit_Little.dcm"]["status"] == "skipped"
    assert answers["fo-dicom__OutOfBoundsOverlay.dcm"]["reason"]["code"] == "stereo"


NAMES = [
    b"caf\xe9.dcm",
    b"\xff\xfe.dcm",
    b"a\nb.dcm",
    b"[red]x.dcm",
    "乳房.dcm".encode(),
    b"\xed\xa0\x80.dcm",
    b"tab\there.dcm",
    b"\x1b[31m.dcm",
]


def test_any_file_name_gets_its_answer_and_stops_nothing(tmp_path: Path) -> None:
    for name in (b"1 first.dcm", *NAMES, b"z last.dcm"):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(b"no image")
    (tmp_path / "broken link.dcm").symlink_to("nowhere")
    done = label(tmp_path, "--json")
    assert done.returncode == 1 and done.stderr == ""
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    wanted = [*(name.decode("utf-8", "backslashreplace") for name in NAMES), "1 first.dcm", "z last.dcm", "broken link.dcm"]
    assert {each["path"].removeprefix(f"{tmp_path}/") for each in answers} == set(wanted)
    table = label(tmp_path)
    assert table.returncode == 1 and "Traceback" not in table.stderr and "\x1b" not in table.stdout
    # Long paths are wrapped in the table: what is compared is the end of each name.
    shown = "".join(line.partition("│")[2].partition("│")[0].strip() for line in table.stdout.splitlines())
    for text in ("caf\\xe9.dcm", "\\xff\\xfe.dcm", "a\\nb.dcm", "[red]x.dcm", "z last.dcm", "tab\\there.dcm", "\\x1b[31m.dcm"):
        assert text.replace(" ", "") in shown.replace(" ", ""), text


@pytest.mark.parametrize("as_json", [True, False])
def test_a_folder_without_an_image_says_so(tmp_path: Path, as_json: bool) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    done = label(tmp_path, *(["--json"] if as_json else []))
    assert done.returncode == 1
    assert ('"code":"no-images"' if as_json else "there is no image") in done.stdout


def test_a_name_that_cannot_be_a_file_gets_its_answer(tmp_path: Path) -> None:
    done = label("x" * 5000, tmp_path / "absent", "--json")
    assert [json.loads(line)["reason"]["code"] for line in done.stdout.splitlines()] == ["not-found"] * 2
    assert done.returncode == 1
