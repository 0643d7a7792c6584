from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from training.data.index import Row
from training.evaluate.report import combine_breasts, combine_patients, evaluate_cancer, operating_point
from training.metrics.ranking import auc, patient_interval


def row(patient: str, breast: str, malignant: bool) -> Row:
    return Row("set", patient, Path("x"), "CC", breast, breast, None, malignant, "m1", None)


def test_auc_is_scikit_learns_also_with_ties() -> None:
    chance = np.random.default_rng(0)
    scores, truth = chance.integers(0, 12, 300) / 12, chance.random(300) < 0.3
    assert auc(scores, truth) == pytest.approx(roc_auc_score(truth, scores))
    assert np.isnan(auc(scores, np.zeros(300, np.bool_)))


def test_an_interval_over_patients_is_wider_than_one_over_their_copies() -> None:
    chance = np.random.default_rng(1)
    truth = np.repeat(np.arange(40) % 2 == 0, 8)
    scores = np.repeat(chance.normal(np.arange(40) % 2 == 0, 1.0), 8)
    by_patient = patient_interval(lambda c: auc(scores[c], truth[c]), [str(i // 8) for i in range(320)])
    by_image = patient_interval(lambda c: auc(scores[c], truth[c]), [str(i) for i in range(320)])
    assert by_patient[1] - by_patient[0] > 1.5 * (by_image[1] - by_image[0])
    assert by_patient[0] <= auc(scores, truth) <= by_patient[1]


def test_breasts_take_the_mean_of_their_views_and_patients_their_worse_breast() -> None:
    rows = [row("p", "L", True), row("p", "L", True), row("p", "R", False), row("q", "R", False)]
    breasts = combine_breasts(rows, np.array([0.8, 0.4, 0.3, 0.2]))
    assert breasts[0] == ["p", "p", "q"] and breasts[1] == pytest.approx([0.6, 0.3, 0.2])
    patients = combine_patients(breasts)
    assert patients[1] == pytest.approx([0.6, 0.2]) and patients[2].tolist() == [True, False]
    assert evaluate_cancer(rows, np.array([0.8, 0.4, 0.3, 0.2]))["patient"]["auc"] == 1.0


def test_the_operating_point_is_where_the_classes_separate() -> None:
    assert operating_point(np.array([0.1, 0.2, 0.6, 0.7]), np.array([False, False, True, True])) == 0.6
