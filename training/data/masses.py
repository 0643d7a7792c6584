"""Patches around masses, in two contexts, and their 25 copies by rotation and cropping (Levy & Jain 2016, 4.2)."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import shutil
import tempfile
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from training.data.index import summarise
from training.data.pictures import UNREADABLE, read_picture, reason
from training.data.table import Box, Roi, Row, Skipped

log = logging.getLogger(__name__)

Context = Literal["small", "large"]

PADDING = 50
"""Pixels on each side of the mass in the small context, whatever the mass's size."""

ROTATIONS, CROPS = 5, 5
"""Copies of each training mass: random rotations, and random crops of each rotation."""

SMALLEST_CROP = 0.8
"""Least share of each side that a random crop keeps. The paper does not say; less would cut off the rim of the mass that it shows."""

LAYOUT = 1
"""Of the files that are written here; another number makes other keys."""


@dataclass(frozen=True)
class Mass:
    """One outlined mass whose pathology is known, and its image."""

    row: Row
    roi: Roi

    @property
    def sample(self) -> Row:
        """The row of a sample that shows this mass alone: its pathology is the mass's, not the breast's. What splits balance."""
        return replace(self.row, pathology=self.roi.pathology, rois=(self.roi,))


@dataclass(frozen=True)
class Cut:
    """How one patch is placed over its context.

    Parameters
    ----------
    angle
        Radians by which the patch's axes are turned about the centre of the context.
    window
        Left, top, right, bottom of the part that is kept, as shares of the turned context's sides.
    """

    angle: float = 0.0
    window: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True)
class Patches:
    """Patches ready for training.

    Parameters
    ----------
    masses
        Index into the given masses for each patch: copies of one mass follow one another, unreadable ones are left out.
    pixels
        (len(masses), rows, columns) uint8, memory-mapped, read-only.
    skipped
        The images that could not be read, and why.
    """

    masses: NDArray[np.int64]
    pixels: NDArray[np.uint8]
    skipped: tuple[Skipped, ...]


def find_masses(rows: Sequence[Row]) -> list[Mass]:
    """Every mass whose pathology is known; calcifications and other findings are no masses."""
    return [Mass(row, roi) for row in rows for roi in row.rois if roi.kind == "mass" and roi.pathology is not None]


def context_box(box: Box, context: Context) -> Box:
    """The region that the network sees of a mass. It may reach over the image's edges: the outside is shown as air.

    Parameters
    ----------
    box
        Around the mass.
    context
        ``small``: `PADDING` more pixels on each side. ``large``: twice the box's width and height about the same centre.
    """
    left, top, right, bottom = box
    if context == "small":
        return left - PADDING, top - PADDING, right + PADDING, bottom + PADDING
    width, height = right - left, bottom - top
    return left - width // 2, top - height // 2, left - width // 2 + 2 * width, top - height // 2 + 2 * height


def plan_cuts(mass: Mass, augmented: bool, seed: int = 0) -> list[Cut]:
    """One cut, the context as it is; or `ROTATIONS` times `CROPS` random ones, the same for the same mass and seed."""
    if not augmented:
        return [Cut()]
    chance = np.random.default_rng((seed, zlib.crc32(f"{mass.row.dataset}/{mass.row.image}/{mass.roi.box}".encode())))
    cuts = []
    for _ in range(ROTATIONS):
        angle = float(chance.uniform(0.0, 2 * np.pi))
        for _ in range(CROPS):
            side = chance.uniform(SMALLEST_CROP, 1.0)
            left, top = chance.uniform(0.0, 1.0 - side, 2)
            cuts.append(Cut(angle, (float(left), float(top), float(left + side), float(top + side))))
    return cuts


def cut_patches(picture: NDArray[np.uint8], context: Box, cuts: Sequence[Cut], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Cut a context out of a picture, turned and cropped as `cuts` say, each stretched to `shape`.

    Parameters
    ----------
    picture
        (rows, columns) with dark air.
    context
        In pixels of the picture; may reach over its edges.
    shape
        Rows, columns of the answer. The aspect ratio is not kept.

    Returns
    -------
    (len(cuts), *shape); 0 outside the picture.
    """
    left, top, right, bottom = context
    size = np.array((right - left, bottom - top), np.float64)
    centre = np.array(((left + right) / 2, (top + bottom) / 2))
    reach = float(np.hypot(*size)) / 2 + 2
    first = np.maximum(np.floor(centre - reach), 0).astype(int)
    last = np.minimum(np.ceil(centre + reach), picture.shape[::-1]).astype(int)
    part = picture[first[1] : max(last[1], first[1] + 1), first[0] : max(last[0], first[0] + 1)]
    if not part.size:
        return np.zeros((len(cuts), *shape), np.uint8)
    # Large masses are shrunk by area first: bilinear sampling alone would skip pixels, and spicules are thin.
    target = np.array((shape[1], shape[0]), np.float64)
    kept = min(min(cut.window[2] - cut.window[0], cut.window[3] - cut.window[1]) for cut in cuts)
    shrink = max(1.0, kept * float((size / target).min()))
    if shrink > 1:
        small = (max(1, round(part.shape[1] / shrink)), max(1, round(part.shape[0] / shrink)))
        scale = np.array(small) / np.array(part.shape[::-1])
        part = np.asarray(cv2.resize(part, small, interpolation=cv2.INTER_AREA), np.uint8)
    else:
        scale = np.ones(2)
    answer = np.empty((len(cuts), *shape), np.uint8)
    for number, cut in enumerate(cuts):
        cos, sin = np.cos(cut.angle), np.sin(cut.angle)
        turn = np.array(((cos, -sin), (sin, cos)))
        start, end = np.array(cut.window[:2]), np.array(cut.window[2:])
        # From the middle of a patch's pixel to the picture, then to the shrunken part (pixel middles at .5 in all three).
        linear = np.diag(scale) @ turn @ np.diag((end - start) * size / target)
        origin = scale * (turn @ ((start - 0.5) * size) + centre - first)
        matrix = np.column_stack((linear, origin + linear @ np.array((0.5, 0.5)) - 0.5))
        answer[number] = cv2.warpAffine(part, matrix, (shape[1], shape[0]), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    return answer


def build_patches(
    masses: Sequence[Mass], augmented: Sequence[bool], context: Context, shape: tuple[int, int], folder: Path, seed: int = 0
) -> Patches:
    """Cut the patches of all masses once; the same masses, context and shape are read back from `folder`.

    Parameters
    ----------
    augmented
        For each mass whether it gets its 25 copies (training) or is used once (all else).
    shape
        Rows, columns of the patches in pixels.
    folder
        Keeps ``masses-CONTEXT-ROWSxCOLUMNS-KEY.u8`` and ``.json``.

    Raises
    ------
    ValueError
        Not one image could be read.
    OSError
        With ``errno.ENOSPC``: the disk cannot hold the patches; the message says how many bytes they need.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"masses-{context}-{shape[0]}x{shape[1]}-{_key(masses, augmented, context, shape, seed)}.u8"
    notes = path.with_suffix(".json")
    if not notes.exists():
        _build(masses, augmented, context, shape, path, seed)
    found = json.loads(notes.read_text(encoding="utf-8"))
    skipped = tuple(Skipped(what, why) for what, why in found["skipped"])
    for line in summarise(skipped):
        log.warning("masses: %s", line)
    owners = np.array(found["masses"], np.int64)
    if not owners.size:
        raise ValueError(f"none of the {len(masses)} masses can be cut out: {'; '.join(summarise(skipped))}")
    return Patches(owners, np.memmap(path, np.uint8, "r", shape=(len(owners), *shape)), skipped)


def _build(masses: Sequence[Mass], augmented: Sequence[bool], context: Context, shape: tuple[int, int], path: Path, seed: int) -> None:
    needed = sum(ROTATIONS * CROPS if each else 1 for each in augmented) * shape[0] * shape[1]
    if shutil.disk_usage(path.parent).free < needed:
        raise OSError(
            errno.ENOSPC, f"the patches need {needed:,} bytes: free some space, name another --runs folder, or take a smaller --shape"
        )
    order = sorted(range(len(masses)), key=lambda index: (str(masses[index].row.file), index))
    images = [list(group) for _, group in groupby(order, key=lambda index: masses[index].row.file)]

    def cut(indices: list[int]) -> list[NDArray[np.uint8]] | str:
        try:
            picture = read_picture(masses[indices[0]].row)
        except UNREADABLE as error:
            return reason(error)
        return [
            cut_patches(picture, context_box(masses[i].roi.box, context), plan_cuts(masses[i], augmented[i], seed), shape) for i in indices
        ]

    owners: list[int] = []
    skipped: list[tuple[str, str]] = []
    workers = os.cpu_count() or 1
    with (
        tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as stream,
        ThreadPoolExecutor(workers) as pool,
        tqdm(total=len(images), desc=f"masses, {context} context", unit="image") as bar,
    ):
        for start in range(0, len(images), 4 * workers):  # a few at a time: decoded films are large
            chunk = images[start : start + 4 * workers]
            for indices, result in zip(chunk, pool.map(cut, chunk), strict=True):
                bar.update()
                if isinstance(result, str):
                    skipped.append((str(masses[indices[0]].row.file), result))
                    continue
                for index, patches in zip(indices, result, strict=True):
                    stream.write(patches.tobytes())
                    owners += [index] * len(patches)
    Path(stream.name).replace(path)
    partial = path.with_suffix(".json.part")
    partial.write_text(json.dumps({"masses": owners, "skipped": skipped}), encoding="utf-8")
    partial.replace(path.with_suffix(".json"))


def _key(masses: Sequence[Mass], augmented: Sequence[bool], context: Context, shape: tuple[int, int], seed: int) -> str:
    described = [
        (mass.row.dataset, mass.row.image, mass.row.file.name, mass.row.inverted, mass.row.mirrored, mass.roi.box, bool(each))
        for mass, each in zip(masses, augmented, strict=True)
    ]
    settings = (LAYOUT, context, shape, seed, PADDING, ROTATIONS, CROPS, SMALLEST_CROP)
    return hashlib.sha256(repr((settings, described)).encode()).hexdigest()[:16]
