"""The Prefer request header (RFC 7240)."""

from __future__ import annotations

import re

MAX_WAIT_S = 120.0


def read_wait(prefer: str | None) -> float:
    """Seconds of ``Prefer: wait=N`` (RFC 7240 section 4.3), at most `MAX_WAIT_S`; 0 where there is none."""
    match = re.search(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,6})\"?", prefer or "", re.IGNORECASE)
    return min(float(match[1]), MAX_WAIT_S) if match else 0.0
