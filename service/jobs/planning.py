"""What follows from a conclusion, a decision or an undo: which object goes where. Pure: the ledger enters it in one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from service.destinations import Destination
from service.domain.findings import (
    Agreement,
    Conclusion,
    CorrectionState,
    ImageFinding,
    InstanceState,
    LabelCorrection,
    ObjectKind,
    Verdict,
)
from service.domain.policy import Action, CorrectionPolicy, stronger
from service.report.marks import is_marked
from service.report.rejection_note import INCORRECT_LABEL
from service.report.uids import cad_uid, corrected_uid, heatmap_uid, marks_uid, rejection_uid, report_uid, undone_uid
from service.store.conclusions import Plan
from service.store.corrections import CorrectionRow, PlannedCorrection
from service.store.deliveries import PlannedDelivery


def plan_study(conclusion: Conclusion, destinations: Sequence[Destination]) -> Plan:
    """Say what a study owes to the destinations that the rules chose for it.

    A study without any analysed image still gets its reports: they say why nothing was done.
    """
    deliveries = [planned for destination in destinations for planned in _results(conclusion, destination)]
    corrections = [PlannedCorrection(each, strongest(each, destinations)) for each in conclusion.corrections if each.changes_something]
    hold = f"both sides are swapped: {conclusion.reasoning.text}" if conclusion.reasoning.verdict is Verdict.SIDES_SWAPPED else ""
    return Plan(tuple(deliveries), tuple(corrections), hold)


def plan_correction(row: CorrectionRow, destinations: Sequence[Destination]) -> Iterator[PlannedDelivery]:
    """Say where a correction goes: where policy applies it by itself, and once a person approved it, wherever it may be applied.

    An undo goes wherever labels may be written at all; the ledger keeps it to those who took the correction, whatever policy says by now.
    """
    undoing = row.state is CorrectionState.REVERTING
    for destination in destinations:
        policy, source = destination.corrections, row.sop_instance_uid
        corrected = corrected_uid(row.study_instance_uid, row.correction, policy.mode)
        if undoing and policy.mode != "report":
            yield PlannedDelivery(
                ObjectKind.REVERTED, source, destination.name, undone_uid(row.study_instance_uid, row.correction, policy.mode)
            )
        elif not undoing and _applies(policy, row):
            yield PlannedDelivery(ObjectKind.CORRECTED, source, destination.name, corrected)
        else:
            continue
        if policy.rejection_note and policy.mode == "new-series":
            # Rejected is what the new copy replaces: the image as received, or its corrected copy.
            note = rejection_uid(row.study_instance_uid, corrected if undoing else source, INCORRECT_LABEL.value)
            yield PlannedDelivery(ObjectKind.REJECTION, source, destination.name, note)


def _applies(policy: CorrectionPolicy, row: CorrectionRow) -> bool:
    action = policy.action(row.correction)
    return not policy.blocked_reason(row.correction) and action is not Action.OFF and (action is Action.AUTO or row.by_person)


def strongest(correction: LabelCorrection, destinations: Sequence[Destination]) -> Action:
    """What becomes of a difference: the most that any destination's policy does with it; a report where there is no destination.

    Approval counts more than what goes by itself: the row waits for a person as long as one destination does.
    """
    actions = [destination.corrections.action(correction) for destination in destinations]
    if Action.APPROVE in actions:
        return Action.APPROVE
    answer = Action.OFF if actions else Action.REPORT
    for action in actions:
        answer = stronger(answer, action)
    return answer


def silence(conclusion: Conclusion, destinations: Sequence[Destination]) -> Conclusion:
    """Take out the differences that every destination's policy turns off: they count as not compared, in reports and rows alike."""
    kept = tuple(
        _not_compared(each) if each.changes_something and strongest(each, destinations) is Action.OFF else each
        for each in conclusion.corrections
    )
    return conclusion.model_copy(update={"corrections": kept})


def _not_compared(correction: LabelCorrection) -> LabelCorrection:
    unsure = {"view": Agreement.UNSURE, "laterality": Agreement.UNSURE}
    return correction.model_copy(update={**unsure, "kind": None, "reason": f"policy: {correction.kind} is off at every destination"})


def _results(conclusion: Conclusion, destination: Destination) -> Iterator[PlannedDelivery]:
    analysed = [finding for finding in conclusion.images if finding.state is InstanceState.ANALYSED]
    for kind in destination.objects:
        if kind is ObjectKind.CAD:
            yield PlannedDelivery(kind, None, destination.name, cad_uid(conclusion))
        elif kind is ObjectKind.REPORT:
            yield PlannedDelivery(kind, None, destination.name, report_uid(conclusion))
        elif kind is ObjectKind.HEATMAP:
            yield from (_of_image(kind, finding, destination, heatmap_uid(conclusion, finding)) for finding in analysed)
        elif kind is ObjectKind.MARKS:
            marked = [finding for finding in analysed if is_marked(conclusion, finding)]
            yield from (_of_image(kind, finding, destination, marks_uid(conclusion, finding)) for finding in marked)


def _of_image(kind: ObjectKind, finding: ImageFinding, destination: Destination, object_uid: str) -> PlannedDelivery:
    return PlannedDelivery(kind, finding.sop_instance_uid, destination.name, object_uid)
