"""One synthetic mammogram: outline, pectoral muscle, density texture, lesions and marker, drawn with known truth.

It is no physical simulation. It has what the four papers' systems learn from (side of the chest wall, pectoral muscle, share of glandular
tissue, margins of masses, shape and spread of calcifications) and what they must not (machine, window, marker), so that a system that works
learns it within a minute and one that is broken does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Levels = NDArray[np.float32]
View = Literal["CC", "MLO"]
Side = Literal["L", "R"]
Density = Literal["A", "B", "C", "D"]

GLANDULAR_SHARE: dict[Density, float] = {"A": 0.06, "B": 0.26, "C": 0.54, "D": 0.84}
"""Share of the breast that is glandular; BI-RADS' fourth edition drew its borders at 25, 50 and 75 %."""

FAT, GLAND, MUSCLE = 0.27, 0.27, 0.60
"""Levels of fat, what glandular tissue adds to it, and the pectoral muscle; 0 is air and 1 white."""


@dataclass(frozen=True)
class Lesion:
    """A lesion in the breast, before it is seen in a view.

    Parameters
    ----------
    depth
        From the chest wall (0) to the nipple (1): the same in both views.
    across, height
        From the nipple's level, -1 to 1 of half the breast: to the side (seen in CC) and upwards (seen in MLO).
    radius
        Of a mass or of a cluster, as a share of the image's longer side.
    """

    kind: Literal["mass", "calcification"]
    pathology: Literal["malignant", "benign"]
    depth: float
    across: float
    height: float
    radius: float
    seed: int


@dataclass(frozen=True)
class Breast:
    """One breast: `reach` and `spread` are its depth and half its height as shares of the image's columns and rows."""

    side: Side
    density: Density
    reach: float
    spread: float
    lesions: tuple[Lesion, ...]
    seed: int


@dataclass(frozen=True)
class Machine:
    """How a manufacturer shows the same tissue: gamma, gain, level of air, noise (shares of white); `inverted` shows air white."""

    manufacturer: str
    model: str
    gamma: float
    gain: float
    air: float
    noise: float
    inverted: bool = False


@dataclass(frozen=True)
class Outline:
    """A lesion as it is seen in one view.

    Parameters
    ----------
    mask
        (rows, columns) 255 inside the lesion.
    box
        Left, top, right, bottom around it in pixels, the ends exclusive.
    polygon
        (x, y) pixels of its outline.
    """

    lesion: Lesion
    mask: NDArray[np.uint8]
    box: tuple[int, int, int, int]
    polygon: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Drawing:
    """(rows, columns) levels from 0 (black) to 1 (white) as the machine shows them, and the outlines of the lesions."""

    levels: Levels
    outlines: tuple[Outline, ...]


def draw_view(breast: Breast, view: View, machine: Machine, size: tuple[int, int], marker: bool = True) -> Drawing:
    """Draw one view of a breast; the same arguments give the same picture.

    Parameters
    ----------
    size
        Rows, columns in pixels.
    marker
        Burn side and view into the air, as ``R-CC``.
    """
    chance = np.random.default_rng((breast.seed, 0 if view == "CC" else 1))
    rows, columns = size
    edge, nipple = _skin_profile(breast, view, size, chance)
    inside = np.arange(columns, dtype=np.float32)[None] < edge[:, None]
    cv2.circle(shape := inside.astype(np.uint8), (int(edge[nipple]), nipple), max(2, round(0.014 * rows)), 1, -1)
    to_skin = np.asarray(cv2.distanceTransform(shape, cv2.DIST_L2, 3), np.float32)
    levels = _tissue(breast, to_skin, float(edge[nipple]), nipple, chance)
    muscle = _muscle(edge, size, chance) if view == "MLO" else np.zeros(size, np.float32)
    levels += muscle * (MUSCLE + 0.04 * _fractal(chance, size, 3, 4) - levels)
    outlines = []
    for lesion in breast.lesions:
        place = _place(lesion, view, edge, nipple, to_skin, muscle)
        outlines.append(_draw_lesion(levels, lesion, place))
    levels *= 1 - 0.5 * np.exp(to_skin / np.float32(-0.025 * rows))
    levels += 0.22 * np.exp(-(((to_skin - 2) / np.float32(0.0022 * rows + 0.6)) ** 2))
    levels = np.where(shape > 0, np.maximum(levels, 0), np.float32(0))
    if marker:
        _burn_marker(levels, f"{breast.side}-{view}", breast.side == "R")
    shown = np.minimum(machine.gain * np.power(levels, np.float32(machine.gamma)), 1) + np.float32(machine.air)
    shown += np.float32(machine.noise) * (0.25 + np.sqrt(levels)) * chance.standard_normal(size, np.float32)
    np.clip(shown, 0, 1, out=shown)
    if breast.side == "R":
        shown = shown[:, ::-1]
        outlines = [_mirror(outline, columns) for outline in outlines]
    return Drawing(np.ascontiguousarray(1 - shown if machine.inverted else shown, np.float32), tuple(outlines))


def _skin_profile(breast: Breast, view: View, size: tuple[int, int], chance: np.random.Generator) -> tuple[Levels, int]:
    """Column of the skin in every row (chest wall at column 0), and the nipple's row."""
    rows, columns = size
    reach = breast.reach * columns
    if view == "CC":
        nipple = rows * chance.uniform(0.46, 0.54)
        level = np.clip(np.abs(np.arange(rows) - nipple) / (breast.spread * rows), 0, 1)
        return (reach * (1 - level**2.2) ** 0.58).astype(np.float32), round(nipple)
    nipple = rows * chance.uniform(0.56, 0.64)
    armpit, waist = chance.uniform(0.5, 0.68), chance.uniform(0.5, 0.6)
    fold = min(nipple + 0.85 * breast.spread * rows, 0.96 * rows)
    heights = [0.0, 0.25 * nipple, 0.55 * nipple, 0.85 * nipple, nipple, 0.5 * (nipple + fold), 0.93 * fold + 0.07 * nipple, fold, rows]
    widths = [armpit, waist + 0.05, 0.78, 0.97, 1.0, 0.82, 0.36, 0.0, 0.0]
    profile = np.interp(np.arange(rows), heights, np.array(widths) * reach).astype(np.float32)
    smooth = cv2.GaussianBlur(profile[:, None], (0, 0), 0.02 * rows)
    return np.asarray(smooth[:, 0], np.float32), round(nipple)


def _tissue(breast: Breast, to_skin: Levels, reach: float, nipple: int, chance: np.random.Generator) -> Levels:
    """Fat, glandular tissue of the density's share around the nipple's axis, and fine strands."""
    rows, columns = to_skin.shape
    coarse = _fractal(chance, (rows, columns), 3, 5)
    down = (np.arange(rows, dtype=np.float32) - nipple)[:, None] / (0.3 * rows)
    along = (np.arange(columns, dtype=np.float32)[None] - 0.55 * reach) / (0.42 * reach)
    field = coarse + 1.5 * np.exp(-0.5 * (down**2 + along**2)) + np.minimum(to_skin / (0.03 * rows), 1.0)
    sample = field[::4, ::4][to_skin[::4, ::4] > 0]
    share = float(np.clip(GLANDULAR_SHARE[breast.density] + chance.normal(0, 0.03), 0.02, 0.95))
    border = np.float32(np.quantile(sample, 1 - share)) if sample.size else np.float32(0)
    gland = 1 / (1 + np.exp((border - field) * 6))
    strands = np.exp(-((_fractal(chance, (rows, columns), 9, 3) * 5) ** 2))
    fine = _fractal(chance, (rows, columns), 24, 3)
    return np.asarray(FAT + gland * (GLAND + 0.03 * fine) + 0.07 * strands + 0.012 * fine + 0.02 * coarse, np.float32)


def _muscle(edge: Levels, size: tuple[int, int], chance: np.random.Generator) -> Levels:
    """Weight of the pectoral muscle, 0 to 1: a wedge at the top of the chest wall with a slightly convex border."""
    rows, columns = size
    top, length = chance.uniform(0.55, 0.8) * float(edge[0]), chance.uniform(0.5, 0.72) * rows
    level = np.clip(1 - np.arange(rows, dtype=np.float32) / np.float32(length), 0, 1)
    border = np.float32(top) * level ** np.float32(chance.uniform(0.8, 1.1))
    soft = np.float32(0.006 * columns + 0.5)
    weight = 1 / (1 + np.exp(np.clip((np.arange(columns, dtype=np.float32)[None] - border[:, None]) / soft, -30, 30)))
    return np.asarray(weight * (level[:, None] > 0), np.float32)


def _place(lesion: Lesion, view: View, edge: Levels, nipple: int, to_skin: Levels, muscle: Levels) -> tuple[int, int, float]:
    """Column, row and radius in pixels; moved towards the breast's middle until clear of skin, muscle and the picture's edge."""
    rows = len(edge)
    radius = lesion.radius * max(to_skin.shape)
    side = lesion.across if view == "CC" else -lesion.height
    row = nipple + side * 0.28 * rows
    column = lesion.depth * float(edge[int(np.clip(row, 0, rows - 1))])
    aim_row, aim_column = float(nipple), 0.55 * float(edge[nipple])
    for _ in range(12):
        y, x = int(np.clip(row, 0, rows - 1)), int(np.clip(column, 0, to_skin.shape[1] - 1))
        if to_skin[y, x] > 1.5 * radius and x > 1.5 * radius and muscle[y, min(x - int(1.2 * radius), x)] < 0.3:
            break
        row, column = row + 0.2 * (aim_row - row), column + 0.2 * (aim_column - column)
    return round(column), round(row), radius


def _draw_lesion(levels: Levels, lesion: Lesion, place: tuple[int, int, float]) -> Outline:
    """Add the lesion to `levels` in place."""
    column, row, radius = place
    chance = np.random.default_rng((lesion.seed, column, row))
    half = max(int(2.6 * radius), 8)
    draw = _draw_mass if lesion.kind == "mass" else _draw_calcifications
    added, core = draw(lesion.pathology == "malignant", radius, half, chance)
    rows, columns = levels.shape
    top, left = max(row - half, 0), max(column - half, 0)
    bottom, right = min(row + half + 1, rows), min(column + half + 1, columns)
    window = np.s_[top - row + half : bottom - row + half, left - column + half : right - column + half]
    levels[top:bottom, left:right] += added[window]
    mask = np.zeros((rows, columns), np.uint8)
    mask[top:bottom, left:right] = 255 * core[window]
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_TC89_L1)
    largest = max(contours, key=cv2.contourArea)
    x, y, width, height = cv2.boundingRect(mask)
    polygon = tuple((float(point[0][0]), float(point[0][1])) for point in largest)
    return Outline(lesion, mask, (x, y, x + width, y + height), polygon)


def _draw_mass(malignant: bool, radius: float, half: int, chance: np.random.Generator) -> tuple[Levels, NDArray[np.uint8]]:
    """Benign: a smooth ellipse with a sharp margin and a dark halo. Malignant: an irregular core, blurred, with spicules twice as long."""
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float32)
    contrast = np.float32(chance.uniform(0.2, 0.28))
    turn, stretch = chance.uniform(0, np.pi), chance.uniform(0.8, 1.0)
    along, athwart = x * np.cos(turn) + y * np.sin(turn), (y * np.cos(turn) - x * np.sin(turn)) / stretch
    distance = np.hypot(along, athwart).astype(np.float32)
    if not malignant:
        body = 1 / (1 + np.exp(np.clip((distance - radius) / np.float32(0.05 * radius + 0.3), -30, 30)))
        halo = np.exp(-(((distance - 1.22 * radius) / np.float32(0.12 * radius + 0.5)) ** 2))
        return np.asarray(contrast * body - 0.07 * halo, np.float32), (distance <= radius).astype(np.uint8)
    angle = np.arctan2(y, x)
    wave = sum(chance.uniform(0.03, 0.12) * np.sin(k * angle + chance.uniform(0, 2 * np.pi)) for k in range(2, 7))
    core = np.float32(0.72 * radius) * (1 + np.asarray(wave, np.float32))
    body = 1 / (1 + np.exp(np.clip((distance - core) / np.float32(0.14 * radius), -30, 30)))
    lines = np.zeros(body.shape, np.uint8)
    count = int(chance.integers(10, 16))
    for spoke in range(count):
        direction = 2 * np.pi * (spoke + chance.uniform(-0.35, 0.35)) / count
        for share, width in ((chance.uniform(1.7, 2.3), 1), (1.3, max(2, round(0.14 * radius)))):
            tip = half + share * radius * np.cos(direction), half + share * radius * np.sin(direction)
            cv2.line(lines, (half, half), (round(tip[0]), round(tip[1])), 255, max(width, round(0.09 * radius)), cv2.LINE_AA)
    spicules = cv2.GaussianBlur(lines.astype(np.float32) / 255, (0, 0), 0.03 * radius + 0.4)
    return np.asarray(contrast * np.maximum(body, 0.8 * spicules), np.float32), (distance <= np.maximum(core, 0.95 * radius)).astype(
        np.uint8
    )


def _draw_calcifications(malignant: bool, radius: float, half: int, chance: np.random.Generator) -> tuple[Levels, NDArray[np.uint8]]:
    """Benign: a few coarse, round ones. Malignant: a cluster of many small ones of every shape and brightness, some in a line."""
    drawn = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    count = int(chance.integers(14, 26) if malignant else chance.integers(2, 5))
    places = []
    for _ in range(count):
        far, angle = radius * np.sqrt(chance.uniform(0, 1)) * (0.9 if malignant else 0.75), chance.uniform(0, 2 * np.pi)
        centre = np.array((half + far * np.cos(angle), half + far * np.sin(angle)))
        places.append(centre)
        if malignant:
            along = chance.uniform(0.04, 0.16) * radius * np.array((np.cos(turn := chance.uniform(0, np.pi)), np.sin(turn)))
            ends = [tuple(int(v) for v in np.rint(16 * (centre + way * along))) for way in (-1, 1)]
            speck = cv2.line(np.zeros(drawn.shape, np.uint8), ends[0], ends[1], 255, max(1, round(0.07 * radius)), cv2.LINE_AA, 4)
            drawn = np.maximum(drawn, np.float32(chance.uniform(0.35, 0.6) / 255) * speck)
        else:
            grain = chance.uniform(0.16, 0.26) * radius + 1
            y, x = np.mgrid[: 2 * half + 1, : 2 * half + 1].astype(np.float32)
            ball = np.clip(grain + 0.5 - np.hypot(x - centre[0], y - centre[1]), 0, 1)
            drawn = np.maximum(drawn, np.float32(chance.uniform(0.3, 0.42)) * ball.astype(np.float32))
    hull = cv2.convexHull(np.rint(np.array(places)).astype(np.int32))
    core = np.asarray(cv2.fillPoly(np.zeros(drawn.shape, np.uint8), [hull], 1), np.bool_)
    reach = max(2, round((0.2 if malignant else 0.35) * radius))
    core |= cv2.GaussianBlur(drawn, (0, 0), 0.6) > 0.05
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    return drawn, np.asarray(cv2.dilate(core.astype(np.uint8), disc), np.uint8)


def _burn_marker(levels: Levels, text: str, flipped: bool) -> None:
    """Write into the air beside the breast; mirrored first where the whole picture will be mirrored, so that it can be read."""
    rows, columns = levels.shape
    scale = rows / 1100
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    left, base = round(columns * 0.95) - width, round(rows * 0.05) + height
    paper = np.zeros((height + 8, width + 4), np.uint8)
    written = np.float32(1 / 255) * cv2.putText(paper, text, (2, height + 3), cv2.FONT_HERSHEY_SIMPLEX, scale, 230, 1, cv2.LINE_AA)
    top, left = base - height - 4, left - 2
    part = levels[top : top + written.shape[0], left : left + written.shape[1]]
    np.maximum(part, (written[:, ::-1] if flipped else written)[: part.shape[0], : part.shape[1]], out=part)


def _mirror(outline: Outline, columns: int) -> Outline:
    left, top, right, bottom = outline.box
    polygon = tuple((columns - 1 - x, y) for x, y in outline.polygon)
    mask = np.ascontiguousarray(outline.mask[:, ::-1])
    return Outline(outline.lesion, mask, (columns - right, top, columns - left, bottom), polygon)


def _fractal(chance: np.random.Generator, size: tuple[int, int], cells: int, octaves: int) -> Levels:
    """Noise of about unit spread, made of octaves from `cells` cells a side upwards, each weaker than the former.

    Every octave is laid over the former ones on its own small grid: the full size is computed once.
    """
    total = chance.standard_normal((cells, cells), np.float32)
    for octave in range(1, octaves):
        side = cells * 2**octave
        finer = chance.standard_normal((side, side), np.float32)
        total = cv2.resize(total, (side, side), interpolation=cv2.INTER_CUBIC) + np.float32(0.6**octave) * finer
    total /= total.std() + np.float32(1e-6)
    return np.asarray(cv2.resize(total, (size[1], size[0]), interpolation=cv2.INTER_CUBIC), np.float32)
