"""Labels from BI-RADS, for sets without biopsies: 1 and 2 are negative, 4 to 6 positive, 3 is neither (Shen et al. 2017, 3.2.1)."""

from __future__ import annotations

import re
from typing import Literal

DENSITIES = {"1": "A", "2": "B", "3": "C", "4": "D", "A": "A", "B": "B", "C": "C", "D": "D"}
"""ACR composition as numbers (4th edition) or letters (5th)."""

UNDECIDED = 3
"""Probably benign: not given at screening, so the paper leaves these images out."""


def read_birads(text: str) -> int | None:
    """0 to 6 out of ``4a``, ``BI-RADS 4`` or ``5.0``; None for anything else."""
    match = re.fullmatch(r"(?:bi-?rads)?\s*([0-6])\s*[abc]?(?:\.0)?", text.strip().lower())
    return int(match[1]) if match else None


def pathology_of(birads: int | None) -> Literal["malignant", "negative"] | None:
    """What an assessment is taken for; None for 0 (incomplete), `UNDECIDED` and an unknown one."""
    if birads in (1, 2):
        return "negative"
    return "malignant" if birads in (4, 5, 6) else None


def read_density(text: str) -> str | None:
    """A to D out of ``2``, ``2.0``, ``B`` or ``DENSITY B``."""
    words = text.strip().upper().removesuffix(".0").split()
    return DENSITIES.get(words[-1]) if words else None
