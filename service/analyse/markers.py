"""Burned-in markers such as ``R CC`` and ``LMLO`` in upright letters; an unclear marker is not read.

Whole words are compared with drawn ones, as they are and mirrored: in a mirrored image the letters are mirrored too, and still name the
side of the breast. Tilted words, words in two lines, words of a few pixels and single letters are not read.
docs/results/label-errors.md has the measured rates (``python -m benchmarks.label_errors``).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import combinations, product

import cv2
import numpy as np
from numpy.typing import NDArray

from models.vocabulary import Laterality, View
from service.domain.findings import Marker

LONGEST_SIDE = 1280
"""Longest side in pixels to which a larger image is reduced: letters of 3 mm are then about 15 pixels high."""

LEAST_HEIGHT = 9
"""Pixels; lower letters lose their strokes. Below it half of the words read in RSNA-2022 were wrong."""

LEAST_LIKENESS, LEAST_MARGIN = 0.75, 0.05
"""Correlation with the drawn word, and its lead over every word with another side, view or direction. Chosen on training patients: no word
read wrongly among 128, the likeliest wrong one at 0.69."""

MOST_LETTERS = 16
"""Most letters of a line; a line with more is no marker."""

CONTRAST = 40
"""Grey levels by which letters are brighter than the background."""

_READ = (View.CC, View.MLO)
_OTHER_WORDS = ("ML", "LM", "LMO", "XCC", "XCCL", "CV", "AT", "TAN", "FB", "ID")
"""Other words on markers; they are drawn too, so that none of them is read as CC or MLO."""
_WORDS = tuple(product((Laterality.R, Laterality.L), (*_READ, *_OTHER_WORDS), (False, True)))
"""Side, view, mirrored."""
_CELL = (56, 16)
"""Columns, rows to which a word is stretched, because letters have many proportions."""
_FONTS, _STROKES, _GAPS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX), (8, 16, 24), (0, 22, 44, 64)


def read_marker(pixels: NDArray[np.uint8]) -> Marker | None:
    """Read the marker of an image.

    Parameters
    ----------
    pixels
        (rows, columns) grey levels with a dark background.

    Returns
    -------
    The word; its confidence is the correlation with the drawn word, 0 to 1. None without a clear word, and where two places of the image
    have different words.
    """
    scale = LONGEST_SIDE / max(pixels.shape)
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    image = pixels if scale >= 1 else np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    patches = list(_find_patches(image))
    if not patches:
        return None
    likeness = np.stack(patches) @ _drawn_words().T
    likeness = likeness.reshape(len(patches), len(_WORDS), -1).max(axis=2)
    ranked = np.sort(likeness, axis=1)
    plain = (ranked[:, -1] >= LEAST_LIKENESS) & (ranked[:, -1] - ranked[:, -2] >= LEAST_MARGIN)
    words = {_WORDS[word][:2] for word in likeness[plain].argmax(axis=1)}
    if len(words) != 1:
        return None
    ((side, view),) = words
    if view not in _READ:
        return None
    return Marker(text=f"{side} {view}", laterality=side, view=View(view), confidence=round(float(ranked[plain, -1].max()), 4))


def _find_patches(image: NDArray[np.uint8]) -> Iterator[NDArray[np.float32]]:
    """Bright lines of the size of a word, and every part of them: manufacturers frame the word, or set signs beside it."""
    longest = max(image.shape)
    background = int(np.percentile(image[::4, ::4], 10))
    bright = (image > min(background + CONTRAST, 254)).astype(np.uint8)
    joined = cv2.morphologyEx(bright, cv2.MORPH_CLOSE, np.ones((1, max(3, round(0.02 * longest))), np.uint8))
    _, _, boxes, _ = cv2.connectedComponentsWithStats(joined)
    for x, y, width, height, _ in boxes[1:].tolist():
        if max(LEAST_HEIGHT, 0.008 * longest) <= height <= 0.06 * longest and 1.4 <= width / height <= 14 and width < 0.3 * longest:
            yield from _cut_words(image[y : y + height, x : x + width].astype(np.float32) - background)


def _cut_words(line: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """Every part of a line that starts and ends with a letter, has the proportions of a word, and is not part of a longer word."""
    lit = line > 0.45 * float(line.max())
    edges = np.flatnonzero(np.diff(np.concatenate(([False], lit.any(axis=0), [False])).astype(np.int8))).tolist()
    letters = list(zip(edges[::2], edges[1::2], strict=True))
    if len(letters) > MOST_LETTERS:
        return
    heights = [int(np.flatnonzero(lit[:, left:right].any(axis=1)).size) for left, right in letters]
    for first, last in combinations(range(len(letters)), 2):
        left, right = letters[first][0], letters[last][1]
        rows = np.flatnonzero(lit[:, left:right].any(axis=1))
        top, bottom = int(rows[0]), int(rows[-1]) + 1
        height = bottom - top
        if height < LEAST_HEIGHT or not 1.4 <= (right - left) / height <= 9:
            continue
        before = first > 0 and left - letters[first - 1][1] < height and 0.75 <= heights[first - 1] / height <= 1.25
        after = last + 1 < len(letters) and letters[last + 1][0] - right < height and 0.75 <= heights[last + 1] / height <= 1.25
        if not before and not after:
            yield _as_vector(line[top:bottom, left:right])


def _as_vector(word: NDArray[np.float32]) -> NDArray[np.float32]:
    """Stretch a word to the common size, soften its strokes, and normalise level and contrast."""
    shrinks = word.shape[0] > _CELL[1]
    cell = cv2.resize(word, _CELL, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    flat = np.asarray(cv2.GaussianBlur(cell, (0, 0), 1.0), np.float32).ravel()
    flat = flat - flat.mean()
    return np.asarray(flat / max(float(np.linalg.norm(flat)), 1e-6), np.float32)


@cache
def _drawn_words() -> NDArray[np.float32]:
    """(words x styles, pixels), word by word in the order of `_WORDS`."""
    styles = tuple(product(_FONTS, _STROKES, _GAPS))
    return np.stack([_draw_word(side + view, mirrored, *style) for side, view, mirrored in _WORDS for style in styles])


def _draw_word(word: str, mirrored: bool, font: int, stroke: int, gap: int) -> NDArray[np.float32]:
    """Draw a word in letters about 64 pixels high; `gap` is the space between side and view."""
    parts: list[NDArray[np.uint8]] = []
    for number, letter in enumerate(word):
        sheet = np.zeros((160, 200), np.uint8)
        cv2.putText(sheet, letter, (40, 120), font, 3, 255, stroke, cv2.LINE_AA)
        columns = np.flatnonzero((sheet > 127).any(axis=0))
        parts += [np.zeros((160, 14 + (gap if number == 1 else 0)), np.uint8)] if number else []
        parts.append(sheet[:, columns[0] : columns[-1] + 1])
    line = np.hstack(parts)
    rows = np.flatnonzero((line > 127).any(axis=1))
    drawn = line[rows[0] : rows[-1] + 1].astype(np.float32)
    return _as_vector(np.ascontiguousarray(drawn[:, ::-1]) if mirrored else drawn)
