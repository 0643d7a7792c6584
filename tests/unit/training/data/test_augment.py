"""What a random change may do to a picture, and what each paper asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from training.data.augment import DIB_MG, LABELS, LABELS_KEEPING_SIDES, MASSES, NONE, PATCH_TO_IMAGE, Augmentation

SEEDS = range(60)


def half_bright() -> NDArray[np.float32]:
    """A left breast's outline, roughly: bright at the left edge."""
    picture = np.zeros((64, 40), np.float32)
    picture[:, :12] = 0.8
    return picture


def changed(augmentation: Augmentation, picture: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    return [augmentation(picture, np.random.default_rng(seed)) for seed in SEEDS]


def mirrored_share(augmentation: Augmentation) -> float:
    return float(np.mean([picture[:, :20].mean() < picture[:, 20:].mean() for picture in changed(augmentation, half_bright())]))


def test_none_changes_nothing() -> None:
    picture = np.random.default_rng(0).random((20, 30)).astype(np.float32)
    assert all(np.array_equal(picture, answer) for answer in changed(NONE, picture))


@pytest.mark.parametrize("augmentation", [Augmentation(), LABELS, LABELS_KEEPING_SIDES, MASSES, DIB_MG, PATCH_TO_IMAGE])
def test_shape_and_range_stay_and_the_same_seed_gives_the_same_picture(augmentation: Augmentation) -> None:
    picture = np.random.default_rng(1).random((48, 33)).astype(np.float32)
    for first, second in zip(changed(augmentation, picture), changed(augmentation, picture), strict=True):
        assert first.shape == picture.shape and first.dtype == np.float32 and first.min() >= 0 and first.max() <= 1
        assert np.array_equal(first, second)


def test_sides_are_kept_where_the_paper_stopped_to_flip() -> None:
    assert mirrored_share(LABELS_KEEPING_SIDES) == mirrored_share(DIB_MG) == mirrored_share(Augmentation()) == 0
    assert 0.3 < mirrored_share(LABELS) < 0.7 and 0.3 < mirrored_share(MASSES) < 0.7 and 0.3 < mirrored_share(PATCH_TO_IMAGE) < 0.7
    assert replace(LABELS, horizontal_flip=False) == LABELS_KEEPING_SIDES, "the flip is the only difference between the two runs"


def test_a_crop_magnifies_a_part_of_the_picture() -> None:
    rows = np.repeat(np.linspace(0, 1, 101, dtype=np.float32)[:, None], 101, axis=1)
    spans = []
    for answer in changed(replace(NONE, crop=0.4), rows):
        low, high = float(answer[1:-1].min()), float(answer[1:-1].max())
        assert low >= 0 and high <= 1
        spans.append(high - low)
    assert min(spans) < 0.7 and min(spans) > 0.55 and max(spans) > 0.9, "between 60 % and all of the side is left"


def test_brightness_adds_up_to_its_share_and_contrast_turns_about_middle_grey() -> None:
    grey = np.full((8, 8), 0.5, np.float32)
    levels = np.array([answer[0, 0] for answer in changed(replace(NONE, brightness=0.1), grey)])
    assert np.abs(levels - 0.5).max() <= 0.1 and np.ptp(levels) > 0.15
    assert all(np.allclose(answer, 0.5) for answer in changed(replace(NONE, contrast=0.3), grey))


def test_rotation_and_shear_move_what_is_far_from_the_centre_by_the_angle() -> None:
    picture = np.zeros((101, 101), np.float32)
    picture[49:52, 88:91] = 1  # 39 right of the centre
    for augmentation, limit in ((replace(NONE, rotation_degrees=25.0), np.deg2rad(25.0)), (PATCH_TO_IMAGE, None)):
        angles = []
        for answer in changed(replace(augmentation, horizontal_flip=False, vertical_flip=False, brightness=0.0), picture):
            ys, xs = np.nonzero(answer > 0.3)
            if ys.size:
                angles.append(abs(np.arctan2(ys.mean() - 50, xs.mean() - 50)))
        assert max(angles) > 0.3
        assert limit is None or max(angles) < limit + 0.03
