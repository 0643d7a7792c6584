"""Predictions made up for tests of figures: a head for cancer, one for the view, one for density, over patients with four images."""

from __future__ import annotations

import numpy as np

from training.evaluate.predictions import Case, Predictions

HEADS = {"cancer": ("malignant",), "view": ("CC", "MLO"), "density": ("A", "B", "C", "D")}


def make_table(
    patients: int = 60, seed: int = 0, skill: float = 1.5, parts: tuple[str, ...] = ("validation", "test", "test")
) -> Predictions:
    """Every third patient tunes, the others are tested; `skill` is by how much a cancer moves the logit."""
    chance = np.random.default_rng(seed)
    cases, sick, views, densities = [], [], [], []
    for number in range(patients):
        ill, density, age = number % 2 == 0, number % 4, float(40 + number % 35) if number % 7 else None
        for breast, view in (("R", "CC"), ("R", "MLO"), ("L", "CC"), ("L", "MLO")):
            name = f"made/{number}/{breast}-{view}"
            machine = ("10", "9", "alpha")[number % 3 if number % 5 else 0]
            part = parts[number % len(parts)]
            cases.append(Case(name, part, "made", f"p{number}", f"e{number}", breast, view, "ABCD"[density], machine, age))
            sick.append(int(ill and breast == "R"))
            views.append(int(view == "MLO"))
            densities.append(density)
    n = len(cases)
    truth = {"cancer": np.array(sick), "view": np.array(views), "density": np.array(densities)}
    logit = chance.normal(0, 1, n) + skill * truth["cancer"] - 0.5
    likely = 1 / (1 + np.exp(-(chance.normal(0, 1, n) + 4 * truth["view"] - 2)))
    four = np.exp(chance.normal(0, 1, (n, 4)) + 2 * np.eye(4)[truth["density"]])
    return Predictions(
        HEADS,
        cases,
        truth,
        {
            "cancer": (1 / (1 + np.exp(-logit)))[:, None],
            "view": np.stack([1 - likely, likely], axis=1),
            "density": four / four.sum(axis=1, keepdims=True),
        },
        {
            "base_age": chance.random(n),
            "base_machine": chance.random(n),
            "hit": np.where(truth["cancer"] == 1, (chance.random(n) < 0.7).astype(float), np.nan),
            "chance": np.where(truth["cancer"] == 1, 0.1, np.nan),
        },
    )
