"""docs/corrections.md and docs/deliveries.md describe the states, kinds and policies that there are."""

from __future__ import annotations

import re
from pathlib import Path

from service.domain.correction_lifecycle import TRANSITIONS
from service.domain.findings import CorrectionKind, DeliveryState
from service.domain.policy import Action, CorrectionPolicy

DOCS = Path(__file__).parents[2] / "docs"


def rows(page: str, heading: str) -> dict[str, list[str]]:
    """The table below a heading: first cell, without its backticks, to the other cells."""
    text = (DOCS / page).read_text(encoding="utf-8")
    lines = f"\n{text}".partition(f"\n{heading}\n")[2].lstrip().splitlines()
    table = [
        line for line in lines[: next((i for i, line in enumerate(lines) if line.startswith("## ")), len(lines))] if line.startswith("| `")
    ]
    return {cells[0].strip(" `"): [cell.strip() for cell in cells[1:]] for cells in (line.strip("| ").split(" | ") for line in table)}


def test_every_state_of_a_correction_is_described_with_what_may_follow_it() -> None:
    described = rows("corrections.md", "## Life of a correction")
    assert {state: set(re.findall(r"`([a-z-]+)`", cells[-1])) if len(cells) > 1 else set() for state, cells in described.items()} == {
        state.value: {each.value for each in following} for state, following in TRANSITIONS.items() if state is not None
    }


def test_every_kind_of_difference_is_described_with_its_default_policy() -> None:
    described = rows("corrections.md", "## When a label is contradicted")
    default = CorrectionPolicy()
    assert {kind: cells[-1].strip("`") for kind, cells in described.items()} == {
        kind.value: getattr(default, kind.value.replace("-", "_")).value for kind in CorrectionKind
    }


def test_every_policy_is_described() -> None:
    assert {action.value for action in Action} <= rows("corrections.md", "## Policy and mode").keys()


def test_every_end_of_a_delivery_is_described() -> None:
    ends = {state.value for state in DeliveryState} - {DeliveryState.PENDING.value, DeliveryState.SENT.value}
    assert rows("deliveries.md", "# Deliveries: how they end, and what to do then").keys() >= ends
