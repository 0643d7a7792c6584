"""A rotation by quarter turns and a flip of an image, and the way back for points and maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Turn:
    """First rotate clockwise, then swap left and right, in the order of PS3.3 C.10.6.

    Parameters
    ----------
    degrees
        0, 90, 180 or 270.
    flip
        Swap left and right after the rotation.
    """

    degrees: int = 0
    flip: bool = False

    def apply(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Turn an image (rows, columns)."""
        rotated = np.rot90(pixels, -self.degrees // 90)
        return np.ascontiguousarray(np.fliplr(rotated) if self.flip else rotated)

    def undo(self, turned: NDArray[Any]) -> NDArray[Any]:
        """Turn an image or a map back."""
        return np.ascontiguousarray(np.rot90(np.fliplr(turned) if self.flip else turned, self.degrees // 90))

    def undo_point(self, row: float, column: float, shape: tuple[int, int]) -> tuple[float, float]:
        """Map a point of the turned image (pixels, origin at the top left corner) to the source.

        Parameters
        ----------
        shape
            Rows, columns of the turned image.
        """
        rows, columns = shape
        if self.flip:
            column = columns - column
        for _ in range(self.degrees // 90):
            row, column = columns - column, row
            rows, columns = columns, rows
        return row, column


UNTURNED = Turn()
