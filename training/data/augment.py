"""Random changes of training pictures: rotation, shear, zoom, crop, flips and grey levels; a preset for each of the four papers."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Augmentation:
    """How far each change may go; 0 or False leaves that change out.

    Parameters
    ----------
    rotation_degrees
        Largest turn to either side.
    zoom
        Largest stretch of each axis by itself: factors from exp(-zoom) to exp(zoom).
    shift
        Largest move, as a share of the side.
    horizontal_flip, vertical_flip
        Mirror half of the pictures. Horizontal flips are off for laterality (Yi et al. 2019, Results: AUC 0.75 with, 0.93 without).
    gamma
        Exponents from exp(-gamma) to exp(gamma).
    contrast
        Factors from exp(-contrast) to exp(contrast) about middle grey.
    crop
        Largest share of each side that a random crop cuts away; what is left is stretched back to the picture's shape.
    brightness
        Largest amount added to every pixel, as a share of the full grey range.
    shear_radians
        Largest shear along the rows.
    shrink
        Three pictures of ten shrink, both axes by the same factor from exp(-shrink) to 1: small breasts.
    invert
        Share of the pictures whose grey levels are turned round.
    """

    rotation_degrees: float = 12.0
    zoom: float = 0.12
    shift: float = 0.05
    horizontal_flip: bool = False
    vertical_flip: bool = False
    gamma: float = 0.25
    contrast: float = 0.15
    crop: float = 0.0
    brightness: float = 0.0
    shear_radians: float = 0.0
    shrink: float = 0.0
    invert: float = 0.0

    def __call__(self, pixels: NDArray[np.float32], chance: np.random.Generator) -> NDArray[np.float32]:
        """Change (rows, columns) float32 in [0, 1] at random; shape and range stay; pixels from outside the picture are air (0)."""
        rows, columns = pixels.shape
        matrix = self._geometry(rows, columns, chance)
        moved = not np.allclose(matrix, np.eye(2, 3))
        changed = cv2.warpAffine(pixels, matrix, (columns, rows), flags=cv2.INTER_LINEAR) if moved else pixels
        if self.horizontal_flip and chance.random() < 0.5:
            changed = changed[:, ::-1]
        if self.vertical_flip and chance.random() < 0.5:
            changed = changed[::-1]
        if self.gamma:
            changed = np.power(np.clip(changed, 0, 1), np.exp(chance.uniform(-self.gamma, self.gamma)))
        if self.contrast:
            changed = (changed - 0.5) * np.exp(chance.uniform(-self.contrast, self.contrast)) + 0.5
        if self.brightness:
            changed = changed + chance.uniform(-self.brightness, self.brightness)
        if self.invert and chance.random() < self.invert:
            changed = 1.0 - changed
        return np.ascontiguousarray(np.clip(changed, 0, 1), np.float32)

    def _geometry(self, rows: int, columns: int, chance: np.random.Generator) -> NDArray[np.float64]:
        """One affine map from old to new (x, y): turn, shear and stretch about the centre, move, crop."""
        centre = np.array((columns / 2, rows / 2))
        turn = cv2.getRotationMatrix2D((0.0, 0.0), chance.uniform(-self.rotation_degrees, self.rotation_degrees), 1.0)[:, :2]
        linear = np.diag(np.exp(chance.uniform(-self.zoom, self.zoom, 2))) @ turn
        if self.shrink:
            linear = linear * np.exp(chance.uniform(-self.shrink, 0.0) * (chance.random() < 0.3))
        move = chance.uniform(-self.shift, self.shift, 2) * np.array((columns, rows))
        if self.shear_radians:
            linear = np.array(((1.0, np.tan(chance.uniform(-self.shear_radians, self.shear_radians))), (0.0, 1.0))) @ linear
        matrix = np.column_stack((linear, centre - linear @ centre + move))
        if self.crop:
            kept = 1.0 - chance.uniform(0.0, self.crop)
            corner = chance.uniform(0.0, 1.0 - kept, 2) * np.array((columns, rows))
            matrix[:, 2] -= corner
            matrix /= kept
        return matrix


NONE = Augmentation(rotation_degrees=0.0, zoom=0.0, shift=0.0, gamma=0.0, contrast=0.0)
"""Leaves every picture as it is."""

LABELS_KEEPING_SIDES = replace(NONE, rotation_degrees=10.0, crop=0.125)
"""Yi et al. 2019, "DCNN Development", without horizontal flips. They name rotations and crops without amounts; a crop of 224 from 256 is
their framework's usual one."""

LABELS = replace(LABELS_KEEPING_SIDES, horizontal_flip=True)
"""Yi et al. 2019, "DCNN Development": random rotations, cropping and horizontal flipping."""

MASSES = replace(NONE, horizontal_flip=True)
"""Levy & Jain 2016, 4.2: mirroring at train time; their rotations and crops are made beforehand (`training.data.masses`)."""

DIB_MG = replace(NONE, contrast=0.1, brightness=0.1)
"""Kim et al. 2018, "Training Set-up": contrast and brightness changed by up to 10 %, nothing else."""

PATCH_TO_IMAGE = replace(
    NONE, rotation_degrees=25.0, shear_radians=0.2, zoom=0.2, horizontal_flip=True, vertical_flip=True, brightness=20 / 255
)
"""Shen et al. 2017, 3.1.2: flips, rotation of 25 degrees, shear of 0.2 radians, zoom of 0.8 to 1.2, channel shift of 20 grey levels."""
