"""The life of a correction in the ledger: proposed, decided, carried out, proved, undone; on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from models.vocabulary import Laterality, View
from service.domain.findings import Agreement, CorrectionKind, CorrectionState, DeliveryState, LabelCorrection, ObjectKind
from service.domain.policy import Action
from service.errors import DecisionRefused
from service.store.conclusions import Plan
from service.store.corrections import POLICY, CorrectionRow, PlannedCorrection
from service.store.deliveries import PlannedDelivery
from service.store.instances import InstanceRow
from service.store.ledger import Ledger
from tests.support.ledger_values import Clock, analysed, conclusion_of, header, record

STUDY, IMAGE = "1.2.3", "1.2.3.1"
State = CorrectionState


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    ledger = Ledger(database_url, Clock())
    yield ledger
    ledger.close()


def difference(
    side: Laterality = Laterality.L, blocked_reason: str = "", kind: CorrectionKind = CorrectionKind.CONTRADICTS
) -> LabelCorrection:
    return LabelCorrection(
        sop_instance_uid=IMAGE,
        view=Agreement.AGREE,
        laterality=Agreement.CONTRADICT,
        declared_view=View.CC,
        declared_laterality=Laterality.R,
        pixel_view=View.CC,
        pixel_laterality=side,
        kind=kind,
        blocked_reason=blocked_reason,
        reason="the other breast is there already",
    )


def conclude(ledger: Ledger, *found: tuple[LabelCorrection, Action], score: float = 0.1, hold: str = "") -> None:
    if ledger.instances.get(IMAGE) is None:
        ledger.instances.add(header(IMAGE, STUDY), "a" * 64, Path("x.dcm"), 10, "MODALITY")
        ledger.instances.record_finding(analysed(IMAGE))
    plan = Plan((), tuple(PlannedCorrection(*each) for each in found), hold)
    assert record(ledger, conclusion_of(ledger, STUDY, score), lambda _: plan, to_both) is not None


def to_both(row: CorrectionRow, images: Sequence[InstanceRow] = ()) -> Iterable[PlannedDelivery]:
    kind = ObjectKind.REVERTED if row.state is State.REVERTING else ObjectKind.CORRECTED
    return [PlannedDelivery(kind, row.sop_instance_uid, name, f"2.25.{row.id}") for name in ("a", "b")]


def only(ledger: Ledger) -> CorrectionRow:
    (row,) = ledger.corrections.find()
    return row


def end(ledger: Ledger, kind: ObjectKind, *states: DeliveryState) -> None:
    rows = [row for row in ledger.deliveries.find() if row.kind is kind]
    for row, state in zip(rows, states, strict=True):
        ledger.deliveries.finish(row.id, state)


@pytest.mark.parametrize(("action", "state"), [(Action.REPORT, State.REPORTED), (Action.APPROVE, State.PROPOSED)])
def test_what_policy_leaves_to_people_waits_for_them(ledger: Ledger, action: Action, state: CorrectionState) -> None:
    conclude(ledger, (difference(), action))
    row = only(ledger)
    assert (row.state, row.decided_by, ledger.deliveries.find()) == (state, None, [])
    assert (
        ledger.corrections.find(state=state)
        == ledger.corrections.find(study_instance_uid=STUDY)
        == [row]
        == [ledger.corrections.get(row.id)]
    )
    assert ledger.corrections.find(state=State.VERIFIED) == ledger.corrections.find(after_id=row.id) == []
    approved = ledger.decisions.approve(row.id, "Ada", "seen on the screen", to_both)
    assert (approved.state, approved.decided_by, approved.by_person) == (State.APPROVED, "Ada", True)
    assert [(row.destination, row.correction_id) for row in ledger.deliveries.find()] == [("a", row.id), ("b", row.id)]


def test_what_policy_does_by_itself_is_planned_with_the_conclusion(ledger: Ledger) -> None:
    conclude(ledger, (difference(), Action.AUTO))
    row = only(ledger)
    assert (row.state, row.decided_by, row.by_person, len(ledger.deliveries.find())) == (State.APPROVED, POLICY, False, 2)


def test_a_correction_follows_its_deliveries_to_the_proof(ledger: Ledger) -> None:
    conclude(ledger, (difference(), Action.AUTO))
    first, second = ledger.deliveries.find()
    ledger.deliveries.mark_sent(first.id)
    assert only(ledger).state is State.APPROVED
    ledger.deliveries.mark_sent(second.id)
    assert only(ledger).state is State.APPLIED
    ledger.deliveries.finish(first.id, DeliveryState.VERIFIED)
    ledger.deliveries.finish(second.id, DeliveryState.VERIFIED)
    assert only(ledger).state is State.VERIFIED
    steps = ledger.corrections.history(only(ledger).id)
    assert [step.state for step in steps] == [State.APPROVED, State.APPLIED, State.VERIFIED] and steps[0].reason == difference().reason
    assert [event.kind for event in ledger.events.find()].count("correction.verified") == 1


@pytest.mark.parametrize("state", [DeliveryState.MISMATCH, DeliveryState.REJECTED, DeliveryState.FAILED])
def test_one_destination_that_does_not_apply_it_is_not_hidden_and_can_be_tried_again(ledger: Ledger, state: DeliveryState) -> None:
    conclude(ledger, (difference(), Action.AUTO))
    end(ledger, ObjectKind.CORRECTED, DeliveryState.VERIFIED, state)
    assert only(ledger).state is State.MISMATCH and ledger.corrections.history(only(ledger).id)[-1].reason == f"b: {state}"
    again = ledger.decisions.retry(ledger.deliveries.find()[1].id, "Ada")
    assert only(ledger).state is State.APPROVED
    ledger.deliveries.finish(again.id, DeliveryState.VERIFIED)
    assert only(ledger).state is State.VERIFIED


def test_what_was_rejected_is_not_proposed_again(ledger: Ledger) -> None:
    conclude(ledger, (difference(), Action.APPROVE))
    assert ledger.decisions.reject(only(ledger).id, "Ada", "the label is right").state is State.REJECTED
    conclude(ledger, (difference(), Action.APPROVE), score=0.2)
    assert (only(ledger).state, only(ledger).version) == (State.REJECTED, 2)
    for refused in (
        lambda: ledger.decisions.approve(only(ledger).id, "Ada", "", to_both),
        lambda: ledger.decisions.reject(only(ledger).id, "Ada", ""),
    ):
        with pytest.raises(DecisionRefused, match="is rejected"):
            refused()


def test_a_difference_that_is_gone_is_withdrawn_and_may_come_back(ledger: Ledger) -> None:
    conclude(ledger, (difference(), Action.APPROVE))
    conclude(ledger, score=0.2)
    assert only(ledger).state is State.WITHDRAWN
    conclude(ledger, (difference(), Action.APPROVE), score=0.3)
    assert only(ledger).state is State.PROPOSED and len(ledger.corrections.history(only(ledger).id)) == 3


def test_what_was_applied_stays_although_a_later_conclusion_sees_it_otherwise(ledger: Ledger) -> None:
    conclude(ledger, (difference(), Action.AUTO))
    end(ledger, ObjectKind.CORRECTED, DeliveryState.VERIFIED, DeliveryState.VERIFIED)
    conclude(ledger, score=0.2)
    assert only(ledger).state is State.VERIFIED


def test_nobody_approves_what_must_only_be_reported(ledger: Ledger) -> None:
    conclude(ledger, (difference(blocked_reason="breast implant present"), Action.REPORT))
    with pytest.raises(DecisionRefused, match="breast implant"):
        ledger.decisions.approve(only(ledger).id, "Ada", "sure", to_both)
    assert only(ledger).state is State.REPORTED and len(ledger.corrections.history(only(ledger).id)) == 1
    with pytest.raises(LookupError):
        ledger.decisions.approve(99, "Ada", "sure", to_both)


def test_an_approval_that_no_destination_takes_is_refused_and_leaves_nothing(ledger: Ledger) -> None:
    conclude(ledger, (difference(), Action.REPORT))
    with pytest.raises(DecisionRefused, match=r"corrections\.mode"):
        ledger.decisions.approve(only(ledger).id, "Ada", "sure", lambda row, images: [])
    assert only(ledger).state is State.REPORTED


class TestUndo:
    def test_the_former_labels_go_where_the_correction_went(self, ledger: Ledger) -> None:
        conclude(ledger, (difference(), Action.AUTO))
        end(ledger, ObjectKind.CORRECTED, DeliveryState.VERIFIED, DeliveryState.REJECTED)
        assert ledger.decisions.undo(only(ledger).id, "Ada", "it was right before", to_both).state is State.REVERTING
        undone = [row for row in ledger.deliveries.find() if row.kind is ObjectKind.REVERTED]
        assert [row.destination for row in undone] == ["a"], "b never took it"
        ledger.deliveries.finish(undone[0].id, DeliveryState.VERIFIED)
        assert only(ledger).state is State.REVERTED
        with pytest.raises(DecisionRefused, match="nothing to undo"):
            ledger.decisions.undo(only(ledger).id, "Ada", "again", to_both)

    def test_what_has_not_left_yet_does_not_leave_any_more(self, ledger: Ledger) -> None:
        conclude(ledger, (difference(), Action.AUTO))
        assert ledger.decisions.undo(only(ledger).id, "Ada", "too early", to_both).state is State.REVERTED
        assert {row.state for row in ledger.deliveries.find()} == {DeliveryState.MISMATCH} and ledger.deliveries.due() == []

    def test_an_undo_that_failed_says_so_and_can_be_tried_again(self, ledger: Ledger) -> None:
        conclude(ledger, (difference(), Action.AUTO))
        end(ledger, ObjectKind.CORRECTED, DeliveryState.VERIFIED, DeliveryState.VERIFIED)
        ledger.decisions.undo(only(ledger).id, "Ada", "wrong", to_both)
        end(ledger, ObjectKind.REVERTED, DeliveryState.VERIFIED, DeliveryState.REJECTED)
        assert only(ledger).state is State.VERIFIED and ledger.corrections.history(only(ledger).id)[-1].reason == "not undone: b: rejected"
        assert ledger.decisions.undo(only(ledger).id, "Ada", "wrong", to_both).state is State.REVERTING
        (again,) = ledger.deliveries.due()
        assert (again.destination, again.tries) == ("b", 0)
        ledger.deliveries.finish(again.id, DeliveryState.VERIFIED)
        assert only(ledger).state is State.REVERTED


class TestHolds:
    def test_a_held_study_sends_nothing_corrected_before_a_person_releases_it(self, ledger: Ledger) -> None:
        conclude(ledger, (difference(), Action.AUTO), hold="both sides are swapped")
        study = ledger.studies.get(STUDY)
        assert study is not None and study.held and ledger.deliveries.find() == [] and only(ledger).state is State.APPROVED
        assert [(hold.study_instance_uid, hold.reason) for hold in ledger.holds.find()] == [(STUDY, "both sides are swapped")]
        released = ledger.decisions.release(STUDY, "Ada", "checked with the technologist", to_both)
        assert (released.released_by, released.released_reason) == ("Ada", "checked with the technologist")
        assert len(ledger.deliveries.due()) == 2 and ledger.holds.find() == [] and len(ledger.holds.find(open_only=False)) == 1
        with pytest.raises(DecisionRefused, match="released before, by Ada"):
            ledger.decisions.release(STUDY, "Bob", "", to_both)
        with pytest.raises(LookupError):
            ledger.decisions.release("9", "Bob", "", to_both)

    def test_what_was_planned_before_the_hold_waits_too(self, ledger: Ledger) -> None:
        conclude(ledger, (difference(), Action.AUTO))
        conclude(ledger, (difference(), Action.AUTO), score=0.2, hold="both sides are swapped")
        assert ledger.deliveries.due() == [] and ledger.deliveries.claim(ledger.deliveries.find()[0].id, 60) is None
        ledger.decisions.release(STUDY, "Ada", "checked", to_both)
        assert len(ledger.deliveries.due()) == 2

    def test_a_released_study_is_not_held_again(self, ledger: Ledger) -> None:
        conclude(ledger, hold="both sides are swapped")
        ledger.decisions.release(STUDY, "Ada", "checked", to_both)
        conclude(ledger, score=0.2, hold="both sides are swapped")
        assert ledger.holds.find() == [] and [event.kind for event in ledger.events.find()].count("study.held") == 1
