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
from service.domain.feedback import FeedbackLabel, FeedbackVerdict, LabelFeedback
from tests.support.api_server import Served, serve_api
from tests.support.data_sets import read_set
from tests.support.sample_findings import analysed, full_field, label, skipped
from training.data.pictures import read_picture


@pytest.fixture
def received(tmp_path: Path, database_url: str) -> Iterator[Served]:
    """A served API over each kind of database."""
    with serve_api(tmp_path, database_url=database_url) as served:
        yield served


@pytest.fixture
def terminal(received: Served, clean_environment: pytest.MonkeyPatch) -> Iterator[CliRunner]:
    """A terminal whose settings are those of the received studies; logging is as it was afterwards."""
    clean_environment.setenv("MAMMOTRIAGE_DATA_DIR", str(received.settings.data_dir))
    clean_environment.setenv("MAMMOTRIAGE_DATABASE_URL", received.settings.ledger_url)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield CliRunner()
    logging.captureWarnings(False)
    root.handlers[:], root.level = handlers, level


def enter(received: Served, image: Dataset, **changed: object) -> str:
    """Receive an image and its answer; its SOP Instance UID."""
    uid = str(image.SOPInstanceUID)
    received.post(image)
    received.ledger.instances.record_finding(analysed(uid, "R", "CC", 0.41234, "B").model_copy(update=changed))
    return uid


def say(received: Served, uid: str, what: str, verdict: str, corrected_value: str = "", note: str = "") -> dict[str, object]:
    body = {"sop_instance_uid": uid, "label": what, "verdict": verdict, "corrected_value": corrected_value, "note": note}
    response = received.client.post("/api/v1/feedback", json=body)
    answer: dict[str, object] = response.json()
    return {"status": response.status_code, **answer} if response.is_error else answer


def test_what_the_network_said_is_taken_from_the_ledger(received: Served) -> None:
    image = full_field()
    uid = enter(received, image)
    said = [
        say(received, uid, "view", "agree"),
        say(received, uid, "laterality", "wrong", "L"),
        say(received, uid, "density", "wrong", "C", "dense behind the nipple"),
        say(received, uid, "cancer", "agree", "malignant"),
    ]
    assert [(each["predicted_value"], each["corrected_value"], each["value"], each["model"]) for each in said] == [
        ("CC", "", "CC", "mammotriage-labeler 1.0.0"),
        ("R", "L", "L", "mammotriage-labeler 1.0.0"),
        ("B", "C", "C", "mammotriage-labeler 1.0.0"),
        ("0.4123", "malignant", "malignant", "mammotriage-cancer 2.1.0"),
    ]
    listed = received.client.get("/api/v1/feedback", params={"study": image.StudyInstanceUID}).json()["feedback"]
    assert listed == said and said[2]["note"] == "dense behind the nipple" and said[0]["actor"]
    assert received.client.get("/api/v1/feedback", params={"study": "1.2.3"}).json()["feedback"] == []
    wrong = received.client.get("/api/v1/feedback", params={"verdict": "wrong", "limit": 1}).json()
    assert wrong["feedback"] == [said[1]]
    rest = received.client.get("/api/v1/feedback", params={"verdict": "wrong", "limit": 1, "cursor": wrong["next_cursor"]}).json()
    assert (rest["feedback"], rest["next_cursor"]) == ([said[2]], None)


def test_the_last_word_of_each_reader_counts_and_the_former_ones_are_kept(received: Served) -> None:
    uid = enter(received, full_field())
    say(received, uid, "density", "wrong", "C")
    say(received, uid, "density", "agree")
    other = received.ledger.feedback.add(uid, LabelFeedback(FeedbackLabel.DENSITY, FeedbackVerdict.WRONG, "D"), "another reader")
    current = received.client.get("/api/v1/feedback").json()["feedback"]
    assert [(each["verdict"], each["value"]) for each in current] == [("agree", "B"), ("wrong", "D")]
    assert current[1]["id"] == other.id
    history = received.client.get("/api/v1/feedback", params={"history": True}).json()["feedback"]
    assert [each["value"] for each in history] == ["C", "B", "D"]
    assert received.client.get("/api/v1/feedback", params={"verdict": "wrong"}).json()["feedback"] == [current[1]], (
        "a changed mind is no wrong"
    )


def test_a_viewer_speaks_under_their_own_name_and_the_trail_names_the_image_alone(received: Served) -> None:
    uid = enter(received, full_field())
    with received.person("viewer") as vera:
        body = {"sop_instance_uid": uid, "label": "view", "verdict": "wrong", "corrected_value": "ML", "note": "a note"}
        assert vera.post("/api/v1/feedback", json=body).json()["actor"] == "vera"
        assert vera.get("/api/v1/feedback.csv").status_code == 200
    (written,) = [each for each in received.ledger.audit_log.find(actor="vera") if "feedback" in each.action]
    assert written.subject == uid and "note" not in f"{written}"


def test_what_means_nothing_is_refused_with_its_reason(received: Served) -> None:
    uid = enter(received, full_field(), view=label("UNKNOWN", 0.5), cancer_score=None)
    raw, hopeless = full_field(), full_field()
    received.post(raw, hopeless)
    received.ledger.instances.record_finding(skipped(str(hopeless.SOPInstanceUID), "undecodable", "cannot be read"))
    refused = {
        (409, "no-prediction"): [
            say(received, uid, "view", "agree"),
            say(received, uid, "cancer", "wrong", "benign"),
            say(received, str(raw.SOPInstanceUID), "view", "wrong", "CC"),
            say(received, str(hopeless.SOPInstanceUID), "view", "wrong", "CC"),
        ],
        (422, "corrected-value-invalid"): [
            say(received, uid, "density", "wrong"),
            say(received, uid, "density", "wrong", "E"),
            say(received, uid, "density", "wrong", "B"),
            say(received, uid, "density", "agree", "C"),
        ],
        (422, "invalid-request"): [
            say(received, uid, "shape", "agree"),
            say(received, uid, "density", "perhaps"),
            say(received, "1.2.x", "density", "agree"),
            say(received, uid, "density", "agree", note="two\nlines"),
            say(received, uid, "density", "agree", note="\x00"),
        ],
        (404, "unknown-instance"): [say(received, "1.2.3", "density", "agree")],
    }
    for (status, code), answers in refused.items():
        assert [(each["status"], each["code"]) for each in answers] == [(status, code)] * len(answers)
    assert say(received, uid, "view", "wrong", "MLO")["predicted_value"] == "UNKNOWN", (
        "where the network was not sure, a reader may still tell"
    )


def test_the_csv_says_where_the_file_lies_and_no_spreadsheet_runs_a_note(received: Served, terminal: CliRunner) -> None:
    uid = enter(received, full_field())
    say(received, uid, "view", "wrong", "MLO", '=HYPERLINK("http://x";"y")')
    say(received, uid, "view", "wrong", "ML", "@SUM(1)")
    response = received.client.get("/api/v1/feedback.csv")
    assert response.headers["content-type"].startswith("text/csv") and "attachment" in response.headers["content-disposition"]
    (line,) = csv.DictReader(io.StringIO(response.text))
    assert (line["sop_instance_uid"], line["label"], line["predicted_value"], line["value"], line["note"]) == (
        uid,
        "view",
        "CC",
        "ML",
        "'@SUM(1)",
    )
    assert received.store.path(line["file"]).is_file()
    exported = received.settings.data_dir / "feedback.csv"
    assert terminal.invoke(app, ["feedback", "export", "-o", str(exported), "--label", "view"]).exit_code == 0
    assert exported.read_bytes() == response.content, "the terminal writes what HTTP answers"
    both = list(csv.DictReader(io.StringIO(received.client.get("/api/v1/feedback.csv", params={"history": True}).text)))
    assert [each["note"] for each in both] == ['\'=HYPERLINK("http://x";"y")', "'@SUM(1)"]
    assert list(csv.DictReader(io.StringIO(received.client.get("/api/v1/feedback.csv", params={"label": "density"}).text))) == []


def test_training_reads_what_readers_said_beside_the_images_that_the_service_keeps(
    received: Served, cbis_cases: dict[str, list[Path]]
) -> None:
    (first, second, *_) = cbis_cases["sfm-benign-0"]
    uids = []
    for path in (first, second):
        image = pydicom.dcmread(path)
        received.post(path.read_bytes())
        received.ledger.instances.record_finding(analysed(str(image.SOPInstanceUID), "R", "CC", 0.41234, "B"))
        uids.append(str(image.SOPInstanceUID))
    say(received, uids[0], "density", "wrong", "D", '=cmd("x"), and a comma')
    say(received, uids[0], "density", "wrong", "C")
    say(received, uids[1], "cancer", "agree", "malignant")
    say(received, uids[1], "view", "wrong", "MLO")
    table = received.settings.data_dir / "feedback.csv"
    table.write_text(received.client.get("/api/v1/feedback.csv", params={"history": True}).text, encoding="utf-8", newline="")
    index = read_set(received.settings.data_dir, "feedback")
    labels = {row.image: (row.density, row.pathology, row.patient, read_picture(row).ndim) for row in index.rows}
    assert labels == {uids[0]: ("C", None, "cbis-P_00173", 2), uids[1]: (None, "malignant", "cbis-P_00173", 2)}
    assert {row.image: row.view for row in index.rows}[uids[1]] == "MLO", "of a wrong view the reader's is taken"
    assert index.skipped == ()
