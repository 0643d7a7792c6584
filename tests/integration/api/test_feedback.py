"""Readers say whether a label is right; the last word of each counts, and what the network said is the ledger's own."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from pydicom import Dataset
from typer.testing import CliRunner

from service.cli import app
from service.domain.feedback import Opinion, ReaderVerdict, ReadLabel
from tests.support.api_server import Served, serve_api
from tests.support.sample_findings import analysed, full_field, label, skipped
from training.data.index import read_set
from training.data.pictures import read_picture


@pytest.fixture
def ward(tmp_path: Path, database_url: str) -> Iterator[Served]:
    """A served API over each kind of database."""
    with serve_api(tmp_path, database_url=database_url) as served:
        yield served


@pytest.fixture
def terminal(ward: Served, clean_environment: pytest.MonkeyPatch) -> Iterator[CliRunner]:
    """A terminal whose settings are those of the ward; logging is as it was afterwards."""
    clean_environment.setenv("MAMMOTRIAGE_DATA_DIR", str(ward.settings.data_dir))
    clean_environment.setenv("MAMMOTRIAGE_DATABASE_URL", ward.settings.ledger_url)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield CliRunner()
    logging.captureWarnings(False)
    root.handlers[:], root.level = handlers, level


def enter(ward: Served, image: Dataset, **changed: object) -> str:
    """Receive an image and its answer; its SOP Instance UID."""
    uid = str(image.SOPInstanceUID)
    ward.post(image)
    ward.ledger.record_finding(analysed(uid, "R", "CC", 0.41234, "B").model_copy(update=changed))
    return uid


def say(ward: Served, uid: str, what: str, verdict: str, corrected_value: str = "", note: str = "") -> dict[str, object]:
    body = {"sop_instance_uid": uid, "label": what, "verdict": verdict, "corrected_value": corrected_value, "note": note}
    response = ward.client.post("/api/v1/feedback", json=body)
    answer: dict[str, object] = response.json()
    return {"status": response.status_code, **answer} if response.is_error else answer


def test_what_the_network_said_is_taken_from_the_ledger(ward: Served) -> None:
    image = full_field()
    uid = enter(ward, image)
    said = [
        say(ward, uid, "view", "agree"),
        say(ward, uid, "laterality", "wrong", "L"),
        say(ward, uid, "density", "wrong", "C", "dense behind the nipple"),
        say(ward, uid, "cancer", "agree", "malignant"),
    ]
    assert [(each["said"], each["corrected_value"], each["value"], each["model"]) for each in said] == [
        ("CC", "", "CC", "mammotriage-labeler 1.0.0"),
        ("R", "L", "L", "mammotriage-labeler 1.0.0"),
        ("B", "C", "C", "mammotriage-labeler 1.0.0"),
        ("0.4123", "malignant", "malignant", "mammotriage-cancer 2.1.0"),
    ]
    listed = ward.client.get("/api/v1/feedback", params={"study": image.StudyInstanceUID}).json()["feedback"]
    assert listed == said and said[2]["note"] == "dense behind the nipple" and said[0]["actor"]
    assert ward.client.get("/api/v1/feedback", params={"study": "1.2.3"}).json()["feedback"] == []
    wrong = ward.client.get("/api/v1/feedback", params={"verdict": "wrong", "limit": 1}).json()
    assert wrong["feedback"] == [said[1]]
    rest = ward.client.get("/api/v1/feedback", params={"verdict": "wrong", "limit": 1, "cursor": wrong["next_cursor"]}).json()
    assert (rest["feedback"], rest["next_cursor"]) == ([said[2]], None)


def test_the_last_word_of_each_reader_counts_and_the_former_ones_are_kept(ward: Served) -> None:
    uid = enter(ward, full_field())
    say(ward, uid, "density", "wrong", "C")
    say(ward, uid, "density", "agree")
    other = ward.ledger.give_feedback(uid, Opinion(ReadLabel.DENSITY, ReaderVerdict.WRONG, "D"), "somebody else")
    current = ward.client.get("/api/v1/feedback").json()["feedback"]
    assert [(each["verdict"], each["value"]) for each in current] == [("agree", "B"), ("wrong", "D")]
    assert current[1]["id"] == other.id
    history = ward.client.get("/api/v1/feedback", params={"history": True}).json()["feedback"]
    assert [each["value"] for each in history] == ["C", "B", "D"]
    assert ward.client.get("/api/v1/feedback", params={"verdict": "wrong"}).json()["feedback"] == [current[1]], "a changed mind is no wrong"


def test_a_viewer_speaks_under_their_own_name_and_the_trail_names_the_image_alone(ward: Served) -> None:
    uid = enter(ward, full_field())
    with ward.person("viewer") as vera:
        body = {"sop_instance_uid": uid, "label": "view", "verdict": "wrong", "corrected_value": "ML", "note": "a note"}
        assert vera.post("/api/v1/feedback", json=body).json()["actor"] == "vera"
        assert vera.get("/api/v1/feedback.csv").status_code == 200
    (written,) = [each for each in ward.ledger.audit(actor="vera") if "feedback" in each.action]
    assert written.subject == uid and "note" not in f"{written}"


def test_what_means_nothing_is_refused_with_its_reason(ward: Served) -> None:
    uid = enter(ward, full_field(), view=label("UNKNOWN", 0.5), cancer_score=None)
    raw, hopeless = full_field(), full_field()
    ward.post(raw, hopeless)
    ward.ledger.record_finding(skipped(str(hopeless.SOPInstanceUID), "undecodable", "cannot be read"))
    refused = {
        (409, "nothing-said"): [
            say(ward, uid, "view", "agree"),
            say(ward, uid, "cancer", "wrong", "benign"),
            say(ward, str(raw.SOPInstanceUID), "view", "wrong", "CC"),
            say(ward, str(hopeless.SOPInstanceUID), "view", "wrong", "CC"),
        ],
        (422, "wrong-value"): [
            say(ward, uid, "density", "wrong"),
            say(ward, uid, "density", "wrong", "E"),
            say(ward, uid, "density", "wrong", "B"),
            say(ward, uid, "density", "agree", "C"),
        ],
        (422, "invalid-request"): [
            say(ward, uid, "shape", "agree"),
            say(ward, uid, "density", "perhaps"),
            say(ward, "1.2.x", "density", "agree"),
            say(ward, uid, "density", "agree", note="two\nlines"),
            say(ward, uid, "density", "agree", note="\x00"),
        ],
        (404, "unknown-instance"): [say(ward, "1.2.3", "density", "agree")],
    }
    for (status, code), answers in refused.items():
        assert [(each["status"], each["code"]) for each in answers] == [(status, code)] * len(answers)
    assert say(ward, uid, "view", "wrong", "MLO")["said"] == "UNKNOWN", "where the network was not sure, a reader may still tell"


def test_the_csv_says_where_the_file_lies_and_no_spreadsheet_runs_a_note(ward: Served, terminal: CliRunner) -> None:
    uid = enter(ward, full_field())
    say(ward, uid, "view", "wrong", "MLO", '=HYPERLINK("http://x";"y")')
    say(ward, uid, "view", "wrong", "ML", "@SUM(1)")
    response = ward.client.get("/api/v1/feedback.csv")
    assert response.headers["content-type"].startswith("text/csv") and "attachment" in response.headers["content-disposition"]
    (line,) = csv.DictReader(io.StringIO(response.text))
    assert (line["sop_instance_uid"], line["label"], line["said"], line["value"], line["note"]) == (uid, "view", "CC", "ML", "'@SUM(1)")
    assert ward.store.path(line["file"]).is_file()
    exported = ward.settings.data_dir / "feedback.csv"
    assert terminal.invoke(app, ["feedback", "export", "-o", str(exported), "--label", "view"]).exit_code == 0
    assert exported.read_bytes() == response.content, "the terminal writes what HTTP answers"
    both = list(csv.DictReader(io.StringIO(ward.client.get("/api/v1/feedback.csv", params={"history": True}).text)))
    assert [each["note"] for each in both] == ['\'=HYPERLINK("http://x";"y")', "'@SUM(1)"]
    assert list(csv.DictReader(io.StringIO(ward.client.get("/api/v1/feedback.csv", params={"label": "density"}).text))) == []


def test_training_reads_what_readers_said_beside_the_images_that_the_service_keeps(ward: Served, cbis_cases: dict[str, list[Path]]) -> None:
    (first, second, *_) = cbis_cases["sfm-benign-0"]
    uids = []
    for path in (first, second):
        image = pydicom.dcmread(path)
        ward.post(path.read_bytes())
        ward.ledger.record_finding(analysed(str(image.SOPInstanceUID), "R", "CC", 0.41234, "B"))
        uids.append(str(image.SOPInstanceUID))
    say(ward, uids[0], "density", "wrong", "D", '=cmd("x"), and a comma')
    say(ward, uids[0], "density", "wrong", "C")
    say(ward, uids[1], "cancer", "agree", "malignant")
    say(ward, uids[1], "view", "wrong", "MLO")
    table = ward.settings.data_dir / "feedback.csv"
    table.write_text(ward.client.get("/api/v1/feedback.csv", params={"history": True}).text, encoding="utf-8", newline="")
    index = read_set(ward.settings.data_dir, "feedback")
    told = {row.image: (row.density, row.pathology, row.patient, read_picture(row).ndim) for row in index.rows}
    assert told == {uids[0]: ("C", None, "cbis-P_00173", 2), uids[1]: (None, "malignant", "cbis-P_00173", 2)}
    assert {row.image: row.view for row in index.rows}[uids[1]] == "MLO", "of a wrong view the reader's is taken"
    assert index.skipped == ()
