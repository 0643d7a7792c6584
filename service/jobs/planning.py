"""Plan the deliveries that follow from a conclusion, a decision or an undo. Pure: the ledger enters the plan in one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydicom.uid import (
    Comprehensive3DSRStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    KeyObjectSelectionDocumentStorage,
    MammographyCADSRStorage,
    SecondaryCaptureImageStorage,
)

from service.destinations import Destination
from service.domain.findings import (
    Agreement,
    Conclusion,
    CorrectionState,
    InstanceState,
    LabelCorrection,
    ObjectKind,
    Verdict,
)
from service.domain.policy import Action, CorrectionPolicy, stronger
from service.report.marks import is_marked
from service.report.rejection_note import INCORRECT_LABEL
from service.report.uids import cad_uid, corrected_uid, heatmap_uid, marks_uid, rejection_uid, report_uid, reverted_uid
from service.store.conclusions import Plan
from service.store.corrections import CorrectionRow, PlannedCorrection
from service.store.deliveries import PlannedDelivery


def plan_study(conclusion: Conclusion, destinations: Sequence[Destination]) -> Plan:
    """Plan what a study delivers to the destinations that the rules chose for it.

    A study whose mammograms could not be analysed still gets its reports: they say why. A study without any mammogram gets none, unless
    the destination asks for them.
    """
    deliveries = [
        planned for destination in destinations if gets_results(conclusion, destination) for planned in _results(conclusion, destination)
    ]
    corrections = [PlannedCorrection(each, strongest(each, destinations)) for each in conclusion.corrections if each.changes_something]
    hold = f"both sides are swapped: {conclusion.reasoning.text}" if conclusion.reasoning.verdict is Verdict.SIDES_SWAPPED else ""
    return Plan(tuple(deliveries), tuple(corrections), hold)


def gets_results(conclusion: Conclusion, destination: Destination) -> bool:
    """Tell whether a version of a study's conclusion has results for a destination."""
    return conclusion.has_mammogram or destination.without_mammogram


def plan_correction(row: CorrectionRow, destinations: Sequence[Destination]) -> Iterator[PlannedDelivery]:
    """Plan the deliveries of a correction: to destinations whose policy applies it, and after a person's approval to all that may get it.

    An undo is planned for every destination that may get labels. The ledger then keeps those that hold the correction, even if their
    policy has changed since.
    """
    undoing = row.state is CorrectionState.REVERTING
    for destination in destinations:
        policy, source = destination.corrections, row.sop_instance_uid
        corrected = corrected_uid(row.study_instance_uid, row.correction, policy.mode)
        if undoing and policy.mode != "report":
            reverted = reverted_uid(row.study_instance_uid, row.correction, policy.mode)
            yield PlannedDelivery(ObjectKind.REVERTED, source, destination.name, reverted)
        elif not undoing and _applies(policy, row):
            yield PlannedDelivery(ObjectKind.CORRECTED, source, destination.name, corrected)
        else:
            continue
        if policy.rejection_note and policy.mode == "new-series":
            # The note rejects what the new copy replaces: the image as received, or its corrected copy.
            note = rejection_uid(row.study_instance_uid, corrected if undoing else source, INCORRECT_LABEL.value)
            yield PlannedDelivery(ObjectKind.REJECTION, source, destination.name, note, KeyObjectSelectionDocumentStorage)


def _applies(policy: CorrectionPolicy, row: CorrectionRow) -> bool:
    action = policy.action(row.correction)
    return not policy.blocked_reason(row.correction) and action is not Action.OFF and (action is Action.AUTO or row.by_person)


def strongest(correction: LabelCorrection, destinations: Sequence[Destination]) -> Action:
    """The strongest action that any destination's policy takes on a difference; a report if there is no destination.

    Approval outranks automatic correction: the correction waits for a person if one destination's policy does.
    """
    actions = [destination.corrections.action(correction) for destination in destinations]
    if Action.APPROVE in actions:
        return Action.APPROVE
    strongest_action = Action.OFF if actions else Action.REPORT
    for action in actions:
        strongest_action = stronger(strongest_action, action)
    return strongest_action


def drop_disabled(conclusion: Conclusion, destinations: Sequence[Destination]) -> Conclusion:
    """Drop the differences that every destination's policy turns off: reports and ledger treat their labels as not compared."""
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
            yield PlannedDelivery(kind, None, destination.name, cad_uid(conclusion), MammographyCADSRStorage)
        elif kind is ObjectKind.REPORT:
            # A worker changes the class when it delivers, if the destination does not support this one.
            yield PlannedDelivery(kind, None, destination.name, report_uid(conclusion), Comprehensive3DSRStorage)
        elif kind is ObjectKind.HEATMAP:
            for finding in analysed:
                uid = heatmap_uid(conclusion, finding)
                yield PlannedDelivery(kind, finding.sop_instance_uid, destination.name, uid, SecondaryCaptureImageStorage)
        elif kind is ObjectKind.MARKS:
            for finding in analysed:
                if is_marked(conclusion, finding):
                    uid = marks_uid(conclusion, finding)
                    yield PlannedDelivery(kind, finding.sop_instance_uid, destination.name, uid, GrayscaleSoftcopyPresentationStateStorage)
