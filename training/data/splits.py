"""Splits by patient, never by image, stratified and seeded, kept as files."""

from __future__ import annotations

import csv
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training.data.table import Row

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Rule:
    """How large each of `PARTS` is, as shares of all patients.

    Parameters
    ----------
    balanced
        Validation and test hold as many patients with cancer as without (the rest of either trains); as stratified as the whole otherwise.
    """

    shares: tuple[float, float, float]
    balanced: bool = False


RULES: dict[str, Rule] = {
    "72/8/20": Rule((0.72, 0.08, 0.20)),
    "70/10/20": Rule((0.70, 0.10, 0.20)),
    "80/10/10": Rule((0.80, 0.10, 0.10)),
    "80/10/10-balanced": Rule((0.80, 0.10, 0.10), balanced=True),
    "85/15": Rule((0.85 * 0.9, 0.85 * 0.1, 0.15)),
    "60/10/30": Rule((0.60, 0.10, 0.30)),
    "70/30": Rule((0.70, 0.0, 0.30)),
    "5:1:1": Rule((5 / 7, 1 / 7, 1 / 7)),
}
"""By name.

72/8/20
    The split of the models that we ship: 20 % held out; a tenth of the rest chooses thresholds and calibration.
70/10/20
    Yi et al. 2019, Methods.
80/10/10, 80/10/10-balanced
    Levy and Jain 2016, 3: validation and test "constrained to be balanced".
85/15
    Shen et al. 2017, 3.1.1: 15 % test; 10 % of the rest isolated for validation.
60/10/30
    Ours, for a set of few patients: a test part of 20 % would be too small to tell two models apart.
70/30
    That of its transfer to INbreast, 3.2.1: nothing is chosen there, so nothing is set aside to choose by.
5:1:1
    Kim et al. 2018, Data sets.
"""

DEFAULT_RULE = "72/8/20"


def split_patients(rows: Sequence[Row], seed: int, rule: str = DEFAULT_RULE) -> dict[str, str]:
    """Assign every patient to a part, the same share of each (data set, machine, cancer) stratum to each part.

    The answer depends on the patients and the seed, not on the order of the rows.

    Parameters
    ----------
    rule
        A name of `RULES`.

    Returns
    -------
    Patient to one of `PARTS`.

    Raises
    ------
    ValueError
        No rule has that name.
    """
    if rule not in RULES:
        raise ValueError(f"no split rule {rule!r}; there are: {', '.join(RULES)}, and k-fold with a number of folds")
    chosen = RULES[rule]
    strata = _strata(rows)
    if not chosen.balanced:
        return {patient: PARTS[part] for patient, part in _assign(strata, chosen.shares, seed).items()}
    total = sum(map(len, strata.values()))
    answer: dict[str, str] = {}
    for cancer in (False, True):
        mine = {key: patients for key, patients in strata.items() if key[2] is cancer}
        count = max(sum(map(len, mine.values())), 1)
        # Half of a held-out part, of all patients, as a share of those with (or without) cancer; never more than half of them.
        validation, test = (min(share * total / 2 / count, share / (1 - chosen.shares[0]) / 2) for share in chosen.shares[1:])
        answer |= {patient: PARTS[part] for patient, part in _assign(mine, (1 - validation - test, validation, test), seed).items()}
    return answer


def k_folds(rows: Sequence[Row], k: int, seed: int, validation_share: float = 0.1) -> list[dict[str, str]]:
    """Make k splits: each patient is tested in exactly one of them, stratified as `split_patients`.

    Parameters
    ----------
    validation_share
        Of the patients that a fold does not test.

    Raises
    ------
    ValueError
        Fewer than two folds, or fewer patients than folds.
    """
    strata = _strata(rows)
    count = sum(map(len, strata.values()))
    if not 2 <= k <= count:
        raise ValueError(f"{k} folds of {count} patients: ask for at least 2, and for no more than there are patients")
    tested = _assign(strata, (1 / k,) * k, seed)
    folds = []
    for fold in range(k):
        rest = {key: [patient for patient in patients if tested[patient] != fold] for key, patients in strata.items()}
        assigned_rest = _assign(rest, (1 - validation_share, validation_share), seed + 1 + fold)
        folds.append({patient: PARTS[assigned_rest[patient]] if patient in assigned_rest else "test" for patient in tested})
    return folds


def write_split(path: Path, split: dict[str, str]) -> None:
    """Write ``patient,part`` lines, sorted."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("patient", "part"))
        writer.writerows(sorted(split.items()))


def read_split(path: Path) -> dict[str, str]:
    """Read what `write_split` wrote.

    Raises
    ------
    FileNotFoundError
        No such file.
    ValueError
        Not a split: another header, an unknown part, or one patient in two parts. The message names the line.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no split file {path}: write one with `python -m training split {path}`")
    split: dict[str, str] = {}
    with path.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        if not {"patient", "part"} <= set(reader.fieldnames or ()):
            raise ValueError(f"{path} is no split file: its first line must be patient,part")
        for line in reader:
            patient, part = line["patient"], line["part"]
            if part not in PARTS:
                raise ValueError(f"{path}, line {reader.line_num}: part {part!r} is none of {', '.join(PARTS)}")
            if split.setdefault(patient, part) != part:
                raise ValueError(f"{path}, line {reader.line_num}: patient {patient} is in {split[patient]} and in {part}")
    return split


Strata = dict[tuple[str, str, bool], list[str]]
"""Patients by data set, machine and whether any of their breasts has cancer."""


def _strata(rows: Sequence[Row]) -> Strata:
    by_patient: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_patient[row.patient].append(row)
    strata: Strata = defaultdict(list)
    for patient, images in by_patient.items():
        first = min((image.dataset, image.manufacturer) for image in images)
        strata[(*first, any(image.malignant for image in images))].append(patient)
    return strata


def _assign(strata: Strata, shares: Sequence[float], seed: int) -> dict[str, int]:
    """Assign the shuffled patients of each stratum so that every part has its share after every patient: a remainder carries over."""
    chance = random.Random(seed)
    answer, owed = {}, [0.0] * len(shares)
    for key in sorted(strata):
        patients = sorted(strata[key])
        chance.shuffle(patients)
        for patient in patients:
            owed = [debt + share for debt, share in zip(owed, shares, strict=True)]
            part = max(range(len(shares)), key=lambda index: (owed[index], -index))
            owed[part] -= 1
            answer[patient] = part
    return answer
