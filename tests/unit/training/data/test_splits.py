"""Splits: no patient crosses, every stratum has its share of every part, the same seed makes the same file."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from training.data.index import read_index
from training.data.splits import PARTS, RULES, k_folds, read_split, split_patients, write_split
from training.data.table import Row
from training.experiments.zoo import SPLIT

SEEDS = range(12)


def draw_rows(seed: int) -> list[Row]:
    """A random data set: one to ninety patients, one to six images each, uneven machines, rare or frequent cancer."""
    chance = random.Random(seed)
    rate, machines = chance.choice((0.0, 0.05, 0.4, 1.0)), chance.randint(1, 5)
    rows = []
    for patient in range(chance.randint(1, 90)):
        machine = str(int(chance.triangular(0, machines, 0)))
        sick = chance.random() < rate
        for image in range(chance.randint(1, 6)):
            side = chance.choice("LR")
            pathology = chance.choice(("malignant", "negative", None)) if sick else chance.choice(("negative", "benign", None))
            name = f"{patient}-{image}"
            rows.append(
                Row(f"set{patient % 2}", f"p{patient}", f"e{patient}", name, Path(name), "CC", side, side, None, pathology, machine, None)  # type: ignore[arg-type]
            )
    chance.shuffle(rows)
    return rows


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("seed", SEEDS)
def test_no_patient_crosses_and_the_answer_is_seeded(rule: str, seed: int) -> None:
    rows = draw_rows(seed)
    split = split_patients(rows, seed, rule)
    assert set(split) == {row.patient for row in rows}, "each patient has exactly one part"
    assert set(split.values()) <= set(PARTS)
    images = {part: {row.image for row in rows if split[row.patient] == part} for part in PARTS}
    patients = {part: {row.patient for row in rows if row.image in images[part]} for part in PARTS}
    assert sum(map(len, images.values())) == len(rows)
    assert not any(patients[one] & patients[other] for one in PARTS for other in PARTS if one != other)
    assert split == split_patients(list(reversed(rows)), seed, rule), "the order of the rows is no part of the answer"


@pytest.mark.parametrize("seed", SEEDS)
def test_folds_test_each_patient_once_and_no_patient_crosses(seed: int) -> None:
    rows = draw_rows(seed)
    patients = {row.patient for row in rows}
    if len(patients) < 5:
        with pytest.raises(ValueError, match="folds of"):
            k_folds(rows, 5, seed)
        return
    folds = k_folds(rows, 5, seed)
    assert all(set(fold) == patients for fold in folds)
    assert Counter(patient for fold in folds for patient, part in fold.items() if part == "test") == Counter(patients)
    sizes = [sum(part == "test" for part in fold.values()) for fold in folds]
    assert max(sizes) - min(sizes) <= 2
    assert folds == k_folds(list(reversed(rows)), 5, seed)


@pytest.mark.parametrize(
    ("rule", "shares"),
    [
        ("70/10/20", (0.70, 0.10, 0.20)),
        ("80/10/10", (0.80, 0.10, 0.10)),
        ("85/15", (0.765, 0.085, 0.15)),
        ("70/30", (0.70, 0.0, 0.30)),
        ("5:1:1", (5 / 7, 1 / 7, 1 / 7)),
        ("72/8/20", (0.72, 0.08, 0.20)),
    ],
)
def test_every_stratum_has_its_share_of_every_part(rule: str, shares: tuple[float, ...]) -> None:
    rows = [
        Row("set", f"{machine}-{number}", "e", f"{machine}-{number}", Path("x"), "CC", "L", "L", None,
            "malignant" if number % 4 == 0 else "negative", machine, None)
        for machine, count in (("a", 700), ("b", 140)) for number in range(count)
    ]  # fmt: skip
    split = split_patients(rows, 3, rule)
    for machine in "ab":
        for sick in (True, False):
            stratum = [split[row.patient] for row in rows if row.manufacturer == machine and row.malignant is sick]
            counts = Counter(stratum)
            for part, share in zip(PARTS, shares, strict=True):
                assert abs(counts[part] - share * len(stratum)) <= 1.5, (machine, sick, part)
    assert split != split_patients(rows, 4, rule)


def test_balanced_parts_hold_as_many_with_cancer_as_without() -> None:
    rows = [
        Row("set", f"p{number}", "e", f"{number}", Path("x"), "CC", "L", "L", None, "malignant" if number % 4 == 0 else "benign", "m", None)
        for number in range(400)
    ]
    split = split_patients(rows, 1, "80/10/10-balanced")
    counts = Counter((split[row.patient], row.malignant) for row in rows)
    assert counts["validation", True] == counts["validation", False] == counts["test", True] == counts["test", False] == 20
    assert counts["train", True] == 60 and counts["train", False] == 260


def test_split_files_survive_the_way_to_disk_and_bad_ones_are_refused(tmp_path: Path) -> None:
    split = split_patients(draw_rows(1), 1, "5:1:1")
    path = tmp_path / "deep" / "split.csv"
    write_split(path, split)
    assert read_split(path) == split
    path.write_text("patient,part\na,train\nb,holdout\n")
    with pytest.raises(ValueError, match="line 3: part 'holdout'"):
        read_split(path)
    path.write_text("patient,part\na,train\na,test\n")
    with pytest.raises(ValueError, match="line 3: patient a is in train and in test"):
        read_split(path)
    path.write_text("a,train\n")
    with pytest.raises(ValueError, match="patient,part"):
        read_split(path)
    with pytest.raises(FileNotFoundError, match="no split file"):
        read_split(tmp_path / "none.csv")
    with pytest.raises(ValueError, match="no split rule '60/40'"):
        split_patients(draw_rows(1), 1, "60/40")


def test_the_committed_split_is_the_seeded_one(data_folder: Path) -> None:
    """Of each real set, as it was read when its patients were added: mini-MIAS without its lesions."""
    rows = read_index(data_folder, ["rsna-bcd-640", "mini-mias"])
    rows = [replace(row, pathology=None) if row.dataset == "mini-mias" else row for row in rows]
    added = split_patients(read_index(data_folder, ["inbreast"]), 20261121, "60/10/30")
    added |= split_patients(read_index(data_folder, ["not-mammograms", "phantoms"]), 20261121, "60/10/30")
    added |= split_patients(read_index(data_folder, ["ddsm-small"]), 20261121)
    assert read_split(SPLIT) == split_patients(rows, seed=20261121) | added


def test_real_cancers_are_spread_evenly(data_folder: Path) -> None:
    rows = read_index(data_folder, ["rsna-bcd-640"])
    sick = {row.patient for row in rows if row.malignant}
    for fold in k_folds(rows, 5, 1):
        assert abs(sum(fold[patient] == "test" for patient in sick) / len(sick) - 0.2) < 0.02
    shares = Counter(split_patients(rows, 1, "85/15")[patient] for patient in sick)
    assert abs(shares["test"] / len(sick) - 0.15) < 0.02 and abs(shares["validation"] / len(sick) - 0.085) < 0.02
