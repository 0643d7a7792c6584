"""Rates with their confidence intervals. No I/O."""

from __future__ import annotations

import math
from dataclasses import dataclass

_Z = 1.959964
"""Normal quantile of a 95 % interval."""


@dataclass(frozen=True)
class Rate:
    """A count of a total."""

    count: int
    of: int

    @property
    def value(self) -> float | None:
        """None where the total is 0."""
        return self.count / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % interval of Wilson (1927), valid for few cases and for rates near 0 and 1 too; None where the total is 0."""
        if not self.of:
            return None
        n, share, z2 = self.of, self.count / self.of, _Z * _Z
        middle = (share + z2 / (2 * n)) / (1 + z2 / n)
        half = _Z / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
        # At the ends the formula is exact, floating point is not.
        low = 0.0 if self.count == 0 else max(0.0, middle - half)
        high = 1.0 if self.count == n else min(1.0, middle + half)
        return low, high

    def __add__(self, other: Rate) -> Rate:
        return Rate(self.count + other.count, self.of + other.of)
