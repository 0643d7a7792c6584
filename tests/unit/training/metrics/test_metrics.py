"""Figures against scikit-learn and scipy, and at the edges that they leave open."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binomtest, chi2_contingency
from sklearn import metrics as reference

from training.metrics.classes import confusion, kappa, mean_sensitivity, mean_specificity, one_against_rest
from training.metrics.points import (
    Share,
    chi_square,
    count,
    f1_point,
    sensitivity_point,
    specificity_point,
    youden_point,
)
from training.metrics.ranking import accuracy, auc, auc_within, patient_interval, roc, roc_band


@pytest.fixture(params=[7, 100000], ids=["ties", "no ties"])
def sample(request: pytest.FixtureRequest) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    chance = np.random.default_rng(request.param)
    positive = chance.random(300) < 0.3
    scores = 1 / (1 + np.exp(-(chance.normal(size=300) + positive)))
    return np.round(scores * request.param) / request.param, positive


def test_area_and_curve_are_scikit_learns(sample: tuple[NDArray[np.float64], NDArray[np.bool_]]) -> None:
    scores, positive = sample
    false, true, threshold = reference.roc_curve(positive, scores, drop_intermediate=False)
    curve = roc(scores, positive)
    assert curve.false_positive == pytest.approx(false) and curve.true_positive == pytest.approx(true)
    assert curve.threshold[1:] == pytest.approx(threshold[1:])
    assert auc(scores, positive) == pytest.approx(reference.roc_auc_score(positive, scores))
    assert np.trapezoid(curve.true_positive, curve.false_positive) == pytest.approx(auc(scores, positive))


def test_a_table_of_counts_is_scikit_learns(sample: tuple[NDArray[np.float64], NDArray[np.bool_]]) -> None:
    scores, positive = sample
    counts, called = count(scores, positive, 0.5), scores >= 0.5
    assert counts.recall.value == counts.sensitivity.value == pytest.approx(reference.recall_score(positive, called))
    assert counts.precision.value == pytest.approx(reference.precision_score(positive, called))
    assert counts.accuracy.value == pytest.approx(reference.accuracy_score(positive, called))
    assert counts.specificity.value == pytest.approx(reference.recall_score(~positive, ~called))
    assert counts.f1 == pytest.approx(reference.f1_score(positive, called))


def test_operating_points_are_the_best_of_all_thresholds(sample: tuple[NDArray[np.float64], NDArray[np.bool_]]) -> None:
    scores, positive = sample
    tables = {level: count(scores, positive, level) for level in np.unique(scores)}
    assert count(scores, positive, f1_point(scores, positive)).f1 == max(each.f1 for each in tables.values())
    best = tables[youden_point(scores, positive)]
    assert best.sensitivity.value + best.specificity.value == max(t.sensitivity.value + t.specificity.value for t in tables.values())
    keen = sensitivity_point(scores, positive, 0.9)
    assert tables[keen].sensitivity.value >= 0.9
    assert all(table.sensitivity.value < 0.9 for level, table in tables.items() if level > keen)
    calm = specificity_point(scores, positive, 0.9)
    assert count(scores, positive, calm).specificity.value >= 0.9
    assert all(table.specificity.value < 0.9 for level, table in tables.items() if level < calm)


def test_a_specificity_that_only_silence_keeps_is_kept_by_silence() -> None:
    scores, positive = np.array([0.1, 0.2, 0.3]), np.array([True, False, False])
    assert count(scores, positive, specificity_point(scores, positive, 1.0)).specificity.value == 1.0


def test_wilson_intervals_are_scipys() -> None:
    for right, total in ((0, 10), (3, 10), (10, 10), (87, 100)):
        expected = binomtest(right, total).proportion_ci(method="wilson")
        assert Share(right, total).interval() == pytest.approx((expected.low, expected.high))
    assert np.isnan(Share(0, 0).value) and np.isnan(Share(0, 0).interval()[0])


def test_chi_square_is_scipys_without_yates() -> None:
    found = chi_square([Share(30, 40), Share(50, 90), Share(0, 0), Share(8, 30)])
    expected = chi2_contingency([[30, 10], [50, 40], [8, 22]], correction=False)
    assert found is not None and (found.statistic, found.freedom, found.p) == pytest.approx((expected.statistic, 2, expected.pvalue))
    assert chi_square([Share(3, 3), Share(0, 0)]) is None
    assert chi_square([Share(3, 3), Share(5, 5)]) is None


def test_a_confusion_matrix_and_what_follows_are_scikit_learns() -> None:
    chance = np.random.default_rng(1)
    truth = chance.integers(0, 4, 200)
    found = np.clip(truth + chance.integers(-1, 2, 200), 0, 3)
    matrix = confusion(truth, found, 4)
    assert matrix.tolist() == reference.confusion_matrix(truth, found).tolist()
    assert mean_sensitivity(matrix) == pytest.approx(reference.balanced_accuracy_score(truth, found))
    assert kappa(matrix) == pytest.approx(reference.cohen_kappa_score(truth, found, weights="quadratic"))
    second = one_against_rest(matrix, 1)
    assert second.sensitivity.value == pytest.approx(reference.recall_score(truth == 1, found == 1))
    each = [reference.recall_score(truth != k, found != k) for k in range(4)]
    assert mean_specificity(matrix) == pytest.approx(np.mean(each))
    assert accuracy(found, truth) == pytest.approx(np.diag(matrix).sum() / 200)


def test_one_class_alone_has_no_area_and_no_curve() -> None:
    assert np.isnan(auc(np.arange(5.0), np.zeros(5, np.bool_)))
    with pytest.raises(ValueError, match="both classes"):
        roc(np.arange(5.0), np.ones(5, np.bool_))
    assert np.isnan(accuracy(np.zeros(0, np.int64), np.zeros(0, np.int64)))


def test_an_interval_over_patients_is_wider_than_one_over_their_copies() -> None:
    chance = np.random.default_rng(1)
    truth = np.repeat(np.arange(40) % 2 == 0, 8)
    scores = np.repeat(chance.normal(np.arange(40) % 2 == 0, 1.0), 8)
    by_patient = patient_interval(lambda c: auc(scores[c], truth[c]), [str(i // 8) for i in range(320)], rounds=300)
    by_image = patient_interval(lambda c: auc(scores[c], truth[c]), [str(i) for i in range(320)], rounds=300)
    assert by_patient[1] - by_patient[0] > 1.5 * (by_image[1] - by_image[0])
    assert by_patient[0] <= auc(scores, truth) <= by_patient[1]


def test_the_band_of_a_curve_holds_the_curve() -> None:
    chance = np.random.default_rng(2)
    positive = chance.random(200) < 0.4
    scores = chance.normal(size=200) + positive
    grid = np.linspace(0, 1, 21)
    low, high = roc_band(scores, positive, [str(i) for i in range(200)], grid, rounds=200)
    curve = roc(scores, positive)
    middle = np.interp(grid, curve.false_positive, curve.true_positive)
    assert (low <= middle + 1e-9).all() and (middle <= high + 1e-9).all() and (high - low).max() < 0.5


def test_within_groups_a_score_of_the_group_alone_is_worth_nothing() -> None:
    chance = np.random.default_rng(0)
    groups = np.repeat(["a", "b"], 200)
    positive = chance.random(400) < np.where(groups == "a", 0.7, 0.1)
    group_score = np.where(groups == "a", 1.0, 0.0)
    assert auc(group_score, positive) > 0.7 and auc_within(group_score, positive, groups) == 0.5
    scores = chance.random(400) + positive
    pairs = [scores[i] > scores[j] for i in np.flatnonzero(positive) for j in np.flatnonzero(~positive) if groups[i] == groups[j]]
    assert auc_within(scores, positive, groups) == pytest.approx(np.mean(pairs))
    assert np.isnan(auc_within(scores, positive, np.where(positive, "sick", "well")))
