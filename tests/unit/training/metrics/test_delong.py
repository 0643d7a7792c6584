"""DeLong's variance and test against a published worked example, and against his definition written out pair by pair."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from training.metrics.delong import area, compare, covariance
from training.metrics.ranking import auc, patient_interval

MEASURED = """3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0  2.5 5.7 8 0  1.6 5.6 5 1  3.8 5.7 5 1
3.7 6.7 6 1  3.2 5.4 4 1  3.8 6.6 6 1  4.1 6.6 5 1  3.6 5.7 5 1  4.3 7.0 4 1  3.6 6.7 4 0  2.3 4.4 6 1  4.2 7.6 4 0  4.0 6.6 6 0
3.5 5.8 6 1  3.8 6.8 7 1  3.0 4.7 8 0  4.5 7.4 5 1  3.7 7.4 5 1  3.1 6.6 6 1  4.1 8.2 6 1  4.3 7.0 5 1  4.3 6.5 4 1  3.2 5.1 5 1
2.6 4.7 6 1  3.3 6.8 6 0  1.7 4.0 7 0  3.7 6.1 5 1  3.3 6.3 7 1  4.2 7.7 6 1  3.5 6.2 5 1  2.9 5.7 9 0  2.1 4.8 7 1  2.8 6.2 8 0
4.0 7.0 7 1  3.3 5.7 6 1  3.7 6.9 5 1  3.6 6.6 5 1"""
OVARIAN_CANCER = np.array(MEASURED.split(), dtype=np.float64).reshape(-1, 4)
"""The patients of DeLong, DeLong & Clarke-Pearson 1988 that have all three tests: albumin, total protein, K-G score, outcome. As printed in
the SAS/STAT User's Guide, The LOGISTIC Procedure, "Comparing Receiver Operating Characteristic Curves", with the answers tested below."""


def worked_example() -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    albumin, protein, score, outcome = OVARIAN_CANCER.T
    return np.stack([albumin, protein, 10 - score]), outcome == 1


def test_areas_and_errors_of_the_worked_example() -> None:
    scores, positive = worked_example()
    published = [(0.7366, 0.0927), (0.6478, 0.1000), (0.7258, 0.1028)]
    found = [area(row, positive) for row in scores]
    assert [(round(each.auc, 4), round(each.error, 4)) for each in found] == published
    assert found[0].interval() == pytest.approx((0.5549, 0.9182), abs=5e-5)


def test_paired_tests_of_the_worked_example() -> None:
    (albumin, protein, score), positive = worked_example()
    first, second = compare(albumin, score, positive), compare(protein, score, positive)
    assert (round(first.difference, 4), round(first.error, 4), round(first.p, 4)) == (0.0108, 0.0953, 0.9102)
    assert (round(second.difference, 4), round(second.error, 4), round(second.p, 4)) == (-0.0780, 0.1046, 0.4561)
    assert first.interval() == pytest.approx((-0.1761, 0.1976), abs=5e-5)


def test_the_joint_contrast_of_the_worked_example() -> None:
    """Chi-square 2.5340 with two degrees of freedom: the whole covariance matrix is right, not only its diagonal."""
    scores, positive = worked_example()
    areas, spread = covariance(scores, positive)
    contrast = np.array([[1.0, 0.0, -1.0], [0.0, 1.0, -1.0]])
    gap = contrast @ areas
    assert gap @ np.linalg.solve(contrast @ spread @ contrast.T, gap) == pytest.approx(2.5340, abs=5e-5)


def by_definition(scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Every pair of a positive and a negative case, ties worth a half: equations 3 to 6 of the paper, O(n squared)."""
    wins = []
    for row in scores:
        above, below = row[positive][:, None], row[~positive][None]
        wins.append((above > below) + 0.5 * (above == below))
    pairs = np.stack(wins)
    m, n = int(positive.sum()), int((~positive).sum())
    return pairs.mean(axis=(1, 2)), np.cov(pairs.mean(axis=2)) / m + np.cov(pairs.mean(axis=1)) / n


@pytest.mark.parametrize("levels", [5, 1000], ids=["ties", "no ties"])
def test_the_fast_way_is_the_definition(levels: int) -> None:
    chance = np.random.default_rng(levels)
    positive = chance.random(120) < 0.3
    scores = chance.integers(0, levels, (3, 120)) / levels + 0.3 * positive
    scores = np.round(scores * levels) / levels
    areas, spread = covariance(scores, positive)
    expected_areas, expected_spread = by_definition(scores, positive)
    assert areas == pytest.approx(expected_areas) and spread == pytest.approx(expected_spread)
    assert areas.tolist() == pytest.approx([roc_auc_score(positive, row) for row in scores])


def test_a_network_does_not_differ_from_itself_and_differs_from_noise() -> None:
    chance = np.random.default_rng(3)
    positive = chance.random(400) < 0.5
    good, noise = positive + chance.normal(size=400), chance.normal(size=400)
    same, other = compare(good, good, positive), compare(good, noise, positive)
    assert (same.z, same.p) == (0.0, 1.0)
    assert other.p < 1e-6 and other.interval()[0] > 0


def test_the_interval_keeps_its_coverage() -> None:
    """Of 300 samples from two normals one apart (true AUC 0.7602), about 95 % of the intervals hold the truth."""
    chance = np.random.default_rng(4)
    held = 0
    for _ in range(300):
        positive = np.arange(120) < 50
        low, high = area(chance.normal(size=120) + positive, positive).interval()
        held += low <= 0.76025 <= high
    assert 0.91 <= held / 300 <= 0.985


def test_copies_of_cases_deceive_delong_but_not_the_bootstrap_by_patient() -> None:
    """Why reports print both: with eight identical images a patient DeLong's interval shrinks, the patients' does not."""
    chance = np.random.default_rng(5)
    truth = np.arange(60) % 2 == 0
    scores = truth + chance.normal(size=60)
    once, copied = area(scores, truth), area(np.repeat(scores, 8), np.repeat(truth, 8))
    names = [str(patient) for patient in np.repeat(np.arange(60), 8)]
    low, high = patient_interval(lambda c: auc(np.repeat(scores, 8)[c], np.repeat(truth, 8)[c]), names, rounds=400)
    assert copied.error < once.error / 2
    assert (high - low) / (2 * 1.96) == pytest.approx(once.error, rel=0.25)


def test_too_few_cases_are_an_error_that_counts_them() -> None:
    with pytest.raises(ValueError, match="1 positive and 3 negative"):
        area(np.arange(4.0), np.array([True, False, False, False]))
