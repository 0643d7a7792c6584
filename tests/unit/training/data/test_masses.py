"""Where mass patches are cut, by boxes computed by hand, and how many there are."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from training.data.masses import (
    CROPS,
    ROTATIONS,
    SMALLEST_CROP,
    Cut,
    Mass,
    build_patches,
    context_box,
    cut_patches,
    find_masses,
    plan_cuts,
)
from training.data.readers.mini_mias import read_mini_mias
from training.data.table import Roi, Row


def row(patient: str, file: Path = Path("x.png"), rois: tuple[Roi, ...] = ()) -> Row:
    return Row("set", patient, patient, file.stem, file, "MLO", "L", "L", None, None, "m", None, rois, False, False)


def mass(patient: str, pathology: str, box: tuple[int, int, int, int] = (0, 0, 4, 4)) -> Mass:
    roi = Roi(box, "mass", "malignant" if pathology == "malignant" else "benign")
    return Mass(row(patient, rois=(roi,)), roi)


def picture(rows: int = 120, columns: int = 100) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(40, 256, (rows, columns)).astype(np.uint8)


@pytest.mark.parametrize(
    ("box", "small", "large"),
    [
        # left, top, right, bottom: 200 wide, 100 high about (400, 350)
        ((300, 300, 500, 400), (250, 250, 550, 450), (200, 250, 600, 450)),
        # 5 wide, 3 high: twice the size is 10 and 6, the odd pixel goes to the right and below
        ((10, 20, 15, 23), (-40, -30, 65, 73), (8, 19, 18, 25)),
        # in the corner: the context reaches over the edge and stays centred on the mass
        ((0, 0, 40, 20), (-50, -50, 90, 70), (-20, -10, 60, 30)),
    ],
)
def test_contexts_by_hand(box: tuple[int, int, int, int], small: tuple[int, ...], large: tuple[int, ...]) -> None:
    assert context_box(box, "small") == small and context_box(box, "large") == large


def test_a_context_at_its_own_size_is_the_picture_itself() -> None:
    pixels = picture()
    (patch,) = cut_patches(pixels, (20, 30, 60, 80), [Cut()], (50, 40))
    assert np.array_equal(patch, pixels[30:80, 20:60])


def test_what_lies_over_the_edge_is_air_and_the_rest_stays_in_place() -> None:
    pixels = picture(60, 60)
    (patch,) = cut_patches(pixels, (-10, -20, 50, 40), [Cut()], (60, 60))
    assert not patch[:20].any() and not patch[:, :10].any() and np.array_equal(patch[20:, 10:], pixels[:40, :50])
    (patch,) = cut_patches(pixels, (40, 30, 80, 70), [Cut()], (40, 40))
    assert np.array_equal(patch[:30, :20], pixels[30:, 40:]) and not patch[30:].any() and not patch[:, 20:].any()
    assert not cut_patches(pixels, (200, 200, 240, 240), [Cut()], (40, 40)).any()


def test_a_window_is_that_part_of_the_context() -> None:
    pixels = picture()
    (patch,) = cut_patches(pixels, (20, 20, 60, 60), [Cut(0.0, (0.25, 0.5, 0.75, 1.0))], (20, 20))
    assert np.array_equal(patch, pixels[40:60, 30:50])


def test_a_quarter_turn_is_numpys() -> None:
    pixels = picture()
    turned = cut_patches(pixels, (20, 20, 60, 60), [Cut(np.pi / 2), Cut(np.pi), Cut(3 * np.pi / 2)], (40, 40))
    for quarters, patch in enumerate(turned, start=1):
        expected = np.rot90(pixels[20:60, 20:60], quarters)
        assert np.abs(patch.astype(int) - expected).max() <= 1, quarters


def test_a_turned_corner_shows_the_picture_beyond_the_context_not_air() -> None:
    pixels = np.full((200, 200), 99, np.uint8)
    assert (cut_patches(pixels, (80, 80, 120, 120), [Cut(0.7)], (40, 40)) == 99).all()


def test_large_contexts_are_averaged_not_sampled() -> None:
    stripes = np.zeros((800, 800), np.uint8)
    stripes[:, ::8] = 240  # one column of eight: 30 on average
    (patch,) = cut_patches(stripes, (0, 0, 800, 800), [Cut()], (50, 50))
    assert abs(float(patch.mean()) - 30) < 1 and patch[5:-5, 5:-5].max() < 60
    expected = cv2.resize(picture(300, 300)[20:260, 40:280], (60, 60), interpolation=cv2.INTER_AREA).astype(int)
    (patch,) = cut_patches(picture(300, 300), (40, 20, 280, 260), [Cut()], (60, 60))
    assert np.abs(patch - expected).mean() < 6, "as a plain resize by area, but for the half pixels of the frame around it"


def test_each_training_mass_has_25_copies_by_5_rotations_and_5_crops() -> None:
    cuts = plan_cuts(mass("p", "benign"), augmented=True)
    assert len(cuts) == ROTATIONS * CROPS == 25
    angles = Counter(cut.angle for cut in cuts)
    assert len(angles) == 5 and set(angles.values()) == {5}
    for cut in cuts:
        left, top, right, bottom = cut.window
        assert 0 <= left < right <= 1 and 0 <= top < bottom <= 1
        assert right - left == pytest.approx(bottom - top) and right - left >= SMALLEST_CROP - 1e-9
    assert len({cut.window for cut in cuts}) == 25
    assert plan_cuts(mass("p", "benign"), augmented=True) == cuts != plan_cuts(mass("p", "benign"), augmented=True, seed=1)
    assert cuts != plan_cuts(mass("p", "benign", (9, 9, 20, 20)), augmented=True), "another mass, other turns"
    assert plan_cuts(mass("p", "benign"), augmented=False) == [Cut()]


def test_only_masses_of_known_pathology_count() -> None:
    rois = (
        Roi((0, 0, 4, 4), "mass", "benign"),
        Roi((0, 0, 4, 4), "mass", None),
        Roi((0, 0, 4, 4), "calcification", "malignant"),
        Roi((0, 0, 4, 4), "other", "malignant"),
    )
    assert [found.roi for found in find_masses([row("p", rois=rois)])] == [rois[0]]


def test_a_sample_has_the_pathology_of_its_mass_not_of_the_breast() -> None:
    rois = (Roi((0, 0, 4, 4), "mass", "benign"), Roi((9, 9, 14, 14), "mass", "malignant"))
    samples = [found.sample for found in find_masses([replace(row("p", rois=rois), pathology="malignant")])]
    assert [(sample.malignant, sample.rois) for sample in samples] == [(False, rois[:1]), (True, rois[1:])]


def test_patches_are_cut_once_and_a_broken_image_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rois = (Roi((20, 20, 40, 40), "mass", "benign"), Roi((60, 60, 80, 90), "mass", "malignant"))
    cv2.imwrite(str(tmp_path / "good.png"), picture())
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    rows = [row("a", tmp_path / "broken.png", rois[:1]), row("b", tmp_path / "good.png", rois)]
    masses = find_masses(rows)
    built = build_patches(masses, [True, True, False], "large", (32, 32), tmp_path / "cache")
    assert built.pixels.shape == (26, 32, 32) and built.masses.tolist() == [1] * 25 + [2]
    assert [skipped.what for skipped in built.skipped] == [str(tmp_path / "broken.png")] and "broken" not in caplog.text.split("masses:")[0]
    assert np.array_equal(built.pixels[25], cut_patches(picture(), (50, 45, 90, 105), [Cut()], (32, 32))[0])
    (tmp_path / "good.png").unlink()
    again = build_patches(masses, [True, True, False], "large", (32, 32), tmp_path / "cache")
    assert np.array_equal(built.pixels, again.pixels), "read back: the image is not there any more"
    with pytest.raises(ValueError, match="none of the 3 masses can be cut out"):
        build_patches(masses, [False] * 3, "large", (32, 32), tmp_path / "cache")


def test_a_mirrored_film_is_cut_where_its_box_says(tmp_path: Path) -> None:
    pixels = picture()
    cv2.imwrite(str(tmp_path / "film.png"), pixels[:, ::-1])
    roi = Roi((20, 20, 40, 40), "mass", "benign")
    film = replace(row("a", tmp_path / "film.png", (roi,)), mirrored=True)
    built = build_patches(find_masses([film]), [False], "large", (40, 40), tmp_path / "cache")
    assert np.array_equal(built.pixels[0], pixels[10:50, 10:50])


def test_masses_of_mini_mias_are_brighter_than_their_surroundings(data_folder: Path, tmp_path: Path) -> None:
    """Boxes of the real set land on lesions: on average the middle of a large context is brighter than its rim."""
    masses = find_masses(read_mini_mias(data_folder / "mini-mias").rows)
    built = build_patches(masses, [False] * len(masses), "large", (64, 64), tmp_path)
    assert len(built.masses) == len(masses) > 30 and 0.2 < np.mean([each.sample.malignant is True for each in masses]) < 0.6
    middle = built.pixels[:, 22:42, 22:42].mean(axis=(1, 2))
    rim = np.concatenate([built.pixels[:, :10].reshape(len(masses), -1), built.pixels[:, -10:].reshape(len(masses), -1)], axis=1).mean(
        axis=1
    )
    assert (middle > rim).mean() > 0.8
