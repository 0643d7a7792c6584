from __future__ import annotations

import io

import cv2
import numpy as np
import pytest

from models.preprocessing.geometry import Box, Placement
from service.analyse.heatmap import (
    MOST_CORNERS,
    PREVIEW_SIDE,
    decode_png,
    encode_array,
    encode_png,
    find_outline,
    find_peak,
    overlay,
    preview_shape,
    shrink,
    suspicion,
)

PLACEMENT = Placement(source_shape=(4000, 3000), box=Box(1000, 1500, 3000, 3000), output_shape=(448, 288))


def test_the_peak_is_found_in_source_pixels() -> None:
    heat = np.zeros((14, 9), np.float32)
    heat[7, 3] = 0.8
    peak = find_peak(heat, PLACEMENT)
    assert (peak.row, peak.column) == pytest.approx((1000 + 7.5 / 14 * 2000, 1500 + 3.5 / 9 * 1500), abs=0.1)
    assert peak.strength == pytest.approx(0.8)


def blob(row: float, column: float, width: float, shape: tuple[int, int] = (14, 9)) -> np.ndarray:
    """A round hill on a low plain."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    return np.asarray(0.1 + 0.8 * np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * width**2)), np.float32)


def test_the_outline_runs_around_the_peak_in_source_pixels() -> None:
    heat = blob(7, 3, 1.2)
    corners = np.array(find_outline(heat, PLACEMENT), np.float32)
    assert 3 <= len(corners) <= MOST_CORNERS
    peak = find_peak(heat, PLACEMENT)
    assert cv2.pointPolygonTest(corners[:, ::-1].copy(), (peak.column, peak.row), False) > 0
    # Three quarters up, a hill is 0.76 of its widths away from its top in each direction.
    reach = 0.76 * 1.2 * np.array([2000 / 14, 1500 / 9])
    assert corners.min(0) == pytest.approx([peak.row - reach[0], peak.column - reach[1]], abs=45)
    assert corners.max(0) == pytest.approx([peak.row + reach[0], peak.column + reach[1]], abs=45)


def test_another_hill_is_not_part_of_the_outline() -> None:
    heat = np.maximum(blob(2, 2, 0.8), 0.9 * blob(11, 6, 0.8))
    corners = np.array(find_outline(np.asarray(heat, np.float32), PLACEMENT))
    assert corners[:, 0].max() < 1000 + 6 / 14 * 2000


def test_a_flat_map_has_no_outline() -> None:
    assert find_outline(np.full((14, 9), 0.4, np.float32), PLACEMENT) == ()


@pytest.mark.parametrize("seed", range(20))
def test_outlines_of_any_map_stay_inside_the_image_and_short(seed: int) -> None:
    generator = np.random.default_rng(seed)
    heat = generator.random((int(generator.integers(1, 40)), int(generator.integers(1, 30)))).astype(np.float32)
    placement = Placement(source_shape=(400, 300), box=Box(-40, -30, 400, 360), output_shape=(448, 288))
    outline = find_outline(heat, placement)
    assert len(outline) <= MOST_CORNERS and len(outline) != 1 and len(outline) != 2
    assert all(0 <= row <= 400 and 0 <= column <= 300 for row, column in outline)


def test_the_map_lies_where_the_breast_was_cut_out() -> None:
    spread = PLACEMENT.map_to_source(np.ones((14, 9), np.float32), (400, 300))
    assert spread.shape == (400, 300)
    assert spread[:100].max() == 0 and spread[:, :149].max() == 0 and spread[110:290, 160:].min() > 0.99


def test_an_overlay_changes_only_what_is_suspicious() -> None:
    grey = np.full((60, 40), 120, np.uint8)
    heat = np.zeros((60, 40), np.float32)
    heat[20:30, 10:20] = 0.9
    blended = overlay(grey, heat)
    assert (blended[0, 0] == 120).all() and np.ptp(blended[25, 15].astype(int)) > 50


def test_pictures_survive_png_and_previews_are_bounded() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (30, 20, 3)).astype(np.uint8)
    assert np.array_equal(decode_png(encode_png(colours)), colours)
    assert max(shrink(np.zeros((4600, 2800), np.uint8)).shape) == PREVIEW_SIDE
    assert preview_shape((300, 200)) == (300, 200), "small pictures are not blown up"


def test_the_array_says_which_source_it_covers() -> None:
    stored = np.load(io.BytesIO(encode_array(np.full((10, 8), 0.25, np.float32), (4000, 3200))))
    assert stored["source_shape"].tolist() == [4000, 3200] and stored["heat"].dtype == np.float16 and stored["heat"].max() == 0.25


def test_suspicion_reads_like_a_score_and_survives_any_logit() -> None:
    assert suspicion(np.array([[-1e9, 0, 1e9]], np.float32))[0].tolist() == [pytest.approx(0, abs=1e-6), 0.5, pytest.approx(1)]
