"""The ledger's promises, kept by SQLite and by PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import SQLAlchemyError

from service.domain.findings import CorrectionState, DeliveryState, ImageFinding, InstanceState, ObjectKind, Priority, Reason, TriageFlag
from service.errors import CursorInvalid, DecisionRefused
from service.store.conclusions import Plan
from service.store.deliveries import PlannedDelivery
from service.store.instances import Accepted
from service.store.ledger import Ledger
from service.store.migrate import migrate
from service.store.study_rows import StudyDelivery, StudyFilter, StudyState
from tests.support.ledger_values import Clock, analysed, conclusion_of, header, record

STUDY = "1.2.3"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(database_url: str, clock: Clock) -> Iterator[Ledger]:
    ledger = Ledger(database_url, clock)
    yield ledger
    ledger.close()


def receive(
    ledger: Ledger, sop_instance_uid: str, study_instance_uid: str = STUDY, sha256: str = "a" * 64, priority: Priority = Priority.ROUTINE
) -> Accepted:
    return ledger.instances.add(header(sop_instance_uid, study_instance_uid), sha256, Path("instances/x.dcm"), 10, "MODALITY", priority)


def receive_and_analyse(ledger: Ledger, sop_instance_uid: str, study_instance_uid: str = STUDY) -> None:
    receive(ledger, sop_instance_uid, study_instance_uid)
    ledger.instances.record_finding(analysed(sop_instance_uid))


def plan_one(ledger: Ledger, object_uid: str = "2.25.1") -> int:
    receive(ledger, "1.2.3.1")
    assert ledger.deliveries.plan(STUDY, 1, ObjectKind.REPORT, None, "pacs", object_uid)
    return ledger.deliveries.find()[-1].id


class TestInstances:
    def test_what_is_entered_is_read_back(self, ledger: Ledger, clock: Clock) -> None:
        assert receive(ledger, "1.2.3.1", priority=Priority.URGENT) is Accepted.NEW
        row = ledger.instances.get("1.2.3.1")
        assert row is not None
        assert row.header == header("1.2.3.1")
        assert (row.sha256, row.path, row.size, row.calling_ae) == ("a" * 64, Path("instances/x.dcm"), 10, "MODALITY")
        assert (row.state, row.finding, row.tries, row.priority) == (InstanceState.RECEIVED, None, 0, Priority.URGENT)
        assert row.received_at == clock.time and row.received_at.tzinfo is UTC
        assert ledger.instances.of_study(STUDY) == [row]
        assert ledger.instances.get("9") is None and ledger.instances.of_study("9") == []

    def test_the_same_bytes_again_are_a_duplicate_and_change_nothing(self, ledger: Ledger, clock: Clock) -> None:
        receive(ledger, "1.2.3.1")
        before = ledger.studies.get(STUDY), ledger.instances.of_study(STUDY)
        clock.advance(5)
        assert receive(ledger, "1.2.3.1") is Accepted.DUPLICATE
        assert (ledger.studies.get(STUDY), ledger.instances.of_study(STUDY)) == before

    def test_other_bytes_under_a_known_uid_are_kept_beside_the_first(self, ledger: Ledger) -> None:
        receive(ledger, "1.2.3.1")
        assert receive(ledger, "1.2.3.1", sha256="b" * 64) is Accepted.CONFLICT
        assert receive(ledger, "1.2.3.1", sha256="b" * 64) is Accepted.CONFLICT
        assert [row.sha256 for row in ledger.instances.of_study(STUDY)] == ["a" * 64]
        assert [(row.sop_instance_uid, row.sha256) for row in ledger.instances.conflicts(STUDY)] == [("1.2.3.1", "b" * 64)]
        assert ledger.instances.conflicts("9") == [] and len(ledger.instances.conflicts()) == 1

    def test_the_first_result_wins(self, ledger: Ledger) -> None:
        receive(ledger, "1.2.3.1")
        assert ledger.instances.record_finding(analysed("1.2.3.1", score=0.25))
        assert not ledger.instances.record_finding(analysed("1.2.3.1", score=0.75))
        row = ledger.instances.get("1.2.3.1")
        assert row is not None and row.finding == analysed("1.2.3.1", score=0.25) and row.finished_at is not None
        study = ledger.studies.get(STUDY)
        assert study is not None and (study.instance_count, study.finished_count) == (1, 1)

    def test_a_finding_without_a_terminal_state_is_a_mistake(self, ledger: Ledger) -> None:
        with pytest.raises(ValueError, match="ends an instance"):
            ledger.instances.record_finding(ImageFinding(sop_instance_uid="1", state=InstanceState.RECEIVED))

    def test_a_reopened_instance_is_analysed_anew_with_fresh_tries(self, ledger: Ledger) -> None:
        receive_and_analyse(ledger, "1.2.3.1")
        ledger.instances.count_attempt("1.2.3.1")
        assert ledger.instances.reopen("1.2.3.1") and not ledger.instances.reopen("1.2.3.1")
        row, study = ledger.instances.get("1.2.3.1"), ledger.studies.get(STUDY)
        assert row is not None and (row.state, row.finding, row.tries) == (InstanceState.RECEIVED, None, 0)
        assert study is not None and study.finished_count == 0
        assert ledger.instances.record_finding(analysed("1.2.3.1", score=0.75))

    def test_tries_are_counted(self, ledger: Ledger) -> None:
        receive(ledger, "1.2.3.1")
        assert [ledger.instances.count_attempt("1.2.3.1") for _ in range(3)] == [1, 2, 3]
        assert ledger.instances.count_attempt("9") == 0

    def test_an_instance_that_nobody_touches_is_named_once_a_period_urgent_ones_first(self, ledger: Ledger, clock: Clock) -> None:
        receive(ledger, "1.2.3.1")
        receive(ledger, "1.2.3.2", priority=Priority.URGENT)
        receive_and_analyse(ledger, "1.2.3.3")
        assert ledger.instances.take_unfinished(60) == []
        clock.advance(61)
        assert [row.sop_instance_uid for row in ledger.instances.take_unfinished(60)] == ["1.2.3.2", "1.2.3.1"]
        assert ledger.instances.take_unfinished(60) == []
        clock.advance(61)
        ledger.instances.count_attempt("1.2.3.1")
        assert [row.sop_instance_uid for row in ledger.instances.take_unfinished(60)] == ["1.2.3.2"]
        assert ledger.counts.oldest_unfinished_at() == clock.time - timedelta(seconds=122)


class TestStudies:
    def test_an_urgent_image_makes_its_study_urgent_and_it_stays_so(self, ledger: Ledger) -> None:
        for number, priority in enumerate([Priority.BACKGROUND, Priority.URGENT, Priority.ROUTINE]):
            receive(ledger, f"1.2.3.{number}", priority=priority)
        study = ledger.studies.get(STUDY)
        assert study is not None and study.priority is Priority.URGENT

    def test_conclusions_are_numbered_and_the_same_answer_is_not_entered_twice(self, ledger: Ledger) -> None:
        receive_and_analyse(ledger, "1.2.3.1")
        first = record(ledger, conclusion_of(ledger, STUDY, 0.5, TriageFlag.ROUTINE, complete=False))
        assert first is not None and first.version == 1
        assert record(ledger, conclusion_of(ledger, STUDY, 0.5, TriageFlag.ROUTINE, complete=False)) is None
        study = ledger.studies.get(STUDY)
        assert study is not None and (study.state, study.version, study.conclusion) == (StudyState.PARTIAL, 1, first)
        receive_and_analyse(ledger, "1.2.3.2")
        second = record(ledger, conclusion_of(ledger, STUDY, 0.9, TriageFlag.SUSPICIOUS))
        assert second is not None and second.version == 2
        study = ledger.studies.get(STUDY)
        assert study is not None and (study.state, study.flag, study.score) == (StudyState.CONCLUDED, TriageFlag.SUSPICIOUS, 0.9)
        assert ledger.conclusions.of_study(STUDY) == [first, second]

    def test_an_answer_that_misses_a_finding_made_meanwhile_is_not_entered(self, ledger: Ledger) -> None:
        receive_and_analyse(ledger, "1.2.3.1")
        outdated, images = conclusion_of(ledger, STUDY), ledger.instances.of_study(STUDY)
        receive_and_analyse(ledger, "1.2.3.2")
        assert ledger.record_conclusion(outdated, images) is None
        assert [study.study_instance_uid for study in ledger.studies.to_conclude(0)] == [STUDY]

    def test_an_unknown_study_cannot_be_concluded(self, ledger: Ledger) -> None:
        receive_and_analyse(ledger, "1.2.3.1")
        with pytest.raises(LookupError):
            record(ledger, conclusion_of(ledger, STUDY).model_copy(update={"study_instance_uid": "9"}))

    def test_a_study_is_to_be_concluded_when_all_ended_and_it_is_quiet(self, ledger: Ledger, clock: Clock) -> None:
        receive_and_analyse(ledger, "1.2.3.1")
        receive(ledger, "1.2.3.2")
        clock.advance(100)
        assert ledger.studies.to_conclude(60) == []
        ledger.instances.record_finding(analysed("1.2.3.2"))
        assert ledger.studies.to_conclude(60) == []
        clock.advance(60)
        assert [study.study_instance_uid for study in ledger.studies.to_conclude(60)] == [STUDY]
        record(ledger, conclusion_of(ledger, STUDY))
        assert ledger.studies.to_conclude(60) == []
        receive_and_analyse(ledger, "1.2.3.3")
        clock.advance(60)
        assert [study.study_instance_uid for study in ledger.studies.to_conclude(60)] == [STUDY]

    def test_the_triage_order_is_suspicious_first_then_score_then_age(self, ledger: Ledger, clock: Clock) -> None:
        wanted = {
            "1.9": (TriageFlag.ROUTINE, 0.2),
            "1.8": (TriageFlag.SUSPICIOUS, 0.7),
            "1.7": (TriageFlag.SUSPICIOUS, 0.9),
            "1.6": (TriageFlag.SUSPICIOUS, 0.7),
            "1.5": (TriageFlag.NOT_SCORED, None),
        }
        for uid, (flag, score) in wanted.items():
            clock.advance(1)
            receive_and_analyse(ledger, f"{uid}.1", uid)
            record(ledger, conclusion_of(ledger, uid, score, flag))
        clock.advance(1)
        receive(ledger, "1.4.1", "1.4")
        triage, more = ledger.studies.find("triage")
        assert [study.study_instance_uid for study in triage] == ["1.7", "1.8", "1.6", "1.9", "1.5", "1.4"] and more is None
        received, _ = ledger.studies.find("received")
        assert [study.study_instance_uid for study in received] == ["1.4", "1.5", "1.6", "1.7", "1.8", "1.9"]
        waiting, _ = ledger.studies.find(wanted=StudyFilter(state=StudyState.RECEIVING))
        assert [study.study_instance_uid for study in waiting] == ["1.4"]

    @pytest.mark.parametrize("order", ["triage", "received"])
    def test_pages_name_every_study_once_though_others_arrive_meanwhile(self, ledger: Ledger, clock: Clock, order: str) -> None:
        for number in range(7):
            clock.advance(number % 2)  # some in the same instant
            receive(ledger, f"1.{number}.1", f"1.{number}")
        seen, cursor = [], None
        while True:
            page, cursor = ledger.studies.find(order, cursor=cursor, limit=3)  # type: ignore[arg-type]
            seen += [study.study_instance_uid for study in page]
            if cursor is None:
                break
            if order == "received":
                clock.advance(1)
                receive(ledger, f"2.{len(seen)}.1", f"2.{len(seen)}")
        assert len(seen) == len(set(seen)) == 7

    @pytest.mark.parametrize("cursor", ["", "no", "WzFd", "WyJ0cmlhZ2UiLCAxXQ"])
    def test_a_made_up_cursor_is_refused(self, ledger: Ledger, cursor: str) -> None:
        with pytest.raises(CursorInvalid):
            ledger.studies.find("triage", cursor=cursor)


class TestDeliveries:
    def test_a_conclusion_and_what_it_owes_are_entered_together(self, ledger: Ledger) -> None:
        receive_and_analyse(ledger, "1.2.3.1")

        def plan_then_fail(_: object) -> Plan:
            raise RuntimeError("killed")

        with pytest.raises(RuntimeError):
            record(ledger, conclusion_of(ledger, STUDY), plan_then_fail)
        assert ledger.conclusions.of_study(STUDY) == []
        owed = (
            PlannedDelivery(ObjectKind.REPORT, None, "pacs", "2.25.1"),
            PlannedDelivery(ObjectKind.HEATMAP, "1.2.3.1", "pacs", "2.25.2"),
        )
        record(ledger, conclusion_of(ledger, STUDY), lambda _: Plan(owed))
        assert [
            (row.version, row.kind, row.source_sop_instance_uid, row.object_uid) for row in ledger.deliveries.find(study_instance_uid=STUDY)
        ] == [
            (1, ObjectKind.REPORT, None, "2.25.1"),
            (1, ObjectKind.HEATMAP, "1.2.3.1", "2.25.2"),
        ]

    def test_an_object_goes_to_a_destination_once(self, ledger: Ledger) -> None:
        plan_one(ledger)
        assert not ledger.deliveries.plan(STUDY, 1, ObjectKind.REPORT, None, "pacs", "2.25.1")
        assert ledger.deliveries.plan(STUDY, 1, ObjectKind.REPORT, None, "other", "2.25.1")
        assert len(ledger.deliveries.find()) == 2

    def test_a_claim_excludes_others_until_its_lease_ends(self, ledger: Ledger, clock: Clock) -> None:
        delivery = plan_one(ledger)
        claimed = ledger.deliveries.claim(delivery, lease_s=60)
        assert claimed is not None and claimed.tries == 1
        assert ledger.deliveries.claim(delivery, lease_s=60) is None and ledger.deliveries.due() == []
        clock.advance(61)
        assert [row.id for row in ledger.deliveries.due()] == [delivery]
        again = ledger.deliveries.claim(delivery, lease_s=60)
        assert again is not None and again.tries == 2

    def test_a_delivery_given_back_waits_for_its_time(self, ledger: Ledger, clock: Clock) -> None:
        delivery = plan_one(ledger)
        ledger.deliveries.claim(delivery, lease_s=60)
        assert ledger.deliveries.retry_later(delivery, "peer\0 away", clock.time + timedelta(seconds=10))
        assert ledger.deliveries.claim(delivery, lease_s=60) is None and ledger.deliveries.due() == []
        clock.advance(10)
        assert [row.error for row in ledger.deliveries.due(study_instance_uid=STUDY)] == ["peer away"]
        assert ledger.deliveries.due(study_instance_uid="9") == []

    def test_a_delivery_ends_once(self, ledger: Ledger) -> None:
        delivery = plan_one(ledger)
        assert ledger.deliveries.mark_sent(delivery)
        assert ledger.deliveries.finish(delivery, DeliveryState.VERIFIED)
        assert not ledger.deliveries.finish(delivery, DeliveryState.FAILED, "late") and not ledger.deliveries.mark_sent(delivery)
        row = ledger.deliveries.get(delivery)
        assert row is not None and (row.state, row.error) == (DeliveryState.VERIFIED, None) and row.finished_at is not None
        assert ledger.deliveries.find(DeliveryState.VERIFIED) == [row] and ledger.deliveries.find(DeliveryState.FAILED) == []
        assert ledger.deliveries.claim(delivery, lease_s=60) is None and ledger.deliveries.get(99) is None
        with pytest.raises(ValueError, match="a delivery ends in one of"):
            ledger.deliveries.finish(delivery, DeliveryState.SENT)

    @pytest.mark.parametrize(
        ("ends", "together"),
        [
            ("verified verified", StudyDelivery.VERIFIED),
            ("verified rejected", StudyDelivery.PARTIAL),
            ("verified mismatch", StudyDelivery.PARTIAL),
            ("rejected rejected", StudyDelivery.REJECTED),
            ("rejected failed", StudyDelivery.FAILED),
            ("verified unsupported", StudyDelivery.VERIFIED),
            ("unsupported unsupported", None),
        ],
    )
    def test_a_study_shows_how_its_deliveries_ended_together(self, ledger: Ledger, ends: str, together: StudyDelivery | None) -> None:
        receive_and_analyse(ledger, "1.2.3.1")
        owed = tuple(PlannedDelivery(ObjectKind.REPORT, None, name, "2.25.1") for name in ("a", "b"))
        record(ledger, conclusion_of(ledger, STUDY), lambda _: Plan(owed))
        assert shown(ledger) is StudyDelivery.PENDING
        for row, state in zip(ledger.deliveries.find(), ends.split(), strict=True):
            ledger.deliveries.finish(row.id, DeliveryState(state))
        assert shown(ledger) is together

    def test_a_new_conclusion_supersedes_reports_and_leaves_pictures(self, ledger: Ledger) -> None:
        receive_and_analyse(ledger, "1.2.3.1")
        owed = (PlannedDelivery(ObjectKind.REPORT, None, "a", "2.25.1"), PlannedDelivery(ObjectKind.HEATMAP, "1.2.3.1", "a", "2.25.2"))
        record(ledger, conclusion_of(ledger, STUDY), lambda _: Plan(owed))
        report, heatmap = ledger.deliveries.find()
        ledger.deliveries.finish(report.id, DeliveryState.FAILED)
        record(ledger, conclusion_of(ledger, STUDY, 0.9, TriageFlag.SUSPICIOUS))
        assert shown(ledger) is StudyDelivery.PENDING, "the heatmap is still owed, the former report is not"
        ledger.deliveries.finish(heatmap.id, DeliveryState.VERIFIED)
        assert shown(ledger) is StudyDelivery.VERIFIED

    def test_a_person_has_what_ended_without_proof_tried_again(self, ledger: Ledger, clock: Clock) -> None:
        delivery = plan_one(ledger)
        with pytest.raises(DecisionRefused, match="is pending"):
            ledger.decisions.retry(delivery, "Ada")
        ledger.deliveries.claim(delivery, lease_s=60)
        ledger.deliveries.finish(delivery, DeliveryState.REJECTED, "no such class", 0x0122)
        assert [(row.status, row.error) for row in ledger.deliveries.find(destination="pacs")] == [(0x0122, "no such class")]
        assert ledger.decisions.retry(delivery, "Ada").tries == 0
        assert [row.id for row in ledger.deliveries.due()] == [delivery]
        ledger.deliveries.finish(delivery, DeliveryState.VERIFIED)
        with pytest.raises(DecisionRefused, match="is verified"):
            ledger.decisions.retry(delivery, "Ada")
        with pytest.raises(LookupError):
            ledger.decisions.retry(99, "Ada")


class TestDestinations:
    def test_one_that_fails_again_and_again_is_left_alone_for_a_while(self, ledger: Ledger, clock: Clock) -> None:
        delivery = plan_one(ledger)
        assert [ledger.destinations.record_failure("pacs", "no answer", 3, 60) for _ in range(3)] == [False, False, True]
        assert ledger.deliveries.due() == [] and ledger.deliveries.claim(delivery, 60, 4) is None
        clock.advance(61)
        assert ledger.deliveries.claim(delivery, 60, 4) is not None, "one more try"
        assert ledger.destinations.record_failure("pacs", "no answer", 3, 60), "and left alone again at the next failure"
        ledger.destinations.record_answer("pacs")
        state = ledger.destinations.health("pacs")
        assert state is not None and (state.failures, state.open_until) == (0, None)
        assert not ledger.destinations.record_failure("pacs", "no answer", 3, 60)

    def test_so_many_deliveries_run_at_a_time_and_no_more(self, ledger: Ledger, clock: Clock) -> None:
        ids = [plan_one(ledger, f"2.25.{number}") for number in range(3)]
        assert [ledger.deliveries.claim(each, 60, concurrency=2) is not None for each in ids] == [True, True, False]
        ledger.deliveries.finish(ids[0], DeliveryState.VERIFIED)
        assert ledger.deliveries.claim(ids[2], 60, concurrency=2) is not None
        assert ledger.deliveries.claim(99, 60, concurrency=2) is None

    def test_what_they_take_is_kept_and_added_to(self, ledger: Ledger) -> None:
        assert ledger.destinations.health("pacs") is None
        ledger.destinations.record_capabilities("pacs", {"1.2": True, "1.3": False})
        ledger.destinations.record_capabilities("pacs", {"1.3": True})
        assert [each.capabilities for each in ledger.destinations.all()] == [{"1.2": True, "1.3": True}]


class TestEvents:
    def test_what_happens_is_told_in_order_and_once(self, ledger: Ledger) -> None:
        receive_and_analyse(ledger, "1.2.3.1")
        record(ledger, conclusion_of(ledger, STUDY), lambda _: Plan((PlannedDelivery(ObjectKind.REPORT, None, "a", "2.25.1"),)))
        record(ledger, conclusion_of(ledger, STUDY))
        (delivery,) = ledger.deliveries.find()
        ledger.deliveries.finish(delivery.id, DeliveryState.REJECTED)
        ledger.deliveries.finish(delivery.id, DeliveryState.VERIFIED)
        _, first, second = ledger.events.find()
        assert (first.kind, second.kind) == ("study.concluded", "delivery.rejected") and first.id < second.id == ledger.events.last_id()
        assert ledger.events.find(after_id=first.id) == ledger.events.find(after_id=first.id, study_instance_uid=STUDY) == [second]
        assert second.detail["destination"] == "a" and ledger.events.find(study_instance_uid="9") == []

    def test_a_webhook_is_told_by_one_worker_and_waits_after_a_failure(self, ledger: Ledger, clock: Clock) -> None:
        assert ledger.webhooks.claim("ris", 60) == 0
        assert ledger.webhooks.claim("ris", 60) is None and ledger.webhooks.claim("other", 60) == 0
        ledger.webhooks.record_failure("ris", "503", clock.time + timedelta(seconds=90))
        assert ledger.webhooks.claim("ris", 60) is None
        clock.advance(90)
        assert ledger.webhooks.claim("ris", 60) == 0
        ledger.webhooks.record_success("ris", 7)
        assert ledger.webhooks.claim("ris", 60) == 7 and ledger.webhooks.all()["ris"] == (7, 0, None)


def shown(ledger: Ledger) -> StudyDelivery | None:
    study = ledger.studies.get(STUDY)
    assert study is not None
    return study.delivery_state


def test_counts_name_every_state(ledger: Ledger) -> None:
    receive_and_analyse(ledger, "1.2.3.1")
    receive(ledger, "1.2.3.2")
    receive(ledger, "1.2.3.2", sha256="b" * 64)
    ledger.instances.record_finding(
        ImageFinding(sop_instance_uid="1.2.3.2", state=InstanceState.SKIPPED, reason=Reason(code="film", text="no"))
    )
    assert ledger.counts.by_state() == {
        "instances": {"received": 0, "analysed": 1, "skipped": 1, "failed": 0},
        "studies": {"receiving": 1, "concluded": 0, "partial": 0},
        "deliveries": dict.fromkeys(DeliveryState, 0),
        "corrections": dict.fromkeys(CorrectionState, 0),
        "conflicts": {"kept": 1},
    }
    assert ledger.counts.oldest_unfinished_at() is None


def test_ping_answers_only_where_the_tables_are(empty_database_url: str) -> None:
    ledger = Ledger(empty_database_url)
    with pytest.raises(SQLAlchemyError):
        ledger.ping()
    migrate(empty_database_url)
    ledger.ping()
    ledger.close()


def test_a_failed_statement_tells_no_values(ledger: Ledger) -> None:
    with pytest.raises(SQLAlchemyError) as failure:
        ledger.deliveries.plan("no such study", 1, ObjectKind.REPORT, None, "pacs", "2.25.4711")
    assert "2.25.4711" not in str(failure.value)
