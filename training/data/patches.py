"""Five-class patches around lesions and from the background, the S1 and S10 sets of Shen et al. 2017 (3.1.1)."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from models.preprocessing.geometry import Box, breast_mask, cut
from training.data.index import summarise
from training.data.pictures import UNREADABLE, read_picture, reason
from training.data.table import Roi, Row, Skipped

log = logging.getLogger(__name__)

BACKGROUND = 0
CLASS_OF = {
    ("calcification", "benign"): 1,
    ("calcification", "malignant"): 2,
    ("mass", "benign"): 3,
    ("mass", "malignant"): 4,
}
"""Class index of a lesion, as `training.networks.patch_classifier.LESIONS` names them."""

IMAGE_SHAPE = (1152, 896)
"""Rows, columns in pixels that every image is stretched to before patches are cut (Shen et al., 3.1.1)."""

TRIES = 100
"""Random places for one patch before the search is given up."""

LEAST_BREAST = 0.5
"""Share of a background patch that is breast; air is no background worth learning."""

LAYOUT = 1
"""Of the files that are written here; another number makes other keys."""


@dataclass(frozen=True)
class PatchSet:
    """How many patches of which kind.

    Parameters
    ----------
    around
        Patches of each ROI; 1 is centred on it, more are drawn at random around it.
    overlap
        Least share of the ROI inside the patch, or of the patch inside the ROI where that is the larger one.
    """

    name: str
    around: int
    overlap: float


S1 = PatchSet("s1", 1, 0.0)
"""One patch centred on the ROI and one random background patch of the same image."""

S10 = PatchSet("s10", 10, 0.9)
"""Ten patches around each ROI that overlap it by 0.9 and more, and as many background patches of the same image."""


@dataclass(frozen=True)
class Patches:
    """Patches ready for training.

    Parameters
    ----------
    rows
        The image that each patch is from.
    pixels
        (n, side, side) uint8.
    classes
        (n,) index of `training.networks.patch_classifier.LESIONS`.
    corners
        (n, 2) row and column of each patch's top left corner in the stretched image.
    skipped
        Images that could not be read, and lesions of no class.
    """

    rows: list[Row]
    pixels: NDArray[np.uint8]
    classes: NDArray[np.int64]
    corners: NDArray[np.int64]
    skipped: tuple[Skipped, ...] = ()


@dataclass(frozen=True)
class _Cut:
    """What one image gave."""

    pixels: list[NDArray[np.uint8]]
    classes: list[int]
    corners: list[tuple[int, int]]
    skipped: list[Skipped]


def sample_patches(
    rows: Sequence[Row], patch_set: PatchSet, folder: Path, side: int = 224, image_shape: tuple[int, int] = IMAGE_SHAPE, seed: int = 0
) -> Patches:
    """Cut the patches of every image that has an outlined mass or calcification; kept in `folder` for the next run.

    Parameters
    ----------
    side
        Of a patch in pixels of the stretched image.
    image_shape
        Rows, columns that the images are stretched to.
    seed
        With the image's place in its set it decides every random place, whatever other images there are.

    Raises
    ------
    ValueError
        No image has a usable lesion, or a patch does not fit into `image_shape`.
    """
    if side > min(image_shape):
        raise ValueError(f"patches of {side} pixels do not fit into images of {image_shape[0]}x{image_shape[1]}: choose a smaller shape")
    marked = [row for row in rows if row.rois]
    stored = folder / f"patches-{patch_set.name}-{side}-{image_shape[0]}x{image_shape[1]}-{_key(marked, patch_set, seed)}.npz"
    cuts = _read(stored, marked) or _cut_all(marked, patch_set, side, image_shape, seed, stored)
    skipped = tuple(each for one in cuts for each in one.skipped)
    for line in summarise(skipped):
        log.warning("patches: %s", line)
    if not any(one.classes for one in cuts):
        raise ValueError(
            f"none of {len(rows)} images gives a patch: patches need images with outlined masses or calcifications of known pathology "
            "(cbis-ddsm, inbreast, mini-mias, synthetic)"
        )
    return Patches(
        [row for row, one in zip(marked, cuts, strict=True) for _ in one.classes],
        np.stack([patch for one in cuts for patch in one.pixels]),
        np.array([label for one in cuts for label in one.classes], np.int64),
        np.array([corner for one in cuts for corner in one.corners], np.int64).reshape(-1, 2),
        skipped,
    )


def lesion_class(roi: Roi, row: Row) -> int | None:
    """Class index of an ROI; its pathology is that of the breast where the set names none for itself. None: neither kind, or unknown."""
    return CLASS_OF.get((roi.kind, roi.pathology or row.pathology or ""))


def draw_roi(roi: Roi, source_shape: tuple[int, int], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """The inside of an ROI in an image stretched from `source_shape` to `shape`: its mask, its outline, or its box."""
    scale = np.array((shape[1] / source_shape[1], shape[0] / source_shape[0]))
    drawn = np.zeros(shape, np.uint8)
    mask = cv2.imread(str(roi.mask), cv2.IMREAD_GRAYSCALE) if roi.mask and roi.mask.suffix.lower() in {".png", ".jpg"} else None
    if mask is not None:
        drawn = (cv2.resize(mask, (shape[1], shape[0]), interpolation=cv2.INTER_AREA) > 0).astype(np.uint8)
    elif len(roi.outline) > 2:
        cv2.fillPoly(drawn, [np.rint(np.array(roi.outline) * scale).astype(np.int32)], 1)
    if not drawn.any():
        left, top, right, bottom = (np.array(roi.box).reshape(2, 2) * scale).ravel()
        rows, columns = slice(int(top), max(int(np.ceil(bottom)), int(top) + 1)), slice(int(left), max(int(np.ceil(right)), int(left) + 1))
        drawn[rows, columns] = 1
    return drawn.astype(np.bool_)


def overlaps(inside: NDArray[np.bool_], corner: tuple[int, int], side: int) -> float:
    """The larger of: share of the ROI inside the patch, share of the patch inside the ROI."""
    shared = float(inside[corner[0] : corner[0] + side, corner[1] : corner[1] + side].sum())
    return max(shared / max(float(inside.sum()), 1.0), shared / side**2)


def place_around(inside: NDArray[np.bool_], patch_set: PatchSet, side: int, chance: np.random.Generator) -> list[tuple[int, int]]:
    """Corners of the patches of one ROI: the first of a set of one is centred, others are drawn until they overlap enough."""
    ys, xs = np.nonzero(inside)
    centre = _clip((int(ys.min() + ys.max() + 1) // 2, int(xs.min() + xs.max() + 1) // 2), side, inside.shape)
    if patch_set.around == 1:
        return [centre]
    reach = max(side, int(np.ptp(ys)), int(np.ptp(xs))) // 2
    corners: list[tuple[int, int]] = []
    for _ in range(TRIES * patch_set.around):
        if len(corners) == patch_set.around:
            break
        row, column = chance.integers(-reach, reach + 1, 2)
        corner = _clip((centre[0] + side // 2 + int(row), centre[1] + side // 2 + int(column)), side, inside.shape)
        if overlaps(inside, corner, side) >= patch_set.overlap:
            corners.append(corner)
    return corners or [centre]


def place_background(
    lesions: NDArray[np.bool_], breast: NDArray[np.bool_], count: int, side: int, chance: np.random.Generator
) -> list[tuple[int, int]]:
    """Corners of patches that hold no pixel of any lesion and are breast for the most part; fewer where the breast is too small."""
    free, tissue = (np.asarray(cv2.integral(mask.astype(np.uint8)), np.int32) for mask in (lesions, breast))
    ys, xs = np.nonzero(breast)
    corners: list[tuple[int, int]] = []
    for _ in range(TRIES * count if len(ys) else 0):
        if len(corners) == count:
            break
        chosen = int(chance.integers(len(ys)))
        corner = _clip((int(ys[chosen]), int(xs[chosen])), side, breast.shape)
        if _sum(free, corner, side) == 0 and _sum(tissue, corner, side) >= LEAST_BREAST * side**2:
            corners.append(corner)
    return corners


def _cut_all(rows: list[Row], patch_set: PatchSet, side: int, image_shape: tuple[int, int], seed: int, stored: Path) -> list[_Cut]:
    with ThreadPoolExecutor() as pool:
        work = pool.map(lambda row: _cut_image(row, patch_set, side, image_shape, seed), rows)
        cuts = list(tqdm(work, total=len(rows), desc=f"patches {patch_set.name}", unit="image"))
    _write(stored, cuts)
    return cuts


def _cut_image(row: Row, patch_set: PatchSet, side: int, image_shape: tuple[int, int], seed: int) -> _Cut:
    """The patches of one image."""
    taken = _Cut([], [], [], [])
    try:
        source = read_picture(row)
    except UNREADABLE as error:
        taken.skipped.append(Skipped(str(row.file), reason(error)))
        return taken
    chance = np.random.default_rng((seed, int(hashlib.sha256(f"{row.dataset}/{row.patient}/{row.image}".encode()).hexdigest()[:8], 16)))
    image, _ = cut(source, Box(0, 0, *source.shape), image_shape)
    lesions = np.zeros(image_shape, np.bool_)
    for roi in row.rois:
        inside = draw_roi(roi, (source.shape[0], source.shape[1]), image_shape)
        lesions |= inside
        label = lesion_class(roi, row)
        if label is None:
            taken.skipped.append(Skipped(str(row.file), "a lesion that is neither a mass nor a calcification, or of unknown pathology"))
        elif not inside.any():
            taken.skipped.append(Skipped(str(row.file), "a lesion outside of its image"))
        else:
            for corner in place_around(inside, patch_set, side, chance):
                taken.corners.append(corner)
                taken.classes.append(label)
    small = breast_mask(image).astype(np.uint8)
    breast = cv2.resize(small, (image_shape[1], image_shape[0]), interpolation=cv2.INTER_NEAREST).astype(np.bool_)
    background = place_background(lesions, breast, len(taken.classes), side, chance)
    taken.corners.extend(background)
    taken.classes.extend([BACKGROUND] * len(background))
    taken.pixels.extend(image[top : top + side, left : left + side] for top, left in taken.corners)
    return taken


def _clip(centre: tuple[int, int], side: int, shape: tuple[int, ...]) -> tuple[int, int]:
    """The corner of a patch about a centre, moved into the image."""
    row, column = (min(max(place - side // 2, 0), length - side) for place, length in zip(centre, shape, strict=True))
    return row, column


def _sum(integral: NDArray[np.int32], corner: tuple[int, int], side: int) -> int:
    top, left = corner
    return int(integral[top + side, left + side] - integral[top, left + side] - integral[top + side, left] + integral[top, left])


def _key(rows: list[Row], patch_set: PatchSet, seed: int) -> str:
    images = [(row.dataset, row.patient, row.image, row.inverted, row.mirrored, row.pathology, row.rois) for row in rows]
    return hashlib.sha256(repr((LAYOUT, patch_set, seed, images)).encode()).hexdigest()[:16]


def _write(path: Path, cuts: list[_Cut]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = [patch for one in cuts for patch in one.pixels]
    partial = path.with_suffix(".part")
    with partial.open("wb") as stream:
        np.savez(
            stream,
            counts=np.array([len(one.classes) for one in cuts]),
            pixels=np.stack(pixels) if pixels else np.zeros((0, 1, 1), np.uint8),
            classes=np.array([label for one in cuts for label in one.classes], np.int64),
            corners=np.array([corner for one in cuts for corner in one.corners], np.int64).reshape(-1, 2),
            skipped=np.array([(number, each.what, each.why) for number, one in enumerate(cuts) for each in one.skipped], np.str_),
        )
    partial.replace(path)


def _read(path: Path, rows: list[Row]) -> list[_Cut] | None:
    """What `_write` wrote; None where there is nothing."""
    if not path.is_file():
        return None
    with np.load(path) as stored:
        ends = np.cumsum(stored["counts"])
        pixels, classes, corners, skipped = stored["pixels"], stored["classes"], stored["corners"], stored["skipped"]
    cuts = []
    for number in range(len(rows)):
        part = slice(int(ends[number - 1]) if number else 0, int(ends[number]))
        notes = [Skipped(str(what), str(why)) for place, what, why in skipped if int(place) == number] if len(skipped) else []
        places = [(int(row), int(column)) for row, column in corners[part]]
        cuts.append(_Cut(list(pixels[part]), [int(label) for label in classes[part]], places, notes))
    return cuts
