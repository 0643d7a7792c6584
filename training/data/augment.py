"""Random rotation, crop, flips and grey-level changes (paper 0, Methods: rotations, cropping, flipping; paper 4: also intensity shift)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Augmentation:
    """How far each change may go. Horizontal flips are off for laterality (paper 0, Results: AUC 0.75 with, 0.93 without)."""

    rotation_degrees: float = 12.0
    zoom: float = 0.12
    shift: float = 0.05
    horizontal_flip: bool = False
    vertical_flip: bool = False
    gamma: float = 0.25
    contrast: float = 0.15

    def __call__(self, pixels: NDArray[np.float32], chance: np.random.Generator) -> NDArray[np.float32]:
        """Change (rows, columns) float32 in [0, 1] at random; the shape stays."""
        rows, columns = pixels.shape
        angle = chance.uniform(-self.rotation_degrees, self.rotation_degrees)
        matrix = cv2.getRotationMatrix2D((columns / 2, rows / 2), angle, 1.0)
        scale = np.exp(chance.uniform(-self.zoom, self.zoom, 2))
        centre = np.array((columns / 2, rows / 2))
        stretch = np.diag(scale)
        matrix = np.column_stack((stretch @ matrix[:, :2], stretch @ (matrix[:, 2] - centre) + centre))
        matrix[:, 2] += chance.uniform(-self.shift, self.shift, 2) * np.array((columns, rows))
        changed = cv2.warpAffine(pixels, matrix, (columns, rows), flags=cv2.INTER_LINEAR)
        if self.horizontal_flip and chance.random() < 0.5:
            changed = changed[:, ::-1]
        if self.vertical_flip and chance.random() < 0.5:
            changed = changed[::-1]
        changed = np.power(np.clip(changed, 0, 1), np.exp(chance.uniform(-self.gamma, self.gamma)))
        changed = (changed - 0.5) * np.exp(chance.uniform(-self.contrast, self.contrast)) + 0.5
        return np.ascontiguousarray(np.clip(changed, 0, 1), np.float32)
