"""Quality figures: what the ledger's queries count is what one counts by hand, on both databases."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, select, text, update

from benchmarks.quality import seed
from models.vocabulary import Laterality, View
from service.domain.feedback import FeedbackLabel, FeedbackVerdict, LabelFeedback
from service.domain.findings import Agreement, InstanceState
from service.store.database import open_engine
from service.store.ledger import Ledger
from service.store.tables import instances
from tests.support.api_server import Served, serve_api
from tests.support.ledger_values import Clock, header
from tests.support.sample_findings import analysed, concluded, correction, skipped

MONDAY = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)


@dataclass
class Unit:
    """A screening unit: enters images of chosen machines at chosen times, and asks for figures."""

    served: Served
    ledger: Ledger
    clock: Clock
    entered: int = 0

    def enter(self, station: str, at: datetime, agreement: Agreement | None = None, reason: str = "", **answer: Any) -> str:
        """One image of a study of its own; compared with its header where an agreement is given. Its SOP Instance UID."""
        self.entered += 1
        self.clock.time = at
        uid, study_instance_uid = f"1.2.3.{self.entered}", f"1.2.9.{self.entered}"
        made_by = {"station_name": station, "manufacturer": "Acme", "model_name": "One", "software_versions": "2.1"}
        labels = {"view": View.CC, "laterality": Laterality.R}
        self.ledger.instances.add(header(uid, study_instance_uid).model_copy(update=made_by | labels), "0" * 64, Path("a.dcm"), 1, "AE")
        finding = skipped(uid, reason, "a sentence") if reason else analysed(uid, "R", "CC", **answer)
        self.ledger.instances.record_finding(finding)
        if agreement:
            difference = correction(uid, ("R", "CC"), ("R", "MLO"), agreement, Agreement.AGREE)
            images = self.ledger.instances.of_study(study_instance_uid)
            self.ledger.record_conclusion(concluded(study_instance_uid, [finding], [difference], version=0), images)
        return uid

    def ask(self, **question: Any) -> dict[str, Any]:
        response = self.get(**question)
        response.raise_for_status()
        answer: dict[str, Any] = response.json()
        return answer

    def get(self, path: str = "/api/v1/quality", **question: object) -> httpx.Response:
        parameters = {"from" if name == "first" else "to" if name == "last" else name: str(value) for name, value in question.items()}
        return self.served.client.get(path, params=parameters)


@pytest.fixture
def unit(tmp_path: Path, database_url: str) -> Iterator[Unit]:
    with serve_api(tmp_path, database_url=database_url) as served:
        clock = Clock()
        ledger = Ledger(database_url, clock)
        yield Unit(served, ledger, clock)
        ledger.close()


def counted(rate: dict[str, Any]) -> tuple[int, int]:
    return rate["count"], rate["of"]


def test_rates_are_told_by_machine_and_by_week(unit: Unit) -> None:
    week = timedelta(days=7)
    for station, at, agreement, reason in [
        ("ROOM1", MONDAY, Agreement.CONTRADICT, ""),
        ("ROOM1", MONDAY, Agreement.AGREE, ""),
        ("ROOM1", MONDAY + week, Agreement.AGREE, ""),
        ("ROOM1", MONDAY + week, None, "magnification"),
        ("", MONDAY + week, Agreement.MISSING, ""),
        ("", MONDAY + week, None, ""),
        ("ROOM1", MONDAY - week, Agreement.CONTRADICT, ""),
    ]:
        unit.enter(station, at, agreement, reason)
    answer = unit.ask(first="2026-11-02", last="2026-11-15")
    assert answer["total"]["images"] == 6
    assert counted(answer["total"]["disagree"]) == (1, 4) and answer["total"]["disagree"]["rate"] == 0.25
    assert counted(answer["total"]["missing"]) == (1, 4) and counted(answer["total"]["skipped"]) == (1, 6)
    assert [(each["group"], each["images"], counted(each["disagree"])) for each in answer["groups"]] == [
        ("ROOM1", 4, (1, 3)),
        ("", 2, (0, 1)),
    ]
    weeks = {each["group"]: [(point["start"], counted(point["disagree"])) for point in each["points"]] for each in answer["series"]}
    assert weeks == {
        None: [("2026-11-02", (1, 2)), ("2026-11-09", (0, 2))],
        "ROOM1": [("2026-11-02", (1, 2)), ("2026-11-09", (0, 1))],
        "": [("2026-11-02", (0, 0)), ("2026-11-09", (0, 1))],
    }
    assert answer["reasons"] == [{"state": "skipped", "code": "magnification", "images": 1}]
    nameless = unit.ask(first="2026-11-02", last="2026-11-15", only="")
    assert nameless["total"]["images"] == 2 and nameless["reasons"] == [] and len(nameless["groups"]) == 2
    lines = list(csv.DictReader(io.StringIO(unit.get("/api/v1/quality.csv", first="2026-11-02", last="2026-11-15").text)))
    assert [(each["group"], each["start"], each["images"], each["disagree"], each["disagree_rate"]) for each in lines] == [
        ("", "2026-11-09", "2", "0", "0.0"),
        ("ROOM1", "2026-11-02", "2", "1", "0.5"),
        ("ROOM1", "2026-11-09", "2", "0", "0.0"),
    ]


def test_an_image_counts_on_the_day_of_utc_that_it_ended_on_last(unit: Unit) -> None:
    for at in ("2026-11-01T23:59:59.999999", "2026-11-02T00:00:00", "2026-11-02T23:59:59.999999", "2026-11-03T00:00:00"):
        unit.enter("ROOM1", datetime.fromisoformat(at).replace(tzinfo=UTC))
    assert unit.ask(first="2026-11-02", last="2026-11-02", bucket="day")["total"]["images"] == 2
    again = unit.enter("ROOM1", MONDAY, reason="undecodable")
    period = {"first": "2026-11-01", "last": "2026-11-03", "bucket": "day"}

    def days() -> list[tuple[str, int, int, int]]:
        points = unit.ask(**period)["series"][0]["points"]
        return [(each["start"], each["images"], each["skipped"]["count"], each["failed"]["count"]) for each in points]

    assert days() == [("2026-11-01", 1, 0, 0), ("2026-11-02", 3, 1, 0), ("2026-11-03", 1, 0, 0)]
    assert unit.ledger.instances.reopen(again)
    assert days() == [("2026-11-01", 1, 0, 0), ("2026-11-02", 2, 0, 0), ("2026-11-03", 1, 0, 0)]
    unit.clock.advance(86400)
    unit.ledger.instances.record_finding(skipped(again, "decoder-crashed", "it broke", InstanceState.FAILED))
    assert days() == [("2026-11-01", 1, 0, 0), ("2026-11-02", 2, 0, 0), ("2026-11-03", 2, 0, 1)]
    assert unit.ask(**period)["reasons"] == [{"state": "failed", "code": "decoder-crashed", "images": 1}]


def test_readers_count_by_their_last_word(unit: Unit) -> None:
    def say(image: str, label: FeedbackLabel, right: str, actor: str) -> None:
        verdict = FeedbackVerdict.WRONG if right else FeedbackVerdict.AGREE
        unit.ledger.feedback.add(image, LabelFeedback(label, verdict, right), actor)

    first, second = unit.enter("ROOM1", MONDAY, score=0.3, density="B"), unit.enter("ROOM2", MONDAY, score=0.4, density="B")
    say(first, FeedbackLabel.DENSITY, "C", "a")
    say(first, FeedbackLabel.DENSITY, "", "a")
    say(first, FeedbackLabel.DENSITY, "C", "b")
    say(second, FeedbackLabel.DENSITY, "C", "a")
    say(first, FeedbackLabel.CANCER, "benign", "a")
    say(second, FeedbackLabel.CANCER, "benign", "a")
    unit.clock.advance(7 * 86400)
    say(second, FeedbackLabel.VIEW, "", "b")
    period = {"first": "2026-11-02", "last": "2026-11-15"}
    readers = unit.ask(**period)["readers"]
    assert [(each["label"], each["of"], counted(each["agree"])) for each in readers["labels"]] == [
        ("view", "", (1, 1)),
        ("density", "", (1, 3)),
        ("cancer", "", (0, 2)),
    ]
    assert [(each["label"], each["of"], counted(each["agree"])) for each in readers["models"]] == [
        ("view", "mammotriage-labeler 1.0.0", (1, 1)),
        ("density", "mammotriage-labeler 1.0.0", (1, 3)),
        ("cancer", "mammotriage-cancer 2.1.0", (0, 2)),
    ]
    assert [counted(each["agree"]) for each in readers["groups"] if each["label"] == "density"] == [(1, 2), (0, 1)]
    assert [(each["start"], counted(each["agree"])) for each in readers["points"]] == [("2026-11-02", (1, 5)), ("2026-11-09", (1, 1))]
    assert readers["instead"] == [
        {"label": "cancer", "predicted_value": "", "corrected_value": "benign", "count": 2},
        {"label": "density", "predicted_value": "B", "corrected_value": "C", "count": 2},
    ]
    alone = unit.ask(**period, only="ROOM2")["readers"]
    assert [counted(each["agree"]) for each in alone["labels"]] == [(1, 1), (0, 1), (0, 1)]


def test_a_year_of_images_is_counted_as_by_hand_and_a_shift_is_seen(unit: Unit, database_url: str) -> None:
    today = datetime(2026, 11, 22, tzinfo=UTC)
    seed(database_url, 3000, today)
    engine = open_engine(database_url)
    assert_one_index_is_read(engine)
    with engine.connect() as connection:
        rows = connection.execute(select(instances)).all()
    whole: dict[str, Any] = {"first": today.date() - timedelta(days=180), "last": today.date(), "bucket": "month"}
    answer = unit.ask(**whole, by="software", reference_from=today.date() - timedelta(days=370))
    mine = [row for row in rows if row.finished_at and whole["first"] <= row.finished_at.date() <= whole["last"]]
    assert answer["total"]["images"] == len(mine) > 1000
    assert {each["group"]: each["images"] for each in answer["groups"]} == Counter(row.software_versions for row in mine)
    months = Counter(row.finished_at.date().replace(day=1).isoformat() for row in mine if row.agreement == Agreement.CONTRADICT)
    assert {each["start"]: each["disagree"]["count"] for each in answer["series"][0]["points"] if each["disagree"]["count"]} == months
    assert {each["code"]: each["images"] for each in answer["reasons"]} == Counter(row.reason_code for row in mine if row.reason_code)
    assert {each["name"]: each["now"] for each in answer["densities"]["bars"] if each["now"]} == Counter(
        row.density for row in mine if row.density
    )
    scores = [row.cancer_score for row in mine if row.cancer_score is not None]
    assert [each["now"] for each in answer["scores"]["bars"]] == [
        sum(bar <= min(round(score * 1000), 999) // 50 < bar + 1 for score in scores) for bar in range(20)
    ]
    assert answer["total"]["mean_score"] == pytest.approx(sum(scores) / len(scores), abs=1e-4)
    assert (answer["scores"]["drift"], answer["densities"]["drift"]) == ("steady", "steady")
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        lately = instances.c.finished_at >= datetime.combine(whole["first"], datetime.min.time(), UTC)
        connection.execute(update(instances).where(lately).values(cancer_score=instances.c.cancer_score * 0.5 + 0.2, density="D"))
    shifted = unit.ask(**whole, by="software", reference_from=today.date() - timedelta(days=370))
    assert (shifted["scores"]["drift"], shifted["densities"]["drift"]) == ("shifted", "shifted")
    engine.dispose()


def assert_one_index_is_read(engine: Engine) -> None:
    """Headers and answers make a row long: a query that reads them takes seconds where the index takes a tenth."""
    columns = (
        "count(*), sum(CASE WHEN state = 'failed' THEN 1 ELSE 0 END), count(agreement), sum(cancer_score), max(density), "
        "max(reason_code), max(station_name), max(manufacturer), max(model_name), max(software_versions)"
    )
    query = f"SELECT {columns} FROM instances WHERE finished_at >= '2026-10-01' AND finished_at < '2026-10-03'"
    with engine.connect() as connection:
        explain = "EXPLAIN" if engine.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
        plan = str(connection.execute(text(f"{explain} {query}")).all())
    assert "ix_instances_quality" in plan and ("Index Only Scan" in plan or "COVERING INDEX" in plan)


def test_a_question_without_sense_is_a_problem_and_an_empty_ledger_has_figures_of_nothing(tmp_path: Path) -> None:
    refused = {
        "invalid-period": [{"from": "2026-11-02", "to": "2026-11-01"}, {"reference_from": "2026-11-02", "reference_to": "2026-11-01"}],
        "period-too-long": [
            {"from": "2020-01-01", "to": "2026-11-01", "bucket": "day"},
            {"from": "1990-01-01", "to": "2199-12-31", "bucket": "month"},
        ],
        "invalid-request": [
            {"from": "0001-01-01"},
            {"to": "9999-12-31"},
            {"by": "patient"},
            {"bucket": "hour"},
            {"only": "a\x00b"},
            {"from": "yesterday"},
        ],
    }
    with serve_api(tmp_path) as served:
        for path in ("/api/v1/quality", "/api/v1/quality.csv"):
            for code, questions in refused.items():
                for question in questions:
                    response = served.client.get(path, params=question)
                    assert (response.status_code, response.json()["code"]) == (422, code), question
        answer = served.client.get("/api/v1/quality", params={"to": "2026-11-21"}).json()
    assert answer["period"] == {"first": "2026-08-24", "last": "2026-11-21"}
    assert answer["reference"] == {"first": "2026-05-26", "last": "2026-08-23"}
    assert (answer["total"]["images"], answer["total"]["disagree"]["rate"], answer["scores"]["drift"]) == (0, None, "too-few")
    assert (answer["groups"], answer["readers"]["labels"]) == ([], [])
