from __future__ import annotations

from pathlib import Path

from training.data.table import Row
from training.experiments.zoo import CANCER, LABELER
from training.stages.gathering import targets


def test_targets_mark_what_is_unknown() -> None:
    row = Row("set", "p", "e", "i", Path("x"), "CC", None, "L", "C", None, "m", None)
    assert {head: int(values[0]) for head, values in targets(LABELER.heads, [row]).items()} == {"view": 0, "laterality": -1, "density": 2}
    assert {head: int(values[0]) for head, values in targets(CANCER.heads, [row]).items()} == {"cancer": -1}
