"""Every calibration that a manifest can hold: rising, exact at its knots, and unreadable where it would not be."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from pydantic import ValidationError

from models.manifest import Calibration
from models.registry import Registry

GRID = [step / 200 for step in range(201)]
RISING = Calibration(kind="isotonic", scores=(0.1, 0.4, 0.9), values=(0.05, 0.05, 0.6))


@pytest.mark.parametrize(
    "calibration",
    [Calibration(), Calibration(kind="platt", slope=0.4, intercept=-1.0), Calibration(kind="temperature", temperature=3.0), RISING],
    ids=lambda each: each.kind,
)
def test_every_kind_rises_and_stays_a_probability(calibration: Calibration) -> None:
    answers = [calibration.apply(score) for score in GRID]
    assert all(a <= b for a, b in pairwise(answers)) and 0.0 <= answers[0] < answers[-1] <= 1.0


def test_isotonic_is_the_line_through_its_knots_and_flat_beyond_them() -> None:
    assert [RISING.apply(score) for score in GRID] == pytest.approx(np.interp(GRID, RISING.scores, RISING.values).tolist())


def test_a_temperature_divides_the_logit() -> None:
    assert Calibration(kind="temperature", temperature=2.0).apply(0.8) == pytest.approx(2 / 3)  # logit ln 4, halved: ln 2
    assert Calibration(kind="temperature", temperature=2.0).apply(0.5) == 0.5


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "isotonic"},
        {"kind": "isotonic", "scores": [0.1, 0.2], "values": [0.1]},
        {"kind": "isotonic", "scores": [0.2, 0.1], "values": [0.1, 0.2]},
        {"kind": "isotonic", "scores": [0.1, 0.1], "values": [0.1, 0.2]},
        {"kind": "isotonic", "scores": [0.1, 0.2], "values": [0.2, 0.1]},
        {"kind": "isotonic", "scores": [0.1, 1.2], "values": [0.1, 0.2]},
        {"kind": "platt", "scores": [0.1], "values": [0.1]},
        {"kind": "temperature", "temperature": 0.0},
        {"kind": "beta"},
    ],
)
def test_what_would_not_rise_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Calibration.model_validate_json(json.dumps(fields))


def test_calibrations_of_older_manifests_stay_readable() -> None:
    assert Calibration.model_validate_json('{"kind": "platt", "slope": 0.7, "intercept": -3.0}').apply(0.5) == pytest.approx(0.0474259)
    assert {manifest.calibration.kind for manifest in Registry().manifests()} <= {"none", "platt", "temperature", "isotonic"}


def test_a_calibration_survives_its_own_text() -> None:
    assert Calibration.model_validate_json(RISING.model_dump_json()) == RISING
