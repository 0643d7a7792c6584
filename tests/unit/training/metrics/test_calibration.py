"""Calibration fits against scikit-learn, and the promise that the manifest applies exactly what was fitted."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit, logit
from sklearn.calibration import calibration_curve
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss

from models.manifest import Calibration
from training.metrics.calibration import (
    brier,
    calibration_error,
    fit_isotonic,
    fit_platt,
    fit_temperature,
    reliability,
)
from training.metrics.ranking import auc


def overconfident(count: int = 4000, slope: float = 3.0, shift: float = 1.0) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Scores whose logit is `slope` times too large and `shift` too high."""
    chance = np.random.default_rng(0)
    true = expit(chance.normal(-0.5, 1.2, count))
    return expit(slope * logit(true) + shift), chance.random(count) < true


def test_platt_finds_what_was_done_to_the_scores_and_is_scikit_learns_logistic() -> None:
    scores, positive = overconfident()
    found = fit_platt(scores, positive)
    assert (found.slope, found.intercept) == pytest.approx((1 / 3, -1 / 3), abs=0.05)
    expected = LogisticRegression(C=np.inf).fit(logit(scores)[:, None], positive)
    # Platt's targets are smoothed by one case in each class: the same but for that.
    assert (found.slope, found.intercept) == pytest.approx((expected.coef_[0, 0], expected.intercept_[0]), abs=0.01)


def test_a_temperature_is_the_least_log_loss_of_its_family() -> None:
    scores, positive = overconfident(shift=0.0)
    found = fit_temperature(scores, positive)
    assert found.intercept == 0.0 and 1 / found.slope == pytest.approx(3.0, abs=0.3)
    for slope in (found.slope * 0.97, found.slope * 1.03):
        assert log_loss(positive, expit(slope * logit(scores))) > log_loss(positive, found(scores))


def test_isotonic_is_scikit_learns_with_fewer_knots() -> None:
    scores, positive = overconfident(600)
    scores = np.round(scores, 2)
    found = fit_isotonic(scores, positive)
    expected = IsotonicRegression(out_of_bounds="clip").fit(scores, positive)
    grid = np.linspace(0, 1, 301)
    assert found(grid) == pytest.approx(expected.predict(grid), abs=1e-9)
    assert len(found.scores) < np.unique(scores).size


@pytest.mark.parametrize("kind", ["platt", "temperature", "isotonic"])
def test_a_fit_lowers_the_error_on_other_cases_and_the_manifest_says_the_same(kind: str) -> None:
    scores, positive = overconfident(shift=0.0)
    validation, test = np.arange(4000) < 2000, np.arange(4000) >= 2000
    if kind == "isotonic":
        steps = fit_isotonic(scores[validation], positive[validation])
        calibrated = steps(scores[test])
        stored = Calibration(kind="isotonic", scores=steps.scores, values=steps.values)
    else:
        line = (fit_platt if kind == "platt" else fit_temperature)(scores[validation], positive[validation])
        calibrated = line(scores[test])
        stored = (
            Calibration(kind="platt", slope=line.slope, intercept=line.intercept)
            if kind == "platt"
            else Calibration(kind="temperature", temperature=1 / line.slope)
        )
    assert calibration_error(calibrated, positive[test]) < 0.5 * calibration_error(scores[test], positive[test])
    assert brier(calibrated, positive[test]) < brier(scores[test], positive[test])
    assert auc(calibrated, positive[test]) == pytest.approx(auc(scores[test], positive[test]), abs=0.01)
    read_back = Calibration.model_validate_json(stored.model_dump_json())
    assert [read_back.apply(float(score)) for score in scores[test][:200]] == pytest.approx(calibrated[:200].tolist(), abs=1e-9)


def test_reliability_and_brier_are_scikit_learns() -> None:
    scores, positive = overconfident(500)
    bins = reliability(scores, positive)
    shares, means = calibration_curve(positive, scores, n_bins=10)
    assert [each.share for each in bins] == pytest.approx(shares.tolist())
    assert [each.score for each in bins] == pytest.approx(means.tolist())
    assert sum(each.count for each in bins) == 500
    assert brier(scores, positive) == pytest.approx(brier_score_loss(positive, scores))
    by_hand = sum(each.count * abs(each.score - each.share) for each in bins) / 500
    assert calibration_error(scores, positive) == pytest.approx(by_hand)


def test_the_error_of_calibration_in_two_cases_by_hand() -> None:
    assert calibration_error(np.array([0.0, 1.0]), np.array([False, True])) == 0.0
    assert calibration_error(np.array([0.95, 0.95]), np.array([False, True])) == pytest.approx(0.45)


def test_what_cannot_be_calibrated_says_so() -> None:
    scores, positive = overconfident(200)
    for fit in (fit_platt, fit_temperature, fit_isotonic):
        with pytest.raises(ValueError, match="both classes"):
            fit(scores, np.zeros(200, np.bool_))
    with pytest.raises(ValueError, match="worse than chance"):
        fit_platt(1 - scores, positive)


def test_perfectly_separated_cases_keep_a_finite_slope() -> None:
    found = fit_platt(np.array([0.1, 0.2, 0.8, 0.9]), np.array([False, False, True, True]))
    assert 0 < found.slope < 50
