"""S1 and S10 patch sets (Shen et al. 2017, 3.1.1): where patches lie, what they are called, and that they come back the same."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from training.data.patches import BACKGROUND, IMAGE_SHAPE, S1, S10, draw_roi, overlaps, place_around, place_background, sample_patches
from training.data.readers.synthetic import read_synthetic
from training.data.synthetic import write_synthetic
from training.data.table import Roi, Row

SHAPE, SIDE = (576, 448), 112
"""Half of the paper's sizes: the same picture."""


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    folder = tmp_path_factory.mktemp("synthetic")
    write_synthetic(folder, 6, 11, (384, 320))
    return list(read_synthetic(folder).rows)


def lesions_of(row: Row) -> np.ndarray:
    source = cv2.imread(str(row.file), cv2.IMREAD_GRAYSCALE)
    assert source is not None
    return np.any([draw_roi(roi, (source.shape[0], source.shape[1]), SHAPE) for roi in row.rois], axis=0)


def test_s10_has_ten_patches_that_overlap_each_lesion_and_as_many_of_background(rows: list[Row], tmp_path: Path) -> None:
    patches = sample_patches(rows, S10, tmp_path, SIDE, SHAPE)
    marked = [row for row in rows if row.rois]
    assert patches.pixels.shape == (20 * len(marked), SIDE, SIDE), "one lesion an image in this set"
    assert set(Counter(patches.classes.tolist())) == {0, 1, 2, 3, 4}
    for row in marked:
        inside = lesions_of(row)
        mine = [index for index, each in enumerate(patches.rows) if each is row]
        background = [index for index in mine if patches.classes[index] == BACKGROUND]
        assert len(mine) == 20 and len(background) == 10
        for index in mine:
            share = overlaps(inside, (int(patches.corners[index][0]), int(patches.corners[index][1])), SIDE)
            assert share == 0 if index in background else share >= 0.9
        roi = row.rois[0]
        name = {1: ("calcification", "benign"), 2: ("calcification", "malignant"), 3: ("mass", "benign"), 4: ("mass", "malignant")}
        assert {name[int(patches.classes[index])] for index in mine if index not in background} == {(roi.kind, roi.pathology)}


def test_s1_is_centred_on_the_lesion(rows: list[Row], tmp_path: Path) -> None:
    patches = sample_patches(rows, S1, tmp_path, SIDE, SHAPE)
    marked = [row for row in rows if row.rois]
    assert [sum(each is row for each in patches.rows) for row in marked] == [2] * len(marked)
    for index in np.flatnonzero(patches.classes != BACKGROUND):
        ys, xs = np.nonzero(lesions_of(patches.rows[index]))
        centre = patches.corners[index] + SIDE // 2
        middle = np.array(((ys.min() + ys.max()) / 2, (xs.min() + xs.max()) / 2))
        middle = np.clip(middle, SIDE // 2, np.array(SHAPE) - SIDE // 2)
        assert np.abs(centre - middle).max() <= 1


def test_the_same_seed_gives_the_same_patches_whatever_else_is_there(rows: list[Row], tmp_path: Path) -> None:
    whole = sample_patches(rows, S10, tmp_path / "a", SIDE, SHAPE)
    stored = sample_patches(rows, S10, tmp_path / "a", SIDE, SHAPE)
    assert np.array_equal(whole.pixels, stored.pixels) and whole.rows == stored.rows and np.array_equal(whole.corners, stored.corners)
    row = whole.rows[0]
    alone = sample_patches([row], S10, tmp_path / "b", SIDE, SHAPE)
    mine = [index for index, each in enumerate(whole.rows) if each is row]
    assert np.array_equal(alone.corners, whole.corners[mine])
    other = sample_patches([row], S10, tmp_path / "b", SIDE, SHAPE, seed=1)
    assert not np.array_equal(alone.corners, other.corners)


def test_what_cannot_be_used_is_named(rows: list[Row], tmp_path: Path) -> None:
    marked = [row for row in rows if row.rois]
    broken = replace(marked[0], file=tmp_path / "absent.png")
    odd = replace(marked[1], rois=(replace(marked[1].rois[0], kind="other"),))
    patches = sample_patches([broken, odd, *marked[2:4]], S1, tmp_path, SIDE, SHAPE)
    assert {Path(each.what).name for each in patches.skipped} == {"absent.png", odd.file.name}
    assert len(patches.rows) == 4
    again = sample_patches([broken, odd, *marked[2:4]], S1, tmp_path, SIDE, SHAPE)
    assert again.skipped == patches.skipped
    with pytest.raises(ValueError, match="outlined masses or calcifications"):
        sample_patches([odd], S1, tmp_path, SIDE, SHAPE)
    with pytest.raises(ValueError, match="do not fit"):
        sample_patches(rows, S1, tmp_path, 500, SHAPE)


def test_a_lesion_without_a_pathology_has_that_of_its_breast(rows: list[Row], tmp_path: Path) -> None:
    row = next(row for row in rows if row.rois and row.rois[0].kind == "mass" and row.pathology == "malignant")
    silent = replace(row, rois=(replace(row.rois[0], pathology=None),))
    assert sample_patches([silent], S1, tmp_path, SIDE, SHAPE).classes.tolist() == [4, 0]


def test_a_large_lesion_is_overlapped_by_the_share_of_the_patch() -> None:
    inside = np.zeros(IMAGE_SHAPE, np.bool_)
    inside[200:900, 100:700] = True
    corners = place_around(inside, S10, 224, np.random.default_rng(0))
    assert len(corners) == 10 == len(set(corners))
    assert all(inside[top : top + 224, left : left + 224].mean() >= 0.9 for top, left in corners)


def test_patches_at_the_edge_stay_in_the_image() -> None:
    inside = np.zeros(IMAGE_SHAPE, np.bool_)
    inside[1100:, :30] = True
    for patch_set in (S1, S10):
        for top, left in place_around(inside, patch_set, 224, np.random.default_rng(0)):
            assert 0 <= top <= 1152 - 224 and 0 <= left <= 896 - 224
            assert overlaps(inside, (top, left), 224) >= 0.9


def test_background_is_breast_without_lesions_or_there_is_none() -> None:
    breast, lesions = np.zeros(IMAGE_SHAPE, np.bool_), np.zeros(IMAGE_SHAPE, np.bool_)
    breast[100:1000, :600], lesions[400:600, 200:400] = True, True
    corners = place_background(lesions, breast, 10, 224, np.random.default_rng(0))
    assert len(corners) == 10
    for top, left in corners:
        assert not lesions[top : top + 224, left : left + 224].any()
        assert breast[top : top + 224, left : left + 224].mean() >= 0.5
    assert place_background(breast, breast, 10, 224, np.random.default_rng(0)) == []
    assert place_background(lesions, np.zeros_like(breast), 10, 224, np.random.default_rng(0)) == []


def test_an_roi_is_its_mask_or_its_outline_or_its_box(rows: list[Row], tmp_path: Path) -> None:
    box = Roi((20, 40, 60, 80), "mass", "benign")
    assert int(draw_roi(box, (200, 100), (400, 300)).sum()) == 80 * 120
    outlined = replace(box, outline=((20, 40), (60, 40), (20, 80)))
    assert 0.4 < draw_roi(outlined, (200, 100), (400, 300)).sum() / (80 * 120) < 0.6
    mask = np.zeros((200, 100), np.uint8)
    mask[50:60, 30:40] = 255
    cv2.imwrite(str(tmp_path / "mask.png"), mask)
    masked = draw_roi(replace(outlined, mask=tmp_path / "mask.png"), (200, 100), (400, 300))
    assert masked[100:120, 90:120].all() and int(masked.sum()) == 20 * 30
    absent = replace(box, mask=tmp_path / "absent.png")
    assert int(draw_roi(absent, (200, 100), (400, 300)).sum()) == 80 * 120


def test_mini_mias_lesions_give_patches(data_folder: Path, tmp_path: Path) -> None:
    """The real set: circles as boxes, of known kind and severity."""
    from training.data.readers.mini_mias import read_mini_mias

    rows = [row for row in read_mini_mias(data_folder / "mini-mias").rows if row.rois][:6]
    patches = sample_patches(rows, S1, tmp_path)
    assert patches.pixels.shape[1:] == (224, 224)
    assert json.dumps(sorted(set(patches.classes.tolist()))) and (patches.classes != BACKGROUND).any()
