"""Images to breasts to a study."""

from __future__ import annotations

import pytest

from models.combine import breast_score, study_density, study_score
from models.vocabulary import Density


def test_a_breast_is_the_mean_of_its_views_and_a_study_its_worse_breast() -> None:
    assert breast_score([0.2, 0.4]) == pytest.approx(0.3)
    assert study_score([breast_score([0.2, 0.4]), breast_score([0.9])]) == pytest.approx(0.9)


def test_nothing_scored_is_an_error_not_a_zero() -> None:
    for combine in (breast_score, study_score):
        with pytest.raises(ValueError, match="no score"):
            combine([])


def test_density_is_the_best_of_the_mean_probabilities() -> None:
    images = [{"A": 0.1, "B": 0.6, "C": 0.2, "D": 0.1}, {"A": 0.0, "B": 0.3, "C": 0.7, "D": 0.0}]
    probabilities = study_density(images)[1]
    assert probabilities == pytest.approx({"A": 0.05, "B": 0.45, "C": 0.45, "D": 0.05})
    assert study_density(images[1:])[0] is Density.C


def test_density_is_unknown_without_images_and_below_the_threshold() -> None:
    assert study_density([]) == (Density.UNKNOWN, {})
    assert study_density([{"A": 0.3, "B": 0.3, "C": 0.2, "D": 0.2}], threshold=0.5)[0] is Density.UNKNOWN
