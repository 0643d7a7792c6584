"""Which part each row belongs to: a split file, a rule or one fold of five; and fewer training patients where a run asks for that."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.splits import RULES, k_folds, read_split, split_patients
from training.data.table import Row
from training.errors import SplitUnfit

SPLIT_SEED = 20261121
"""Of every split that is made here. Not a run's seed: runs with other seeds must be tested on the same patients."""
FOLDS = 5
FOLD_RULE = "k-fold"


def assign_parts(rows: Sequence[Row], split: str | Path, fold: int | None = None) -> NDArray[np.str_]:
    """Part of each row.

    Raises
    ------
    SplitUnfit
        No such rule or file, a fold that does not exist, or patients that the file does not name.
    """
    patients = sorted({row.patient for row in rows})
    if fold is not None or str(split) == FOLD_RULE:
        if fold is None or not 1 <= fold <= FOLDS:
            raise SplitUnfit(f"no fold {fold}: choose one of 1 to {FOLDS} with --set fold=N")
        assigned, source = k_folds(rows, FOLDS, SPLIT_SEED)[fold - 1], f"fold {fold}"
    elif str(split) in RULES:
        assigned, source = split_patients(rows, SPLIT_SEED, str(split)), f"rule {split}"
    elif Path(split).is_file():
        assigned, source = read_split(Path(split)), f"split file {split}"
    else:
        raise SplitUnfit(f"no split file {split}, and no rule of that name; rules: {', '.join(RULES)}, {FOLD_RULE}")
    absent = [patient for patient in patients if patient not in assigned]
    if absent:
        raise SplitUnfit(
            f"{source} has no part for {len(absent)} of {len(patients)} patients ({', '.join(absent[:3])}): "
            "make one for this data with `python -m training split`, or name a rule with --split"
        )
    return np.array([assigned[row.patient] for row in rows])


def limit_patients(rows: Sequence[Row], parts: NDArray[np.str_], patients: int | None) -> NDArray[np.str_]:
    """Keep `patients` of the training patients (cancers in their share); the rows of the others become ``unused``.

    Smaller numbers are subsets of larger ones, so that a learning curve adds patients and exchanges none (Yi et al. 2019,
    "how low can we go"; Shen et al. 2017, Table 4).
    """
    if patients is None:
        return parts
    sick: dict[str, bool] = {}
    for row, part in zip(rows, parts, strict=True):
        if part == "train":
            sick[row.patient] = sick.get(row.patient, False) or bool(row.malignant)
    if not 0 < patients <= len(sick):
        raise SplitUnfit(f"{patients} training patients were asked for, and there are {len(sick)}: choose a number from 1 to {len(sick)}")
    chance = random.Random(SPLIT_SEED)
    ranks: dict[str, float] = {}
    for state in (False, True):
        group = sorted(patient for patient, ill in sick.items() if ill is state)
        chance.shuffle(group)
        # Each group is spread evenly over the queue: every beginning of it has the share of cancers that the whole has.
        ranks |= {patient: (place + 0.5) / len(group) for place, patient in enumerate(group)}
    kept = set(sorted(ranks, key=lambda patient: (ranks[patient], patient))[:patients])
    return np.array(["unused" if part == "train" and row.patient not in kept else part for row, part in zip(rows, parts, strict=True)])
