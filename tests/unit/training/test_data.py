from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from training.data.augment import Augmentation
from training.data.cache import build_cache
from training.data.index import READERS, Row, read_index
from training.data.splits import read_split, split_patients, write_split
from training.experiments.zoo import LABELER, SPLIT
from training.stages.experiment import targets


def test_no_patient_crosses_the_split_and_cancers_are_spread_evenly(data_folder: Path, tmp_path: Path) -> None:
    rows = read_index(data_folder, ["rsna-bcd-640", "mini-mias"])
    split = split_patients(rows, seed=1)
    assert set(split) == {row.patient for row in rows}, "each patient has exactly one part"
    write_split(tmp_path / "split.csv", split)
    assert read_split(tmp_path / "split.csv") == split == split_patients(list(reversed(rows)), seed=1) != split_patients(rows, seed=2)
    sick = {row.patient for row in rows if row.malignant}
    shares = Counter(split[patient] for patient in sick)
    assert abs(shares["test"] / len(sick) - 0.20) < 0.02 and abs(shares["train"] / len(sick) - 0.72) < 0.02


def test_the_committed_split_is_the_seeded_one(data_folder: Path) -> None:
    assert read_split(SPLIT) == split_patients(read_index(data_folder, READERS), seed=20261121)


def test_known_traps_of_the_real_sets_are_undone(data_folder: Path) -> None:
    rows = read_index(data_folder, ["rsna-bcd-640", "mini-mias"])
    rsna = [row for row in rows if row.dataset == "rsna-bcd-640"]
    assert len(rsna) == 2657, "2,661 less one blank and three axillary-tail images"
    assert all(row.laterality is None for row in rsna if row.manufacturer == "49"), "pixels disagree with the label on this machine"
    assert all(row.inverted for row in rsna if row.manufacturer == "29")
    assert all(row.mirrored and row.density is None for row in rows if row.dataset == "mini-mias")


def test_crops_are_decoded_once_and_undo_mirroring(data_folder: Path, tmp_path: Path) -> None:
    rows = read_index(data_folder, ["mini-mias"])[:4]
    first = build_cache(rows, (64, 40), tmp_path)
    stamp = next(tmp_path.glob("*.npy")).stat().st_mtime_ns
    again = build_cache(rows, (64, 40), tmp_path)
    assert np.array_equal(first, again) and next(tmp_path.glob("*.npy")).stat().st_mtime_ns == stamp
    for row, crop in zip(rows, first, strict=True):
        # A left breast's chest wall is at the left edge of a picture in standard orientation: the nipple's side is darker.
        left, right = crop[:, :20].mean(), crop[:, 20:].mean()
        assert (left > right) == (row.laterality == "L")


def test_targets_mark_what_is_unknown() -> None:
    row = Row("set", "p", Path("x"), "CC", None, "L", "C", True, "m", None)
    assert {head: int(values[0]) for head, values in targets(LABELER, [row]).items()} == {"view": 0, "laterality": -1, "density": 2}


def test_augmentation_keeps_sides_unless_flips_are_asked_for() -> None:
    half = np.zeros((64, 40), np.float32)
    half[:, :12] = 0.8
    kept = [Augmentation()(half, np.random.default_rng(seed)) for seed in range(40)]
    flipped = [Augmentation(horizontal_flip=True)(half, np.random.default_rng(seed)) for seed in range(40)]
    assert all(picture[:, :20].mean() > picture[:, 20:].mean() for picture in kept)
    assert 5 < sum(picture[:, :20].mean() < picture[:, 20:].mean() for picture in flipped) < 35
    assert all(picture.shape == half.shape and picture.min() >= 0 and picture.max() <= 1 for picture in kept)
