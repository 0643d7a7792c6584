from __future__ import annotations

import pytest

from models.vocabulary import Laterality, View, ViewModifier
from service.domain.correction import Policy, compare_labels
from service.domain.findings import Agreement, Correction, CorrectionState
from tests.unit.domain.images import seen, standard_study

R, L = Laterality.R, Laterality.L
ABSENT = (View.UNKNOWN, Laterality.UNKNOWN)


DEFAULT = Policy()


def judge(study: list, index: int = 0, policy: Policy = DEFAULT) -> Correction:
    return compare_labels(study[index], study, policy)


def test_right_labels_need_nothing() -> None:
    for index in range(4):
        correction = judge(standard_study(), index)
        assert (correction.view, correction.laterality) == (Agreement.AGREE, Agreement.AGREE)
        assert correction.state is CorrectionState.REPORT_ONLY and not correction.changes_something


def test_missing_labels_are_filled_by_default_and_reported_where_policy_says_so() -> None:
    study = standard_study(rcc=seen("1", ABSENT, ("CC", "R")))
    assert judge(study).state is CorrectionState.APPROVED
    assert judge(study, policy=Policy(missing="approve")).state is CorrectionState.PROPOSED
    assert judge(study, policy=Policy(missing="report")).state is CorrectionState.REPORT_ONLY


def test_a_label_outside_its_standard_attribute_counts_as_missing() -> None:
    film = seen("1", (View.CC, R), ("CC", "R"), sources=("PatientOrientation", "Laterality"))
    correction = judge(standard_study(rcc=film))
    assert (correction.view, correction.laterality) == (Agreement.MISSING, Agreement.MISSING)
    assert correction.state is CorrectionState.APPROVED


def test_a_wrong_view_waits_for_a_person() -> None:
    correction = judge(standard_study(rcc=seen("1", (View.MLO, R), ("CC", "R"))))
    assert correction.view is Agreement.CONTRADICT and correction.state is CorrectionState.PROPOSED


def test_a_wrong_side_is_proposed_only_with_a_second_witness() -> None:
    wrong = seen("1", (View.CC, L), ("CC", "R"))
    with_contralateral = compare_labels(wrong, standard_study(rcc=wrong), Policy())
    alone = compare_labels(wrong, [wrong], Policy())
    assert with_contralateral.laterality is Agreement.CONTRADICT and with_contralateral.state is CorrectionState.PROPOSED
    assert alone.laterality is Agreement.CONTRADICT and alone.state is CorrectionState.REPORT_ONLY


def test_a_mirrored_picture_is_no_wrong_side() -> None:
    """L-CC mirrored looks like a second R-CC: the slot it would claim is taken."""
    mirrored = seen("2", (View.CC, L), ("CC", "R"))
    assert compare_labels(mirrored, standard_study(lcc=mirrored), Policy()).state is CorrectionState.REPORT_ONLY


def test_a_detector_that_flipped_the_picture_is_believed() -> None:
    flipped = seen("1", (View.CC, L), ("CC", "R"), flipped=True)
    assert compare_labels(flipped, standard_study(rcc=flipped), Policy()).state is CorrectionState.REPORT_ONLY


@pytest.mark.parametrize(
    "image",
    [
        seen("1", (View.ML, R), ("MLO", "R")),
        seen("1", (View.CC, R), ("MLO", "R"), modifiers=(ViewModifier.ID,)),
        seen("1", (View.MLO, R), ("CC", "R"), partial=True),
    ],
    ids=["a view the model does not know", "a modifier", "a partial view"],
)
def test_what_is_never_corrected_automatically_is_reported(image) -> None:  # type: ignore[no-untyped-def]
    assert compare_labels(image, standard_study(rcc=image), Policy(missing="auto")).state is CorrectionState.REPORT_ONLY


def test_an_unsure_network_corrects_nothing() -> None:
    correction = judge(standard_study(rcc=seen("1", ABSENT, ("UNKNOWN", "R"))))
    assert correction.view is Agreement.UNSURE and correction.state is CorrectionState.PROPOSED
